"""Ends a leg in the middle of a command, if it does not end by itself: on a pause or cancel request, or when
the process has to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final

from importer.domain.planning.server_limits import REQUEST_GRACE_S, STOP_GRACE_S
from importer.ports.work_limit import WorkLimit

CHECK_INTERVAL_S: Final = 1.0


class LegWatch:
    """Context manager. `requested` and `stopping` are called about once a second, from a thread of its own;
    the first time that one is true, `called_off` is set, and `limit` ends after REQUEST_GRACE_S or
    STOP_GRACE_S, even if the request is withdrawn meanwhile."""

    def __init__(
        self,
        limit: WorkLimit,
        requested: Callable[[], bool],
        stopping: Callable[[], bool],
        each_second: Callable[[], None] = lambda: None,
    ) -> None:
        self._limit = limit
        self._requested = requested
        self._stopping = stopping
        self._each_second = each_second
        self.called_off = False
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="leg-watch", daemon=True)

    def __enter__(self) -> LegWatch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._closed.wait(CHECK_INTERVAL_S):
            with suppress(Exception):  # the leg itself notices
                self._each_second()
            grace_s = self._grace_s()
            if grace_s is not None:
                self.called_off = True
                if not self._closed.wait(grace_s):
                    self._limit.end()
                return

    def _grace_s(self) -> float | None:
        if self._stopping():
            return STOP_GRACE_S
        with suppress(Exception):  # the store is unreachable, perhaps for a moment
            if self._requested():
                return REQUEST_GRACE_S
        return None
