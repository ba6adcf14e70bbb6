"""A limit of threads per network client: one client's requests never occupy all of them.

A request counts from its arrival until its response begins, so event streams do not count. Further requests
of the client wait for their turn, for a bounded time and in a bounded number.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from importer.service.access.client_networks import client_network

MAX_PER_CLIENT: Final = 12
"""Of the 40 threads that serve pages (anyio's default limit)."""

MAX_QUEUED_PER_CLIENT: Final = 64
MAX_QUEUED_S: Final = 15.0

_EXEMPT: Final = ("/health", "/static/")
"""Served by the event loop itself, without a thread. The first also covers /healthz."""


@dataclass(slots=True)
class _Client:
    active: int = 0
    queue: deque[asyncio.Future[None]] = field(default_factory=deque)


class RequestShares:
    """Wraps the application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._clients: dict[str, _Client] = {}
        self._lock = Lock()  # tests call it from several event loops

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_EXEMPT):
            await self._app(scope, receive, send)
            return
        key = client_network(scope["client"][0] if scope["client"] else "")
        if not await self._begin(key):
            busy = PlainTextResponse(
                "Too many requests from your network. Try again in a moment.", 503, {"Retry-After": "5"}
            )
            await busy(scope, receive, send)
            return
        began_response = False

        async def send_and_release(message: Message) -> None:
            nonlocal began_response
            if not began_response:
                began_response = True
                self._end(key)
            await send(message)

        try:
            await self._app(scope, receive, send_and_release)
        finally:
            if not began_response:
                self._end(key)

    async def _begin(self, key: str) -> bool:
        """Wait for this client's turn; False if it takes too long."""
        with self._lock:
            client = self._clients.setdefault(key, _Client())
            if client.active < MAX_PER_CLIENT:
                client.active += 1
                return True
            if len(client.queue) >= MAX_QUEUED_PER_CLIENT:
                return False
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            client.queue.append(turn)
        try:
            await asyncio.wait_for(turn, MAX_QUEUED_S)
        except BaseException as error:
            with self._lock:
                waiting = turn in client.queue
                if waiting:
                    client.queue.remove(turn)
            if not waiting:  # it got its turn at the same moment
                self._end(key)
            if isinstance(error, TimeoutError):
                return False
            raise
        return True

    def _end(self, key: str) -> None:
        """Pass the turn on to the client's next request."""
        with self._lock:
            client = self._clients[key]
            if client.queue:
                turn = client.queue.popleft()
                turn.get_loop().call_soon_threadsafe(_resolve, turn)
                return
            client.active -= 1
            if not client.active:
                del self._clients[key]


def _resolve(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)
