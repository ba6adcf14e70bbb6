"""Quirks of CREATE, and of existing folders that accept no mail."""

from __future__ import annotations

from typing import ClassVar

from tests.rehearsal.quirks.hooks import PLAIN
from tests.rehearsal.quirks.mail import Mailbox
from tests.rehearsal.quirks.registry import quirk
from tests.rehearsal.quirks.session import Session
from tests.rehearsal.quirks.wire import HangUp, Words


@quirk("create-ends-connection")
class CreateEndsConnection(Session):
    """At a destination: CREATE creates the folder and ends the connection."""

    def do_create(self, tag: bytes, arguments: Words) -> None:
        super().do_create(tag, arguments)
        self._output.clear()
        raise HangUp


@quirk("create-of-one-ends-connection")
class CreateOfOneEndsConnection(Session):
    """At a destination: CREATE of one folder, Projects, ends the connection each time, without creating
    it."""

    def do_create(self, tag: bytes, arguments: Words) -> None:
        if b"Projects" in bytes(arguments[0]):
            raise HangUp
        super().do_create(tag, arguments)


@quirk("create-refused-and-made")
class CreateRefusedAndMade(Session):
    """At a destination: CREATE creates the folder and returns NO."""

    def ended_well(self, tag: bytes, command: bytes, text: bytes) -> None:
        if command == b"CREATE":
            self.no(tag, b"could not create it")
        else:
            super().ended_well(tag, command, text)


@quirk("create-makes-nothing")
class CreateMakesNothing(Session):
    """At a destination: CREATE of one folder, Projects, returns OK without creating it."""

    def do_create(self, tag: bytes, arguments: Words) -> None:
        if bytes(arguments[0]) == b"Projects":
            self.ok(tag, b"CREATE")
        else:
            super().do_create(tag, arguments)


@quirk("no-folders-in-folders")
class NoFoldersInFolders(Session):
    """At a destination: CREATE of a folder within another one gets NO."""

    def do_create(self, tag: bytes, arguments: Words) -> None:
        if b"/" in bytes(arguments[0]).rstrip(b"/"):
            self.no(tag, b"[CANNOT] this folder takes no folders")
        else:
            super().do_create(tag, arguments)


@quirk("no-folders-at-all")
class NoFoldersAtAll(Session):
    """At a destination: CREATE of any name gets NO; only INBOX exists."""

    def do_create(self, tag: bytes, arguments: Words) -> None:
        self.no(tag, b"[NOPERM] this account has no folders")


@quirk("names-of-twenty-bytes")
class NamesOfTwentyBytes(Session):
    """At a destination: CREATE of a name of more than twenty bytes gets NO."""

    def do_create(self, tag: bytes, arguments: Words) -> None:
        if len(bytes(arguments[0])) > 20:
            self.no(tag, b"mailbox name too long")
        else:
            super().do_create(tag, arguments)


@quirk("folder-takes-no-mail")
class FolderTakesNoMail(Session):
    r"""At a destination: Projects already exists, as \Noselect; CREATE reports that it exists."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        box.create(b"Projects").selectable = False


@quirk("folder-for-reading-only")
class FolderForReadingOnly(Session):
    """At a destination: Projects already exists, opens read-only, and APPEND into it gets NO."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        box.create(b"Projects")

    def capabilities(self) -> bytes:
        return PLAIN.encode()

    def do_append(self, tag: bytes, arguments: Words) -> None:
        if bytes(arguments[0]) == b"Projects":
            self.no(tag, b"[NOPERM] you have no right to insert here")
        else:
            super().do_append(tag, arguments)


@quirk("trycreate-at-first")
class TrycreateAtFirst(Session):
    """At a destination: the first APPEND into each folder gets NO with TRYCREATE, although the folder
    exists."""

    refused: ClassVar[set[bytes]] = set()

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        cls.refused = set()

    def do_append(self, tag: bytes, arguments: Words) -> None:
        name = bytes(arguments[0])
        if name in self.refused:
            super().do_append(tag, arguments)
            return
        self.refused.add(name)
        self.no(tag, b"[TRYCREATE] no such folder")
