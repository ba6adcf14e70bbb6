"""The life of an import, as pure transitions.

    QUEUED -> RUNNING -> COMPLETE | INCOMPLETE        every message accounted for
                      -> WAITING -> RUNNING           a time to wait, with a reason
                      -> STOPPED                      a person has to do something; submitting again goes on
                      -> FAILED                       our own fault
RUNNING stays RUNNING from leg to leg.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from importer.domain.model import Import, Problem, State

ENDED: Final = frozenset({State.COMPLETE, State.INCOMPLETE, State.STOPPED, State.FAILED})
ALIVE: Final = frozenset(State) - ENDED


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


def ended(import_: Import, state: State, now: datetime, problem: Problem | None = None) -> Import:
    """The import's last transition; `state` is one of ENDED."""
    if state not in ENDED:
        raise ValueError(f"{state} is not an end")
    return replace(import_, state=state, problem=problem, not_before=None, finished_at=now)
