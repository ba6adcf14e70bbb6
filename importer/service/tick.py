"""Periodic housekeeping: ring again for everything that is due, so that a lost queue does no harm."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from math import inf
from typing import Final

import structlog

from importer.domain.import_filter import ImportFilter
from importer.domain.import_state import ALIVE
from importer.domain.model import Batch, BatchId, Import, ImportId
from importer.domain.reporting.batch_overview import Summary, needed_since, summary_due
from importer.service.deps import Deps
from importer.service.imports.finish import post_batch_summary
from importer.service.imports.reopen import erase_expired_grants

TICK_LEASE: Final = timedelta(seconds=10)
RING_INTERVAL: Final = timedelta(minutes=1)
"""Minimum time between two rings for an import that stays due: it is probably still in the queue."""

CLEANING_INTERVAL: Final = timedelta(seconds=15)
"""How often a process looks for missing summaries and for data past its lifetime."""

RETENTION_INTERVAL: Final = timedelta(minutes=10)
"""How often a process looks for expired rows, once none is left."""

SUMMARY_INTERVAL: Final = timedelta(minutes=5)
"""How often a process looks for missing summaries of all batches under way, and not only of the latest."""

WORKER_REMEMBERED: Final = timedelta(hours=1)
"""How long `doctor` reports a worker that ended without deregistering."""

SUMMARY_MAX_AGE: Final = timedelta(days=1)
"""A batch summary is posted only within this time after the last end of an import, or of its going on."""

_PAGE: Final = 500

log = structlog.get_logger()


class Tick:
    """The housekeeping of one process; remembers its recent rings, so that they do not pile up."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._rung: dict[ImportId, float] = {}
        # By `Clock.elapsed_s`, which is not set back:
        self._cleaned_at_s = -inf
        self._swept_at_s = -inf  # when nothing was left to remove
        self._summed_up_at_s = -inf  # all batches under way

    def __call__(self) -> None:
        """Ring for due imports without a lease holder, and for due mails and webhook calls.

        Safe to call from any number of workers at any time: only one of them runs it.
        """
        deps, now = self._deps, self._deps.clock.now()
        lease = deps.store.acquire("tick", deps.lease_owner, TICK_LEASE)
        if lease is None:
            return
        try:
            self._ring(now)
            if self._is_over(CLEANING_INTERVAL, self._cleaned_at_s):
                self._clean(now)
                self._cleaned_at_s = deps.clock.elapsed_s()
            mails = deps.outgoing_mail is not None and deps.store.due_notices(now, limit=1)
            if mails or (deps.webhook_sender is not None and deps.store.due_calls(now, limit=1)):
                deps.queue.ring_mail()
        finally:
            deps.store.release(lease)

    def _clean(self, now: datetime) -> None:
        deps = self._deps
        _post_missing_summaries(deps, now, deps.store.batches(limit=100))
        if self._is_over(SUMMARY_INTERVAL, self._summed_up_at_s):
            _post_missing_summaries(deps, now, _under_way(deps))
            self._summed_up_at_s = deps.clock.elapsed_s()
        deps.store.sweep(now)
        erase_expired_grants(deps)
        deps.store.forget_workers_silent_since(now - WORKER_REMEMBERED)
        if self._is_over(RETENTION_INTERVAL, self._swept_at_s):
            self._swept_at_s = -inf if _sweep_expired(deps, now) else deps.clock.elapsed_s()

    def _is_over(self, interval: timedelta, since_s: float) -> bool:
        return self._deps.clock.elapsed_s() - since_s >= interval.total_seconds()

    def _ring(self, now: datetime) -> None:
        due = self._deps.store.due_imports(now)
        # One that was not due in between was taken: if it is due now, its worker died or the leg left work.
        waiting = self._rung.keys() & set(due)
        recently = {
            id_: at_s
            for id_, at_s in self._rung.items()
            if id_ in waiting and not self._is_over(RING_INTERVAL, at_s)
        }
        for import_id in due:
            if import_id not in recently:
                self._deps.queue.ring(import_id)
                recently[import_id] = self._deps.clock.elapsed_s()
        # Rings lead to nothing under maintenance: once it is over, all of them are rung for again.
        self._rung = {} if self._deps.store.maintenance() is not None else recently


def _sweep_expired(deps: Deps, now: datetime) -> bool:
    """One step of the retention; whether it removed anything, and so more may be left."""
    removed = {} if deps.retention is None else deps.retention.sweep_expired(now, deps.lifetimes)
    for kind, rows in removed.items():
        log.info("records.swept", kind=kind, rows=rows)
    return bool(removed)


def _under_way(deps: Deps) -> Iterator[Batch]:
    """The batches with imports that have not ended."""
    seen: set[BatchId] = set()
    after: ImportId | None = None
    while page := deps.store.imports(ImportFilter(states=tuple(ALIVE)), after=after, limit=_PAGE):
        ids = {import_.batch_id for import_ in page if import_.batch_id is not None} - seen
        yield from deps.store.batches(_PAGE, ids=list(ids))
        seen |= ids
        after = page[-1].id


def _post_missing_summaries(deps: Deps, now: datetime, batches: Iterable[Batch]) -> None:
    """Post missing summaries of these batches: their worker was killed between the end of an import and the
    summary, or one is due because something has needed its submitter for a while."""
    if deps.outgoing_mail is None:
        return
    for batch in batches:
        if not batch.submitter or len(batch.imports) < 2:
            continue
        imports = deps.store.imports(ImportFilter(batch_id=batch.id), limit=len(batch.imports))
        due = summary_due(imports, now)
        if due is not None and _ended_recently(imports, now) and not _is_posted(deps, batch, due):
            post_batch_summary(deps, batch.id)


def _is_posted(deps: Deps, batch: Batch, due: Summary) -> bool:
    posted = deps.store.notices(f"batch:{batch.id}:")
    finals = [notice for notice in posted if not notice.key.endswith(f":{Summary.SO_FAR}")]
    return bool(finals if due is Summary.FINAL else posted)


def _ended_recently(imports: Sequence[Import], now: datetime) -> bool:
    ends = [end for import_ in imports if (end := import_.finished_at or needed_since(import_))]
    return bool(ends) and now - max(ends) < SUMMARY_MAX_AGE
