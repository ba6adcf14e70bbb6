"""A time limit for the end of a process after a signal."""

from __future__ import annotations

import os
import threading
import time
from queue import SimpleQueue

import structlog

log = structlog.get_logger()


class ExitWatchdog:
    """Ends the process `within_s` seconds after `arm`, even if its other threads are blocked.

    All state is in the database, and a killed process loses nothing.
    """

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s
        self._armed: SimpleQueue[None] = SimpleQueue()  # `put` is reentrant: signal handlers may call it
        threading.Thread(target=self._watch, name="exit-watchdog", daemon=True).start()

    def arm(self) -> None:
        """Start the countdown. May be called by a signal handler, and more than once."""
        self._armed.put(None)

    def _watch(self) -> None:
        self._armed.get()
        time.sleep(self._within_s)
        log.warning("process.exit_forced", seconds=self._within_s)
        os._exit(0)
