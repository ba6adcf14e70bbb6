"""The legs of one process ask the store together: `importer.service.legs.process_legs`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any

import pytest

from importer.domain.model import ControlRequest, ImportId
from importer.domain.planning.host_allowance import Backoff
from importer.ports.process import DatabaseUnavailable
from importer.service.legs.process_legs import LOOK_INTERVAL, ProcessLegs
from providers.text import Text
from tests.unit.test_service import Clock

IDS = [ImportId(f"import-{number}") for number in range(8)]


class CountingStore:
    """Answers what it is told to, and counts the questions."""

    def __init__(self) -> None:
        self.requests: dict[ImportId, ControlRequest] = {}
        self.paused: set[str] = set()
        self.asked: list[str] = []
        self.away = False

    def control_requests(self, ids: Sequence[ImportId]) -> dict[ImportId, ControlRequest]:
        self.asked.append("requests")
        if self.away:
            raise DatabaseUnavailable("away")
        return {id_: request for id_, request in self.requests.items() if id_ in ids}

    def backoff(self, names: Sequence[str], now: datetime) -> Backoff | None:
        self.asked.append("backoff")
        found = self.paused & set(names)
        return Backoff(min(found), now + timedelta(minutes=1), Text("throttled"), "") if found else None


@pytest.fixture
def store() -> Any:
    return CountingStore()


def test_eight_legs_ask_as_often_as_one(store: Any) -> None:
    clock, legs = Clock(), ProcessLegs()
    with ExitStack() as running:
        for id_ in IDS:
            running.enter_context(legs.leg(id_, (f"host {id_}",)))
        for id_ in 3 * IDS:
            assert legs.requested(store, clock, id_) is None
            assert legs.backoff(store, clock, id_, [f"host {id_}"]) is None
    assert sorted(store.asked) == ["backoff", "requests"]


def test_a_request_is_noticed_by_its_leg_alone_and_in_time(store: Any) -> None:
    clock, legs = Clock(), ProcessLegs()
    with legs.leg(IDS[0], ()), legs.leg(IDS[1], ()):
        assert legs.requested(store, clock, IDS[0]) is None
        store.requests[IDS[0]] = ControlRequest.PAUSE
        clock.sleep(LOOK_INTERVAL.total_seconds())
        assert legs.requested(store, clock, IDS[1]) is None
        assert legs.requested(store, clock, IDS[0]) is ControlRequest.PAUSE


def test_a_leg_that_begins_gets_no_older_answer(store: Any) -> None:
    clock, legs = Clock(), ProcessLegs()
    store.requests[IDS[1]], store.paused = ControlRequest.CANCEL, {"host b"}
    with legs.leg(IDS[0], ("host a",)):
        assert legs.requested(store, clock, IDS[0]) is None
        assert legs.backoff(store, clock, IDS[0], ["host a"]) is None
        with legs.leg(IDS[1], ("host b",)):
            assert legs.requested(store, clock, IDS[1]) is ControlRequest.CANCEL
            assert legs.backoff(store, clock, IDS[1], ["host b"]) is not None
            assert legs.backoff(store, clock, IDS[0], ["host a"]) is None


def test_what_runs_without_a_leg_always_asks_for_itself(store: Any) -> None:
    store.paused = {"host a"}
    assert ProcessLegs().backoff(store, Clock(), IDS[0], ["host a"]) is not None  # as an undo does
    assert store.asked == ["backoff"]


def test_pauses_for_new_connections_are_asked_for_each_time(store: Any) -> None:
    clock, legs = Clock(), ProcessLegs()
    with legs.leg(IDS[0], ("host a",)):
        assert legs.backoff(store, clock, IDS[0], ["host a"]) is None
        store.paused = {"connecting host a"}
        assert legs.backoff(store, clock, IDS[0], ["host a", "connecting host a"]) is not None


def test_only_one_leg_waits_for_a_store_that_is_away(store: Any) -> None:
    clock, legs = Clock(), ProcessLegs()
    store.away = True
    with legs.leg(IDS[0], ()), legs.leg(IDS[1], ()):
        with pytest.raises(DatabaseUnavailable):
            legs.requested(store, clock, IDS[0])
        assert legs.requested(store, clock, IDS[1]) is None
        clock.sleep(LOOK_INTERVAL.total_seconds())
        with pytest.raises(DatabaseUnavailable):
            legs.requested(store, clock, IDS[1])


def test_many_legs_write_their_progress_less_often() -> None:
    legs = ProcessLegs()
    with ExitStack() as running:
        running.enter_context(legs.leg(IDS[0], ()))
        assert legs.progress_interval() == timedelta(seconds=1)
        for id_ in IDS[1:]:
            running.enter_context(legs.leg(id_, ()))
        assert legs.progress_interval() == timedelta(seconds=2)
