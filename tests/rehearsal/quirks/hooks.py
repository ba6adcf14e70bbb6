"""The methods that quirks override: they return the contents of each response, as a correct server does."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tests.rehearsal.quirks.mail import Folder, Mailbox, Message
from tests.rehearsal.quirks.wire import Wire, as_set, literal, quoted

if TYPE_CHECKING:
    from tests.rehearsal.quirks.server import QuirkServer

MODERN = (
    "IMAP4rev1 LITERAL+ SASL-IR AUTH=PLAIN ID NAMESPACE UNSELECT UIDPLUS MULTIAPPEND ESEARCH LIST-EXTENDED"
    " LIST-STATUS SPECIAL-USE CHILDREN"
)
PLAIN = "IMAP4rev1 AUTH=PLAIN LITERAL+ NAMESPACE UNSELECT UIDPLUS"
BARE = "IMAP4rev1"


class Hooks(Wire):
    """State of one connection, and the methods that quirks override."""

    def __init__(self, server: QuirkServer, connection: socket.socket, number: int) -> None:
        super().__init__(server, connection, number)
        self.box = server.box
        self.user = ""
        self.logged_in = False
        self.folder: Folder | None = None
        self.read_only = True
        self.view: list[Message] = []  # the messages that this client knows, by message number

    # --- The server ----------------------------------------------------------------------------------

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        """Called before the server starts: adds the mail or folders that the quirk needs."""

    @classmethod
    def next_stage(cls, box: Mailbox, stage: int) -> None:
        """Called between two runs of the client."""

    def greeting(self) -> bytes:
        return b"* OK [CAPABILITY " + self.capabilities() + b"] ready"

    def capabilities(self) -> bytes:
        return self.server.capabilities.encode()

    def has(self, capability: str) -> bool:
        return capability.encode() in self.capabilities().split()

    def may_begin(self, tag: bytes, command: bytes) -> bool:
        """Called before a command is executed. False: the method has answered it."""
        return True

    def ended_well(self, tag: bytes, command: bytes, text: bytes) -> None:
        """Send the OK of a command."""
        self.say(tag + b" OK " + text)

    # --- Folders -------------------------------------------------------------------------------------

    def named(self, name: bytes) -> Folder | None:
        """The folder with the name that a client sent."""
        return self.box.find(bytes(name))

    def list_folders(self, command: bytes, returning: Sequence[object]) -> list[Folder]:
        """The folders that LIST or LSUB may name, before its pattern is applied."""
        return list(self.box.folders.values())

    def list_line(self, command: bytes, folder: Folder, returning: Sequence[object]) -> bytes:
        """The line of LIST or LSUB without `* `."""
        attributes = [] if folder.selectable else [rb"\Noselect"]
        attributes += folder.attributes
        if folder.subscribed and b"SUBSCRIBED" in returning:
            attributes.append(rb"\Subscribed")
        return b"%s (%s) %s %s" % (command, b" ".join(attributes), self.delimiter(), self.list_name(folder))

    def delimiter(self) -> bytes:
        return b"NIL" if self.box.delimiter is None else quoted(self.box.delimiter)

    def list_name(self, folder: Folder) -> bytes:
        """The folder's name as LIST, LSUB and STATUS write it."""
        return quoted(folder.name)

    def status_numbers(self, folder: Folder) -> dict[bytes, bytes]:
        unseen = sum(rb"\Seen" not in message.flags for message in folder.messages)
        return {
            b"MESSAGES": b"%d" % len(folder.messages),
            b"RECENT": b"0",
            b"UIDNEXT": b"%d" % folder.uidnext,
            b"UIDVALIDITY": b"%d" % folder.uidvalidity,
            b"UNSEEN": b"%d" % unseen,
        }

    def opening_lines(self, folder: Folder) -> list[bytes]:
        """The responses to SELECT and EXAMINE, without `* `."""
        return [
            b"FLAGS (" + self.known_flags(folder) + b")",
            b"OK [PERMANENTFLAGS (" + self.permanent_flags(folder) + b")] these can be kept",
            b"%d EXISTS" % len(folder.messages),
            b"0 RECENT",
            b"OK [UIDVALIDITY %d] number of this folder" % folder.uidvalidity,
            b"OK [UIDNEXT %d] next number" % folder.uidnext,
        ]

    def known_flags(self, folder: Folder) -> bytes:
        keywords = sorted({f for m in folder.messages for f in m.flags if not f.startswith(b"\\")})
        return b" ".join([rb"\Answered", rb"\Flagged", rb"\Deleted", rb"\Seen", rb"\Draft", *keywords])

    def permanent_flags(self, folder: Folder) -> bytes:
        return b"" if self.read_only else self.known_flags(folder) + rb" \*"

    # --- Messages ------------------------------------------------------------------------------------

    def item_uid(self, message: Message) -> bytes | None:
        """The value of an item of FETCH; None leaves the item out. So do the next methods."""
        return b"%d" % message.uid

    def item_flags(self, message: Message) -> bytes | None:
        return b"(" + b" ".join(sorted(message.flags)) + b")"

    def item_internaldate(self, message: Message) -> bytes | None:
        return quoted(message.date.encode())

    def item_size(self, message: Message) -> bytes | None:
        return b"%d" % len(message.body)

    def item_content(self, message: Message, section: bytes, content: bytes) -> bytes | None:
        """`section` is the text in the brackets of BODY[], in upper case."""
        return literal(content)

    def fetch_lines(self, number: int, message: Message, items: list[tuple[bytes, bytes]]) -> bytes:
        """The response for one message, line ends included."""
        inside = b" ".join(name + b" " + value for name, value in items)
        return b"* %d FETCH (%s)\r\n" % (number, inside)

    def fetched_one(self, message: Message) -> None:
        """Called after the response for one message."""

    def found_by_search(self, messages: list[Message]) -> list[Message]:
        return messages

    def esearch_items(self, numbers: list[int], returning: Sequence[bytes]) -> bytes:
        """The text after UID in a response to SEARCH RETURN."""
        text = b""
        if numbers and b"MIN" in returning:
            text += b" MIN %d" % min(numbers)
        if numbers and b"MAX" in returning:
            text += b" MAX %d" % max(numbers)
        if b"COUNT" in returning:
            text += b" COUNT %d" % len(numbers)
        if numbers and b"ALL" in returning:
            text += b" ALL " + as_set(sorted(numbers))
        return text

    def search_lines(self, numbers: list[int]) -> None:
        """Send the response to SEARCH without RETURN."""
        self.say(b"* SEARCH" + b"".join(b" %d" % number for number in numbers))

    # --- Storing -------------------------------------------------------------------------------------

    def why_not_stored(self, folder: Folder, body: bytes, flags: Sequence[bytes]) -> bytes:
        """The NO or BAD for a refused message; b"" accepts it. May raise HangUp."""
        return b""

    def store(self, folder: Folder, body: bytes, flags: Iterable[bytes], date: str) -> int:
        """Store a message and return its UID."""
        return folder.add(body, flags, date)

    def append_code(self, folder: Folder, uids: list[int]) -> bytes:
        """The response code of a successful APPEND."""
        return b"[APPENDUID %d %s] " % (folder.uidvalidity, as_set(uids)) if self.has("UIDPLUS") else b""
