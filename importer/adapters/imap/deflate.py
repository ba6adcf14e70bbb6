"""COMPRESS=DEFLATE (RFC 4978): fewer bytes over slow lines.

A `LinkSpeed` is the byte stream of a connection: plain, plain and measured, or compressed. Measuring shows
whether bytes wait for the line, and costs two clock readings per call. A slow server is indistinguishable
from a slow line; compressing then is useless but cheap, since few bytes pass. A server that is slow because
it has many connections is recognised by their sum: the line carries the traffic of all of them.

Invariants
- All data is in the socket when `sendall` returns: each call ends with a flush (RFC 4978 section 3).
- A read inflates at most the requested number of bytes, so a decompression bomb cannot exhaust memory.
"""

from __future__ import annotations

import socket
import struct
import sys
import threading
import time
import zlib
from collections.abc import Callable
from math import inf
from typing import Final, Literal, Protocol

from providers.endpoint import Endpoint

Compression = Literal["auto", "on", "off"]

CAPABILITY: Final = "COMPRESS=DEFLATE"

SLOW_BYTES_PER_S: Final = 1_250_000
"""Throughput of all connections over a line below which compression pays off: 10 Mbit/s.

Measured with four connections over one line with 40 ms latency, on two cores (`python -m benchmarks
--bandwidth`, 4,000 small messages), compressed from the start: at 10 Mbit/s a copy takes 0.62 of the time, at
40 about the same time, and at 100 no less time but a quarter more CPU."""

_LEVEL: Final = 3
"""Compression ratio and speed, measured on this project's corpus and on English prose, in one stream with a
flush every 256 KiB: level 1 gives 1.71 and 4.43 at 76 and 153 MB/s, level 3 gives 1.72 and 4.77 at 72 and
123, level 6 (zlib's default) gives 1.77 and 5.47 at 35 and 53."""

_SAMPLE_BYTES: Final = 256 << 10
_SLOW_BYTES: Final = 3 * _SAMPLE_BYTES  # in more than one sample: a hiccup does not make a line slow
_PIECE_BYTES: Final = 256 << 10
_COMPRESSED_READ_BYTES: Final = 64 << 10
_REMEMBERED_S: Final = 900.0
_LATELY_S: Final = 10.0

_LARGE_BYTES: Final = 16 << 10  # smaller sends are dominated by the round trip
_TCP_INFO: Final[int | None] = getattr(socket, "TCP_INFO", None) if sys.platform == "linux" else None
_TCP_INFO_BYTES: Final = 192


class Incoming(Protocol):
    """A source of bytes, such as `io.BufferedReader`."""

    def read1(self, size: int = -1, /) -> bytes: ...

    def readline(self, size: int | None = -1, /) -> bytes: ...


class SendingSide(Protocol):
    """The sending side of a connection, such as a socket."""

    def sendall(self, data: bytes | bytearray, /) -> None: ...

    def getsockopt(self, level: int, option: int, size_bytes: int, /) -> bytes: ...


class LineRates:
    """The latest rates of the connections of a process over one line, in one direction. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._rates: dict[object, tuple[float, float]] = {}  # connection -> bytes per second, when

    def note(self, connection: object, bytes_per_s: float) -> float:
        """Note the rate of a connection and return the sum of those that were measured lately."""
        now = self._clock()
        with self._lock:
            self._rates[connection] = bytes_per_s, now
            self._rates = {one: rate for one, rate in self._rates.items() if now - rate[1] <= _LATELY_S}
            return sum(rate for rate, _ in self._rates.values())


class KnownLines:
    """Which endpoints are reached over slow lines: one object for all connections of a process."""

    def __init__(
        self, compression: Compression = "auto", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._compression = compression
        self._clock = clock
        self._slow_until: dict[Endpoint, float] = {}
        self._broken: set[Endpoint] = set()
        self._rates: dict[Endpoint, tuple[LineRates, LineRates]] = {}

    def compress_from_start(self, endpoint: Endpoint) -> bool:
        """Return whether new connections to `endpoint` are compressed right after login."""
        if endpoint in self._broken:
            return False
        return self._compression == "on" or self._slow_until.get(endpoint, 0.0) > self._clock()

    def should_measure(self, endpoint: Endpoint) -> bool:
        """Return whether connections to `endpoint` measure their throughput."""
        return self._compression == "auto" and endpoint not in self._broken

    def rates(self, endpoint: Endpoint) -> tuple[LineRates, LineRates]:
        """The rates of the connections to `endpoint`: of the bytes that it sends and that it receives."""
        return self._rates.setdefault(endpoint, (LineRates(self._clock), LineRates(self._clock)))

    def mark_slow(self, endpoint: Endpoint) -> None:
        """Remember for 15 minutes that the line to `endpoint` is slow."""
        self._slow_until[endpoint] = self._clock() + _REMEMBERED_S

    def mark_broken(self, endpoint: Endpoint) -> None:
        """Never compress connections to `endpoint` again: its compression does not work."""
        self._broken.add(endpoint)


class LinkSpeed:
    """The byte stream of one connection. `slow` becomes true when the measured throughput of the line is
    low."""

    def __init__(self, incoming: Incoming, outgoing: SendingSide) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._meter: _Meter | None = None
        self._deflated: _Deflated | None = None
        self.read1: Callable[[int], bytes] = incoming.read1
        self.sendall: Callable[[bytes | bytearray], None] = outgoing.sendall

    @property
    def measuring(self) -> bool:
        return self._meter is not None

    @property
    def slow(self) -> bool:
        return self._meter is not None and self._meter.slow

    @property
    def compressed(self) -> bool:
        return self._deflated is not None

    @property
    def broken(self) -> bool:
        """True if the server's data was not compressed as agreed."""
        return self._deflated is not None and self._deflated.broken

    def use_plain(self) -> None:
        """Read and write uncompressed, without measuring."""
        self._meter = None
        self.read1, self.sendall = self._incoming.read1, self._outgoing.sendall

    def measure(self, rates: tuple[LineRates, LineRates]) -> None:
        """Read and write uncompressed, and measure the throughput. `rates` are those of the line
        (`KnownLines.rates`)."""
        self._meter = meter = _Meter(self._incoming, self._outgoing, *rates)
        self.read1, self.sendall = meter.read1, meter.sendall

    def read_by_line(self) -> None:
        """Read no further than the end of a line: the bytes after it may be compressed."""
        self.read1 = self._incoming.readline

    def compress(self) -> None:
        """Compress both directions from here on; the last line that was read is the server's OK."""
        self._meter = None
        self._deflated = deflated = _Deflated(self._incoming, self._outgoing)
        self.read1, self.sendall = deflated.read1, deflated.sendall


