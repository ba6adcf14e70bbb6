"""Signs that a content is only a part of its message."""

from __future__ import annotations

from re import IGNORECASE
from re import compile as regex
from typing import Final

from importer.domain.messages.message_body import Body, pieces
from importer.domain.messages.message_identity import with_crlf

_CONTENT_TYPE: Final = regex(rb"content-type[ \t]*:[ \t\r\n]*multipart/", IGNORECASE)
_BOUNDARY: Final = regex(rb"[;\s]boundary[ \t]*=[ \t]*(?:\"([^\"\r\n]+)\"|([^\s;\"]+))", IGNORECASE)


def lacks_its_end(body: Body, header: bytes) -> bool:
    """Whether the message is multipart and its last delimiter (RFC 2046 section 5.1.1) is missing. Some mail
    never had one, so this is a reason to look again, not to refuse. `header` is its `header_block`."""
    at = header.find(b"ultipart/")  # fast, since every message passes here
    if at < 0:
        at = header.find(b"ULTIPART/")
    if at < 0:
        return False
    boundary = _boundary(header[_field_start(header, at) :])
    if boundary is None:
        return False
    end = b"--" + boundary + b"--"
    if isinstance(body, bytes):
        return body.rfind(end) < 0
    tail = b""
    for piece in pieces(body):
        tail = tail[-len(end) :] + piece
        if end in tail:
            return False
    return True


def sent_bytes(body: Body) -> int:
    """The length of the content with CRLF line ends."""
    return len(with_crlf(body)) if isinstance(body, bytes) else len(body)


def _field_start(header: bytes, at: int) -> int:
    """The start of the field that covers the offset `at`, with its folded lines."""
    start = at
    while start > 0:
        start = header.rfind(b"\n", 0, start - 1) + 1
        if header[start : start + 1] not in (b" ", b"\t"):
            break
    return start


def _boundary(field_and_rest: bytes) -> bytes | None:
    """The boundary in a Content-Type field for a multipart message; None if it is another field."""
    if not _CONTENT_TYPE.match(field_and_rest):
        return None
    end = 0
    while True:  # a field ends before a line that is not indented
        end = field_and_rest.find(b"\n", end) + 1
        if not end or field_and_rest[end : end + 1] not in (b" ", b"\t"):
            break
    found = _BOUNDARY.search(field_and_rest, 0, end or len(field_and_rest))
    return (found[1] or found[2]).rstrip() if found else None
