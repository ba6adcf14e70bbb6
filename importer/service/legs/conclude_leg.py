"""The state of an import that follows from the outcome of a leg."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final, assert_never

import structlog

from importer.domain import import_state
from importer.domain.model import ControlRequest, Import, ImportId, Problem, Progress, State
from importer.domain.planning.retry_limits import (
    DATABASE_LOST_WAIT,
    DISK_FULL_WAIT,
    INTERNAL_ERROR_ATTEMPTS,
    INTERNAL_ERROR_WAIT,
    KEY_MISSING_WAIT,
    MAILBOX_BUSY_WAIT,
)
from importer.domain.planning.retry_policy import GiveUp, Stop, decide, held_until
from importer.ports.leases import Lease
from importer.ports.mailbox_errors import QuotaExceeded
from importer.ports.process import OwnDiskFull
from importer.service.deps import Deps
from importer.service.imports.control import apply_request
from importer.service.imports.finish import finish, finish_copied, report_of
from importer.service.legs.host_limits import HostLimits
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
from providers.errors import MailError, ServerTooSlow, Side, Throttled
from providers.text import Text

log = structlog.get_logger()


def conclude(
    deps: Deps,
    import_: Import,
    before: Progress,
    outcome: LegOutcome,
    lease: Lease,
    host_limits: HostLimits,
    began_at: datetime,
) -> Import:
    """Store the state that follows from `outcome`, and return it. `before` is the progress before the leg,
    which began at `began_at`."""
    progressed = import_.progress.messages_done > before.messages_done
    now = deps.clock.now()
    if isinstance(outcome, CutOff):
        outcome = _why_cut_off(import_, outcome, progressed=progressed)
    if isinstance(outcome, Completed):
        from importer.service.imports.following import (  # noqa: PLC0415 - a copy starts without it
            following,
            tell_batch,
        )

        after = following(deps, import_, began_at)
        if after is None:
            return finish_copied(deps, import_, lease)
        stored = _stored(deps, after, lease)
        tell_batch(deps, stored)
        return stored
    if requested(deps, import_.id) is ControlRequest.CANCEL:
        return finish(deps, import_, State.CANCELLED, lease)
    match outcome:
        case Unfinished():
            after = import_state.continued(import_, progressed=progressed)
        case MailboxBusy():
            after = import_state.queued_behind(import_, _BUSY, now, now + MAILBOX_BUSY_WAIT)
        case Postponed(problem, until):
            left = import_.progress.messages_total - import_.progress.messages_done
            problem = host_limits.with_expected_end(problem, until, report_of(deps, import_).totals, left)
            after = import_state.queued_behind(import_, problem, now, until, progressed=progressed)
        case MailTrouble(error):
            return _after_trouble(deps, import_, error, lease, host_limits, progressed=progressed)
        case OwnFault(problem, reason):
            note_own_fault(import_.id, problem.code, reason)
            until = now + (DISK_FULL_WAIT if problem.code == OwnDiskFull.code else DATABASE_LOST_WAIT)
            after = import_state.queued_behind(import_, problem, now, until, progressed=progressed)
        case Defect(error):
            return _after_defect(deps, import_, error, lease, progressed=progressed)
        case _:
            assert_never(outcome)
    return _stored(deps, after, lease)


def wait_for_key(deps: Deps, import_: Import, lease: Lease, reason: str) -> Import:
    """No configured key opens the passwords, and no leg began: a process that was not restarted with the
    others, or a key that is missing. The passwords stay."""
    note_own_fault(import_.id, KEY_MISSING, reason)
    now = deps.clock.now()
    waits = import_state.queued_behind(import_, Problem(Text(KEY_MISSING)), now, now + KEY_MISSING_WAIT)
    return _stored(deps, waits, lease)


def _after_trouble(
    deps: Deps, import_: Import, error: MailError, lease: Lease, host_limits: HostLimits, *, progressed: bool
) -> Import:
    problem = Problem.of(error)
    now = deps.clock.now()
    if error.side is Side.DESTINATION and import_.destination.endpoint == deps.own_host:
        since = None if progressed else import_.held_up_since
        until = held_until(error, now, since, proven=import_.proven)
        if until is not None:
            log.error("own_host.failed", import_id=import_.id, code=problem.code)
            held = import_state.queued_behind(import_, problem, now, until, progressed=progressed)
            return _stored(deps, held, lease)
    if isinstance(error, QuotaExceeded):
        from importer.service.legs.full_mailbox import waiting_for_room  # noqa: PLC0415 - as above

        full = waiting_for_room(deps, import_, error, progressed=progressed)
        if full is not None:
            return _stored(deps, full, lease)
    decision = decide(
        error,
        0 if progressed else import_.attempts,
        now,
        reached=import_.progress.folders_total > 0,
        proven=import_.proven,
        again=_again(import_, problem),
    )
    if isinstance(decision, Stop | GiveUp):
        return finish(deps, import_, State.STOPPED, lease, problem)
    if isinstance(error, Throttled):
        host_limits.record_throttling(error, decision.until)
    after = import_state.waiting(import_, problem, now, decision.until, progressed=progressed)
    return _stored(deps, after, lease)


def _after_defect(deps: Deps, import_: Import, error: Exception, lease: Lease, *, progressed: bool) -> Import:
    log.error("leg.failed", import_id=import_.id, exc_info=error)
    first = progressed or not _again(import_, _INTERNAL_ERROR)  # earlier server errors do not count
    if not first and import_.attempts >= INTERNAL_ERROR_ATTEMPTS:
        return finish(deps, import_, State.FAILED, lease, _INTERNAL_ERROR)
    now = deps.clock.now()
    after = import_state.waiting(import_, _INTERNAL_ERROR, now, now + INTERNAL_ERROR_WAIT, progressed=first)
    return _stored(deps, after, lease)


def _stored(deps: Deps, after: Import, lease: Lease) -> Import:
    """Store the state, and apply a request that arrived meanwhile."""
    deps.store.update_import(after, lease)
    return apply_request(deps, replace(after, requested=requested(deps, after.id)), lease)


def requested(deps: Deps, import_id: ImportId) -> ControlRequest | None:
    """The current pause or cancel request."""
    import_ = deps.store.import_(import_id)
    return None if import_ is None else import_.requested


def note_own_fault(import_id: ImportId, code: str, reason: str) -> None:
    """Log it for the operator."""
    if code == OwnDiskFull.code:
        log.error("disk.found_full", import_id=import_id, reason=reason)
    elif code == KEY_MISSING:
        log.error("key.missing", import_id=import_id, reason=reason)
    else:
        log.error("database.lost", import_id=import_id, reason=reason)


def _why_cut_off(import_: Import, cut: CutOff, *, progressed: bool) -> Unfinished | MailTrouble:
    """A leg without progress until its deadline counts as one with too slow a server. One that was called off
    does not, even if the request was withdrawn since."""
    if progressed or cut.called_off:
        return Unfinished()
    host = import_.source.endpoint.host
    return MailTrouble(ServerTooSlow(Text("server_too_slow", host=host), side=Side.SOURCE))


def _again(import_: Import, problem: Problem) -> bool:
    """Whether the previous leg ended with the same problem."""
    return import_.problem is not None and import_.problem.code == problem.code


KEY_MISSING: Final = "key_missing"
_BUSY: Final = Problem(Text("destination_busy"), Side.DESTINATION)
_INTERNAL_ERROR: Final = Problem(Text("internal"))
