"""The clock of this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from threading import Lock


class SystemClock:
    """Implements `Clock`.

    `elapsed_s` follows the clock that counts suspension (CLOCK_BOOTTIME on Linux, CLOCK_MONOTONIC elsewhere)
    and runs ahead whenever the wall clock does: a virtual machine that its host had stopped detects that only
    when its wall clock is set. Setting a wall clock back has no effect.
    """

    def __init__(
        self, steady: Callable[[], float] | None = None, wall: Callable[[], float] = time.time
    ) -> None:
        clock_id = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
        self._steady = steady or partial(time.clock_gettime, clock_id)
        self._wall = wall
        self._wall_ahead_s = wall() - self._steady()
        self._lock = Lock()

    def elapsed_s(self) -> float:
        with self._lock:
            steady = self._steady()
            self._wall_ahead_s = max(self._wall_ahead_s, self._wall() - steady)
            return steady + self._wall_ahead_s

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
