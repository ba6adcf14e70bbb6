"""How many are waiting for other hosts at a time.

Each page is answered by one of a few threads. A host that somebody names may answer as slowly as it likes,
and must not keep them all: everybody else's pages would stand still.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

from importer.service.access.rate_limits import RateLimited

AT_ONCE: Final = 24
"""Of the 40 threads that pages are answered by (anyio's own limit)."""

EACH: Final = 3
_SECONDS: Final = 60


class ConcurrencyLimit:
    """Counts those who wait, of all and of each."""

    def __init__(self, at_once: int = AT_ONCE, each: int = EACH) -> None:
        self._at_once = at_once
        self._each = each
        self._waiting: Counter[str] = Counter()
        self._lock = Lock()

    @contextmanager
    def turn(self, who: str) -> Iterator[None]:
        """While this person, or this client, waits for another host. Raises RateLimited instead of waiting
        for a turn."""
        with self._lock:
            if self._waiting.get(who, 0) >= self._each or self._waiting.total() >= self._at_once:
                raise RateLimited(_SECONDS)
            self._waiting[who] += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting[who] -= 1
                if not self._waiting[who]:
                    del self._waiting[who]
