"""The facts of a mail provider: servers, login, steps for the owner, limits and quirks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Final

from providers.endpoint import Endpoint, LoginForm
from providers.frozen import frozen
from providers.text import Text

LANGUAGES: Final = ("en", "de", "fr", "it", "es")
"""The languages of every text for owners; the first is the fallback."""


@frozen
class LocalizedText:
    """A text in every language of LANGUAGES. PRODUCT_NAME in it is filled in when it is shown."""

    en: str
    de: str
    fr: str
    it: str
    es: str

    def in_language(self, language: str) -> str:
        """The text for a language tag (`de`, `de-CH`); English if there is no translation."""
        code = language.partition("-")[0].lower()
        return str(getattr(self, code)) if code in LANGUAGES else self.en


class LoginKind(StrEnum):
    """The kind of access to a mailbox."""

    PASSWORD = "password"  # noqa: S105
    SIGN_IN = "sign_in"
    ORGANISATION = "organisation"  # an administrator grants access to all mailboxes


@frozen
class Step:
    """A step for the owner before the login.

    `page` is its URL, or "", and `other_pages` those in other languages than English, by code; `login_kind`
    None means every kind of login.
    """

    id: str
    texts: LocalizedText
    page: str = ""
    login_kind: LoginKind | None = None
    other_pages: Mapping[str, str] = field(default_factory=dict)

    def page_in(self, language: str) -> str:
        """The page for a language tag (`de`, `de-CH`); `page` if the host has none in that language."""
        return self.other_pages.get(language.partition("-")[0].lower(), self.page)

    def sentence_in(self, language: str) -> str:
        """The text with its page, for readers without links."""
        text, page = self.texts.in_language(language), self.page_in(language)
        return f"{text.removesuffix('.')} ({page})." if page else text


class PasswordKind(StrEnum):
    """Which password a host accepts over IMAP."""

    MAILBOX = "mailbox"  # the mailbox password
    APP_WITH_TWO_FACTOR = "app_with_two_factor"  # the mailbox password, unless two-factor sign-in is on
    APP = "app"  # an app password only
    NONE = "none"  # none: sign-in, or no IMAP


class Quirk(StrEnum):
    """A deviation of a host from others. `text` describes it, also in docs/providers.md."""

    LABELS = "labels"
    NON_MAIL_FOLDERS = "non_mail_folders"
    HIDDEN_FOLDERS = "hidden_folders"
    UNOPENABLE_FOLDERS = "unopenable_folders"
    FLAGGED_LATER = "flagged_later"
    FEW_KEYWORDS = "few_keywords"
    CASELESS_NAMES = "caseless_names"
    LONG_LINES_REFUSED = "long_lines_refused"
    FINAL_LINE_END = "final_line_end"
    UNRELIABLE_SEARCH = "unreliable_search"

    @property
    def text(self) -> Text:
        return Text(f"quirk.{self.value}")


@frozen
class ProviderLimits:
    """The limits of a host for one account; None if unknown. Days are those of the host.

    The daily bytes are planning values below the published limits, because the owner's other programs count
    too.
    """

    connections: int | None = None
    download_bytes_per_day: int | None = None
    upload_bytes_per_day: int | None = None
    message_bytes: int | None = None
    messages_per_folder: int | None = None  # messages of a folder that `endpoint` shows
    read_messages_per_folder: int | None = None  # the same of `read_endpoint`


@frozen
class Source:
    """The source of the facts of one kind (`server`, `steps`, `limits`, `quirks`, `mx`), with the date."""

    facts: str
    page: str

    @property
    def confirmed(self) -> bool:
        """False if no public source confirms the facts."""
        return "unconfirmed" not in self.page


@frozen
class Provider:
    """One mail host.

    `domains` are the domains of its own addresses. `endpoint` is its server, `read_endpoint` a better one to
    copy from, `other_hosts` are further names of the same service. `mx` are suffixes of the mail exchangers
    of its customers' own domains. `sign_in` names the OAuth provider for its mailboxes, an id of
    `SIGN_IN_PROVIDERS`. `unavailable_text` says, for hosts that cannot be imported from, why and what to do
    instead.
    """

    id: str
    name: str
    domains: tuple[str, ...]
    endpoint: Endpoint | None
    read_endpoint: Endpoint | None = None
    other_hosts: tuple[str, ...] = ()
    mx: tuple[str, ...] = ()
    login_form: LoginForm = LoginForm.ADDRESS
    password: PasswordKind = PasswordKind.MAILBOX
    sign_in: str | None = None
    steps: tuple[Step, ...] = ()
    unavailable_text: LocalizedText | None = None
    limits: ProviderLimits = ProviderLimits()
    quirks: frozenset[Quirk] = frozenset()
    sources: tuple[Source, ...] = ()

    @property
    def source_endpoint(self) -> Endpoint | None:
        """The server to copy from."""
        return self.read_endpoint or self.endpoint

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every host name of this service, lower case."""
        endpoints = [e.host for e in (self.endpoint, self.read_endpoint) if e is not None]
        return tuple(dict.fromkeys(host.casefold() for host in (*endpoints, *self.other_hosts)))

    @property
    def login_help(self) -> str:
        """The owner's steps before a password login, in English."""
        return self.login_help_in("en")

    @property
    def unavailable(self) -> str:
        """Why imports from here are impossible, in English; "" if they are possible."""
        return self.unavailable_text.en if self.unavailable_text else ""

    @property
    def passwords_unavailable(self) -> str:
        """Why logins with a password or app password are impossible, in English; "" if they are possible."""
        return self.login_unavailable_in("en", LoginKind.PASSWORD)

    def steps_for(self, kind: LoginKind) -> tuple[Step, ...]:
        """The owner's steps before a login of that kind, in order; none for an organisation."""
        if kind is LoginKind.ORGANISATION:
            return ()
        return tuple(step for step in self.steps if step.login_kind in (None, kind))

    def login_help_in(self, language: str, kind: LoginKind = LoginKind.PASSWORD) -> str:
        """The steps of `steps_for` as one text."""
        return " ".join(step.sentence_in(language) for step in self.steps_for(kind))

    def login_unavailable_in(self, language: str, kind: LoginKind) -> str:
        """Why logins of that kind are impossible, in the reader's language; "" if they are possible.

        The caller has to check whether sign-in is set up in this installation.
        """
        if kind is not LoginKind.PASSWORD and self.sign_in:
            return ""
        accepts_one = self.sign_in and kind is LoginKind.PASSWORD and self.password is not PasswordKind.NONE
        return "" if accepts_one else self.unavailable_in(language)

    def unavailable_in(self, language: str) -> str:
        """Why imports from here are impossible, in the reader's language; "" if they are possible."""
        return self.unavailable_text.in_language(language) if self.unavailable_text else ""

    def login_name(self, address: str) -> str:
        """The user name of this host for `address`.

        The local part is used for the host's own domains only: customers with their own domain log in with
        the whole address.
        """
        local, _, domain = address.rpartition("@")
        short = self.login_form is LoginForm.LOCAL_PART and domain.casefold() in self.domains
        return local if short else address
