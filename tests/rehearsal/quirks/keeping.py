"""Quirks of a destination's storage and responses: flags, dates, quotas, permissions, APPENDUID."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tests.rehearsal.quirks.mail import Folder
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
