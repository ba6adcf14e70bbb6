"""When two messages are the same one: by their bytes. Headers only name candidates ("80% full" and
"90% full" from one monitoring system can share every header that is looked at here).

Header bytes may be anything that mail contains: folded, LF-only, undecodable, with repeated fields.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256
from re import compile as regex
from typing import Final

from importer.compact.digest_set import DIGEST_BYTES
from importer.compact.uid_set import Uid
from importer.compact.uids_by_key import UidsByKey
from importer.domain.messages.message_body import Body, pieces

IDENTIFYING_FIELDS: Final = (b"message-id", b"date", b"from", b"subject")
NOTICE_HEADER: Final = "X-Mailhaul-Notice"

_KEY_BYTES: Final = 8  # of a header key's digest, where a wrong candidate does no harm
_SIZE_BYTES: Final = 4
_NOTICE_FIELD: Final = NOTICE_HEADER.lower().encode()
_CACHED_BYTES: Final = 32 * 1024
_END_OF_HEADER: Final = regex(rb"(?:\A|\n)\r?\n")


def digest(body: Body) -> bytes:
    """16 bytes (SHA-256, its first half) over the message with CRLF line ends, as IMAP servers hand it out.

    A bare LF counts as CRLF, because servers that keep one form answer with the other; a lone CR is content.
    """
    return digest_of_sent(with_crlf(body) if isinstance(body, bytes) else body)


def digest_of_sent(body: Body) -> bytes:
    """`digest` of a message that has CRLF line ends already."""
    return sha256(body).digest()[:DIGEST_BYTES] if isinstance(body, bytes) else body.digest


def digest_under(header: bytes, old_header_bytes: int, body: Body) -> bytes:
    """`digest` of what is left of a message after its first `old_header_bytes`, under another header."""
    hasher, skip = Digester(), old_header_bytes
    hasher.update(header)
    for piece in pieces(body):
        hasher.update(piece[skip:])
        skip = max(0, skip - len(piece))
    return hasher.digest()


class Digester:
    """`digest` piece by piece; the pieces have CRLF line ends. SHA-256 for its speed: processors have
    instructions for it."""

    def __init__(self) -> None:
        self._hash = sha256()

    def update(self, piece: bytes) -> None:
        self._hash.update(piece)

    def digest(self) -> bytes:
        return self._hash.digest()[:DIGEST_BYTES]


def with_crlf(body: bytes) -> bytes:
    """`body` with every bare LF as CRLF, as it is sent: servers refuse the one or store the other. The same
    object where each CR and each LF is one of a CRLF."""
    if _is_crlf_alone(body):
        return body
    return body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _is_crlf_alone(body: bytes) -> bool:
    """What is the same without its CRs and with one in front of each LF has no others. Each byte of all mail
    goes through here: single bytes are replaced at the speed of memchr(3), four times as fast as LFs and
    CRLFs are counted, and what is compared is still in the processor's cache."""
    at, size = 0, len(body)
    while at < size:
        end = at + _CACHED_BYTES
        if body[end - 1 : end] == b"\r":
            end += 1  # its LF
        piece = body[at:end]
        if piece.replace(b"\r", b"").replace(b"\n", b"\r\n") != piece:
            return False
        at = end
    return True


def header_block(body: Body) -> bytes:
    """The header with the empty line that ends it (CRLF or LF), or everything where there is none."""
    if not isinstance(body, bytes):
        return body.header
    usual = body.find(b"\n\r\n")  # found ten times faster than by the pattern
    if usual > 0 and body.find(b"\n\n", 0, usual + 1) < 0 and body[:1] not in (b"\r", b"\n"):
        return body[: usual + 3]
    end = _END_OF_HEADER.search(body)
    return body[: end.end()] if end else body


def first_field(header: bytes, name: bytes) -> bytes | None:
    """The value of the first field called `name` (any case), None where there is none.

    Unfolded (RFC 5322 section 2.2.3), runs of white space as one blank, stripped, otherwise raw.
    """
    return _first_fields(header, (name.lower(),)).get(name.lower())


@dataclass(frozen=True, slots=True)
class HeaderKey:
    """Equal for messages whose identifying fields are equal. `digest` is 16 bytes."""

    digest: bytes
    has_message_id: bool


