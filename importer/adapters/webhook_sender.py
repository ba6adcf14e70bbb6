"""Implements `WebhookSender`: one POST to a webhook, through the egress guard.

Invariants
- https reaches public addresses and the networks that the operator allows; http only the latter.
- Redirects are not followed. Only the status line and the headers of the response are read.
- The whole call takes no longer than `timeout_s`.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Collection, Mapping
from threading import Timer
from typing import Final
from urllib.parse import urlsplit

from importer.adapters.egress_guard import AddressForbidden, EgressGuard, Network

PUBLIC_PORTS: Final = (443, 8443)


class HttpsWebhookSender:
    """Sends webhook calls. `tls` is called once per encrypted call."""

    def __init__(
        self,
        tls: Callable[[], ssl.SSLContext],
        *,
        allowed: Collection[Network] = (),
        forbidden: Collection[Network] = (),
        timeout_s: float = 10.0,
    ) -> None:
        self._tls = tls
        self._https_guard = EgressGuard(allowed=allowed, forbidden=forbidden, ports=PUBLIC_PORTS)
        self._http_guard = EgressGuard(allowed=allowed, forbidden=forbidden, ports=())
        self._timeout_s = timeout_s

    def call(self, url: str, body: bytes, headers: Mapping[str, str]) -> str:
        from http.client import HTTPException

        from importer.adapters.guarded_https import GuardedConnection

        try:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            return "it is no web address"
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return "it is no web address"
        guard, tls = (self._https_guard, self._tls()) if parts.scheme == "https" else (self._http_guard, None)
        deadline = time.monotonic() + self._timeout_s
        connection = GuardedConnection(parts.hostname, port, guard, tls, deadline)
        watchdog = Timer(self._timeout_s, connection.cut)
        watchdog.daemon = True
        watchdog.start()
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request("POST", target, body, {"User-Agent": "mailhaul", **headers})
            status = connection.getresponse().status
        except (OSError, HTTPException, ValueError) as error:
            return _reason(error, late=time.monotonic() >= deadline)
        finally:
            watchdog.cancel()
            connection.close()
        return "" if 200 <= status < 300 else f"it answers {status}"


def _reason(error: Exception, *, late: bool) -> str:
    match error:
        case AddressForbidden():
            return "its host is not one that may be called"
        case socket.gaierror():
            return "its name could not be looked up"
        case ssl.SSLCertVerificationError():
            return "its certificate does not prove its name"
        case _:
            return "it takes too long" if late else "it does not answer properly"
