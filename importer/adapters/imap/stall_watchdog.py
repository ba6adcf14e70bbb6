"""Closes connections whose server responds too slowly to be worth waiting for, or whose work has ended.

Socket timeouts apply to the gap between two bytes only: a server that sends a byte now and then, or a silent
line, would block a worker for ever. Watching costs the reading thread nothing: a connection exposes whether
it waits for bytes and how many it has received, and a single thread checks all connections.

Invariants
- As long as the work is within its limit, a connection is closed only if it was waiting for bytes at every
  check of a whole period, for the same command. A connection is not considered stalled while the client is
  not reading, or while commands keep completing.
- Once the work is overdue, a connection is closed unless it makes progress (OVERTIME_BYTES_PER_S).
- Once the work has ended, its connections are closed within LIMIT_INTERVAL_S.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from importer.domain.planning.server_limits import (
    OVERTIME_BYTES_PER_REPLY,
    OVERTIME_BYTES_PER_S,
    OVERTIME_WINDOW_S,
)
from importer.ports.work_limit import WorkLimit
from providers.frozen import frozen

LEAST_BYTES_PER_S: Final = 64
"""Slower than any line in use: a modem of 1994 is thirty times as fast."""

LIMIT_INTERVAL_S: Final = 1.0

_CHECKS_PER_PERIOD: Final = 10


class Watched(Protocol):
    """The part of a connection that the watchdog needs."""

    waiting: bool  # for bytes from the server, at this moment
    sending: bool  # at this moment
    received_bytes: int  # so far
    limit: WorkLimit

    @property
    def sent_bytes(self) -> int:
        """So far."""
        ...

    @property
    def completed_commands(self) -> int:
        """A number that changes whenever a command completes."""
        ...

    def cut(self) -> None:
        """Shut the connection down from another thread; a waiting reader gets an error."""
        ...


@frozen
class _Check:
    """The state of a connection at one check. `stalled_checks`: number of consecutive checks at which it had
    been waiting and received next to nothing."""

    received_bytes: int
    completed_commands: int
    stalled_checks: int = 0


@dataclass(slots=True)
class _Headway:
    """The bytes of a connection at each check of the last OVERTIME_WINDOW_S: (time, bytes)."""

    samples: deque[tuple[float, int]] = field(default_factory=deque)

    def too_little(self, connection: Watched, now_s: float) -> bool:
        """Take a sample, and return whether the connection was too slow for a whole window."""
        done = connection.received_bytes + connection.sent_bytes
        done += OVERTIME_BYTES_PER_REPLY * connection.completed_commands
        samples = self.samples
        if not (connection.waiting or connection.sending):
            samples.clear()  # the connection does not wait for the server
        samples.append((now_s, done))
        while len(samples) > 2 and samples[1][0] <= now_s - OVERTIME_WINDOW_S:
            samples.popleft()
        since_s, before = samples[0]
        passed_s = now_s - since_s
        return passed_s >= OVERTIME_WINDOW_S and done - before < OVERTIME_BYTES_PER_S * passed_s


class StallWatchdog:
    """Watches any number of connections. A connection that waits for `period_s` seconds and receives less
    than LEAST_BYTES_PER_S at each check is closed. The thread runs while there is a connection to watch."""

    def __init__(self, period_s: float) -> None:
        self._interval_s = period_s / _CHECKS_PER_PERIOD
        self._least_bytes = LEAST_BYTES_PER_S * self._interval_s
        self._changed = threading.Condition()
        self._last_checks: dict[Watched, _Check] = {}
        self._headway: dict[Watched, _Headway] = {}
        self._thread: threading.Thread | None = None

    def add(self, connection: Watched) -> None:
        with self._changed:
            self._last_checks[connection] = _Check(connection.received_bytes, connection.completed_commands)
            self._headway[connection] = _Headway()
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="stall-watchdog", daemon=True)
                self._thread.start()

    def remove(self, connection: Watched) -> None:
        """Stop watching the connection; idempotent."""
        with self._changed:
            self._last_checks.pop(connection, None)
            self._headway.pop(connection, None)
            if not self._last_checks:
                self._changed.notify()

    def _watch(self) -> None:
        next_check_s = time.monotonic() + self._interval_s
        with self._changed:
            while self._last_checks:
                self._changed.wait(min(LIMIT_INTERVAL_S, max(0.0, next_check_s - time.monotonic())))
                now_s = time.monotonic()
                for connection in list(self._last_checks):
                    self._check_limit(connection, now_s)
                if now_s >= next_check_s:
                    next_check_s = now_s + self._interval_s
                    for connection in list(self._last_checks):
                        self._check(connection)
            self._thread = None

    def _check_limit(self, connection: Watched, now_s: float) -> None:
        slow = self._headway[connection].too_little(connection, now_s)
        if connection.limit.ended or (slow and connection.limit.overdue):
            self._cut(connection)

    def _check(self, connection: Watched) -> None:
        before = self._last_checks[connection]
        now = _Check(connection.received_bytes, connection.completed_commands)
        few = now.received_bytes - before.received_bytes < self._least_bytes
        if connection.waiting and few and now.completed_commands == before.completed_commands:
            now = replace(now, stalled_checks=before.stalled_checks + 1)
        self._last_checks[connection] = now
        if now.stalled_checks == _CHECKS_PER_PERIOD:
            self._cut(connection)

    def _cut(self, connection: Watched) -> None:
        del self._last_checks[connection], self._headway[connection]
        connection.cut()
