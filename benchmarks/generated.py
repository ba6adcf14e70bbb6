"""An IMAP server that generates messages on request and verifies appended messages instead of storing them.

It stores nothing, so mailboxes of a million messages need no space. A folder contains `messages` generated
messages of 1 to 3 KB, identical on each request. An appended message must equal a message of the source, byte
for byte. For each line on standard input, the server prints the numbers of right messages and of wrong or
duplicate ones, as JSON. It exits at the end of standard input. It runs as a separate process:

    python -m benchmarks.generated --folders 10 --messages 100000 --gap 10     # the source
    python -m benchmarks.generated --folders 0                                 # an empty destination

The first line of its output is its port on 127.0.0.1. It accepts every login.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

_HOST: Final = "127.0.0.1"
_SEND_BYTES: Final = 256 << 10
_CAPABILITIES: Final = (
    b"IMAP4rev1 AUTH=PLAIN NAMESPACE UNSELECT LIST-EXTENDED LIST-STATUS SPECIAL-USE ESEARCH"
    b" LITERAL+ MULTIAPPEND UIDPLUS"
)
_UIDVALIDITY: Final = 7
_FILLER: Final = b"".join(
    b"Line %04d of a letter that nobody wrote and everybody may read.\r\n" % line for line in range(64)
)
_LINE_BYTES: Final = len(_FILLER) // 64
_HEADER: Final = (
    b"Message-ID: <%06d.%010d@generated.example>\r\n"
    b"Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n"
    b"From: Ada <ada@old.example>\r\n"
    b"To: Grace <grace@new.example>\r\n"
    b"Subject: Message %010d\r\n"
    b"MIME-Version: 1.0\r\n"
    b"Content-Type: text/plain\r\n"
    b"\r\n"
)
_HEADER_BYTES: Final = len(_HEADER % (0, 0, 0))
_NUMBERS: Final = re.compile(rb"Message-ID: <([0-9]{6})\.([0-9]{10})@")
_COMMAND: Final = re.compile(rb"(\S+) (UID )?(\S+) ?(.*)\r\n", re.DOTALL)
_LITERAL: Final = re.compile(rb"\{([0-9]+)\+?\}\r\n\Z")
_NO_FOLDER: Final = b"NO [NONEXISTENT] no such folder"
_NOT_OPEN: Final = b"BAD no folder is open"


def header(number: int, uid: int) -> bytes:
    """The header of message `uid` in folder `number`."""
    return _HEADER % (number, uid, uid)


def size_bytes(uid: int) -> int:
    """The size of message `uid`, without generating it."""
    return _HEADER_BYTES + (12 + uid * 7919 % 31) * _LINE_BYTES


def message(number: int, uid: int) -> bytes:
    """The whole message: 1 to 3 KB, unique and reproducible."""
    return header(number, uid) + _FILLER[: (12 + uid * 7919 % 31) * _LINE_BYTES]


@dataclass(slots=True)
class Folder:
    """Folder `number`: its generated messages, with every `gap`th UID missing unless 0, and the number of
    appended messages."""

    number: int
    messages: int = 0
    gap: int = 0
    appended: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def generated_next(self) -> int:
        """The UID after the last generated message."""
        gaps = (self.messages - 1) // (self.gap - 1) if self.gap and self.messages else 0
        return self.messages + gaps + 1

    @property
    def uidnext(self) -> int:
        return self.generated_next + self.appended

    @property
    def count(self) -> int:
        return self.messages + self.appended

    def shows(self, uid: int) -> bool:
        return uid < self.generated_next and not (self.gap and uid % self.gap == 0)

    def uid_set(self) -> bytes:
        """All UIDs, in the format of ESEARCH."""
        if not self.count:
            return b""
        last = self.uidnext - 1
        if not self.gap:
            return b"1:%d" % last
        starts = range(1, self.generated_next, self.gap)
        ranges = [(at, min(at + self.gap - 2, self.generated_next - 1)) for at in starts]
        if self.appended:
            ranges.append((self.generated_next, last))
        return b",".join(b"%d:%d" % bounds for bounds in ranges)


class Mailbox:
    """All folders, and the results of verifying appended messages."""

    def __init__(self, folders: int, messages: int, gap: int) -> None:
        each, remainder = divmod(messages, folders) if folders else (0, 0)
        self.folders = {b"INBOX": Folder(0)}
        for number in range(folders):
            name = b"Folder %d" % number if number else b"INBOX"
            self.folders[name] = Folder(number, each + (number < remainder), gap)
        self.right = 0
        self.wrong = 0  # differs from the generated message, or a duplicate
        self._received: dict[int, bytearray] = {}  # folder number -> a bit for each UID
        self._lock = threading.Lock()

    def create(self, name: bytes) -> None:
        """Creates an empty folder unless it exists."""
        number = name.removeprefix(b"Folder ")
        self.folders.setdefault(name, Folder(int(number) if number.isdigit() else -1))

    def verify(self, folder: Folder, body: bytes) -> None:
        """Verifies and counts an appended message."""
        match = _NUMBERS.match(body)
        number, uid = (int(match[1]), int(match[2])) if match else (0, 0)
        good = match is not None and number == folder.number and body == message(number, uid)
        with self._lock:
            received = self._received.setdefault(number, bytearray())
            if len(received) <= uid >> 3:
                received.extend(bytes((uid >> 3) + 4096 - len(received)))
            bit = 1 << (uid & 7)
            if good and not received[uid >> 3] & bit:
                self.right += 1
            else:
                self.wrong += 1
            received[uid >> 3] |= bit

    def counts(self) -> dict[str, int]:
        """The number of `messages`, and of `right` and `wrong` ones among those appended."""
        count = sum(folder.count for folder in self.folders.values())
        return {"messages": count, "right": self.right, "wrong": self.wrong}


class _Session:
    """One connection, from the greeting to the end."""

    def __init__(self, connection: socket.socket, mailbox: Mailbox) -> None:
        self._socket = connection
        self._in = connection.makefile("rb", _SEND_BYTES)
        self._mailbox = mailbox
        self._open: Folder | None = None

    def run(self) -> None:
        try:
            self._socket.sendall(b"* OK [CAPABILITY %s] ready\r\n" % _CAPABILITIES)
            while (line := self._in.readline()) and self._respond(line):
                pass
        except OSError:
            pass  # the client closed the connection
        finally:
            self._socket.close()

    def _respond(self, line: bytes) -> bool:
        """Responds to one command. Returns False after the last."""
        parts = _COMMAND.fullmatch(line)
        if parts is None:
            return False
        tag, name, rest = parts[1], (parts[2] or b"") + parts[3].upper(), parts[4]
        if name == b"LOGOUT":
            self._socket.sendall(b"* BYE\r\n%s OK done\r\n" % tag)
            return False
        handler = getattr(self, "_" + name.decode("ascii").lower().replace(" ", "_"), None)
        response = b"BAD unknown command" if handler is None else handler(rest) or b"OK done"
        self._socket.sendall(b"%s %s\r\n" % (tag, response))
        return True

    # --- Commands: each sends its untagged responses and returns the tagged one, or None for a plain OK ---

    def _capability(self, _rest: bytes) -> None:
        self._socket.sendall(b"* CAPABILITY %s\r\n" % _CAPABILITIES)

    def _authenticate(self, rest: bytes) -> None:
        if b" " not in rest:
            self._socket.sendall(b"+ \r\n")
            self._in.readline()

    def _login(self, _rest: bytes) -> None:
        pass

    def _subscribe(self, _rest: bytes) -> None:
        pass

    def _namespace(self, _rest: bytes) -> None:
        self._socket.sendall(b'* NAMESPACE (("" "/")) NIL NIL\r\n')

    def _list(self, rest: bytes) -> None:
        for name, folder in self._mailbox.folders.items():
            self._socket.sendall(b'* LIST (\\Subscribed) "/" "%s"\r\n' % name)
            if b"STATUS" in rest:
                self._socket.sendall(_status(name, folder))

    def _status(self, rest: bytes) -> bytes | None:
        name, _ = _name(rest)
        folder = self._mailbox.folders.get(name)
        if folder is None:
            return _NO_FOLDER
        self._socket.sendall(_status(name, folder))
        return None

    def _create(self, rest: bytes) -> None:
        self._mailbox.create(_name(rest)[0])

    def _examine(self, rest: bytes) -> bytes:
        folder = self._open = self._mailbox.folders.get(_name(rest)[0])
        if folder is None:
            return _NO_FOLDER
        self._socket.sendall(
            b"* %d EXISTS\r\n* OK [UIDVALIDITY %d]\r\n* OK [UIDNEXT %d]\r\n"
            b"* OK [PERMANENTFLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft \\*)]\r\n"
            % (folder.count, _UIDVALIDITY, folder.uidnext)
        )
        return b"OK open"

    _select = _examine

    def _unselect(self, _rest: bytes) -> None:
        self._open = None

    def _uid_search(self, rest: bytes) -> bytes | None:
        if self._open is None:
            return _NOT_OPEN
        uids = self._open.uid_set()
        if lowest := re.search(rb" UID ([0-9]+):\*", rest):
            uids = b",".join(_at_or_above(uids, int(lowest[1])))
        self._socket.sendall(b"* ESEARCH UID%s\r\n" % (b" ALL " + uids if uids else b""))
        return None

    def _uid_fetch(self, rest: bytes) -> bytes | None:
        folder = self._open
        if folder is None:
            return _NOT_OPEN
        uids, _, items = rest.partition(b" ")
        ready: list[bytes] = []
        ready_bytes = 0
        for uid in _members(uids, folder.uidnext - 1):
            if not folder.shows(uid):
                continue
            response = _fetch_response(folder.number, uid, items)
            ready.append(response)
            ready_bytes += len(response)
            if ready_bytes > _SEND_BYTES:
                self._socket.sendall(b"".join(ready))
                ready, ready_bytes = [], 0
        self._socket.sendall(b"".join(ready))
        return None

    def _append(self, rest: bytes) -> bytes:
        """APPEND or MULTIAPPEND, with non-synchronising literals."""
        name, line = _name(rest + b"\r\n")
        folder = self._mailbox.folders.get(name)
        count = 0
        while announced := _LITERAL.search(line):
            body = self._in.read(int(announced[1]))
            if folder is not None:
                self._mailbox.verify(folder, body)
            count += 1
            line = self._in.readline()
        if folder is None:
            return _NO_FOLDER
        with folder.lock:
            first = folder.uidnext
            folder.appended += count
        return b"OK [APPENDUID %d %d:%d] done" % (_UIDVALIDITY, first, first + count - 1)


def _name(rest: bytes) -> tuple[bytes, bytes]:
    """A folder name, quoted or not, and the rest of the line."""
    if rest.startswith(b'"'):
        name, _, remainder = rest[1:].partition(b'"')
        return name, remainder
    name, _, remainder = rest.partition(b" ")
    return name.rstrip(b"\r\n"), remainder


def _status(name: bytes, folder: Folder) -> bytes:
    values = (name, folder.count, folder.uidnext, _UIDVALIDITY)
    return b'* STATUS "%s" (MESSAGES %d UIDNEXT %d UIDVALIDITY %d)\r\n' % values


def _members(uids: bytes, last: int) -> Iterator[int]:
    for part in uids.split(b","):
        first, _, end = part.partition(b":")
        high = last if end == b"*" else int(end or first)
        yield from range(int(first), min(high, last) + 1)


def _at_or_above(uids: bytes, lowest: int) -> Iterator[bytes]:
    for part in uids.split(b",") if uids else ():
        first, last = map(int, part.split(b":"))
        if last >= lowest:
            yield b"%d:%d" % (max(first, lowest), last)


def _fetch_response(number: int, uid: int, items: bytes) -> bytes:
    """The requested items, as far as Mailhaul requests them. The sequence number is always 1, since Mailhaul
    fetches by UID."""
    size = size_bytes(uid)
    if b"BODY.PEEK[]" in items:
        head = b'UID %d FLAGS (\\Seen) INTERNALDATE "01-Jan-2026 00:00:00 +0000" BODY[] {%d}' % (uid, size)
        return b"* 1 FETCH (%s\r\n%s)\r\n" % (head, message(number, uid))
    if b"HEADER" in items:
        head = b"UID %d RFC822.SIZE %d BODY[HEADER.FIELDS (DATE)] {%d}" % (uid, size, _HEADER_BYTES)
        return b"* 1 FETCH (%s\r\n%s)\r\n" % (head, header(number, uid))
    return b"* 1 FETCH (UID %d RFC822.SIZE %d)\r\n" % (uid, size)


def serve(listener: socket.socket, mailbox: Mailbox) -> None:
    """Accepts connections until the listener is closed."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_Session(connection, mailbox).run, daemon=True).start()


def main() -> None:
    """Runs the command line shown above."""
    parser = argparse.ArgumentParser(prog="generated", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--folders", type=int, default=1, help="folders with generated messages (%(default)s)"
    )
    parser.add_argument("--messages", type=int, default=0, help="total number of messages (%(default)s)")
    parser.add_argument("--gap", type=int, default=0, help="every N-th UID is missing; 0: none")
    arguments = parser.parse_args()
    mailbox = Mailbox(arguments.folders, arguments.messages, arguments.gap)
    with socket.create_server((_HOST, 0), backlog=128) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        threading.Thread(target=serve, args=(listener, mailbox), daemon=True).start()
        for _ in sys.stdin:
            sys.stdout.write(json.dumps(mailbox.counts()) + "\n")
            sys.stdout.flush()
    os._exit(0)  # session threads may still be reading


if __name__ == "__main__":
    main()
