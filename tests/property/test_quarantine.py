"""A destination that accepts mail, names no UID, and holds it back for longer than a recount waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from importer.compact.uid_set import Uid, UidSet
from importer.domain.mailbox_content import AppendResult, FolderRef, Outgoing, Stored
from importer.domain.messages.message_body import whole
from importer.domain.receipts.folder_tally import RefusalCode
from importer.engine.recount import MOST_BETWEEN
from providers.errors import ConnectionLost, Side
from tests.fakes.mailbox import Fault, MemoryFolder, MemoryReader, MemoryWriter
from tests.fakes.store import MemoryStore
from tests.property.test_what_is_there import BODIES, DATE, numbers, refusals, run, there, world_of
from tests.property.world import World, mail


@dataclass(slots=True)
class Quarantine:
    """The messages that the destination holds back, with their folders."""

    held: list[tuple[MemoryFolder, Outgoing]] = field(default_factory=list)

    def end(self) -> None:
        for folder, message in self.held:
            folder.add(message.flags, message.internaldate, whole(message.body))
        self.held.clear()


@contextmanager
def quarantine() -> Iterator[Quarantine]:
    scanned = Quarantine()

    def holds(_session: MemoryWriter, target: MemoryFolder, message: Outgoing) -> AppendResult:
        scanned.held.append((target, message))
        return Stored(None)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryWriter, "_stored", holds)
        yield scanned


def losing_append(world: World, *lost: int) -> None:
    """The replies to these appends are lost."""
    appends = 0

    def fault(operation: str) -> Fault | None:
        nonlocal appends
        appends += operation == "append"
        return Fault.AFTER if operation == "append" and appends in lost else None

    world.destination.fault = fault


def reasons(world: World) -> set[str]:
    return {refusal.reason.code for refusal in refusals(world)}


def bodies(world: World) -> list[bytes]:
    return sorted(whole(message.body) for message in there(world).messages.values())


def test_mail_in_quarantine_is_told_and_not_sent_again_within_an_hour() -> None:
    world = world_of(*BODIES, uidplus=False)
    world.sent_lately = lambda _import: True
    with quarantine() as scanned:
        assert run(world).confirmed == 0
        assert numbers(run(world)) == (0, 0, 0, 10)
        assert reasons(world) == {"never_seen.lately"}
        assert len(scanned.held) == 10
        scanned.end()
        assert numbers(run(world)) == (0, 10, 0, 0)
        assert refusals(world) == []
    assert bodies(world) == sorted(BODIES)


def test_mail_that_does_not_appear_is_sent_again_later() -> None:
    world = world_of(*BODIES, uidplus=False)
    with quarantine() as scanned:
        run(world)
        scanned.held.clear()
        assert numbers(run(world)) == (10, 0, 0, 0)
        scanned.end()
    assert bodies(world) == sorted(BODIES)


def test_an_append_without_a_reply_is_not_repeated_while_nothing_is_shown_of_the_one_before() -> None:
    world = world_of(*BODIES, uidplus=False)
    world.sent_lately = lambda _import: True
    losing_append(world, 3)
    with quarantine() as scanned:
        tally = world.run_with_own_faults(legs_of=100).tallies["Work"]
        assert (tally.copied, tally.confirmed) == (10, 0)
        scanned.end()
        assert numbers(run(world)) == (0, 10, 0, 0)
        assert refusals(world) == []
    assert bodies(world) == sorted(BODIES)


def test_an_append_without_a_reply_is_not_repeated_by_the_next_leg_while_nothing_is_shown() -> None:
    world = world_of(*BODIES, uidplus=False)
    world.sent_lately = lambda _import: True
    appends, is_down = 0, False

    def fault(operation: str) -> Fault | None:
        """The reply to the fourth append is lost, and then each connection until the next leg."""
        nonlocal appends, is_down
        is_down = is_down and operation != "list"
        if is_down:
            return Fault.BEFORE
        appends += operation == "append"
        is_down = operation == "append" and appends == 4
        return Fault.AFTER if is_down else None

    world.destination.fault = fault
    with quarantine() as scanned:
        tally = world.run_with_own_faults(legs_of=100).tallies["Work"]
        assert (tally.copied, tally.confirmed) == (10, 0)
        assert len(scanned.held) == 10


def test_a_crash_after_an_append_without_a_reply_was_settled_repeats_nothing() -> None:
    """The transaction that closes the intent has the receipt."""
    world = world_of(*BODIES, uidplus=False)
    world.sent_lately = lambda _import: True
    record = MemoryStore.record
    appends, records = 0, 0

    def fault(operation: str) -> Fault | None:
        nonlocal appends
        appends += operation == "append"
        return Fault.AFTER if operation == "append" and appends == 3 else None

    def crashing(*args: Any, **options: Any) -> None:
        nonlocal records
        records += appends >= 3
        if records == 2:
            raise ConnectionLost(side=Side.DESTINATION)
        record(*args, **options)

    world.destination.fault = fault
    with quarantine() as scanned, pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryStore, "record", crashing)
        tally = world.run_with_own_faults(legs_of=100).tallies["Work"]
        assert records > 2
        assert (tally.copied, tally.confirmed) == (10, 0)
        assert len(scanned.held) == 10


def test_copies_that_appear_twice_are_told() -> None:
    """Nothing was accepted before two replies were lost, so that their messages had to be sent again."""
    world = world_of(*BODIES, uidplus=False)
    world.sent_lately = lambda _import: True
    losing_append(world, 1, 2)
    with quarantine() as scanned:
        world.run_with_own_faults(legs_of=100)
        assert len(scanned.held) == 14
        scanned.end()
        assert numbers(run(world)) == (0, 10, 0, 0)
    [surplus] = refusals(world)
    assert (surplus.code, surplus.count) == (RefusalCode.SURPLUS, 4)


@pytest.mark.parametrize("legs_of", [0, 100])
@pytest.mark.parametrize("uidplus", [True, False])
def test_what_was_there_before_is_no_surplus(*, uidplus: bool, legs_of: int) -> None:
    """With legs of no batch, the leg that recounts did not look what was there."""
    world = world_of(*BODIES, uidplus=uidplus)
    for _ in range(3):
        world.destination.create("Work").add((), DATE, BODIES[0])
    tally = world.run(batch=len(BODIES), legs_of=legs_of).tallies["Work"]
    assert numbers(tally) == (9, 1, 0, 0)
    assert refusals(world) == []


def test_a_leg_that_only_recounts_reads_little_of_what_was_there_before() -> None:
    world = world_of(*BODIES)
    for number in range(200):
        world.destination.create("Work").add((), DATE, mail(f"earlier {number}", "text", f"earlier{number}"))
    read, messages = list[Uid](), MemoryReader.messages

    def counted(session: MemoryReader, folder: FolderRef, uids: UidSet) -> Any:
        if session.side is Side.DESTINATION:
            read.extend(uids)
        return messages(session, folder, uids)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryReader, "messages", counted)
        world.run(batch=len(BODIES), legs_of=0)
    assert len(read) <= MOST_BETWEEN


@pytest.mark.parametrize("uidplus", [True, False])
def test_a_message_that_another_program_brings_after_our_look_is_told(*, uidplus: bool) -> None:
    """It has a lower UID than any copy."""
    world = world_of(*BODIES, uidplus=uidplus)
    append, brought = MemoryWriter.append, False

    def beside(
        session: MemoryWriter, folder: FolderRef, messages: Sequence[Outgoing]
    ) -> Sequence[AppendResult]:
        nonlocal brought
        if not brought:
            there(world).add((), DATE, BODIES[0])
        brought = True
        return append(session, folder, messages)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryWriter, "append", beside)
        assert run(world).confirmed == 10
    assert len(bodies(world)) == 11
    [surplus] = refusals(world)
    assert (surplus.code, surplus.count) == (RefusalCode.SURPLUS, 1)


def test_messages_that_are_stored_seconds_after_a_bye_are_not_sent_again() -> None:
    """A proxy said it; the server behind it goes on."""
    world = world_of(*BODIES)
    append, appends = MemoryWriter.append, 0

    def behind_a_proxy(
        session: MemoryWriter, folder: FolderRef, messages: Sequence[Outgoing]
    ) -> Sequence[AppendResult]:
        nonlocal appends
        appends += 1
        if appends != 2:
            return append(session, folder, messages)
        world.destination.land_later(lambda: append(session, folder, messages))
        raise ConnectionLost(side=Side.DESTINATION, announced=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryWriter, "append", behind_a_proxy)
        assert run(world).confirmed == 10
    assert bodies(world) == sorted(BODIES)


def test_a_uid_that_another_copy_has_proves_nothing() -> None:
    """The server keeps one message for each Message-ID, and names that one for the next."""
    world = world_of(*BODIES)
    stored = MemoryWriter._stored

    def one_of_two(session: MemoryWriter, target: MemoryFolder, message: Outgoing) -> AppendResult:
        if whole(message.body) == BODIES[7]:
            return Stored(min(target.messages))
        return stored(session, target, message)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryWriter, "_stored", one_of_two)
        assert run(world).confirmed == 9
        assert numbers(run(world)) == (1, 9, 0, 0)
        assert numbers(run(world)) == (0, 9, 0, 1)
    assert reasons(world) == {"never_seen.twice"}
