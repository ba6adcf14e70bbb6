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
from pathlib import Path

_HOST = "127.0.0.1"
_READ_BYTES = 1 << 18
_HELD_BYTES = 32 << 20  # per direction; at 20 ms this limits one connection to 1.6 GB/s
_QUEUE_BYTES = 32 << 10  # buffered before a slow line per connection, plus as much in each socket
_PACKET_BYTES = 8 << 10  # on a slow line, so that connections alternate
_PIECES = 32  # buffers per sendmsg
_PARENT_CHECK_S = 1.0


@dataclass(eq=False, slots=True)
class _Line:
    """One direction of the line. `bytes_per_s` None means unlimited."""

    one_way_s: float
    bytes_per_s: float | None
    free_at: float = 0.0

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

    def read(self, now: float) -> None:
        try:
            data = self.source.recv(self.line.read_bytes)
        except BlockingIOError:  # select may report spurious readiness
            return
        self.ended = not data
        if self.back is not None and data and self.back.heard:
            self.turns += 1
            self.back.heard = False
        self.heard = True
        self.held_bytes += len(data)
        self.pieces.append((self.line.due(now, len(data)), memoryview(data)))

    def send_due(self, now: float) -> None:
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
    listener: socket.socket,
    server_port: int,
    one_way_s: float,
    bytes_per_s: float | None = None,
    counts: Path | None = None,
) -> None:
    """Forwards connections until the parent process has ended."""
    parent = os.getppid()
    closed = turns = 0
    lines = _Line(one_way_s, bytes_per_s), _Line(one_way_s, bytes_per_s)  # one per direction
    if bytes_per_s is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _QUEUE_BYTES)
    streams: list[_Stream] = []
    while os.getppid() == parent:
        # select rather than epoll: its timeout has microsecond resolution, and there are few connections.
        readers = [s.source for s in streams if not s.ended and s.held_bytes < s.line.held_bytes]
        writers = [s.target for s in streams if s.blocked]
        due_times = [s.pieces[0][0] for s in streams if s.pieces and not s.blocked]
        wait_s = min(max(0.0, min(due_times, default=1e9) - time.monotonic()), _PARENT_CHECK_S)
        readable, writable, _ = select.select([listener, *readers], writers, [], wait_s)
        now = time.monotonic()
        if listener in readable:
            streams += _accept(listener, server_port, lines)
        readable_set, writable_set = set(readable), set(writable)
        broken = set()
        for stream in streams:
            try:
                if stream.source in readable_set:
                    stream.read(now)
                if stream.target in writable_set:
                    stream.blocked = False
                stream.send_due(now)
            except OSError:
                broken |= {stream.source, stream.target}
        if broken or any(stream.done for stream in streams):
            remaining = _without_closed(streams, broken)
            gone = [s for s in streams if s.back is not None and not any(s is other for other in remaining)]
            closed, turns = closed + len(gone), turns + sum(stream.turns for stream in gone)
            streams = remaining
            if counts is not None and gone:
                counts.write_text(f"{closed} {turns}\n", encoding="ascii")


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
    for end in (client, server):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end.setblocking(False)
    back = _Stream(server, client, lines[1])
    return [_Stream(client, server, lines[0], back=back), back]


def _without_closed(streams: list[_Stream], broken: set[socket.socket]) -> list[_Stream]:
    """Closes connections that broke or that both sides have closed; returns the streams of the others."""
    remaining = []
    for forward, backward in zip(streams[::2], streams[1::2], strict=True):
        if forward.source in broken or (forward.done and backward.done):
            for end in (forward.source, forward.target):
                with contextlib.suppress(OSError):
                    end.close()
        else:
            # A finished direction is kept, inactive, until the other direction is finished.
            for stream in (forward, backward):
                if stream.done:
                    stream.pieces.clear()
            remaining += [forward, backward]
    return remaining


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
