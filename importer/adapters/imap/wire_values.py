"""Values in IMAP responses (RFC 9051 section 9): atoms, strings, literals and parenthesised lists."""

from __future__ import annotations

import re
from typing import TypeAlias

from importer.domain.messages.message_body import Body, Spooled

Value: TypeAlias = "bytes | Spooled | tuple[Value, ...] | None"
"""A parsed part of a response: atom, string or literal (spooled if large); parenthesised list; NIL."""


class WireError(Exception):
    """The bytes are not an IMAP response. The message quotes at most the first 60 of them. `uid` is that of
    the FETCH response in which it happened, if it is known."""

    uid: int | None = None


class UnclosedParenthesis(WireError):
    """A parenthesis is open at the end of the line."""


_TOKEN = re.compile(
    rb"[ \t]*(?:"
    rb"(\()|(\))"
    rb'|"((?:[^"\\\r\n]|\\[^\r\n])*)"'
    rb"|~?\{[0-9]{1,20}\+?\}(\r\n)"
    rb"|((?:BODY|BINARY)(?:\.[A-Z]+)?\[[^\]\r\n]*\](?:<[0-9]+>)?|[^ \t()\"\r\n]+)"
    rb")",
    re.IGNORECASE,
)
_ESCAPED = re.compile(rb'\\([\\"])')
"""The escapes of RFC 9051 section 9. Before any other character, servers mean the backslash itself."""


def parse_values(
    text: bytes, literals: tuple[Body, ...] = (), *, ignore_unmatched: bool = False
) -> tuple[Value, ...]:
    """Parse the values in `text`, in which each `{n}` CRLF represents the next of `literals`. Raises
    WireError. With `ignore_unmatched`, closing parentheses that match none are left out."""
    stack: list[list[Value]] = [[]]
    at, next_literal, end = 0, 0, len(text.rstrip(b" \t"))
    while at < end:
        token = _TOKEN.match(text, at)
        if token is None:
            raise WireError(f"not an IMAP value: {latin1(text[at : at + 60])!r}")
        at = token.end()
        kind = token.lastindex
        if kind == 1:
            stack.append([])
        elif kind == 2:
            if len(stack) > 1:
                inner = tuple(stack.pop())
                stack[-1].append(inner)
            elif not ignore_unmatched:
                raise WireError("an unmatched closing parenthesis")
        elif kind == 3:
            quoted = token[3]
            stack[-1].append(_ESCAPED.sub(rb"\1", quoted) if b"\\" in quoted else quoted)
        elif kind == 4:
            stack[-1].append(literals[next_literal])
            next_literal += 1
        else:
            stack[-1].append(None if token[5].upper() == b"NIL" else token[5])
    if len(stack) != 1:
        raise UnclosedParenthesis("an unclosed parenthesis")
    return tuple(stack[0])


def latin1(value: bytes) -> str:
    """Decode as latin-1, which maps every byte to a character and back: nothing is lost on the way to
    APPEND."""
    return value.decode("latin-1")


def human_words(value: bytes) -> str:
    """Decode human-readable text as UTF-8 (RFC 9051 section 7.1), or as Latin-1, which older servers use."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return latin1(value)
