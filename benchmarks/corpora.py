"""The generated mailboxes that are copied: small messages, mixed ones, large ones. Always the same bytes."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from tests.rehearsal.corpus import corpus
from tests.rehearsal.fill import Stored

_MB = 1_000_000
_FILLER_LINES = 4_000


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be copied: `messages` of sizes drawn by `size_bytes`, spread over `folders` folders.

    `few` is the number for a copier that waits for each message, so that a run ends within the hour.
    """

    name: str
    says: str
    messages: int
    folders: int
    few: int
    size_bytes: Callable[[random.Random], int]


def _small(chance: random.Random) -> int:
    return chance.randrange(1_500, 6_500)


def _mixed(chance: random.Random) -> int:
    return min(10 * _MB, int(chance.lognormvariate(math.log(8_000), 2.2)))


def _large(_: random.Random) -> int:
    return 8 * _MB


WORKS = {
    work.name: work
    for work in (
        Work("s", "small, 1.5 to 6.5 KB", 10_000, 10, 1_000, _small),
        Work("m", "mixed, median 8 KB, up to 10 MB", 4_000, 12, 500, _mixed),
        Work("l", "large, 8 MB each", 60, 3, 60, _large),
    )
}


def messages(work: Work, count: int | None = None) -> Iterator[Stored]:
    """The messages of `work`, folder by folder, lazily; `count` instead of its number.

    Flags, keywords, dates, raw 8-bit, missing Message-IDs and exact duplicates are those of the rehearsals'
    corpus. Each message is filled up to its size with text that depends on its bytes alone, so that exact
    duplicates stay what they are.
    """
    filler = _filler()
    for small in corpus(count or work.messages, work.folders, median_bytes=1, max_bytes=1):
        chance = random.Random(small.content)  # noqa: S311 - no secret depends on it
        missing = work.size_bytes(chance) - len(small.content)
        yield replace(small, content=small.content + _text(filler, chance, missing)) if missing > 0 else small


def _text(filler: bytes, chance: random.Random, size: int) -> bytes:
    start = chance.randrange(len(filler))
    whole = size // len(filler) + 2
    taken = (filler * whole)[start : start + size]
    # A cut may fall between CR and LF on either side.
    return taken.removeprefix(b"\n").removesuffix(b"\r").removesuffix(b"\r\n") + b"\r\n"


def _filler() -> bytes:
    chance = random.Random(72)  # noqa: S311
    letters = b"abcdefghijklmnopqrstuvwxyz    "
    return b"".join(bytes(chance.choices(letters, k=70)) + b"\r\n" for _ in range(_FILLER_LINES))
