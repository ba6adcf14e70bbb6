"""Changes of messages during a copy: by this program, because servers would not keep them, or by the server
that stores them.

Each message has a byte of marks: changes that were made before it was sent, and changes that some servers are
known to make (Dovecot turns NUL into 0x80; Cyrus turns 8-bit bytes in headers into X, and epoch dates into
now; Courier ends the last line). Marks cost little, since every message passes here. Marked copies are read
back.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from importer.domain.mailbox_content import Message
from importer.domain.messages.message_body import Body, pieces
from importer.domain.messages.message_identity import digest, header_block
from importer.domain.messages.normalise import (
    DATE_FROM_FIELD,
    DATE_MOVED,
    DATE_UNKNOWN,
    UNKNOWN_DATE,
    date_of_field,
    instant_of,
)
from importer.domain.receipts.receipt import ChangeKind

LINE_ENDS: Final = 0x08
HAS_NUL: Final = 0x10
HAS_8BIT_HEADER: Final = 0x20
ENDS_WITHIN_LINE: Final = 0x40
HAS_BARE_CR: Final = 0x80

_CHANGED_BEFORE: Final = {
    DATE_FROM_FIELD: ChangeKind.DATE_FROM_FIELD,
    DATE_UNKNOWN: ChangeKind.DATE_UNKNOWN,
    DATE_MOVED: ChangeKind.DATE_MOVED,
    LINE_ENDS: ChangeKind.LINE_ENDS,
}
_DATES: Final = DATE_FROM_FIELD | DATE_UNKNOWN | DATE_MOVED
DATE_LEFT_OUT: Final = _DATES
"""All three: the server refused the message with its date, and stored it without."""

READ_BACK: Final = _DATES | HAS_NUL | HAS_8BIT_HEADER | ENDS_WITHIN_LINE | HAS_BARE_CR
"""The marks of copies that servers are known to change."""


def content_marks(body: Body, header: bytes, original: Body) -> int:
    """The marks of a message with CRLF line ends; `original` is the message as the source delivered it (the
    same object if nothing was changed)."""
    if not isinstance(body, bytes):
        return body.marks | (0 if header.isascii() else HAS_8BIT_HEADER)
    marks = 0 if header.isascii() else HAS_8BIT_HEADER
    if 0 in body:  # a number is found faster than bytes
        marks |= HAS_NUL
    if body[-2:] != b"\r\n" and body:
        marks |= ENDS_WITHIN_LINE
    if body is not original:
        if body != original:
            marks |= LINE_ENDS
        if has_bare_cr(body):
            marks |= HAS_BARE_CR
    return marks


def has_bare_cr(piece: bytes) -> bool:
    """Whether a CR is not followed by LF, in text without bare LFs."""
    return piece.count(b"\r") > piece.count(b"\n")


def changed_before(marks: int) -> list[ChangeKind]:
    """The changes that were made before the message was sent."""
    if marks & _DATES == DATE_LEFT_OUT:
        return [ChangeKind.DATE_NOT_KEPT, *changed_before(marks & ~_DATES)]
    return [kind for mark, kind in _CHANGED_BEFORE.items() if marks & mark]


def changed_by_server(marks: int, sent_digest: bytes, stored: Message) -> list[ChangeKind]:
    """The changes that the server made to a copy with these marks, which it delivers as `stored`."""
    kinds = []
    header = header_block(stored.body)
    expected = _expected_date(marks, header)
    if expected is not None and instant_of(stored.internaldate) != expected:
        kinds.append(ChangeKind.DATE_NOT_KEPT)
    if digest(stored.body) != sent_digest:
        kinds += _content_changes(marks, header, stored.body)
    return kinds


def _expected_date(marks: int, header: bytes) -> datetime | None:
    if marks & _DATES == DATE_LEFT_OUT:
        return None
    if marks & DATE_FROM_FIELD:
        return date_of_field(header)
    return instant_of(UNKNOWN_DATE) if marks & _DATES else None


def _content_changes(marks: int, header: bytes, body: Body) -> list[ChangeKind]:
    has_nul = has_cr = False
    end = b""
    for piece in pieces(body):
        has_nul |= b"\0" in piece
        has_cr |= has_bare_cr(piece)
        end = (end + piece[-2:])[-2:]
    signs = {
        ChangeKind.NUL_REPLACED: marks & HAS_NUL and not has_nul,
        ChangeKind.HEADER_8BIT: marks & HAS_8BIT_HEADER and header.isascii(),
        ChangeKind.LAST_LINE_ENDED: marks & ENDS_WITHIN_LINE and end[-1:] == b"\n",
        ChangeKind.BARE_CR: marks & HAS_BARE_CR and not has_cr,
    }
    return [kind for kind, sign in signs.items() if sign] or [ChangeKind.CONTENT]
