"""The contract of `importer.ports.monitoring.Monitoring`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from importer.domain.model import (
    Account,
    Batch,
    BatchId,
    ControlRequest,
    Import,
    ImportId,
    Problem,
    State,
)
from importer.ports.monitoring import ImportCount, QueueDepth, WaitCount
from importer.ports.store import SealedGrants, Store
from importer.ports.webhook_calls import CallState, WebhookCall
from providers.endpoint import Endpoint
from providers.errors import Side
from providers.text import Text
from tests.contract.conftest import OpenStore

LONG_AGO = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
SEALED = SealedGrants(b"a", b"b")


@pytest.fixture
def store(open_store: OpenStore) -> Store:
    return open_store()


def an_import(name: str, created_at: datetime = LONG_AGO, state: State = State.QUEUED) -> Import:
    old = Account(f"{name}@old.example", name, Endpoint("imap.old.example"))
    new = Account(f"{name}@new.example", name, Endpoint("imap.new.example"))
    return Import(ImportId(name), old, new, created_at, state=state)


def add(store: Store, *imports: Import) -> None:
    batch = Batch(BatchId("b"), LONG_AGO, imports=tuple(i.id for i in imports))
    store.add_batch(batch, [(i, SEALED) for i in imports])


def test_a_worker_is_known_by_its_last_report_until_it_ends(store: Store) -> None:
    started = datetime.now(UTC)
    store.report_worker("w:1:a", "1.0", started, started)
    store.report_worker("w:2:b", "1.0", started, started)
    store.report_worker("w:1:a", "1.1", started, started)
    first, second = store.workers()
    assert (first.name, first.version, first.started_at) == ("w:1:a", "1.1", started)
    assert first.last_report_at >= second.last_report_at >= started - timedelta(seconds=5)
    store.forget_worker("w:1:a")
    assert [worker.name for worker in store.workers()] == ["w:2:b"]
    store.forget_workers_silent_since(second.last_report_at)
    assert [worker.name for worker in store.workers()] == ["w:2:b"]
    store.forget_workers_silent_since(second.last_report_at + HOUR)
    assert store.workers() == []


@pytest.mark.parametrize("skew_s", [0, 180, -180])
def test_a_workers_clock_is_compared_with_that_of_the_database(store: Store, skew_s: int) -> None:
    now = datetime.now(UTC) + timedelta(seconds=skew_s)
    store.report_worker("w:1:a", "1.0", now, now)
    [worker] = store.workers()
    assert abs(worker.clock_ahead_s - skew_s) < 60
    assert abs(worker.last_report_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_nothing_is_due_without_imports(store: Store) -> None:
    assert store.queue_depth(LONG_AGO) == QueueDepth(0, None)


def test_an_import_is_due_since_its_submission_or_the_end_of_its_wait(store: Store) -> None:
    add(store, an_import("one"), an_import("two", LONG_AGO + HOUR))
    assert store.queue_depth(LONG_AGO + 2 * HOUR) == QueueDepth(2, LONG_AGO)
    waiting = an_import("one", state=State.WAITING)
    store.update_import(replace(waiting, not_before=LONG_AGO + 3 * HOUR))
    assert store.queue_depth(LONG_AGO + 2 * HOUR) == QueueDepth(1, LONG_AGO + HOUR)
    store.update_import(replace(waiting, not_before=LONG_AGO + 2 * HOUR))
    store.request_control(ImportId("two"), ControlRequest.PAUSE)
    assert store.queue_depth(LONG_AGO + 2 * HOUR).oldest_since == LONG_AGO + HOUR


def test_an_import_with_a_leg_is_due_since_its_end_and_not_while_it_is_held(store: Store) -> None:
    add(store, an_import("one"))
    lease = store.acquire("import:one", "w:1:a", HOUR)
    assert lease is not None
    now = datetime.now(UTC) + 2 * HOUR
    assert store.queue_depth(now) == QueueDepth(0, None)
    store.release(lease)
    since = store.queue_depth(now).oldest_since
    assert since is not None
    assert since > LONG_AGO + 24 * HOUR


def test_imports_are_counted_by_state_and_problem(store: Store) -> None:
    add(store, an_import("one"), an_import("two"), an_import("three"))
    full = Problem(Text("disk_full"))
    store.update_import(replace(an_import("three", state=State.WAITING), problem=full))
    assert [*store.import_counts()] == [
        ImportCount(State.QUEUED, "", 2),
        ImportCount(State.WAITING, "disk_full", 1),
    ]


def test_waits_are_counted_by_the_host_that_the_problem_is_of(store: Store) -> None:
    add(store, *(an_import(name) for name in ("one", "two", "three", "four", "five")))
    slow = Text("throttled", host="old.example")
    for name, problem in (
        ("one", Problem(slow, Side.SOURCE)),
        ("two", Problem(slow, Side.SOURCE)),
        ("three", Problem(Text("destination_full"), Side.DESTINATION)),
        ("four", Problem(Text("disk_full"))),
    ):
        store.update_import(replace(an_import(name, state=State.WAITING), problem=problem))
    one = an_import("one")
    assert [*store.waits()] == [
        WaitCount("", "disk_full", 1),
        WaitCount(one.destination.endpoint.host, "destination_full", 1),
        WaitCount(one.source.endpoint.host, "throttled", 2),
    ]


def test_webhook_calls_are_pending_until_they_are_settled(store: Store) -> None:
    assert store.pending_calls() == QueueDepth(0, None)
    calls = [WebhookCall(key, "hook", key, "{}", LONG_AGO + n * HOUR) for n, key in enumerate("abc")]
    store.post_calls(calls)
    store.settle_call("a", CallState.DONE)
    assert store.pending_calls() == QueueDepth(2, LONG_AGO + HOUR)
