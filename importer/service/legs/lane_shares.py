"""Shares out the connections of a worker process, and the memory for messages, among its legs.

Many imports get one connection pair each: further ones would only wait for one another, and cost the servers
a login each. The last imports that run get more. A share changes whenever a leg begins or ends; legs ask for
it again and again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

WHOLE_SHARES: Final = 4
"""So many legs may each hold as many bytes as one that runs alone; more legs share that."""


class LaneShares:
    """The connection pairs of one process, `lanes` at most if only one leg runs. Thread-safe.

    `worthwhile` is how many connection pairs a process keeps busy, whichever imports they belong to.
    """

    def __init__(self, worthwhile: int) -> None:
        self._worthwhile = worthwhile
        self._lock = Lock()
        self._legs = 0

    @contextmanager
    def leg(self) -> Iterator[None]:
        """A leg runs while the block does."""
        with self._lock:
            self._legs += 1
        try:
            yield
        finally:
            with self._lock:
                self._legs -= 1

    def __call__(self) -> int:
        """How many connection pairs each leg may use now, at least 1."""
        return max(1, self._worthwhile // max(1, self._legs))

    def bytes_of(self, alone: int) -> int:
        """How many bytes of messages each leg may hold now, given what it may hold alone."""
        return alone * WHOLE_SHARES // max(WHOLE_SHARES, self._legs)
