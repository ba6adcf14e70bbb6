"""The states of an import, as pure transitions.

    QUEUED -> RUNNING -> COMPLETE | INCOMPLETE        every message accounted for
                      -> WAITING -> RUNNING           waiting for a certain time, for a stated reason, which
                                                      may be that all is copied and new mail is to follow
                      -> STOPPED                      a person has to act; submitting again resumes the copy
                      -> FAILED                       internal error
    QUEUED            -> WAITING                      an owner has to sign in first
    QUEUED | WAITING  -> STOPPED                      the stored passwords do not open, or an owner's sign-in
                                                      has expired or is no longer set up
    WAITING           -> STOPPED                      a foreground copy that would wait too long
    STOPPED | FAILED  -> RUNNING                      on request, while its grants are kept
    any in GOING      -> PAUSED -> RUNNING            on request; CANCELLED if it is never resumed
    any in ALIVE      -> CANCELLED                    on request
    any in ENDED      -> UNDONE                       once an undo is complete

An import stays RUNNING between legs. A `model.ControlRequest` may be recorded at any time without the lease;
it becomes a transition under the lease of the import, like all others.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from importer.domain.model import ControlRequest, Import, Phase, Problem, State

ENDED: Final = frozenset(
    {State.COMPLETE, State.INCOMPLETE, State.STOPPED, State.CANCELLED, State.FAILED, State.UNDONE}
)
ALIVE: Final = frozenset(State) - ENDED
GOING: Final = ALIVE - {State.PAUSED}
"""States in which an import proceeds automatically."""


def is_request_pending(import_: Import) -> bool:
    """Whether a control request was made and is not applied yet."""
    applied = ControlRequest.PAUSE if import_.state is State.PAUSED else None
    return import_.state in ALIVE and import_.requested is not applied


def started(import_: Import, now: datetime) -> Import:
    """A leg has started."""
    progress = replace(import_.progress, phase=Phase.CONNECTING, phase_done=0, phase_total=0, copying_s=0.0)
    return replace(
        import_,
        state=State.RUNNING,
        not_before=None,
        started_at=import_.started_at or now,
        progress=progress,
    )


def continued(import_: Import, *, progressed: bool) -> Import:
    """A leg has ended and messages remain."""
    return replace(
        import_,
        state=State.RUNNING,
        problem=None,
        not_before=None,
        attempts=0 if progressed else import_.attempts + 1,
        held_up_since=None,
    )


def waiting(import_: Import, problem: Problem, now: datetime, until: datetime, *, progressed: bool) -> Import:
    """The import waits until `until`; the leg counts as an attempt."""
    return replace(
        import_,
        state=State.WAITING,
        problem=problem,
        not_before=until,
        attempts=1 if progressed else import_.attempts + 1,
        held_up_since=now if progressed else import_.held_up_since or now,
    )


def queued_behind(
    import_: Import, problem: Problem, now: datetime, until: datetime, *, progressed: bool = False
) -> Import:
    """The import waits for another import or for a host's pause; this does not count as an attempt."""
    since = now if progressed else import_.held_up_since or now
    return replace(import_, state=State.WAITING, problem=problem, not_before=until, held_up_since=since)


def awaiting_pass(import_: Import, problem: Problem, until: datetime) -> Import:
    """A pass is complete, and the next one begins at `until`."""
    return replace(
        import_, state=State.WAITING, problem=problem, not_before=until, attempts=0, held_up_since=None
    )


def hurried(import_: Import) -> Import:
    """The waiting time is dropped: the next leg may start immediately."""
    return replace(import_, not_before=None)


def paused(import_: Import, now: datetime, until: datetime) -> Import:
    """The import is paused until a person resumes it; at `until` it is considered forgotten."""
    return replace(import_, state=State.PAUSED, problem=None, not_before=until, held_up_since=now)


def resumed(import_: Import) -> Import:
    """A person has resumed the import; its attempts are reset."""
    state = State.QUEUED if import_.started_at is None else State.RUNNING
    return replace(import_, state=state, problem=None, not_before=None, attempts=0, held_up_since=None)


def ended(
    import_: Import,
    state: State,
    now: datetime,
    problem: Problem | None = None,
    grants_kept_until: datetime | None = None,
) -> Import:
    """The final transition. Raises ValueError if `state` is not one of ENDED."""
    if state not in ENDED:
        raise ValueError(f"{state} is not a final state")
    return replace(
        import_,
        state=state,
        problem=problem,
        not_before=None,
        finished_at=now,
        held_up_since=None,
        grants_kept_until=grants_kept_until,
    )


def reopened(import_: Import) -> Import:
    """An import that was stopped continues with the grants that were kept."""
    again = resumed(replace(import_, grants_kept_until=None, finished_at=None))
    return replace(again, reopened=import_.reopened + 1, successor=None)
