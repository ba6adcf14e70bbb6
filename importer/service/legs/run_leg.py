"""Run imports one leg at a time, for the queue's workers and for the foreground copy.

Invariants:
- A leg runs under the lease of its import and the lease of its destination mailbox. It acquires the latter
  once both logins have succeeded: a person who only names a mailbox must not keep others from it. Nothing
  but the logins is sent before.
- Nothing is sent to the destination after the send deadline of the mailbox lease (`heartbeat.py`).
- The end of an import and the mails about it are written in one transaction.
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
from importer.domain.planning.server_limits import OVERTIME_S
from importer.domain.reporting.server_alerts import each_once
from importer.engine.leg import LegEnd
from importer.engine.leg import run_leg as run_engine_leg
from importer.engine.leg_context import Lane, Leg
from importer.ports.leases import Lease, LeaseLost
from importer.ports.mailbox import LabelView
from importer.ports.process import OwnDiskFull
from importer.ports.vault import VaultError
from importer.ports.work_limit import WorkEnded, WorkLimit
from importer.service.access.owner_consent import process_pending_consents
from importer.service.access.sealed_grants import Credentials, credentials, open_grants
from importer.service.deps import Deps
from importer.service.imports.control import apply_request
from importer.service.imports.finish import finish, finish_copied, report_of
from importer.service.legs.connections import ConnectionPairs, previous_placements
from importer.service.legs.heartbeat import Heartbeat
from importer.service.legs.host_limits import HostLimits, PostponedByHost
from importer.service.legs.leg_watch import LegWatch
from importer.service.legs.progress_recorder import ProgressCallback, ProgressRecorder
from providers.errors import MailError, ServerTooSlow, Side, Throttled

MAILBOX_BUSY_WAIT: Final = timedelta(seconds=10)
REQUEST_CHECK_INTERVAL: Final = timedelta(seconds=1)
"""How often a running leg checks for a pause or cancel request."""

DISK_FULL_WAIT: Final = timedelta(seconds=60)
"""How long to wait before writing to our own full disk is tried again."""

INTERNAL_ERROR_ATTEMPTS: Final = 3
INTERNAL_ERROR_WAIT: Final = timedelta(seconds=60)

log = structlog.get_logger()


def handle_ring(deps: Deps, import_id: ImportId, *, leg: bool = True) -> bool:
    """Handle one ring from the queue: run a leg if the import is due, and ring for the next one.

    False, and nothing happens, if another worker holds the import's lease. Nothing happens either if the
    import is a foreground copy. Otherwise a pending pause or cancel request is applied first, and no leg runs
    if the import has ended, waits or is paused, or without `leg`.
    """
    asked_at_s = deps.clock.elapsed_s()
    lease = deps.store.acquire(f"import:{import_id}", deps.lease_owner, deps.deadlines.lease)
    if lease is None:
        return False
    after: Import | None = None
    try:
        with Heartbeat(deps.store, [lease], deps.clock, deps.deadlines.lease, asked_at_s=asked_at_s):
            import_ = deps.store.import_(import_id)
            sealed = deps.store.grants(import_id)
            if import_ is not None and sealed is not None:
                applied = apply_request(deps, import_, lease)
                after, import_ = (applied if applied != import_ else None), applied
            if leg and import_ is not None and sealed is not None and _due(import_, deps.clock.now()):
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
        return True
    except OwnDiskFull as error:  # the state cannot be saved either: the tick rings after the leases expire
        _note_full_disk(import_id, error)
        return True
    if after is not None and after.state in import_state.GOING and not deps.stopping():
        deps.queue.ring(
            after.id, max(timedelta(0), (after.not_before or deps.clock.now()) - deps.clock.now())
        )
    return True


def run_leg(
    deps: Deps,
    import_: Import,
    log_in: Callable[[], Credentials],
    lease: Lease,
    on_progress: ProgressCallback | None = None,
) -> Import:
    """Run one leg under the import's lease and store the resulting state. Raises LeaseLost."""
    began = deps.clock.now()
    running = import_state.started(import_, began)
    deps.store.update_import(running, lease)
    observer = ProgressRecorder(deps.store, import_.id, lease, deps.clock, on_progress)
    host_limits = HostLimits(deps, running, f"{deps.lease_owner} {lease.name} {lease.fence}")
    ending: LegEnd | Exception
    try:
        ending = _run(deps, running, log_in, lease, observer, host_limits)
    except LeaseLost:
        raise
    except Exception as error:  # never leave the import without a next state
        ending = error
    reached = observer.progress or import_.progress
    running = replace(
        running,
        progress=reached,
        has_labels=running.has_labels or observer.has_labels,
        alerts=each_once((*running.alerts, *observer.alerts)),
        proven=running.proven or observer.proven,
    )
    after = _conclude(deps, running, import_.progress, ending, lease, host_limits)
    if not isinstance(ending, _MailboxBusy):
        _log_leg(import_, after, reached, deps.clock.now() - began)
    return after


