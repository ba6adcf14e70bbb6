"""Message identity: which messages are equal, and which are only similar."""

from __future__ import annotations

import hashlib

import pytest

from importer.compact.uid_set import Uid
from importer.domain.messages.message_identity import (
    CandidateKeys,
    ExistingMailIndex,
    digest,
    first_field,
    header_block,
    header_key,
    is_notice,
    munged,
    notice_signature,
    with_crlf,
)

HEADER = (
    b"Received: from mx.old.example\r\n"
    b"Message-ID: <1@old.example>\r\n"
    b"Date: Sun, 1 Feb 1998 10:00:00 +0200\r\n"
    b"From: Ada <ada@old.example>\r\n"
    b"Subject: Disk\r\n"
    b"\r\n"
)
KEY = b"k" * 32


def without(field: bytes, header: bytes = HEADER) -> bytes:
    return b"".join(
        line for line in header.splitlines(keepends=True) if not line.lower().startswith(field.lower() + b":")
    )


# --- digest -----------------------------------------------------------------------------------------


def test_the_digest_of_a_crlf_message_is_half_a_sha256_of_its_bytes() -> None:
    body = HEADER + b"80% full\r\n"
    assert digest(body) == hashlib.sha256(body).digest()[:16]


@pytest.mark.parametrize(
    "as_stored",
    [b"a\nb\n", b"a\r\nb\n", b"a\nb\r\n"],
    ids=["LF only", "mixed, LF last", "mixed, CRLF last"],
)
def test_line_ends_do_not_change_the_digest(as_stored: bytes) -> None:
    assert digest(as_stored) == digest(b"a\r\nb\r\n")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"a\rb\r\n", b"a\r\nb\r\n"),
        (b"a\r\r\nb", b"a\r\nb"),
        (b"a\r\n", b"a"),
        (b"a \r\n", b"a\r\n"),
        (b"", b"\r\n"),
    ],
)
def test_any_other_difference_changes_the_digest(one: bytes, other: bytes) -> None:
    assert digest(one) != digest(other)


def test_a_lone_cr_is_kept() -> None:
    assert digest(b"x\ry\nz\r\r\n") == hashlib.sha256(b"x\ry\r\nz\r\r\n").digest()[:16]


# --- header_block -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "header"),
    [
        (b"A: 1\r\nB: 2\r\n\r\ntext\r\n\r\nmore", b"A: 1\r\nB: 2\r\n\r\n"),
        (b"A: 1\nB: 2\n\ntext\n\nmore", b"A: 1\nB: 2\n\n"),
        (b"A: 1\r\n\ntext", b"A: 1\r\n\n"),
        (b"A: 1\n\r\ntext", b"A: 1\n\r\n"),
        (b"A: 1\r\nB: 2\r\n", b"A: 1\r\nB: 2\r\n"),
        (b"A: 1", b"A: 1"),
        (b"\r\ntext\r\n\r\nmore", b"\r\n"),
        (b"A: 1\r\n \r\n\r\ntext", b"A: 1\r\n \r\n\r\n"),
        (b"", b""),
    ],
)
def test_the_header_ends_with_its_empty_line(body: bytes, header: bytes) -> None:
    assert header_block(body) == header


# --- first_field ----------------------------------------------------------------------------------------


def test_a_folded_field_is_unfolded() -> None:
    header = (
        b"X: no\r\nSubject : =?utf-8?q?a?=\r\n\t b  c \r\n \r\n d\r\nSubject: second\r\n\r\nSubject: body"
    )
    assert first_field(header, b"subject") == b"=?utf-8?q?a?= b c d"


def test_a_field_after_the_empty_line_is_ignored() -> None:
    assert first_field(b"A: 1\r\n\r\nDate: today\r\n", b"Date") is None


def test_an_empty_field_differs_from_a_missing_one() -> None:
    assert first_field(b"Date:\r\n\r\n", b"Date") == b""


# --- header_key -----------------------------------------------------------------------------------------


