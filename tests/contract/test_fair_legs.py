"""The choice of the next leg over every store: persons with many imports advance side by side."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest

from importer.domain.model import Batch, BatchId, ControlRequest, ImportId, State
from importer.domain.planning.fair_shares import FEW_IMPORTS
from importer.ports.store import LegQueue, Store
from importer.service.deps import Deps
from importer.service.legs import fair_legs
from importer.service.legs.fair_legs import LOOK_INTERVAL, FairLegs
from tests.contract.test_store import NOW, SEALED, an_import
from tests.fakes.store import MemoryStore
from tests.unit.test_service import Office

TTL = timedelta(minutes=1)


def submit(store: Store, owner: str, number: int, **facts: Any) -> list[ImportId]:
    """Add a batch of that owner; return the ids of its imports."""
    batch_id = BatchId(f"batch of {owner}")
    ids = [ImportId(f"{owner}-{n:03}") for n in range(number)]
    imports = [an_import(id_, batch_id=batch_id, row=n, **facts) for n, id_ in enumerate(ids)]
    batch = Batch(batch_id, NOW, "", "", tuple(ids), owner, "")
    store.add_batch(batch, [(import_, SEALED) for import_ in imports])
    return ids


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
    together = Barrier(4, timeout=30)

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


def test_the_leg_queue_names_running_and_due_imports_by_owner(store: Store) -> None:
    ada, grace = submit(store, "ada", 3), submit(store, "grace", 1)
    store.add_batch(
        Batch(BatchId("console"), NOW, "", "", (ImportId("alone"),), "", ""), [(an_import("alone"), SEALED)]
    )
    assert store.acquire(f"import:{ada[0]}", "worker", TTL)
    queue = store.leg_queue(NOW, besides=[ada[1]])
    assert queue.running == {"ada": {ada[0]}}
    assert queue.due == {"ada": 1, "grace": 1, "": 1}
    assert queue.new == {"ada", "grace", ""}
    assert store.next_leg("ada", NOW, besides=[ada[1]]) == ada[2]
    assert store.next_leg("grace", NOW) == grace[0]
    assert store.next_leg("", NOW) == "alone"
    assert store.next_leg("grace", NOW, besides=grace) is None
    lease = store.acquire("import:alone", "worker", TTL)
    assert lease is not None
    store.release(lease)
    assert store.leg_queue(NOW).new == {"ada", "grace"}, "one that had a leg is not new"
    assert store.leg_queue(NOW).due == {"ada": 2, "grace": 1, "": 1}


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
