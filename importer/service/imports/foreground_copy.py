"""Copy one mailbox in the foreground: the same legs, without a queue and without stored passwords."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Final

from importer.domain import import_state
from importer.domain.csv_import.import_rows import Row
from importer.domain.import_filter import ImportFilter
from importer.domain.import_options import DEFAULTS, ImportOptions
from importer.domain.model import Batch, BatchId, Import, ImportId, Problem, Route, State
from importer.domain.people.actor import Actor
from importer.ports.leases import Lease, LeaseLost
from importer.service.access.sealed_grants import Credentials, row_credentials
from importer.service.deps import Deps
from importer.service.imports.submit import new_id, new_import
from importer.service.legs.heartbeat import Heartbeat
from importer.service.legs.progress_recorder import ProgressCallback
from importer.service.legs.run_leg import run_leg
from providers.text import Text

MAX_WAIT: Final = timedelta(seconds=35)
"""Longer waits without progress end the command: copied messages stay, and running it again resumes. Waiting
for a server that answered nothing counts. A single refusal that ends within half a minute does not end the
command."""


def copy(
    deps: Deps,
    actor: Actor,
    row: Row,
    *,
    options: ImportOptions = DEFAULTS,
    on_progress: ProgressCallback | None = None,
    on_wait: Callable[[Import], None] | None = None,
) -> Import:
    """Copy one mailbox and return the ended import.

    If the import would have to wait longer than MAX_WAIT, it ends STOPPED with the problem it would wait for:
    its passwords are not stored, so no worker could resume it.

    `options` are those that the row leaves open. `on_progress` is called with the progress, `on_wait` before
    each pause. Raises LeaseLost, and GrantExpired if only the source's owner can open it.
    """
    credentials = row_credentials(deps, actor, row)
    import_ = new_import(deps, actor, row, BatchId(new_id()), options)
    asked_at_s = deps.clock.elapsed_s()
    lease = _acquired(deps, import_.id)
    if lease is None:
        raise LeaseLost
    with Heartbeat(deps.store, [lease], deps.clock, deps.deadlines.lease, asked_at_s=asked_at_s):
        _end_interrupted(deps, import_.route)
        deps.store.add_batch(_batch(import_), [(import_, None)])
        try:
            return _run(deps, import_, credentials, lease, on_progress, on_wait)
        except KeyboardInterrupt:
            current = deps.store.import_(import_.id) or import_
            if current.state in import_state.ALIVE:
                with suppress(LeaseLost):
                    _stop(deps, current, lease, _INTERRUPTED)
            raise


def _run(
    deps: Deps,
    import_: Import,
    credentials: Credentials,
    lease: Lease,
    on_progress: ProgressCallback | None,
    on_wait: Callable[[Import], None] | None,
) -> Import:
    progress, may_wait = import_.progress, MAX_WAIT
    while True:
        began_at = deps.clock.now()
        try:
            import_ = run_leg(deps, import_, lambda: credentials, lease, on_progress)
        except LeaseLost:
            # The machine was asleep for longer than a lease. If no worker took over, the next leg goes on.
            current = deps.store.import_(import_.id)
            if current is None or not deps.store.renew(lease, deps.deadlines.lease):
                raise
            import_ = current
            continue
        if import_.state in import_state.ENDED:
            return import_
        now = deps.clock.now()
        copied = import_.progress.messages_done != progress.messages_done
        if import_.progress != progress:
            progress, may_wait = import_.progress, MAX_WAIT
        if (
            not copied
            and import_.problem is not None
            and import_.problem.text.code == "connection_lost.silent"
        ):
            may_wait -= now - began_at
        until = import_.not_before or now
        if until - now > may_wait or deps.stopping():
            return _stop(
                deps, import_, lease, _too_long(import_.problem) if import_.problem else _INTERRUPTED
            )
        if until > now:
            if on_wait is not None:
                on_wait(import_)
            may_wait -= until - now
            deps.clock.sleep((until - now).total_seconds())


def _too_long(problem: Problem) -> Problem:
    return replace(problem, text=problem.text.with_steps(Text("run_copy_again")))


def _batch(import_: Import) -> Batch:
    """A batch for this import alone."""
    batch_id = import_.batch_id or BatchId(new_id())
    return Batch(batch_id, import_.created_at, "copy", import_.submitter, (import_.id,), "", import_.language)


def _acquired(deps: Deps, import_id: ImportId) -> Lease | None:
    return deps.store.acquire(f"import:{import_id}", deps.lease_owner, deps.deadlines.lease)


def _stop(deps: Deps, import_: Import, lease: Lease, problem: Problem) -> Import:
    """End the import without a mail: the result is shown in the terminal."""
    stopped = import_state.ended(import_, State.STOPPED, deps.clock.now(), problem)
    deps.store.update_import(stopped, lease)
    return stopped


def _end_interrupted(deps: Deps, route: Route) -> None:
    """End the imports that killed foreground copies of this route have left open."""
    for import_ in deps.store.imports(ImportFilter(states=tuple(import_state.ALIVE)), limit=1000):
        if import_.route == route and deps.store.grants(import_.id) is None:
            lease = _acquired(deps, import_.id)
            if lease is not None:
                _stop(deps, import_, lease, _INTERRUPTED)
                deps.store.release(lease)


_INTERRUPTED: Final = Problem(Text("interrupted"))
