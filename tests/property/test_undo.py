"""Undo, after any import and whatever the owner did since, broken off at any command: it removes what the
import added and nobody has touched, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.compact.uid_set import Uid
from importer.domain.messages.message_body import whole
from importer.domain.model import Import, ImportId
from importer.domain.receipts.undo_report import UndoReport
from importer.engine.undo_copies import Undoing, undo
from providers.errors import ConnectionLost, Side
from tests.fakes.mailbox import Fault, MemoryMailbox, MemorySession
from tests.property.test_promise import Content, contents, faults, fill, lanes
from tests.property.world import BODIES, DESTINATION, NOTICE, SOURCE, Strike, World, expected

Place = tuple[str, Uid]
DATE = "23-Nov-2026 08:00:00 -0500"
ACTS = ("read", "flag", "tag", "delete", "move", "mark deleted", "add twin")

acts = st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 30)), max_size=8)
undo_faults = st.lists(
    st.tuples(
        st.sampled_from(("remove", "remove", "messages", "uids", "status", "list", "remove_folder")),
        st.sampled_from((Fault.BEFORE, Fault.DURING, Fault.AFTER)),
    ),
    max_size=5,
)


@dataclass
class Owner:
    """Who does things in the new mailbox; `touched` and `added` are what must stay for it."""

    mailbox: MemoryMailbox
    stays: Counter[tuple[str, bytes]] = field(default_factory=Counter)
    touched: set[Place] = field(default_factory=set)

    def acts(self, what: str, number: int, copied: set[Place]) -> None:
        there = sorted(p for p in copied - self.touched if p[1] in self.mailbox.folders[p[0]].messages)
        if not there:
            return
        name, uid = there[number % len(there)]
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
            case "mark deleted":  # they want it gone as well
                folder.messages[uid] = message._replace(flags=(*message.flags, "\\Deleted"))
                return
            case "delete":
                del folder.messages[uid]
            case "move":
                del folder.messages[uid]
                self.mailbox.create("Elsewhere").add(message.flags, DATE, whole(message.body))
            case "add twin":  # equal in everything, and yet not ours
                folder.add(message.flags, DATE, whole(message.body))
                return
        self.touched.add((name, uid))


def places(mailbox: MemoryMailbox) -> set[Place]:
    return {(name, uid) for name, folder in mailbox.folders.items() for uid in folder.messages}


def undone(world: World, broken: Sequence[Strike] = ()) -> UndoReport:
    """Undoes the first import, as often as it takes."""
    upcoming = list(broken)

    def strike(operation: str) -> Fault | None:
        return upcoming.pop(0)[1] if upcoming and upcoming[0][0] == operation else None

    world.destination.fault = strike
    import_ = Import(ImportId("import1"), SOURCE, DESTINATION, world.clock.now())
    for _ in range(len(broken) + 1):
        lease = world._lease()
        session = MemorySession(world.destination, Side.DESTINATION)
        try:
            return undo(Undoing(import_, session, world.store, lease, lambda: None, world.clock))
        except ConnectionLost:
            continue
        finally:
            world.store.release(lease)
    raise AssertionError("there was no fault any more")


@given(source=contents, prior=contents, broken=faults, happened=acts, breaks=undo_faults, lanes=lanes)
def test_undo_removes_what_was_added_and_untouched_and_nothing_else(
    source: Content,
    prior: Content,
    broken: Sequence[Strike],
    happened: Sequence[tuple[str, int]],
    breaks: Sequence[Strike],
    lanes: int,
) -> None:
    world = World()
    fill(world.source, source)
    fill(world.destination, prior)
    before = places(world.destination)
    folders_before = set(world.destination.folders)
    world.run(batch=2, lanes=lanes, faults=broken)
    copied = places(world.destination) - before
    owner = Owner(world.destination)
    for what, number in happened:
        owner.acts(what, number, copied)
    there = places(world.destination)
    report = undone(world, breaks)
    assert places(world.destination) == there - (copied - owner.touched)
    assert report.adds_up
    assert report.totals.added == len(copied)
    assert report.totals.removed == len(copied - owner.touched)
    made = set(world.destination.folders) - folders_before - {"Elsewhere"}
    assert made == {name for name, _ in places(world.destination)} - folders_before - {"Elsewhere"}
    once_more = undone(world)
    assert once_more.totals == report.totals
    assert places(world.destination) == there - (copied - owner.touched)


@given(source=contents, prior=contents, broken=faults, breaks=undo_faults, second=st.booleans())
def test_what_was_undone_comes_again_with_the_next_import(
    source: Content, prior: Content, broken: Sequence[Strike], breaks: Sequence[Strike], *, second: bool
) -> None:
    world = World()
    fill(world.source, source)
    fill(world.destination, prior)
    before = world.contents(world.destination)
    world.run(batch=2, faults=broken)
    if second:  # an import that found everything there
        world.run(batch=2)
    undone(world, breaks)
    assert world.contents(world.destination) == before
    world.run(batch=2)
    assert world.contents(world.destination) == expected(world.contents(world.source), before, [NOTICE])


@pytest.mark.parametrize("act", ["read", "flag", "tag", "mark deleted"])
@pytest.mark.parametrize("lost", [None, Fault.AFTER])
def test_what_its_owner_touches_between_the_look_and_the_removal_stays(act: str, lost: Fault | None) -> None:
    world = World()
    fill(world.source, [(0, n, 0, 0) for n in range(4)])
    world.run()
    copied = places(world.destination)
    owner = Owner(world.destination)
    upcoming: list[Fault | None] = [lost]

    def meanwhile(operation: str) -> Fault | None:
        if operation == "remove" and upcoming:
            owner.acts(act, 1, copied)
            return upcoming.pop()
        return None

    world.destination.fault = meanwhile
    import_ = Import(ImportId("import1"), SOURCE, DESTINATION, world.clock.now())
    for _ in range(2):
        lease = world._lease()
        try:
            session = MemorySession(world.destination, Side.DESTINATION)
            undo(Undoing(import_, session, world.store, lease, lambda: None, world.clock))
        except ConnectionLost:
            continue
        finally:
            world.store.release(lease)
    report = undone(world)
    assert places(world.destination) == owner.touched
    assert len(owner.touched) == (act != "mark deleted")
    assert (report.totals.touched, report.totals.gone) == (len(owner.touched), 0)
    [*_, (name, uid)] = [("INBOX", Uid(0)), *owner.touched]
    world.destination.folders[name].messages.pop(uid, None)  # its owner, later
    assert undone(world).totals.gone == len(owner.touched)


def test_without_exact_uids_nothing_is_removed() -> None:
    world = World()
    world.destination.gives_uids = False
    fill(world.source, [(0, n, 0, 0) for n in range(len(BODIES))])
    world.run()
    there = places(world.destination)
    report = undone(world)
    assert places(world.destination) == there
    assert report.totals.unidentified == report.totals.added == len(there)


def test_what_is_not_byte_for_byte_what_was_stored_stays() -> None:
    world = World()
    fill(world.source, [(0, 5, 0, 0), (0, 6, 0, 0)])
    world.run()
    inbox = world.destination.folders["INBOX"].messages
    changed, _ = inbox
    inbox[changed] = inbox[changed]._replace(body=BODIES[0])
    totals = undone(world).totals
    assert (totals.altered, totals.removed) == (1, 1)
    assert list(inbox) == [changed]


def test_a_folder_that_its_owner_made_anew_stays() -> None:
    world = World()
    fill(world.source, [(1, 5, 0, 0)])
    world.run()
    [name] = set(world.destination.folders) - {"INBOX"}
    world.destination.renumber(name)
    world.destination.folders[name].messages.clear()
    report = undone(world)
    assert name in world.destination.folders
    assert [kept for kept, _ in report.folders_kept] == [name]
