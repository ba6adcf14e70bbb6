"""A time limit for blocking work at mail servers, which applies in the middle of a command, too."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from math import inf


class WorkEnded(Exception):
    """The work was ended from outside, in the middle of a command. The outcome of a pending append is
    unknown. Not a MailError: the server is not the cause, and the work is not repeated."""


class WorkLimit:
    """The limit of one piece of work, shared by all of its connections. Thread-safe; never blocks.

    After `within_s` the work is `overdue`: no further connection is opened, and running commands may continue
    as long as they make progress. After `overtime_s` more, or after `end`, it is `ended`: connections are
    cut.
    """

    def __init__(
        self, within_s: float = inf, *, overtime_s: float = 0.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._due_s = clock() + within_s
        self._ends_s = self._due_s + overtime_s
        self._end = threading.Event()

    def end(self) -> None:
        """End the work now. Methods that wait for a server raise WorkEnded within about a second."""
        self._end.set()

    @property
    def overdue(self) -> bool:
        return self._clock() >= self._due_s

    @property
    def ended(self) -> bool:
        return self._end.is_set() or self._clock() >= self._ends_s

    def check(self) -> None:
        """Raise WorkEnded if the work has ended."""
        if self.ended:
            raise WorkEnded

    def check_begin(self) -> None:
        """Raise WorkEnded if nothing more may begin, such as a connection."""
        if self.overdue or self.ended:
            raise WorkEnded

    def sleep(self, seconds: float) -> None:
        """Sleep, at most until the work ends. Raises WorkEnded."""
        self._end.wait(max(0.0, min(seconds, self._ends_s - self._clock())))
        self.check()
