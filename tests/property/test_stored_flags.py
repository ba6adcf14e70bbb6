"""A destination that ignores flags: they are set afterwards, or the report says that they are not there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from importer.compact.uid_set import UidSet
from importer.domain.mailbox_content import AppendResult, FolderRef, Outgoing
from tests.fakes.mailbox import MemoryFolder, MemoryReader, MemoryWriter
from tests.property.world import World, mail

DATE = "02-Feb-1998 10:00:00 +0100"
FLAGS = (("\\Seen",), ("\\Seen", "\\Answered"), (), ("$Label1",), ("\\Flagged", "\\Deleted"))


def world_of(*flags: tuple[str, ...], folders: Sequence[str] = ("Work",)) -> World:
    world = World()
    for folder in folders:
        for number, some in enumerate(flags):
            world.source.create(folder).add(
                some, DATE, mail(f"{folder} {number}", "text", f"{folder}{number}")
            )
    return world


@contextmanager
def ignoring_flags(*, stored: bool) -> Iterator[list[str]]:
    """The destination ignores the flags of APPEND and, unless `stored`, those of STORE. Yields the folders
    whose flags were asked for."""
    append, change, flags = MemoryWriter._stored, MemoryWriter.change_flags, MemoryReader.flags
    asked: list[str] = []

    def without(session: MemoryWriter, target: MemoryFolder, message: Outgoing) -> AppendResult:
        return append(session, target, message._replace(flags=()))

    def changes(
        session: MemoryWriter, folder: FolderRef, uids: UidSet, add: Sequence[str], remove: Sequence[str]
    ) -> bool:
        return change(session, folder, uids, add if stored else (), remove)

    def noted(session: MemoryReader, folder: FolderRef, *rest: Any) -> Iterator[Any]:
        asked.append(folder.name)
        return flags(session, folder, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryWriter, "_stored", without)
        patch.setattr(MemoryWriter, "change_flags", changes)
        patch.setattr(MemoryReader, "flags", noted)
        yield asked


def there(world: World, folder: str = "Work") -> list[tuple[str, ...]]:
    return [message.flags for message in world.destination.folders[folder].messages.values()]


def test_flags_that_append_ignored_are_set() -> None:
    world = world_of(*FLAGS, folders=("Work", "Home"))
    with ignoring_flags(stored=True):
        tallies = world.run(legs_of=100).tallies
    for folder in ("Work", "Home"):
        assert [set(flags) for flags in there(world, folder)] == [
            set(flags) - {"\\Deleted"} for flags in FLAGS
        ]
        assert tallies[folder].changes == {}


def test_flags_that_are_never_kept_are_told() -> None:
    world = world_of(*FLAGS)
    with ignoring_flags(stored=False):
        assert world.run(legs_of=100).tallies["Work"].changes == {"flags_not_kept": 4}
    assert there(world) == [()] * 5


def test_what_the_owner_of_a_lone_copy_may_have_changed_is_left_alone() -> None:
    world = world_of(("\\Seen",), ())
    with ignoring_flags(stored=True) as asked:
        world.run(legs_of=100)
    assert there(world) == [(), ()]
    assert asked == []


def test_a_server_that_keeps_flags_is_asked_once() -> None:
    world = world_of(*FLAGS, folders=("Work", "Home", "Lists"))
    flags = MemoryReader.flags
    asked: list[UidSet] = []

    def counted(session: MemoryReader, folder: FolderRef, uids: UidSet, *rest: Any) -> Iterator[Any]:
        asked.append(uids)
        return flags(session, folder, uids, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryReader, "flags", counted)
        world.run(legs_of=100)
    assert len(asked) == 1
