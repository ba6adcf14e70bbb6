"""Simulates a distant server on this machine: every byte arrives half a round trip after it was sent.

Optionally it limits the bandwidth, which all connections share in each direction. It neither inspects nor
loses data. It runs as a separate process:

    python -m benchmarks.delay_proxy --listen 10143 --to 143 --round-trip-ms 40 --bandwidth-mbit 10

With `--counts FILE` it writes the number of closed connections and of turns into a file. A turn is a client's
transmission after one of the server.

Connections are accepted immediately: the one and a half round trips of a TCP handshake are not simulated.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import socket
import time
from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

_HOST = "127.0.0.1"
_READ_BYTES = 1 << 18
_HELD_BYTES = 32 << 20  # per direction; at 20 ms this limits one connection to 1.6 GB/s
_QUEUE_BYTES = 32 << 10  # buffered before a slow line per connection, plus as much in each socket
_PACKET_BYTES = 8 << 10  # on a slow line, so that connections alternate
_PIECES = 32  # buffers per sendmsg
_PARENT_CHECK_S = 1.0
_BUFFER = memoryview(bytearray(_READ_BYTES))


@dataclass(eq=False, slots=True)
class _Line:
    """One direction of the line. `bytes_per_s` None means unlimited. `streams` are those with bytes on the
    way, in the order in which they are due."""

    one_way_s: float
    bytes_per_s: float | None
    free_at: float = 0.0
    streams: deque[tuple[float, _Stream]] = field(default_factory=deque)

    @property
    def read_bytes(self) -> int:
        return _READ_BYTES if self.bytes_per_s is None else _PACKET_BYTES

    @property
    def held_bytes(self) -> int:
        """The maximum number of bytes in flight per connection."""
        return (
            _HELD_BYTES if self.bytes_per_s is None else _QUEUE_BYTES + int(self.bytes_per_s * self.one_way_s)
        )

    def due(self, now: float, size_bytes: int) -> float:
        """The time at which the last of `size_bytes` bytes arrives if they are sent now."""
        if self.bytes_per_s is not None:
            self.free_at = max(self.free_at, now) + size_bytes / self.bytes_per_s
            now = self.free_at
        return now + self.one_way_s


@dataclass(eq=False, slots=True)
class _Stream:
    """One direction of one connection. An empty piece in the queue marks the end of the stream."""

    source: socket.socket
    target: socket.socket
    line: _Line
    pieces: deque[tuple[float, memoryview]] = field(default_factory=deque)  # (due, bytes)
    held_bytes: int = 0
    ended: bool = False  # the source has sent everything
    blocked: bool = False  # the target accepts no more data at present
    done: bool = False
    turns: int = 0
    back: _Stream | None = None  # the other direction, on that of the client
    heard: bool = True  # this side has sent data since the other side last did

    @property
    def is_open(self) -> bool:
        """Whether more can be read now."""
        return not self.ended and self.held_bytes < self.line.held_bytes

    def read(self, now: float) -> bool:
        """Return whether anything was read, or the end."""
        try:
            size_bytes = self.source.recv_into(_BUFFER, self.line.read_bytes)
        except BlockingIOError:  # readiness may be spurious
            return False
        self.ended = not size_bytes
        if self.back is not None and size_bytes and self.back.heard:
            self.turns += 1
            self.back.heard = False
        self.heard = True
        self.held_bytes += size_bytes
        due = self.line.due(now, size_bytes)
        self.pieces.append((due, memoryview(bytes(_BUFFER[:size_bytes]))))
        self.line.streams.append((due, self))
        return True

    def send_due(self, now: float) -> None:
        while self.pieces and self.pieces[0][0] <= now and not self.blocked:
            if not len(self.pieces[0][1]):
                self.pieces.clear()
                self.done = True
                self.target.shutdown(socket.SHUT_WR)
                return
            due = [piece for at, piece in islice(self.pieces, _PIECES) if at <= now and len(piece)]
            try:
                sent = self.target.sendmsg(due)
            except BlockingIOError:
                self.blocked = True
                return
            self._drop(sent)

    def _drop(self, sent: int) -> None:
        self.held_bytes -= sent
        while sent:
            at, piece = self.pieces.popleft()
            if sent < len(piece):
                self.pieces.appendleft((at, piece[sent:]))
                self.blocked = True
                return
            sent -= len(piece)


@dataclass(eq=False, slots=True)
class _End:
    """One socket of a connection: the stream from it and the stream to it. Without `events` it is not
    polled."""

    reads: _Stream
    writes: _Stream
    events: int | None = None


class _Proxy:
    """The connections of one server. What a wake-up costs depends on what is ready or due, not on the number
    of connections: the proxy should use little of the processor time that is measured."""

    def __init__(
        self, listener: socket.socket, server_port: int, one_way_s: float, bytes_per_s: float | None
    ) -> None:
        self.closed = self.turns = 0
        self._listener = listener
        self._server_port = server_port
        self._lines = _Line(one_way_s, bytes_per_s), _Line(one_way_s, bytes_per_s)  # one per direction
        self._ends: dict[int, _End] = {}
        self._poll = select.epoll()
        self._poll.register(listener, select.EPOLLIN)

    def step(self) -> None:
        """Wait until a connection is ready or bytes are due, for at most a second, and forward them."""
        due_times = [line.streams[0][0] for line in self._lines if line.streams]
        wait_s = min(max(0.0, min(due_times, default=1e9) - time.monotonic()), _PARENT_CHECK_S)
        # The timeout of select has microsecond resolution, that of epoll milliseconds.
        ready = self._poll.poll(0) if select.select([self._poll], [], [], wait_s)[0] else []
        now = time.monotonic()
        for number, events in ready:
            if number in self._ends:
                self._serve(self._ends[number], events, now)
        for line in self._lines:
            while line.streams and line.streams[0][0] <= now:
                stream = line.streams.popleft()[1]
                if stream.source.fileno() >= 0:
                    self._forward(stream, now)
        # Last: a new socket may get the number of one that was closed, for which there are events.
        if any(number == self._listener.fileno() for number, _ in ready):
            self._accept()

    def _serve(self, end: _End, events: int, now: float) -> None:
        if events & select.EPOLLERR:
            self._close(end)
            return
        if events & select.EPOLLOUT:
            end.writes.blocked = False
            self._forward(end.writes, now)
        if end.reads.source.fileno() >= 0 and events & ~select.EPOLLOUT:
            try:
                has_read = end.reads.is_open and end.reads.read(now)
            except OSError:
                self._close(end)
                return
            if not has_read and events & select.EPOLLHUP:
                self._watch(end, None)
            else:
                self._update(end.reads)

    def _forward(self, stream: _Stream, now: float) -> None:
        try:
            stream.send_due(now)
        except OSError:
            self._close(self._ends[stream.source.fileno()])
            return
        end = self._ends[stream.source.fileno()]
        if stream.done and end.writes.done:
            self._close(end)
        else:
            self._update(stream)

    def _update(self, stream: _Stream) -> None:
        """Poll both ends of the stream for what they wait for now."""
        for each in (stream.source, stream.target):
            end = self._ends[each.fileno()]
            if end.events is not None:
                readable = select.EPOLLIN if end.reads.is_open else 0
                self._watch(end, readable | (select.EPOLLOUT if end.writes.blocked else 0))

    def _watch(self, end: _End, events: int | None) -> None:
        if events == end.events:
            return
        if events is None:
            self._poll.unregister(end.reads.source)
        else:
            self._poll.modify(end.reads.source, events)
        end.events = events

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        server = socket.socket()
        try:
            if self._lines[1].bytes_per_s is not None:
                server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _QUEUE_BYTES)
            server.settimeout(10)
            server.connect((_HOST, self._server_port))
        except OSError:
            client.close()
            server.close()
            return
        back = _Stream(server, client, self._lines[1])
        forth = _Stream(client, server, self._lines[0], back=back)
        for end, reads, writes in ((client, forth, back), (server, back, forth)):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end.setblocking(False)
            self._ends[end.fileno()] = _End(reads, writes, select.EPOLLIN)
            self._poll.register(end, select.EPOLLIN)

    def _close(self, end: _End) -> None:
        """Close a connection that broke, or that both sides have closed."""
        self.closed += 1
        for stream in (end.reads, end.writes):
            self.turns += stream.turns
            del self._ends[stream.source.fileno()]
            with contextlib.suppress(OSError):
                stream.source.close()  # which ends the polling, too


def serve(
    listener: socket.socket,
    server_port: int,
    one_way_s: float,
    bytes_per_s: float | None = None,
    counts: Path | None = None,
) -> None:
    """Forwards connections until the parent process has ended."""
    parent = os.getppid()
    if bytes_per_s is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _QUEUE_BYTES)
    proxy = _Proxy(listener, server_port, one_way_s, bytes_per_s)
    written = 0
    while os.getppid() == parent:
        proxy.step()
        if counts is not None and proxy.closed > written:
            written = proxy.closed
            counts.write_text(f"{proxy.closed} {proxy.turns}\n", encoding="ascii")


def main() -> None:
    """Runs the command line shown above."""
    parser = argparse.ArgumentParser(prog="delay_proxy", description="Delays a server on this machine.")
    parser.add_argument("--listen", type=int, required=True, help="port on 127.0.0.1")
    parser.add_argument("--to", type=int, required=True, help="the server's port on 127.0.0.1")
    parser.add_argument("--round-trip-ms", type=float, required=True)
    parser.add_argument("--bandwidth-mbit", type=float, help="Mbit/s in each direction (no limit)")
    parser.add_argument("--counts", type=Path, help="file for the number of connections and turns (none)")
    arguments = parser.parse_args()
    bytes_per_s = arguments.bandwidth_mbit * 1e6 / 8 if arguments.bandwidth_mbit else None
    with socket.create_server((_HOST, arguments.listen), backlog=128) as listener:
        serve(listener, arguments.to, arguments.round_trip_ms / 2_000, bytes_per_s, arguments.counts)


if __name__ == "__main__":
    main()
