"""What one hostile server does, and the pieces that attacks are made of."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.rehearsal.scripted import CAPABILITIES, GREETING, StreamedAnswer, usual_answer

PIECE_BYTES = 64 << 10
"""What fast attacks send at once."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One kind of hostile server. `what` says what it does, for people."""

    name: str
    what: str
    answer: StreamedAnswer
    greeting: bytes = GREETING


def at(
    *starts: str, capabilities: str = CAPABILITIES
) -> Callable[[Callable[[str], bytes | Iterator[bytes]]], StreamedAnswer]:
    """Decorator: the function answers the commands that begin so; all others are answered as usual."""

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
    """Yield `line` for ever, `%d` replaced with a number that grows, in large pieces."""
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
    """Yield some numbered lines at a time, for ever."""
    number = 0
    while True:
        yield b"".join(line % (number + i) for i in range(at_once))
        number += at_once


def zeros(size_bytes: int) -> Iterator[bytes]:
    """Yield so many bytes."""
    piece = b"x" * PIECE_BYTES
    for _ in range(size_bytes // PIECE_BYTES):
        yield piece
    yield b"x" * (size_bytes % PIECE_BYTES)
