"""A server that accepts several messages together, names the first UID alone and may store no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from importer.compact.uid_set import Uid, UidSet
from importer.domain.mailbox_content import AppendResult, FolderRef, Outgoing, Stored
from importer.domain.messages.message_body import whole
from importer.domain.receipts.folder_tally import FolderTally
from importer.ports.mailbox_errors import QuotaExceeded
from providers.errors import Side
from providers.text import Text
from tests.fakes.mailbox import MemoryFolder, MemoryReader, MemoryWriter
from tests.property.world import World, mail

DATE = "02-Feb-1998 10:00:00 +0100"
BODIES = tuple(mail(f"number {n}", f"text {n}", f"m{n}") for n in range(6))


def world_of(*bodies: bytes) -> World:
    world = World()
    for body in bodies:
        world.source.create("Work").add((), DATE, body)
    return world


@contextmanager
def naming_the_first(*, stored: bool) -> Iterator[None]:
    """Of messages appended together the server names the first; unless `stored`, it keeps no other."""
    begin = MemoryWriter.begin_append

    def in_part(
        session: MemoryWriter, folder: FolderRef, messages: Sequence[Outgoing]
    ) -> Callable[[], Sequence[AppendResult] | None]:
        begin(session, folder, messages if stored else messages[:1])()
        return lambda: [Stored(None, named=1)] * len(messages)

    def append(
        session: MemoryWriter, folder: FolderRef, messages: Sequence[Outgoing]
    ) -> Callable[[], Sequence[AppendResult] | None]:
        return (in_part if len(messages) > 1 else begin)(session, folder, messages)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryWriter, "begin_append", append)
        yield


@contextmanager
def hiding(world: World, seconds: float) -> Iterator[None]:
    """The destination lists only its first message within that time; all have UIDs at once."""
    uids, began = MemoryReader.uids, world.clock.now()

    def fewer(session: MemoryReader, folder: FolderRef, at_or_above: Uid = Uid(1)) -> UidSet:
        listed = uids(session, folder, at_or_above)
        hidden = session.side is Side.DESTINATION and (world.clock.now() - began).total_seconds() < seconds
        return listed & UidSet.of((1,)) if hidden else listed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryReader, "uids", fewer)
        yield


def there(world: World) -> list[bytes]:
    return sorted(whole(message.body) for message in world.destination.folders["Work"].messages.values())


def run(world: World) -> FolderTally:
    tally = world.run(batch=3, legs_of=100).tallies["Work"]
    assert tally.adds_up
    return tally


@pytest.mark.parametrize("stored", [True, False])
def test_what_was_not_stored_is_sent_alone(*, stored: bool) -> None:
    world = world_of(*BODIES)
    with naming_the_first(stored=stored):
        tally = run(world)
    assert there(world) == sorted(BODIES)
    assert (tally.copied, tally.confirmed, tally.failed) == (6, 6, 0)


def test_the_same_content_twice_is_stored_once() -> None:
    world = world_of(BODIES[0], BODIES[1], BODIES[1], BODIES[2])
    with naming_the_first(stored=False):
        tally = run(world)
    assert there(world) == sorted(BODIES[:3])
    assert (tally.copied, tally.duplicate, tally.confirmed) == (3, 1, 3)


@pytest.mark.parametrize("seconds", [3, 600])
def test_copies_that_appear_late_are_not_sent_again(seconds: float) -> None:
    world = world_of(*BODIES)
    with naming_the_first(stored=True), hiding(world, seconds):
        tally = run(world)
    assert there(world) == sorted(BODIES)
    assert (tally.copied, tally.confirmed) == (6, 6 if seconds < 10 else 1)


def test_as_long_as_mail_that_is_not_listed_may_be_a_copy_nothing_is_sent_again() -> None:
    """A message of somebody else gets a UID and is removed at once."""
    world = world_of(*BODIES[:3])
    stored = MemoryWriter._stored

    def gap(session: MemoryWriter, target: MemoryFolder, message: Outgoing) -> AppendResult:
        target.uidnext += 1
        return stored(session, target, message)

    with naming_the_first(stored=False), pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryWriter, "_stored", gap)
        tally = run(world)
    assert there(world) == sorted(BODIES[:1])
    assert (tally.copied, tally.confirmed) == (3, 1)


def test_a_folder_that_took_messages_shows_that_the_mailbox_has_room() -> None:
    """Five folders are full, the last of them only after it stored a part of an append."""
    world = World()
    sizes = {f"full {n}": 20 - n for n in range(4)} | {"full at last": 3, "Work": 2}
    for folder, number in sizes.items():
        for n in range(number):
            world.source.create(folder).add((), DATE, mail(f"{folder} {n}", "text", f"{n}.{number}"))
    stored = MemoryWriter._stored

    def stores(session: MemoryWriter, target: MemoryFolder, message: Outgoing) -> AppendResult:
        (name,) = (name for name, one in world.destination.folders.items() if one is target)
        if len(target.messages) >= {"full at last": 2, "Work": 2}.get(name, 0):
            raise QuotaExceeded(Text("destination_full", host="memory"), side=Side.DESTINATION)
        return stored(session, target, message)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryWriter, "_stored", stores)
        with pytest.raises(QuotaExceeded):
            world.run(batch=20, legs_of=100)
    assert len(world.destination.folders["full at last"].messages) == 2
    assert len(world.destination.folders["Work"].messages) == 2
