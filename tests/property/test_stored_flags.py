"""A destination that ignores flags: they are set afterwards, or the report says that they are not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from importer.compact.uid_set import UidSet
from importer.domain.mailbox_content import AppendResult, FolderRef, KeywordRule, Outgoing, Stored
from importer.domain.model import Import, ImportId
from importer.engine.leg_context import TransferLimits
from tests.fakes.mailbox import Fault, MemoryFolder, MemoryReader, MemoryWriter
from tests.property.world import DESTINATION, SOURCE, Watcher, World, mail

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
def ignoring_flags(*, stored: bool, kept: Sequence[str] = ()) -> Iterator[list[str]]:
    """The destination ignores the flags of APPEND that are not `kept` and, unless `stored`, those of STORE.
    Yields the folders whose flags were asked for."""
    append, change, flags = MemoryWriter._stored, MemoryWriter.change_flags, MemoryReader.flags
    asked: list[str] = []

    def without(session: MemoryWriter, target: MemoryFolder, message: Outgoing) -> AppendResult:
        return append(
            session, target, message._replace(flags=tuple(flag for flag in message.flags if flag in kept))
        )

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


def test_flags_of_copies_whose_append_was_lost_are_set() -> None:
    world = world_of(*FLAGS)
    with ignoring_flags(stored=True):
        tally = world.run(batch=10, legs_of=100, faults=[("append", Fault.AFTER)]).tallies["Work"]
    assert [set(flags) for flags in there(world)] == [set(flags) - {"\\Deleted"} for flags in FLAGS]
    assert tally.changes == {}


def test_flags_of_copies_that_the_server_did_not_name_are_set() -> None:
    """It names the first UID of several messages."""
    world = world_of(*FLAGS)
    begin = MemoryWriter.begin_append

    def names_the_first(
        session: MemoryWriter, folder: FolderRef, messages: Sequence[Outgoing]
    ) -> Callable[[], Sequence[AppendResult] | None]:
        begin(session, folder, messages)()
        return lambda: [Stored(None, named=1)] * len(messages)

    with ignoring_flags(stored=True), pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryWriter, "begin_append", names_the_first)
        tally = world.run(batch=10, legs_of=100).tallies["Work"]
    assert [set(flags) for flags in there(world)] == [set(flags) - {"\\Deleted"} for flags in FLAGS]
    assert tally.changes == {}


@pytest.mark.parametrize("stored", [True, False])
def test_without_uidplus_flags_are_set_or_told(*, stored: bool) -> None:
    world = world_of(*FLAGS, folders=("Work", "Home"))
    world.destination.gives_uids = False
    with ignoring_flags(stored=stored):
        tallies = world.run(legs_of=100).tallies
    for folder in ("Work", "Home"):
        expected = [set(flags) - {"\\Deleted"} if stored else set() for flags in FLAGS]
        assert [set(flags) for flags in there(world, folder)] == expected
        assert tallies[folder].changes == ({} if stored else {"flags_not_kept": 4})


def test_without_uidplus_copies_that_look_alike_are_left_alone_and_told() -> None:
    world = world_of(*FLAGS)
    world.destination.gives_uids = False
    for text in ("one", "two"):
        world.source.folders["Work"].add(("\\Seen",), DATE, mail("alike", text, "alike"))
    with ignoring_flags(stored=True):
        assert world.run(legs_of=100).tallies["Work"].changes == {"flags_not_kept": 2}
    assert there(world)[-2:] == [(), ()]


def test_a_flag_that_alone_is_ignored_is_set_and_no_other() -> None:
    """The owner of the new mailbox removes a flag that it keeps."""
    world = world_of(("\\Seen", "\\Flagged"), ("\\Seen", "\\Flagged"), ("\\Answered",), ("$Label1",))
    change = MemoryWriter.change_flags

    def meanwhile(session: MemoryWriter, folder: FolderRef, *rest: Any) -> bool:
        messages = world.destination.folders["Work"].messages
        first = messages[min(messages)]
        messages[first.uid] = first._replace(flags=tuple(flag for flag in first.flags if flag != "\\Flagged"))
        return change(session, folder, *rest)

    kept = ("\\Flagged", "\\Answered", "$Label1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryWriter, "change_flags", meanwhile)
        with ignoring_flags(stored=True, kept=kept):
            assert world.run(batch=4, legs_of=100).tallies["Work"].changes == {}
    assert [set(flags) for flags in there(world)] == [
        {"\\Seen"},
        {"\\Seen", "\\Flagged"},
        {"\\Answered"},
        {"$Label1"},
    ]


def test_keywords_that_a_folder_cannot_hold_are_told_once() -> None:
    world = world_of(("$Label1",), ("$Label1",), ("$Label1",))
    world.destination.keywords = KeywordRule(any_keyword=False)
    tally = world.run(batch=1, legs_of=1).tallies["Work"]
    assert (tally.keywords_dropped, tally.changes) == (3, {})


@contextmanager
def closing_at(world: World, call: int) -> Iterator[None]:
    """The destination does not open the folder any more from that change of flags on."""
    change, calls = MemoryWriter.change_flags, 0

    def closes(session: MemoryWriter, folder: FolderRef, *rest: Any) -> bool:
        nonlocal calls
        calls += 1
        if calls == call:
            world.destination.closed.add(folder.name)
        return change(session, folder, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryWriter, "change_flags", closes)
        yield


@pytest.mark.parametrize("call", [1, 2, 4])
def test_flags_that_a_folder_which_closes_did_not_get_are_told(call: int) -> None:
    world = world_of(*FLAGS)
    with ignoring_flags(stored=True), closing_at(world, call):
        assert world.run(legs_of=100).tallies["Work"].changes == {"flags_not_kept": 4}


def test_flags_are_told_of_a_folder_that_the_source_closes() -> None:
    world = world_of(*FLAGS)

    def closes(session: MemoryWriter, folder: FolderRef, *rest: Any) -> bool:
        world.source.closed.add(folder.name)
        return True

    with ignoring_flags(stored=False), pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryWriter, "change_flags", closes)
        assert world.run(legs_of=100).tallies["Work"].changes == {"flags_not_kept": 4}


@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.DURING, Fault.AFTER])
def test_flags_that_an_interrupted_leg_did_not_set_are_told(fault: Fault) -> None:
    world = world_of(*FLAGS * 10)
    with ignoring_flags(stored=True):
        tally = world.run(batch=10, legs_of=100, faults=[("change_flags", fault)]).tallies["Work"]
    lacking = sum(
        set(now) != set(flags) - {"\\Deleted"} for now, flags in zip(there(world), FLAGS * 10, strict=True)
    )
    assert tally.changes.get("flags_not_kept", 0) == lacking
    assert lacking > 0


def unread(world: World) -> None:
    folder = world.destination.folders["Work"]
    for uid, message in folder.messages.items():
        folder.messages[uid] = message._replace(flags=())


@pytest.mark.parametrize("uidplus", [True, False])
def test_an_owner_who_marks_the_first_copies_unread_is_not_overruled(*, uidplus: bool) -> None:
    world = world_of(*[("\\Seen",)] * 30)
    world.destination.gives_uids = uidplus
    append = MemoryWriter._stored

    def stored(session: MemoryWriter, target: MemoryFolder, message: Outgoing) -> AppendResult:
        if len(target.messages) == 25:
            unread(world)
        return append(session, target, message)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryWriter, "_stored", stored)
        assert world.run(legs_of=100).tallies["Work"].changes == {}
    assert there(world) == [()] * 25 + [("\\Seen",)] * 5


@pytest.mark.parametrize("uidplus", [True, False])
def test_an_owner_who_marks_all_unread_between_two_legs_is_not_overruled(*, uidplus: bool) -> None:
    """The second leg appends nothing, so that nothing proves what the server did."""
    world = world_of(*[("\\Seen",)] * 4)
    world.destination.gives_uids = uidplus

    def between_legs() -> None:
        world.destination.land()
        if len(there(world)) == 4:
            unread(world)

    world.clock.on_sleep = between_legs
    tally = world.run(legs_of=1).tallies["Work"]
    assert there(world) == [()] * 4
    assert tally.changes == ({"flags_not_kept": 4} if uidplus else {})


@pytest.mark.parametrize("uidplus", [True, False])
def test_an_owner_who_marks_copies_unread_between_two_passes_is_not_overruled(*, uidplus: bool) -> None:
    """The import follows its mailbox, and its first pass has set the flags that APPEND ignored."""
    world = world_of(*[("\\Seen",)] * 4)
    world.destination.gives_uids = uidplus
    import_ = Import(ImportId("import1"), SOURCE, DESTINATION, world.clock.now())
    watcher = Watcher()
    with ignoring_flags(stored=True):
        world._leg(import_, watcher, TransferLimits(), 100)
        assert there(world) == [("\\Seen",)] * 4
        unread(world)
        for number in (4, 5):
            world.source.folders["Work"].add(("\\Seen",), DATE, mail(f"Work {number}", "text", f"w{number}"))
        world._leg(import_, watcher, TransferLimits(), 100)
    assert there(world) == [()] * 4 + [("\\Seen",)] * 2


def test_flags_that_a_lone_copy_lacks_are_told_and_left_alone() -> None:
    """Its owner may have removed them."""
    world = world_of(("\\Seen",), ())
    with ignoring_flags(stored=True):
        tally = world.run(legs_of=100).tallies["Work"]
    assert there(world) == [(), ()]
    assert tally.changes == {"flags_not_kept": 1}


@pytest.mark.parametrize("uidplus", [True, False])
def test_lone_copies_of_later_passes_are_told_with_those_before(*, uidplus: bool) -> None:
    """An import that follows its mailbox brings one message in each pass."""
    world = world_of(("\\Seen",))
    world.destination.gives_uids = uidplus
    import_ = Import(ImportId("import1"), SOURCE, DESTINATION, world.clock.now())
    watcher = Watcher()
    with ignoring_flags(stored=True):
        for number in range(1, 4):
            world._leg(import_, watcher, TransferLimits(), 100)
            lacking = number if uidplus else 1
            assert watcher.tallies["Work"].changes == {"flags_not_kept": lacking}
            world.source.folders["Work"].add(("\\Seen",), DATE, mail(f"late {number}", "text", f"l{number}"))


def test_a_lone_copy_that_has_its_flag_proves_that_it_is_kept() -> None:
    world = world_of(("\\Seen",), folders=("Work", "Home", "Lists"))
    with ignoring_flags(stored=True, kept=("\\Seen",)) as asked:
        tallies = world.run(legs_of=100).tallies
    assert all(not tally.changes for tally in tallies.values())
    assert len(asked) == 1


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
