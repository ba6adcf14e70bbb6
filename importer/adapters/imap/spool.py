"""Spools large messages to unnamed temporary files, which vanish with their connection.

A file is reused for the next message: writing to pages that the system holds already takes a third of the
time that new pages take.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final

from importer.domain.messages.message_identity import Digester, header_block, with_crlf
from importer.domain.messages.stored_changes import (
    ENDS_WITHIN_LINE,
    HAS_BARE_CR,
    HAS_NUL,
    LINE_ENDS,
    has_bare_cr,
)
from importer.ports.process import OwnDiskFull

_PIECE_BYTES: Final = 128 * 1024
_MAX_HEADER_BYTES: Final = 1024 * 1024  # a longer header is truncated

_MAX_REUSED_BYTES: Final = 16 * 1024 * 1024
"""A file with more content is not reused for the next message."""


class SpoolFiles:
    """The files of one connection. Each holds one message at a time."""

    def __init__(self, folder: Path | None) -> None:
        """With `folder=None` the system's temporary folder is used."""
        self._folder = folder
        self._free: list[IO[bytes]] = []

    def take(self) -> IO[bytes]:
        """Return an unused file, positioned at its start. Raises OwnDiskFull."""
        try:
            file = self._free.pop()
        except IndexError:
            pass
        else:
            file.seek(0)
            return file
        try:
            return TemporaryFile(dir=self._folder, buffering=0)
        except OSError as error:
            raise OwnDiskFull(error.strerror or str(error)) from error

    def give_back(self, file: IO[bytes], used_bytes: int) -> None:
        """Return a file for reuse. Thread-safe."""
        if used_bytes <= _MAX_REUSED_BYTES:
            self._free.append(file)


class SpooledBody:
    """Implements `importer.domain.messages.message_body.Spooled` over a file, which it gives back when it is
    garbage-collected."""

    def __init__(
        self, files: SpoolFiles, file: IO[bytes], size_bytes: int, header: bytes, digest: bytes, marks: int
    ) -> None:
        self._files = files
        self._file = file
        self._size_bytes = size_bytes
        self.header = header
        self.digest = digest
        self.marks = marks

    def __del__(self) -> None:
        self._files.give_back(self._file, self._size_bytes)

    def __len__(self) -> int:
        return self._size_bytes

    def pieces(self) -> Iterator[bytes]:
        for offset in range(0, self._size_bytes, _PIECE_BYTES):
            yield os.pread(self._file.fileno(), min(_PIECE_BYTES, self._size_bytes - offset), offset)


class Spool:
    """Stores a message as it arrives, in pieces of any length."""

    def __init__(self, files: SpoolFiles) -> None:
        """Raises OwnDiskFull."""
        self._files = files
        self._file = files.take()
        self._size_bytes = 0
        self._start = bytearray()  # until the header is complete
        self._header: bytes | None = None
        self._digest = Digester()
        self._marks = 0
        self._end = b""  # the last two bytes
        self._held_cr = b""  # a CR at the end of a piece, held back since the next may begin with LF

    def write(self, piece: bytes) -> None:
        """Append a piece. Raises OwnDiskFull."""
        piece = self._held_cr + piece
        self._held_cr = b"\r" if piece.endswith(b"\r") else b""
        complete = piece[:-1] if self._held_cr else piece
        sent = with_crlf(complete)
        if sent is not complete:  # a bare LF or CR
            if len(sent) > len(complete):
                self._marks |= LINE_ENDS
            if has_bare_cr(sent):
                self._marks |= HAS_BARE_CR
        self._store(sent)

    def finish(self) -> SpooledBody:
        """Return the body once all pieces are written. Raises OwnDiskFull."""
        self._marks |= HAS_BARE_CR if self._held_cr else 0
        self._store(self._held_cr)
        self._marks |= ENDS_WITHIN_LINE if self._end != b"\r\n" else 0
        header = header_block(bytes(self._start)) if self._header is None else self._header
        return SpooledBody(
            self._files, self._file, self._size_bytes, header, self._digest.digest(), self._marks
        )

    def _store(self, piece: bytes) -> None:
        self._digest.update(piece)
        self._size_bytes += len(piece)
        self._marks |= HAS_NUL if b"\0" in piece else 0
        self._end = (self._end + piece[-2:])[-2:]
        if self._header is None:
            self._start += piece
            header = header_block(bytes(self._start))
            if len(header) < len(self._start) or len(self._start) > _MAX_HEADER_BYTES:
                self._header = header[:_MAX_HEADER_BYTES]
                self._start.clear()
        try:
            remaining = memoryview(piece)
            while remaining:
                remaining = remaining[self._file.write(remaining) :]
        except OSError as error:
            raise OwnDiskFull(error.strerror or str(error)) from error
