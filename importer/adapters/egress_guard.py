"""Restricts connections to hosts that users name (SSRF protection): public addresses only.

Invariants
- Every address that a name resolves to is checked, and one forbidden address refuses the name: the owner of
  the name controls the order of the addresses.
- The connection goes to an address that was checked. There is no second look-up in between, and each new
  connection is checked again (DNS rebinding).
- The caller verifies the certificate against the host name, which it keeps for that.
- Refusals do not contain the address, so they reveal nothing about the internal network.
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
        "192.88.99.0/24",  # 6to4 relays, deprecated (RFC 7526)
        "64:ff9b:1::/48",  # NAT64 of the local network (RFC 8215)
        "2001::/23",  # Teredo (RFC 4380), ORCHID and other assignments (RFC 2928)
        "2002::/16",  # 6to4 (RFC 3056): embeds an arbitrary IPv4 address
        "3fff::/20",  # documentation (RFC 9637)
        "5f00::/16",  # segment routing (RFC 9602)
        "fec0::/10",  # site-local, deprecated (RFC 3879)
    )
)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the IPv4 address is in the last 32 bits


class AddressForbidden(OSError):
    """Users may not make Mailhaul connect to this host. The message contains no address."""


def is_public(address: str) -> bool:
    """Whether a resolved address is reachable on the public internet. False for text that is no address."""
    plain = _unwrapped(address)
    if plain is None:
        return False
    special = plain.is_multicast or plain.is_reserved or plain.is_unspecified or plain.is_link_local
    return plain.is_global and not special and not any(plain in network for network in _REFUSED)


def _unwrapped(address: str) -> _Address | None:
    """The parsed address; IPv4 addresses embedded in IPv6 become IPv4. None for text that is no address."""
    try:
        parsed: _Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return parsed.ipv4_mapped
        if parsed in _NAT64:
            return ipaddress.IPv4Address(int(parsed) & 0xFFFF_FFFF)
    return parsed


class EgressGuard:
    """Connects like `socket.create_connection`, but only to public addresses and to `allowed` networks.

    `allowed` networks may be private and are reachable on any port. `forbidden` networks are public and not
    reachable, such as the operator's own. `ports` are the ports that are reachable outside of `allowed`.
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
        """Returns a connected socket. `timeout` bounds all attempts together and remains set on the socket.

        Raises AddressForbidden, socket.gaierror and other OSErrors.
        """
        host, port = address
        deadline = None if timeout is None else time.monotonic() + timeout
        last_error: OSError = socket.gaierror(socket.EAI_NONAME, f"{host} has no address")
        for family, kind, protocol, _, socket_address in self.vetted(host, port):
            remaining = None if deadline is None else deadline - time.monotonic()
            if remaining is not None and remaining <= 0:
                raise TimeoutError
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(remaining)
                connection.connect(socket_address)
                connection.settimeout(timeout)
            except OSError as error:
                connection.close()
                last_error = error
            else:
                return connection
        raise last_error

    def vetted(self, host: str, port: int) -> list[Any]:
        """Returns the result of `getaddrinfo` for a TCP connection if all of its addresses are permitted.

        The resolved addresses are checked, never the text of the host: “127.1”, “0x7f.1”, “2130706433” and
        “①②⑦.0.0.1” are all 127.0.0.1. Raises AddressForbidden and socket.gaierror.
        """
        results = self._look_up(host, port, type=socket.SOCK_STREAM)
        if not all(self._permits(str(socket_address[0]), port) for *_, socket_address in results):
            raise AddressForbidden(f"{host} is not a public server")
        return results

    def _permits(self, address: str, port: int) -> bool:
        plain = _unwrapped(address)
        if plain is None:
            return False
        if any(plain in network for network in self._allowed):
            return True
        return is_public(address) and port in self._ports and not any(plain in n for n in self._forbidden)
