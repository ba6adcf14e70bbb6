"""Digest sets behave like Python sets."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from importer.adapters.digest_file import HELD, DigestFile, DigestFiles
from importer.compact.digest_set import DIGEST_BYTES, Digests, DigestSet
from importer.compact.uid_set import Uid
from importer.compact.uids_by_key import UidsByKey

few = st.integers(1, 255).map(lambda byte: bytes([byte]) * 16) | st.binary(min_size=16, max_size=16).filter(
    any
)


KINDS = pytest.mark.parametrize("empty", [Digests, lambda: DigestFile(None)], ids=["in memory", "in a file"])


@KINDS
@given(st.lists(few), st.lists(few))
@example([b"\0" * 2 + b"ab" * 7, b"\0" * 2 + b"ba" * 7], [b"\0" * 2 + b"aa" * 7])
def test_a_digest_set_contains_what_was_added_and_nothing_else(
    empty: Callable[[], DigestSet], added: list[bytes], others: list[bytes]
) -> None:
    digests = empty()
    for digest in added:
        digests.add(digest)
    assert len(digests) == len(set(added))
    for digest in (*added, *others):
        assert (digest in digests) == (digest in added)


@KINDS
def test_bytes_across_two_digests_do_not_match(empty: Callable[[], DigestSet]) -> None:
    digests = empty()
    digests.add(b"\0" + b"\1" * 15)
    digests.add(b"\0" + b"\1" * 7 + b"\2" * 8)
    assert b"\0" + b"\1" * 8 + b"\1" * 7 in digests
    assert b"\0" + b"\1" * 11 + b"\2" * 4 not in digests
    assert b"\0" + b"\2" * 15 not in digests


def numbered(number: int) -> bytes:
    return sha256(b"%d" % number).digest()[:16]


@pytest.mark.parametrize("expected", [0, 40, 5_000])
def test_a_digest_file_grows_beyond_the_expected_size(expected: int, tmp_path: Path) -> None:
    digests = DigestFile(tmp_path, expected)
    for number in range(3_000):
        digests.add(numbered(number))
        digests.add(numbered(number // 2))
    assert len(digests) == 3_000
    assert all(numbered(number) in digests for number in range(3_000))
    assert not any(numbered(number) in digests for number in range(3_000, 9_000))
    assert list(tmp_path.iterdir()) == []


def test_a_full_bucket_overflows_into_the_next_ones() -> None:
    digests = DigestFile(None, 1_000)
    start = b"\xff" * 8  # the last bucket; the next one is the first
    crowd = [start + number.to_bytes(8) for number in range(100)]
    for digest in crowd:
        digests.add(digest)
    assert len(digests) == 100
    assert all(digest in digests for digest in crowd)
    assert start + (100).to_bytes(8) not in digests


def test_small_sets_stay_in_memory() -> None:
    sets = DigestFiles(None)
    assert isinstance(sets(HELD), Digests)
    assert isinstance(sets(HELD + 1), DigestFile)


def test_empty_sets_and_maps_take_next_to_no_memory() -> None:
    tracemalloc.start()
    try:
        empty = [(Digests(), UidsByKey(DIGEST_BYTES)) for _ in range(100)]
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held_bytes / len(empty) < 1000
    for digests, uids in empty[:2]:
        digests.add(b"0123456789abcdef")
        uids.add(b"0123456789abcdef", Uid(7))
    assert [b"0123456789abcdef" in digests for digests, _ in empty[:3]] == [True, True, False]
    assert [list(uids.get(b"0123456789abcdef")) for _, uids in empty[:3]] == [[7], [7], []]
