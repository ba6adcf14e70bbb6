"""Server-sent events, with a share of the streams for each web session and each network client."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import ExitStack, aclosing
from typing import Final, TypeVar

from fastapi.responses import StreamingResponse
from starlette.responses import Response

from importer.service.access.client_networks import client_network
from importer.service.access.rate_limits import RateLimited
from importer.web.request_context import Guest

_RETRY_AFTER_S: Final = 60

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
    """Counts the stream from its first event, since a response that is never sent is never closed."""
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
