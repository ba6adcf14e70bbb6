"""The bytes of a message: in memory, or, when they are many, where only pieces of them are held at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol, TypeAlias

SPOOLED_ABOVE_BYTES: Final = 512 * 1024
"""A message larger than this is not held in memory: to get new memory for it would cost more than its way
through a file that is used again and again."""


class Spooled(Protocol):
    """A large message with CRLF line ends. Its length is `len()`, in bytes."""

    @property
    def header(self) -> bytes:
        """What `identity.header_block` says of it."""
        ...

    @property
    def digest(self) -> bytes:
        """What `identity.digest` says of it."""
        ...

    def pieces(self) -> Iterator[bytes]:
        """All of it in order, a few hundred KiB at a time; as often as it is asked for."""
        ...

    def __len__(self) -> int: ...


Body: TypeAlias = bytes | Spooled


def pieces(body: Body) -> Iterator[bytes]:
    """The bytes in order; those that are in memory as one piece."""
    return iter((body,)) if isinstance(body, bytes) else body.pieces()


def whole(body: Body) -> bytes:
    """All of it in memory."""
    return body if isinstance(body, bytes) else b"".join(body.pieces())
