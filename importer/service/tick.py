"""The housekeeping of every few seconds: whatever is due is rung again. Makes a lost queue harmless."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from importer.domain.model import Batch, ImportId
from importer.service.deps import Deps
from importer.service.imports.finish import post_batch_summary

TICK_LEASE: Final = timedelta(seconds=10)
RING_INTERVAL: Final = timedelta(minutes=1)
"""An import that nobody took up since its last ring is mostly in the queue still."""

SUMMARY_MAX_AGE: Final = timedelta(days=1)
"""How long after its last import has ended a batch's summary is still news."""


class Tick:
    """The housekeeping of one process; remembers whom it rang for, so that rings do not pile up."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._rung: dict[ImportId, datetime] = {}

    def __call__(self) -> None:
        """Rings for imports that are due and in nobody's hands, and for mails that wait.

        Any number of workers may call it at any time; one of them does it.
        """
        deps, now = self._deps, self._deps.clock.now()
        lease = deps.store.acquire("tick", deps.lease_owner, now, TICK_LEASE)
        if lease is None:
            return
        try:
            self._ring(now)
            _post_missing_summaries(deps, now)
            deps.store.sweep(now)
            mails = deps.outgoing_mail is not None and deps.store.due_notices(now, limit=1)
            if mails or (deps.webhook_sender is not None and deps.store.due_calls(now, limit=1)):
                deps.queue.ring_mail()
        finally:
            deps.store.release(lease)

    def _ring(self, now: datetime) -> None:
        due = self._deps.store.due_imports(now)
        recently = {id_: at for id_, at in self._rung.items() if now - at < RING_INTERVAL}
        for import_id in due:
            if import_id not in recently:
                self._deps.queue.ring(import_id)
                recently[import_id] = now
        self._rung = recently


def _post_missing_summaries(deps: Deps, now: datetime) -> None:
    """Posts summaries that are missing: their worker was killed between an import's end and the summary."""
    if deps.outgoing_mail is None:
        return
    for batch in deps.store.batches(limit=100):
        wanted = batch.submitter and len(batch.imports) > 1 and _ended_lately(deps, batch, now)
        if wanted and not deps.store.notices(f"batch:{batch.id}:"):
            post_batch_summary(deps, batch.id)


def _ended_lately(deps: Deps, batch: Batch, now: datetime) -> bool:
    imports = deps.store.imports(batch_id=batch.id, limit=len(batch.imports))
    ends = [import_.finished_at for import_ in imports if import_.finished_at is not None]
    return len(ends) == len(imports) and now - max(ends) < SUMMARY_MAX_AGE