def test_equal_headers_have_the_same_key_but_another_digest() -> None:
    first, second = HEADER + b"80% full\r\n", HEADER + b"90% full\r\n"
    assert header_key(header_block(first)) == header_key(header_block(second))
    assert digest(first) != digest(second)


@pytest.mark.parametrize(
    "same",
    [
        HEADER.replace(b"\r\n", b"\n"),
        without(b"Received"),
        HEADER.replace(b"Subject: Disk", b"SUBJECT:\r\n  Disk"),
        HEADER.replace(b"Ada <ada", b"Ada \t <ada"),
        HEADER.replace(b"\r\n\r\n", b"\r\nSubject: another one\r\n\r\n"),
        HEADER.removesuffix(b"\r\n"),
        HEADER + b"Subject: in the text\r\n",
        b"Subject: Disk\r\nFrom: Ada <ada@old.example>\r\nDate: Sun, 1 Feb 1998 10:00:00 +0200\r\n"
        b"Message-Id: <1@old.example>\r\n\r\n",
    ],
    ids=["LF", "fields only", "folded", "blanks", "repeated", "no end", "with text", "other order"],
)
def test_the_key_is_independent_of_the_form_of_the_header(same: bytes) -> None:
    assert header_key(same) == header_key(HEADER)


@pytest.mark.parametrize(
    "field", [b"Message-ID: <1@", b"Date: Sun", b"From: Ada", b"Subject: Disk"], ids=lambda f: f.decode()
)
def test_each_identifying_field_counts(field: bytes) -> None:
    assert field in HEADER
    assert header_key(HEADER.replace(field, field[:-1] + b"x")) != header_key(HEADER)


def test_equal_values_of_different_fields_differ() -> None:
    assert header_key(b"From: a\r\nSubject: b\r\n") != header_key(b"From: b\r\nSubject: a\r\n")
    assert header_key(b"From: a\r\n") != header_key(b"Subject: a\r\n")


@pytest.mark.parametrize(
    ("header", "has_one"),
    [(HEADER, True), (without(b"Message-ID"), False), (b"Message-ID: \r\n\r\n", False), (b"", False)],
)
def test_a_key_knows_whether_it_has_a_message_id(header: bytes, has_one: bool) -> None:
    assert header_key(header).has_message_id is has_one


def test_undecodable_headers_are_distinguished() -> None:
    assert header_key(b"Subject: \xff\x00\r\n") != header_key(b"Subject: \xfe\x00\r\n")


# --- ExistingMailIndex ----------------------------------------------------------------------------------


def index(*messages: tuple[int, int, bytes]) -> ExistingMailIndex:
    built = ExistingMailIndex()
    for uid, size_bytes, header in messages:
        built.add(Uid(uid), size_bytes, header)
    return built


OTHER = HEADER.replace(b"<1@", b"<2@")
NAMELESS = without(b"Message-ID")


def test_equal_headers_are_candidates_of_any_size() -> None:
    existing = index((9, 100, HEADER), (4, 200, HEADER), (5, 100, OTHER))
    assert existing.candidates(CandidateKeys.of(HEADER), 100) == (4, 9)


def test_all_messages_of_equal_size_are_candidates_for_one_without_message_id() -> None:
    existing = index((1, 100, HEADER), (2, 100, OTHER), (3, 101, OTHER), (4, 100, b"Subject: x\r\n\r\n"))
    assert existing.candidates(CandidateKeys.of(NAMELESS), 100) == (1, 2, 4)


def test_existing_messages_of_equal_size_without_message_id_are_candidates() -> None:
    other = NAMELESS.replace(b"Disk", b"Tape")
    existing = index((1, 100, other), (2, 101, other), (3, 100, OTHER))
    assert existing.candidates(CandidateKeys.of(HEADER), 100) == (1,)


