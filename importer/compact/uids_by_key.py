"""A multimap from keys to UIDs: hundreds of thousands of entries in little more memory than their bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from importer.compact.uid_set import Uid

_BUCKETS: Final = 4096
_NO_BUCKETS: Final[tuple[bytearray | None, ...]] = (None,) * _BUCKETS
"""Shared by all empty maps: most folders need none of their maps, and buckets take 32 KiB."""

_UID_BYTES: Final = 5  # RFC 9051 allows four; UIDs that real servers send have at most ten digits


class UidsByKey:
    """Maps keys of `key_bytes` bytes (at least three) to UIDs; a key may have many. Keys must differ in their
    first bits, as digests do. A dictionary of lists takes twenty times the memory."""

    __slots__ = ("_buckets", "_entry_bytes")

    def __init__(self, key_bytes: int) -> None:
        self._entry_bytes = key_bytes - 1 + _UID_BYTES  # the bucket number implies the first byte
        self._buckets: Sequence[bytearray | None] = _NO_BUCKETS

    def add(self, key: bytes, uid: Uid) -> None:
        """One thread at a time."""
        entry = key[1:] + uid.to_bytes(_UID_BYTES)
        number = key[0] << 4 | key[1] >> 4
        buckets = self._buckets
        if not isinstance(buckets, list):
            buckets = self._buckets = [None] * _BUCKETS
        bucket = buckets[number]
        if bucket is None:
            buckets[number] = bytearray(entry)
        else:
            bucket += entry

    def get(self, key: bytes) -> Iterator[Uid]:
        """The UIDs under `key`, in the order of `add`."""
        bucket = self._buckets[key[0] << 4 | key[1] >> 4]
        if bucket is None:
            return
        rest = key[1:]
        at = bucket.find(rest)
        while at >= 0:
            if at % self._entry_bytes:  # a match across two entries, or inside a UID
                at = bucket.find(rest, at + 1)
            else:
                end = at + self._entry_bytes
                yield Uid(int.from_bytes(bucket[at + len(rest) : end]))
                at = bucket.find(rest, end)
