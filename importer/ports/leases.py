"""Leases: exclusive rights to work on something, until they expire."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on `name` until it expires. `fence` grows with every new holder."""

    name: str
    owner: str
    fence: int


class LeaseLost(Exception):
    """Another holder has the lease now. Nothing was written."""


class Leases(Protocol):
    """Leases by name, with fencing."""

    def acquire(self, name: str, owner: str, now: datetime, ttl: timedelta) -> Lease | None:
        """Return a new lease, or None while a lease of that name has not expired, even one of the same
        owner."""
        ...

    def renew(self, lease: Lease, now: datetime, ttl: timedelta) -> bool:
        """False if the lease is no longer held by this owner."""
        ...

    def holder(self, name: str, now: datetime) -> str | None:
        """The owner of the current lease; None if there is none."""
        ...

    def release(self, lease: Lease) -> None:
        """Release the lease. A lease that is no longer held is ignored."""
        ...
