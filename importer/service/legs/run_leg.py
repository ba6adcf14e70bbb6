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
from math import inf
from typing import Final

import structlog

from importer.domain import import_state
from importer.domain.model import Import, ImportId, Problem, Progress, State
from importer.domain.planning.server_limits import OVERTIME_S
from importer.domain.reporting.server_alerts import each_once
from importer.engine.leg import LegEnd
from importer.engine.leg import run_leg as run_engine_leg
from importer.engine.leg_context import Lane, Leg
from importer.ports.leases import Lease, LeaseLost
from importer.ports.process import DatabaseUnavailable, OwnDiskFull
from importer.ports.vault import KeyMissing, VaultError
from importer.ports.work_limit import WorkEnded, WorkLimit
from importer.service.access.consent_requests import process_pending_consents
from importer.service.access.sealed_grants import Credentials, credentials, open_grants
from importer.service.deps import Deps
from importer.service.imports.control import apply_request
from importer.service.imports.finish import finish
from importer.service.imports.sent_lately import sent_lately
from importer.service.legs.conclude_leg import conclude, note_own_fault, wait_for_key
from importer.service.legs.connections import ConnectionPairs, label_view
from importer.service.legs.heartbeat import Heartbeat
from importer.service.legs.host_limits import HostLimits, PostponedByHost
from importer.service.legs.leg_outcome import (
    Completed,
    CutOff,
    Defect,
    LegOutcome,
    MailboxBusy,
    MailTrouble,
    OwnFault,
    Postponed,
    Unfinished,
)
from importer.service.legs.leg_watch import LegWatch
from importer.service.legs.progress_recorder import ProgressCallback, ProgressRecorder
from providers.errors import MailError, Side
from providers.text import Text

REQUEST_CHECK_INTERVAL: Final = timedelta(seconds=1)
"""How often a running leg checks for a pause or cancel request."""

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
                except KeyMissing as error:
                    after = wait_for_key(deps, import_, lease, str(error))
                except VaultError:
                    after = finish(deps, import_, State.STOPPED, lease, _NO_PASSWORDS)
    except LeaseLost:
        log.warning("leg.lost_lease", import_id=import_id)
        return True
    except (OwnDiskFull, DatabaseUnavailable) as error:
        # The state cannot be saved either: the tick rings after the leases have expired.
        note_own_fault(import_id, error.code, error.reason)
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
    log.info("leg.started", import_id=import_.id, attempts=import_.attempts)
    legs = deps.process_legs
    observer = ProgressRecorder(
        deps.store, import_.id, lease, deps.clock, on_progress, interval=legs.progress_interval
    )
    host_limits = HostLimits(deps, running, f"{deps.lease_owner} {lease.name} {lease.fence}")
    limit = WorkLimit(deps.deadlines.leg.total_seconds(), overtime_s=OVERTIME_S)
    watch = LegWatch(
        limit,
        partial(_has_to_end, deps, import_.id),
        deps.stopping,
        observer.flush_due,
    )
    run = partial(_run, deps, running, log_in, lease, observer, host_limits, limit, watch)
    with legs.leg(import_.id, host_limits.budgets()):
        outcome = _outcome(run, watch)
    reached = observer.progress or import_.progress
    running = replace(
        running,
        progress=reached,
        has_labels=running.has_labels or observer.has_labels,
        alerts=each_once((*running.alerts, *observer.alerts)),
        proven=running.proven or observer.proven,
    )
    after = conclude(deps, running, import_.progress, outcome, lease, host_limits, began)
    if not isinstance(outcome, MailboxBusy):
        _log_leg(import_, after, reached, deps.clock.now() - began)
    return after


def _outcome(run: Callable[[], LegOutcome], watch: LegWatch) -> LegOutcome:
    """Return how the leg ended: no import stays without a next state. Raises LeaseLost only."""
    try:
        return run()
    except LeaseLost:
        raise
    except WorkEnded:
        return CutOff(called_off=watch.called_off)
    except PostponedByHost as postponed:
        return Postponed(postponed.problem, postponed.until)
    except MailError as error:
        return MailTrouble(error)
    except (OwnDiskFull, DatabaseUnavailable) as error:
        return OwnFault(Problem(Text(error.code)), error.reason)
    except Exception as error:
        return Defect(error)


