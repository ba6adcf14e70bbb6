"""Message identity: two messages are the same if their bytes are. Headers only select candidates: "80% full"
and "90% full" from one monitoring system can be equal in every header used here.

Header bytes may be anything that occurs in mail: folded, LF-only, undecodable, with repeated fields.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from hashlib import sha256
from re import compile as regex
from typing import Final, NamedTuple, Self

from importer.compact.digest_set import DIGEST_BYTES
from importer.compact.uid_set import Uid
from importer.compact.uids_by_key import UidsByKey
from importer.domain.messages.message_body import Body, pieces
from providers.frozen import frozen

IDENTIFYING_FIELDS: Final = (b"message-id", b"date", b"from", b"subject")
NOTICE_HEADER: Final = "X-Mailhaul-Notice"

_KEY_BYTES: Final = 8  # kept of a header key's digest; a false candidate does no harm
_SIZE_BYTES: Final = 4
_NOTICE_FIELD: Final = NOTICE_HEADER.lower().encode()
_CACHED_BYTES: Final = 32 * 1024
_CR, _LF = b"\r\n"  # as numbers, which are found in bytes faster
_END_OF_HEADER: Final = regex(rb"(?:\A|\n)\r?\n")


def digest(body: Body) -> bytes:
    """16 bytes (the first half of SHA-256) over the message with CRLF line ends, as IMAP servers deliver it.

    A bare LF counts as CRLF, because servers may store one form and return the other; a lone CR is content.
    """
    return digest_of_sent(with_crlf(body) if isinstance(body, bytes) else body)


def digest_of_sent(body: Body) -> bytes:
    """`digest` of a message that already has CRLF line ends."""
    return sha256(body).digest()[:DIGEST_BYTES] if isinstance(body, bytes) else body.digest


def digest_under(header: bytes, old_header_bytes: int, body: Body) -> bytes:
    """`digest` of the message after its first `old_header_bytes` were replaced by `header`."""
    hasher, skip = Digester(), old_header_bytes
    hasher.update(header)
    for piece in pieces(body):
        hasher.update(piece[skip:])
        skip = max(0, skip - len(piece))
    return hasher.digest()


class Digester:
    """Computes `digest` incrementally, from pieces with CRLF line ends. SHA-256 is used for its speed:
    processors have instructions for it."""

    def __init__(self) -> None:
        self._hash = sha256()

    def update(self, piece: bytes) -> None:
        self._hash.update(piece)

    def digest(self) -> bytes:
        return self._hash.digest()[:DIGEST_BYTES]


def with_crlf(body: bytes) -> bytes:
    """`body` with every bare LF replaced by CRLF, the form to send: servers reject a bare LF or store it as
    CRLF. Returns the same object if it contains neither bare LFs nor lone CRs."""
    if _has_only_crlf(body):
        return body
    return body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _has_only_crlf(body: bytes) -> bool:
    """Whether each CR and each LF is part of a CRLF: then removing all CRs and inserting one before each LF
    changes nothing.

    Every byte of all mail passes through here. Single bytes are replaced at the speed of memchr(3), four
    times as fast as counting LFs and CRLFs, and each piece is compared while it is still in the processor's
    cache.
    """
    at, size = 0, len(body)
    if size <= _CACHED_BYTES:  # nearly all messages
        return body.replace(b"\r", b"").replace(b"\n", b"\r\n") == body
    while at < size:
        end = at + _CACHED_BYTES
        if body[end - 1 : end] == b"\r":
            end += 1  # include its LF
        piece = body[at:end]
        if not _has_equal_lines(piece) and piece.replace(b"\r", b"").replace(b"\n", b"\r\n") != piece:
            return False
        at = end
    return True


def _has_equal_lines(piece: bytes) -> bool:
    """Whether the line ends of `piece` are CRLFs at equal distances, and there is no other CR or LF.

    So are those of attachments in base64, and four times as fast to check: a slice with a step takes all LFs
    or all CRs at a time.
    """
    first = piece.find(b"\n")
    step = piece.find(b"\n", first + 1) - first
    if first < 1 or step < 2:
        return False
    lfs, crs = piece[first::step], piece[first - 1 :: step]
    if lfs != b"\n" * len(lfs) or crs != b"\r" * len(lfs):
        return False
    rest = bytearray(piece)
    del rest[first::step]
    del rest[first - 1 :: step - 1]
    return _CR not in rest and _LF not in rest


def header_block(body: Body) -> bytes:
    """The header including the empty line that ends it (CRLF or LF); the whole body if there is no empty
    line."""
    if not isinstance(body, bytes):
        return body.header
    crlf_end = body.find(b"\n\r\n")  # the usual end, found ten times faster than by the pattern
    if crlf_end > 0 and body.find(b"\n\n", 0, crlf_end + 1) < 0 and body[:1] not in (b"\r", b"\n"):
        return body[: crlf_end + 3]
    end = _END_OF_HEADER.search(body)
    return body[: end.end()] if end else body


def first_field(header: bytes, name: bytes) -> bytes | None:
    """The value of the first field called `name` (in any case); None if there is none.

    It is unfolded (RFC 5322 section 2.2.3) and stripped, with each run of white space replaced by one blank,
    and otherwise raw.
    """
    return _first_fields(header, (name.lower(),)).get(name.lower())


@frozen
class HeaderKey:
    """Equal for messages with equal identifying fields. `digest` is 16 bytes."""

    digest: bytes
    has_message_id: bool


def header_key(header: bytes) -> HeaderKey:
    """The key over the first Message-ID, Date, From and Subject field each; a missing field counts as empty.

    `header` is a whole header block or the response to BODY[HEADER.FIELDS (...)], with fields in any order.
    """
    fields = _first_fields(header, IDENTIFYING_FIELDS)
    # Values contain no line feed, so the joined form is unambiguous.
    joined = b"\n".join(fields.get(name, b"") for name in IDENTIFYING_FIELDS)
    return HeaderKey(
        digest=sha256(joined).digest()[:DIGEST_BYTES],
        has_message_id=bool(fields.get(b"message-id")),
    )


_MUNGED: Final = bytes(byte if byte < 0x80 else ord("X") for byte in range(256))


def munged(header: bytes) -> bytes:
    """The header as Cyrus stores it by default: each 8-bit byte replaced by X (imapd.conf(5), munge8bit)."""
    return header.translate(_MUNGED)


class ExistingMailIndex:
    """Index of the messages in one destination folder that have no receipt, by header and size.

    Uses about 40 bytes per message: keys are cut to eight bytes, which may add candidates but never loses
    one.
    """

    def __init__(self) -> None:
        self._by_key = UidsByKey(_KEY_BYTES)
        self._by_size = UidsByKey(_SIZE_BYTES)
        self._nameless_by_size = UidsByKey(_SIZE_BYTES)  # without Message-ID
        self._by_date_and_subject = UidsByKey(_KEY_BYTES)

    def add(self, uid: Uid, size_bytes: int, header: bytes) -> None:
        """Add a message; a size of 0 means that it is unknown. Each UID may be added once."""
        keys = CandidateKeys.of(header)
        self._by_key.add(keys.message_id or keys.without_id, uid)
        self._by_size.add(_scattered(size_bytes), uid)
        if not keys.message_id:
            self._nameless_by_size.add(_scattered(size_bytes), uid)
        if keys.date_and_subject:
            self._by_date_and_subject.add(keys.date_and_subject, uid)

    def has_size(self, uid: Uid, size_bytes: int) -> bool:
        """Whether a message of the folder was listed with this size."""
        return uid in self._by_size.get(_scattered(size_bytes))

    def namesakes(self, keys: CandidateKeys) -> set[Uid]:
        """UIDs of messages that have the same Message-ID, or none and the same Date, From and Subject. Their
        size may differ, because tools add and remove fields and line ends."""
        nameless = self._by_key.get(keys.without_id)
        return {*self._by_key.get(keys.message_id), *nameless} if keys.message_id else {*nameless}

    def candidates(self, keys: CandidateKeys, size_bytes: int) -> tuple[Uid, ...]:
        """Ascending UIDs of messages that may equal the message with these keys and this size; compare their
        bytes.

        These are its `namesakes`, and messages of equal or unknown size: those without Message-ID, because
        servers and tools add a missing one, or all of them if the message itself has no Message-ID.
        """
        same_size = self._nameless_by_size if keys.message_id else self._by_size
        by_size = {*same_size.get(_scattered(size_bytes)), *same_size.get(_scattered(0))}
        return tuple(sorted(self.namesakes(keys) | by_size))

    def altered_candidates(self, keys: CandidateKeys) -> set[Uid]:
        """UIDs of messages that may be the message with these keys, if the server altered it when it stored
        it: its `namesakes`, those without any identifying field, and for a message without Message-ID those
        with the same Date and Subject."""
        found = self.namesakes(keys) | {*self._by_key.get(CandidateKeys.of(b"").without_id)}
        return found if keys.message_id else found | self.with_date_and_subject(keys)

    def with_date_and_subject(self, keys: CandidateKeys) -> set[Uid]:
        """UIDs of messages with the same Date and Subject."""
        return {*self._by_date_and_subject.get(keys.date_and_subject)} if keys.date_and_subject else set()

    def unlikely_candidates(self, keys: CandidateKeys, size_bytes: int) -> Iterator[Uid]:
        """UIDs of messages that equal the message only if the server reads its header in another way than
        this program does: those with the same Date and Subject, and those of equal size."""
        yield from self.with_date_and_subject(keys)
        yield from self._by_size.get(_scattered(size_bytes))


class CandidateKeys(NamedTuple):
    """Keys over the identifying fields of a header as Cyrus stores it. `message_id` and `date_and_subject`
    are b"" if the fields are missing."""

    message_id: bytes
    without_id: bytes
    date_and_subject: bytes

    @classmethod
    def of(cls, header: bytes) -> Self:
        """`header` is a header block or the response to BODY[HEADER.FIELDS (...)], with fields in any
        order."""
        fields = _first_fields(munged(header), IDENTIFYING_FIELDS)
        message_id, date, from_, subject = (fields.get(name, b"") for name in IDENTIFYING_FIELDS)
        return cls(
            _short_key(b"id", message_id) if message_id else b"",
            _short_key(b"no id", date, from_, subject),
            _short_key(b"date", date, subject) if date or subject else b"",
        )


def has_identifying_field(header: bytes) -> bool:
    """Whether any of the identifying fields has a value."""
    return any(_first_fields(header, IDENTIFYING_FIELDS).values())


def _short_key(*values: bytes) -> bytes:
    return sha256(b"\n".join(values)).digest()[:_KEY_BYTES]  # a value contains no line feed


def _scattered(size_bytes: int) -> bytes:
    """A key for a size, so that similar sizes get distant keys (Knuth's multiplicative hash)."""
    return (size_bytes * 2_654_435_761 & 0xFFFF_FFFF).to_bytes(_SIZE_BYTES)


def notice_signature(key: bytes, message_id: str) -> str:
    """The value of X-Mailhaul-Notice for a mail that we send: an HMAC-SHA256 over its Message-ID (angle
    brackets included), as 64 hexadecimal digits."""
    return hmac.new(key, message_id.strip().encode("utf-8", "surrogateescape"), sha256).hexdigest()


def is_notice(key: bytes, header: bytes) -> bool:
    """Whether this installation sent the mail: its notice signature is valid for its Message-ID."""
    if header.lower().find(_NOTICE_FIELD) < 0:  # fast, since every message passes here
        return False
    fields = _first_fields(header, (b"message-id", _NOTICE_FIELD))
    signature = fields.get(_NOTICE_FIELD)
    message_id = fields.get(b"message-id")
    if not signature or not message_id:
        return False
    expected = notice_signature(key, message_id.decode("utf-8", "surrogateescape"))
    return hmac.compare_digest(expected.encode(), signature)


def _first_fields(header: bytes, names: tuple[bytes, ...]) -> dict[bytes, bytes]:
    """name -> value of the first field of each of `names` (lower case), up to the empty line."""
    values: dict[bytes, bytes] = {}
    lines: list[bytes] = []  # of the current field
    name = b""
    for line in (*header.split(b"\n"), b""):
        if line[:1] in (b" ", b"\t"):
            lines.append(line)
            continue
        if name in names and name not in values:
            values[name] = b" ".join(b" ".join(lines).split())
        if not line.rstrip(b"\r"):
            break
        field, _, value = line.partition(b":")
        name, lines = field.rstrip().lower(), [value]
    return values