class _MailboxBusy(Exception):
    """Another import holds the lease of the destination mailbox."""


def _run(
    deps: Deps,
    import_: Import,
    log_in: Callable[[], Credentials],
    lease: Lease,
    observer: ProgressRecorder,
    host_limits: HostLimits,
) -> LegEnd:
    """Log in to both sides, then acquire the mailbox lease and run the engine under it.

    Raises _MailboxBusy if the lease is held, which only an import learns that has opened both mailboxes, and
    PostponedByHost if there is more to do but a host limit forbids it now.
    """
    mailbox_name = f"mailbox:{import_.destination.key}"
    if import_.proven and deps.store.holder(mailbox_name) is not None:
        raise _MailboxBusy  # without logging in each time
    host_limits.raise_if_postponed(proven=import_.proven)
    logins = log_in()
    source = (import_.source, logins.source)
    destination = (import_.destination, logins.destination)
    labels = LabelView(import_.options.labels, partial(previous_placements, deps.store, import_.route))
    clock, ttl = deps.clock, deps.deadlines.lease
    limit = WorkLimit(deps.deadlines.leg.total_seconds(), overtime_s=OVERTIME_S)
    watch = LegWatch(
        limit,
        lambda: _requested(deps, import_.id) is not None or deps.must_yield(import_.id),
        deps.stopping,
    )
    with (
        watch,
        Heartbeat(deps.store, [], clock, ttl, asked_at_s=clock.elapsed_s(), on_renew=host_limits.renew_slots),
        ConnectionPairs(deps.sessions, source, destination, host_limits, labels, limit) as lanes,
    ):
        first = lanes.open(0, proven=import_.proven)
        if not import_.proven:
            deps.store.note_proven(import_.id, import_.password_fingerprint, lease)
            observer.proven = True
            for side in Side:
                host_limits.enter(side)
        observer.has_labels = first.source.has_labels()
        asked_at_s = clock.elapsed_s()
        mailbox = deps.store.acquire(mailbox_name, deps.lease_owner, ttl)
        if mailbox is None:
            raise _MailboxBusy
        with Heartbeat(deps.store, [mailbox], clock, ttl, asked_at_s=asked_at_s) as heartbeat:
            lanes.fence(heartbeat.check)
            heartbeat.when_lost(lanes.cut_off)
            try:
                return _copy(deps, import_, first, lanes, mailbox, heartbeat, observer, host_limits)
            except Exception:
                heartbeat.check()  # whatever failed after the connections were cut failed because of that
                raise
            finally:
                observer.alerts = lanes.alerts()
                lanes.close()  # before the lease is released: nothing of ours is on its way then


