"""The housekeeping removes what is over: step after step while there is some, and then now and then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry, generate_latest

from importer.domain.lifetimes import Lifetimes
from importer.metrics import EventMetrics
from importer.service.tick import CLEANING_INTERVAL, RETENTION_INTERVAL, Tick
from tests.unit.test_service import Office


class Steps:
    """A retention with so many rows of one kind left."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.swept_at: list[datetime] = []
        self.lifetimes: Lifetimes | None = None

    def sweep_expired(self, now: datetime, lifetimes: Lifetimes) -> Mapping[str, int]:
        self.swept_at.append(now)
        self.lifetimes = lifetimes
        step = min(500, self.left)
        self.left -= step
        return {"reports": step} if step else {}


def test_steps_follow_each_other_while_something_is_left() -> None:
    office, steps = Office(), Steps(1200)
    lifetimes = Lifetimes(reports=timedelta(days=9))
    tick = Tick(replace(office.deps, retention=steps, lifetimes=lifetimes))
    begun = office.clock.now()
    while office.clock.now() - begun < 2 * RETENTION_INTERVAL:
        tick()
        office.clock.sleep(CLEANING_INTERVAL.total_seconds())
    assert steps.lifetimes == lifetimes
    gaps = [b - a for a, b in zip(steps.swept_at, steps.swept_at[1:], strict=False)]
    assert gaps[:3] == [CLEANING_INTERVAL] * 3  # the fourth step finds nothing
    assert gaps[3:] == [RETENTION_INTERVAL]


def test_metrics_count_rows_by_kind() -> None:
    registry = CollectorRegistry()
    metrics = EventMetrics(registry)
    for _ in range(2):
        metrics(None, "info", {"event": "records.swept", "kind": "mails", "rows": 7})
    assert b'mailhaul_rows_swept_total{kind="mails"} 14.0' in generate_latest(registry)
