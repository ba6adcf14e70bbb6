"""The life of an import, as pure transitions.

    QUEUED -> RUNNING -> COMPLETE | INCOMPLETE        every message accounted for
                      -> WAITING -> RUNNING           a time to wait, with a reason
                      -> STOPPED                      a person has to do something; submitting again goes on
                      -> FAILED                       our own fault
    any of these      -> PAUSED -> RUNNING            a person wants so; forgotten, it is CANCELLED
    all that go on    -> CANCELLED                    a person wants so
RUNNING stays RUNNING from leg to leg. Wishes (`model.Wish`) may be had by anybody at any time; they become
transitions under the lease of the import, like all others.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from importer.domain.model import Import, Problem, State

ENDED: Final = frozenset({State.COMPLETE, State.INCOMPLETE, State.STOPPED, State.CANCELLED, State.FAILED})
ALIVE: Final = frozenset(State) - ENDED
GOING: Final = ALIVE - {State.PAUSED}
"""Those that go on by themselves."""


def started(import_: Import, now: datetime) -> Import:
    """A leg begins."""
    return replace(import_, state=State.RUNNING, not_before=None, started_at=import_.started_at or now)


def continued(import_: Import, *, progressed: bool) -> Import:
    """A leg ended and there is more to do."""
    return replace(
        import_,
        state=State.RUNNING,
        problem=None,
        not_before=None,
        attempts=0 if progressed else import_.attempts + 1,
        held_up_since=None,
    )


def waiting(import_: Import, problem: Problem, now: datetime, until: datetime, *, progressed: bool) -> Import:
    """Nothing to do before `until`."""
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
    """Somebody else's turn, or a host's pause; no fruitless leg."""
    since = now if progressed else import_.held_up_since or now
    return replace(import_, state=State.WAITING, problem=problem, not_before=until, held_up_since=since)


def hurried(import_: Import) -> Import:
    """What it waits for counts no more: the next leg may begin at once."""
    return replace(import_, not_before=None)


def paused(import_: Import, now: datetime, until: datetime) -> Import:
    """Nothing is done until a person wants it to go on; at `until` it counts as forgotten."""
    return replace(import_, state=State.PAUSED, problem=None, not_before=until, held_up_since=now)


def resumed(import_: Import) -> Import:
    """A person wants it to go on; fruitless legs before do not count."""
    going = State.QUEUED if import_.started_at is None else State.RUNNING
    return replace(import_, state=going, problem=None, not_before=None, attempts=0, held_up_since=None)


def ended(import_: Import, state: State, now: datetime, problem: Problem | None = None) -> Import:
    """The import's last transition; `state` is one of ENDED."""
    if state not in ENDED:
        raise ValueError(f"{state} is not an end")
    return replace(
        import_, state=state, problem=problem, not_before=None, finished_at=now, held_up_since=None
    )
