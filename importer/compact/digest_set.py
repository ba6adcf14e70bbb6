"""Sets of message digests: a million of them in little more memory than the digests themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

DIGEST_BYTES: Final = 16
"""The first half of a SHA-256 digest. A mailbox of a million messages has 16 MB of them."""

_BUCKETS: Final = 4096  # by the first twelve bits; of a million digests each has 250, found in a microsecond
_NO_BUCKETS: Final[tuple[bytearray | None, ...]] = (None,) * _BUCKETS
"""Shared by all empty sets: buckets take 32 KiB, and most folders are small or done."""

_REST_BYTES: Final = DIGEST_BYTES - 1  # the bucket number implies the first byte


def digest_at(digests: bytes, index: int) -> bytes:
    """The digest at `index` in concatenated digests."""
    return digests[DIGEST_BYTES * index : DIGEST_BYTES * (index + 1)]


def each_digest(digests: bytes) -> list[bytes]:
    """The concatenated digests, one by one."""
    return [digests[start : start + DIGEST_BYTES] for start in range(0, len(digests), DIGEST_BYTES)]


class DigestSet(Protocol):
    """A set of digests of DIGEST_BYTES each that only grows. One thread may add at a time; any thread may
    test membership at the same time."""

    def __contains__(self, digest: bytes) -> bool: ...

    def add(self, digest: bytes) -> None: ...

    def __len__(self) -> int: ...


class Digests:
    """A set in memory. A dictionary takes eight times as much."""

    __slots__ = ("_buckets",)

    def __init__(self) -> None:
        self._buckets: Sequence[bytearray | None] = _NO_BUCKETS

    def __contains__(self, digest: bytes) -> bool:
        bucket = self._buckets[digest[0] << 4 | digest[1] >> 4]
        return bucket is not None and _holds(bucket, digest[1:])

    def add(self, digest: bytes) -> None:
        number = digest[0] << 4 | digest[1] >> 4
        buckets = self._buckets
        if not isinstance(buckets, list):
            buckets = self._buckets = [None] * _BUCKETS
        bucket = buckets[number]
        if bucket is None:
            buckets[number] = bytearray(digest[1:])
        elif not _holds(bucket, digest[1:]):
            bucket += digest[1:]

    def __len__(self) -> int:
        return sum(len(bucket) for bucket in self._buckets if bucket is not None) // _REST_BYTES


def _holds(bucket: bytearray, rest: bytes) -> bool:
    at = bucket.find(rest)
    while at >= 0 and at % _REST_BYTES:  # a match across two entries
        at = bucket.find(rest, at + 1)
    return at >= 0
