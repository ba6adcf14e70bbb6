"""Rate and connection limits of hosts, shared by all workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from importer.domain.planning.host_allowance import Backoff, HourlyBytes


class Budgets(Protocol):
    """Connections and bytes of accounts and hosts left to all workers. Each method is one transaction.

    The caller chooses the names: of an account, of a host, or of a direction of bytes.
    """

    def acquire_slots(
        self, holder: str, wanted: Sequence[tuple[str, int]], now: datetime, ttl: timedelta
    ) -> bool:
        """Take one slot under each name of `wanted`, (name, most slots at a time), or none at all and return
        False. A slot that is neither renewed nor released becomes free after `ttl`. One holder may have
        several slots of a name."""
        ...

    def renew_slots(self, holder: str, now: datetime, ttl: timedelta) -> None: ...

    def release_slots(self, holder: str) -> None: ...

    def count_bytes(self, name: str, now: datetime, size_bytes: int) -> None: ...

    def counted_bytes(self, name: str, now: datetime) -> Sequence[HourlyBytes]:
        """The bytes of the last 24 hours, by hour and oldest first. The hour in which they begin is included
        as a whole."""
        ...

    def back_off(self, backoff: Backoff) -> None:
        """Store a backoff for its name. If the name has one already, the later end counts."""
        ...

    def used_bytes(self, now: datetime) -> Mapping[str, int]:
        """The bytes of the last 24 hours, by name; see `counted_bytes`."""
        ...

    def clear_backoffs(self, names: Sequence[str]) -> None: ...

    def backoff(self, names: Sequence[str], now: datetime) -> Backoff | None:
        """The backoff of these names that ends last; None if none of them is in force."""
        ...

    def used_slots(self, now: datetime) -> Mapping[str, int]:
        """The number of slots that are held, by name."""
        ...

    def backoffs(self, now: datetime) -> Sequence[Backoff]:
        """Every backoff in force, by name, without the maintenance of everything."""
        ...
