"""Keep leases alive while a leg runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from types import TracebackType

from importer.ports.leases import Lease, LeaseLost, Leases
from importer.ports.process import Clock


class Heartbeat:
    """Renews leases from a background thread until closed, then releases them.

    A worker that was suspended beyond the end of its lease notices at the next `check` or ledger write.
    `on_renew` is called after each renewal, for anything else that has to be renewed as often as a lease.
    """

    def __init__(
        self,
        leases: Leases,
        held_leases: Sequence[Lease],
        clock: Clock,
        ttl: timedelta,
        on_renew: Callable[[], None] = lambda: None,
    ) -> None:
        self._leases = leases
        self._held_leases = held_leases
        self._clock = clock
        self._ttl = ttl
        self._on_renew = on_renew
        self._closed = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._renew_until_closed, name="heartbeat", daemon=True)

    def check(self) -> None:
        """Raise LeaseLost if one of the leases could not be renewed."""
        if self._lost.is_set():
            raise LeaseLost

    def _renew_until_closed(self) -> None:
        while not self._closed.wait(self._ttl.total_seconds() / 3):
            try:
                renewed = all(
                    self._leases.renew(lease, self._clock.now(), self._ttl) for lease in self._held_leases
                )
                self._on_renew()
            except Exception:  # the database is unreachable: treat the lease as lost
                renewed = False
            if not renewed:
                self._lost.set()
                return

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        self._thread.join()
        for lease in self._held_leases:
            self._leases.release(lease)
