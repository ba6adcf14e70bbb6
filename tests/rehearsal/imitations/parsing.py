"""Parsing of commands: lines and literals become words, lists and sets of UIDs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

Word: TypeAlias = "str | bytes | list[Word]"
"""An atom or a quoted string, a literal, or a parenthesised list."""

LITERAL = re.compile(rb"\{([0-9]+)(\+?)\}\r\n\Z")
_TOKEN = re.compile(r'[ \t]*(?:(\()|(\))|"((?:[^"\\]|\\.)*)"|(BODY[.A-Z]*\[[^\]]*\]|[^\s()"]+))', re.I)


class Unreadable(ValueError):
    """The client sent an invalid command."""


def words(parts: Sequence[bytes]) -> list[Word]:
    """The words of a command: `parts` are text, literal, text, literal, ..., text, without line ends."""
    stack: list[list[Word]] = [[]]
    for index, part in enumerate(parts):
        if index % 2:
            stack[-1].append(part)
            continue
        text = part.decode("latin-1").rstrip(" ")
        at = 0
        while at < len(text):
            token = _TOKEN.match(text, at)
            if token is None:
                raise Unreadable(text[at : at + 40])
            at = token.end()
            if token[1]:
                stack.append([])
            elif token[2]:
                if len(stack) == 1:
                    raise Unreadable("a parenthesis too many")
                inner = stack.pop()
                stack[-1].append(inner)
            elif token[3] is not None:
                stack[-1].append(re.sub(r"\\(.)", r"\1", token[3]))
            else:
                stack[-1].append(token[4])
    if len(stack) != 1:
        raise Unreadable("a parenthesis that is not closed")
    return stack[0]


def text_of(word: Word) -> str:
    """An argument that is an atom, a string or a literal."""
    if isinstance(word, list):
        raise Unreadable("a list in the wrong place")
    return word.decode("utf-8", "surrogateescape") if isinstance(word, bytes) else word


def chosen(uid_set: str, existing: Sequence[int]) -> list[int]:
    """The UIDs of the ascending `existing` in a sequence set. `*` is the last one (RFC 9051 section 9)."""
    if not existing:
        return []
    last = existing[-1]
    ranges: list[tuple[int, int]] = []
    for part in uid_set.split(","):
        first, _, second = part.partition(":")
        ends = [last if end == "*" else int(end) for end in (first, second or first)]
        ranges.append((min(ends), max(ends)))
    return [uid for uid in existing if any(low <= uid <= high for low, high in ranges)]


def as_ranges(uids: Sequence[int]) -> str:
    """A UID set such as `1:3,7`."""
    ranges: list[list[int]] = []
    for uid in uids:
        if ranges and ranges[-1][1] + 1 == uid:
            ranges[-1][1] = uid
        else:
            ranges.append([uid, uid])
    return ",".join(str(a) if a == b else f"{a}:{b}" for a, b in ranges)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
