"""Simulates many browsers that watch an import, in one process, and counts their events.

python -m benchmarks.streams URL BATCH-PATH COUNT. The first line of standard input is the Cookie header. The
process prints "open" when all streams are open, and the number of events as JSON after the next line or the
end of input.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from urllib.parse import urlsplit


class _Stream(asyncio.Protocol):
    """One watcher, with minimal work for the machine."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._loop = asyncio.get_running_loop()
        self.open: asyncio.Future[None] = self._loop.create_future()
        self.over: asyncio.Future[None] = self._loop.create_future()
        self.events = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.WriteTransport):
            transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self.open.done():
            ok = data.startswith(b"HTTP/1.1 200 ")
            self.open.set_result(None) if ok else self.open.set_exception(ConnectionError(data[:80]))
        self.events += data.count(b"event: parts\n")

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.open.done():
            self.open.set_exception(ConnectionError("closed before the response began"))
        self.over.set_result(None)


async def watch(url: str, path: str, count: int, cookies: str) -> int:
    """Opens the streams and waits for input. Returns the total number of events."""
    server, loop = urlsplit(url), asyncio.get_running_loop()
    request = f"GET {path}/events HTTP/1.1\r\nHost: {server.netloc}\r\nCookie: {cookies}\r\n\r\n".encode()
    connections = [
        await loop.create_connection(lambda: _Stream(request), server.hostname or "", server.port or 80)
        for _ in range(count)
    ]
    streams = [stream for _, stream in connections]
    await asyncio.gather(*(stream.open for stream in streams))
    print("open", flush=True)  # noqa: T201
    with suppress(asyncio.CancelledError):
        await asyncio.to_thread(sys.stdin.readline)
    for transport, _ in connections:
        transport.close()
    return sum(stream.events for stream in streams)


if __name__ == "__main__":
    cookie_header = sys.stdin.readline().strip()
    events = asyncio.run(watch(sys.argv[1], sys.argv[2], int(sys.argv[3]), cookie_header))
    print(json.dumps({"events": events}))  # noqa: T201
