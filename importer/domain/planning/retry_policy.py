"""What follows when a leg ends in an error: one pure decision, the only one of its kind.

Waiting grows with every leg that made no progress; a leg that did starts the count anew. After
enough fruitless waiting a person is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, assert_never

from providers.errors import LoginRejected, MailError, Remedy, Throttled

RECONNECT_WAITS_S: Final = (1, 2, 5, 15, 60, 300, 900)
"""After a lost connection: almost at once, then slower."""

AWAY_WAITS_S: Final = (30, 60, 120, 300, 900, 1800, 3600)
"""When a server is away or asks for patience without naming a time."""

PATIENCE: Final = 30
"""Legs without progress before we give up on an import that once worked: about a day."""

PATIENCE_UNPROVEN: Final = 5
"""The same for one that never got anywhere: a mistyped port is told within half an hour."""

REFUSED_WAITS_S: Final = (60, 300, 900)
"""When a host refuses passwords that it took before in the same import: mostly its own trouble. Refused
once more than there are waits, and twice in a row, a person is asked."""


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Go on at that time; the error says why."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Stop:
    """A person has to act; the error says what."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Waited long enough without progress."""


Decision = WaitUntil | Stop | GiveUp


def decide(error: MailError, attempts: int, now: datetime, *, proven: bool, again: bool = False) -> Decision:
    """`attempts`: how many legs before this one made no progress, 0 or more; `proven`: some leg ever did;
    `again`: the leg before this one ended in the same kind of error."""
    refused_for_now = isinstance(error, LoginRejected) and proven
    if refused_for_now and attempts < PATIENCE and not (again and attempts >= len(REFUSED_WAITS_S)):
        return WaitUntil(now + _step(REFUSED_WAITS_S, attempts))
    if error.remedy is Remedy.HUMAN:
        return Stop()
    asked_to = isinstance(error, Throttled)  # by a mail server, so it is not the wrong place
    if attempts >= (PATIENCE if proven or asked_to else PATIENCE_UNPROVEN):
        return GiveUp()
    match error.remedy:
        case Remedy.WAIT:
            if isinstance(error, Throttled) and error.until is not None:
                return WaitUntil(max(error.until, now))
            return WaitUntil(now + _step(AWAY_WAITS_S, attempts))
        case Remedy.RECONNECT | Remedy.REPLAN | Remedy.SKIP:
            return WaitUntil(now + _step(RECONNECT_WAITS_S, attempts))
        case _:
            assert_never(error.remedy)


def _step(waits_s: tuple[int, ...], attempts: int) -> timedelta:
    return timedelta(seconds=waits_s[min(attempts, len(waits_s) - 1)])
