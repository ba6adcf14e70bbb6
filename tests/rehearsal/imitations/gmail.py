"""A server that imitates Gmail.

Sources, unless a comment gives another: the notes "Gmail X-GM-EXT-1: observed wire behavior" of 2026-09-16
(a raw client against imap.gmail.com, published with a Go IMAP library) and Google's page on its IMAP
extensions, developers.google.com/workspace/gmail/imap/imap-extensions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.rehearsal.imitations.mailbox import Folder, Letter, Mailbox, Refused
from tests.rehearsal.imitations.parsing import Word, quoted
from tests.rehearsal.imitations.talk import SYSTEM_FLAGS, Dialect, Talk
from tests.rehearsal.snapshot import header_of

# Responses and their sources.
THROTTLED = "OK Success [THROTTLED]"  # jstedfast/MailKit#1396 (2022), mscdex/node-imap#593
BANDWIDTH = "NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)"  # imapsync FAQ.Gmail
TOO_MANY = "NO [ALERT] Too many simultaneous connections. (Failure)"  # imapsync#61, wildduck#35
APP_PASSWORD = (  # imapsync FAQ.Gmail
    "NO [ALERT] Application-specific password required:"
    " https://support.google.com/accounts/answer/185833 (Failure)"
)
BROWSER = (  # imapsync FAQ.Gmail
    "NO [ALERT] Please log in via your web browser: https://support.google.com/mail/accounts/answer/78754"
    " (Failure)"
)
IMAP_OFF = (
    "NO [ALERT] Your account is not enabled for IMAP use. Please visit your Gmail settings page (Failure)"
)
SESSION_EXPIRED = "Session expired, please login again"  # as BYE: imapsync FAQ.Gmail

ENGLISH = ("All Mail", "Drafts", "Important", "Sent Mail", "Spam", "Starred", "Trash")
GERMAN = ("Alle Nachrichten", "Entw&APw-rfe", "Wichtig", "Gesendet", "Spam", "Markiert", "Papierkorb")
_USES = ("\\All", "\\Drafts", "\\Important", "\\Sent", "\\Junk", "\\Flagged", "\\Trash")
_FLAG_LABELS = {"\\Flagged": "\\Starred", "\\Draft": "\\Draft"}


@dataclass(slots=True)
class GmailSettings:
    """The owner's settings, and Google's limits."""

    names: Sequence[str] = ENGLISH  # names of the system folders, in the order of `ENGLISH`
    parent: str = "[Gmail]"  # "[Google Mail]" in some accounts (imapsync FAQ.Gmail)
    hidden: frozenset[str] = frozenset()  # folders without "Show in IMAP", by name
    folder_limit: int | None = None  # "Limit IMAP folders to contain no more than"; gaubert/gmvault#297
    max_connections: int = 15  # imapsync#61, wildduck#35
    daily_bytes: int | None = None  # support.google.com/a/answer/1071518: 2,500 MB a day
    down_bytes: int = 0  # so far today


class GmailMailbox(Mailbox):
    """Every letter is stored once, in All Mail, Spam or Trash. The other folders show letters by label."""

    def __init__(self, settings: GmailSettings) -> None:
        parent = settings.parent
        system = [
            Folder(f"{parent}/{name}", ("\\HasNoChildren", use))
            for name, use in zip(settings.names, _USES, strict=True)
        ]
        chats = Folder(f"{parent}/Chats", ("\\HasNoChildren",))
        super().__init__([Folder(parent, ("\\HasChildren", "\\Noselect")), *system, chats])
        self.all, self.drafts, self.important, self.sent, self.spam, self.starred, self.trash = system
        self._labels = {
            "\\Inbox": self.folders["INBOX"],
            "\\Sent": self.sent,
            "\\Draft": self.drafts,
            "\\Starred": self.starred,
            "\\Important": self.important,
        }

    def create(self, name: str) -> None:
        # import-mailbox-to-gmail#56 and the imapsync FAQ: such names are refused with this response.
        if name != name.strip() or "  " in name or "^" in name:
            raise Refused("[CANNOT] Invalid mailbox name: Folder contains excess whitespace (Failure)")
        existing = self.find(name)
        if existing is not None and not existing.selectable:
            existing.attributes = ("\\HasChildren",)
            return
        super().create(name)
        parts = name.split("/")
        for end in range(1, len(parts)):  # parents of a nested label are created as plain names
            above = "/".join(parts[:end])
            if above not in self.folders:
                self.folders[above] = Folder(above, ("\\HasChildren", "\\Noselect"))

    def delete(self, name: str) -> None:
        for letter in self.all.letters.values():
            letter.labels.discard(name)
        super().delete(name)

    def put(
        self,
        content: bytes,
        labels: Iterable[str] = (),
        flags: Iterable[str] = (),
        internaldate: str = "02-Feb-2003 04:05:06 +0000",
    ) -> Letter:
        """Store a message that was not appended by IMAP, with these labels (wire names)."""
        letter = Letter(content, internaldate, set(flags))
        self.all.add(letter)
        for label in labels:
            self.label(letter, label)
        for flag in flags:
            if flag in _FLAG_LABELS:
                self.label(letter, _FLAG_LABELS[flag])
        return letter

    def label(self, letter: Letter, label: str) -> None:
        """Add a label to a letter. A missing label is created."""
        if label in letter.labels:
            return
        folder = self._labels.get(label) or self.find(label)
        if folder is None:
            self.create(label)
            folder = self.folders[label]
        letter.labels.add(label)
        if label == "\\Starred":
            letter.flags.add("\\Flagged")
        folder.add(letter)

    def unlabel(self, letter: Letter, label: str) -> None:
        letter.labels.discard(label)
        folder = self._labels.get(label) or self.folders[label]
        uid = folder.uid_of(letter)
        if uid is not None:
            del folder.letters[uid]

    def append(self, folder: Folder, flags: Iterable[str], internaldate: str, content: bytes) -> int:
        """An existing message gets another label: google/import-mailbox-to-gmail#56 documents this for the
        API. APPEND is assumed to do the same."""
        if folder in (self.spam, self.trash):
            return super().append(folder, flags, internaldate, content)
        letter = next((known for known in self.all.letters.values() if _same(known.content, content)), None)
        if letter is None:
            letter = self.put(content, flags=flags, internaldate=internaldate)
        if folder is not self.all:
            self.label(letter, next((n for n, f in self._labels.items() if f is folder), folder.name))
        uid = folder.uid_of(letter)
        if uid is None:
            raise Refused("[UNAVAILABLE] Temporary problem (Failure)")
        return uid

    def expunge(self, folder: Folder, uids: Iterable[int]) -> None:
        """In a label's folder, remove the label and keep the message; in All Mail, move it to Trash."""
        label = next((n for n, f in self._labels.items() if f is folder), folder.name)
        for uid in list(uids):
            letter = folder.letters[uid]
            letter.flags.discard("\\Deleted")
            if folder is self.all:
                for name in list(letter.labels):
                    self.unlabel(letter, name)
                del self.all.letters[uid]
                self.trash.add(letter)
            elif folder in (self.spam, self.trash):
                del folder.letters[uid]
            else:
                self.unlabel(letter, label)


