"""The mailbox of a quirk server: folders of messages with everything that a server may get wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterable


class Message:
    """One message. `flags` are in their wire form, `date` is the text of INTERNALDATE."""

    def __init__(self, uid: int, body: bytes, flags: Iterable[bytes] = (), date: str = "") -> None:
        self.uid = uid
        self.body = body
        self.flags = set(flags)
        self.date = date or "01-Jan-2020 12:00:00 +0000"


class Folder:
    """One folder. `name` is the wire name."""

    def __init__(self, name: bytes, uidvalidity: int, attributes: Iterable[bytes] = ()) -> None:
        self.name = name
        self.uidvalidity = uidvalidity
        self.attributes = list(attributes)
        self.subscribed = True
        self.selectable = True
        self.uidnext = 1
        self.messages: list[Message] = []

    def add(self, body: bytes, flags: Iterable[bytes] = (), date: str = "") -> int:
        """Store one more message and return its UID."""
        uid = self.uidnext
        self.messages.append(Message(uid, body, flags, date))
        self.uidnext += 1
        return uid

    def renumber(self, first: int) -> None:
        """Give the messages other UIDs, from `first` on."""
        for index, message in enumerate(self.messages):
            message.uid = first + index
        self.uidnext = first + len(self.messages)


class Mailbox:
    """The folders of one account, in the order of LIST. Hold `lock` to read or change them."""

    def __init__(self, delimiter: bytes | None = b"/") -> None:
        self.lock = threading.RLock()
        self.delimiter = delimiter
        self.folders: dict[bytes, Folder] = {}
        self.subscriptions_to_nothing: list[bytes] = []
        self._uidvalidity = 8
        self.create(b"INBOX")

    def create(self, name: bytes, attributes: Iterable[bytes] = ()) -> Folder:
        self._uidvalidity += 1
        folder = self.folders[name] = Folder(name, self._uidvalidity, attributes)
        return folder

    def find(self, name: bytes) -> Folder | None:
        return self.folders.get(b"INBOX" if name.upper() == b"INBOX" else name)

    def rename(self, old: bytes, new: bytes) -> None:
        """Rename a folder; its place in LIST stays."""
        self.folders = {new if name == old else name: folder for name, folder in self.folders.items()}
        self.folders[new].name = new

    @property
    def inbox(self) -> Folder:
        return self.folders[b"INBOX"]

    def contents(self) -> dict[bytes, list[Message]]:
        """Folder name -> messages, for the folders that can be opened."""
        with self.lock:
            return {f.name: list(f.messages) for f in self.folders.values() if f.selectable}


def letter(
    number: int, about: str = "letter", *, size: int = 600, extra: bytes = b"", date: str = ""
) -> bytes:
    """A message of about `size` bytes; no two numbers give the same one."""
    head = (
        f"Return-Path: <sender@old.example>\r\n"
        f"From: Sender <sender@old.example>\r\n"
        f"To: Reader <reader@old.example>\r\n"
        f"Subject: {about} {number}\r\n"
        f"Date: {date or f'Mon, {1 + number % 28:02d} Mar 2021 10:{number % 60:02d}:00 +0100'}\r\n"
        f"Message-ID: <{about.replace(' ', '.')}.{number}@old.example>\r\n"
        f"MIME-Version: 1.0\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: 8bit\r\n\r\n"
    ).encode()
    line = f"This is {about} number {number}, and it goes on for a while.\r\n".encode()
    return head + extra + line * max(1, (size - len(head)) // len(line))


def internaldate(number: int) -> str:
    return f"{1 + number % 28:2d}-Mar-2021 11:{number % 60:02d}:{number % 60:02d} +0100"


SAMPLE = {"INBOX": 8, "Sent": 3, "Drafts": 1, "Archive": 1, "Archive/2024": 2, "Projects": 2}
"""The folders of the sample mailbox and their numbers of messages: 17 in all."""


def fill(box: Mailbox, name: bytes, count: int, *, first: int = 1, size: int = 600) -> Folder:
    """Put `count` messages into a folder, which is created if necessary."""
    folder = box.find(name) or box.create(name)
    about = name.decode("ascii", "replace").replace("\ufffd", "x").lower()
    for number in range(first, first + count):
        flags = [
            f for f, every in ((rb"\Seen", 2), (rb"\Answered", 3), (rb"\Flagged", 5)) if not number % every
        ]
        folder.add(letter(number, about, size=size), flags, internaldate(number))
    return folder


def sample(delimiter: bytes = b"/") -> Mailbox:
    """A mailbox with the folders and messages of SAMPLE."""
    box = Mailbox(delimiter)
    roles = {b"Sent": rb"\Sent", b"Drafts": rb"\Drafts", b"Archive": rb"\Archive"}
    for text, count in SAMPLE.items():
        name = text.encode().replace(b"/", delimiter)
        folder = box.find(name) or box.create(name, [roles[name]] if name in roles else [])
        fill(box, name, count, first=100 * len(box.folders) + 1)
        folder.subscribed = name != b"Projects"
    box.folders[b"Drafts"].messages[0].flags.add(rb"\Draft")
    box.inbox.messages[0].flags |= {b"$Forwarded", b"project-x"}
    return box
