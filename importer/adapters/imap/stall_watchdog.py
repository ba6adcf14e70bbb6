"""Cuts connections whose server answers so slowly that nobody should wait for it.

Sockets time out between two bytes only: a server that sends one now and then, or a line that says nothing,
would keep a worker for ever. Whoever reads pays nothing for being watched: a connection says whether it waits
for bytes and how many came so far, and one thread looks at all of them a few times in a stretch.

Invariant: only a connection is cut that waited for bytes at each look of a whole stretch, on one and the same
command. Who is busy elsewhere, and leaves what came unread, is not to blame its server; nor is one slow that
gives answer after answer.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import Final, Protocol

LEAST_BYTES_PER_S: Final = 64
"""Slower than any line that mail was ever read over: a modem of 1994 brings thirty times as much."""

_LOOKS: Final = 10  # in one stretch


class Watched(Protocol):
    """A connection as this module needs it."""

    waiting: bool  # for bytes, at this moment
    received_bytes: int  # so far

    @property
    def answered(self) -> int:
        """A number that changes with each command that is answered."""
        ...

    def cut(self) -> None:
        """Ends it at once, from another thread; whoever waits gets an error."""
        ...


@dataclass(frozen=True, slots=True)
class _Seen:
    """A connection at one look; `in_vain`: how many looks in a row it had waited for next to nothing."""

    received_bytes: int
    answered: int
    in_vain: int = 0


class StallWatchdog:
    """Watches any number of connections: what waits for `stretch_s` seconds and gets less than
    LEAST_BYTES_PER_S at each look is cut. Its thread lives as long as there is something to watch."""

    def __init__(self, stretch_s: float) -> None:
        self._look_every_s = stretch_s / _LOOKS
        self._least_bytes = LEAST_BYTES_PER_S * self._look_every_s
        self._changed = threading.Condition()
        self._seen: dict[Watched, _Seen] = {}
        self._thread: threading.Thread | None = None

    def add(self, connection: Watched) -> None:
        with self._changed:
            self._seen[connection] = _Seen(connection.received_bytes, connection.answered)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="drip-watch", daemon=True)
                self._thread.start()

    def remove(self, connection: Watched) -> None:
        """Done already is fine."""
        with self._changed:
            self._seen.pop(connection, None)
            if not self._seen:
                self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while self._seen:
                self._changed.wait(self._look_every_s)
                for connection in list(self._seen):
                    self._look(connection)
            self._thread = None

    def _look(self, connection: Watched) -> None:
        before = self._seen[connection]
        now = _Seen(connection.received_bytes, connection.answered)
        few = now.received_bytes - before.received_bytes < self._least_bytes
        if connection.waiting and few and now.answered == before.answered:
            now = replace(now, in_vain=before.in_vain + 1)
        self._seen[connection] = now
        if now.in_vain == _LOOKS:
            del self._seen[connection]
            connection.cut()
