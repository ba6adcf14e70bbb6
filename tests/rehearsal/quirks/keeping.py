"""Quirks of a destination's storage and responses: flags, dates, quotas, permissions, APPENDUID."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from tests.rehearsal.quirks.mail import Folder, Mailbox
from tests.rehearsal.quirks.registry import quirk
from tests.rehearsal.quirks.session import Session
from tests.rehearsal.quirks.wire import HangUp, Words


@quirk("date-dropped-by-append")
class DateDroppedByAppend(Session):
    """At a destination: APPEND silently ignores the date."""

    def store(self, folder: Folder, body: bytes, flags: Iterable[bytes], date: str) -> int:
        return super().store(folder, body, flags, "30-Nov-2026 10:00:00 +0000")


@quirk("plus-comes-twice")
class PlusComesTwice(Session):
    """At a destination: the server sends two continuation requests for each literal."""

    def capabilities(self) -> bytes:
        return b"IMAP4rev1 AUTH=PLAIN NAMESPACE UNSELECT UIDPLUS"

    def accept_literal(self, line: bytes, *, synchronizing: bool) -> None:
        super().accept_literal(line, synchronizing=synchronizing)
        super().accept_literal(line, synchronizing=synchronizing)


@quirk("appenduid-as-open-set")
class AppenduidAsOpenSet(Session):
    """At a destination: APPENDUID gives the UIDs as `1:*`."""

    def append_code(self, folder: Folder, uids: list[int]) -> bytes:
        return b"[APPENDUID %d 1:*] " % folder.uidvalidity


@quirk("appenduid-backwards")
class AppenduidBackwards(Session):
    """At a destination: the UIDs of a MULTIAPPEND are given in descending order, the highest first."""

    def append_code(self, folder: Folder, uids: list[int]) -> bytes:
        descending = b",".join(b"%d" % uid for uid in sorted(uids, reverse=True))
        return b"[APPENDUID %d %s] " % (folder.uidvalidity, descending)


@quirk("quota-of-one-folder")
class QuotaOfOneFolder(Session):
    """At a destination: Sent accepts its first message; each further one gets NO [OVERQUOTA]."""

    no_room = b"NO [OVERQUOTA] the quota of this folder is used up"

    def why_not_stored(self, folder: Folder, body: bytes, flags: Sequence[bytes]) -> bytes:
        if folder.name == b"Sent" and b"Subject: sent 201" not in body:
            return self.no_room
        return super().why_not_stored(folder, body, flags)


@quirk("everything-read-only")
class EverythingReadOnly(Session):
    """At a destination: every folder opens with [READ-ONLY], and APPEND and CREATE get NO [NOPERM]."""

    def ended_well(self, tag: bytes, command: bytes, text: bytes) -> None:
        super().ended_well(tag, command, text.replace(b"READ-WRITE", b"READ-ONLY"))

    def do_append(self, tag: bytes, arguments: Words) -> None:
        self.no(tag, b"[NOPERM] this mailbox is frozen")

    def do_create(self, tag: bytes, arguments: Words) -> None:
        self.no(tag, b"[NOPERM] this mailbox is frozen")


@quirk("subscribe-ends-connection")
class SubscribeEndsConnection(Session):
    """At a destination: SUBSCRIBE ends the connection."""

    def do_subscribe(self, tag: bytes, arguments: Words) -> None:
        raise HangUp


@quirk("unselect-ends-connection")
class UnselectEndsConnection(Session):
    """UNSELECT ends the connection."""

    def do_unselect(self, tag: bytes, _arguments: Words) -> None:
        raise HangUp


@quirk("select-ends-connection")
class SelectEndsConnection(Session):
    """At a destination: SELECT ends the connection; EXAMINE works."""

    def do_select(self, tag: bytes, arguments: Words) -> None:
        raise HangUp


_QUARANTINE = b"(quarantine)"


@quirk("quarantine")
class Quarantine(Session):
    """At a destination: APPEND puts a message into a quarantine, where it has no UID and no client sees it;
    it gets into its folder between two runs."""

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        box.create(_QUARANTINE)

    @classmethod
    def next_stage(cls, box: Mailbox, stage: int) -> None:
        held = box.folders[_QUARANTINE].messages
        for message in held:
            box.folders[message.__dict__["to"]].add(message.body, message.flags, message.date)
        held.clear()

    def list_folders(self, command: bytes, returning: Sequence[object]) -> list[Folder]:
        folders = super().list_folders(command, returning)
        return [folder for folder in folders if folder.name != _QUARANTINE]

    def named(self, name: bytes) -> Folder | None:
        return None if bytes(name) == _QUARANTINE else super().named(name)

    def store(self, folder: Folder, body: bytes, flags: Iterable[bytes], date: str) -> int:
        held = self.box.folders[_QUARANTINE]
        held.add(body, flags, date)
        held.messages[-1].__dict__["to"] = folder.name
        return 0

    def append_code(self, folder: Folder, uids: list[int]) -> bytes:
        return b""


@quirk("third-append-without-answer")
class ThirdAppendWithoutAnswer(Session):
    """At a destination: the third APPEND stores its messages, and the connection ends in place of the OK."""

    answers: ClassVar[int] = 0

    @classmethod
    def prepare(cls, box: Mailbox) -> None:
        cls.answers = 0

    def append_code(self, folder: Folder, uids: list[int]) -> bytes:
        type(self).answers += 1
        if type(self).answers == 3:
            raise HangUp
        return super().append_code(folder, uids)
