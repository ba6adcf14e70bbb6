"""Quirks of names and their delimiters: INBOX within itself, trailing and mixed delimiters, many folders."""

from __future__ import annotations

from collections.abc import Sequence

from tests.rehearsal.quirks.mail import Folder, Mailbox, fill
from tests.rehearsal.quirks.registry import quirk
from tests.rehearsal.quirks.session import Session
from tests.rehearsal.quirks.wire import Words, quoted


@quirk("inbox-within-inbox")
class InboxWithinInbox(Session):
    """INBOX has a child INBOX, and another one inbox, each with mail."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        fill(box, b"INBOX/INBOX", 2, first=701)
        fill(box, b"INBOX/inbox", 2, first=711)


@quirk("names-with-trailing-delimiter")
class NamesWithTrailingDelimiter(Session):
    """LIST appends the delimiter to the names of folders with children; both spellings open."""

    def list_name(self, folder: Folder) -> bytes:
        has_children = any(name.startswith(folder.name + b"/") for name in self.box.folders)
        return quoted(folder.name + b"/" * has_children)

    def named(self, name: bytes) -> Folder | None:
        return super().named(bytes(name).removesuffix(b"/"))


@quirk("two-delimiters")
class TwoDelimiters(Session):
    """Archive and the folders below it have the delimiter `/`, all others a dot; one of those has a slash in
    its name."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        fill(box, b"Work.2024", 2, first=701)
        fill(box, b"in/out", 1, first=711)

    def list_line(self, command: bytes, folder: Folder, returning: Sequence[object]) -> bytes:
        line = super().list_line(command, folder, returning)
        return line if folder.name.startswith(b"Archive") else line.replace(b'"/"', b'"."', 1)


@quirk("two-thousand-folders")
class TwoThousandFolders(Session):
    """The mailbox has 2,000 further folders, of which every hundredth has a message."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        for number in range(2000):
            fill(box, b"Box/%04d" % number, number % 100 == 0, first=3000 + number)


@quirk("status-always-of-inbox")
class StatusAlwaysOfInbox(Session):
    """STATUS responses name INBOX, independent of the requested folder; not within LIST."""

    def do_status(self, tag: bytes, arguments: Words) -> None:
        self.in_status = True
        super().do_status(tag, arguments)
        self.in_status = False

    in_status = False

    def list_name(self, folder: Folder) -> bytes:
        return b"INBOX" if self.in_status else super().list_name(folder)
