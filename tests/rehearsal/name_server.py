"""A name server on loopback, and `mailhaul` on a machine that queries it.

`python -m tests.rehearsal.name_server HOST:PORT WORDS` runs `mailhaul WORDS` as if /etc/resolv.conf named
that server: resolv.conf has no syntax for a port, and port 53 needs root.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import dns.message
import dns.nameserver
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset

Answer = Callable[[dns.message.Message], dns.message.Message | None]
Zone = Mapping[tuple[str, str], Sequence[str]]
"""Name with its final dot, and type of record -> the records."""


@contextmanager
def name_server(answer: Answer) -> Iterator[tuple[str, int]]:
    """Run a name server on a free UDP port. Yields its address. `answer` returns None to stay silent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.05)
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                try:
                    data, client = server.recvfrom(4096)
                except TimeoutError:
                    continue
                reply = answer(dns.message.from_wire(data))
                if reply is not None:
                    server.sendto(reply.to_wire(), client)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()
        finally:
            stop.set()
            thread.join()


def from_zone(zone: Zone, query: dns.message.Message) -> dns.message.Message:
    """The answer to a query from the current zone."""
    reply = dns.message.make_response(query)
    question = query.question[0]
    kind = dns.rdatatype.to_text(question.rdtype)
    records = zone.get((question.name.to_text(), kind))
    if records:
        reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *records))
    elif not any(name == question.name.to_text() for name, _ in zone):
        reply.set_rcode(dns.rcode.NXDOMAIN)
    return reply


def with_code(code: dns.rcode.Rcode, query: dns.message.Message) -> dns.message.Message:
    """An answer with only that response code."""
    reply = dns.message.make_response(query)
    reply.set_rcode(code)
    return reply


def command(server: tuple[str, int]) -> tuple[str, ...]:
    """The command of an installation on such a machine."""
    return sys.executable, "-m", "tests.rehearsal.name_server", f"{server[0]}:{server[1]}"


def ask(server: str) -> None:
    """Make this process query the server at HOST:PORT instead of those of /etc/resolv.conf."""
    host, _, port = server.rpartition(":")

    def read(resolver: dns.resolver.BaseResolver, _file: Any) -> None:
        resolver.nameservers = [dns.nameserver.Do53Nameserver(host, int(port))]

    dns.resolver.Resolver.read_resolv_conf = read  # type: ignore[assignment,method-assign]


if __name__ == "__main__":
    ask(sys.argv.pop(1))
    from importer.cli import main

    main()
