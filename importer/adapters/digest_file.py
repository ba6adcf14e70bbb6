"""Digest sets that are too large for memory, in unnamed temporary files that disappear with the set.

A set is a hash table of buckets in a file, with linear probing: a digest is in the bucket that its leading
bits select or, if that is full, in one of the following buckets. Free places are zero. A Bloom filter in
memory, one to two bytes per digest, answers most look-ups of absent digests without reading the file.

Invariant: a table is at most three quarters full, so every probe ends at a free place.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

from importer.compact.digest_set import DIGEST_BYTES, Digests, DigestSet
from importer.ports.process import OwnDiskFull

HELD: Final = 50_000
"""Sets of up to this many digests stay in memory."""

_BUCKET: Final = 32  # digests; in a half-full table one in ten thousand buckets overflows
_BUCKET_BYTES: Final = _BUCKET * DIGEST_BYTES
_FREE: Final = bytes(DIGEST_BYTES)  # the chance that a message has this digest is negligible
_MOVED_BYTES: Final = 256 * 1024  # read at a time when the table grows


class DigestFiles:
    """Creates digest sets of bounded memory. Files are created in `folder`."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def __call__(self, expected: int) -> DigestSet:
        """Returns an empty set for about `expected` digests. Its `add` may raise OwnDiskFull."""
        return Digests() if expected <= HELD else DigestFile(self._folder, expected)


class DigestFile:
    """Implements `DigestSet`. Membership tests need no lock while one thread adds."""

    def __init__(self, folder: Path | None, expected: int = 0) -> None:
        self._folder = folder
        self._table: _Table | None = None  # None until the first digest is added
        self._expected = expected

    def __contains__(self, digest: bytes) -> bool:
        return self._table is not None and digest in self._table

    def add(self, digest: bytes) -> None:
        table = self._table
        try:
            if table is None:
                table = self._table = _Table(self._folder, 2 * self._expected)
            elif table.full:
                table = self._table = table.doubled()
            table.add(digest)
        except OSError as error:
            raise OwnDiskFull(error.strerror or str(error)) from error

    def __len__(self) -> int:
        return 0 if self._table is None else self._table.count


class _Table:
    """A hash table in a file. `places` is the capacity in digests, rounded up to a power of two."""

    def __init__(self, folder: Path | None, places: int) -> None:
        self._folder = folder
        self._buckets = 1 << max(0, (places - 1) // _BUCKET).bit_length()
        self._file = TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  # lives as long as the table
        self._filter = bytearray(self._buckets * _BUCKET // 2)  # eight bits per place
        self.count = 0

    @property
    def full(self) -> bool:
        return self.count >= self._buckets * _BUCKET * 3 // 4

    def __contains__(self, digest: bytes) -> bool:
        bit = self._bit(digest)
        return bool(self._filter[bit >> 3] & 1 << (bit & 7)) and self._free_place(digest) is None

    def add(self, digest: bytes) -> None:
        at = self._free_place(digest)
        if at is None:
            return
        written = os.pwrite(self._file.fileno(), digest, at)
        if written < len(digest):  # the disk is full
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        bit = self._bit(digest)
        self._filter[bit >> 3] |= 1 << (bit & 7)
        self.count += 1

    def _bit(self, digest: bytes) -> int:
        return int.from_bytes(digest[8:16]) % (8 * len(self._filter))

    def _free_place(self, digest: bytes) -> int | None:
        """The file offset at which to insert the digest; None if the table contains it."""
        number = int.from_bytes(digest[:8]) & (self._buckets - 1)
        while True:
            at = number * _BUCKET_BYTES
            bucket = os.pread(self._file.fileno(), _BUCKET_BYTES, at)
            if _contains(bucket, digest):
                return None
            used = -(-len(bucket.rstrip(b"\0")) // DIGEST_BYTES) * DIGEST_BYTES
            if used < _BUCKET_BYTES:
                return at + used
            number = (number + 1) & (self._buckets - 1)

    def doubled(self) -> _Table:
        """A table of twice the size that contains the same digests."""
        larger = _Table(self._folder, 2 * self._buckets * _BUCKET)
        for start in range(0, self._buckets * _BUCKET_BYTES, _MOVED_BYTES):
            chunk = os.pread(self._file.fileno(), _MOVED_BYTES, start)
            for at in range(0, len(chunk), DIGEST_BYTES):
                if (digest := chunk[at : at + DIGEST_BYTES]) != _FREE:
                    larger.add(digest)
        return larger


def _contains(bucket: bytes, digest: bytes) -> bool:
    at = bucket.find(digest)
    while at >= 0 and at % DIGEST_BYTES:  # a match across two neighbouring digests
        at = bucket.find(digest, at + 1)
    return at >= 0
