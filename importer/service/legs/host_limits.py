"""Manners: what one leg may ask of the two hosts, by the budgets in the store that all workers share.

Invariants:
- No connection is opened without a slot at its account and its host. A leg holds its slots as long as it
  renews them; those of a worker that died are free again when its leases are.
- Nobody asks an account or a host before a pause is over that it asked for, whichever import it told. Where
  it only takes no more connections, nobody connects before, and those who are connected go on.
- Bytes are counted within a second. A worker that is killed may leave the last second's uncounted: daily
  caps are planned below what hosts allow (`catalog.toml`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from importer.domain.model import Account, Import, Problem
from importer.domain.planning.host_allowance import Allowance, Backoff, expected_end, used_up_until
from importer.domain.planning.retry_policy import AWAY_WAITS_S
from importer.domain.planning.time_estimate import DailyCap
from importer.domain.reporting.formatting import spoken_bytes
from importer.domain.reporting.totals import Totals
from importer.ports.budgets import Budgets
from importer.ports.process import Clock
from importer.service.deps import Deps
from providers.errors import ServerUnavailable, Side, Throttled

SLOT_WAIT: Final = timedelta(seconds=10)
"""When all connections are in use: how long until the import asks again."""

DEFAULT_PAUSE: Final = timedelta(seconds=AWAY_WAITS_S[0])
"""When a host asks for a pause without saying how long, and nothing has waited for it yet."""

CHECK_INTERVAL: Final = timedelta(seconds=1)


class PostponedByHost(Exception):
    """Not now: `problem` says why, and `until` when to ask again. Nobody's fault, and no fruitless leg."""

    def __init__(self, problem: Problem, until: datetime) -> None:
        super().__init__(problem.message)
        self.problem = problem
        self.until = until


