"""Where we may connect when somebody else names the host: public addresses only.

Invariants
- Every address that a name resolves to is judged, and one that is refused refuses them all: whoever owns the
  name chooses the order.
- The connection goes to an address that was judged. There is no second look-up in between, and each new
  connection is judged anew (DNS rebinding).
- A certificate is checked against the name; that is for the caller, who keeps the name for it.
- What is refused is told without the address: whoever asks learns nothing about the network inside.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable, Collection
from typing import Any, Final

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# `is_global` and its siblings let these pass, at least in CPython 3.11:
_REFUSED: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        "192.0.0.0/24",  # IETF protocol assignments (RFC 6890)
        "192.88.99.0/24",  # 6to4 relays, taken out of use (RFC 7526)
        "64:ff9b:1::/48",  # NAT64 of the local network (RFC 8215)
        "2001::/23",  # Teredo (RFC 4380), ORCHID and other assignments (RFC 2928)
        "2002::/16",  # 6to4 (RFC 3056): an IPv4 address of anybody's choice
        "3fff::/20",  # documentation (RFC 9637)
        "5f00::/16",  # segment routing (RFC 9602)
        "fec0::/10",  # site-local, taken out of use (RFC 3879)
    )
)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the IPv4 address is in the last 32 bits


class AddressForbidden(OSError):
    """The host is not one that we connect to for whoever named it; the text names no address."""


def is_public(address: str) -> bool:
    """Whether a resolved address is one that everybody on the internet can reach. False for what is none."""
    found = _plain(address)
    if found is None:
        return False
    special = found.is_multicast or found.is_reserved or found.is_unspecified or found.is_link_local
    return found.is_global and not special and not any(found in network for network in _REFUSED)


def _plain(address: str) -> _Address | None:
    """An IPv4 address in an IPv6 coat as what it is; None for what is no address."""
    try:
        found: _Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return found.ipv4_mapped
        if found in _NAT64:
            return ipaddress.IPv4Address(int(found) & 0xFFFF_FFFF)
    return found


class EgressGuard:
    """Connects like `socket.create_connection`, to public addresses and what the operator allows.

    `allowed` are private networks that may be reached all the same, on any port; `forbidden` are public ones
    that may not, such as the operator's own; `ports` are those that may be reached outside of `allowed`.
    """

    def __init__(
        self,
        *,
        allowed: Collection[Network] = (),
        forbidden: Collection[Network] = (),
        ports: Collection[int],
        look_up: Callable[..., list[Any]] = socket.getaddrinfo,
    ) -> None:
        self._allowed = tuple(allowed)
        self._forbidden = tuple(forbidden)
        self._ports = frozenset(ports)
        self._look_up = look_up

    def connect(self, address: tuple[str, int], timeout: float | None = None) -> socket.socket:
        """A connected socket; `timeout` bounds all tries together, and stays on the socket.

        Raises AddressForbidden, socket.gaierror and other OSErrors.
        """
        host, port = address
        deadline = None if timeout is None else time.monotonic() + timeout
        trouble: OSError = socket.gaierror(socket.EAI_NONAME, f"{host} has no address")
        for family, kind, protocol, _, where in self.vetted(host, port):
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(left)
                connection.connect(where)
                connection.settimeout(timeout)
            except OSError as error:
                connection.close()
                trouble = error
            else:
                return connection
        raise trouble

    def vetted(self, host: str, port: int) -> list[Any]:
        """What `getaddrinfo` gives for a TCP connection, if we may connect to all of it.

        Judged is what the name resolves to, never its text: “127.1”, “0x7f.1”, “2130706433” and “①②⑦.0.0.1”
        are all 127.0.0.1. Raises AddressForbidden and socket.gaierror.
        """
        found = self._look_up(host, port, type=socket.SOCK_STREAM)
        if not all(self._permits(str(where[0]), port) for *_, where in found):
            raise AddressForbidden(f"{host} is not a public server")
        return found

    def _permits(self, address: str, port: int) -> bool:
        plain = _plain(address)
        if plain is None:
            return False
        if any(plain in network for network in self._allowed):
            return True
        return is_public(address) and port in self._ports and not any(plain in n for n in self._forbidden)
