"""One mailbox in the foreground: the same legs, without queue and without stored passwords."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from importer.domain import state
from importer.domain.model import Batch, BatchId, Import, Problem, State
from importer.domain.rows import Row
from importer.ports import LeaseLost
from importer.service.deps import Deps
from importer.service.leases import Heartbeat
from importer.service.observe import Watch
from importer.service.submit import new_id, new_import
from importer.service.work import Passwords, leg

PATIENCE: Final = timedelta(seconds=25)
"""Longer waits than this end the command: the state is kept, and running it again goes on."""


def copy(
    deps: Deps,
    row: Row,
    *,
    submitter: str = "",
    watch: Watch | None = None,
    waits: Callable[[Import], None] | None = None,
) -> Import:
    """Copies one mailbox and returns the import as it ended, or WAITING when that would take too long.

    `watch` is told of progress, `waits` of each pause before it begins.
    """
    batch_id = BatchId(new_id())
    import_ = new_import(deps, row, batch_id, submitter)
    _end_interrupted(deps, import_)
    batch = Batch(batch_id, deps.clock.now(), "copy", submitter, (import_.id,))
    deps.store.add_batch(batch, [(import_, None)])
    lease = deps.store.acquire(f"import:{import_.id}", deps.owner, deps.clock.now(), deps.limits.lease)
    if lease is None:
        raise LeaseLost
    passwords = Passwords(row.source_password, row.destination_password)
    reached, patience_ends = import_.progress, deps.clock.now() + PATIENCE
    with Heartbeat(deps.store, [lease], deps.clock, deps.limits.lease):
        while True:
            try:
                import_ = leg(deps, import_, passwords, lease, watch)
            except KeyboardInterrupt:
                _interrupted(deps, import_)
                raise
            if import_.state in state.ENDED or deps.stopping():
                return import_
            now = deps.clock.now()
            if import_.progress != reached:
                reached, patience_ends = import_.progress, now + PATIENCE
            if import_.not_before is not None and import_.not_before > now:
                if import_.not_before > patience_ends:
                    return import_
                if waits is not None:
                    waits(import_)
                deps.clock.sleep((import_.not_before - now).total_seconds())


def _interrupted(deps: Deps, import_: Import) -> None:
    deps.store.update_import(state.ended(import_, State.STOPPED, deps.clock.now(), _INTERRUPTED))


def _end_interrupted(deps: Deps, import_: Import) -> None:
    """A foreground copy of the same route that was killed has left its import open: end it."""
    latest = deps.store.latest_import(import_.route)
    if latest is None or latest.state in state.ENDED or deps.store.passwords(latest.id) is not None:
        return
    lease = deps.store.acquire(f"import:{latest.id}", deps.owner, deps.clock.now(), deps.limits.lease)
    if lease is not None:
        _interrupted(deps, latest)
        deps.store.release(lease)


_INTERRUPTED: Final = Problem(
    "interrupted", "The command was broken off. Nothing is lost: run it again and it goes on from there."
)
