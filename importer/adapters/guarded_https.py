"""HTTP(S) connections to hosts that users name: through the egress guard, and with one overall deadline.

This uses `http.client` rather than `requests`, which signing in uses (through Authlib): the guard resolves,
checks and connects itself, so that the address it checked is the address of the connection. In `http.client`
one public method has to be overridden for that, `connect`. Under `requests`, urllib3 creates the socket, with
a look-up of its own and several layers below the public interface. The users of this module (`lookup`,
`webhook_sender`) need no cookies, pooling or proxies, and shut the socket down when the deadline passes.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import time

from importer.adapters.egress_guard import EgressGuard


class GuardedConnection(http.client.HTTPSConnection):
    """One connection. `deadline` is a value of `time.monotonic`. Without `tls` it is plain HTTP."""

    def __init__(
        self, host: str, port: int, guard: EgressGuard, tls: ssl.SSLContext | None, deadline: float
    ) -> None:
        super().__init__(host, port, context=tls)
        self._guard = guard
        self._tls = tls
        self._deadline = deadline
        self.was_cut = False
        self._wire: socket.socket | None = None  # HTTPConnection may drop `sock` before the body is read

    def connect(self) -> None:
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        plain = self._guard.connect((self.host, self.port), remaining)
        plain.settimeout(max(0.01, self._deadline - time.monotonic()))
        try:
            self.sock = self._wire = (
                plain if self._tls is None else self._tls.wrap_socket(plain, server_hostname=self.host)
            )
        except BaseException:
            plain.close()
            raise

    def cut(self) -> None:
        """Shuts the socket down, which ends every wait on it. For another thread."""
        self.was_cut = True
        if self._wire is not None:
            with contextlib.suppress(OSError):
                # SSLSocket.shutdown would drop the TLS layer, and reads would continue without TLS.
                socket.socket.shutdown(self._wire, socket.SHUT_RDWR)
