"""Working on imports: one leg at a time, for the queue's workers and for the foreground copy.

Invariants:
- A leg runs under the lease of its import and the lease of its destination mailbox.
- How an import ends is written in one transaction with the mails that tell of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog

from importer.domain import import_state
from importer.domain.model import ControlRequest, Import, ImportId, Problem, Progress, State
from importer.domain.planning.retry_policy import GiveUp, Stop, decide
from importer.engine.leg import LegEnd
from importer.engine.leg import run_leg as run_engine_leg
from importer.engine.leg_context import Leg
from importer.ports.leases import Lease, LeaseLost
from importer.ports.mailbox import LabelView
from importer.ports.process import OwnDiskFull
from importer.ports.vault import VaultError
from importer.service.access.owner_consent import process_pending_consents
from importer.service.access.sealed_grants import Credentials, credentials, open_grants
from importer.service.deps import Deps
from importer.service.imports.control import apply_request
from importer.service.imports.finish import finish, finish_copied, report_of
from importer.service.legs.connections import ConnectionPairs, previous_placements
from importer.service.legs.heartbeat import Heartbeat
from importer.service.legs.host_limits import HostLimits, PostponedByHost
from importer.service.legs.progress_recorder import ProgressCallback, ProgressRecorder
from providers.errors import MailError, Side, Throttled

MAILBOX_BUSY_WAIT: Final = timedelta(seconds=10)
REQUEST_CHECK_INTERVAL: Final = timedelta(seconds=1)
"""How long a person's wish may go unnoticed while batches are copied."""

DISK_FULL_WAIT: Final = timedelta(seconds=60)
"""How long until it is tried again whether our own disk takes anything."""

INTERNAL_ERROR_ATTEMPTS: Final = 3
INTERNAL_ERROR_WAIT: Final = timedelta(seconds=60)

log = structlog.get_logger()


def handle_ring(deps: Deps, import_id: ImportId) -> None:
    """Answers one ring: runs one leg if there is one to run, and rings for the next.

    A ring for an import that has ended, waits, is paused, is in other hands or is a foreground copy changes
    nothing; what a person wants of it meanwhile is done first.
    """
    lease = deps.store.acquire(
        f"import:{import_id}", deps.lease_owner, deps.clock.now(), deps.deadlines.lease
    )
    if lease is None:
        return
    after: Import | None = None
    try:
        with Heartbeat(deps.store, [lease], deps.clock, deps.deadlines.lease):
            import_ = deps.store.import_(import_id)
            sealed = deps.store.grants(import_id)
            if import_ is not None and sealed is not None:
                applied = apply_request(deps, import_, lease)
                after, import_ = (applied if applied != import_ else None), applied
            if import_ is not None and sealed is not None and _due(import_, deps.clock.now()):
                try:
                    opened = open_grants(deps, import_id, sealed)
                    if opened.pending_sides:
                        after = process_pending_consents(deps, import_, lease)
                    else:
                        log_in = partial(credentials, deps, import_, opened, lease)
                        after = run_leg(deps, import_, log_in, lease)
                except VaultError:
                    after = finish(deps, import_, State.STOPPED, lease, _NO_PASSWORDS)
    except LeaseLost:
        log.warning("leg.lost_lease", import_id=import_id)
        return
    except OwnDiskFull as error:  # not even that can be written down: the tick rings when the leases are over
        _note_full_disk(import_id, error)
        return
    if after is not None and after.state in import_state.GOING and not deps.stopping():
        deps.queue.ring(
            after.id, max(timedelta(0), (after.not_before or deps.clock.now()) - deps.clock.now())
        )


