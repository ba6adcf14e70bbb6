"""Checks of the workers: that some run, that none is frozen, that their clocks agree, that no work waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from importer import bootstrap
from importer.doctor.finding import Finding, Health
from importer.doctor.own_store import CLOCK, read_store
from importer.domain.reporting.formatting import spoken_span
from importer.ports.monitoring import WorkerProcess
from importer.settings import Settings

OVERDUE: Final = timedelta(minutes=5)
MOST_CLOCK_SKEW_S: Final = 5.0
_START: Final = "Start `mailhaul up`, or more workers (`mailhaul worker`)."


def check_workers(settings: Settings) -> Iterator[Finding]:
    now = CLOCK.now()
    read = read_store(settings, lambda store: (store.workers(), store.queue_depth(now)))
    if read is None:
        return
    workers, depth = read
    allowed = bootstrap.silence_allowed(settings)
    findings = [*_silent(workers, now, allowed), *_skewed(workers)]
    alive = sum(now - worker.last_report_at < allowed for worker in workers)
    age = timedelta(0) if depth.oldest_since is None else now - depth.oldest_since
    if age > OVERDUE:
        why = f"{alive} worker(s) do not keep up" if alive else "no worker runs them"
        message = f"{depth.due} import(s) are due, the oldest for {spoken_span(age)}; {why}."
        findings.append(Finding("workers", Health.ERROR, message, _START))
    elif not alive:
        health = Health.ERROR if depth.due else Health.WARNING
        findings.append(
            Finding("workers", health, f"No worker is running; {depth.due} import(s) are due.", _START)
        )
    if not findings:
        message = f"{alive} worker(s) running; {depth.due} import(s) are due, none for long."
        findings.append(Finding("workers", Health.OK, message))
    yield from findings


def _silent(workers: Sequence[WorkerProcess], now: datetime, allowed: timedelta) -> Iterator[Finding]:
    for worker in workers:
        silence = now - worker.last_report_at
        if silence >= allowed:
            message = (
                f"Worker {worker.name} has not reported for {spoken_span(silence)}: it was killed, is frozen,"
                " or is cut off from the database."
            )
            fix = (
                "Look at that process and its machine, and restart it. Its imports are taken over. A worker"
                " that does not come back disappears here after an hour."
            )
            yield Finding("workers", Health.WARNING, message, fix)


def _skewed(workers: Sequence[WorkerProcess]) -> Iterator[Finding]:
    for worker in workers:
        if abs(worker.clock_ahead_s) > MOST_CLOCK_SKEW_S:
            direction = "ahead of" if worker.clock_ahead_s > 0 else "behind"
            skew = spoken_span(timedelta(seconds=abs(worker.clock_ahead_s)))
            message = f"The clock of worker {worker.name} is {skew} {direction} the database's."
            fix = "Let a time service (chrony, systemd-timesyncd) set the clocks of both machines."
            yield Finding("workers", Health.WARNING, message, fix)
