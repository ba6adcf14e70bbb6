"""A server that imitates Exchange Online (outlook.office365.com)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.rehearsal.imitations.mailbox import Folder, Mailbox
from tests.rehearsal.imitations.parsing import Word
from tests.rehearsal.imitations.talk import SYSTEM_FLAGS, Dialect, Talk

# Responses and their sources.
BACKOFF = "Request is throttled. Suggested Backoff Time: 299961 milliseconds"  # imapsync#198, imap_tools#135
CLOSED = "Connection closed. 14"  # as BYE: imapsync#272, email-oauth2-proxy#191
NOT_CONNECTED = "BAD User is authenticated but not connected."  # email-oauth2-proxy#74, imapsync#411
BASIC_OFF = "NO Basic authentication is disabled."  # a client's issue tracker, uxc#445 (2024)
UNAVAILABLE = "NO Server Unavailable. 15"  # OfflineIMAP/offlineimap#291: to SELECT, repeatedly
LONG_LINE = "BAD Command Argument Error. 11"  # imapsync FAQ.Office365, imapsync#403
MAX_LINE_BYTES: Final = 10_239  # imapsync FAQ.Office365: longer lines must be split
ERRORS_UNTIL_CLOSED: Final = 10  # imapsync FAQ.Office365

# jstedfast/MailKit#1282 shows the attributes, QuickMail#613 and imapsync#276 the folders without mail.
_ENGLISH = (
    *(("Archive", "\\Archive"), ("Calendar", ""), ("Calendar/Birthdays", ""), ("Contacts", "")),
    *(("Conversation History", ""), ("Deleted Items", "\\Trash"), ("Drafts", "\\Drafts"), ("Journal", "")),
    *(("Junk Email", "\\Junk"), ("Notes", ""), ("Outbox", ""), ("RSS Feeds", ""), ("Sent Items", "\\Sent")),
    *(("Sync Issues", ""), ("Sync Issues/Conflicts", ""), ("Tasks", "")),
)
_FRENCH = (
    *(("Archive", "\\Archive"), ("Bo&AO4-te d'envoi", ""), ("Brouillons", "\\Drafts"), ("Calendrier", "")),
    *(("Contacts", ""), ("Courrier ind&AOk-sirable", "\\Junk"), ("&AMk-l&AOk-ments envoy&AOk-s", "\\Sent")),
    *(("&AMk-l&AOk-ments supprim&AOk-s", "\\Trash"), ("Flux RSS", ""), ("Journal", ""), ("Notes", "")),
    *(("Probl&AOg-mes de synchronisation", ""), ("T&AOI-ches", "")),
)
LANGUAGES = {"en": _ENGLISH, "fr": _FRENCH}


@dataclass
class Exchange(Dialect):
    """outlook.office365.com. `passwords` are accepted by Exchange on premises only; Exchange Online no longer
    does (jstedfast/MailKit#2016, 2026-09: `AUTH=XOAUTH2 LOGINDISABLED` before login)."""

    language: str = "en"
    passwords: bool = True
    closed_folders: frozenset[str] = frozenset()  # SELECT and STATUS of them always fail
    advertises_rev2: bool = False  # some tenants do, and misbehave after ENABLE: MailKit#2016 (2026-09)
    max_line_bytes: int = MAX_LINE_BYTES
    enabled: list[str] = field(default_factory=list)

    name = "Microsoft.Exchange.Imap4.Imap4Server"
    greeting = "The Microsoft Exchange IMAP4 service is ready."
    login_refused = "NO AUTHENTICATE failed."  # email-oauth2-proxy#74
    done = "completed."
    no_such_folder = "NO {name} doesn't exist."  # seen in several clients' logs
    permanent_flags = (*SYSTEM_FLAGS, "$MDNSent")  # imapsync FAQ.Exchange: no other keyword

    @property
    def capabilities_before_login(self) -> str:  # type: ignore[override]
        offered = "AUTH=PLAIN AUTH=XOAUTH2" if self.passwords else "AUTH=XOAUTH2 LOGINDISABLED"
        return f"IMAP4 IMAP4rev1 {offered} SASL-IR UIDPLUS MOVE ID UNSELECT CHILDREN IDLE NAMESPACE LITERAL+"

    @property
    def capabilities(self) -> str:  # type: ignore[override]
        # MailKit#791 and #1494, after login.
        rev2 = " IMAP4rev2 ENABLE" if self.advertises_rev2 else ""
        return (
            f"IMAP4 IMAP4rev1{rev2} AUTH=PLAIN AUTH=XOAUTH2 SASL-IR UIDPLUS MOVE ID UNSELECT"
            " CLIENTACCESSRULES CLIENTNETWORKPRESENCELOCATION BACKENDAUTHENTICATE CHILDREN IDLE NAMESPACE"
            " LITERAL+"
        )

    def new_mailbox(self) -> Mailbox:
        return _CaseBlind(
            Folder(name, ("\\HasNoChildren", *((use,) if use else ())))
            for name, use in LANGUAGES[self.language]
        )

    def before(self, talk: Talk, command: str, arguments: Sequence[Word]) -> str | None:
        if talk.errors >= ERRORS_UNTIL_CLOSED:
            talk.closing = CLOSED
            return "BAD Too many errors"
        if command == "ENABLE":
            self.enabled.append(" ".join(str(word) for word in arguments))
            return "OK ENABLE completed."
        if command in ("SELECT", "EXAMINE", "STATUS") and arguments and arguments[0] in self.closed_folders:
            return UNAVAILABLE
        return None

    def append_refused(self, flags: Sequence[str], content: bytes) -> str | None:
        if any(flag not in (*self.permanent_flags, "\\Recent") for flag in flags):
            return LONG_LINE  # imapsync#403: the same response for an unusual flag
        if max(map(len, content.split(b"\r\n")), default=0) > self.max_line_bytes:
            return LONG_LINE
        return None

    def flags_kept(self, flags: Sequence[str]) -> list[str]:
        """imapsync FAQ.Exchange: \\Flagged is not set by APPEND, but by a later STORE."""
        return [flag for flag in flags if flag != "\\Flagged"]

    def ordered(self, items: list[bytes]) -> list[bytes]:
        """coddingtonbear/django-mailbox#232: items requested before the content are returned after it."""
        return sorted(items, key=lambda item: not item.startswith(b"BODY"))


class _CaseBlind(Mailbox):
    """imapsync FAQ.Exchange: names are compared without regard to case."""

    def __init__(self, folders: Iterable[Folder]) -> None:
        super().__init__(folders)

    def find(self, name: str) -> Folder | None:
        exact = super().find(name)
        blind = (folder for folder in self.folders.values() if folder.name.casefold() == name.casefold())
        return exact or next(blind, None)
