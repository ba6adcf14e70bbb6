"""COMPRESS=DEFLATE and its activation. tests/contract/test_session.py covers real servers."""

from __future__ import annotations

import io
import socket
import time
import zlib

import pytest

from importer.adapters.imap.deflate import SLOW_BYTES_PER_S, KnownLines, LineRates, LinkSpeed
from providers.endpoint import Endpoint

HOST = Endpoint("old.example")


class Trickle:
    """Incoming bytes in pieces of a fixed size."""

    def __init__(self, data: bytes, piece: int = 65_536) -> None:
        self._data = io.BytesIO(data)
        self._piece = piece
        self.reads = 0

    def read1(self, size: int = -1, /) -> bytes:
        self.reads += 1
        return self._data.read(min(size, self._piece) if size > 0 else self._piece)

    def readline(self, size: int | None = -1, /) -> bytes:
        return self._data.readline(size or -1)


def deflated(*pieces: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return b"".join(packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH) for piece in pieces)


def read_all(line: LinkSpeed, size: int = 1000) -> bytes:
    received = bytearray()
    while data := line.read1(size):
        assert len(data) <= size
        received += data
    return bytes(received)


@pytest.mark.parametrize("piece", [1, 3, 7, 1000])
@pytest.mark.parametrize("size", [1, 10, 100_000])
def test_compressed_data_is_read_with_any_chunk_size(piece: int, size: int) -> None:
    responses = [b"* 1 EXISTS\r\n", b"M1 OK done\r\n", bytes(range(256)) * 3]
    sock, _ = socket.socketpair()
    line = LinkSpeed(Trickle(deflated(*responses), piece), sock)
    line.compress()
    assert read_all(line, size) == b"".join(responses)


def test_compression_starts_right_after_the_tagged_response() -> None:
    sock, _ = socket.socketpair()
    line = LinkSpeed(Trickle(b"M1 OK begin\r\n" + deflated(b"* 2 EXISTS\r\n")), sock)
    line.read_by_line()
    assert line.read1(1000) == b"M1 OK begin\r\n"
    line.compress()
    assert read_all(line) == b"* 2 EXISTS\r\n"


def test_a_decompression_bomb_is_inflated_piecewise() -> None:
    bomb = deflated(b"0" * 50_000_000)
    assert len(bomb) < 60_000
    sock, _ = socket.socketpair()
    line = LinkSpeed(source := Trickle(bomb), sock)
    line.compress()
    assert len(line.read1(4096)) == 4096
    assert len(line.read1(4096)) == 4096
    assert source.reads == 1


def test_uncompressed_data_ends_the_connection_and_is_recorded() -> None:
    sock, _ = socket.socketpair()
    known_lines = KnownLines("on")
    line = LinkSpeed(Trickle(b"* OK still here\r\n"), sock)
    line.compress()
    with pytest.raises(OSError, match="not compressed as agreed"):
        line.read1(100)
    assert line.broken
    known_lines.mark_broken(HOST)
    assert not known_lines.compress_from_start(HOST)


def test_each_send_is_flushed() -> None:
    sock, peer = socket.socketpair()
    line = LinkSpeed(Trickle(b""), sock)
    line.compress()
    inflate = zlib.decompressobj(-15)
    for data in (b"M1 NOOP\r\n", b"M2 APPEND " + b"x" * 1000, b"y"):
        line.sendall(data)
        assert inflate.decompress(peer.recv(65_536)) == data


def timed(
    monkeypatch: pytest.MonkeyPatch,
    bytes_per_s: float,
    size: int,
    *,
    asks: int = 0,
    rates: LineRates | None = None,
) -> LinkSpeed:
    """A measured connection that received `size` bytes at that speed, with a command per read if `asks`.
    `rates` are those of its line, if there are others."""
    now = 0.0

    class Slow(Trickle):
        def read1(self, size: int = -1, /) -> bytes:
            nonlocal now
            data = super().read1(size)
            now += len(data) / bytes_per_s
            return data

    monkeypatch.setattr(time, "perf_counter", lambda: now)
    sock, _ = socket.socketpair()
    line = LinkSpeed(Slow(b"x" * size), sock)
    line.measure((rates or LineRates(), LineRates()))
    line.sendall(b"M1 FETCH\r\n")
    while line.read1(1 << 18):
        if asks:
            line.sendall(b"M1 FETCH\r\n")
    return line


def test_a_connection_is_slow_after_one_slow_megabyte(monkeypatch: pytest.MonkeyPatch) -> None:
    assert timed(monkeypatch, SLOW_BYTES_PER_S * 0.9, 1_200_000).slow
    assert not timed(monkeypatch, SLOW_BYTES_PER_S * 1.1, 5_000_000).slow
    assert not timed(monkeypatch, SLOW_BYTES_PER_S * 0.9, 500_000).slow


def test_connections_that_are_slow_together_share_a_fast_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server with many connections stores slowly for each of them."""
    now = 0.0
    rates = LineRates(lambda: now)
    others = [object() for _ in range(8)]
    for other in others:
        rates.note(other, SLOW_BYTES_PER_S / 4)
    assert not timed(monkeypatch, SLOW_BYTES_PER_S / 4, 5_000_000, rates=rates).slow
    rates = LineRates(lambda: now)
    rates.note(others[0], SLOW_BYTES_PER_S / 4)
    assert timed(monkeypatch, SLOW_BYTES_PER_S / 4, 5_000_000, rates=rates).slow
    for other in others:
        rates.note(other, SLOW_BYTES_PER_S / 4)
    now = 60.0  # the others are idle
    assert timed(monkeypatch, SLOW_BYTES_PER_S / 4, 5_000_000, rates=rates).slow


def test_latency_alone_does_not_make_a_connection_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not timed(monkeypatch, 1000, 5_000_000, asks=1).slow


def test_slow_connections_are_remembered_for_a_while() -> None:
    now = 0.0
    known_lines = KnownLines("auto", lambda: now)
    assert known_lines.should_measure(HOST)
    assert not known_lines.compress_from_start(HOST)
    known_lines.mark_slow(HOST)
    assert known_lines.compress_from_start(HOST)
    assert not known_lines.compress_from_start(Endpoint("new.example"))
    now = 3600.0
    assert not known_lines.compress_from_start(HOST)


def test_compression_can_be_forced_on_or_off() -> None:
    assert KnownLines("on").compress_from_start(HOST)
    assert not KnownLines("off").compress_from_start(HOST)
    assert not KnownLines("off").should_measure(HOST)
