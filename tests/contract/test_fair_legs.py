"""The choice of the next leg over every store: persons with many imports advance side by side."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest

from importer.domain.model import Batch, BatchId, ControlRequest, ImportId, Progress, State
from importer.domain.planning.fair_shares import FEW_IMPORTS, LegQueue, Share
from importer.ports.store import Store
from importer.service.deps import Deps
from importer.service.legs import fair_legs
from importer.service.legs.fair_legs import LOOK_INTERVAL, FairLegs
from tests.contract.test_store import NOW, SEALED, an_import, mailbox
from tests.fakes.store import MemoryStore
from tests.rehearsal.ports import PATIENCE_S
from tests.unit.test_service import Office

TTL = timedelta(minutes=1)
HOST = mailbox("ada@old.example").endpoint.host


def submit(store: Store, owner: str, number: int, **facts: Any) -> list[ImportId]:
    """Add a batch of that owner; return the ids of its imports."""
    batch_id = BatchId(f"batch of {owner}")
    ids = [ImportId(f"{owner}-{n:03}") for n in range(number)]
    imports = [an_import(id_, batch_id=batch_id, row=n, **facts) for n, id_ in enumerate(ids)]
    batch = Batch(batch_id, NOW, "", "", tuple(ids), owner, "")
    store.add_batch(batch, [(import_, SEALED) for import_ in imports])
    return ids


def had_leg(store: Store, id_: str, progress: Progress | None = None) -> None:
    """The import has had a leg, and got so far."""
    lease = store.acquire(f"import:{id_}", "worker", TTL)
    assert lease is not None
    if progress is not None:
        store.save_tallies(ImportId(id_), [], lease, progress=progress)
    store.release(lease)


class Legs:
    """Stands in for `handle_ring`: each leg completes its import, but for the first `unfinished`."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.unfinished = 0
        self.applied: list[str] = []

    def __call__(self, deps: Deps, import_id: ImportId, *, leg: bool = True) -> bool:
        if not leg:
            self.applied.append(import_id)
            return True
        lease = deps.store.acquire(f"import:{import_id}", deps.lease_owner, TTL)
        if lease is None:
            return False
        self.ran.append(import_id)
        import_ = deps.store.import_(import_id)
        assert import_ is not None
        if self.unfinished:
            self.unfinished -= 1
        else:
            deps.store.update_import(replace(import_, state=State.COMPLETE), lease)
        deps.store.release(lease)
        return True


@pytest.fixture
def legs(monkeypatch: pytest.MonkeyPatch) -> Legs:
    stand_in = Legs()
    monkeypatch.setattr(fair_legs, "handle_ring", stand_in)
    return stand_in


def fair(store: Store) -> tuple[FairLegs, Office]:
    office = Office()
    office.clock.time = NOW
    return FairLegs(replace(office.deps, store=store)), office


def owners(ran: list[str]) -> list[str]:
    return [id_.partition("-")[0] for id_ in ran]


def test_two_persons_with_a_hundred_imports_each_advance_side_by_side(store: Store, legs: Legs) -> None:
    number = 100 if isinstance(store, MemoryStore) else 25  # a commit to the disk takes a while
    rings = submit(store, "ada", number) + submit(store, "grace", number)
    worker, _ = fair(store)
    for number, rung in enumerate(rings, start=1):
        worker.handle_ring(rung)
        counts = Counter(owners(legs.ran))
        assert counts.total() == number, "each ring leads to a leg"
        assert abs(counts["ada"] - counts["grace"]) <= FEW_IMPORTS + 1, "the last few may come first"
    assert sorted(legs.ran) == sorted(rings), "none was passed over for good"


def test_the_imports_of_one_person_take_turns(store: Store, legs: Legs) -> None:
    ids = submit(store, "ada", 3)
    worker, _ = fair(store)
    legs.unfinished = 6
    for _ in range(6):
        worker.handle_ring(ids[0])
    assert Counter(legs.ran) == dict.fromkeys(ids, 2)


