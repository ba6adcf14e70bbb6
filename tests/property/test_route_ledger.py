"""Deferred writes of a leg are written in time; if not, the messages are found again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from importer.compact.uid_set import Uid, UidValidity
from importer.domain.mailbox_content import FolderRef
from importer.domain.messages.message_body import whole
from importer.domain.model import Import, ImportId
from importer.domain.receipts.folder_tally import Refusal
from importer.domain.receipts.receipt import Intent, Outcome, Receipt
from importer.engine.leg_context import Leg
from importer.engine.route_ledger import MOST_PUT_OFF, RouteLedger
from importer.ports.leases import Lease
from importer.ports.ledger import LedgerChanges
from importer.ports.process import DatabaseUnavailable
from providers.text import Text
from tests.fakes.store import MemoryStore
from tests.property.world import BODIES, DESTINATION, NOTICE, SOURCE, Batches, TestClock, Watcher, World, mail

INBOX = FolderRef("INBOX", UidValidity(7))


class Written(MemoryStore):
    """Keeps what is written in which transaction, and fails when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[LedgerChanges] = []
        self.fail: Callable[[], None] = lambda: None
        self.then: Callable[[], None] = lambda: None

    def write(self, route: Any, changes: LedgerChanges, lease: Lease) -> None:
        self.fail()
        super().write(route, changes, lease)
        self.written.append(changes)
        self.then()


class Desk:
    """A ledger of a leg, and what is below it."""

    def __init__(self) -> None:
        self.store, self.clock = Written(), TestClock()
        self.lease = self.store.acquire("mailbox", "test", timedelta(hours=1))
        assert self.lease is not None
        self.import_ = Import(ImportId("one"), SOURCE, DESTINATION, self.clock.now())
        self.route = self.import_.route
        self.ledger = RouteLedger(self._leg())

    def _leg(self) -> Leg:
        world = World(store=self.store, clock=self.clock)
        assert self.lease is not None
        return Leg(
            self.import_,
            world._lane(0),
            world._lane,
            self.store,
            self.lease,
            Batches(9),
            Watcher(),
            self.clock,
            lambda _header: False,
        )

    def intend(self, uid: int, slot: int = 0) -> None:
        intent = Intent(
            self.import_.id, INBOX, (Uid(uid),), INBOX, Uid(1), bytes(16), (9,), self.clock.now(), slot=slot
        )
        self.ledger.note_intent(self.route, intent, self.lease)  # type: ignore[arg-type]

    def record(self, uid: int, slot: int | None = 0, refusals: Sequence[Refusal] = ()) -> None:
        receipt = Receipt(
            self.import_.id, INBOX, (Uid(uid),), Outcome.COPIED, INBOX, (Uid(uid),), bytes([uid] * 16), 9
        )
        self.ledger.record(
            self.route,
            "INBOX",
            [receipt],
            refusals,
            self.lease,  # type: ignore[arg-type]
            closes_slot=slot,
        )


def test_receipts_are_written_with_the_next_intent() -> None:
    desk = Desk()
    desk.intend(1)
    desk.record(1)
    assert len(desk.store.written) == 1
    assert [intent.source_uids for intent in desk.store.intents(desk.route, "INBOX")] == [(1,)]
    desk.intend(2)
    assert len(desk.store.written) == 2
    assert [intent.source_uids for intent in desk.store.intents(desk.route, "INBOX")] == [(2,)]
    assert [receipt.source_uids for receipt in desk.store.receipts(desk.route, "INBOX")] == [(1,)]


@pytest.mark.parametrize("read", ["receipts", "intents", "copies_into", "last_receipt"])
def test_a_read_misses_nothing(read: str) -> None:
    desk = Desk()
    desk.intend(1)
    desk.record(1)
    found = getattr(desk.ledger, read)(desk.route, "INBOX")
    assert found is not None
    assert len(desk.store.written) == 2
    assert not desk.store.intents(desk.route, "INBOX")


def test_what_is_late_or_refused_or_too_much_is_written_at_once() -> None:
    desk = Desk()
    desk.intend(1)
    desk.record(1)
    desk.clock.sleep(1)
    desk.record(2)
    assert len(desk.store.written) == 2
    refusal = Refusal(desk.import_.id, "INBOX", INBOX.uidvalidity, Uid(3), Text("not_taken", words="no"))
    desk.record(3, refusals=[refusal])
    assert len(desk.store.written) == 3
    for number in range(MOST_PUT_OFF):
        desk.record(4 + number, slot=None)
    assert len(desk.store.written) == 4


