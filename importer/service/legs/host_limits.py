"""Rate limits of the two hosts of a leg, enforced with budgets in the store that all workers share.

Invariants:
- No connection is opened without a slot for its host, and none is used without one for its account. A leg
  keeps its slots as long as it renews them; the slots of a dead worker expire together with its leases.
- Before the first login to an account its slots are not taken and its daily cap is not disclosed: until then
  it is only named, perhaps by a stranger. A pause of the host applies before the login, too.
- A pause that a host requested applies to all imports of that account or host, not only to the one that was
  throttled. If the pause concerns new connections only, existing connections continue.
- Bytes are counted within a second. If a worker is killed, the bytes of its last second may not be counted;
  the daily caps in `catalog.toml` are below what hosts allow.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from threading import Lock
from typing import Final

from importer.domain.model import Account, Import, Problem
from importer.domain.planning.host_allowance import (
    Allowance,
    Backoff,
    account_budget,
    connecting_budget,
    expected_end,
    host_budget,
    used_up_until,
    without_connecting,
)
from importer.domain.planning.retry_limits import DEFAULT_PAUSE
from importer.domain.planning.retry_policy import slot_wait_end
from importer.domain.planning.time_estimate import DailyCap
from importer.domain.reporting.totals import Totals
from importer.ports.budgets import Budgets
from importer.ports.process import Clock
from importer.service.deps import Deps
from providers.errors import ServerUnavailable, Side, Throttled
from providers.text import ByteSize, Text

CHECK_INTERVAL: Final = timedelta(seconds=1)
"""How often the store is checked for a pause or a used-up cap."""


class PostponedByHost(Exception):
    """The host must not be contacted before `until`; `problem` says why.

    This is not a failure and does not count as a leg without progress.
    """

    def __init__(self, problem: Problem, until: datetime) -> None:
        super().__init__(problem.text)
        self.problem = problem
        self.until = until


class HostLimits:
    """The shared budgets from the view of one leg. Thread-safe.

    `holder` identifies the leg. Call `release_slots` at the end.
    """

    def __init__(self, deps: Deps, import_: Import, holder: str) -> None:
        self._budgets: Budgets = deps.store
        self._clock: Clock = deps.clock
        self._ttl = deps.deadlines.lease
        self._holder = holder
        self._held_up_since = import_.held_up_since
        self._backoff_of = partial(deps.process_legs.backoff, deps.store, deps.clock, import_.id)
        self._sides = {
            side: _Side(account, deps.allowance(account), side)
            for side, account in ((Side.SOURCE, import_.source), (Side.DESTINATION, import_.destination))
        }
        self._lock = Lock()
        self._checked_at_s = deps.clock.elapsed_s()
        self._postponed: PostponedByHost | None = None

    # --- Before connecting ------------------------------------------------------------------------

    def raise_if_postponed(self, *, proven: bool = True) -> None:
        """Raise PostponedByHost if one of the hosts must not be contacted now. Daily caps of the accounts
        count only if they are `proven`, that is, if a login has succeeded at each."""
        if (postponed := self._find_postponement(connecting=True, caps=proven)) is not None:
            raise postponed

    def acquire_slots(self, number: int, *, proven: bool = True) -> None:
        """Acquire the slots for both connections of lane `number`, counted from 0; unless `proven`, those at
        the hosts only. Each side is then to be entered after its login (`enter`).

        Raises PostponedByHost if there is no free slot for the first lane. For a further lane, raises
        ServerUnavailable if there is no free slot or a host accepts no more connections: the existing lanes
        then do the work. Further lanes leave a quarter of a host's connections to the first lanes of others.
        """
        now = self._clock.now()
        if number and self._backoff(connecting=True) is not None:
            raise ServerUnavailable(self._no_more())
        slots = [
            slot
            for side in self._sides.values()
            for slot in side.slots(further=number > 0)[0 if proven else 1 :]
        ]
        if not self._budgets.acquire_slots(self._holder, slots, now, self._ttl):
            if number:
                raise ServerUnavailable(self._no_more())
            raise PostponedByHost(Problem(Text("connections_in_use.all")), self._slot_wait_end(now))

    def enter(self, side: Side) -> None:
        """Acquire the slot at the account of `side`, after the first login there. Raises PostponedByHost if
        there is none, or if the daily cap of the account is used up."""
        now = self._clock.now()
        if (capped := self._by_cap(self._sides[side], now)) is not None:
            raise capped
        if not self._budgets.acquire_slots(
            self._holder, self._sides[side].slots(further=False)[:1], now, self._ttl
        ):
            problem = Problem(Text("connections_in_use", host=self._sides[side].host), side)
            raise PostponedByHost(problem, self._slot_wait_end(now))

    def _slot_wait_end(self, now: datetime) -> datetime:
        return slot_wait_end(now, self._held_up_since)

    def renew_slots(self) -> None:
        """Extend the slots by the duration of a lease."""
        self._budgets.renew_slots(self._holder, self._clock.now(), self._ttl)

    def release_slots(self) -> None:
        """Release the slots and write the byte counts that are still pending."""
        with self._lock:
            self._flush_counts(self._clock.now())
        self._budgets.release_slots(self._holder)

    def daily_caps(self) -> list[DailyCap]:
        """The known daily byte caps of the hosts, and the bytes counted against them."""
        now = self._clock.now()
        return [
            DailyCap(
                side.cap_bytes,
                side.uncounted_bytes
                + sum(count.size_bytes for count in self._budgets.counted_bytes(side.meter, now)),
            )
            for side in self._sides.values()
            if side.cap_bytes is not None
        ]

    def _no_more(self) -> Text:
        return Text("server_unavailable.no_more_connections", host=self._sides[Side.SOURCE].host)

    # --- While connected ----------------------------------------------------------------------------

    def count_bytes(self, side: Side, size_bytes: int) -> None:
        """Count `size_bytes` of message data that were transferred on `side`."""
        with self._lock:
            self._sides[side].uncounted_bytes += size_bytes

    def postponement(self) -> PostponedByHost | None:
        """Return why the leg has to end, None if it may continue; checks the store about once a second."""
        with self._lock:
            now_s = self._clock.elapsed_s()
            if self._postponed is None and now_s - self._checked_at_s >= CHECK_INTERVAL.total_seconds():
                self._checked_at_s = now_s
                self._flush_counts(self._clock.now())
                self._postponed = self._find_postponement()
            return self._postponed

    def budgets(self) -> tuple[str, ...]:
        """The names under which accounts and hosts are paused, but for new connections."""
        return tuple(name for side in self._sides.values() for name in side.names)

    def _flush_counts(self, now: datetime) -> None:
        for side in self._sides.values():
            if side.cap_bytes is not None and side.uncounted_bytes:
                self._budgets.count_bytes(side.meter, now, side.uncounted_bytes)
                side.uncounted_bytes = 0

    def _find_postponement(self, *, connecting: bool = False, caps: bool = True) -> PostponedByHost | None:
        now = self._clock.now()
        backoff = self._backoff(connecting=connecting)
        candidates = [self._by_backoff(backoff)] if backoff is not None else []
        capped = self._sides.values() if caps else ()
        candidates += [cap for side in capped if (cap := self._by_cap(side, now)) is not None]
        return max(candidates, key=lambda postponed: postponed.until, default=None)

    def _backoff(self, *, connecting: bool) -> Backoff | None:
        """The pause in force, None if there is none; with `connecting`, pauses for new connections
        included."""
        names = list(self.budgets())
        return self._backoff_of(names + [connecting_budget(name) for name in names] * connecting)

    def _by_backoff(self, backoff: Backoff) -> PostponedByHost:
        name = without_connecting(backoff.name)
        [throttled_side, *_] = [key for key, side in self._sides.items() if name in side.names]
        return PostponedByHost(Problem(backoff.text, throttled_side, backoff.server_text), backoff.until)

    def _by_cap(self, side: _Side, now: datetime) -> PostponedByHost | None:
        if side.cap_bytes is None:
            return None
        until = used_up_until(self._budgets.counted_bytes(side.meter, now), side.cap_bytes, now)
        return None if until is None else PostponedByHost(_cap_used_up(side), until)

    # --- After a leg ----------------------------------------------------------------------------------

    def record_throttling(self, error: Throttled, until: datetime | None = None) -> None:
        """Make all legs of the account, or of the whole host, back off until `until`.

        The default is the time that the host named, else DEFAULT_PAUSE from now.
        """
        if error.side is None:
            return
        name = self._sides[error.side].names[error.whole_host]
        until = until or error.until or self._clock.now() + DEFAULT_PAUSE
        self._budgets.back_off(
            Backoff(
                connecting_budget(name) if error.connecting else name,
                until,
                error.text,
                error.server_text,
            )
        )

    def with_expected_end(
        self, problem: Problem, until: datetime, totals: Totals, messages_left: int
    ) -> Problem:
        """The problem of a postponement; for a daily cap, extended by the expected end of the import."""
        side = self._sides[problem.side] if problem.side is not None else None
        if problem.code != DAILY_LIMIT or side is None or side.cap_bytes is None:
            return problem
        end = expected_end(totals, messages_left, side.cap_bytes, until)
        return problem if end is None else _cap_used_up(side, end)


class _Side:
    """One account and the limits of its host; `names` are the budget names of the account and of the host."""

    def __init__(self, account: Account, allowance: Allowance, side: Side) -> None:
        self.side = side
        self.host = allowance.host or account.endpoint.host
        self.names = (account_budget(account.key), host_budget(account.endpoint.host))
        self._account_limit, self._host_limit = allowance.account_connections, allowance.host_connections
        down = side is Side.SOURCE
        self.cap_bytes = allowance.daily_down_bytes if down else allowance.daily_up_bytes
        self.meter = f"{'down' if down else 'up'} {account.key}"
        self.uncounted_bytes = 0

    def slots(self, *, further: bool) -> tuple[tuple[str, int], ...]:
        """(budget name, most slots at a time) for a connection of the first lane, or of a further one."""
        account, host = self.names
        return (account, self._account_limit), (
            host,
            self._host_limit - (self._host_limit // 4 if further else 0),
        )


DAILY_LIMIT: Final = "daily_limit"


def _cap_used_up(side: _Side, end: datetime | None = None) -> Problem:
    limit = ByteSize(side.cap_bytes or 0)
    if end is None:
        return Problem(Text(f"{DAILY_LIMIT}.reached", host=side.host, limit=limit), side.side)
    text = Text(f"{DAILY_LIMIT}.reached.with_end", host=side.host, limit=limit, end=end.date())
    return Problem(text, side.side)
