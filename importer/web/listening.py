"""The address that pages and API are served on."""

from __future__ import annotations

import errno
import socket
from typing import Final
from urllib.parse import urlsplit

from importer.ports.process import InstallationFault

_BACKLOG: Final = 2048


def listening_socket(address: str) -> socket.socket:
    """A socket that listens at `address`, HOST:PORT. Raises InstallationFault with the way out."""
    parts = urlsplit(f"//{address}")
    host, port = parts.hostname or "127.0.0.1", parts.port or 0
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise InstallationFault(
            f"The pages cannot be served at {address}: {_reason(error, host, port)}"
        ) from None


def _reason(error: OSError, host: str, port: int) -> str:
    other = "Choose another address with MAILHAUL_WEB_LISTEN, such as 127.0.0.1:8026."
    match error.errno:
        case errno.EADDRINUSE:
            return (
                f"another program uses port {port}, perhaps `mailhaul up`, which serves the pages as well."
                f" Stop it, or use another port. {other}"
            )
        case errno.EACCES:
            return f"port {port} is reserved for root. {other}"
        case errno.EADDRNOTAVAIL:
            return f"{host} is no address of this machine. {other}"
        case _:
            return f"{error.strerror or error}. {other}"
