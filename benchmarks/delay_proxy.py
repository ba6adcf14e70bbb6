"""A long line to a server on this machine: every byte arrives half a round trip after it was sent.

A slow one too, if asked: then all its connections share so many bits a second, each way. Nothing is looked
at, nothing is lost. It runs as a process of its own:

    python -m benchmarks.delay_proxy --listen 10143 --to 143 --round-trip-ms 40 --bandwidth-mbit 10

A connection is accepted at once: the one and a half round trips of a TCP handshake are not simulated.
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

_HOST = "127.0.0.1"
_READ_BYTES = 1 << 18
_HELD_BYTES = 32 << 20  # per direction; at 20 ms this limits one connection to 1.6 GB/s
_QUEUE_BYTES = 32 << 10  # what waits before a slow line, per connection, beside as much in each socket
_PACKET_BYTES = 8 << 10  # of a slow line: connections take turns
_PIECES = 32  # of one sendmsg
_LOOK_FOR_PARENT_S = 1.0


@dataclass(eq=False, slots=True)
class _Line:
    """One direction of the line. `bytes_per_s` None: as wide as can be."""

    one_way_s: float
    bytes_per_s: float | None
    free_at: float = 0.0

    @property
    def read_bytes(self) -> int:
        return _READ_BYTES if self.bytes_per_s is None else _PACKET_BYTES

    @property
    def held_bytes(self) -> int:
        """The most that a connection has on its way."""
        return (
            _HELD_BYTES if self.bytes_per_s is None else _QUEUE_BYTES + int(self.bytes_per_s * self.one_way_s)
        )

    def due(self, now: float, size_bytes: int) -> float:
        """When so many bytes, handed over now, are all there."""
        if self.bytes_per_s is not None:
            self.free_at = max(self.free_at, now) + size_bytes / self.bytes_per_s
            now = self.free_at
        return now + self.one_way_s


@dataclass(eq=False, slots=True)
class _Stream:
    """One direction of one connection. An empty piece in the queue is the end of the stream."""

    source: socket.socket
    target: socket.socket
    line: _Line
    pieces: deque[tuple[float, memoryview]] = field(default_factory=deque)  # (due, bytes)
    held_bytes: int = 0
    ended: bool = False  # nothing more comes from the source
    blocked: bool = False  # the target takes no more at the moment
    done: bool = False

    def read(self, now: float) -> None:
        try:
            data = self.source.recv(self.line.read_bytes)
        except BlockingIOError:  # select may be wrong about that
            return
        self.ended = not data
        self.held_bytes += len(data)
        self.pieces.append((self.line.due(now, len(data)), memoryview(data)))

    def send_what_is_due(self, now: float) -> None:
        while self.pieces and self.pieces[0][0] <= now and not self.blocked:
            if not len(self.pieces[0][1]):
                self.target.shutdown(socket.SHUT_WR)
                self.done = True
                return
            due = [piece for at, piece in self._first() if at <= now and len(piece)]
            try:
                sent = self.target.sendmsg(due)
            except BlockingIOError:
                self.blocked = True
                return
            self._drop(sent)

    def _first(self) -> list[tuple[float, memoryview]]:
        return [self.pieces[index] for index in range(min(_PIECES, len(self.pieces)))]

    def _drop(self, sent: int) -> None:
        self.held_bytes -= sent
        while sent:
            at, piece = self.pieces.popleft()
            if sent < len(piece):
                self.pieces.appendleft((at, piece[sent:]))
                self.blocked = True
                return
            sent -= len(piece)


def serve(
    listener: socket.socket, server_port: int, one_way_s: float, bytes_per_s: float | None = None
) -> None:
    """Forwards until the process that started this one is gone."""
    parent = os.getppid()
    lines = _Line(one_way_s, bytes_per_s), _Line(one_way_s, bytes_per_s)  # there, and back
    if bytes_per_s is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _QUEUE_BYTES)
    streams: list[_Stream] = []
    while os.getppid() == parent:
        # select, not epoll: it takes its time-out in microseconds, and there are few connections.
        readers = [one.source for one in streams if not one.ended and one.held_bytes < one.line.held_bytes]
        writers = [one.target for one in streams if one.blocked]
        dues = [one.pieces[0][0] for one in streams if one.pieces and not one.blocked]
        wait_s = min(max(0.0, min(dues, default=1e9) - time.monotonic()), _LOOK_FOR_PARENT_S)
        readable, writable, _ = select.select([listener, *readers], writers, [], wait_s)
        now = time.monotonic()
        if listener in readable:
            streams += _accept(listener, server_port, lines)
        ready, free = set(readable), set(writable)
        broken = set()
        for one in streams:
            try:
                if one.source in ready:
                    one.read(now)
                if one.target in free:
                    one.blocked = False
                one.send_what_is_due(now)
            except OSError:
                broken |= {one.source, one.target}
        if broken or any(one.done for one in streams):
            streams = _without_closed(streams, broken)


def _accept(listener: socket.socket, server_port: int, lines: tuple[_Line, _Line]) -> list[_Stream]:
    client, _ = listener.accept()
    server = socket.socket()
    try:
        if lines[1].bytes_per_s is not None:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _QUEUE_BYTES)
        server.settimeout(10)
        server.connect((_HOST, server_port))
    except OSError:
        client.close()
        server.close()
        return []
    for one in (client, server):
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        one.setblocking(False)
    return [_Stream(client, server, lines[0]), _Stream(server, client, lines[1])]


def _without_closed(streams: list[_Stream], broken: set[socket.socket]) -> list[_Stream]:
    """Closes connections that broke, or that both sides have ended."""
    left = []
    for one, other in zip(streams[::2], streams[1::2], strict=True):
        if one.source in broken or (one.done and other.done):
            for end in (one.source, one.target):
                with contextlib.suppress(OSError):
                    end.close()
        else:
            # A direction that is done stays beside its other half, silent.
            for half in (one, other):
                if half.done:
                    half.pieces.clear()
            left += [one, other]
    return left


def main() -> None:
    """The command line above."""
    parser = argparse.ArgumentParser(prog="delay_proxy", description="Delays a server on this machine.")
    parser.add_argument("--listen", type=int, required=True, help="port on 127.0.0.1")
    parser.add_argument("--to", type=int, required=True, help="the server's port on 127.0.0.1")
    parser.add_argument("--round-trip-ms", type=float, required=True)
    parser.add_argument("--bandwidth-mbit", type=float, help="millions of bits a second, each way (no limit)")
    given = parser.parse_args()
    bytes_per_s = given.bandwidth_mbit * 1e6 / 8 if given.bandwidth_mbit else None
    with socket.create_server((_HOST, given.listen), backlog=128) as listener:
        serve(listener, given.to, given.round_trip_ms / 2_000, bytes_per_s)


if __name__ == "__main__":
    main()
