"""Facts about the state of an import: its reason, the next step, and the actions of its user.

`importer.i18n.explanation_texts` makes sentences of them, for console, API and pages alike.
"""

from __future__ import annotations

from collections.abc import Container
from datetime import datetime
from enum import StrEnum

from importer.codes.code_lookup import public_row
from importer.domain.import_state import ENDED
from importer.domain.model import ControlRequest, Import, State
from importer.domain.people.consent_schedule import owner_wait
from importer.domain.planning.retry_limits import PATIENCE, PATIENCE_UNPROVEN
from importer.domain.reporting.refusal_classes import RefusalClass, refusals_by_class
from importer.domain.reporting.report import Report
from providers.frozen import frozen


class Action(StrEnum):
    """An action of a user on an import; front ends have a button or a command for each."""

    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"  # immediately: before the waiting time has passed, or after a stop with kept passwords
    CANCEL = "cancel"  # after a stop: erase the passwords that are kept
    RUN_AGAIN = "run again"  # a new import on the same route; the passwords are required again
    UNDO = "undo"


class Upcoming(StrEnum):
    """The next step that follows without any action."""

    NOTHING = "nothing"  # it has ended
    CAN_BE_REOPENED = "can_be_reopened"  # it was stopped, and its passwords are kept for a while
    ENDS_SOON = "ends_soon"  # its cancellation was requested
    PAUSES_SOON = "pauses_soon"
    ENDS_UNLESS_RESUMED = "ends_unless_resumed"
    CONTINUES_WITH_COMMAND = "continues_with_command"  # a foreground copy
    CONTINUES_UNCOUNTED = "continues_uncounted"  # the wait is no failed attempt
    TRIES_AGAIN = "tries_again"  # `Explanation.attempts_left` times
    WAITS_FOR_OWNER = "waits_for_owner"  # who has to sign in
    CONTINUES = "continues"


class Advice(StrEnum):
    """Advice to the user."""

    NOTHING = "nothing"
    BY_PROBLEM = "by_problem"
    LOOK_FOR_WORKERS = "look_for_workers"
    RESUME_OR_CANCEL = "resume_or_cancel"
    CHECK_AGAIN = "check_again"  # incomplete without any refusal
    RETRY_REFUSED = "retry_refused"
    LOOK_FOR_SENT = "look_for_sent"  # the only problem is copies that were never seen
    RUN_AGAIN = "run_again"


@frozen
class ExplanationContext:
    """Facts that are not part of the import. `worker` is the process that holds the lease of the import,
    `writer` the one that holds the lease of its destination mailbox; "" for none."""

    now: datetime
    worker: str = ""
    writer: str = ""
    has_passwords: bool = False


@frozen
class Explanation:
    """`since` and `until`: start and end of the wait or the pause, None if there is none."""

    report: Report
    context: ExplanationContext
    next: Upcoming
    advice: Advice
    since: datetime | None
    until: datetime | None
    actions: tuple[Action, ...]

    @property
    def due(self) -> bool:
        """Whether it waits for nothing but a free worker."""
        return self.until is None or self.until <= self.context.now

    @property
    def attempts_left(self) -> int:
        import_ = self.report.import_
        return max(1, max_attempts(import_) - import_.attempts)


def explain(report: Report, context: ExplanationContext) -> Explanation:
    """Explain an import in any state."""
    import_ = report.import_
    held_up = import_.state in (State.WAITING, State.PAUSED)
    return Explanation(
        report,
        context,
        next=next_step(import_, has_passwords=context.has_passwords),
        advice=_advice(report),
        since=import_.held_up_since if held_up else None,
        until=_until(import_) if held_up else None,
        actions=_actions(report, context),
    )


def _until(import_: Import) -> datetime | None:
    owner = owner_wait(import_)
    return import_.not_before if owner is None else owner.until


def max_attempts(import_: Import) -> int:
    """The number of attempts without progress after which it stops."""
    return PATIENCE if import_.progress.folders_total else PATIENCE_UNPROVEN


def next_step(import_: Import, *, has_passwords: bool = True) -> Upcoming:  # noqa: PLR0911 - one for each step
    """The next step of an import. Only workers have stored passwords: a foreground copy has none."""
    if import_.state in ENDED:
        return Upcoming.NOTHING if import_.grants_kept_until is None else Upcoming.CAN_BE_REOPENED
    if import_.requested is ControlRequest.CANCEL:
        return Upcoming.ENDS_SOON
    if import_.state is State.PAUSED:
        return Upcoming.ENDS_UNLESS_RESUMED
    if import_.requested is ControlRequest.PAUSE:
        return Upcoming.PAUSES_SOON
    if not has_passwords:
        return Upcoming.CONTINUES_WITH_COMMAND
    if import_.state is State.WAITING:
        if owner_wait(import_) is not None:
            return Upcoming.WAITS_FOR_OWNER
        counted = import_.problem is None or public_row(import_.problem.code).counts_as_failure
        return Upcoming.TRIES_AGAIN if counted else Upcoming.CONTINUES_UNCOUNTED
    return Upcoming.CONTINUES


def _actions(report: Report, context: ExplanationContext) -> tuple[Action, ...]:
    state = report.import_.state
    if state in ENDED:
        left = report.undone is None or report.undone.totals.stays or report.undone.doubtful
        undo = (Action.UNDO,) if report.totals.copied and left else ()
        kept = report.import_.grants_kept_until is not None
        return (*((Action.RETRY, Action.CANCEL) if kept else (Action.RUN_AGAIN,)), *undo)
    if report.import_.requested is ControlRequest.CANCEL:
        return ()
    if not context.has_passwords:
        return (Action.CANCEL,)
    pausing = report.import_.requested is ControlRequest.PAUSE  # can be taken back until it is in effect
    match State.PAUSED if pausing else state:
        case State.PAUSED:
            return (Action.RESUME, Action.CANCEL)
        case State.WAITING:
            return (Action.RETRY, Action.PAUSE, Action.CANCEL)
        case _:
            return (Action.PAUSE, Action.CANCEL)


def _advice(report: Report) -> Advice:
    import_ = report.import_
    match import_.state:
        case State.WAITING | State.STOPPED | State.FAILED:
            return Advice.BY_PROBLEM if import_.problem is not None else Advice.NOTHING
        case State.INCOMPLETE:
            return _advice_about(refusals_by_class(report.refusals))
        case State.QUEUED:
            return Advice.LOOK_FOR_WORKERS
        case State.PAUSED:
            return Advice.RESUME_OR_CANCEL
        case State.CANCELLED | State.UNDONE:
            return Advice.RUN_AGAIN
        case _:
            return Advice.NOTHING


def _advice_about(classes: Container[RefusalClass]) -> Advice:
    if RefusalClass.NOT_COPIED in classes:
        return Advice.RETRY_REFUSED
    return Advice.LOOK_FOR_SENT if RefusalClass.NEVER_SEEN in classes else Advice.CHECK_AGAIN
