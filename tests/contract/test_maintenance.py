"""Maintenance mode over every store: nothing begins, what runs is told to end, and it survives."""

from __future__ import annotations

from datetime import timedelta

from importer.domain.model import ControlRequest, ImportId, State
from importer.ports.monitoring import Maintenance
from importer.ports.store import Store
from importer.service.legs.fair_legs import LOOK_INTERVAL
from tests.contract.conftest import OpenStore
from tests.contract.test_fair_legs import TTL, Legs, fair, legs, submit  # noqa: F401 - a fixture
from tests.contract.test_store import NOW


def test_it_holds_for_every_process_until_it_is_ended(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()
    assert store.maintenance() is None
    store.set_maintenance(Maintenance(NOW, "until 18:00", "operator:ada"))
    assert other.maintenance() == Maintenance(NOW, "until 18:00", "operator:ada")
    other.set_maintenance(Maintenance(NOW, "", "operator:bea"))
    assert store.maintenance() == Maintenance(NOW, "", "operator:bea")
    other.set_maintenance(None)
    assert store.maintenance() is None


def test_legs_under_way_are_counted_while_their_worker_holds_them(store: Store) -> None:
    assert store.running_legs() == 0
    lease = store.acquire("import:one", "worker", TTL)
    assert store.acquire("mailbox:ada", "worker", TTL)
    assert store.acquire("import:two", "worker", timedelta(0))
    assert lease is not None
    assert store.running_legs() == 1
    store.release(lease)
    assert store.running_legs() == 0


def test_no_leg_begins_and_running_ones_end_but_requests_are_applied(
    store: Store,
    legs: Legs,  # noqa: F811
) -> None:
    worker, office = fair(store)
    running, due = submit(store, "ada", 2)
    assert store.acquire(f"import:{running}", "worker", TTL)
    assert not worker.must_yield(running)
    store.set_maintenance(Maintenance(NOW, "", "operator"))
    worker.handle_ring(due)
    assert legs.ran == []
    office.clock.sleep(LOOK_INTERVAL.total_seconds())
    assert worker.must_yield(running)
    [paused] = submit(store, "grace", 1, state=State.PAUSED, requested=ControlRequest.PAUSE)
    store.request_control(paused, None)
    worker.handle_ring(paused)
    assert legs.applied == [paused]
    store.set_maintenance(None)
    worker.handle_ring(due)
    assert len(legs.ran) == 1
    office.clock.sleep(LOOK_INTERVAL.total_seconds())
    assert not worker.must_yield(ImportId(running))
