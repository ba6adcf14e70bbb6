"""FETCH responses (RFC 9051 section 7.5.2) and other untagged data become events.

Invariant: the fast path for FETCH responses in their common form (`COMMON_FETCH`) gives the same result as
the full parser.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, TypeGuard

from importer.adapters.imap.wire_events import RECENT, Fetched, LiteralData, WireEvent
from importer.adapters.imap.wire_values import Value, WireError, latin1, parse_values
from importer.compact.uid_set import Uid
from importer.domain.messages.message_body import Body
from importer.domain.planning.server_limits import MAX_CACHED_FLAGS_BYTES

COMMON_FETCH = re.compile(
    rb"\* ([0-9]{1,20}) FETCH \("
    rb"(?:(?:UID ([0-9]{1,10})|RFC822\.SIZE ([0-9]{1,9})|FLAGS \(([^(){\"\r\n]*)\)"
    rb'|INTERNALDATE "([^"\\\r\n]*)")(?: |(?=\))))*'
    rb"(?:BODY\[\] \{([0-9]{1,20})\}\r\n|\))"
)
"""A FETCH response in the form that nearly all servers use, its items in any order and the content last. One
match replaces one per token, which is most of the parsing cost of a small message."""
_NO_SIZE: Final = 0xFFFF_FFFF
"""From here on a size is none: -1 as an unsigned number, or the like."""

_MAX_UID: Final = 9_999_999_999
"""RFC 9051 allows less. A longer number is no UID: sets of UIDs have ten digits (`uid_set.py`)."""

_DATA = re.compile(rb"\* (?:([0-9]{1,20})[ \t])?([A-Za-z][A-Za-z0-9._-]*)(?:[ \t]|(?=\()|\Z)")


def common_fetch(head: re.Match[bytes], body: Body | None) -> Fetched:
    sequence, uid, size_bytes, flags, internaldate, _ = head.groups()
    return Fetched(
        int(sequence),
        None if uid is None else Uid(int(uid)),
        None if flags is None else (_flags if len(flags) <= MAX_CACHED_FLAGS_BYTES else _parsed_flags)(flags),
        None if internaldate is None else internaldate.decode("latin-1"),
        None if size_bytes is None else int(size_bytes),
        None,
        body,
    )


def _parsed_flags(text: bytes) -> tuple[str, ...]:
    return _as_flags(parse_values(text))


_flags = lru_cache(maxsize=1024)(_parsed_flags)  # a mailbox has few combinations


def _as_flags(values: Iterable[Value]) -> tuple[str, ...]:
    """Return the values that are flags; \\Recent is always spelled so."""
    flags = (latin1(flag) for flag in values if _is_flag(flag))
    return tuple(RECENT if flag.lower() == "\\recent" else flag for flag in flags)


def untagged_event(text: bytes, literals: tuple[Body, ...]) -> WireEvent:
    common = COMMON_FETCH.match(text)
    if common is not None and text[common.end() :] == (b")" if literals else b"") and len(literals) < 2:
        return common_fetch(common, literals[0] if literals else None)
    head = _DATA.match(text)
    if head is None:
        raise WireError(f"not an IMAP response: {latin1(text[:60])!r}")
    number = int(head[1]) if head[1] else None
    name, rest = latin1(head[2]).upper(), text[head.end() :]
    if name == "FETCH" and number is not None:
        return _fetched(number, rest, literals)
    return LiteralData(name, number, rest, literals)


def _fetched(sequence: int, text: bytes, literals: tuple[Body, ...]) -> Fetched:
    values = parse_values(text, literals, ignore_unmatched=True)
    items = values[0] if values else None
    if not isinstance(items, tuple):
        raise WireError("a FETCH response without a list")
    items += values[1:]  # the parenthesis closed too early
    if len(items) % 2:
        raise WireError("a FETCH response that is not a list of pairs")
    if literals and not all(isinstance(n, bytes) and FETCH_ITEM_NAME.match(n) for n in items[::2]):
        raise WireError("a FETCH response with an unknown item, perhaps the rest of a message")
    uid: Uid | None = None
    flags: tuple[str, ...] | None = None
    internaldate: str | None = None
    size_bytes: int | None = None
    header: bytes | None = None
    body: Body | None = None
    withheld = False
    labels: tuple[bytes, ...] | None = None
    for name, value in zip(items[::2], items[1::2], strict=True):
        match name.upper() if isinstance(name, bytes) else b"":
            case b"UID":
                number = _number(value)
                uid = None if number is None or number > _MAX_UID else Uid(number)
            case b"RFC822.SIZE":
                number = _number(value)
                size_bytes = number if number is not None and number < _NO_SIZE else None
            case b"FLAGS":
                words = value if isinstance(value, tuple) else ()
                flags = _as_flags(words)
            case b"INTERNALDATE" if isinstance(value, bytes):
                internaldate = latin1(value)
            case b"BODY[]" | b"BODY[]<0>" | b"RFC822":
                body = _content(value)
                withheld = value is None
            case b"X-GM-LABELS":
                # An atom NIL in the list is a label named NIL.
                raw_labels = value if isinstance(value, tuple) else ()
                labels = tuple(
                    label or b"NIL" for label in raw_labels if label is None or isinstance(label, bytes)
                )
            case section if section.startswith(b"BODY[HEADER"):
                content = _content(value)
                header = content if isinstance(content, bytes) else b""
            case _:  # not requested
                pass
    return Fetched(sequence, uid, flags, internaldate, size_bytes, header, body, withheld, labels)


_FLAG = re.compile(rb"\\?[^\x00-\x20\x7f(){\"\\]+")


def _is_flag(value: object) -> TypeGuard[bytes]:
    """Return False for a value that no command can carry: a flag is an atom (RFC 9051: `flag`)."""
    return isinstance(value, bytes) and _FLAG.fullmatch(value) is not None


FETCH_ITEM_NAME = re.compile(
    rb"(?:UID|FLAGS|MODSEQ|INTERNALDATE|SAVEDATE|ENVELOPE|EMAILID|THREADID|RFC822(?:\.\w+)?|(?:BODY|BINARY)\b.*"
    rb"|PREVIEW|SNIPPET|ANNOTATION|X-[\w.-]+)\Z",
    re.IGNORECASE | re.DOTALL,
)
"""Names of items. Behind a literal nothing else is accepted: it may be the rest of a message whose size the
server announced wrongly."""


def _number(value: Value) -> int | None:
    """Return a number, None for anything else: NIL, -2."""
    if not isinstance(value, bytes) or not value.isdigit() or len(value) > 20:
        return None
    return int(value)


def _content(value: Value) -> Body | None:
    if isinstance(value, tuple):
        raise WireError("a FETCH response with a list instead of the content")
    return value
