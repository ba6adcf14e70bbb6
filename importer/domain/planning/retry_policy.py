"""The retry policy between legs: what happens after a leg has ended with an error.

The waiting time grows with every leg without progress and is reset by a leg with progress. After too many
legs without progress the import stops, and a person is notified.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, assert_never

from providers.errors import LoginRejected, MailError, Remedy, Throttled

RECONNECT_WAITS_S: Final = (1, 2, 5, 15, 60, 300, 900)
"""Waiting times after a lost connection."""

AWAY_WAITS_S: Final = (30, 60, 120, 300, 900, 1800, 3600)
"""Waiting times if a server is unavailable, or throttles without naming a time."""

PATIENCE: Final = 30
"""Legs without progress before an import that has made progress before is given up: about a day."""

PATIENCE_UNPROVEN: Final = 5
"""The same for an import without any progress: a mistyped port is reported within half an hour."""

REFUSED_WAITS_S: Final = (60, 300, 900)
"""Waiting times if a host rejects a password that it accepted earlier in the same import, which is mostly a
temporary fault of the host. The import stops if more logins fail than there are waiting times here, at least
two of them in a row."""


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Retry at that time; the error gives the reason."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Stop:
    """A person has to act; the error says how."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Too many legs without progress."""


Decision = WaitUntil | Stop | GiveUp


def decide(error: MailError, attempts: int, now: datetime, *, proven: bool, again: bool = False) -> Decision:
    """Decide what happens after a leg that ended with `error`.

    `attempts`: the number of legs without progress before this one. `proven`: at least one leg has made
    progress. `again`: the previous leg ended with the same kind of error.
    """
    maybe_temporary = isinstance(error, LoginRejected) and proven
    if maybe_temporary and attempts < PATIENCE and not (again and attempts >= len(REFUSED_WAITS_S)):
        return WaitUntil(now + _step(REFUSED_WAITS_S, attempts))
    if error.remedy is Remedy.HUMAN:
        return Stop()
    throttled = isinstance(error, Throttled)  # a mail server responded, so host and port are right
    if attempts >= (PATIENCE if proven or throttled else PATIENCE_UNPROVEN):
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
