"""IMAP commands as bytes: pure builders, and the single choke point against command injection.

Invariant: every part of a command line passes `line_safe`. CVE-2025-15366 shows the effect of omitting the
check: a line break in a folder name or a user name starts a new command.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from importer.compact.uid_set import UidSet
from importer.domain.mailbox_content import Outgoing
from importer.domain.messages.message_body import Body

LITERAL_MINUS_BYTES = 4096
"""Largest non-synchronizing literal that a server with LITERAL- accepts (RFC 7888 section 5)."""

_CHUNK_BYTES = 128 << 10
"""Small pieces of a command are joined up to this size: each send call costs a wait for other threads."""


_CR, _LF, _NUL, _BACKSLASH, _QUOTE = b'\r\n\0\\"'
"""As numbers, which are found in bytes five times as fast as bytes are: CPython 3.11 first takes what it is
to find for a number, and makes an exception if it is none."""


class UnsafeText(ValueError):
    """A part of a command contains CR, LF or NUL. The message does not repeat the value."""

    def __init__(self) -> None:
        super().__init__("it contains a line break or a NUL character")


def line_safe(value: bytes) -> bytes:
    """Return `value`. Raises UnsafeText if it could end the command line (RFC 9051: TEXT-CHAR)."""
    if _CR in value or _LF in value or _NUL in value:
        raise UnsafeText
    return value


def quoted(value: bytes) -> bytes:
    """Return `value` as a quoted string (RFC 9051 section 4.3). Raises UnsafeText."""
    line_safe(value)
    if _BACKSLASH in value or _QUOTE in value:  # called for every message: avoids copies
        value = value.replace(b"\\", rb"\\").replace(b'"', rb"\"")
    return b'"%s"' % value


def uid_pieces(uids: UidSet, max_members: int, max_chars: int = 6000) -> Iterator[UidSet]:
    """Yield the set in ascending pieces, one per command (RFC 7162 section 4: lines below 8192 bytes)."""
    for chunk in uids.chunks(max_members):
        piece: list[tuple[int, int]] = []
        chars = 0
        for first, last in chunk.ranges:
            length = len(f"{first}:{last},")
            if chars + length > max_chars and piece:
                yield UidSet(tuple(piece))
                piece, chars = [], 0
            piece.append((first, last))
            chars += length
        yield UidSet(tuple(piece))


class Literals(Enum):
    """Which literals of a command may be sent without waiting for a continuation (RFC 7888)."""

    SYNCHRONIZING = "synchronizing"  # none
    MINUS = "minus"  # those of up to LITERAL_MINUS_BYTES
    PLUS = "plus"  # all

    @classmethod
    def offered(cls, capabilities: frozenset[str]) -> Literals:
        if "LITERAL+" in capabilities:
            return cls.PLUS
        return cls.MINUS if "LITERAL-" in capabilities else cls.SYNCHRONIZING

    def is_synchronizing(self, size_bytes: int) -> bool:
        """Return whether a literal of this size may be sent only after the server's `+`."""
        return self is Literals.SYNCHRONIZING or (self is Literals.MINUS and size_bytes > LITERAL_MINUS_BYTES)


class Part(NamedTuple):
    """One message encoded for APPEND: flags and date, each preceded by a space, and the body."""

    options: bytes
    body: Body


def part(message: Outgoing) -> Part:
    """Encode a message for APPEND. Raises ValueError if no command can carry its flags or its date."""
    _, flags, internaldate, body = message
    date = b" " + quoted(internaldate.encode("latin-1")) if internaldate else b""
    return Part(_flag_list(flags) + date, body)


def append_runs(mailbox: bytes, parts: Sequence[Part], literals: Literals) -> Iterator[list[Body]]:
    """Yield APPEND of one message (RFC 9051 section 6.3.12) or MULTIAPPEND of several (RFC 3502), without the
    tag, in runs.

    `mailbox` is the quoted name. Each run but the first may be sent only after the server's `+`.
    """
    run: list[Body] = []
    head = b"APPEND " + mailbox
    for options, body in parts:
        size_bytes = len(body)
        if literals.is_synchronizing(size_bytes):
            run.append(b"%s%s {%d}\r\n" % (head, options, size_bytes))
            yield run
            run = [body]
        else:
            run += (b"%s%s {%d+}\r\n" % (head, options, size_bytes), body)
        head = b""
    run.append(b"\r\n")
    yield run


@lru_cache(maxsize=1024)
def _flag_list(flags: tuple[str, ...]) -> bytes:
    return b" (" + line_safe(" ".join(flags).encode("latin-1")) + b")" if flags else b""


def chunks(first: list[bytes], parts: Iterable[Body]) -> Iterator[bytes]:
    """Yield the bytes of `first` and then of `parts`, small pieces joined. Holds one piece of a spooled part
    at a time."""
    small, small_bytes = first, sum(map(len, first))
    for part in parts:
        for piece in (part,) if isinstance(part, bytes) else part.pieces():
            piece_bytes = len(piece)
            if small and small_bytes + piece_bytes > _CHUNK_BYTES:
                yield b"".join(small)
                small, small_bytes = [], 0
            if piece_bytes < _CHUNK_BYTES:
                small.append(piece)
                small_bytes += piece_bytes
            else:
                yield piece
    if small:
        yield b"".join(small)
