"""Lets one thread of a process do work that any of them may be woken for.

A mail server that swallows packets holds a thread for minutes with each mail, and the tick rings every few
seconds: without this, mails would take every thread from the imports.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Final

MOST_RUNS: Final = 2
"""Of one call, so that it ends: the tick rings for what is left."""


class OneAtATime:
    """Thread-safe. Work that is asked for while it runs is done once more, by the thread that does it."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._lock = Lock()
        self._wanted = self._runs = False

    def __call__(self) -> None:
        """Do the work, or return at once if another thread does it. Raises what the work raises."""
        with self._lock:
            self._wanted = True
            if self._runs:
                return
            self._runs = True
        try:
            for _ in range(MOST_RUNS):
                with self._lock:
                    if not self._wanted:
                        break
                    self._wanted = False
                self._work()
        finally:
            with self._lock:
                self._runs = False
