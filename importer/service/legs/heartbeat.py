"""Holding leases while a leg works."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from types import TracebackType

from importer.ports.leases import Lease, LeaseLost, Leases
from importer.ports.process import Clock


class Heartbeat:
    """Renews leases from a thread of its own until closed, then gives them back.

    A worker that was frozen past the lease's end finds it lost at the next `check` or ledger write.
    `beside` is done with each renewal: what lasts as long as a lease is renewed there.
    """

    def __init__(
        self,
        leases: Leases,
        held: Sequence[Lease],
        clock: Clock,
        ttl: timedelta,
        beside: Callable[[], None] = lambda: None,
    ) -> None:
        self._leases = leases
        self._held = held
        self._clock = clock
        self._ttl = ttl
        self._beside = beside
        self._closed = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def check(self) -> None:
        """Raises LeaseLost when one of the leases is somebody else's by now."""
        if self._lost.is_set():
            raise LeaseLost

    def _beat(self) -> None:
        while not self._closed.wait(self._ttl.total_seconds() / 3):
            try:
                kept = all(self._leases.renew(lease, self._clock.now(), self._ttl) for lease in self._held)
                self._beside()
            except Exception:  # the database is away: as good as lost
                kept = False
            if not kept:
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
        for lease in self._held:
            self._leases.release(lease)