def test_what_could_not_be_written_is_written_later() -> None:
    desk = Desk()
    desk.intend(1)
    desk.record(1)

    def fail() -> None:
        raise OSError("full")

    desk.store.fail = fail
    with pytest.raises(OSError, match="full"):
        desk.intend(2)
    assert [intent.source_uids for intent in desk.store.intents(desk.route, "INBOX")] == [(1,)]
    desk.store.fail = lambda: None
    desk.ledger.flush()
    assert not desk.store.intents(desk.route, "INBOX")
    assert len(list(desk.store.receipts(desk.route, "INBOX"))) == 1


def test_what_may_have_been_written_is_not_written_again() -> None:
    desk = Desk()
    desk.intend(1)
    desk.record(1)

    def away() -> None:
        raise DatabaseUnavailable("gone")

    desk.store.then = away
    with pytest.raises(DatabaseUnavailable):
        desk.intend(2)
    desk.store.then = lambda: None
    for write in (desk.ledger.flush, partial(desk.intend, 3), partial(desk.ledger.created, desk.import_.id)):
        with pytest.raises(DatabaseUnavailable):
            write()
    assert [intent.source_uids for intent in desk.store.intents(desk.route, "INBOX")] == [(2,)]
    assert len(list(desk.store.receipts(desk.route, "INBOX"))) == 1


@pytest.mark.parametrize("writes", range(10))
@pytest.mark.parametrize("lanes", [1, 3])
def test_a_database_that_commits_and_does_not_answer_makes_no_message_count_twice(
    writes: int, lanes: int
) -> None:
    store = Written()
    world = World(store=store)
    for name in ("INBOX", "Work"):
        for body in BODIES:
            world.source.create(name).add((), "02-Feb-1998 10:00:00 +0100", body)
    left = [writes]

    def away() -> None:
        left[0] -= 1
        if left[0] == -1:
            raise DatabaseUnavailable("gone")

    store.then = away
    with suppress(DatabaseUnavailable):
        world.run_with_own_faults(batch=2, legs_of=99, lanes=lanes)
    world.run_with_own_faults(batch=2, lanes=lanes)
    route = Import(ImportId("one"), SOURCE, DESTINATION, world.clock.now()).route
    for name, folder in world.destination.folders.items():
        counts = Counter(whole(message.body) for message in folder.messages.values())
        assert counts == {body: 1 for body in BODIES if body != NOTICE}
        recorded = Counter(
            uid for copies in store.copies_into(route, name) for uid in copies.receipt.destination_uids
        )
        assert set(recorded.values()) == {1}


def test_a_folder_without_records_is_not_read() -> None:
    desk = Desk()

    def fail(*_: object) -> None:
        raise AssertionError

    desk.store.receipts = desk.store.intents = desk.store.refusals = fail  # type: ignore[assignment,method-assign]
    assert not list(desk.ledger.receipts(desk.route, "INBOX"))
    assert not desk.ledger.intents(desk.route, "INBOX")
    assert not list(desk.ledger.refusals(desk.import_.id))


def test_the_refusals_of_one_folder_are_not_read_for_each_other_folder() -> None:
    world, folders, refused = World(), 30, 40
    for number in range(refused):
        world.source.create("Odd").add((), "", mail(f"odd {number}", "long" * 1000, f"odd{number}"))
    for number in range(folders):
        world.source.create(f"List {number}").add((), "", mail(f"{number}", "text", f"list{number}"))
    world.destination.append_limit_bytes = 2000
    read, refusals = 0, MemoryStore.refusals

    def counted(store: MemoryStore, *of: Any) -> Iterator[Refusal]:
        nonlocal read
        for refusal in refusals(store, *of):
            read += 1
            yield refusal

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryStore, "refusals", counted)
        tally = world.run(batch=100, legs_of=9999).tallies["Odd"]
    assert tally.failed == refused
    assert read <= 10 * refused, "and not once for each of the other folders"


class Killed(BaseException):
    """The process ends: nothing more is written."""


@pytest.mark.parametrize("writes", range(12))
@pytest.mark.parametrize("lanes", [1, 3])
def test_a_killed_leg_doubles_nothing_and_loses_nothing(writes: int, lanes: int) -> None:
    """Killed before each of its writes, and whatever it put off is gone."""
    store = Written()
    world = World(store=store)
    for name in ("INBOX", "Work", "Work/Old"):
        for body in BODIES:
            world.source.create(name).add((), "02-Feb-1998 10:00:00 +0100", body)
    left = [writes]

    def kill() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed

    store.fail = kill
    with pytest.raises(Killed):
        world.run_with_own_faults(batch=2, legs_of=99, lanes=lanes)
    store.fail = lambda: None
    world.run_with_own_faults(batch=2, lanes=lanes)
    for folder in world.destination.folders.values():
        stored = Counter(whole(message.body) for message in folder.messages.values())
        assert stored == {body: 1 for body in BODIES if body != NOTICE}
