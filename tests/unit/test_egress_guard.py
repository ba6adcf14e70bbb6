"""The egress guard: which addresses may be connected to if a user supplies the host."""

from __future__ import annotations

import socket
from ipaddress import ip_network
from typing import Any

import pytest

from importer.adapters.egress_guard import AddressForbidden, EgressGuard, is_public
from tests.rehearsal.ports import free_ports

PUBLIC = ["9.9.9.9", "1.1.1.1", "2620:fe::fe", "2a00:1450:4001::5", "::ffff:9.9.9.9", "64:ff9b::909:909"]
FORBIDDEN = {
    "loopback": ["127.0.0.1", "127.255.0.9", "::1"],
    "private": ["10.0.0.1", "172.16.5.4", "192.168.1.1", "fd00::1", "fc00::1"],
    "link local, cloud metadata": ["169.254.169.254", "fe80::1", "fe80::1%lo", "fd00:ec2::254"],
    "shared, this network, broadcast": ["100.64.0.1", "0.0.0.1", "0.1.2.3", "255.255.255.255"],
    "unspecified": ["::", "0.0.0.0"],  # noqa: S104
    "multicast": ["224.0.0.1", "239.1.2.3", "ff02::1", "ff0e::1"],
    "reserved": ["240.0.0.1"],
    "documentation, benchmarks": ["192.0.2.1", "198.51.100.1", "203.0.113.9", "198.18.0.1", "2001:db8::1"],
    "IETF assignments": ["192.0.0.8", "192.0.0.170"],
    "6to4 relays": ["192.88.99.1"],
    "new documentation": ["3fff::1", "3fff:fff::1"],
    "segment routing": ["5f00::1"],
    "site local": ["fec0::1"],
    "IPv4 in IPv6": ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1"],
    "NAT64": ["64:ff9b::7f00:1", "64:ff9b::10.0.0.1", "64:ff9b:1::1", "64:ff9b::a9fe:a9fe"],
    "6to4": ["2002:7f00:1::", "2002:a00:1::1", "2002:909:909::1"],
    "Teredo": ["2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001::1"],
    "no address": ["", "localhost", "127.1", "1.2.3.4.5", "[::1]"],
}  # fmt: skip


def answers(*addresses: str) -> Any:
    """A DNS lookup that resolves every name to these addresses."""

    def look_up(_host: str, port: int, **_kind: object) -> list[Any]:
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (address, port, 0, 0) if ":" in address else (address, port),
            )
            for address in addresses
        ]

    return look_up


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_public(address)
    assert EgressGuard(ports=[993], look_up=answers(address)).vetted("imap.old.example", 993)


@pytest.mark.parametrize("address", [address for addresses in FORBIDDEN.values() for address in addresses])
def test_other_addresses_are_forbidden(address: str) -> None:
    assert not is_public(address)
    for addresses in ([address], [*PUBLIC, address]):  # one forbidden address is enough
        guard = EgressGuard(ports=[993], look_up=answers(*addresses))
        with pytest.raises(AddressForbidden) as caught:
            guard.vetted("imap.old.example", 993)
        assert (
            str(caught.value) == "imap.old.example is not a public server"
        )  # reveals nothing about the network


@pytest.mark.parametrize(
    "host", ["127.1", "0x7f.1", "2130706433", "0177.0.0.1", "①②⑦.0.0.1", "localhost", "::1", "0"]
)
def test_the_resolved_address_counts_in_any_notation(host: str) -> None:
    """Uses the resolver of the system."""
    with pytest.raises(AddressForbidden):
        EgressGuard(ports=[993]).connect((host, 993), 1)


@pytest.mark.parametrize("port", [22, 25, 110, 443, 6379, 994])
def test_other_ports_are_forbidden(port: int) -> None:
    with pytest.raises(AddressForbidden):
        EgressGuard(ports=[143, 993], look_up=answers("9.9.9.9")).vetted("imap.old.example", port)


def test_the_operator_can_forbid_a_public_network() -> None:
    guard = EgressGuard(ports=[993], forbidden=[ip_network("9.9.9.0/24")], look_up=answers("::ffff:9.9.9.9"))
    with pytest.raises(AddressForbidden):
        guard.vetted("imap.old.example", 993)


def test_an_allowed_network_is_reachable_on_any_port_and_no_other_network_is() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        guard = EgressGuard(ports=[993], allowed=[ip_network("127.0.0.1/32")])
        with guard.connect(("127.0.0.1", port), 5) as connection:
            assert connection.gettimeout() == 5
        with pytest.raises(AddressForbidden):
            guard.connect(("127.0.0.2", port), 5)


def test_the_connection_uses_the_checked_address() -> None:
    """A name is resolved once per connection, so that DNS rebinding has no effect."""
    [closed] = free_ports(1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        lookups = []

        def look_up(host: str, port: int, **kind: object) -> list[Any]:
            lookups.append(host)
            return list(answers("127.0.0.1" if len(lookups) == 1 else "127.0.0.66")(host, port, **kind))

        guard = EgressGuard(ports=[], allowed=[ip_network("127.0.0.1")], look_up=look_up)
        guard.connect(("imap.old.example", port), 5).close()
        assert lookups == ["imap.old.example"]
        with pytest.raises(AddressForbidden):  # the next connection is checked again
            guard.connect(("imap.old.example", port), 5)
        both = EgressGuard(
            ports=[], allowed=[ip_network("127.0.0.0/8")], look_up=answers("127.0.0.9", "127.0.0.1")
        )
        both.connect(("imap.old.example", port), 5).close()  # falls back to the next address
        with pytest.raises(ConnectionRefusedError):
            both.connect(("imap.old.example", closed), 5)


@pytest.mark.parametrize("form", ["9.9.9.9", "::ffff:9.9.9.9", "64:ff9b::909:909"])
def test_the_operators_rules_apply_to_every_form_of_an_address(form: str) -> None:
    """With NAT64 both forms lead to the same machine."""
    forbidding = EgressGuard(ports=[993], forbidden=[ip_network("9.9.9.0/24")], look_up=answers(form))
    with pytest.raises(AddressForbidden):
        forbidding.vetted("imap.old.example", 993)
    allowing = EgressGuard(ports=[993], allowed=[ip_network("9.9.9.0/24")], look_up=answers(form))
    assert allowing.vetted("imap.old.example", 4993)
