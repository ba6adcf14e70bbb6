"""The right to work on something, until it expires."""

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
    """Somebody else holds the lease now; nothing was written."""


class Leases(Protocol):
    """Leases by name, with fencing."""

    def acquire(self, name: str, owner: str, now: datetime, ttl: timedelta) -> Lease | None:
        """A new lease, or None while another holder's has not expired (the same owner's counts too)."""
        ...

    def renew(self, lease: Lease, now: datetime, ttl: timedelta) -> bool:
        """False when it is no longer ours."""
        ...

    def holder(self, name: str, now: datetime) -> str | None:
        """Who holds it, None when nobody does."""
        ...

    def release(self, lease: Lease) -> None:
        """Gives it back; a lease that is no longer ours is left alone."""
        ...
