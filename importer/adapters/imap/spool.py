"""Large messages on their way through: kept in files that have no name and are gone with their connection.

A file is used again for the next message: what the system has at hand for it already takes a third of the
time that new pages take.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final

from importer.domain.messages.message_identity import Digester, header_block, with_crlf
from importer.ports.process import OwnDiskFull

_PIECE_BYTES: Final = 128 * 1024
_HEADER_BYTES: Final = 1024 * 1024  # what is no header by then is taken as far as that


_KEPT_BYTES: Final = 16 * 1024 * 1024
"""A file with more in it is not kept for the next message."""


class SpoolFiles:
    """The files of one connection. Each is one message's at a time."""

    def __init__(self, folder: Path | None) -> None:
        """Without a folder the system's own for such files is used."""
        self._folder = folder
        self._free: list[IO[bytes]] = []

    def take(self) -> IO[bytes]:
        """One that nobody uses, at its start. Raises OwnDiskFull."""
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
        """From any thread."""
        if used_bytes <= _KEPT_BYTES:
            self._free.append(file)


class SpooledBody:
    """Implements `importer.domain.messages.message_body.Spooled` over a file, which it gives back when nobody
    uses it."""

    def __init__(
        self, files: SpoolFiles, file: IO[bytes], size_bytes: int, header: bytes, digest: bytes
    ) -> None:
        self._files = files
        self._file = file
        self._size_bytes = size_bytes
        self.header = header
        self.digest = digest

    def __del__(self) -> None:
        self._files.give_back(self._file, self._size_bytes)

    def __len__(self) -> int:
        return self._size_bytes

    def pieces(self) -> Iterator[bytes]:
        for at in range(0, self._size_bytes, _PIECE_BYTES):
            yield os.pread(self._file.fileno(), min(_PIECE_BYTES, self._size_bytes - at), at)


class Spool:
    """Takes a message as it comes in, piece by piece, wherever the network cut it."""

    def __init__(self, files: SpoolFiles) -> None:
        """Raises OwnDiskFull."""
        self._files = files
        self._file = files.take()
        self._size_bytes = 0
        self._start = bytearray()  # until the header is complete
        self._header: bytes | None = None
        self._digest = Digester()
        self._held_cr = b""  # a CR at the end of a piece: the next may begin with its LF

    def write(self, piece: bytes) -> None:
        """Raises OwnDiskFull."""
        piece = self._held_cr + piece
        self._held_cr = b"\r" if piece.endswith(b"\r") else b""
        self._store(with_crlf(piece[:-1] if self._held_cr else piece))

    def finish(self) -> SpooledBody:
        """When all of it was written. Raises OwnDiskFull."""
        self._store(self._held_cr)
        header = header_block(bytes(self._start)) if self._header is None else self._header
        return SpooledBody(self._files, self._file, self._size_bytes, header, self._digest.digest())

    def _store(self, piece: bytes) -> None:
        self._digest.update(piece)
        self._size_bytes += len(piece)
        if self._header is None:
            self._start += piece
            header = header_block(bytes(self._start))
            if len(header) < len(self._start) or len(self._start) > _HEADER_BYTES:
                self._header = header[:_HEADER_BYTES]
                self._start.clear()
        try:
            left = memoryview(piece)
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise OwnDiskFull(error.strerror or str(error)) from error