def header_key(header: bytes) -> HeaderKey:
    """The key over Message-ID, Date, From and Subject, the first of each; an absent field counts as empty.

    `header` is a whole header block or what BODY[HEADER.FIELDS (...)] answered, in any order.
    """
    fields = _first_fields(header, IDENTIFYING_FIELDS)
    # Values hold no line feed, so that the joined form is unambiguous.
    joined = b"\n".join(fields.get(name, b"") for name in IDENTIFYING_FIELDS)
    return HeaderKey(
        digest=sha256(joined).digest()[:DIGEST_BYTES],
        has_message_id=bool(fields.get(b"message-id")),
    )


_MUNGED: Final = bytes(byte if byte < 0x80 else ord("X") for byte in range(256))


def munged(header: bytes) -> bytes:
    """The header as a Cyrus stores it unless told otherwise: each 8-bit byte is an X (imapd.conf(5),
    munge8bit)."""
    return header.translate(_MUNGED)


class ForeignIndex:
    """What stands in one destination folder without a receipt, found by headers and size. Takes some 25 bytes
    for each message: keys are cut to eight bytes, which may name a candidate too many and never one too few.
    """

    def __init__(self) -> None:
        self._by_key = UidsByKey(_KEY_BYTES)
        self._by_size = UidsByKey(_SIZE_BYTES)
        self._nameless_by_size = UidsByKey(_SIZE_BYTES)  # without Message-ID

    def add(self, uid: Uid, size_bytes: int, header: bytes) -> None:
        """Takes in one message; each UID once."""
        key = header_key(munged(header))
        self._by_key.add(key.digest[:_KEY_BYTES], uid)
        self._by_size.add(_scattered(size_bytes), uid)
        if not key.has_message_id:
            self._nameless_by_size.add(_scattered(size_bytes), uid)

    def candidates(self, body_header: bytes, size_bytes: int) -> tuple[Uid, ...]:
        """UIDs, ascending, that may be the message with this header and size; its bytes decide.

        Those with an equal key; of equal size, those without Message-ID as well, because servers and
        tools add a missing one; and all of equal size when the message itself has none.
        """
        key = header_key(munged(body_header))
        same_size = self._nameless_by_size if key.has_message_id else self._by_size
        named, sized = self._by_key.get(key.digest[:_KEY_BYTES]), same_size.get(_scattered(size_bytes))
        return tuple(sorted({*named, *sized}))


def _scattered(size_bytes: int) -> bytes:
    """A key for a size: sizes that lie close together get keys that do not (Knuth's multiplicative hash)."""
    return (size_bytes * 2_654_435_761 & 0xFFFF_FFFF).to_bytes(_SIZE_BYTES)


def notice_signature(key: bytes, message_id: str) -> str:
    """The value of X-Mailhaul-Notice for a mail of ours: 64 hexadecimal digits, an HMAC-SHA256 over its
    Message-ID (angle brackets included) that nobody else can make."""
    return hmac.new(key, message_id.strip().encode("utf-8", "surrogateescape"), sha256).hexdigest()


def is_notice(key: bytes, header: bytes) -> bool:
    """True for a mail that this installation sent: its mark fits its Message-ID."""
    if _NOTICE_FIELD not in header.lower():  # asked of every message
        return False
    fields = _first_fields(header, (b"message-id", _NOTICE_FIELD))
    mark = fields.get(_NOTICE_FIELD)
    message_id = fields.get(b"message-id")
    if not mark or not message_id:
        return False
    expected = notice_signature(key, message_id.decode("utf-8", "surrogateescape"))
    return hmac.compare_digest(expected.encode(), mark)


def _first_fields(header: bytes, names: tuple[bytes, ...]) -> dict[bytes, bytes]:
    """name -> value for the first occurrence of each of `names` (lower case) up to the empty line."""
    found: dict[bytes, bytes] = {}
    lines: list[bytes] = []  # of the field being read
    name = b""
    for line in (*header.split(b"\n"), b""):
        if line[:1] in (b" ", b"\t"):
            lines.append(line)
            continue
        if name in names and name not in found:
            found[name] = b" ".join(b" ".join(lines).split())
        if not line.rstrip(b"\r"):
            break
        field, _, value = line.partition(b":")
        name, lines = field.rstrip().lower(), [value]
    return found
