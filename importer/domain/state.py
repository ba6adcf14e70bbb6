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
    )


def waiting(import_: Import, problem: Problem, until: datetime, *, progressed: bool) -> Import:
    """Nothing to do before `until`."""
    return replace(
        import_,
        state=State.WAITING,
        problem=problem,
        not_before=until,
        attempts=1 if progressed else import_.attempts + 1,
    )


def queued_behind(import_: Import, problem: Problem, until: datetime) -> Import:
    """Somebody else's turn; no fruitless leg."""
    return replace(import_, state=State.WAITING, problem=problem, not_before=until)


def hurried(import_: Import) -> Import:
    """What it waits for counts no more: the next leg may begin at once."""
    return replace(import_, not_before=None)


def paused(import_: Import, until: datetime) -> Import:
    """Nothing is done until a person wants it to go on; at `until` it counts as forgotten."""
    return replace(import_, state=State.PAUSED, problem=None, not_before=until)


def resumed(import_: Import) -> Import:
    """A person wants it to go on; fruitless legs before do not count."""
    going = State.QUEUED if import_.started_at is None else State.RUNNING
    return replace(import_, state=going, problem=None, not_before=None, attempts=0)


def ended(import_: Import, state: State, now: datetime, problem: Problem | None = None) -> Import:
    """The import's last transition; `state` is one of ENDED."""
    if state not in ENDED:
        raise ValueError(f"{state} is not an end")
    return replace(import_, state=state, problem=problem, not_before=None, finished_at=now)
