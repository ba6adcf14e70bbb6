"""Implements `Web` (providers/discovery.py): fetches small files over https, through the egress guard.

Invariants
- The connection goes to an address that the guard checked; the certificate must match the host's name.
- At most `max_bytes` are read. The whole fetch takes at most `timeout_s`, even if bytes trickle in.
- Redirects are followed only within the same host and only to https.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Callable
from threading import Timer
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

from importer.adapters.egress_guard import AddressForbidden, EgressGuard
from importer.adapters.guarded_https import GuardedConnection
from providers.discovery import LookupFailed
from providers.text import ByteSize, Text

_REDIRECTS: Final = (301, 302, 303, 307, 308)
_MOST_REDIRECTS: Final = 2


class GuardedWeb:
    """Fetches files from hosts that users name. `tls` is called once per request."""

    def __init__(
        self,
        guard: EgressGuard,
        tls: Callable[[], ssl.SSLContext],
        *,
        timeout_s: float = 5.0,
        max_bytes: int = 64 * 1024,
    ) -> None:
        self._guard = guard
        self._tls = tls
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes

    def fetch(self, url: str) -> bytes | None:
        deadline = time.monotonic() + self._timeout_s
        first = urlsplit(url)
        for _ in range(1 + _MOST_REDIRECTS):
            status, location, body = self._get(urlsplit(url), deadline)
            if status == http.client.OK:
                return body
            if status not in _REDIRECTS or not location:
                return None
            url = urljoin(url, location)
            target = urlsplit(url)
            if (target.scheme, target.netloc) != ("https", first.netloc):
                raise LookupFailed(Text("lookup.other_host"))
        raise LookupFailed(Text("lookup.circle"))

    def _get(self, url: SplitResult, deadline: float) -> tuple[int, str, bytes]:
        """(status, Location, body) of one request. The body is read only with status 200."""
        if url.scheme != "https" or not url.hostname:
            raise LookupFailed(Text("lookup.not_https"))
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        connection = GuardedConnection(url.hostname, url.port or 443, self._guard, self._tls(), deadline)
        # A socket timeout only bounds the gap between two bytes; the watchdog bounds the whole response.
        watchdog = Timer(max(0.0, deadline - time.monotonic()), connection.cut)
        watchdog.daemon = True
        watchdog.start()
        try:
            connection.request("GET", target, headers={"User-Agent": "mailhaul", "Accept": "text/xml, */*"})
            response = connection.getresponse()
            body = response.read(self._max_bytes + 1) if response.status == http.client.OK else b""
        except AddressForbidden:
            raise LookupFailed(Text("lookup.not_public")) from None
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                raise LookupFailed(Text("lookup.no_address")) from None
            return http.client.NOT_FOUND, "", b""
        except ssl.SSLCertVerificationError:
            raise LookupFailed(Text("lookup.certificate")) from None
        except (OSError, http.client.HTTPException, ValueError):
            late = time.monotonic() >= deadline
            raise LookupFailed(Text("lookup.too_slow" if late else "lookup.no_answer")) from None
        finally:
            watchdog.cancel()
            connection.close()
        if connection.was_cut:  # a body without Content-Length looks complete when it is cut off
            raise LookupFailed(Text("lookup.too_slow"))
        if len(body) > self._max_bytes:
            raise LookupFailed(Text("lookup.too_large", size=ByteSize(self._max_bytes)))
        return response.status, response.getheader("Location") or "", body
