"""Random changes of seeds: bytes, slices, numbers, and tokens that mean something to the reader."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Final

MAX_INPUT_BYTES: Final = 4096

_BYTES: Final = (
    b"\x00",
    b"\r",
    b"\n",
    b"\r\n",
    b"\xff",
    b"\x80",
    b"\x1b",
    b'"',
    b"\\",
    b"{",
    b"(",
    b")",
    b" ",
)
_TEXT: Final = tuple(
    text.encode("utf-8", "surrogatepass")
    for text in ("\u202e", "\ud800", "\ufeff", "\u212a", "\u3002", "İ", "ß", "①", "\u2028", "é", "\U0010ffff")
)
_NUMBERS: Final = (b"0", b"-1", b"1", b"4294967295", b"18446744073709551616", b"9" * 5000, b"1e999", b"007")
_NUMBER: Final = re.compile(rb"\d+")


def mutated(seeds: Sequence[bytes], tokens: Sequence[bytes], rng: random.Random) -> bytes:
    """One of `seeds` after one to six changes, at most MAX_INPUT_BYTES long."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.choice((1, 1, 2, 4, 16, 64)))
        match rng.randrange(9):
            case 0 if at < len(data):
                data[at] = rng.randrange(256)
            case 1:
                del data[at:end]
            case 2:
                data[at:at] = rng.choice(_BYTES)
            case 3:
                data[at:at] = rng.choice(_TEXT)
            case 4:
                data[at:at] = data[at:end] * rng.choice((1, 2, 8, 64))
            case 5:
                other = rng.choice(seeds)
                cut = rng.randrange(len(other) + 1)
                data[at:] = other[cut:]
            case 6 if numbers := list(_NUMBER.finditer(data)):
                number = rng.choice(numbers)
                data[number.start() : number.end()] = rng.choice(_NUMBERS)
            case 7 if tokens:
                data[at:end] = rng.choice(tokens)
            case _ if tokens:
                data[at:at] = rng.choice(tokens)
            case _:
                data[at:at] = rng.randbytes(rng.randrange(1, 9))
        del data[MAX_INPUT_BYTES:]
    return bytes(data)
