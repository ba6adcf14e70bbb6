"""The canonical form of a message: the message without the changes that mail programs and servers are known
to make to messages they store. Two messages with the same canonical form are the same message, although
another program changed one of them.

The changes, and nothing else:
- header fields in which programs and mailbox formats keep their own records (`_FIELDS`): mbsync marks each
  message with X-TUID, Thunderbird and mbox files keep flags in the header;
- a line `From sender date` before the header (the separator of mbox files, RFC 4155);
- LF in place of CRLF, and line ends added to or cut from the end of the message.

The canonical form is used to recognise mail that is already at a destination. It is never an identity by
which mail is stored or removed: that is `message_identity.digest`.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from itertools import chain
from re import Pattern
from re import compile as regex
from typing import Final

from importer.compact.digest_set import DIGEST_BYTES
from importer.domain.messages.message_body import Body, pieces
from importer.domain.messages.message_identity import header_block, with_crlf

_ANY: Final = regex(rb".*")
_NUMBER: Final = regex(rb"\d*")

_FIELDS: Final[dict[bytes, Pattern[bytes]]] = {
    b"x-tuid": _ANY,  # mbsync
    b"x-offlineimap": _ANY,
    b"x-mozilla-status": _ANY,  # Thunderbird
    b"x-mozilla-status2": _ANY,
    b"x-mozilla-keys": _ANY,
    b"x-account-key": _ANY,
    b"x-uidl": _ANY,  # POP3 programs
    b"x-evolution": _ANY,
    b"x-evolution-source": _ANY,
    b"x-gm-thrid": _ANY,  # mbox files of Google Takeout
    b"x-gmail-labels": _ANY,
    b"x-status": _ANY,  # mbox files, by convention of Pine, c-client and Dovecot
    b"x-uid": _ANY,
    b"x-keywords": _ANY,
    b"x-imap": _ANY,
    b"x-imapbase": _ANY,
    # With another value it is content, as in “Status: resolved”. The second form is that of GNU mailutils.
    b"status": regex(rb"[RONUD]*|A?F?D?d?O?R?"),
    b"content-length": _NUMBER,
    b"lines": _NUMBER,
}
"""Lower-case name -> the values with which the field is a record of a program and not content."""

_SEPARATOR: Final = regex(rb"From [ \t]*[^\s:]")
"""The start of an mbox separator; the field `From : address` (RFC 5322 section 4.5) does not match."""

_LINE_ENDS: Final = b"\r\n" * 4096


def canonical_form(body: bytes) -> bytes:
    """The canonical form of a message in memory. Idempotent."""
    return b"".join(_canonical_pieces(body, None))


def canonical_digest(body: Body, header: bytes | None = None) -> bytes:
    """16 bytes (the first half of SHA-256) over the canonical form.

    With `header`, it replaces the header of the message: it has the same length and CRLF line ends. Needs
    little memory, whatever the size of the message.
    """
    hasher = sha256()
    for piece in _canonical_pieces(body, header):
        hasher.update(piece)
    return hasher.digest()[:DIGEST_BYTES]


def _canonical_pieces(body: Body, header: bytes | None) -> Iterator[bytes]:
    if isinstance(body, bytes):
        body = with_crlf(body)
    original = header_block(body)
    start = _without_records(original if header is None else header)
    return _without_last_line_ends(chain((start,), _after(len(original), body)))


def _after(skip: int, body: Body) -> Iterator[bytes]:
    for piece in pieces(body):
        yield piece[skip:] if skip else piece
        skip = max(0, skip - len(piece))


def _without_records(header: bytes) -> bytes:
    """The header without the separator and the fields in `_FIELDS`, wherever they are."""
    kept: list[bytes] = []
    for field in _fields(header):
        is_separator = not kept and _SEPARATOR.match(field) is not None
        if not is_separator and not _is_record(field):
            kept.append(field)
    return b"".join(kept)


def _fields(header: bytes) -> Iterator[bytes]:
    """The fields, each with its continuation lines and line ends (RFC 5322 section 2.2.3). A separator and
    the empty line count as fields."""
    field = b""
    for line in header.split(b"\n"):
        continues = line[:1] in (b" ", b"\t") and not _SEPARATOR.match(field)
        if field and not continues:
            yield field
            field = b""
        field += line + b"\n"
    if field != b"\n":
        yield field[:-1]  # the last line ended without one


def _is_record(field: bytes) -> bool:
    name, colon, value = field.partition(b":")
    pattern = _FIELDS.get(name.rstrip().lower()) if colon else None
    return pattern is not None and pattern.fullmatch(b"".join(value.split())) is not None


def _without_last_line_ends(message: Iterator[bytes]) -> Iterator[bytes]:
    """The content without the line ends after its last other byte. A lone CR is an other byte.

    Line ends are held back as a number until another byte follows.
    """
    held, half = 0, b""  # line ends; a CR whose LF may follow
    for piece in message:
        data = half + piece
        half = b"\r" if data.endswith(b"\r") else b""
        data = data[: len(data) - len(half)]
        kept = data[: _end_of_content(data)]
        if kept:
            yield from _line_ends(held)
            yield kept
            held = 0
        held += (len(data) - len(kept)) // 2
    if half:
        yield from _line_ends(held)
        yield half


def _end_of_content(data: bytes) -> int:
    """The length of `data` without the CRLFs at its end. Each LF in it follows a CR."""
    if data.endswith(b"\r"):
        return len(data)
    content = len(data.rstrip(b"\r\n"))
    lone_cr = data.rfind(b"\r\r", content)
    return content if lone_cr < 0 else lone_cr + 1


def _line_ends(number: int) -> Iterator[bytes]:
    while number > 0:
        yield _LINE_ENDS[: 2 * number]
        number -= len(_LINE_ENDS) // 2
