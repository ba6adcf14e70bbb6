"""Connections to web servers that somebody else names: through the guard, and within one time."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import time

from importer.adapters.egress_guard import EgressGuard


class GuardedConnection(http.client.HTTPSConnection):
    """One connection. `deadline` is on the clock of `time.monotonic`; without `tls` it is plain HTTP."""

    def __init__(
        self, host: str, port: int, guard: EgressGuard, tls: ssl.SSLContext | None, deadline: float
    ) -> None:
        super().__init__(host, port, context=tls)
        self._guard = guard
        self._tls = tls
        self._deadline = deadline
        self.was_cut = False
        self._wire: socket.socket | None = None  # `sock` is let go of before the body is read

    def connect(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        plain = self._guard.connect((self.host, self.port), left)
        plain.settimeout(max(0.01, self._deadline - time.monotonic()))
        try:
            self.sock = self._wire = (
                plain if self._tls is None else self._tls.wrap_socket(plain, server_hostname=self.host)
            )
        except BaseException:
            plain.close()
            raise

    def cut(self) -> None:
        """Ends whatever waits on the socket."""
        self.was_cut = True
        if self._wire is not None:
            with contextlib.suppress(OSError):
                # SSLSocket's own shutdown would go on reading, without TLS.
                socket.socket.shutdown(self._wire, socket.SHUT_RDWR)
