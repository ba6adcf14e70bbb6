"""The network that counts as one client, for rate limits and the audit trail."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address


def client_network(client: str) -> str:
    """The network that counts as one client: an IPv4 address, or the /64 prefix of an IPv6 address.

    A client can choose the other 64 bits itself (RFC 4291 section 2.5.4).
    """
    try:
        address = ip_address(client.partition("%")[0])
    except ValueError:
        return client
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return f"{IPv6Address(int(address) >> 64 << 64)}/64"
    return str(address)