class HostLimits:
    """The shared budgets as one leg sees them, for any thread. `holder` names the leg; `release` it at
    the end."""

    def __init__(self, deps: Deps, import_: Import, holder: str) -> None:
        self._budgets: Budgets = deps.store
        self._clock: Clock = deps.clock
        self._ttl = deps.deadlines.lease
        self._holder = holder
        self._sides = {
            side: _Side(account, deps.allowance(account), side)
            for side, account in ((Side.SOURCE, import_.source), (Side.DESTINATION, import_.destination))
        }
        self._lock = Lock()
        self._checked_at = deps.clock.now()
        self._postponed: PostponedByHost | None = None

    # --- Before connecting ------------------------------------------------------------------------

    def raise_if_postponed(self) -> None:
        """Raises PostponedByHost when one of the hosts is not to be asked now."""
        if (reason := self._reason(connecting=True)) is not None:
            raise reason

    def acquire_slots(self, number: int) -> None:
        """Takes a slot for each of the two connections of a lane. Raises PostponedByHost when there is none
        for the first lane, ServerUnavailable for a further one, also where a host takes no more: then the
        others do the work."""
        now = self._clock.now()
        if number and self._backoff(now, connecting=True) is not None:
            raise ServerUnavailable(_NO_MORE)
        wanted = [slot for side in self._sides.values() for slot in side.slots]
        if not self._budgets.acquire_slots(self._holder, wanted, now, self._ttl):
            if number:
                raise ServerUnavailable(_ALL_IN_USE.message)
            raise PostponedByHost(_ALL_IN_USE, now + SLOT_WAIT)

    def renew_slots(self) -> None:
        """Keeps the slots for as long as a lease lasts."""
        self._budgets.renew_slots(self._holder, self._clock.now(), self._ttl)

    def release_slots(self) -> None:
        """Gives the slots back and counts what is not counted yet."""
        with self._lock:
            self._count_out(self._clock.now())
        self._budgets.release_slots(self._holder)

    def daily_caps(self) -> list[DailyCap]:
        """What the hosts let through in a day, where they are known to."""
        now = self._clock.now()
        return [
            DailyCap(
                side.cap_bytes,
                side.uncounted_bytes
                + sum(one.size_bytes for one in self._budgets.counted_bytes(side.meter, now)),
            )
            for side in self._sides.values()
            if side.cap_bytes is not None
        ]

    # --- Meanwhile ----------------------------------------------------------------------------------

    def count_bytes(self, side: Side, size_bytes: int) -> None:
        """So many bytes of messages were moved on that side."""
        with self._lock:
            self._sides[side].uncounted_bytes += size_bytes

    def postponement(self) -> PostponedByHost | None:
        """Why the leg has to end, if it has to; looks into the store about once a second."""
        with self._lock:
            now = self._clock.now()
            if self._postponed is None and now - self._checked_at >= CHECK_INTERVAL:
                self._checked_at = now
                self._count_out(now)
                self._postponed = self._reason()
            return self._postponed

    def _count_out(self, now: datetime) -> None:
        for side in self._sides.values():
            if side.cap_bytes is not None and side.uncounted_bytes:
                self._budgets.count_bytes(side.meter, now, side.uncounted_bytes)
                side.uncounted_bytes = 0

    def _reason(self, *, connecting: bool = False) -> PostponedByHost | None:
        now = self._clock.now()
        backoff = self._backoff(now, connecting=connecting)
        reasons = [self._by_backoff(backoff)] if backoff is not None else []
        reasons += [held for side in self._sides.values() if (held := self._by_cap(side, now)) is not None]
        return max(reasons, key=lambda reason: reason.until, default=None)

    def _backoff(self, now: datetime, *, connecting: bool) -> Backoff | None:
        """What a host asked for; with `connecting`, also of those who are not connected yet."""
        names = [name for side in self._sides.values() for name in side.names]
        return self._budgets.backoff(names + [_connecting(name) for name in names] * connecting, now)

    def _by_backoff(self, backoff: Backoff) -> PostponedByHost:
        name = backoff.name.removeprefix(_CONNECTING)
        [told, *_] = [of for of, side in self._sides.items() if name in side.names]
        return PostponedByHost(
            Problem(backoff.code, backoff.message, told, backoff.server_text), backoff.until
        )

    def _by_cap(self, side: _Side, now: datetime) -> PostponedByHost | None:
        if side.cap_bytes is None:
            return None
        until = used_up_until(self._budgets.counted_bytes(side.meter, now), side.cap_bytes, now)
        return None if until is None else PostponedByHost(_used_up(side), until)

    # --- Afterwards -----------------------------------------------------------------------------------

    def record_throttling(self, error: Throttled, until: datetime | None = None) -> None:
        """Whoever else has to do with that account, or with its host, waits until then as well; by default
        for as long as the host wants, or for DEFAULT_PAUSE."""
        if error.side is None:
            return
        name = self._sides[error.side].names[error.whole_host]
        until = until or error.until or self._clock.now() + DEFAULT_PAUSE
        self._budgets.back_off(
            Backoff(
                _connecting(name) if error.connecting else name,
                until,
                error.code,
                str(error),
                error.server_text,
            )
        )

    def with_expected_end(self, held: PostponedByHost, totals: Totals, messages_left: int) -> Problem:
        """The problem, and for a daily cap when about everything will have been moved under it."""
        side = self._sides[held.problem.side] if held.problem.side is not None else None
        if held.problem.code != DAILY_LIMIT or side is None or side.cap_bytes is None:
            return held.problem
        end = expected_end(totals, messages_left, side.cap_bytes, held.until)
        return held.problem if end is None else _used_up(side, end)


class _Side:
    """One account with what its host allows; `names` are those of the account and of its host."""

    def __init__(self, account: Account, allowance: Allowance, side: Side) -> None:
        self.side = side
        self.host = allowance.host or account.endpoint.host
        self.names = (f"account {account.key}", f"host {account.endpoint.host.casefold().rstrip('.')}")
        limits = (allowance.account_connections, allowance.host_connections)
        self.slots = tuple(zip(self.names, limits, strict=True))
        down = side is Side.SOURCE
        self.cap_bytes = allowance.daily_down_bytes if down else allowance.daily_up_bytes
        self.meter = f"{'down' if down else 'up'} {account.key}"
        self.uncounted_bytes = 0


DAILY_LIMIT: Final = "daily_limit"

_ALL_IN_USE: Final = Problem(
    "connections_in_use",
    "As many connections as this host may be asked for are in use; imports take turns.",
)


_NO_MORE: Final = "This host takes no more connections at the moment."

_CONNECTING: Final = "connecting "


def _connecting(name: str) -> str:
    """The name of a pause that holds back only who is not connected yet."""
    return _CONNECTING + name


def _used_up(side: _Side, end: datetime | None = None) -> Problem:
    way = "out of" if side.side is Side.SOURCE else "into"
    message = (
        f"Mailhaul moves at most {spoken_bytes(side.cap_bytes or 0)} {way} one mailbox at {side.host} in 24"
        " hours, because more would have the host lock it. That much has been moved."
    )
    if end is not None:
        message += f" At this pace everything will be there about {end:%Y-%m-%d}."
    return Problem("daily_limit", message, side.side)
