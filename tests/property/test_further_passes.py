"""Further passes over a folder within one leg: what an earlier one left, and where it could not settle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from importer.compact.uid_set import Uid, UidSet
from importer.domain.mailbox_content import AppendResult, FolderRef, Message, NotHandedOut, Outgoing, Rejected
from importer.domain.messages.message_body import whole
from importer.engine.leg import LegEnd
from importer.ports.mailbox_errors import FolderUnusable, QuotaExceeded
from providers.errors import Side
from providers.text import Text
from tests.fakes.mailbox import Fault, MemoryFolder, MemoryReader, MemoryWriter
from tests.property.world import World, mail

DATE = "02-Feb-1998 10:00:00 +0100"
MESSAGES = 6


@pytest.fixture
def world() -> World:
    world = World()
    for number in range(MESSAGES):
        world.source.create("Work").add((), DATE, mail(f"number {number}", "text", f"m{number}"))
    return world


@pytest.fixture
def legs(monkeypatch: pytest.MonkeyPatch) -> list[LegEnd]:
    """The ends of the legs so far."""
    ends, run = list[LegEnd](), World._leg

    def counted(*arguments: Any) -> LegEnd:
        ends.append(run(*arguments))
        return ends[-1]

    monkeypatch.setattr(World, "_leg", counted)
    return ends


def test_a_message_that_a_further_pass_could_read_is_not_reported_as_unread(
    world: World, legs: list[LegEnd], monkeypatch: pytest.MonkeyPatch
) -> None:
    read, stored = MemoryReader.messages, MemoryWriter._stored
    unreadable, refused = [Uid(2)], [b"number 4"]

    def messages(session: MemoryReader, folder: FolderRef, uids: UidSet) -> Iterator[Message | NotHandedOut]:
        for message in read(session, folder, uids):
            if message.uid in unreadable and session.side is Side.SOURCE:
                unreadable.remove(message.uid)
                yield NotHandedOut(message.uid, Text("not_handed_out"), broke_connection=True)
            else:
                yield message

    def refuses_once(session: MemoryWriter, target: MemoryFolder, message: Outgoing) -> AppendResult:
        if refused and refused[0] in whole(message.body):
            refused.clear()
            return Rejected(Text("not_taken"))
        return stored(session, target, message)

    monkeypatch.setattr(MemoryReader, "messages", messages)
    monkeypatch.setattr(MemoryWriter, "_stored", refuses_once)
    watcher = world.run(legs_of=100)
    assert (unreadable, refused) == ([], [])
    assert watcher.tallies["Work"].copied == MESSAGES
    assert legs == [LegEnd.DONE]


def test_a_folder_that_cannot_be_opened_while_a_lost_append_is_settled_gets_a_further_pass(
    world: World, legs: list[LegEnd], monkeypatch: pytest.MonkeyPatch
) -> None:
    uids, lost = MemoryReader.uids, list[str]()
    refused: list[str] = []

    def strike(operation: str) -> Fault | None:
        if operation == "append" and not lost:
            lost.append(operation)
            return Fault.AFTER
        return None

    def fails_once(session: MemoryReader, folder: FolderRef, at_or_above: Uid = Uid(1)) -> UidSet:
        if lost and not refused and session.side is Side.DESTINATION:
            refused.append(folder.name)
            raise FolderUnusable(Text("folder_unusable", folder=folder.name), side=Side.DESTINATION)
        return uids(session, folder, at_or_above)

    monkeypatch.setattr(MemoryReader, "uids", fails_once)
    world.destination.fault = strike
    watcher = world.run_with_own_faults(legs_of=100)
    assert (len(lost), refused) == (1, ["Work"])
    assert watcher.tallies["Work"].copied == MESSAGES
    assert sum(world.contents(world.destination)["Work"].values()) == MESSAGES
    assert legs == [LegEnd.DONE]


def test_a_folder_that_has_room_again_in_a_further_pass_is_not_reported_as_full(
    world: World, legs: list[LegEnd], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mail that arrives during the copy causes the further pass."""
    stored, full = MemoryWriter._stored, [True]

    def has_no_room_once(session: MemoryWriter, target: MemoryFolder, message: Outgoing) -> AppendResult:
        if full and len(target.messages) == 3:
            full.clear()
            world.source.folders["Work"].add((), DATE, mail("new", "text", "new"))
            raise QuotaExceeded(side=Side.DESTINATION)
        return stored(session, target, message)

    monkeypatch.setattr(MemoryWriter, "_stored", has_no_room_once)
    watcher = world.run(legs_of=100)
    assert not full
    assert watcher.tallies["Work"].copied == MESSAGES + 1
    assert legs == [LegEnd.DONE]
