"""Leases in a dictionary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import RLock

from importer.ports.leases import Lease, LeaseLost


@dataclass(frozen=True, slots=True)
class _Hold:
    """The holder of a name, and until when; `owner` is None after a release."""

    owner: str | None
    fence: int
    expires_at: datetime


class MemoryLeases:
    """`importer.ports.leases.Leases`, thread-safe. `lease_clock` decides when leases expire."""

    lease_clock: Callable[[], datetime]

    def __init__(self) -> None:
        self._lock = RLock()
        super().__init__()
        self._holds: dict[str, _Hold] = {}
        self.lease_clock = lambda: datetime.now(UTC)

    def acquire(self, name: str, owner: str, ttl: timedelta) -> Lease | None:
        with self._lock:
            hold, now = self._holds.get(name), self.lease_clock()
            if hold is not None and hold.owner is not None and hold.expires_at > now:
                return None
            fence = 1 if hold is None else hold.fence + 1
            self._holds[name] = _Hold(owner, fence, now + ttl)
            return Lease(name, owner, fence)

    def renew(self, lease: Lease, ttl: timedelta) -> bool:
        with self._lock:
            if not self._holds_still(lease):
                return False
            self._holds[lease.name] = _Hold(lease.owner, lease.fence, self.lease_clock() + ttl)
            return True

    def holder(self, name: str) -> str | None:
        with self._lock:
            return self._holds[name].owner if self._is_held(name) else None

    def release(self, lease: Lease) -> None:
        with self._lock:
            if self._holds_still(lease):
                self._holds[lease.name] = replace(self._holds[lease.name], owner=None)

    def _holds_still(self, lease: Lease) -> bool:
        hold = self._holds.get(lease.name)
        return hold is not None and (hold.owner, hold.fence) == (lease.owner, lease.fence)

    def _demand(self, lease: Lease) -> None:
        if not self._holds_still(lease):
            raise LeaseLost(lease.name)

    def _is_held(self, name: str) -> bool:
        hold = self._holds.get(name)
        return hold is not None and hold.owner is not None and hold.expires_at > self.lease_clock()
