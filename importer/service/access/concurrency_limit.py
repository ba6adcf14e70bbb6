"""Concurrency limits for each person and client, shared by pages and API.

Each page is served by one of a limited number of threads. A host named by a user may respond arbitrarily
slowly and must not occupy all of them: the pages of all other users would be blocked. The same holds for
checks of mailboxes and for event streams.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field
from threading import Lock
from typing import Final

from importer.service.access.rate_limits import RateLimited
from providers.frozen import frozen

MAX_WAITING: Final = 24
"""Of the 40 threads that serve pages (anyio's default limit)."""

MAX_WAITING_PER_KEY: Final = 3
MAX_CHECKS: Final = 12
MAX_CHECKS_PER_KEY: Final = 2
MAX_STREAMS: Final = 1000
MAX_STREAMS_PER_SESSION: Final = 12
MAX_STREAMS_PER_CLIENT: Final = 200
"""A company's people may share one network address."""

_RETRY_AFTER_S: Final = 60


class ConcurrencyLimit:
    """Counts uses, in total and per key: a person, an API client or a network client. Thread-safe."""

    def __init__(self, max_total: int, max_per_key: int) -> None:
        self._max_total = max_total
        self._max_per_key = max_per_key
        self._used: Counter[str] = Counter()
        self._lock = Lock()

    @contextmanager
    def slot(self, key: str) -> Iterator[None]:
        """Hold a slot. Raises RateLimited immediately if none is free."""
        self.take(key)
        try:
            yield
        finally:
            self.give_back(key)

    def take(self, key: str) -> None:
        """Take a slot until `give_back`. Raises RateLimited immediately if none is free."""
        with self._lock:
            if not self._is_free(key):
                raise RateLimited(_RETRY_AFTER_S)
            self._used[key] += 1

    def give_back(self, key: str) -> None:
        """Give back a slot that was taken."""
        with self._lock:
            self._used[key] -= 1
            if not self._used[key]:
                del self._used[key]

    def is_free(self, key: str) -> bool:
        """Whether `take` would succeed now."""
        with self._lock:
            return self._is_free(key)

    def _is_free(self, key: str) -> bool:
        return self._used.get(key, 0) < self._max_per_key and self._used.total() < self._max_total


@frozen
class PersonShares:
    """The limits of one process: `waiting` for a mail host in a thread of the pages, `checks` of mailboxes,
    and event streams by web session and by network client."""

    waiting: ConcurrencyLimit = field(
        default_factory=lambda: ConcurrencyLimit(MAX_WAITING, MAX_WAITING_PER_KEY)
    )
    checks: ConcurrencyLimit = field(default_factory=lambda: ConcurrencyLimit(MAX_CHECKS, MAX_CHECKS_PER_KEY))
    session_streams: ConcurrencyLimit = field(
        default_factory=lambda: ConcurrencyLimit(MAX_STREAMS, MAX_STREAMS_PER_SESSION)
    )
    client_streams: ConcurrencyLimit = field(
        default_factory=lambda: ConcurrencyLimit(MAX_STREAMS, MAX_STREAMS_PER_CLIENT)
    )
