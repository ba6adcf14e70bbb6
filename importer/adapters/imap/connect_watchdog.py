"""Closes a connection whose login does not complete before a deadline, or before the work ends.

Socket timeouts apply to the gap between two bytes only: a server that sends a byte now and then could keep
the client waiting for ever.
"""

from __future__ import annotations

import contextlib
import socket
import time
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Final

from importer.adapters.imap.imapclient_adapter import Dial
from importer.ports.work_limit import WorkEnded, WorkLimit

_CHECK_INTERVAL_S: Final = 1.0


class ConnectWatchdog:
    """Context manager: shuts down the connection opened with `dial` unless the block ends in `within_s`, or
    once `limit` is overdue or has ended. If the block fails then, WorkEnded is raised instead."""

    def __init__(self, dial: Dial, within_s: float, limit: WorkLimit | None = None) -> None:
        self._dial = dial
        self._expired = False
        self._socket: socket.socket | None = None
        self._lock = Lock()
        self._within_s = within_s
        self._limit = limit or WorkLimit()
        self._done = Event()
        self._thread = Thread(target=self._watch, name="connect-watchdog", daemon=True)

    def __enter__(self) -> ConnectWatchdog:
        self._limit.check_begin()
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._done.set()
        with self._lock:
            self._close_socket()
        if error is not None and (self._limit.overdue or self._limit.ended):
            raise WorkEnded from error

    def dial(self, address: tuple[str, int], timeout: float | None) -> socket.socket:
        """A `Dial`. Raises what the wrapped one raises, and TimeoutError after the deadline."""
        if self._expired:
            raise TimeoutError
        connection = self._dial(address, timeout)
        with self._lock:
            self._close_socket()
            self._socket = connection.dup()  # TLS detaches the original socket; the duplicate stays usable
        return connection

    def _watch(self) -> None:
        until_s = time.monotonic() + self._within_s
        while not (self._limit.overdue or self._limit.ended):
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                break
            if self._done.wait(min(left_s, _CHECK_INTERVAL_S)):
                return
        self._expire()

    def _expire(self) -> None:
        with self._lock:
            self._expired = True
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    def _close_socket(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
