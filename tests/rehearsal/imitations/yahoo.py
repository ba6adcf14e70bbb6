"""Servers that imitate Yahoo's: the regular one, and the export server, which shows more of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.rehearsal.imitations.mailbox import Folder, Letter, Mailbox
from tests.rehearsal.imitations.parsing import Word
from tests.rehearsal.imitations.talk import SYSTEM_FLAGS, Dialect, Talk

# Responses and their sources.
UNAVAILABLE = "NO [UNAVAILABLE] UID FETCH Server error while fetching messages"  # imapsync#119
TRY_LATER = "NO [UNAVAILABLE] UID FETCH Server error - Please try again later"  # imap-backup#218
SERVER_BUG = "NO [SERVERBUG] UID FETCH Server error"  # imap_tools#229, MailKit#358
TOO_MANY_WORDS = "BAD [CLIENTBUG] Additional arguments found after last expected argument"  # imapsync#209


@dataclass
class Yahoo(Dialect):
    """imap.mail.yahoo.com. `view_messages` is 10,000 there (rustmailer/bichon#144 and #271, 2026;
    thunderbird/autoconfig#71); the export server shows 100,000 (joeyates/imap-backup#218, 2024, and notes of
    three public projects, 2026), and is read-only (thunderbird/autoconfig#71)."""

    view_messages: int | None = 10_000
    export_view_messages: int = 100_000
    message_limit: int = 1000  # MESSAGELIMIT=1000 in the example of senders.yahooinc.com (RFC 9738)
    announces_limit: bool = True
    broken: set[int] = field(default_factory=set)  # numbers of letters that cannot be fetched
    broken_says: str = UNAVAILABLE
    export: bool = False

    name = "Y!IMAP"
    greeting = "IMAP4rev1 Hello"
    capabilities_before_login = "IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=XOAUTH2 AUTH=OAUTHBEARER ID MOVE NAMESPACE"
    login_refused = "NO [AUTHENTICATIONFAILED] LOGIN Invalid credentials"
    done = "completed"
    inbox = "Inbox"  # nylas and MailKit logs: the name in LIST
    permanent_flags = (*SYSTEM_FLAGS, "$Forwarded", "$Junk", "$NotJunk", "\\*")

    @property
    def capabilities(self) -> str:  # type: ignore[override]
        # senders.yahooinc.com, developer documentation of IMAP (read 2026-11), shortened.
        limit = f" MESSAGELIMIT={self.message_limit}" if self.announces_limit else ""
        return f"IMAP4rev1 ID MOVE NAMESPACE UIDPLUS LITERAL+ CHILDREN UNSELECT OBJECTID UIDONLY{limit}"

    def new_mailbox(self) -> Mailbox:
        return Mailbox(
            Folder(name, ("\\HasNoChildren", use))
            for name, use in (
                ("Archive", "\\Archive"),
                ("Bulk", "\\Junk"),
                ("Draft", "\\Drafts"),
                ("Sent", "\\Sent"),
                ("Trash", "\\Trash"),
            )
        )

    def before(self, talk: Talk, command: str, arguments: Sequence[Word]) -> str | None:
        if self.export and command in ("APPEND", "CREATE", "DELETE", "UID STORE", "EXPUNGE"):
            return f"NO [CANNOT] {command} Read only"  # thunderbird/autoconfig#71: "read-only"
        return None

    def shown(self, folder: Folder) -> list[int]:
        uids = list(folder.letters)
        view_messages = self.export_view_messages if self.export else self.view_messages
        return uids if view_messages is None else uids[-view_messages:]

    def searched(self, uids: list[int]) -> list[int]:
        """node-imap#737 and the angus-mail notes: unreliable. Here: the last ones, as RFC 9738 allows."""
        return uids[-self.message_limit :]

    def fetch_limit(self) -> int | None:
        return self.message_limit

    def append_refused(self, flags: Sequence[str], content: bytes) -> str | None:
        return None if content.endswith(b"\r\n") else TOO_MANY_WORDS

    def fetch_refused(self, talk: Talk, letters: Sequence[Letter], *, whole: bool) -> str | None:
        broken = whole and any(letter.number in self.broken for letter in letters)
        return self.broken_says if broken else None
