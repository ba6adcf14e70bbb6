"""Signs that a content is not all of a message."""

from __future__ import annotations

from re import DOTALL, IGNORECASE
from re import compile as regex
from typing import Final

from importer.domain.messages.message_body import Body, pieces
from importer.domain.messages.message_identity import header_block, with_crlf

_BOUNDARY: Final = regex(
    rb"(?:\A|\n)content-type:[ \t\r\n]*multipart/[^\n]*(?:\n[ \t][^\n]*)*?[;\s]boundary=[ \t]*"
    rb"(?:\"([^\"\r\n]+)\"|([^\s;\"]+))",
    IGNORECASE | DOTALL,
)


def lacks_its_end(body: Body) -> bool:
    """Whether the message is multipart and its last delimiter (RFC 2046 section 5.1.1) is missing. Some mail
    never had one, so this is a reason to look again, not to refuse."""
    header = header_block(body)
    if b"ultipart/" not in header and b"ULTIPART/" not in header:  # a fast check: every message passes here
        return False
    found = _BOUNDARY.search(header)
    if found is None:
        return False
    end = b"--" + (found[1] or found[2]).rstrip() + b"--"
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
