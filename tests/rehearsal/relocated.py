"""`mailhaul` on a machine on which some mail hosts are servers of the rehearsal.

`python -m tests.rehearsal.relocated imap.gmail.com:993=127.0.0.1:4993,… WORDS` runs `mailhaul WORDS`. A
connection to one of these hosts goes to its rehearsal server, which needs a certificate for the name. Other
names resolve only if they are this machine.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from typing import Any, Final

from providers.endpoint import Endpoint

OWN: Final = ("localhost", "127.0.0.1", "::1")

_look_up = socket.getaddrinfo


def command(hosts: Mapping[str, Endpoint]) -> tuple[str, ...]:
    """The command of an installation on such a machine; `hosts` maps HOST:PORT to the server in its place."""
    pairs = ",".join(f"{name}={endpoint.host}:{endpoint.port}" for name, endpoint in hosts.items())
    return sys.executable, "-m", "tests.rehearsal.relocated", pairs


def relocate(pairs: str) -> None:
    """Patch name resolution. Called before anything keeps `socket.getaddrinfo`."""
    places = dict(pair.split("=") for pair in pairs.split(","))

    def look_up(host: Any, port: Any, *args: Any, **kwargs: Any) -> list[Any]:
        if place := places.get(f"{host}:{port}"):
            host, _, port = place.rpartition(":")
        elif host not in OWN:
            raise socket.gaierror(socket.EAI_NONAME, f"{host} is not in this rehearsal")
        return _look_up(host, port, *args, **kwargs)

    socket.getaddrinfo = look_up


if __name__ == "__main__":
    relocate(sys.argv.pop(1))
    from importer.cli import main

    main()
