"""The canonical form ignores what other programs are known to change, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.domain.messages.canonical_form import canonical_digest, canonical_form
from importer.domain.messages.message_identity import digest, header_block, with_crlf

SEPARATOR = b"From ada@old.example Mon Jan  1 10:00:00 2024\r\n"
RECORDS = st.sampled_from(
    [
        b"X-TUID: 2nBQcJjxNzpR\r\n",
        b"x-tuid : 2nBQcJjxNzpR\r\n",
        b"X-Mozilla-Status: 0001\r\n",
        b"X-Mozilla-Status2: 00800000\r\n",
        b"X-Mozilla-Keys: $label1 work" + b" " * 60 + b"\r\n",
        b"Status: RO\r\n",
        b"Status: \r\n",
        b"Status: AFDdOR\r\n",
        b"X-Status: AF\r\n",
        b"X-UID: 123\r\n",
        b"X-Keywords: work\r\n\t home\r\n",
        b"X-IMAP: 1234567890 0000000012\r\n",
        b"X-IMAPbase: 1234567890 0000000012 $Forwarded\r\n",
        b"Content-Length: 4711\r\n",
        b"Lines: 12\r\n",
    ]
)
FIELDS = st.sampled_from(
    [
        b"Message-ID: <1@old.example>\r\n",
        b"From\r\n : <ada@old.example>\r\n",
        b"From : ada@old.example\r\n",
        b"Subject: Gr\xc3\xbc\xc3\x9fe\r\n\tfolded\r\n \r\n",
        b"Status: resolved\r\n",
        b"Status: FOUND\r\n",
        b"Lines: many\r\n",
        b"X-Status-Report: RO\r\n",
        b"no field\r\n",
        b"a\rlone CR\r\n",
    ]
)
TEXT = st.lists(
    st.sampled_from(
        [
            b"\r\n",
            b"\r",
            b"a",
            b" ",
            b"\x00",
            b"From x y\r\n",
            b">From x\r\n",
            b"Status: RO\r\n",
            b"X-TUID: a\r\n",
        ]
    ),
    max_size=12,
).map(b"".join)
ANYTHING = st.lists(st.one_of(RECORDS, FIELDS, TEXT, st.just(SEPARATOR), st.binary(max_size=8)), max_size=8)


@dataclass(frozen=True)
class Parts:
    """A message: its fields, and what follows the empty line."""

    fields: tuple[bytes, ...]
    text: bytes

    def whole(self) -> bytes:
        return b"".join((*self.fields, b"\r\n", self.text))


MESSAGES = st.builds(Parts, st.lists(FIELDS, min_size=1, max_size=5).map(tuple), TEXT)


@given(st.data(), MESSAGES, st.lists(RECORDS, max_size=4), st.booleans(), st.integers(0, 5))
def test_records_separator_and_last_line_ends_change_nothing(
    data: st.DataObject, message: Parts, records: list[bytes], separator: bool, line_ends: int
) -> None:
    fields = list(message.fields)
    for record in records:
        fields.insert(data.draw(st.integers(0, len(fields))), record)
    changed = Parts(tuple(fields), message.text).whole()
    changed = (SEPARATOR if separator else b"") + changed
    while changed.endswith(b"\r\n") and data.draw(st.booleans()):
        changed = changed[:-2]
    changed += b"\r\n" * line_ends
    if data.draw(st.booleans()):
        changed = re.sub(rb"(?<!\r)\r\n", b"\n", changed)  # after a lone CR, the two cannot be told apart
    assert canonical_form(changed) == canonical_form(message.whole())


@given(ANYTHING.map(b"".join))
def test_the_canonical_form_of_a_canonical_form_is_itself(body: bytes) -> None:
    once = canonical_form(body)
    assert canonical_form(once) == once
    assert canonical_digest(body) == digest(once)


@given(MESSAGES, TEXT, TEXT)
def test_two_texts_are_the_same_only_up_to_their_last_line_ends(
    message: Parts, one: bytes, other: bytes
) -> None:
    same = without_last_line_ends(one) == without_last_line_ends(other)
    forms = {canonical_form(Parts(message.fields, text).whole()) for text in (one, other)}
    assert (len(forms) == 1) == same


@given(st.lists(FIELDS, min_size=1), st.lists(FIELDS, min_size=1), TEXT)
def test_other_fields_or_another_order_make_another_message(
    one: list[bytes], other: list[bytes], text: bytes
) -> None:
    forms = {canonical_form(Parts(tuple(fields), text).whole()) for fields in (one, other)}
    assert (len(forms) == 1) == (one == other)


@given(st.data(), MESSAGES, st.binary(min_size=1, max_size=1).filter(lambda byte: byte not in b"\r\n"))
def test_any_other_byte_makes_another_message(data: st.DataObject, message: Parts, byte: bytes) -> None:
    whole = b"Message-ID: <1@old.example>\r\n" + message.whole() + b"-- "
    at = data.draw(st.sampled_from([i for i, old in enumerate(whole) if old not in b"\r\n"]))
    changed = whole[:at] + byte + whole[at + 1 :]
    if changed != whole and not new_record(whole, changed):
        assert canonical_form(changed) != canonical_form(whole)
        assert canonical_form(whole[:at] + byte + whole[at:]) != canonical_form(whole)
        assert canonical_form(whole[:at] + whole[at + 1 :]) != canonical_form(whole)


def without_last_line_ends(text: bytes) -> bytes:
    text = with_crlf(text)
    while text.endswith(b"\r\n"):
        text = text[:-2]
    return text


def new_record(whole: bytes, changed: bytes) -> bool:
    """Whether the change made one of the fields a record, as in “Xtatus: RO” -> “Status: RO”."""
    return len(canonical_form(changed)) < len(canonical_form(whole))


@dataclass(frozen=True)
class InPieces:
    """A spooled message, read in pieces of a few bytes."""

    body: bytes
    size: int
    marks = 0

    @property
    def header(self) -> bytes:
        return header_block(self.body)

    @property
    def digest(self) -> bytes:
        return digest(self.body)

    def pieces(self) -> Iterator[bytes]:
        for at in range(0, len(self.body), self.size):
            yield self.body[at : at + self.size]

    def __len__(self) -> int:
        return len(self.body)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@given(ANYTHING.map(b"".join))
def test_a_spooled_message_has_the_same_digest(size: int, body: bytes) -> None:
    body = with_crlf(body)
    assert canonical_digest(InPieces(body, size)) == canonical_digest(body)
