"""Whether the installation can serve requests: the answer to /readyz."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Final

import structlog

REMEMBERED_S: Final = 2.0
"""Anybody may ask, and each look connects to the database and to the queue."""

log = structlog.get_logger()


class Readiness:
    """Looks again at most every REMEMBERED_S. Thread-safe.

    `look` returns a sentence for each part that fails, by its name. The sentences are for the log: they name
    hosts, which are not for everybody.
    """

    def __init__(self, look: Callable[[], Mapping[str, str]]) -> None:
        self._look = look
        self._lock = Lock()
        self._until_s = 0.0
        self._failed: tuple[str, ...] = ()

    def failed_parts(self) -> tuple[str, ...]:
        """Names of the parts that fail; empty if the installation is ready."""
        with self._lock:
            if time.monotonic() >= self._until_s:
                faults = self._look()
                for part, reason in faults.items():
                    log.warning("readiness.failed", part=part, reason=reason)
                self._failed = tuple(faults)
                self._until_s = time.monotonic() + REMEMBERED_S
            return self._failed
