"""The content of mailboxes as servers report it: folders, messages, quota; and the results of appends."""

from __future__ import annotations

from dataclasses import field
from typing import NamedTuple

from importer.compact.uid_set import Uid, UidValidity
from importer.domain.messages.message_body import Body
from providers.endpoint import FolderRole
from providers.frozen import frozen
from providers.text import Text


@frozen
class Folder:
    """One LIST response. `name` is decoded, in the server's own hierarchy; `delimiter` None means flat."""

    name: str
    delimiter: str | None
    role: FolderRole | None = None  # by attribute (RFC 6154), never by name
    selectable: bool = True
    subscribed: bool = False


@frozen
class Hierarchy:
    """The folder names of a server: personal namespace prefix (RFC 2342) and delimiter."""

    prefix: str = ""
    delimiter: str | None = "/"


@frozen
class FolderRef:
    """A folder at a certain UIDVALIDITY. Reads raise FolderChanged if its UIDVALIDITY has changed."""

    name: str
    uidvalidity: UidValidity


@frozen
class FolderStatus:
    """One STATUS response (RFC 9051 section 6.3.11). If two are equal, the folder holds the same messages:
    where the three numbers cannot show that (folders of labels), `contents` does.

    `elsewhere` counts messages that have the folder's label and are shown in another label's folder.
    `highest_modseq` also grows with every flag change (RFC 7162); 0 if it was not requested or the server
    does not maintain it.
    """

    uidvalidity: UidValidity
    uidnext: Uid
    messages: int
    contents: int = 0
    elsewhere: int = field(default=0, compare=False)
    highest_modseq: int = field(default=0, compare=False)

    def ref(self, name: str) -> FolderRef:
        return FolderRef(name, self.uidvalidity)


@frozen
class KeywordRule:
    """Which keywords a folder stores (PERMANENTFLAGS): all of them (`any_keyword`) or just `known`."""

    any_keyword: bool = True
    known: frozenset[str] = frozenset()


class Message(NamedTuple):  # created for every message, in a fifth of the time of a frozen dataclass
    """One message as fetched from the source. `internaldate` is the server's text, zone included. `header` is
    the `header_block` of the body if the session had to find it, else b""."""

    uid: Uid
    flags: tuple[str, ...]
    internaldate: str
    body: Body
    header: bytes = b""

    def __repr__(self) -> str:
        """Omits the content."""
        return f"Message(uid={self.uid}, flags={self.flags}, internaldate={self.internaldate!r})"


class NotHandedOut(NamedTuple):
    """A message that the source lists but did not deliver. `broke_connection`: the connection was lost each
    time the message was fetched alone; the cause may be the message or the network. `too_large`: this
    installation accepts no message of that size."""

    uid: Uid
    reason: Text
    broke_connection: bool = False
    too_large: bool = False


class Outgoing(NamedTuple):  # for the same reason as Message
    """One message ready to append: flags and date are normalised for the destination, lines end with CRLF."""

    uid: Uid  # at the source
    flags: tuple[str, ...]
    internaldate: str
    body: Body

    def __repr__(self) -> str:
        """Omits the content."""
        return f"Outgoing(uid={self.uid}, flags={self.flags}, internaldate={self.internaldate!r})"


class Stored(NamedTuple):  # one per message, so a NamedTuple, as Message is
    """The destination stored the message. `uid` is None if the server does not report it (no UIDPLUS);
    `keywords_dropped` counts the flags and keywords that the server rejected during the append, and
    `date_dropped` is whether it rejected the date. `named`: the server accepted several messages together and
    named the UIDs of only so many of them, so that it may not have stored the others."""

    uid: Uid | None
    keywords_dropped: int = 0
    date_dropped: bool = False
    named: int | None = None


@frozen
class Rejected:
    """The destination rejected this message. `reason` is for the report. `certain`: another try cannot change
    it. `passing`: the server may be at fault, and not the message."""

    reason: Text
    certain: bool = False
    passing: bool = False


AppendResult = Stored | Rejected


@frozen
class HeaderLines:
    """Message-ID, Date, From and Subject of one message as raw header bytes, and its RFC822.SIZE."""

    uid: Uid
    size_bytes: int
    header: bytes


@frozen
class Outline:
    """A message without its content: RFC822.SIZE in bytes, and the server's INTERNALDATE as text."""

    uid: Uid
    size_bytes: int
    internaldate: str


@frozen
class Quota:
    """Usage and limits of a mailbox (RFC 9208). A limit of None means unlimited."""

    used_bytes: int = 0
    limit_bytes: int | None = None
    used_messages: int = 0
    limit_messages: int | None = None

    @property
    def is_full(self) -> bool:
        """Whether there is no room for even the smallest message."""
        full_of_bytes = self.limit_bytes is not None and self.used_bytes >= self.limit_bytes
        return full_of_bytes or (
            self.limit_messages is not None and self.used_messages >= self.limit_messages
        )
