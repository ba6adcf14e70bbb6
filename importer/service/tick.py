"""The housekeeping of every few seconds: whatever is due is rung again. Makes a lost queue harmless."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from importer.service.deps import Deps
from importer.service.finish import summarise

TICK_LEASE: Final = timedelta(seconds=10)


def tick(deps: Deps) -> None:
    """Rings for imports that are due and in nobody's hands, and for mails that wait.

    Any number of workers may call it at any time; one of them does it.
    """
    now = deps.clock.now()
    lease = deps.store.acquire("tick", deps.owner, now, TICK_LEASE)
    if lease is None:
        return
    try:
        for import_id in deps.store.due_imports(now):
            deps.queue.ring(import_id)
        for batch in deps.store.batches(limit=20):
            if not deps.store.notices(f"batch:{batch.id}:"):
                summarise(deps, batch.id)
        if deps.mailer is not None and deps.store.due_notices(now, limit=1):
            deps.queue.ring_mail()
    finally:
        deps.store.release(lease)
