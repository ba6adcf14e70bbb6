"""COMPRESS=DEFLATE (RFC 4978): fewer bytes over slow lines.

A `LinkSpeed` is how a connection reads and writes: as the socket does, or compressed. Where that may pay it
watches whether bytes wait for the line, which costs two looks at the clock for each call. It sees what one
connection gets, whoever is slow: a slow server looks like a slow line, and compressing then gains nothing and
costs little, since few bytes pass.

Invariants
- What was sent is all on its way when `sendall` returns: each ends with a flush (RFC 4978 section 3).
- No more is inflated at a time than was asked for: a few bytes that stand for many fill no memory.
"""

from __future__ import annotations

import socket
import struct
import sys
import time
import zlib
from collections.abc import Callable
from typing import Final, Literal, Protocol

from providers.endpoint import Endpoint

Compression = Literal["auto", "on", "off"]

CAPABILITY: Final = "COMPRESS=DEFLATE"

SLOW_BYTES_PER_S: Final = 1_250_000
"""What one connection gets of a line on which compressing pays: 10 Mbit/s. Measured with four connections
over one line of so many Mbit/s, 40 ms long, on two cores (`python -m benchmarks --bandwidth`, 4,000 small
messages): compressed from the start, a copy takes 0.62 of the time at 10; it takes about the same at 40, and
no less at 100, where it costs a quarter more CPU."""

_LEVEL: Final = 3
"""Measured on this project's corpus and on English prose, in one stream with a flush each 256 KiB: level 1
makes 1.71 and 4.43 of one at 76 and 153 MB/s, 3 makes 1.72 and 4.77 at 72 and 123, 6 (zlib's own choice) 1.77
and 5.47 at 35 and 53."""

_STRETCH_BYTES: Final = 256 << 10
_SLOW_BYTES: Final = 3 * _STRETCH_BYTES  # and more than one stretch: a hiccup does not make a line slow
_PIECE_BYTES: Final = 256 << 10
_PACKED_BYTES: Final = 64 << 10
_REMEMBERED_S: Final = 900.0

_LARGE_BYTES: Final = 16 << 10  # what is smaller is over before its way there and back is
_TCP_INFO: Final[int | None] = getattr(socket, "TCP_INFO", None) if sys.platform == "linux" else None
_TCP_INFO_BYTES: Final = 192


class Incoming(Protocol):
    """What bytes come from: `io.BufferedReader` is one."""

    def read1(self, size: int = -1, /) -> bytes: ...

    def readline(self, size: int | None = -1, /) -> bytes: ...


class KnownLines:
    """Which lines are to be compressed from the start: one object for all connections of a process."""

    def __init__(self, wanted: Compression = "auto", clock: Callable[[], float] = time.monotonic) -> None:
        self._wanted = wanted
        self._clock = clock
        self._until: dict[
            Endpoint, float
        ] = {}  # when a line that was found to be slow counts as unknown again
        self._broken: set[Endpoint] = set()

    def compress_at_once(self, endpoint: Endpoint) -> bool:
        if endpoint in self._broken:
            return False
        return self._wanted == "on" or self._until.get(endpoint, 0.0) > self._clock()

    def watch(self, endpoint: Endpoint) -> bool:
        """Whether to find out."""
        return self._wanted == "auto" and endpoint not in self._broken

    def is_slow(self, endpoint: Endpoint) -> None:
        self._until[endpoint] = self._clock() + _REMEMBERED_S

    def is_broken(self, endpoint: Endpoint) -> None:
        """That server's compression is none: no more of it."""
        self._broken.add(endpoint)


class LinkSpeed:
    """The bytes of one connection. `slow` becomes true when a watched line turns out to be."""

    def __init__(self, incoming: Incoming, outgoing: socket.socket) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._meter: _Meter | None = None
        self._deflated: _Deflated | None = None
        self.read1: Callable[[int], bytes] = incoming.read1
        self.sendall: Callable[[bytes | bytearray], None] = outgoing.sendall

    @property
    def watched(self) -> bool:
        return self._meter is not None

    @property
    def slow(self) -> bool:
        return self._meter is not None and self._meter.slow

    @property
    def broken(self) -> bool:
        """True when what came was not compressed as it should have been."""
        return self._deflated is not None and self._deflated.broken

    def plain(self) -> None:
        """As the socket does."""
        self._meter = None
        self.read1, self.sendall = self._incoming.read1, self._outgoing.sendall

    def watch(self) -> None:
        """As the socket does, and finds out whether it is slow."""
        self._meter = meter = _Meter(self._incoming, self._outgoing)
        self.read1, self.sendall = meter.read1, meter.sendall

    def by_lines(self) -> None:
        """Reads no byte after the end of a line: from there on they may be compressed."""
        self.read1 = self._incoming.readline

    def compress(self) -> None:
        """From now on, both ways; the last line that was read is the server's OK."""
        self._meter = None
        self._deflated = deflated = _Deflated(self._incoming, self._outgoing)
        self.read1, self.sendall = deflated.read1, deflated.sendall


