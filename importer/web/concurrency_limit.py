"""Limit how many requests wait for mail hosts at the same time.

Each page is served by one of a limited number of threads. A host named by a user may respond arbitrarily
slowly and must not occupy all of them: the pages of all other users would be blocked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

from importer.service.access.rate_limits import RateLimited

MAX_WAITING: Final = 24
"""Of the 40 threads that serve pages (anyio's default limit)."""

MAX_WAITING_PER_KEY: Final = 3
_RETRY_AFTER_S: Final = 60


class ConcurrencyLimit:
    """Counts the requests that wait for a mail host, in total and per person or client."""

    def __init__(self, max_waiting: int = MAX_WAITING, max_per_key: int = MAX_WAITING_PER_KEY) -> None:
        self._max_waiting = max_waiting
        self._max_per_key = max_per_key
        self._waiting: Counter[str] = Counter()
        self._lock = Lock()

    @contextmanager
    def slot(self, key: str) -> Iterator[None]:
        """Hold a slot while a request of this person or client waits for a mail host.

        Raises RateLimited immediately if no slot is free.
        """
        with self._lock:
            if self._waiting.get(key, 0) >= self._max_per_key or self._waiting.total() >= self._max_waiting:
                raise RateLimited(_RETRY_AFTER_S)
            self._waiting[key] += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting[key] -= 1
                if not self._waiting[key]:
                    del self._waiting[key]
