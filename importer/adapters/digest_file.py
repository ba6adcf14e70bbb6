"""Digests of folders that are too large for memory, in files that have no name and are gone with their set.

A set is a table of buckets in its file. A digest lies in the bucket that its own bits name or, when that is
full, in one of those after it; whatever is free is zero. A filter in memory tells of most digests that they
are not there, for a byte each.

Invariant: a table is at most three quarters full, so that looking ends at a free place.
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
"""So many digests are held in memory."""

_BUCKET: Final = 32  # digests; half full, one in ten thousand buckets overflows
_BUCKET_BYTES: Final = _BUCKET * DIGEST_BYTES
_FREE: Final = bytes(DIGEST_BYTES)  # no message has this digest, as far as anybody will ever know
_MOVED_BYTES: Final = 256 * 1024  # at a time, into a larger table


class DigestFiles:
    """Makes sets that need little memory, however much goes into them. Files are in `folder`."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def __call__(self, expected: int) -> DigestSet:
        """A new set, for about `expected` digests. Adding to it may raise OwnDiskFull."""
        return Digests() if expected <= HELD else DigestFile(self._folder, expected)


class DigestFile:
    """Implements `DigestSet`. Reading needs no lock while one thread adds."""

    def __init__(self, folder: Path | None, expected: int = 0) -> None:
        self._folder = folder
        self._table: _Table | None = None  # until there is something to keep
        self._expected = expected

    def __contains__(self, digest: bytes) -> bool:
        return self._table is not None and digest in self._table

    def add(self, digest: bytes) -> None:
        table = self._table
        try:
            if table is None:
                table = self._table = _Table(self._folder, 2 * self._expected)
            elif table.full:
                table = self._table = table.twice()
            table.add(digest)
        except OSError as error:
            raise OwnDiskFull(error.strerror or str(error)) from error

    def __len__(self) -> int:
        return 0 if self._table is None else self._table.count


class _Table:
    """`places` is rounded up to a power of two."""

    def __init__(self, folder: Path | None, places: int) -> None:
        self._folder = folder
        self._buckets = 1 << max(0, (places - 1) // _BUCKET).bit_length()
        self._file = TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  # as long as the table lives
        self._filter = bytearray(self._buckets * _BUCKET // 2)  # eight bits for a digest
        self.count = 0

    @property
    def full(self) -> bool:
        return self.count >= self._buckets * _BUCKET * 3 // 4

    def __contains__(self, digest: bytes) -> bool:
        bit = self._bit(digest)
        return bool(self._filter[bit >> 3] & 1 << (bit & 7)) and self._place(digest) is None

    def add(self, digest: bytes) -> None:
        at = self._place(digest)
        if at is None:
            return
        written = os.pwrite(self._file.fileno(), digest, at)
        if written < len(digest):  # as much as a full disk took
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        bit = self._bit(digest)
        self._filter[bit >> 3] |= 1 << (bit & 7)
        self.count += 1

    def _bit(self, digest: bytes) -> int:
        return int.from_bytes(digest[8:16]) % (8 * len(self._filter))

    def _place(self, digest: bytes) -> int | None:
        """The byte in the file where it would go; None when it is there."""
        number = int.from_bytes(digest[:8]) & (self._buckets - 1)
        while True:
            at = number * _BUCKET_BYTES
            bucket = os.pread(self._file.fileno(), _BUCKET_BYTES, at)
            if _holds(bucket, digest):
                return None
            used = -(-len(bucket.rstrip(b"\0")) // DIGEST_BYTES) * DIGEST_BYTES
            if used < _BUCKET_BYTES:
                return at + used
            number = (number + 1) & (self._buckets - 1)

    def twice(self) -> _Table:
        """A table of twice the size with the same digests."""
        larger = _Table(self._folder, 2 * self._buckets * _BUCKET)
        for start in range(0, self._buckets * _BUCKET_BYTES, _MOVED_BYTES):
            piece = os.pread(self._file.fileno(), _MOVED_BYTES, start)
            for at in range(0, len(piece), DIGEST_BYTES):
                if (digest := piece[at : at + DIGEST_BYTES]) != _FREE:
                    larger.add(digest)
        return larger


def _holds(bucket: bytes, digest: bytes) -> bool:
    at = bucket.find(digest)
    while at >= 0 and at % DIGEST_BYTES:  # the end of one and the beginning of the next
        at = bucket.find(digest, at + 1)
    return at >= 0