@pytest.mark.parametrize(
    "there",
    [
        HEADER.replace(b"From: Ada <ada@old.example>\r\n", b""),
        HEADER.replace(b"Disk", b"=?utf-8?q?Disk?="),
        NAMELESS,
    ],
    ids=["no From", "other Subject", "no Message-ID"],
)
def test_a_message_is_a_candidate_though_the_server_tells_one_field_differently(there: bytes) -> None:
    assert index((1, 120, there)).candidates(CandidateKeys.of(HEADER), 100) == (1,)


def test_messages_of_equal_size_or_date_and_subject_are_unlikely_candidates() -> None:
    there = index((1, 100, OTHER.replace(b"Disk", b"Tape")), (2, 101, OTHER), (3, 101, b"Subject: x\r\n\r\n"))
    keys = CandidateKeys.of(HEADER)
    assert there.candidates(keys, 100) == ()
    assert list(there.unlikely_candidates(keys, 100)) == [2, 1]


def test_a_candidate_for_two_reasons_is_returned_once() -> None:
    assert index((7, 100, NAMELESS)).candidates(CandidateKeys.of(NAMELESS), 100) == (7,)


def test_without_similar_messages_there_is_no_candidate() -> None:
    assert index((1, 100, OTHER)).candidates(CandidateKeys.of(HEADER), 100) == ()
    assert index().candidates(CandidateKeys.of(HEADER), 100) == ()


# --- notices --------------------------------------------------------------------------------------------


def marked(message_id: str, signature: str) -> bytes:
    return f"Message-ID: {message_id}\r\nX-Mailhaul-Notice: {signature}\r\nSubject: done\r\n\r\n".encode()


def test_a_completion_mail_is_recognised_after_refolding_of_its_header() -> None:
    signature = notice_signature(KEY, "<n1@new.example>")
    assert is_notice(KEY, marked("<n1@new.example>", signature))
    assert is_notice(KEY, marked("\r\n <n1@new.example>", f"\r\n\t{signature}").lower())
    assert is_notice(KEY, marked("<n1@new.example>", signature).replace(b"\r\n", b"\n"))


@pytest.mark.parametrize(
    "header",
    [
        marked("<n2@new.example>", notice_signature(KEY, "<n1@new.example>")),
        marked("<n1@new.example>", notice_signature(b"another key", "<n1@new.example>")),
        marked("<n1@new.example>", ""),
        marked("<n1@new.example>", "é"),
        b"Message-ID: <n1@new.example>\r\n\r\n",
        f"X-Mailhaul-Notice: {notice_signature(KEY, '')}\r\n\r\n".encode(),
        b"\r\nX-Mailhaul-Notice: in the text\r\n",
        b"",
    ],
    ids=[
        "copied mark",
        "other key",
        "empty",
        "not ASCII",
        "no mark",
        "no Message-ID",
        "in the text",
        "nothing",
    ],
)
def test_other_mail_is_not_recognised_as_a_notice(header: bytes) -> None:
    assert not is_notice(KEY, header)


def test_a_notice_signature_reveals_nothing() -> None:
    signature = notice_signature(KEY, "<n1@new.example>")
    assert len(signature) == 64
    assert int(signature, 16)
    assert signature != notice_signature(KEY, "<n2@new.example>")


def test_a_munged_header_is_a_candidate() -> None:
    sent = "Message-ID: <1@old.example>\r\nSubject: Grüße\r\n\r\n".encode("latin-1")
    stored = b"Message-ID: <1@old.example>\r\nSubject: GrXXe\r\n\r\n"
    assert munged(sent) == stored
    assert index((1, 100, stored)).candidates(CandidateKeys.of(sent), 100) == (1,)


def test_bare_line_feeds_become_crlf_and_nothing_else_changes() -> None:
    assert with_crlf(b"a\nb\r\nc\rd\n\n\0\xff") == b"a\r\nb\r\nc\rd\r\n\r\n\0\xff"
    assert with_crlf(b"a\r\nb\rc") == b"a\r\nb\rc"
    clean = b"a\r\nb\r\n"
    assert with_crlf(clean) is clean
