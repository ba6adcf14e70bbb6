"""One mailbox in the foreground: the same legs, without queue and without stored passwords."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Final

from importer.domain import import_state
from importer.domain.csv_import.import_rows import Row
from importer.domain.model import Batch, BatchId, Import, ImportId, Problem, Route, State
from importer.domain.people.batch_right import right_of_console
from importer.ports.leases import Lease, LeaseLost
from importer.service.access.sealed_grants import Credentials, row_credentials
from importer.service.deps import Deps
from importer.service.imports.submit import new_id, new_import
from importer.service.legs.heartbeat import Heartbeat
from importer.service.legs.progress_recorder import ProgressCallback
from importer.service.legs.run_leg import run_leg

MAX_WAIT: Final = timedelta(seconds=25)
"""Longer waits than this end the command: what is copied stays, and running it again goes on."""


def copy(
    deps: Deps,
    row: Row,
    *,
    submitter: str = "",
    language: str = "",
    on_progress: ProgressCallback | None = None,
    on_wait: Callable[[Import], None] | None = None,
) -> Import:
    """Copies one mailbox and returns the import as it ended. When it would have to wait for long it is
    STOPPED for what it would wait for: nobody else has its passwords, so that nobody else could go on.

    `on_progress` is called with the progress, `on_wait` before each pause. Raises LeaseLost, and GrantExpired
    if only the source's owner can open it.
    """
    opened = row_credentials(deps, row, right_of_console(deps.master_user))
    import_ = new_import(deps, row, BatchId(new_id()), submitter, language)
    lease = _acquired(deps, import_.id)
    if lease is None:
        raise LeaseLost
    with Heartbeat(deps.store, [lease], deps.clock, deps.deadlines.lease):
        _end_interrupted(deps, import_.route)
        deps.store.add_batch(_batch(import_), [(import_, None)])
        try:
            return _run(deps, import_, opened, lease, on_progress, on_wait)
        except KeyboardInterrupt:
            reached = deps.store.import_(import_.id) or import_
            if reached.state in import_state.ALIVE:
                with suppress(LeaseLost):
                    _stop(deps, reached, lease, _INTERRUPTED)
            raise


def _run(
    deps: Deps,
    import_: Import,
    opened: Credentials,
    lease: Lease,
    on_progress: ProgressCallback | None,
    on_wait: Callable[[Import], None] | None,
) -> Import:
    reached, wait_until = import_.progress, deps.clock.now() + MAX_WAIT
    while True:
        import_ = run_leg(deps, import_, lambda: opened, lease, on_progress)
        if import_.state in import_state.ENDED:
            return import_
        now = deps.clock.now()
        if import_.progress != reached:
            reached, wait_until = import_.progress, now + MAX_WAIT
        until = import_.not_before or now
        if until > wait_until or deps.stopping():
            return _stop(
                deps, import_, lease, _too_long(import_.problem) if import_.problem else _INTERRUPTED
            )
        if until > now:
            if on_wait is not None:
                on_wait(import_)
            deps.clock.sleep((until - now).total_seconds())


def _too_long(problem: Problem) -> Problem:
    return replace(problem, message=f"{problem.message.rstrip()} {_RUN_IT_AGAIN}")


def _batch(import_: Import) -> Batch:
    """A batch of its own."""
    batch_id = import_.batch_id or BatchId(new_id())
    return Batch(batch_id, import_.created_at, "copy", import_.submitter, (import_.id,), "", import_.language)


def _acquired(deps: Deps, import_id: ImportId) -> Lease | None:
    return deps.store.acquire(f"import:{import_id}", deps.lease_owner, deps.clock.now(), deps.deadlines.lease)


def _stop(deps: Deps, import_: Import, lease: Lease, problem: Problem) -> Import:
    """Ends it without a mail: whoever started it sees it on the screen."""
    stopped = import_state.ended(import_, State.STOPPED, deps.clock.now(), problem)
    deps.store.update_import(stopped, lease)
    return stopped


def _end_interrupted(deps: Deps, route: Route) -> None:
    """Foreground copies of the route that were killed have left their imports open: ends them."""
    for import_ in deps.store.imports(states=tuple(import_state.ALIVE), limit=1000):
        if import_.route == route and deps.store.grants(import_.id) is None:
            lease = _acquired(deps, import_.id)
            if lease is not None:
                _stop(deps, import_, lease, _INTERRUPTED)
                deps.store.release(lease)


_RUN_IT_AGAIN: Final = "`copy` does not wait that long: run it again later and it goes on from there."
_INTERRUPTED: Final = Problem(
    "interrupted", "The command was broken off. Nothing is lost: run it again and it goes on from there."
)
