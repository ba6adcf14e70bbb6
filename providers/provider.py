"""One mail host as facts: where it is, whom it lets in, what its owner must do first, what is odd there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from providers.endpoint import Endpoint, LoginForm

LANGUAGES: Final = ("en", "de", "fr", "it", "es")
"""Every text that an owner reads exists in these; the first stands in for any other."""


@dataclass(frozen=True, slots=True)
class LocalizedText:
    """One text in every language of LANGUAGES."""

    en: str
    de: str
    fr: str
    it: str
    es: str

    def in_language(self, language: str) -> str:
        """By language tag (`de`, `de-CH`); English for a language that we do not have."""
        code = language.partition("-")[0].lower()
        return str(getattr(self, code)) if code in LANGUAGES else self.en


class LoginKind(StrEnum):
    """How an owner lets us in."""

    PASSWORD = "password"  # noqa: S105
    SIGN_IN = "sign_in"
    ORGANISATION = "organisation"  # an administrator does, once for all


@dataclass(frozen=True, slots=True)
class Step:
    """One thing the owner does before we get in. `page` is where, or ""; `way` None: whichever way it is."""

    id: str
    texts: LocalizedText
    page: str = ""
    login_kind: LoginKind | None = None


class PasswordKind(StrEnum):
    """Which password a host takes over IMAP."""

    MAILBOX = "mailbox"  # the mailbox's own
    APP_WITH_TWO_FACTOR = "app_with_two_factor"  # its own, unless two-factor sign-in is on
    APP = "app"  # only one that was made for a program
    NONE = "none"  # none at all: sign-in, or no IMAP


class Quirk(StrEnum):
    """What a host does differently from the others. docs/providers.md says it in the words of `MEANINGS`."""

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


MEANINGS: Final = {
    Quirk.LABELS: "Folders are labels: one message stands in several of them, and in All Mail.",
    Quirk.NON_MAIL_FOLDERS: "Calendars, contacts, tasks and notes are listed as folders, in any language.",
    Quirk.HIDDEN_FOLDERS: "Folders that the owner did not tick for IMAP are not shown.",
    Quirk.UNOPENABLE_FOLDERS: "Folders are listed that cannot be opened.",
    Quirk.FLAGGED_LATER: "A flag given along with a message may be lost; set afterwards, it stays.",
    Quirk.FEW_KEYWORDS: "Keywords are not kept.",
    Quirk.CASELESS_NAMES: "Folder names that differ only in upper and lower case are the same folder.",
    Quirk.LONG_LINES_REFUSED: "Messages with lines of more than about 10,000 bytes are refused.",
    Quirk.FINAL_LINE_END: "A message that does not end with a line end is refused.",
    Quirk.UNRELIABLE_SEARCH: "SEARCH is slow or incomplete; messages are listed by UID.",
}


@dataclass(frozen=True, slots=True)
class ProviderLimits:
    """What a host allows one account; None where nothing is known. Days are those of the host.

    The daily bytes are what we plan with: below what the host says, because its other programs count too.
    """

    connections: int | None = None
    download_bytes_per_day: int | None = None
    upload_bytes_per_day: int | None = None
    message_bytes: int | None = None
    messages_per_folder: int | None = None  # how many of a folder `endpoint` shows
    read_messages_per_folder: int | None = None  # the same of `read_endpoint`


@dataclass(frozen=True, slots=True)
class Source:
    """Where the facts of one kind (`server`, `steps`, `limits`, `quirks`, `mx`) come from, with the date."""

    facts: str
    page: str

    @property
    def confirmed(self) -> bool:
        """False for what nobody outside could be found to say."""
        return "unconfirmed" not in self.page


@dataclass(frozen=True, slots=True)
class Provider:
    """One mail host.

    `domains` are those whose addresses it gives out. `endpoint` is its server, `read_endpoint` a better one
    to copy from, `other_hosts` are further names of the same service. `mx` are endings of the mail exchangers
    of domains that its customers bring. `sign_in` names the OAuth provider that lets its owners in ("google",
    "microsoft"). `unavailable_text` says, for hosts that cannot be imported from, why and what to do instead.
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
        """Every host name of this service, small letters."""
        endpoints = [e.host for e in (self.endpoint, self.read_endpoint) if e is not None]
        return tuple(dict.fromkeys(host.casefold() for host in (*endpoints, *self.other_hosts)))

    @property
    def login_help(self) -> str:
        """What the owner does first to get in with a password, in English."""
        return self.login_help_in("en")

    @property
    def unavailable(self) -> str:
        """Why nobody can import from here, in English; "" where one can."""
        return self.unavailable_text.en if self.unavailable_text else ""

    @property
    def passwords_unavailable(self) -> str:
        """Why nobody gets in with a password, in English; "" where one does, if only an app password."""
        return self.login_unavailable_in("en", LoginKind.PASSWORD)

    def steps_for(self, way: LoginKind) -> tuple[Step, ...]:
        """What the owner does before we get in that way, in order; nothing for an organisation."""
        if way is LoginKind.ORGANISATION:
            return ()
        return tuple(step for step in self.steps if step.login_kind in (None, way))

    def login_help_in(self, language: str, way: LoginKind = LoginKind.PASSWORD) -> str:
        """The same as one text."""
        return " ".join(step.texts.in_language(language) for step in self.steps_for(way))

    def login_unavailable_in(self, language: str, way: LoginKind) -> str:
        """Why nobody gets in that way, in the reader's language; "" where one does. Whether this
        installation is set up for signing in is for the caller to know."""
        if way is not LoginKind.PASSWORD and self.sign_in:
            return ""
        takes_one = self.sign_in and way is LoginKind.PASSWORD and self.password is not PasswordKind.NONE
        return "" if takes_one else self.unavailable_in(language)

    def unavailable_in(self, language: str) -> str:
        """Why nobody can import from here, in the reader's language; "" where one can."""
        return self.unavailable_text.in_language(language) if self.unavailable_text else ""

    def login_name(self, address: str) -> str:
        """The user name that this host takes for `address`. A short form counts for its own domains only:
        customers who bring a domain log in with the whole address."""
        local, _, domain = address.rpartition("@")
        short = self.login_form is LoginForm.LOCAL_PART and domain.casefold() in self.domains
        return local if short else address
