"""What hosts allow, shared by all workers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from importer.domain.planning.host_allowance import Backoff, HourlyBytes


class Budgets(Protocol):
    """What all workers together may still ask of accounts and hosts; each method is one transaction.

    Names are the caller's: they tell an account, a host, or the direction of bytes.
    """

    def take_slots(
        self, holder: str, wanted: Sequence[tuple[str, int]], now: datetime, ttl: timedelta
    ) -> bool:
        """Takes one slot under each name of (name, most at a time), or none at all (False). A slot that
        is neither renewed nor released is free again after `ttl`; a holder may have any number."""
        ...

    def renew_slots(self, holder: str, now: datetime, ttl: timedelta) -> None: ...

    def release_slots(self, holder: str) -> None: ...

    def count_bytes(self, name: str, now: datetime, size_bytes: int) -> None: ...

    def counted_bytes(self, name: str, now: datetime) -> Sequence[HourlyBytes]:
        """Of the last 24 hours, the hour that they began in as a whole; oldest first."""
        ...

    def back_off(self, backoff: Backoff) -> None:
        """The later of this and what was said of the same name before counts."""
        ...

    def backoff(self, names: Sequence[str], now: datetime) -> Backoff | None:
        """Of those that are not over, the one that lasts longest."""
        ...
