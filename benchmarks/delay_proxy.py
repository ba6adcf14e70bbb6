"""A long line to a server on this machine: every byte arrives half a round trip after it was sent.

Bandwidth is unlimited, nothing is looked at, nothing is lost. It runs as a process of its own:

    python -m benchmarks.delay_proxy --listen 10143 --to 143 --round-trip-ms 40

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
_PIECES = 32  # of one sendmsg
_LOOK_FOR_PARENT_S = 1.0


@dataclass(eq=False, slots=True)
class _Stream:
    """One direction of one connection. An empty piece in the queue is the end of the stream."""

    source: socket.socket
    target: socket.socket
    pieces: deque[tuple[float, memoryview]] = field(default_factory=deque)  # (due, bytes)
    held_bytes: int = 0
    ended: bool = False  # nothing more comes from the source
    blocked: bool = False  # the target takes no more at the moment
    done: bool = False

    def read(self, due: float) -> None:
        try:
            data = self.source.recv(_READ_BYTES)
        except BlockingIOError:  # select may be wrong about that
            return
        self.ended = not data
        self.held_bytes += len(data)
        self.pieces.append((due, memoryview(data)))

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


def serve(listener: socket.socket, server_port: int, one_way_s: float) -> None:
    """Forwards until the process that started this one is gone."""
    parent = os.getppid()
    streams: list[_Stream] = []
    while os.getppid() == parent:
        # select, not epoll: it takes its time-out in microseconds, and there are few connections.
        readers = [one.source for one in streams if not one.ended and one.held_bytes < _HELD_BYTES]
        writers = [one.target for one in streams if one.blocked]
        dues = [one.pieces[0][0] for one in streams if one.pieces and not one.blocked]
        wait_s = min(max(0.0, min(dues, default=1e9) - time.monotonic()), _LOOK_FOR_PARENT_S)
        readable, writable, _ = select.select([listener, *readers], writers, [], wait_s)
        now = time.monotonic()
        if listener in readable:
            streams += _accept(listener, server_port)
        ready, free = set(readable), set(writable)
        broken = set()
        for one in streams:
            try:
                if one.source in ready:
                    one.read(now + one_way_s)
                if one.target in free:
                    one.blocked = False
                one.send_what_is_due(now)
            except OSError:
                broken |= {one.source, one.target}
        if broken or any(one.done for one in streams):
            streams = _without_closed(streams, broken)


def _accept(listener: socket.socket, server_port: int) -> list[_Stream]:
    client, _ = listener.accept()
    try:
        server = socket.create_connection((_HOST, server_port), timeout=10)
    except OSError:
        client.close()
        return []
    for one in (client, server):
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        one.setblocking(False)
    return [_Stream(client, server), _Stream(server, client)]


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
    given = parser.parse_args()
    with socket.create_server((_HOST, given.listen), backlog=128) as listener:
        serve(listener, given.to, given.round_trip_ms / 2_000)


if __name__ == "__main__":
    main()
