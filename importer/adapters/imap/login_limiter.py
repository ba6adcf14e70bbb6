"""Limits the logins to one account: hosts that count logins lock accounts.

A token bucket. Only reconnecting waits; the first login of each session counts but is not delayed, since
their number is limited by the lanes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

BURST: Final = 10
"""Logins that are never delayed."""

PER_MINUTE: Final = 10
"""Logins without progress in between, once the burst is spent."""

PER_MINUTE_WITH_PROGRESS: Final = 40
"""Logins each of which brought messages: some servers end every connection after a number of messages. At 50
each, 10,000 messages wait for 5 minutes. No higher, since hosts limit successful logins too (`LT_IMAPD` of
ConfigServer Firewall: logins per hour, account and address; docs.danami.com/juggernaut, 2026-11)."""


class LoginLimiter:
    """Shared by the connections to one account. Thread-safe."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._tokens = float(BURST)  # negative: logins that wait
        self._counted_at_s = clock()

    def count(self) -> None:
        """Count a login that is not delayed."""
        self._take(PER_MINUTE)

    def wait(self, sleep: Callable[[float], None] | None = None, *, progress: bool = False) -> None:
        """Count a login and wait until it may happen, with `sleep` if it is given; its errors are raised.
        `progress`: the connection before it was useful."""
        rate = PER_MINUTE_WITH_PROGRESS if progress else PER_MINUTE
        missing = -self._take(rate)
        if missing > 0:
            (sleep or self._sleep)(missing * 60 / rate)

    def _take(self, per_minute: int) -> float:
        with self._lock:
            now = self._clock()
            self._tokens = min(BURST, self._tokens + (now - self._counted_at_s) * per_minute / 60)
            self._counted_at_s = now
            self._tokens -= 1
            return self._tokens
