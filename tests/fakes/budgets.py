"""Budgets in dictionaries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from threading import RLock

from importer.domain.planning.host_allowance import DAY, HOUR, Backoff, HourlyBytes, hour_of


class MemoryBudgets:
    """`importer.ports.budgets.Budgets`, thread-safe."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = RLock()
        self._slots: dict[tuple[str, int], tuple[str, datetime]] = {}  # (name, number): holder, expires_at
        self._meters: dict[tuple[str, datetime], int] = {}
        self._backoffs: dict[str, Backoff] = {}

    def acquire_slots(
        self, holder: str, wanted: Sequence[tuple[str, int]], now: datetime, ttl: timedelta
    ) -> bool:
        with self._lock:
            before = dict(self._slots)
            for name, limit in wanted:
                free = (
                    number
                    for number in range(limit)
                    if (held := self._slots.get((name, number))) is None or held[1] <= now
                )
                number = next(free, None)
                if number is None:
                    self._slots = before
                    return False
                self._slots[name, number] = (holder, now + ttl)
            return True

    def renew_slots(self, holder: str, now: datetime, ttl: timedelta) -> None:
        with self._lock:
            for place, (whose, _) in self._slots.items():
                if whose == holder:
                    self._slots[place] = (holder, now + ttl)

    def release_slots(self, holder: str) -> None:
        with self._lock:
            self._slots = {place: held for place, held in self._slots.items() if held[0] != holder}

    def count_bytes(self, name: str, now: datetime, size_bytes: int) -> None:
        with self._lock:
            place = (name, hour_of(now))
            self._meters[place] = self._meters.get(place, 0) + size_bytes

    def counted_bytes(self, name: str, now: datetime) -> Sequence[HourlyBytes]:
        with self._lock:
            return [
                HourlyBytes(hour, size_bytes)
                for (whose, hour), size_bytes in sorted(self._meters.items())
                if whose == name and hour > now - DAY - HOUR
            ]

    def back_off(self, backoff: Backoff) -> None:
        with self._lock:
            before = self._backoffs.get(backoff.name)
            if before is None or before.until < backoff.until:
                self._backoffs[backoff.name] = backoff

    def backoff(self, names: Sequence[str], now: datetime) -> Backoff | None:
        with self._lock:
            found = [b for name in names if (b := self._backoffs.get(name)) is not None and b.until > now]
            return max(found, key=lambda b: b.until, default=None)

    def used_slots(self, now: datetime) -> Mapping[str, int]:
        with self._lock:
            return Counter(name for (name, _), (_, until) in self._slots.items() if until > now)

    def used_bytes(self, now: datetime) -> Mapping[str, int]:
        with self._lock:
            names = {name for name, hour in self._meters if hour > now - DAY - HOUR}
            return {name: sum(h.size_bytes for h in self.counted_bytes(name, now)) for name in names}

    def clear_backoffs(self, names: Sequence[str]) -> None:
        with self._lock:
            for name in names:
                self._backoffs.pop(name, None)

    def backoffs(self, now: datetime) -> Sequence[Backoff]:
        with self._lock:
            return [b for _, b in sorted(self._backoffs.items()) if b.until > now]
