"""IMAP commands as bytes: pure builders, and the one choke point against injected lines.

Invariant: whatever becomes part of a command line passes `line_safe` (CVE-2025-15366 is what happens
elsewhere: a folder name or a user name with a line break in it becomes a command of its own).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from importer.compact.uid_set import UidSet
from importer.domain.messages.message_body import Body
from importer.domain.model import Outgoing

LITERAL_MINUS_BYTES = 4096
"""Up to here a server that offers LITERAL- takes a literal without being asked (RFC 7888 section 5)."""


class UnsafeText(ValueError):
    """CR, LF or NUL in what was to become part of a command. The text does not repeat the value."""

    def __init__(self) -> None:
        super().__init__("it holds a line break or a NUL character")


def line_safe(value: bytes) -> bytes:
    """`value` itself. Raises UnsafeText when it could end the command line (RFC 9051: TEXT-CHAR)."""
    if b"\r" in value or b"\n" in value or b"\0" in value:
        raise UnsafeText
    return value


def quoted(value: bytes) -> bytes:
    """`value` as a quoted string (RFC 9051 section 4.3). Raises UnsafeText."""
    line_safe(value)
    if b"\\" in value or b'"' in value:  # asked before anything is copied: once for every message
        value = value.replace(b"\\", rb"\\").replace(b'"', rb"\"")
    return b'"%s"' % value


def uid_pieces(uids: UidSet, max_members: int, max_chars: int = 6000) -> Iterator[UidSet]:
    """The set in ascending pieces for one command each: RFC 7162 section 4 advises lines below 8192 bytes."""
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
    """How the server takes the literals of a command (RFC 7888)."""

    ASK = "ask"  # each has to wait for a continuation
    MINUS = "minus"  # those up to LITERAL_MINUS_BYTES go without waiting
    PLUS = "plus"  # all go without waiting

    @classmethod
    def offered(cls, capabilities: frozenset[str]) -> Literals:
        if "LITERAL+" in capabilities:
            return cls.PLUS
        return cls.MINUS if "LITERAL-" in capabilities else cls.ASK

    def waits_for(self, size_bytes: int) -> bool:
        """True when a literal of that size may be sent only after the server said `+`."""
        return self is Literals.ASK or (self is Literals.MINUS and size_bytes > LITERAL_MINUS_BYTES)


class Part(NamedTuple):
    """One message as APPEND takes it: flags and date, each with a blank before it, and the bytes."""

    options: bytes
    body: Body


def part(message: Outgoing) -> Part:
    """Raises ValueError when no command can carry its flags or its date."""
    _, flags, internaldate, body = message
    date = b" " + quoted(internaldate.encode("latin-1")) if internaldate else b""
    return Part(_flag_list(flags) + date, body)


def append_runs(mailbox: bytes, parts: Sequence[Part], literals: Literals) -> Iterator[list[Body]]:
    """APPEND of one message (RFC 9051 section 6.3.12), MULTIAPPEND of several (RFC 3502), without the tag.

    `mailbox` is the quoted name. Before each run but the first the server has to say `+`.
    """
    run: list[Body] = []
    head = b"APPEND " + mailbox
    for options, body in parts:
        size_bytes = len(body)
        if literals.waits_for(size_bytes):
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
