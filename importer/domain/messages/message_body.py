"""The content of a message: bytes in memory, or, for large messages, a spooled file read in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol, TypeAlias

SPOOLED_ABOVE_BYTES: Final = 512 * 1024
"""A message larger than this is not held in memory: allocating memory for it would cost more than passing it
through a file that is reused."""


class Spooled(Protocol):
    """A large message with CRLF line ends. `len()` is its length in bytes."""

    @property
    def header(self) -> bytes:
        """The result of `message_identity.header_block` for the message."""
        ...

    @property
    def digest(self) -> bytes:
        """The result of `message_identity.digest` for the message."""
        ...

    @property
    def marks(self) -> int:
        """The marks of the content without its header (`stored_changes.py`)."""
        ...

    def pieces(self) -> Iterator[bytes]:
        """The whole content in order, a few hundred KiB at a time. May be called repeatedly."""
        ...

    def __len__(self) -> int: ...


Body: TypeAlias = bytes | Spooled


def pieces(body: Body) -> Iterator[bytes]:
    """The content in order; a body in memory is a single piece."""
    return iter((body,)) if isinstance(body, bytes) else body.pieces()


def whole(body: Body) -> bytes:
    """The content, read into memory."""
    return body if isinstance(body, bytes) else b"".join(body.pieces())
