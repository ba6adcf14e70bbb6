"""Undo, after any import and any action of the owner, interrupted at any command: it removes what the import
added and is untouched since, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from importer.compact.uid_set import Uid
from importer.domain.import_options import ImportOptions
from importer.domain.messages.message_body import whole
from importer.domain.model import Import, ImportId
from importer.domain.receipts.undo_report import UndoReport
from importer.engine import undo_copies
from importer.engine.undo_copies import MOST_MESSAGES, Undoing, undo
from providers.errors import ConnectionLost
from tests.fakes.mailbox import Fault, MemoryMailbox, MemoryWriter
from tests.fakes.store import MemoryStore
from tests.property.test_promise import Content, check_tallies, contents, faults, fill, lanes
from tests.property.world import BODIES, DESTINATION, NOTICE, SOURCE, Strike, World, expected

Place = tuple[str, Uid]
DATE = "23-Nov-2026 08:00:00 -0500"
ACTS = ("read", "flag", "tag", "delete", "move", "mark deleted", "add twin")

acts = st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 30)), max_size=8)
at_once = st.sampled_from((1, 3, MOST_MESSAGES))
undo_faults = st.lists(
    st.tuples(
        st.sampled_from(("remove", "remove", "messages", "uids", "status", "list", "remove_folder")),
        st.sampled_from((Fault.BEFORE, Fault.DURING, Fault.AFTER)),
    ),
    max_size=5,
)


@dataclass
class Owner:
    """The owner of the new mailbox. `touched` holds copies that an undo must not remove."""

    mailbox: MemoryMailbox
    stays: Counter[tuple[str, bytes]] = field(default_factory=Counter)
    touched: set[Place] = field(default_factory=set)

    def acts(self, what: str, number: int, copied: set[Place]) -> None:
        present = sorted(p for p in copied - self.touched if p[1] in self.mailbox.folders[p[0]].messages)
        if not present:
            return
        name, uid = present[number % len(present)]
        folder = self.mailbox.folders[name]
        message = folder.messages[uid]
        match what:
            case "read":
                flags = {*message.flags} ^ {"\\Seen"}
                folder.messages[uid] = message._replace(flags=tuple(flags))
            case "flag":
                folder.messages[uid] = message._replace(flags=tuple({*message.flags} ^ {"\\Flagged"}))
            case "tag":
                folder.messages[uid] = message._replace(flags=(*message.flags, "Mine"))
            case "mark deleted":  # the owner wants it removed as well
                folder.messages[uid] = message._replace(flags=(*message.flags, "\\Deleted"))
                return
            case "delete":
                del folder.messages[uid]
            case "move":
                del folder.messages[uid]
                self.mailbox.create("Elsewhere").add(message.flags, DATE, whole(message.body))
            case "add twin":  # equal in everything, but not ours
                folder.add(message.flags, DATE, whole(message.body))
                return
        self.touched.add((name, uid))


def places(mailbox: MemoryMailbox) -> set[Place]:
    return {(name, uid) for name, folder in mailbox.folders.items() for uid in folder.messages}


def undo_first_import(
    world: World, broken: Sequence[Strike] = (), attempts: int | None = None, at_once: int = MOST_MESSAGES
) -> UndoReport:
    """Undo the first import, repeated until it succeeds, with `at_once` messages checked together."""
    upcoming = list(broken)

    def strike(operation: str) -> Fault | None:
        return upcoming.pop(0)[1] if upcoming and upcoming[0][0] == operation else None

    world.destination.fault = strike
    import_ = Import(ImportId("import1"), SOURCE, DESTINATION, world.clock.now())
    for _ in range(attempts or len(broken) + 1):
        lease = world._lease()
        session = MemoryWriter(world.destination)
        try:
            with mock.patch.object(undo_copies, "MOST_MESSAGES", at_once):
                return undo(Undoing(import_, session, world.store, lease, lambda: None, world.clock))
        except ConnectionLost:
            continue
        finally:
            world.store.release(lease)
    raise AssertionError("every attempt failed, although no fault was left")


def interrupted_undo(world: World, lost: Fault) -> None:
    """Undo the first import, which ends at its first removal."""
    with suppress(AssertionError):
        undo_first_import(world, [("remove", lost)], attempts=1)


@given(
    source=contents,
    prior=contents,
    broken=faults,
    actions=acts,
    undo_breaks=undo_faults,
    lanes=lanes,
    at_once=at_once,
)
def test_undo_removes_untouched_copies_and_nothing_else(
    source: Content,
    prior: Content,
    broken: Sequence[Strike],
    actions: Sequence[tuple[str, int]],
    undo_breaks: Sequence[Strike],
    lanes: int,
    at_once: int,
) -> None:
    world = World()
    fill(world.source, source)
    fill(world.destination, prior)
    before = places(world.destination)
    folders_before = set(world.destination.folders)
    world.run(batch=2, lanes=lanes, faults=broken)
    copied = places(world.destination) - before
    owner = Owner(world.destination)
    for what, number in actions:
        owner.acts(what, number, copied)
    present = places(world.destination)
    report = undo_first_import(world, undo_breaks, at_once=at_once)
    assert places(world.destination) == present - (copied - owner.touched)
    assert report.adds_up
    assert report.totals.added == len(copied)
    assert report.totals.removed == len(copied - owner.touched)
    made = set(world.destination.folders) - folders_before - {"Elsewhere"}
    assert made == {name for name, _ in places(world.destination)} - folders_before - {"Elsewhere"}
    once_more = undo_first_import(world)
    assert once_more.totals == report.totals
    assert places(world.destination) == present - (copied - owner.touched)


@given(source=contents, prior=contents, broken=faults, undo_breaks=undo_faults, second=st.booleans())
def test_the_next_import_copies_undone_messages_again(
    source: Content, prior: Content, broken: Sequence[Strike], undo_breaks: Sequence[Strike], *, second: bool
) -> None:
    world = World()
    fill(world.source, source)
    fill(world.destination, prior)
    before = world.contents(world.destination)
    world.run(batch=2, faults=broken)
    if second:  # an import that finds everything present
        world.run(batch=2)
    undo_first_import(world, undo_breaks)
    assert world.contents(world.destination) == before
    world.run(batch=2)
    assert world.contents(world.destination) == expected(world.contents(world.source), before, [NOTICE])


@pytest.mark.parametrize(("at_once", "times"), [(MOST_MESSAGES, 1), (3, 3), (1, 7)])
def test_small_receipts_are_checked_noted_and_removed_together(at_once: int, times: int) -> None:
    world = World()
    fill(world.source, [(0, n, 0, 0) for n in range(7)])
    world.run(batch=1)
    calls = mock.Mock()
    with ExitStack() as stack:
        for of, name in (
            (MemoryWriter, "messages"),
            (MemoryStore, "note_undoing"),
            (MemoryWriter, "remove"),
            (MemoryStore, "undo_copies"),
        ):
            spied = mock.patch.object(of, name, autospec=True, side_effect=getattr(of, name))
            calls.attach_mock(stack.enter_context(spied), name)
        report = undo_first_import(world, at_once=at_once)
    assert report.totals.removed == 7
    assert [name for name, _, _ in calls.mock_calls] == [
        *("messages", "note_undoing", "remove", "undo_copies")
    ] * times


@given(source=contents, other=contents, prior=contents, undo_breaks=undo_faults, at_once=at_once)
@example(  # the messages are removed, and the undo ends before it could note that
    source=[(0, 5, 0, 0), (0, 5, 0, 0)],
    other=[(0, 5, 0, 0)],
    prior=[],
    undo_breaks=[("remove", Fault.AFTER)],
    at_once=1,
)
def test_imports_after_an_undo_that_was_interrupted_bring_everything(
    source: Content, other: Content, prior: Content, undo_breaks: Sequence[Strike], at_once: int
) -> None:
    world = World()
    fill(world.source, source)
    fill(world.destination, prior)
    before = world.contents(world.destination)
    beside = world.beside("bob@old.example")
    fill(beside.source, other)
    world.run(batch=2)
    beside.run(batch=2)
    with suppress(AssertionError):
        undo_first_import(world, undo_breaks, attempts=1, at_once=at_once)
    promise = expected(world.contents(world.source), before, [NOTICE])
    for one in (beside, world):
        check_tallies(one, one.run(batch=2))
    assert world.contents(world.destination) == expected(beside.contents(beside.source), promise, [NOTICE])
    undo_first_import(world)  # what is left of it
    for one in (world, beside):
        one.run(batch=2)
    assert world.contents(world.destination) == expected(beside.contents(beside.source), promise, [NOTICE])


@pytest.mark.parametrize("folder", [0, 1], ids=["INBOX", "a folder that the undo removes"])
@pytest.mark.parametrize("lost", [None, Fault.AFTER])
def test_what_another_old_mailbox_shares_with_the_undone_one_is_brought_again(
    folder: int, lost: Fault | None
) -> None:
    world = World()
    other = world.beside("bob@old.example")
    fill(world.source, [(folder, 5, 0, 0), (folder, 6, 0, 0)])
    fill(other.source, [(folder, 5, 0, 0), (folder, 5, 0, 0), (folder, 4, 0, 0)])
    world.run()
    present = sum(tally.present for tally in other.run().tallies.values())
    undo_first_import(world, [("remove", lost)] if lost else [])
    watched = other.run()
    assert present == 2
    assert world.contents(world.destination) == expected(other.contents(other.source), {}, [NOTICE])
    check_tallies(other, watched)


@pytest.mark.parametrize("act", ["read", "flag", "tag", "mark deleted"])
@pytest.mark.parametrize("lost", [None, Fault.AFTER])
@pytest.mark.parametrize("batch", [1, 2])
def test_messages_touched_between_check_and_removal_stay(act: str, lost: Fault | None, batch: int) -> None:
    world = World()
    fill(world.source, [(0, n, 0, 0) for n in range(4)])
    world.run(batch=batch)
    copied = places(world.destination)
    owner = Owner(world.destination)
    upcoming: list[Fault | None] = [lost]

    def meanwhile(operation: str) -> Fault | None:
        if operation == "remove" and upcoming:
            owner.acts(act, batch - 1, copied)
            return upcoming.pop()
        return None

    world.destination.fault = meanwhile
    import_ = Import(ImportId("import1"), SOURCE, DESTINATION, world.clock.now())
    for _ in range(2):
        lease = world._lease()
        try:
            session = MemoryWriter(world.destination)
            undo(Undoing(import_, session, world.store, lease, lambda: None, world.clock))
        except ConnectionLost:
            continue
        finally:
            world.store.release(lease)
    report = undo_first_import(world)
    assert places(world.destination) == owner.touched
    assert len(owner.touched) == (act != "mark deleted")
    assert (report.totals.touched, report.totals.gone) == (len(owner.touched), 0)
    [*_, (name, uid)] = [("INBOX", Uid(0)), *owner.touched]
    world.destination.folders[name].messages.pop(uid, None)  # the owner removes it later
    assert undo_first_import(world).totals.gone == len(owner.touched)
    world.run()  # brings what the undo removed, and not what its owner did
    assert len(places(world.destination)) == 4 - len(owner.touched)


@pytest.mark.parametrize("act", ["read", "flag", "tag"])
def test_messages_touched_after_an_interrupted_undo_are_not_left_marked_as_deleted(act: str) -> None:
    world = World()
    fill(world.source, [(0, n, 0, 0) for n in range(4)])
    world.run(batch=4)
    interrupted_undo(world, Fault.DURING)
    owner = Owner(world.destination)
    owner.acts(act, 0, places(world.destination))
    report = undo_first_import(world)
    [(name, uid)] = owner.touched
    assert places(world.destination) == owner.touched
    assert "\\Deleted" not in world.destination.folders[name].messages[uid].flags
    assert (report.totals.removed, report.totals.touched) == (3, 1)


@pytest.mark.parametrize("from_another", [False, True])
def test_an_import_keeps_what_an_interrupted_undo_marked_as_deleted(*, from_another: bool) -> None:
    world = World()
    messages = [(0, n, 0, 0) for n in range(4)]
    fill(world.source, messages)
    world.run(batch=4)
    interrupted_undo(world, Fault.DURING)
    sender = world.beside("bob@old.example") if from_another else world
    if from_another:
        fill(sender.source, messages)
    tally = sender.run().tallies["INBOX"]
    assert (tally.copied, tally.present) == (2, 2)
    kept = world.destination.folders["INBOX"].messages.values()
    assert not any("\\Deleted" in message.flags for message in kept)
    undo_first_import(world)
    sender.run()
    assert world.contents(world.destination) == world.contents(sender.source)


@pytest.mark.parametrize("lost", [Fault.BEFORE, Fault.DURING, Fault.AFTER])
def test_what_an_interrupted_undo_noted_is_brought_again_after_its_folder_was_removed(lost: Fault) -> None:
    world = World()
    fill(world.source, [(1, 5, 0, 0), (1, 6, 0, 0)])
    world.run()
    [name] = set(world.destination.folders) - {"INBOX"}
    interrupted_undo(world, lost)
    del world.destination.folders[name]
    check_tallies(world, world.run())
    assert world.contents(world.destination) == expected(world.contents(world.source), {}, [NOTICE])


def test_messages_whose_flags_the_owner_changed_and_changed_back_stay() -> None:
    world = World(options=ImportOptions(sync_flags=True))
    fill(world.source, [(0, 5, 0, 0), (0, 6, 0, 0)])
    world.run()
    messages = world.destination.folders["INBOX"].messages
    uid, _ = messages
    sent = messages[uid].flags
    for mailbox in (world.destination, world.source):  # both owners read it
        folder = mailbox.folders["INBOX"]
        first = next(iter(folder.messages))
        folder.messages[first] = folder.messages[first]._replace(flags=("\\Seen",))
    world.run()  # notices that
    messages[uid] = messages[uid]._replace(flags=sent)  # to be answered later
    totals = undo_first_import(world).totals
    assert (totals.touched, totals.removed) == (1, 1)
    assert list(messages) == [uid]


def test_messages_that_an_undo_noted_and_left_are_counted_once() -> None:
    world = World()
    fill(world.source, [(0, 5, 0, 0), (0, 6, 0, 0)])
    world.run()
    interrupted_undo(world, Fault.BEFORE)
    world.run()  # finds them there
    owner = Owner(world.destination)
    owner.acts("read", 0, places(world.destination))
    totals = undo_first_import(world).totals
    assert (totals.touched, totals.removed) == (1, 1)
    check_tallies(world, world.run())


def test_folders_are_listed_twice_however_many_they_are() -> None:
    world = World()
    for name in ("INBOX", "Work", "Travel", "Later"):
        world.source.create(name).add((), DATE, BODIES[3])
    world.run()
    with mock.patch.object(MemoryWriter, "listing", autospec=True, side_effect=MemoryWriter.listing) as lists:
        assert undo_first_import(world).totals.removed == 4
    assert lists.call_count == 2


class Killed(BaseException):
    """The worker is gone."""


@pytest.mark.parametrize("from_another", [False, True])
def test_a_copy_that_an_undo_noted_is_not_taken_for_a_lost_append(*, from_another: bool) -> None:
    """Both messages have the same header and differ in their text."""
    world = World()
    sender = world.beside("bob@old.example") if from_another else world
    world.source.folders["INBOX"].add((), DATE, BODIES[0])
    ends_at: list[str] = ["append"] if from_another else ["append", "append"]

    def ends(operation: str) -> Fault | None:
        if ends_at and operation == ends_at[-1]:
            ends_at.pop()
            if not ends_at:
                raise Killed
        return None

    sender.source.folders["INBOX"].add((), DATE, BODIES[1])
    world.destination.fault = ends
    with suppress(Killed):
        sender.run_with_own_faults(batch=1)
    if from_another:
        world.run()
    interrupted_undo(world, Fault.BEFORE)
    sender.run()
    assert world.contents(world.destination) == {"INBOX": Counter(BODIES[:2])}


def test_without_exact_uids_nothing_is_removed() -> None:
    world = World()
    world.destination.gives_uids = False
    fill(world.source, [(0, n, 0, 0) for n in range(len(BODIES))])
    world.run()
    present = places(world.destination)
    report = undo_first_import(world)
    assert places(world.destination) == present
    assert report.totals.unidentified == report.totals.added == len(present)


def test_messages_in_a_folder_that_cannot_be_opened_now_are_not_called_gone() -> None:
    world = World()
    fill(world.source, [(0, 5, 0, 0), (1, 6, 0, 0), (1, 4, 0, 0)])
    world.run()
    world.destination.closed.add("Sent")
    totals = undo_first_import(world).totals
    assert (totals.added, totals.removed, totals.gone, totals.unidentified) == (3, 1, 0, 2)
    world.destination.closed.clear()
    assert undo_first_import(world).totals.removed == 3


def test_an_altered_message_stays() -> None:
    world = World()
    fill(world.source, [(0, 5, 0, 0), (0, 6, 0, 0)])
    world.run()
    inbox = world.destination.folders["INBOX"].messages
    changed, _ = inbox
    inbox[changed] = inbox[changed]._replace(body=BODIES[0])
    totals = undo_first_import(world).totals
    assert (totals.altered, totals.removed) == (1, 1)
    assert list(inbox) == [changed]


def test_a_recreated_folder_stays() -> None:
    world = World()
    fill(world.source, [(1, 5, 0, 0)])
    world.run()
    [name] = set(world.destination.folders) - {"INBOX"}
    world.destination.renumber(name)
    world.destination.folders[name].messages.clear()
    report = undo_first_import(world)
    assert name in world.destination.folders
    assert [kept for kept, _ in report.folders_kept] == [name]
