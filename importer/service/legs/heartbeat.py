"""Keep leases alive while a leg runs, and stop sending before they can expire.

Invariants:
- The send deadline lies SENDING_SHARE of a lease after the moment at which the holder began to ask for the
  lease, or for its last renewal, by the holder's own clock. The store counts the whole lease from a later
  moment, so the next worker starts at least the rest of a lease after the deadline.
- Once it has passed, the right to send does not come back, even if the lease can be renewed afterwards:
  connections are cut by then, and the next leg settles what they carried.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from types import TracebackType
from typing import Final

from importer.ports.leases import Lease, LeaseLost, Leases
from importer.ports.process import Clock

SENDING_SHARE: Final = 0.75
"""The part of a lease during which its holder may send. The rest is for bytes that are on their way."""

_RETRY_SHARE: Final = 1 / 12
"""The part of a lease after which a renewal is repeated that raised an error."""

_LONGEST_WAIT_S: Final = 1.0
"""Waiting does not count the time during which the machine is suspended, so no wait is longer than this."""


class Heartbeat:
    """Renews leases from a background thread until closed, then releases them.

    `asked_at_s` is `Clock.elapsed_s` from before the leases were acquired. `check` raises LeaseLost once a
    renewal was refused or the send deadline has passed; an unreachable store alone raises nothing before
    that. `on_renew` is called after each renewal, for anything else that has to be renewed as often as a
    lease.
    """

    def __init__(
        self,
        leases: Leases,
        held_leases: Sequence[Lease],
        clock: Clock,
        ttl: timedelta,
        *,
        asked_at_s: float,
        on_renew: Callable[[], None] = lambda: None,
    ) -> None:
        self._leases = leases
        self._held_leases = held_leases
        self._clock = clock
        self._ttl = ttl
        self._on_renew = on_renew
        self._lock = threading.Lock()
        self._send_until_s = self._deadline(asked_at_s)
        self._lost = False
        self._on_lost: Callable[[], None] | None = None
        self._closed = threading.Event()
        self._threads = [
            threading.Thread(target=self._renew_until_closed, name="heartbeat", daemon=True),
            threading.Thread(target=self._watch_deadline, name="send-deadline", daemon=True),
        ]

    def check(self) -> None:
        """Raise LeaseLost if the holder may no longer send or write. Cheap: called before each send."""
        if self._lost:
            raise LeaseLost
        if self._clock.elapsed_s() >= self._send_until_s:
            self._lose()
            raise LeaseLost

    def when_lost(self, cut: Callable[[], None]) -> None:
        """Call `cut` once, from any thread, as soon as `check` raises; at once if it does already."""
        with self._lock:
            self._on_lost, lost = cut, self._lost
        if lost:
            cut()

    def _lose(self) -> None:
        with self._lock:
            first, self._lost = not self._lost, True
            cut = self._on_lost
        if first and cut is not None:
            cut()

    def _deadline(self, asked_at_s: float) -> float:
        return asked_at_s + self._ttl.total_seconds() * SENDING_SHARE

    def _renew_until_closed(self) -> None:
        ttl_s = self._ttl.total_seconds()
        wait_s = ttl_s / 3
        while not self._closed.wait(wait_s):
            asked_at_s = self._clock.elapsed_s()
            try:
                renewed = all(self._leases.renew(lease, self._ttl) for lease in self._held_leases)
                self._on_renew()
            except Exception:  # the store is unreachable, perhaps for a moment: the deadline decides
                wait_s = ttl_s * _RETRY_SHARE
                continue
            if not renewed:
                self._lose()
                return
            with self._lock:
                self._send_until_s = self._deadline(asked_at_s)
            wait_s = ttl_s / 3

    def _watch_deadline(self) -> None:
        """Notice the deadline although the thread that sends is blocked, or the store does not answer."""
        while True:
            left_s = self._send_until_s - self._clock.elapsed_s()
            if self._closed.wait(max(0.0, min(left_s, _LONGEST_WAIT_S))):
                return
            with suppress(LeaseLost):
                self.check()
            if self._lost:
                return

    def __enter__(self) -> Heartbeat:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        for thread in self._threads:
            thread.join()
        for lease in self._held_leases:
            with suppress(Exception):  # the store is unreachable: the lease expires
                self._leases.release(lease)
