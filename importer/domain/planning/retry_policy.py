"""The retry policy between legs: what happens after a leg has ended with an error.

The waiting time grows with every leg without progress and is reset by a leg with progress. After too many
legs without progress the import stops, and a person is notified.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from importer.domain.planning.retry_limits import (
    AWAY_WAITS_S,
    FULL_MAILBOX_WAITS,
    MASTER_PATIENCE,
    MAX_LOST_ALONE,
    OWN_HOST_WAITS,
    PATIENCE,
    PATIENCE_UNPROVEN,
    RECONNECT_WAITS_S,
    REFUSED_WAITS_S,
    SLOT_WAITS,
)
from providers.errors import (
    EndpointWrong,
    LoginRejected,
    MailError,
    MasterRefused,
    Remedy,
    ServerUnavailable,
    Throttled,
)
from providers.frozen import frozen


@frozen
class WaitUntil:
    """Retry at that time; the error gives the reason."""

    until: datetime


@frozen
class Stop:
    """A person has to act; the error says how."""


@frozen
class GiveUp:
    """Too many legs without progress."""


Decision = WaitUntil | Stop | GiveUp


def decide(
    error: MailError, attempts: int, now: datetime, *, reached: bool, proven: bool, again: bool = False
) -> Decision:
    """Decide what happens after a leg that ended with `error`.

    `attempts`: the number of legs without progress before this one. `reached`: a leg has listed both
    mailboxes. `proven`: both logins have succeeded with the current passwords. `again`: the previous leg
    ended with the same kind of error.
    """
    maybe_temporary = isinstance(error, LoginRejected) and proven
    if maybe_temporary and attempts < PATIENCE and not (again and attempts >= len(REFUSED_WAITS_S)):
        return WaitUntil(now + _step(REFUSED_WAITS_S, attempts))
    if error.remedy is Remedy.HUMAN:
        return Stop()
    throttled = isinstance(error, Throttled)  # a mail server responded, so host and port are right
    if attempts >= (PATIENCE if reached or throttled else PATIENCE_UNPROVEN):
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


def held_until(
    error: MailError, now: datetime, held_up_since: datetime | None, *, proven: bool
) -> datetime | None:
    """When to retry after an error of the installation's own mail host that its operator has to mend: its
    address, certificate, encryption, availability or master user. None for any other error.

    No owner of a mailbox can mend these, so they end no import and count as no attempt, however long they
    take. A master user that is refused at a mailbox that it never opened (not `proven`) is no such error:
    that mailbox may not exist. `held_up_since`: since when the import makes no progress.
    """
    away_for = now - (held_up_since or now)
    master = isinstance(error, MasterRefused) and proven and away_for < MASTER_PATIENCE
    if not (master or isinstance(error, EndpointWrong | ServerUnavailable)):
        return None
    return _growing(now, away_for, OWN_HOST_WAITS)


@frozen
class RoomWait:
    """Look at `until` whether a full mailbox has room; give up at `gives_up_at`."""

    until: datetime
    gives_up_at: datetime


def room_wait(now: datetime, full_since: datetime | None, patience: timedelta) -> RoomWait | None:
    """The wait for room in a full mailbox; None once it was full for `patience`.

    It counts as no attempt: only its owner, or the operator with a larger quota, can make room."""
    since = full_since or now
    if now - since >= patience:
        return None
    gives_up_at = since + patience
    return RoomWait(min(_growing(now, now - since, FULL_MAILBOX_WAITS), gives_up_at), gives_up_at)


def slot_wait_end(now: datetime, held_up_since: datetime | None) -> datetime:
    """When an import that found no free slot tries again, given since when it makes no progress."""
    return _growing(now, (now - (held_up_since or now)) / 2, SLOT_WAITS)


def _growing(now: datetime, held_up_for: timedelta, waits: tuple[timedelta, timedelta]) -> datetime:
    """The end of a wait as long as `held_up_for`, between the shortest and the longest."""
    shortest, longest = waits
    return now + min(max(held_up_for, shortest), longest)


def is_verdict(error: BaseException) -> bool:
    """Whether the error stays the same, however often the attempt is repeated, until a person acts."""
    return isinstance(error, MailError) and error.remedy is Remedy.HUMAN


def decisive(errors: Sequence[BaseException]) -> BaseException:
    """Of several errors that ended the same attempt, the one that decides what happens next.

    A verdict comes first: a refused password must not be tried again because the connection to the other side
    was lost. Internal errors come next, then a pause that a host asks for. Of equal ones it is the first.
    """

    def rank(error: BaseException) -> int:
        if is_verdict(error):
            return 0
        if not isinstance(error, MailError):
            return 1
        return 2 if isinstance(error, Throttled) else 3 if error.remedy is Remedy.WAIT else 4

    return min(errors, key=rank)


class Blame(StrEnum):
    """The presumed cause if the connection ends whenever a certain message is sent."""

    MESSAGE = "message"  # it is refused
    UNKNOWN = "unknown"  # try it once more, after everything else
    SERVER = "server"  # or the line: the leg ends, and the next one tries again after a while


def blame(
    lost_alone: int, *, announced: bool, stored_before: bool, stored_between: bool, attempts: int
) -> Blame:
    """Decide why the connection ends at a message.

    `lost_alone`: how often it did in this leg, with the message sent alone and as the first one on a
    connection. `announced`: the server said BYE with words of its own, as no disturbed line does.
    `stored_before`: the server stored other messages in this leg; `stored_between`: also since the connection
    ended at this message for the first time, so the line works. `attempts`: legs without progress before this
    one.
    """
    if announced and lost_alone >= (1 if stored_before else 2):
        return Blame.MESSAGE
    if stored_between and lost_alone > 1:
        return Blame.MESSAGE
    if lost_alone < MAX_LOST_ALONE:
        return Blame.UNKNOWN
    return Blame.MESSAGE if attempts else Blame.SERVER


def _step(waits_s: tuple[int, ...], attempts: int) -> timedelta:
    return timedelta(seconds=waits_s[min(attempts, len(waits_s) - 1)])
