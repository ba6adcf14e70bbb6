"""Closes connections whose server responds too slowly to be worth waiting for.

Socket timeouts apply to the gap between two bytes only: a server that sends a byte now and then, or a silent
line, would block a worker for ever. Watching costs the reading thread nothing: a connection exposes whether
it waits for bytes and how many it has received, and a single thread checks all connections a few times per
period.

Invariant: a connection is closed only if it was waiting for bytes at every check of a whole period, for the
same command. A connection is not considered stalled while the client is not reading, or while commands keep
completing.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import Final, Protocol

LEAST_BYTES_PER_S: Final = 64
"""Slower than any line that mail was ever read over: a modem of 1994 is thirty times as fast."""

_CHECKS_PER_PERIOD: Final = 10


class Watched(Protocol):
    """The part of a connection that the watchdog needs."""

    waiting: bool  # for bytes from the server, at this moment
    received_bytes: int  # so far

    @property
    def completed_commands(self) -> int:
        """A number that changes whenever a command completes."""
        ...

    def cut(self) -> None:
        """Shut the connection down from another thread; a waiting reader gets an error."""
        ...


@dataclass(frozen=True, slots=True)
class _Check:
    """The state of a connection at one check. `stalled_checks`: number of consecutive checks at which it had
    been waiting and received next to nothing."""

    received_bytes: int
    completed_commands: int
    stalled_checks: int = 0


class StallWatchdog:
    """Watches any number of connections. A connection that waits for `period_s` seconds and receives less
    than LEAST_BYTES_PER_S at each check is closed. The thread runs while there is a connection to watch."""

    def __init__(self, period_s: float) -> None:
        self._interval_s = period_s / _CHECKS_PER_PERIOD
        self._least_bytes = LEAST_BYTES_PER_S * self._interval_s
        self._changed = threading.Condition()
        self._last_checks: dict[Watched, _Check] = {}
        self._thread: threading.Thread | None = None

    def add(self, connection: Watched) -> None:
        with self._changed:
            self._last_checks[connection] = _Check(connection.received_bytes, connection.completed_commands)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="stall-watchdog", daemon=True)
                self._thread.start()

    def remove(self, connection: Watched) -> None:
        """Stop watching the connection; idempotent."""
        with self._changed:
            self._last_checks.pop(connection, None)
            if not self._last_checks:
                self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while self._last_checks:
                self._changed.wait(self._interval_s)
                for connection in list(self._last_checks):
                    self._check(connection)
            self._thread = None

    def _check(self, connection: Watched) -> None:
        before = self._last_checks[connection]
        now = _Check(connection.received_bytes, connection.completed_commands)
        few = now.received_bytes - before.received_bytes < self._least_bytes
        if connection.waiting and few and now.completed_commands == before.completed_commands:
            now = replace(now, stalled_checks=before.stalled_checks + 1)
        self._last_checks[connection] = now
        if now.stalled_checks == _CHECKS_PER_PERIOD:
            del self._last_checks[connection]
            connection.cut()