def run_leg(
    deps: Deps,
    import_: Import,
    log_in: Callable[[], Credentials],
    lease: Lease,
    on_progress: ProgressCallback | None = None,
) -> Import:
    """Runs one leg under the import's lease, and writes what follows from how it ended. Raises LeaseLost."""
    began = deps.clock.now()
    running = import_state.started(import_, began)
    deps.store.update_import(running, lease)
    mailbox = deps.store.acquire(
        f"mailbox:{import_.destination.key}", deps.lease_owner, began, deps.deadlines.lease
    )
    if mailbox is None:
        busy = import_state.queued_behind(running, _BUSY, began, began + MAILBOX_BUSY_WAIT)
        deps.store.update_import(busy, lease)
        return busy
    observer = ProgressRecorder(deps.store, import_.id, lease, deps.clock, on_progress)
    host_limits = HostLimits(deps, running, f"{deps.lease_owner} {lease.name} {lease.fence}")
    ending: LegEnd | Exception
    try:
        with Heartbeat(
            deps.store, [mailbox], deps.clock, deps.deadlines.lease, host_limits.renew_slots
        ) as heartbeat:
            ending = _run(deps, running, log_in, mailbox, heartbeat, observer, host_limits)
    except LeaseLost:
        raise
    except Exception as error:  # whatever it is, the import must not be left hanging
        ending = error
    reached = observer.progress or import_.progress
    running = replace(running, progress=reached, has_labels=running.has_labels or observer.has_labels)
    after = _conclude(deps, running, import_.progress, ending, lease, host_limits)
    _log_leg(import_, after, reached, deps.clock.now() - began)
    return after


def _run(
    deps: Deps,
    import_: Import,
    log_in: Callable[[], Credentials],
    mailbox: Lease,
    heartbeat: Heartbeat,
    observer: ProgressRecorder,
    host_limits: HostLimits,
) -> LegEnd:
    """Opens both sides and runs the engine; what it told is in the store afterwards, however it ends.
    Raises PostponedByHost when there is more to do, but not now."""
    host_limits.raise_if_postponed()
    given = log_in()
    source = (import_.source, given.source)
    destination = (import_.destination, given.destination)
    try:
        labels = LabelView(import_.labels, partial(previous_placements, deps.store, import_.route))
        with ConnectionPairs(deps.sessions, source, destination, host_limits, labels) as lanes:
            first = lanes.open(0)
            observer.has_labels = first.source.has_labels()
            end = run_engine_leg(
                Leg(
                    import_=import_,
                    lane=first,
                    open_lane=lanes.open,
                    ledger=deps.store,
                    lease=mailbox,
                    budget=_LegBudget(
                        deps, import_.id, heartbeat, deps.clock.now() + deps.deadlines.leg, host_limits
                    ),
                    observer=observer,
                    clock=deps.clock,
                    is_notice=deps.is_notice,
                    limits=deps.transfer_limits,
                    digests=deps.digests,
                )
            )
            if end is LegEnd.AGAIN and (held := host_limits.postponement()) is not None:
                raise held
            return end
    finally:
        observer.flush()


def _conclude(
    deps: Deps,
    import_: Import,
    before: Progress,
    ending: LegEnd | Exception,
    lease: Lease,
    host_limits: HostLimits,
) -> Import:
    """What follows from how a leg ended, written to the store."""
    progressed = import_.progress.messages_done > before.messages_done
    now = deps.clock.now()
    if ending is LegEnd.DONE:
        return finish_copied(deps, import_, lease)
    if _requested(deps, import_.id) is ControlRequest.CANCEL:
        return finish(deps, import_, State.CANCELLED, lease)
    if isinstance(ending, LegEnd):
        after = import_state.continued(import_, progressed=progressed)
    elif isinstance(ending, PostponedByHost):
        left = import_.progress.messages_total - import_.progress.messages_done
        problem = host_limits.with_expected_end(ending, report_of(deps, import_).totals, left)
        after = import_state.queued_behind(import_, problem, now, ending.until, progressed=progressed)
    elif isinstance(ending, MailError):
        problem = Problem(ending.code, str(ending), ending.side, ending.server_text)
        attempts = 0 if progressed else import_.attempts
        proven = import_.progress.folders_total > 0
        decision = decide(ending, attempts, now, proven=proven, again=_again(import_, problem))
        if isinstance(decision, Stop | GiveUp):
            return finish(deps, import_, State.STOPPED, lease, problem)
        if isinstance(ending, Throttled):
            host_limits.record_throttling(ending, decision.until)
        after = import_state.waiting(import_, problem, now, decision.until, progressed=progressed)
    elif isinstance(ending, OwnDiskFull):
        _note_full_disk(import_.id, ending)
        problem = Problem("disk_full", str(ending))
        after = import_state.queued_behind(import_, problem, now, now + DISK_FULL_WAIT, progressed=progressed)
    else:
        log.error("leg.failed", import_id=import_.id, exc_info=ending)
        first = progressed or not _again(import_, _INTERNAL_ERROR)  # what servers did before does not count
        if not first and import_.attempts >= INTERNAL_ERROR_ATTEMPTS:
            return finish(deps, import_, State.FAILED, lease, _INTERNAL_ERROR)
        after = import_state.waiting(
            import_, _INTERNAL_ERROR, now, now + INTERNAL_ERROR_WAIT, progressed=first
        )
    deps.store.update_import(after, lease)
    return apply_request(deps, replace(after, requested=_requested(deps, after.id)), lease)


