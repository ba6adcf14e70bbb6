"""The behaviour of one hostile server, and the building blocks of attacks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.rehearsal.scripted import CAPABILITIES, GREETING, StreamedAnswer, usual_answer

PIECE_BYTES = 64 << 10
"""Bytes per write of fast attacks."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One kind of hostile server. `what` describes it for people."""

    name: str
    what: str
    answer: StreamedAnswer
    greeting: bytes = GREETING


def at(
    *starts: str, capabilities: str = CAPABILITIES
) -> Callable[[Callable[[str], bytes | Iterator[bytes]]], StreamedAnswer]:
    """Decorator: the function answers the commands with that prefix; all others get the usual response."""

    def decorate(function: Callable[[str], bytes | Iterator[bytes]]) -> StreamedAnswer:
        def answer(command: str) -> bytes | Iterator[bytes] | None:
            if command.upper().startswith(starts):
                return function(command)
            if command.startswith("LIST"):
                return b'* LIST () "/" INBOX\r\nTAG OK done\r\n'
            return usual_answer(command, capabilities) if command == "CAPABILITY" else None

        return answer

    return decorate


def numbered(line: bytes) -> Iterator[bytes]:
    """Yield `line` endlessly in large pieces, with `%d` replaced by an increasing number."""
    number = 0
    while True:
        piece = bytearray()
        while len(piece) < PIECE_BYTES:
            number += 1
            piece += line % ((number,) * line.count(b"%d"))
        yield bytes(piece)


def dripping(pieces: Iterator[bytes], pause_s: float) -> Iterator[bytes]:
    """Yield the pieces with pauses."""
    for piece in pieces:
        yield piece
        time.sleep(pause_s)


def lines(line: bytes, at_once: int) -> Iterator[bytes]:
    """Yield some numbered lines at a time, endlessly."""
    number = 0
    while True:
        yield b"".join(line % (number + i) for i in range(at_once))
        number += at_once


def zeros(size_bytes: int) -> Iterator[bytes]:
    """Yield that many bytes."""
    piece = b"x" * PIECE_BYTES
    for _ in range(size_bytes // PIECE_BYTES):
        yield piece
    yield b"x" * (size_bytes % PIECE_BYTES)
