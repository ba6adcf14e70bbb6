"""Server-sent events, with a share of the streams for each web session and each network client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, aclosing
from typing import Final, TypeVar

from fastapi.responses import StreamingResponse
from starlette.responses import Response

from importer.domain.model import ImportId
from importer.service.access.client_networks import client_network
from importer.service.access.rate_limits import RateLimited
from importer.service.access.web_sessions import is_open
from importer.web.live_progress import KEEP_ALIVE_S, Snapshot
from importer.web.request_context import Guest

_RETRY_AFTER_S: Final = 60

STREAM_LIFETIME_S: Final = 600.0
"""Afterwards the browser reconnects, which fails if the session has ended."""

SESSION_CHECKED_EVERY_S: Final = 5.0
"""A stream ends at most this long, plus one step of the feed, after the session."""

RECONNECT: Final = b"retry: 2000\n\n"
KEEP_ALIVE: Final = b": still here\n\n"
OVER: Final = b"event: over\ndata: {}\n\n"

Chunk = TypeVar("Chunk", str, bytes)


def event_stream(guest: Guest, events: AsyncGenerator[Chunk, None]) -> Response:
    """A response that sends these events; 429 if the session or the client has too many streams."""
    shares, session, client = guest.visitor.site.shares, guest.session.id, _client(guest)
    if not (shares.session_streams.is_free(session) and shares.client_streams.is_free(client)):
        return Response(status_code=429, headers={"Retry-After": str(_RETRY_AFTER_S)})
    return StreamingResponse(
        _counted(guest, events), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )


async def _counted(guest: Guest, events: AsyncGenerator[Chunk, None]) -> AsyncIterator[Chunk | str]:
    """Counts the stream from its first event, because an unsent response is never closed."""
    shares = guest.visitor.site.shares
    with ExitStack() as slots:
        try:
            slots.enter_context(shares.session_streams.slot(guest.session.id))
            slots.enter_context(shares.client_streams.slot(_client(guest)))
        except RateLimited:
            yield f"retry: {_RETRY_AFTER_S * 1000}\n\n"
            return
        async with aclosing(events):
            async for event in events:
                yield event


def _client(guest: Guest) -> str:
    return client_network(guest.visitor.client)


def parts_event(parts: Mapping[str, str]) -> bytes:
    """The event that replaces these elements of a page: element id -> content."""
    return f"event: parts\ndata: {json.dumps(parts)}\n\n".encode()


async def snapshots_for(
    guest: Guest, ids: Sequence[ImportId], *, idle_s: float = KEEP_ALIVE_S
) -> AsyncGenerator[Snapshot | None, None]:
    """The changes of these imports, and None every `idle_s` without one, while the session is open and at
    most for STREAM_LIFETIME_S."""
    clock = asyncio.get_running_loop().time
    until, checked_at = clock() + STREAM_LIFETIME_S, clock()
    async with aclosing(guest.visitor.site.feed.watch(ids, idle_s=idle_s)) as snapshots:
        async for snapshot in snapshots:
            yield snapshot
            if clock() > until:
                return
            if clock() - checked_at > SESSION_CHECKED_EVERY_S:
                checked_at = clock()
                if not await asyncio.to_thread(is_open, guest.visitor.site.deps, guest.session):
                    return
