"""Lines that are compressed, and when they are. Real servers: tests/contract/test_session.py."""

from __future__ import annotations

import io
import socket
import time
import zlib

import pytest

from importer.adapters.imap.deflate import SLOW_BYTES_PER_S, KnownLines, LinkSpeed
from providers.endpoint import Endpoint

HOST = Endpoint("old.example")


class Trickle:
    """Incoming bytes in pieces of one size, each of which takes a while on `clock`."""

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


def whole(line: LinkSpeed, size: int = 1000) -> bytes:
    found = bytearray()
    while data := line.read1(size):
        assert len(data) <= size
        found += data
    return bytes(found)


@pytest.mark.parametrize("piece", [1, 3, 7, 1000])
@pytest.mark.parametrize("size", [1, 10, 100_000])
def test_what_was_compressed_comes_out_however_it_is_cut(piece: int, size: int) -> None:
    said = [b"* 1 EXISTS\r\n", b"M1 OK done\r\n", bytes(range(256)) * 3]
    ours, _ = socket.socketpair()
    line = LinkSpeed(Trickle(deflated(*said), piece), ours)
    line.compress()
    assert whole(line, size) == b"".join(said)


def test_the_first_compressed_byte_follows_the_line_that_says_so() -> None:
    ours, _ = socket.socketpair()
    line = LinkSpeed(Trickle(b"M1 OK begin\r\n" + deflated(b"* 2 EXISTS\r\n")), ours)
    line.read_by_line()
    assert line.read1(1000) == b"M1 OK begin\r\n"
    line.compress()
    assert whole(line) == b"* 2 EXISTS\r\n"


def test_a_few_bytes_that_stand_for_many_are_handed_out_bit_by_bit() -> None:
    bomb = deflated(b"0" * 50_000_000)
    assert len(bomb) < 60_000
    ours, _ = socket.socketpair()
    line = LinkSpeed(source := Trickle(bomb), ours)
    line.compress()
    assert len(line.read1(4096)) == 4096
    assert len(line.read1(4096)) == 4096
    assert source.reads == 1


def test_what_is_not_compressed_after_all_ends_the_connection_and_is_told() -> None:
    ours, _ = socket.socketpair()
    known = KnownLines("on")
    line = LinkSpeed(Trickle(b"* OK still here\r\n"), ours)
    line.compress()
    with pytest.raises(OSError, match="not compressed as agreed"):
        line.read1(100)
    assert line.broken
    known.mark_broken(HOST)
    assert not known.compress_from_start(HOST)


def test_each_send_is_on_its_way_when_it_returns() -> None:
    ours, theirs = socket.socketpair()
    line = LinkSpeed(Trickle(b""), ours)
    line.compress()
    inflate = zlib.decompressobj(-15)
    for said in (b"M1 NOOP\r\n", b"M2 APPEND " + b"x" * 1000, b"y"):
        line.sendall(said)
        assert inflate.decompress(theirs.recv(65_536)) == said


def timed(monkeypatch: pytest.MonkeyPatch, bytes_per_s: float, size: int, *, asks: int = 0) -> LinkSpeed:
    """A watched line over which `size` bytes came at that speed; after each of `asks` questions one read."""
    now = 0.0

    class Slow(Trickle):
        def read1(self, size: int = -1, /) -> bytes:
            nonlocal now
            data = super().read1(size)
            now += len(data) / bytes_per_s
            return data

    monkeypatch.setattr(time, "perf_counter", lambda: now)
    ours, _ = socket.socketpair()
    line = LinkSpeed(Slow(b"x" * size), ours)
    line.measure()
    line.sendall(b"M1 FETCH\r\n")
    while line.read1(1 << 18):
        if asks:
            line.sendall(b"M1 FETCH\r\n")
    return line


def test_a_line_is_slow_once_a_megabyte_came_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    assert timed(monkeypatch, SLOW_BYTES_PER_S * 0.9, 1_200_000).slow
    assert not timed(monkeypatch, SLOW_BYTES_PER_S * 1.1, 5_000_000).slow
    assert not timed(monkeypatch, SLOW_BYTES_PER_S * 0.9, 500_000).slow


def test_waiting_for_the_first_bytes_of_an_answer_makes_no_line_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not timed(monkeypatch, 1000, 5_000_000, asks=1).slow


def test_slow_lines_are_remembered_for_a_while() -> None:
    now = 0.0
    known = KnownLines("auto", lambda: now)
    assert known.should_measure(HOST)
    assert not known.compress_from_start(HOST)
    known.mark_slow(HOST)
    assert known.compress_from_start(HOST)
    assert not known.compress_from_start(Endpoint("new.example"))
    now = 3600.0
    assert not known.compress_from_start(HOST)


def test_off_is_off_and_on_is_on() -> None:
    assert KnownLines("on").compress_from_start(HOST)
    assert not KnownLines("off").compress_from_start(HOST)
    assert not KnownLines("off").should_measure(HOST)