def _same(one: bytes, other: bytes) -> bool:
    return one == other and bool(header_of(one, b"message-id"))


@dataclass
class Gmail(Dialect):
    """imap.gmail.com."""

    settings: GmailSettings = field(default_factory=GmailSettings)

    name = "GImap"
    greeting = "Gimap ready for requests from 127.0.0.1 k2if6111336rvb"
    capabilities_before_login = (
        "IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1 XYZZY SASL-IR AUTH=XOAUTH2"
        " AUTH=PLAIN AUTH=PLAIN-CLIENTTOKEN AUTH=OAUTHBEARER"
    )
    # COMPRESS=DEFLATE, CONDSTORE, IDLE, QUOTA and LIST-STATUS are omitted: the tests do not need them.
    capabilities = (
        "IMAP4rev1 UNSELECT NAMESPACE ID XLIST CHILDREN X-GM-EXT-1 UIDPLUS ENABLE MOVE ESEARCH UTF8=ACCEPT"
        " LIST-EXTENDED LITERAL- SPECIAL-USE APPENDLIMIT=35651584"
    )
    login_refused = "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)"
    # developers.google.com/workspace/gmail/imap/xoauth2-protocol, "Error response"
    oauth_error = '{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}'
    done = "Success"
    no_such_folder = "NO [NONEXISTENT] Unknown Mailbox: {name} (Failure)"  # imapsync FAQ.Gmail
    permanent_flags = (*SYSTEM_FLAGS, "$NotPhishing", "$Phishing", "\\*")
    max_literal_plus_bytes = 4096

    def new_mailbox(self) -> Mailbox:
        return GmailMailbox(self.settings)

    def admission_refused(self, talk: Talk) -> str | None:
        return TOO_MANY if talk.connections > self.settings.max_connections else None

    def listed(self, mailbox: Mailbox) -> Iterable[Folder]:
        return [folder for folder in mailbox.folders.values() if folder.name not in self.settings.hidden]

    def before(self, talk: Talk, command: str, arguments: Sequence[Word]) -> str | None:
        opens = command in ("SELECT", "EXAMINE", "STATUS") and arguments
        if opens and arguments[0] in self.settings.hidden:
            return self.no_such_folder.format(name=arguments[0])
        return None

    def shown(self, folder: Folder) -> list[int]:
        uids = list(folder.letters)
        limit = self.settings.folder_limit
        return uids if limit is None else uids[-limit:]

    def more_items(self, wanted: Sequence[str], folder: Folder, letter: Letter) -> list[bytes]:
        items = []
        for item in wanted:
            match item.upper():
                case "X-GM-MSGID" | "X-GM-THRID" as name:
                    items.append(f"{name} {letter.number}".encode())
                case "X-GM-LABELS":
                    # The label of the open folder is omitted; only All Mail lists all labels.
                    own = {"INBOX": "\\Inbox"}.get(folder.name, folder.name)
                    own = next((u for u in _OWN if _OWN[u] in folder.attributes), own)
                    labels = (_label(label) for label in sorted(letter.labels) if label != own)
                    items.append(f"X-GM-LABELS ({' '.join(labels)})".encode())
        return items

    def ordered(self, items: list[bytes]) -> list[bytes]:
        """Gmail's own items first, then UID and the rest."""
        return sorted(items, key=lambda item: not item.startswith(b"X-GM"))

    def fetch_refused(self, talk: Talk, letters: Sequence[Letter], *, whole: bool) -> str | None:
        if whole and self.settings.daily_bytes is not None:
            self.settings.down_bytes += sum(len(letter.content) for letter in letters)
            if self.settings.down_bytes > self.settings.daily_bytes:
                return BANDWIDTH
        return None


_OWN = {"\\Sent": "\\Sent", "\\Draft": "\\Drafts", "\\Starred": "\\Flagged", "\\Important": "\\Important"}


def _label(name: str) -> str:
    """System labels are quoted, user labels are atoms where possible."""
    plain = name.isascii() and not any(c in '\\" ()/%*{]' for c in name)
    return name if plain else quoted(name)
