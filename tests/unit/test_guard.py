"""Which addresses may be connected to when somebody else names the host."""

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
    """A look-up in which every name has these addresses."""

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
def test_public_addresses_may_be_reached(address: str) -> None:
    assert is_public(address)
    assert EgressGuard(ports=[993], look_up=answers(address)).vetted("imap.old.example", 993)


@pytest.mark.parametrize("address", [one for kind in FORBIDDEN.values() for one in kind])
def test_no_other_address_may(address: str) -> None:
    assert not is_public(address)
    for together in ([address], [*PUBLIC, address]):  # one bad address spoils the name
        guard = EgressGuard(ports=[993], look_up=answers(*together))
        with pytest.raises(AddressForbidden) as caught:
            guard.vetted("imap.old.example", 993)
        assert str(caught.value) == "imap.old.example is not a public server"  # says nothing about inside


@pytest.mark.parametrize(
    "host", ["127.1", "0x7f.1", "2130706433", "0177.0.0.1", "①②⑦.0.0.1", "localhost", "::1", "0"]
)
def test_the_resolved_address_counts_however_it_is_written(host: str) -> None:
    """With the system's own resolver."""
    with pytest.raises(AddressForbidden):
        EgressGuard(ports=[993]).connect((host, 993), 1)


@pytest.mark.parametrize("port", [22, 25, 110, 443, 6379, 994])
def test_other_ports_may_not_be_tried(port: int) -> None:
    with pytest.raises(AddressForbidden):
        EgressGuard(ports=[143, 993], look_up=answers("9.9.9.9")).vetted("imap.old.example", port)


def test_the_operators_own_public_network_may_be_left_out() -> None:
    guard = EgressGuard(ports=[993], forbidden=[ip_network("9.9.9.0/24")], look_up=answers("::ffff:9.9.9.9"))
    with pytest.raises(AddressForbidden):
        guard.vetted("imap.old.example", 993)


def test_what_is_allowed_by_name_is_reached_on_any_port_and_nothing_beside_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        guard = EgressGuard(ports=[993], allowed=[ip_network("127.0.0.1/32")])
        with guard.connect(("127.0.0.1", port), 5) as connection:
            assert connection.gettimeout() == 5
        with pytest.raises(AddressForbidden):
            guard.connect(("127.0.0.2", port), 5)


def test_the_connection_goes_to_the_address_that_was_judged() -> None:
    """A name that changes its mind between two look-ups gets one look-up."""
    [closed] = free_ports(1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        asked = []

        def look_up(host: str, port: int, **kind: object) -> list[Any]:
            asked.append(host)
            return list(answers("127.0.0.1" if len(asked) == 1 else "127.0.0.66")(host, port, **kind))

        guard = EgressGuard(ports=[], allowed=[ip_network("127.0.0.1")], look_up=look_up)
        guard.connect(("imap.old.example", port), 5).close()
        assert asked == ["imap.old.example"]
        with pytest.raises(AddressForbidden):  # and the next connection is judged anew
            guard.connect(("imap.old.example", port), 5)
        both = EgressGuard(
            ports=[], allowed=[ip_network("127.0.0.0/8")], look_up=answers("127.0.0.9", "127.0.0.1")
        )
        both.connect(("imap.old.example", port), 5).close()  # the next address where one does not answer
        with pytest.raises(ConnectionRefusedError):
            both.connect(("imap.old.example", closed), 5)


@pytest.mark.parametrize("coat", ["9.9.9.9", "::ffff:9.9.9.9", "64:ff9b::909:909"])
def test_what_the_operator_forbids_or_allows_counts_in_every_form_of_the_address(coat: str) -> None:
    """On a network with NAT64 both forms lead to the same machine."""
    ours = EgressGuard(ports=[993], forbidden=[ip_network("9.9.9.0/24")], look_up=answers(coat))
    with pytest.raises(AddressForbidden):
        ours.vetted("imap.old.example", 993)
    private = EgressGuard(ports=[993], allowed=[ip_network("9.9.9.0/24")], look_up=answers(coat))
    assert private.vetted("imap.old.example", 4993)