def test_threads_of_one_process_never_choose_the_same_import(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = submit(store, "ada", 4) + submit(store, "grace", 4)
    worker, _ = fair(store)
    chosen: list[str] = []
    together = Barrier(4, timeout=PATIENCE_S)

    def leg(_deps: Deps, import_id: ImportId, **_: Any) -> bool:
        chosen.append(import_id)
        together.wait()  # the lease is taken only after all have chosen
        return True

    monkeypatch.setattr(fair_legs, "handle_ring", leg)
    threads = [Thread(target=worker.handle_ring, args=(ids[0],)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(chosen)) == 4
    assert Counter(owners(chosen)) == {"ada": 2, "grace": 2}


def test_an_owner_whose_import_another_process_has_just_taken_is_passed_over(
    store: Store, legs: Legs, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, grace = submit(store, "ada", 1), submit(store, "grace", 1)
    worker, _ = fair(store)
    asked = store.leg_queue

    def asked_just_before(*arguments: Any, **named: Any) -> LegQueue:
        queue = asked(*arguments, **named)
        assert store.acquire(f"import:{ada[0]}", "another process", TTL)
        return queue

    monkeypatch.setattr(store, "leg_queue", asked_just_before)
    worker.handle_ring(ada[0])
    assert legs.ran == grace


def test_a_person_alone_keeps_every_thread_and_gives_up_one_once_another_waits(store: Store) -> None:
    worker, office = fair(store)
    for id_ in submit(store, "mallory", 6)[:4]:
        assert store.acquire(f"import:{id_}", "worker", TTL)

    def over() -> list[int]:
        office.clock.sleep(LOOK_INTERVAL.total_seconds())
        return [n for n in range(4) if worker.must_yield(ImportId(f"mallory-{n:03}"))]

    assert [over(), over(), over()] == [[], [], []]
    submit(store, "grace", 1)
    assert over() == [], "a free thread would take it"
    assert over() == [0], "one leg at a time"


def test_a_control_request_is_applied_at_once_and_jumps_no_queue(store: Store, legs: Legs) -> None:
    [paused] = submit(store, "mallory", 1, state=State.PAUSED, requested=ControlRequest.PAUSE)
    submit(store, "grace", 1)
    store.request_control(paused, None)
    worker, _ = fair(store)
    worker.handle_ring(paused)
    assert (legs.applied, legs.ran) == ([paused], [])


def test_due_imports_of_several_owners_are_in_turn(store: Store) -> None:
    submit(store, "ada", 3, created_at=NOW)
    submit(store, "grace", 2, created_at=NOW + timedelta(seconds=1))
    due = ["ada-000", "grace-000", "ada-001", "grace-001", "ada-002"]
    assert list(store.due_imports(NOW)) == due
    assert list(store.due_imports(NOW, limit=2)) == due[:2]


def test_the_leg_queue_names_running_and_due_imports_by_share(store: Store) -> None:
    ada, grace = submit(store, "ada", 3), submit(store, "grace", 1)
    store.add_batch(
        Batch(BatchId("console"), NOW, "", "", (ImportId("alone"),), "", ""), [(an_import("alone"), SEALED)]
    )
    of_ada, of_grace, console = (Share(owner, HOST) for owner in ("ada", "grace", ""))
    assert store.acquire(f"import:{ada[0]}", "worker", TTL)
    queue = store.leg_queue(NOW, besides=[ada[1]])
    assert queue.running == {ada[0]: of_ada}
    assert queue.due == {of_ada: 1, of_grace: 1, console: 1}
    assert queue.new == {of_ada, of_grace, console}
    assert store.next_leg(of_ada, NOW, besides=[ada[1]]) == ada[2]
    assert store.next_leg(of_grace, NOW) == grace[0]
    assert store.next_leg(console, NOW) == "alone"
    assert store.next_leg(of_grace, NOW, besides=grace) is None
    assert store.next_leg(Share("grace", "elsewhere.example"), NOW) is None
    had_leg(store, "alone")
    assert store.leg_queue(NOW).new == {of_ada, of_grace}, "one that had a leg is not new"
    assert store.leg_queue(NOW).due == {of_ada: 2, of_grace: 1, console: 1}


def test_small_mailboxes_of_an_owner_come_first(store: Store) -> None:
    large, small, new, half = submit(store, "ada", 4)
    for id_, done, total in ((large, 0, 9000), (small, 10, 30), (half, 8900, 9000)):
        had_leg(store, id_, Progress(messages_done=done, messages_total=total))
    order: list[ImportId] = []
    while (chosen := store.next_leg(Share("ada", HOST), NOW, besides=order)) is not None:
        order.append(chosen)
    assert order == [new, small, half, large]
    assert store.next_leg(Share("ada", HOST), NOW, longest_waiting=True) in (new, large)
    had_leg(store, new)
    assert store.next_leg(Share("ada", HOST), NOW, longest_waiting=True) == large, "its leg was longest ago"


def test_a_large_mailbox_gets_some_turns_although_small_ones_keep_coming(store: Store, legs: Legs) -> None:
    large, *small = submit(store, "ada", 20)
    had_leg(store, large, Progress(messages_total=9000))
    for id_ in small:
        had_leg(store, id_, Progress(messages_total=10))
    worker, _ = fair(store)
    for _ in small:
        worker.handle_ring(large)
    assert large in legs.ran[:10]
    assert legs.ran.count(large) == 1


def test_a_host_of_many_imports_does_not_hold_every_thread(store: Store, legs: Legs) -> None:
    """All legs are of one host, each of another owner, and one more owner waits for another host."""
    worker, office = fair(store)
    running = [submit(store, f"owner{n}", 10)[0] for n in range(4)]
    leases = {id_: store.acquire(f"import:{id_}", "worker", TTL) for id_ in running}
    submit(store, "late", 10)

    def over() -> list[ImportId]:
        office.clock.sleep(LOOK_INTERVAL.total_seconds())
        return [id_ for id_ in running if worker.must_yield(id_)]

    assert [over(), over(), over()] == [[], [], []], "alone, a host may use every thread"
    elsewhere = mailbox("mallory@elsewhere.example", "imap.elsewhere.example")
    other = submit(store, "mallory", 10, source=elsewhere)
    assert over() == [], "a free thread would take it"
    [given_up] = over()
    lease = leases[given_up]
    assert lease is not None
    store.release(lease)
    worker.handle_ring(given_up)
    [chosen] = legs.ran
    assert chosen in other


def test_a_long_queue_is_not_counted_for_each_leg(
    store: Store, legs: Legs, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = submit(store, "ada", 12)
    worker, office = fair(store)
    counted: list[LegQueue] = []
    count = store.leg_queue

    def slow(*arguments: Any, **named: Any) -> LegQueue:
        office.clock.sleep(0.4)
        counted.append(count(*arguments, **named))
        return counted[-1]

    monkeypatch.setattr(store, "leg_queue", slow)
    for id_ in ids[:10]:
        office.clock.sleep(0.1)
        worker.handle_ring(id_)
    assert len(legs.ran) == 10
    assert len(counted) == 1
    [new] = submit(store, "grace", 1)
    for id_ in ids[:2]:
        worker.handle_ring(id_)
    worker.handle_ring(new)
    assert new in legs.ran, "what was rung for runs, though it was not counted yet"


def test_a_person_with_one_mailbox_does_not_wait_behind_those_with_hundreds(store: Store, legs: Legs) -> None:
    """Every thread is at work, each for another owner, and no owner has had two."""
    worker, office = fair(store)
    busy = [f"owner{n}" for n in range(4)]
    running = [submit(store, owner, 10)[0] for owner in busy]
    leases = {id_: store.acquire(f"import:{id_}", "worker", TTL) for id_ in running}
    submit(store, "late", 10)

    def over() -> list[ImportId]:
        office.clock.sleep(LOOK_INTERVAL.total_seconds())
        return [id_ for id_ in running if worker.must_yield(id_)]

    assert [over(), over(), over()] == [[], [], []], "bulk waits for a leg to end"
    [visitor] = submit(store, "visitor", 1)
    assert over() == [], "a free thread would take it"
    [given_up] = over()
    lease = leases[given_up]
    assert lease is not None
    store.release(lease)
    worker.handle_ring(given_up)
    assert legs.ran == [visitor], "before the others, though `late` has waited longer and never had a leg"
