"""Timeouts for receiving requests, and a limit of connections per client (uvicorn has neither).

A connection is closed if the head of a request is not complete HEAD_TIMEOUT_S after its first byte (or after
the connection was made), or its body BODY_TIMEOUT_S after the head. Connections of trusted proxies are exempt
from the limit per client, because all clients share them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from importer.service.access.client_networks import client_network

HEAD_TIMEOUT_S: Final = 15.0
BODY_TIMEOUT_S: Final = 60.0
MAX_CONNECTIONS_PER_CLIENT: Final = 256
MAX_CONNECTIONS: Final = 4000
"""Of 16,384 file descriptors (deploy/systemd)."""


def impatient_protocol(is_trusted: Callable[[str], bool]) -> type[asyncio.Protocol]:
    """The protocol class for `uvicorn.Config(http=…)`. `is_trusted` recognises a proxy by its address."""
    connections: Counter[str] = Counter()

    class ImpatientProtocol(H11Protocol):
        """One connection."""

        _network: str | None = None
        _timer: asyncio.TimerHandle | None = None
        _timed: Any = None  # the part of a request that the timer limits

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            address = self.client[0] if self.client else ""
            network = "proxies" if is_trusted(address) else client_network(address)
            limit = MAX_CONNECTIONS if network == "proxies" else MAX_CONNECTIONS_PER_CLIENT
            if connections[network] >= limit or connections.total() >= MAX_CONNECTIONS:
                transport.abort()
                return
            self._network = network
            connections[network] += 1
            self._watch("first head", HEAD_TIMEOUT_S)

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_watching()
            if self._network is not None:
                connections[self._network] -= 1
                if not connections[self._network]:
                    del connections[self._network]
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch_rest()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._watch_rest()

        def _watch_rest(self) -> None:
            """Set the timer for the incomplete part of a request."""
            if self.transport.is_closing():
                self._stop_watching()
            elif self.conn.their_state is h11.SEND_BODY:
                self._watch(self.cycle, BODY_TIMEOUT_S)
            elif self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
                self._watch("head", HEAD_TIMEOUT_S)
            elif self._timed != "first head" or self.cycle is not None:
                self._stop_watching()

        def _watch(self, part: object, timeout_s: float) -> None:
            if self._timed is not part:
                self._stop_watching()
                self._timed = part
                self._timer = self.loop.call_later(timeout_s, self.transport.abort)

        def _stop_watching(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._timed = None

    return ImpatientProtocol