def _requested(deps: Deps, import_id: ImportId) -> ControlRequest | None:
    """What a person wants of it by now."""
    import_ = deps.store.import_(import_id)
    return None if import_ is None else import_.requested


def _note_full_disk(import_id: ImportId, error: OwnDiskFull) -> None:
    """For the operator, whose matter it is."""
    log.error("disk.found_full", import_id=import_id, reason=error.reason)


def _again(import_: Import, problem: Problem) -> bool:
    """Whether the leg before had the same trouble."""
    return import_.problem is not None and import_.problem.code == problem.code


class _LegBudget:
    """Implements `Budget`, for any thread: time, that the process wants to end, what a person wants of the
    import, and what hosts allow."""

    def __init__(
        self,
        deps: Deps,
        import_id: ImportId,
        heartbeat: Heartbeat,
        ends_at: datetime,
        host_limits: HostLimits,
    ) -> None:
        self._deps = deps
        self._import_id = import_id
        self._heartbeat = heartbeat
        self._ends_at = ends_at
        self._host_limits = host_limits
        self._look_at: datetime | None = None  # for a wish; the next time
        self._request = False

    def count(self, side: Side, size_bytes: int) -> None:
        self._host_limits.count_bytes(side, size_bytes)

    def spent(self) -> bool:
        self._heartbeat.check()
        now = self._deps.clock.now()
        if self._look_at is None or now >= self._look_at:
            self._look_at = now + REQUEST_CHECK_INTERVAL
            self._request = _requested(self._deps, self._import_id) is not None
        if self._request or self._deps.stopping() or now >= self._ends_at:
            return True
        return self._host_limits.postponement() is not None


def _log_leg(before: Import, after: Import, reached: Progress, took: timedelta) -> None:
    """The one canonical line of a leg."""
    log.info(
        "leg.finished",
        import_id=after.id,
        state=after.state.value,
        problem=after.problem.code if after.problem else None,
        messages=reached.messages_done - before.progress.messages_done,
        messages_total=reached.messages_total,
        bytes_copied=reached.bytes_done,
        seconds=round(took.total_seconds(), 3),
        attempts=after.attempts,
    )


_BUSY: Final = Problem(
    "destination_busy",
    "Another import is writing to this mailbox. This one is waiting for its turn.",
    Side.DESTINATION,
)
_NO_PASSWORDS: Final = Problem(
    "passwords_missing",
    "The stored passwords of this import cannot be opened with the present key. "
    "Submit it again with both passwords; it goes on where it stopped.",
)
_INTERNAL_ERROR: Final = Problem(
    "internal",
    "Something went wrong inside Mailhaul; nothing is lost, and the log has the details under the "
    "import's id.",
)


def _due(import_: Import, now: datetime) -> bool:
    return import_.state in import_state.GOING and (import_.not_before is None or import_.not_before <= now)
