"""The address that pages and API are served on."""

from __future__ import annotations

import errno
import socket
from typing import Final
from urllib.parse import urlsplit

from importer.ports.process import InstallationFault
from providers.text import Text

_BACKLOG: Final = 2048


def listening_socket(address: str) -> socket.socket:
    """A socket that listens at `address`, HOST:PORT. Raises InstallationFault, which has the fix."""
    parts = urlsplit(f"//{address}")
    host, port = parts.hostname or "127.0.0.1", parts.port or 0
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise InstallationFault(_unusable(error, address, host, port)) from None


def _unusable(error: OSError, address: str, host: str, port: int) -> Text:
    match error.errno:
        case errno.EADDRINUSE:
            return Text("installation.pages_address.port_in_use", address=address, port=str(port))
        case errno.EACCES:
            return Text("installation.pages_address.port_reserved", address=address, port=str(port))
        case errno.EADDRNOTAVAIL:
            return Text("installation.pages_address.not_here", address=address, host=host)
    return Text("installation.pages_address", address=address, reason=error.strerror or str(error))