def _copy(
    deps: Deps,
    import_: Import,
    first: Lane,
    lanes: ConnectionPairs,
    mailbox: Lease,
    heartbeat: Heartbeat,
    observer: ProgressRecorder,
    host_limits: HostLimits,
) -> LegEnd:
    """Run the engine. The reported progress is stored in any case. Raises PostponedByHost as `_run` does."""
    try:
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
        if end is LegEnd.AGAIN and (postponed := host_limits.postponement()) is not None:
            raise postponed
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
    """Store the state that follows from the end of a leg, and return it."""
    progressed = import_.progress.messages_done > before.messages_done
    now = deps.clock.now()
    if isinstance(ending, WorkEnded):
        ending = _after_work_ended(deps, import_, progressed=progressed)
    if ending is LegEnd.DONE:
        return finish_copied(deps, import_, lease)
    if _requested(deps, import_.id) is ControlRequest.CANCEL:
        return finish(deps, import_, State.CANCELLED, lease)
    if isinstance(ending, LegEnd):
        after = import_state.continued(import_, progressed=progressed)
    elif isinstance(ending, _MailboxBusy):
        after = import_state.queued_behind(import_, _BUSY, now, now + MAILBOX_BUSY_WAIT)
    elif isinstance(ending, PostponedByHost):
        left = import_.progress.messages_total - import_.progress.messages_done
        problem = host_limits.with_expected_end(ending, report_of(deps, import_).totals, left)
        after = import_state.queued_behind(import_, problem, now, ending.until, progressed=progressed)
    elif isinstance(ending, MailError):
        problem = Problem(ending.code, str(ending), ending.side, ending.server_text)
        attempts = 0 if progressed else import_.attempts
        decision = decide(
            ending,
            attempts,
            now,
            reached=import_.progress.folders_total > 0,
            proven=import_.proven,
            again=_again(import_, problem),
        )
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
        first = progressed or not _again(import_, _INTERNAL_ERROR)  # earlier server errors do not count
        if not first and import_.attempts >= INTERNAL_ERROR_ATTEMPTS:
            return finish(deps, import_, State.FAILED, lease, _INTERNAL_ERROR)
        after = import_state.waiting(
            import_, _INTERNAL_ERROR, now, now + INTERNAL_ERROR_WAIT, progressed=first
        )
    deps.store.update_import(after, lease)
    return apply_request(deps, replace(after, requested=_requested(deps, after.id)), lease)


def _after_work_ended(deps: Deps, import_: Import, *, progressed: bool) -> LegEnd | ServerTooSlow:
    """How a leg ended that was cut off in the midst of a command: by a request, by the end of the process, or
    by its deadline. A leg that brought nothing until its deadline counts as one with too slow a server."""
    called_off = _requested(deps, import_.id) is not None or deps.must_yield(import_.id)
    if progressed or deps.stopping() or called_off:
        return LegEnd.AGAIN
    host = import_.source.endpoint.host
    return ServerTooSlow(
        f"{host} is responding too slowly to continue. Mailhaul tries again later.", side=Side.SOURCE
    )


def _requested(deps: Deps, import_id: ImportId) -> ControlRequest | None:
    """The current pause or cancel request."""
    import_ = deps.store.import_(import_id)
    return None if import_ is None else import_.requested


def _note_full_disk(import_id: ImportId, error: OwnDiskFull) -> None:
    """Log it for the operator."""
    log.error("disk.found_full", import_id=import_id, reason=error.reason)


def _again(import_: Import, problem: Problem) -> bool:
    """Whether the previous leg ended with the same problem."""
    return import_.problem is not None and import_.problem.code == problem.code


class _LegBudget:
    """Implements `Budget`: leg duration, process shutdown, control requests, the turns of other persons, host
    limits. Thread-safe."""

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
        self._next_check_at: datetime | None = None  # of control requests and turns
        self._has_to_end = False

    def count(self, side: Side, size_bytes: int) -> None:
        self._host_limits.count_bytes(side, size_bytes)

    def spent(self) -> bool:
        self._heartbeat.check()
        now = self._deps.clock.now()
        if self._next_check_at is None or now >= self._next_check_at:
            self._next_check_at = now + REQUEST_CHECK_INTERVAL
            self._has_to_end = _requested(self._deps, self._import_id) is not None or self._deps.must_yield(
                self._import_id
            )
        if self._has_to_end or self._deps.stopping() or now >= self._ends_at:
            return True
        return self._host_limits.postponement() is not None


def _log_leg(before: Import, after: Import, reached: Progress, took: timedelta) -> None:
    """Write the canonical log line of a leg."""
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
    "The stored passwords of this import cannot be decrypted with the current key. "
    "Submit it again with both passwords; it resumes where it stopped.",
)
_INTERNAL_ERROR: Final = Problem(
    "internal",
    "An internal error occurred in Mailhaul. No mail is lost; the log has the details under the import's id.",
)


def _due(import_: Import, now: datetime) -> bool:
    return import_.state in import_state.GOING and (import_.not_before is None or import_.not_before <= now)
