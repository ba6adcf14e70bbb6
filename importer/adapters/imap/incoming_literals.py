"""The literals of one response as their bytes arrive: where they are collected, and how large they may be.

Memory is bounded: no contents of messages above `max_content_bytes` per response, no headers above
MAX_HEADER_BYTES, no names above MAX_NAME_BYTES.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO
from typing import Final, Protocol

from importer.adapters.imap.wire_values import WireError
from importer.domain.messages.message_body import SPOOLED_ABOVE_BYTES, Body, Spooled
from importer.domain.planning.server_limits import MAX_HEADER_BYTES, MAX_NAME_BYTES

MAX_LITERAL_BYTES: Final = 256 << 20

_CONTENT = re.compile(rb"(?:BODY\[\](?:<0>)?|RFC822)[ \t]\{[0-9]{1,20}\}\Z", re.IGNORECASE)
_OF_MESSAGE = re.compile(rb"\* [0-9]{1,20}[ \t]FETCH[ \t]", re.IGNORECASE)


class Sink(Protocol):
    """Receives a large message piece by piece."""

    def write(self, piece: bytes) -> None: ...

    def finish(self) -> Spooled: ...


class LiteralTooLarge(WireError):
    """The server announced a literal above the size limit."""

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(f"a literal of {size_bytes} bytes")
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class NameTooLarge(WireError):
    """The server announced a literal above MAX_NAME_BYTES that is no part of a message."""


class IncomingLiterals:
    """`complete` are the literals of the response so far. `missing_bytes` is the number of bytes that the
    current literal still lacks, 0 while a line is read.

    The content of a message (BODY[]) of more than SPOOLED_ABOVE_BYTES is written to a new `spool`, if there
    is one, else to memory; in both cases it is limited to `max_content_bytes`.
    """

    def __init__(
        self, max_content_bytes: int = MAX_LITERAL_BYTES, spool: Callable[[], Sink] | None = None
    ) -> None:
        self.complete: list[Body] = []
        self.missing_bytes = 0
        self.max_unspooled_bytes = (
            max_content_bytes if spool is None else min(SPOOLED_ABOVE_BYTES, max_content_bytes)
        )
        self._max_content_bytes = max_content_bytes
        self._new_spool = spool
        # Receives the current literal: joining a list of pieces would need the memory twice.
        self._sink: Sink | BytesIO = BytesIO()
        self._content_bytes = 0  # of the literals of this response
        self._other_bytes = 0  # of its other literals

    def begin(self, size_bytes: int, line: bytes, response: bytes | bytearray) -> None:
        """Expect the literal that `line` announces at its end, in the response that begins with `response`.
        Raises LiteralTooLarge and NameTooLarge."""
        is_content = _CONTENT.search(line) is not None
        if is_content:
            self._content_bytes += size_bytes
            if self._content_bytes > self._max_content_bytes:
                raise LiteralTooLarge(size_bytes, self._max_content_bytes)
        else:
            self._other_bytes += size_bytes
            of_message = _OF_MESSAGE.match(response) is not None
            limit_bytes = min(MAX_HEADER_BYTES if of_message else MAX_NAME_BYTES, self._max_content_bytes)
            if self._other_bytes > limit_bytes:
                raise LiteralTooLarge(size_bytes, limit_bytes) if of_message else NameTooLarge
        if not size_bytes:
            self.complete.append(b"")
            return
        self.missing_bytes = size_bytes
        if size_bytes <= SPOOLED_ABOVE_BYTES:
            self._sink = _preallocated(size_bytes)
        elif self._new_spool is not None and is_content:
            self._sink = self._new_spool()

    def take(self, data: bytes, at: int) -> int:
        """Add the part of the current literal that `data` holds from `at` on. Return the offset behind it."""
        chunk = data[at : at + self.missing_bytes]  # a slice of all of `data` makes no copy
        self._sink.write(chunk)
        self.missing_bytes -= len(chunk)
        if not self.missing_bytes:
            sink, self._sink = self._sink, BytesIO()
            self.complete.append(sink.getvalue() if isinstance(sink, BytesIO) else sink.finish())
        return at + len(chunk)

    def clear(self) -> None:
        """Begin the next response."""
        self.complete = []
        self._content_bytes = self._other_bytes = 0


def _preallocated(size_bytes: int) -> BytesIO:
    """Return a buffer of `size_bytes`, at least 1: a growing buffer is copied again and again.

    Only for bounded sizes, since memory is allocated before the server has sent a byte.
    """
    buffer = BytesIO()
    buffer.seek(size_bytes - 1)
    buffer.write(b"\0")
    buffer.seek(0)
    return buffer
