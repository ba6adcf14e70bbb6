"""The expiry of servers' certificates, read from a verified connection."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime
from typing import Final

_TIMEOUT_S: Final = 10.0


def certificate_end(connected: socket.socket | None) -> datetime | None:
    """The end of validity of the peer's certificate; None if the connection is not encrypted, or the
    certificate was not verified (`ssl.SSLSocket.getpeercert` has no facts then)."""
    if not isinstance(connected, ssl.SSLSocket):
        return None
    ends = (connected.getpeercert() or {}).get("notAfter")
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(ends)), UTC) if ends else None


def server_certificate_end(host: str, port: int, tls: ssl.SSLContext) -> datetime | None:
    """The same for a server with TLS from the first byte. Raises OSError, ssl.SSLError among them, and
    ValueError for a host that is no name."""
    with (
        socket.create_connection((host, port), _TIMEOUT_S) as plain,
        tls.wrap_socket(plain, server_hostname=host) as connected,
    ):
        return certificate_end(connected)
