"""Leases: exclusive rights to work on something, until they expire.

Invariants:
- When a lease expires is decided by the store's clock alone (PostgreSQL: the server's), so workers whose
  clocks differ agree on it.
- A lease expires `ttl` after the store has handled the request, so later than `ttl` after the holder sent it.
  A holder that counts from the sending, by its own clock (`importer/service/legs/heartbeat.py`), stops before
  another holder can acquire the lease.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from providers.frozen import frozen


@frozen
class Lease:
    """The right to work on `name` until it expires. `fence` grows with every new holder."""

    name: str
    owner: str
    fence: int


class LeaseLost(Exception):
    """Another holder has the lease now, or may have it. Nothing was written. Send nothing more."""


class Leases(Protocol):
    """Leases by name, with fencing."""

    def acquire(self, name: str, owner: str, ttl: timedelta) -> Lease | None:
        """Return a new lease, or None while a lease of that name has not expired, even one of the same
        owner."""
        ...

    def renew(self, lease: Lease, ttl: timedelta) -> bool:
        """False if the lease is no longer held by this owner."""
        ...

    def holder(self, name: str) -> str | None:
        """The owner of the current lease; None if there is none."""
        ...

    def release(self, lease: Lease) -> None:
        """Release the lease. A lease that is no longer held is ignored."""
        ...