class _Deflated:
    """Raw deflate both ways (RFC 1951: no header, no checksum)."""

    def __init__(self, incoming: Incoming, outgoing: socket.socket) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._full = False  # there may be more to inflate without reading
        self.broken = False

    def read1(self, size: int) -> bytes:
        """At most `size` bytes, b"" at the end. Raises OSError when the input is not deflated."""
        try:
            while not self._inflate.eof:
                packed = self._inflate.unconsumed_tail
                if not packed and not self._full:
                    packed = self._incoming.read1(_PACKED_BYTES)
                    if not packed:
                        break
                data = self._inflate.decompress(packed, size)
                # An output that ends just at `size` may go on inside zlib, with nothing left to put in.
                self._full = len(data) == size
                if data:
                    return data
        except zlib.error as error:
            self.broken = True
            raise OSError(f"what the server sent is not compressed as agreed: {error}") from error
        return b""

    def sendall(self, data: bytes | bytearray) -> None:
        with memoryview(data) as whole:
            for at in range(0, len(whole), _PIECE_BYTES):
                packed = self._deflate.compress(whole[at : at + _PIECE_BYTES])
                if packed:
                    self._outgoing.sendall(packed)
        self._outgoing.sendall(self._deflate.flush(zlib.Z_SYNC_FLUSH))


class _Meter:
    """Counts how long bytes wait for the line, each way, and only while there are some to wait."""

    def __init__(self, incoming: Incoming, outgoing: socket.socket) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._down = _Stretches()
        self._up = _Stretches()
        self._asked = True
        self._before: tuple[int, float] | None = None  # as `_acknowledged` told before the last large send

    @property
    def slow(self) -> bool:
        return self._down.slow or self._up.slow

    def read1(self, size: int) -> bytes:
        began = time.perf_counter()
        data = self._incoming.read1(size)
        if self._asked:  # the way there and back, and the server's thinking: nothing of the line's width
            self._asked = False
        else:
            self._down.count(len(data), time.perf_counter() - began)
        return data

    def sendall(self, data: bytes | bytearray) -> None:
        if self._before is not None:
            now = _acknowledged(self._outgoing)
            self._up.count(now[0] - self._before[0], now[1] - self._before[1])
        self._before = _acknowledged(self._outgoing) if len(data) >= _LARGE_BYTES else None
        self._outgoing.sendall(data)
        self._asked = True


class _Stretches:
    """Bytes and the time that they took, stretch by stretch."""

    def __init__(self) -> None:
        self.slow = False
        self._bytes = 0
        self._waited_s = 0.0
        self._slow: list[int] = []  # bytes of the latest stretches, as long as they were slow

    def count(self, size_bytes: int, waited_s: float) -> None:
        self._bytes += size_bytes
        self._waited_s += waited_s
        if self._bytes < _STRETCH_BYTES:
            return
        slow = self._waited_s * SLOW_BYTES_PER_S > self._bytes
        self._slow = [*self._slow, self._bytes] if slow and not self.slow else []
        self.slow = self.slow or (len(self._slow) > 1 and sum(self._slow) >= _SLOW_BYTES)
        self._bytes, self._waited_s = 0, 0.0


def _acknowledged(outgoing: socket.socket) -> tuple[int, float]:
    """How many bytes the other side has, and for how many seconds there were any on the way to it; zeros
    where the kernel does not tell. From struct tcp_info (linux/tcp.h): Linux since 4.10."""
    if _TCP_INFO is None:
        return 0, 0.0
    try:
        told = outgoing.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _TCP_INFO_BYTES)
        return struct.unpack_from("=Q", told, 120)[0], struct.unpack_from("=Q", told, 168)[0] / 1e6
    except (OSError, struct.error):
        return 0, 0.0