class _Deflated:
    """Raw deflate in both directions (RFC 1951: no header, no checksum)."""

    def __init__(self, incoming: Incoming, outgoing: SendingSide) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._output_full = False  # zlib may hold more output without further input
        self.broken = False

    def read1(self, size: int) -> bytes:
        """Return at most `size` bytes, b"" at the end. Raises OSError if the input is not deflated."""
        try:
            while not self._inflate.eof:
                compressed = self._inflate.unconsumed_tail
                if not compressed and not self._output_full:
                    compressed = self._incoming.read1(_COMPRESSED_READ_BYTES)
                    if not compressed:
                        break
                data = self._inflate.decompress(compressed, size)
                # An output of exactly `size` bytes may continue inside zlib although no input is left.
                self._output_full = len(data) == size
                if data:
                    return data
        except zlib.error as error:
            self.broken = True
            raise OSError(f"what the server sent is not compressed as agreed: {error}") from error
        return b""

    def sendall(self, data: bytes | bytearray) -> None:
        with memoryview(data) as whole:
            for start in range(0, len(whole), _PIECE_BYTES):
                compressed = self._deflate.compress(whole[start : start + _PIECE_BYTES])
                if compressed:
                    self._outgoing.sendall(compressed)
        self._outgoing.sendall(self._deflate.flush(zlib.Z_SYNC_FLUSH))


class _Meter:
    """Measures how long bytes wait for the line, in each direction, while there are any to transfer."""

    def __init__(
        self, incoming: Incoming, outgoing: SendingSide, download: LineRates, upload: LineRates
    ) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._download = _Samples(download)
        self._upload = _Samples(upload)
        self._response_pending = True  # nothing was read since the last send
        self._before: tuple[int, float] | None = None  # result of `_acknowledged` before the last large send

    @property
    def slow(self) -> bool:
        return self._download.slow or self._upload.slow

    def read1(self, size: int) -> bytes:
        began = time.perf_counter()
        data = self._incoming.read1(size)
        if self._response_pending:  # this read measures round trip and server time, not bandwidth
            self._response_pending = False
        else:
            self._download.count(len(data), time.perf_counter() - began)
        return data

    def sendall(self, data: bytes | bytearray) -> None:
        if self._before is not None:
            now = _acknowledged(self._outgoing)
            self._upload.count(now[0] - self._before[0], now[1] - self._before[1])
        self._before = _acknowledged(self._outgoing) if len(data) >= _LARGE_BYTES else None
        self._outgoing.sendall(data)
        self._response_pending = True


class _Samples:
    """Bytes and transfer time, sample by sample."""

    def __init__(self, rates: LineRates) -> None:
        self._rates = rates
        self.slow = False
        self._bytes = 0
        self._waited_s = 0.0
        self._slow_samples: list[int] = []  # bytes of the latest samples, as long as they were slow

    def count(self, size_bytes: int, waited_s: float) -> None:
        self._bytes += size_bytes
        self._waited_s += waited_s
        if self._bytes < _SAMPLE_BYTES:
            return
        rate = self._bytes / self._waited_s if self._waited_s else inf
        slow = self._rates.note(self, rate) < SLOW_BYTES_PER_S
        self._slow_samples = [*self._slow_samples, self._bytes] if slow and not self.slow else []
        self.slow = self.slow or (len(self._slow_samples) > 1 and sum(self._slow_samples) >= _SLOW_BYTES)
        self._bytes, self._waited_s = 0, 0.0


def _acknowledged(outgoing: SendingSide) -> tuple[int, float]:
    """Return how many bytes the peer has acknowledged, and for how many seconds any were in flight; zeros if
    the kernel does not report it. Read from struct tcp_info (linux/tcp.h), Linux 4.10 or later."""
    if _TCP_INFO is None:
        return 0, 0.0
    try:
        info = outgoing.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _TCP_INFO_BYTES)
        return struct.unpack_from("=Q", info, 120)[0], struct.unpack_from("=Q", info, 168)[0] / 1e6
    except (OSError, struct.error):
        return 0, 0.0
