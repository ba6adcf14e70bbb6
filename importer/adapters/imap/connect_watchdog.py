"""Closes a connection whose login does not complete before a deadline.

Socket timeouts apply to the gap between two bytes only: a server that sends a byte now and then could keep
the client waiting for ever.
"""

from __future__ import annotations

import contextlib
import socket
from threading import Lock, Timer
from types import TracebackType

from importer.adapters.imap.imapclient_adapter import Dial


class ConnectWatchdog:
    """Context manager: shuts down the connection opened with `dial` unless the block ends in `within_s`."""

    def __init__(self, dial: Dial, within_s: float) -> None:
        self._dial = dial
        self._expired = False
        self._socket: socket.socket | None = None
        self._lock = Lock()
        self._timer = Timer(within_s, self._expire)
        self._timer.daemon = True

    def __enter__(self) -> ConnectWatchdog:
        self._timer.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            self._close_socket()

    def dial(self, address: tuple[str, int], timeout: float | None) -> socket.socket:
        """A `Dial`. Raises what the wrapped one raises, and TimeoutError after the deadline."""
        if self._expired:
            raise TimeoutError
        connection = self._dial(address, timeout)
        with self._lock:
            self._close_socket()
            self._socket = connection.dup()  # TLS detaches the original socket; the duplicate stays usable
        return connection

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
