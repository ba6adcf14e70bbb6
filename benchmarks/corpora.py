"""The generated mailboxes to copy: small, mixed and large messages, reproducible byte for byte."""

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
    """A mailbox to copy: `messages` with sizes drawn by `size_bytes`, spread over `folders` folders.

    `few` is the number of messages for copiers that wait for each message, so that a run ends within an hour.
    """

    name: str
    description: str
    messages: int
    folders: int
    few: int
    size_bytes: Callable[[random.Random], int]


def _small(rng: random.Random) -> int:
    return rng.randrange(1_500, 6_500)


def _mixed(rng: random.Random) -> int:
    return min(10 * _MB, int(rng.lognormvariate(math.log(8_000), 2.2)))


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
    """Yields the messages of `work`, folder by folder, lazily; `count` replaces its number.

    Flags, keywords, dates, raw 8-bit, missing Message-IDs and exact duplicates are those of the rehearsals'
    corpus. Each message is padded to its size with text that depends only on its bytes, so that exact
    duplicates remain exact duplicates.
    """
    filler = _filler()
    for small in corpus(count or work.messages, work.folders, median_bytes=1, max_bytes=1):
        rng = random.Random(small.content)  # noqa: S311 - not for secrets
        missing = work.size_bytes(rng) - len(small.content)
        yield replace(small, content=small.content + _text(filler, rng, missing)) if missing > 0 else small


def _text(filler: bytes, rng: random.Random, size: int) -> bytes:
    start = rng.randrange(len(filler))
    repeats = size // len(filler) + 2
    cut = (filler * repeats)[start : start + size]
    # Either end of the cut may be between CR and LF.
    return cut.removeprefix(b"\n").removesuffix(b"\r").removesuffix(b"\r\n") + b"\r\n"


def _filler() -> bytes:
    rng = random.Random(72)  # noqa: S311
    letters = b"abcdefghijklmnopqrstuvwxyz    "
    return b"".join(bytes(rng.choices(letters, k=70)) + b"\r\n" for _ in range(_FILLER_LINES))
