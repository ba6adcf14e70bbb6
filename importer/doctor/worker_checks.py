"""Checks of the workers: some run, none is frozen, their clocks agree, no work waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from importer import inspection
from importer.doctor.finding import Finding, Health
from importer.doctor.own_store import CLOCK, read_store
from importer.ports.monitoring import WorkerProcess
from importer.settings import Settings
from providers.text import Text

OVERDUE: Final = timedelta(minutes=5)
MOST_CLOCK_SKEW_S: Final = 5.0


def check_workers(settings: Settings) -> Iterator[Finding]:
    now = CLOCK.now()
    read = read_store(settings, lambda store: (store.workers(), store.queue_depth(now), store.maintenance()))
    if read is None:
        return
    workers, depth, maintenance = read
    allowed = inspection.silence_allowed(settings)
    findings = [*_silent(workers, now, allowed), *_skewed(workers)]
    alive = sum(now - worker.last_report_at < allowed for worker in workers)
    age = timedelta(0) if depth.oldest_since is None else now - depth.oldest_since
    if maintenance is not None:
        text = Text("doctor.maintenance", age=now - maintenance.since, by=maintenance.by, number=depth.due)
        findings.append(Finding("workers", Health.WARNING, text))
    elif age > OVERDUE:
        late = partial(Text, number=depth.due, age=age)
        text = late("doctor.workers_late", workers=alive) if alive else late("doctor.workers_absent")
        findings.append(Finding("workers", Health.ERROR, text))
    elif not alive:
        health = Health.ERROR if depth.due else Health.WARNING
        findings.append(Finding("workers", health, Text("doctor.workers_none", number=depth.due)))
    if not findings:
        text = Text("doctor.workers_run", number=alive, due=depth.due)
        findings.append(Finding("workers", Health.OK, text))
    yield from findings


def _silent(workers: Sequence[WorkerProcess], now: datetime, allowed: timedelta) -> Iterator[Finding]:
    for worker in workers:
        silence = now - worker.last_report_at
        if silence >= allowed:
            text = Text("doctor.worker_silent", worker=worker.name, silence=silence)
            yield Finding("workers", Health.WARNING, text)


def _skewed(workers: Sequence[WorkerProcess]) -> Iterator[Finding]:
    for worker in workers:
        if abs(worker.clock_ahead_s) > MOST_CLOCK_SKEW_S:
            code = "doctor.clock_ahead" if worker.clock_ahead_s > 0 else "doctor.clock_behind"
            skew = timedelta(seconds=abs(worker.clock_ahead_s))
            yield Finding("workers", Health.WARNING, Text(code, worker=worker.name, skew=skew))