def _run(
    deps: Deps,
    import_: Import,
    log_in: Callable[[], Credentials],
    lease: Lease,
    observer: ProgressRecorder,
    host_limits: HostLimits,
    limit: WorkLimit,
    watch: LegWatch,
) -> LegOutcome:
    """Log in to both sides, then acquire the mailbox lease and run the engine under it.

    MailboxBusy, if the lease is held, is told only to an import that has opened both mailboxes. Raises
    PostponedByHost, and what the sessions and the engine raise.
    """
    mailbox_name = f"mailbox:{import_.destination.key}"
    if import_.proven and deps.store.holder(mailbox_name) is not None:
        return MailboxBusy()  # without logging in each time
    host_limits.raise_if_postponed(proven=import_.proven)
    logins = log_in()
    source = (import_.source, logins.source)
    destination = (import_.destination, logins.destination)
    labels = label_view(deps.store, import_.route, import_.options)
    clock, ttl = deps.clock, deps.deadlines.lease
    with (
        deps.lane_shares.leg(),
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
            return MailboxBusy()
        with Heartbeat(deps.store, [mailbox], clock, ttl, asked_at_s=asked_at_s) as heartbeat:
            lanes.fence(heartbeat.check)
            heartbeat.when_lost(lanes.cut_off)
            try:
                if import_.problem is not None:
                    from importer.service.legs.full_mailbox import (  # noqa: PLC0415 - a copy starts without it
                        raise_if_still_full,
                    )

                    raise_if_still_full(import_, first.destination)
                return _copy(deps, import_, first, lanes, mailbox, heartbeat, observer, host_limits, watch)
            except Exception:
                heartbeat.check()  # any failure after the connections were cut is a consequence of the cut
                raise
            finally:
                observer.alerts = lanes.alerts()
                lanes.close()  # before the lease is released: no sent bytes are in flight then


def _copy(
    deps: Deps,
    import_: Import,
    first: Lane,
    lanes: ConnectionPairs,
    mailbox: Lease,
    heartbeat: Heartbeat,
    observer: ProgressRecorder,
    host_limits: HostLimits,
    watch: LegWatch,
) -> Completed | Unfinished | Postponed:
    """Run the engine. The reported progress is stored in any case."""
    try:
        end = run_engine_leg(
            Leg(
                import_=import_,
                lane=first,
                open_lane=lanes.open,
                ledger=deps.store,
                lease=mailbox,
                budget=_LegBudget(
                    deps,
                    import_.id,
                    heartbeat,
                    deps.clock.elapsed_s() + deps.deadlines.leg.total_seconds(),
                    host_limits,
                    watch,
                ),
                observer=observer,
                clock=deps.clock,
                is_notice=deps.is_notice,
                limits=deps.transfer_limits,
                share=deps.lane_shares,
                held_share=deps.lane_shares.bytes_of,
                digests=deps.digests,
                sent_lately=sent_lately(deps),
            )
        )
        if end is LegEnd.DONE:
            return Completed()
        postponed = host_limits.postponement()
        return Unfinished() if postponed is None else Postponed(postponed.problem, postponed.until)
    finally:
        observer.flush()


class _LegBudget:
    """Implements `Budget`: leg duration, process shutdown, control requests, the turns of other persons, host
    limits. Thread-safe."""

    def __init__(
        self,
        deps: Deps,
        import_id: ImportId,
        heartbeat: Heartbeat,
        ends_at_s: float,
        host_limits: HostLimits,
        watch: LegWatch,
    ) -> None:
        self._deps = deps
        self._watch = watch
        self._import_id = import_id
        self._heartbeat = heartbeat
        self._ends_at_s = ends_at_s  # by `Clock.elapsed_s`, which is not set back
        self._host_limits = host_limits
        self._next_check_at_s = -inf  # of control requests and turns
        self._has_to_end = False

    def count(self, side: Side, size_bytes: int) -> None:
        self._host_limits.count_bytes(side, size_bytes)

    def is_over(self) -> bool:
        return self._deps.clock.elapsed_s() >= self._ends_at_s

    def is_called_off(self) -> bool:
        return self._watch.called_off

    def spent(self) -> bool:
        self._heartbeat.check()
        now_s = self._deps.clock.elapsed_s()
        if now_s >= self._next_check_at_s:
            self._next_check_at_s = now_s + REQUEST_CHECK_INTERVAL.total_seconds()
            self._has_to_end = _has_to_end(self._deps, self._import_id)
        if self._has_to_end or self._deps.stopping():
            return True
        return self._host_limits.postponement() is not None


def _has_to_end(deps: Deps, import_id: ImportId) -> bool:
    """Whether a person wants the leg to end, or others wait for its thread."""
    request = deps.process_legs.requested(deps.store, deps.clock, import_id)
    return request is not None or deps.must_yield(import_id)


def _log_leg(before: Import, after: Import, reached: Progress, took: timedelta) -> None:
    """Write the canonical log line of a leg."""
    log.info(
        "leg.finished",
        import_id=after.id,
        state=after.state.value,
        problem=after.problem.code if after.problem else None,
        messages=reached.messages_done - before.progress.messages_done,
        messages_total=reached.messages_total,
        bytes=reached.bytes_done - before.progress.bytes_done,
        bytes_copied=reached.bytes_done,
        seconds=round(took.total_seconds(), 3),
        attempts=after.attempts,
    )


_NO_PASSWORDS: Final = Problem(Text("passwords_missing.key"))


def _due(import_: Import, now: datetime) -> bool:
    return import_.state in import_state.GOING and (import_.not_before is None or import_.not_before <= now)
