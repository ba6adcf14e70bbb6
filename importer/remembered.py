"""A cache of answers that are requested more often than they change."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Remembered(Generic[T]):
    """Calls `ask` at most every `for_s` seconds, and returns its last answer meanwhile. Thread-safe.

    Concurrent callers wait for one call. Errors of `ask` are raised and not cached.
    """

    def __init__(self, ask: Callable[[], T], for_s: float) -> None:
        self._ask = ask
        self._for_s = for_s
        self._lock = Lock()
        self._last: tuple[float, T] | None = None  # with the monotonic time until which it is valid

    def __call__(self) -> T:
        with self._lock:
            if self._last is None or time.monotonic() >= self._last[0]:
                answer = self._ask()
                self._last = (time.monotonic() + self._for_s, answer)
            return self._last[1]
