"""Many browsers that watch one import, in one process: they read what comes and count it.

python -m benchmarks.streams URL BATCH-PATH HOW-MANY. The Cookie header is the first line of standard input;
"open" is said when all streams are, and the count, as JSON, at the end of input or of all streams.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from urllib.parse import urlsplit


class _Stream(asyncio.Protocol):
    """One watcher: as little work for the machine as a watcher can be."""

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
            good = data.startswith(b"HTTP/1.1 200 ")
            self.open.set_result(None) if good else self.open.set_exception(ConnectionError(data[:80]))
        self.events += data.count(b"event: parts\n")

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.open.done():
            self.open.set_exception(ConnectionError("closed before it began"))
        self.over.set_result(None)


async def watch(url: str, path: str, how_many: int, cookies: str) -> int:
    """Opens the streams, and waits for the end of input. How many events came in all."""
    where, loop = urlsplit(url), asyncio.get_running_loop()
    request = f"GET {path}/events HTTP/1.1\r\nHost: {where.netloc}\r\nCookie: {cookies}\r\n\r\n".encode()
    made = [
        await loop.create_connection(lambda: _Stream(request), where.hostname or "", where.port or 80)
        for _ in range(how_many)
    ]
    streams = [stream for _, stream in made]
    await asyncio.gather(*(stream.open for stream in streams))
    print("open", flush=True)  # noqa: T201
    with suppress(asyncio.CancelledError):
        await asyncio.to_thread(sys.stdin.readline)
    for transport, _ in made:
        transport.close()
    return sum(stream.events for stream in streams)


if __name__ == "__main__":
    given = sys.stdin.readline().strip()
    print(json.dumps({"events": asyncio.run(watch(sys.argv[1], sys.argv[2], int(sys.argv[3]), given))}))  # noqa: T201
