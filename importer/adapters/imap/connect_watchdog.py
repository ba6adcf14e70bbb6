"""Cuts a connection that is not open in time.

Sockets time out between two bytes only: a server that sends one now and then would keep us waiting for ever.
"""

from __future__ import annotations

import contextlib
import socket
from threading import Lock, Timer
from types import TracebackType

from importer.adapters.imap.imapclient_adapter import Dial


class ConnectWatchdog:
    """For as long as it is entered: what `dial` connects ends `within_s` seconds after the entering."""

    def __init__(self, dial: Dial, within_s: float) -> None:
        self._dial = dial
        self._late = False
        self._wire: socket.socket | None = None
        self._lock = Lock()
        self._timer = Timer(within_s, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> ConnectWatchdog:
        self._timer.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            self._let_go()

    def dial(self, address: tuple[str, int], timeout: float | None) -> socket.socket:
        """A `Dial`. Raises what the given one raises, and TimeoutError when it is too late already."""
        if self._late:
            raise TimeoutError
        connection = self._dial(address, timeout)
        with self._lock:
            self._let_go()
            self._wire = connection.dup()  # TLS takes the socket over: this one stays
        return connection

    def _cut(self) -> None:
        with self._lock:
            self._late = True
            if self._wire is not None:
                with contextlib.suppress(OSError):
                    self._wire.shutdown(socket.SHUT_RDWR)

    def _let_go(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None
