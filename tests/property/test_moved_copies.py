"""Copies that are not in their folder: a filter moved them, or they were never stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from importer.domain.mailbox_content import AppendResult, Outgoing, Stored
from importer.domain.messages.message_body import whole
from importer.domain.receipts.folder_tally import FolderTally, RefusalCode
from importer.domain.receipts.receipt import ChangeKind
from importer.ports.mailbox import FolderCount, MailboxListing, uncounted
from tests.fakes.mailbox import MemoryFolder, MemoryWriter
from tests.property.test_what_is_there import BODIES, DATE, losing, numbers, refusals, run, there, world_of
from tests.property.world import World, mail


@contextmanager
def filtering(world: World, moves: Callable[[bytes], bool] = lambda _: True) -> Iterator[None]:
    """The server moves each of these messages into another folder as it arrives."""
    stored = MemoryWriter._stored

    def files(session: MemoryWriter, target: MemoryFolder, message: Outgoing) -> AppendResult:
        result = stored(session, target, message)
        if moves(whole(message.body)) and isinstance(result, Stored):
            del target.messages[max(target.messages)]
            world.destination.create("Filtered").add((), DATE, whole(message.body))
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryWriter, "_stored", files)
        yield


def filtered(world: World) -> list[bytes]:
    return [whole(message.body) for message in world.destination.create("Filtered").messages.values()]


def confirmed(tally: FolderTally) -> tuple[int, int | None, int]:
    return tally.copied, tally.confirmed, tally.changes.get(ChangeKind.MOVED, 0)


@pytest.mark.parametrize("uidplus", [True, False])
@pytest.mark.parametrize("welcome", [True, False])
def test_copies_that_a_filter_moves_are_found_and_not_made_again(*, uidplus: bool, welcome: bool) -> None:
    world = world_of(*BODIES, uidplus=uidplus)
    if welcome:
        world.destination.create("Work").add((), DATE, mail("welcome", "to you", "welcome"))
    with filtering(world, lambda body: body in BODIES[4:]):
        assert confirmed(run(world)) == (10, 10, 6)
        for _ in range(2):
            assert numbers(run(world)) == (0, 4, 6, 0)
    assert sorted(filtered(world)) == sorted(BODIES[4:])
    assert refusals(world) == []


@pytest.mark.parametrize("uidplus", [True, False])
def test_copies_that_were_moved_later_are_not_called_lost(*, uidplus: bool) -> None:
    """An earlier import had not seen them: they may come into sight in another folder."""
    world = world_of(*BODIES, uidplus=uidplus)
    with losing(lambda body: body in BODIES[8:]):
        for _ in range(2 - uidplus):
            run(world)
    assert numbers(run(world)) == (0, 8, 0, 2)
    for body in BODIES[8:]:
        world.destination.create("Filtered").add((), DATE, body)
    for _ in range(2):
        assert numbers(run(world)) == (0, 8, 2, 0)


def test_copies_that_are_never_seen_are_sent_twice_and_no_more() -> None:
    """Without UIDPLUS nothing proves that they were stored, and a filter may have deleted them."""
    world = world_of(*BODIES, uidplus=False)
    sent: list[bytes] = []

    def goes(body: bytes) -> bool:
        sent.append(body)
        return body in BODIES[2:]

    with losing(goes):
        assert confirmed(run(world)) == (10, 2, 0)
        assert confirmed(run(world)) == (8, 0, 0)
        for _ in range(3):
            assert numbers(run(world)) == (0, 2, 0, 8)
            assert {(one.code, one.reason.code) for one in refusals(world)} == {
                (RefusalCode.NEVER_SEEN, "never_seen.twice")
            }
    assert len(sent) == 18
    there(world).add((), DATE, BODIES[5])
    for _ in range(2):
        assert numbers(run(world)) == (0, 3, 0, 7)
    del there(world).messages[max(there(world).messages)]
    assert numbers(run(world)) == (0, 2, 1, 7)


def test_the_destination_is_not_listed_for_each_folder_with_unseen_copies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = world_of()
    for number in range(20):
        world.source.create(f"Work {number:02}").add((), DATE, mail(f"number {number}", "text", f"m{number}"))
    listings = 0
    listing = MemoryWriter.listing

    def counted(
        session: MemoryWriter, *, modseqs: bool = False, count: FolderCount = uncounted
    ) -> MailboxListing:
        nonlocal listings
        listings += 1
        return listing(session, modseqs=modseqs, count=count)

    monkeypatch.setattr(MemoryWriter, "listing", counted)
    with filtering(world):
        tallies = world.run(legs_of=100).tallies.values()
    assert sum(confirmed(tally)[2] for tally in tallies) == 20
    assert listings <= 7  # the survey, and five for the search


@pytest.mark.parametrize("uidplus", [True, False])
def test_a_copy_of_another_source_message_is_not_the_moved_one(*, uidplus: bool) -> None:
    world = world_of(uidplus=uidplus)
    world.source.create("Old").add((), DATE, BODIES[0])
    world.run()
    for body in BODIES[:3]:
        world.source.create("Work").add((), DATE, body)
    with losing(lambda body: body == BODIES[0]):
        assert confirmed(run(world)) == (3, 2, 0)
    assert len(world.destination.folders["Old"].messages) == 1


def test_a_message_that_only_has_the_same_header_is_not_the_moved_one() -> None:
    world = world_of(*BODIES[:3])
    world.destination.create("Filtered").add((), DATE, BODIES[0].replace(b"text 0", b"TEXT 0"))
    with losing(lambda body: body == BODIES[0]):
        assert confirmed(run(world)) == (3, 2, 0)


@pytest.mark.parametrize("uidplus", [True, False])
def test_a_copy_from_another_old_mailbox_is_not_the_moved_one(*, uidplus: bool) -> None:
    world = world_of(*BODIES[:3], uidplus=uidplus)
    other = world.beside("bob@old.example")
    other.source.create("Old").add((), DATE, BODIES[0])
    other.run()
    with losing(lambda body: body == BODIES[0]):
        assert confirmed(run(world)) == (3, 2, 0)


def test_a_moved_copy_that_another_old_mailbox_found_is_the_moved_one() -> None:
    world = world_of(*BODIES[:3])
    other = world.beside("bob@old.example")
    other.source.create("Filtered").add((), DATE, BODIES[0])
    with losing(lambda body: body == BODIES[0]):
        assert confirmed(run(world)) == (3, 2, 0)
    world.destination.create("Filtered").add((), DATE, BODIES[0])  # it comes into sight there
    assert other.run().tallies["Filtered"].present == 1
    assert numbers(run(world)) == (0, 2, 1, 0)
