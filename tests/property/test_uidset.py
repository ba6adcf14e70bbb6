"""`UidSet` behaves like a Python set."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.compact.uid_set import Ascending, UidSet, format_ordered, parse_ordered

# A narrow range makes neighbours and overlaps frequent; the upper end of 32 bits is included.
uids = st.integers(1, 40) | st.integers(2**32 - 5, 2**32 - 1)
sets = st.frozensets(uids, max_size=30)
ranges = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 6)).map(lambda r: (r[0], r[0] + r[1])))


def check(result: UidSet, expected: set[int] | frozenset[int]) -> None:
    """The members, and the invariant at the head of the module."""
    assert list(result) == sorted(expected)
    assert len(result) == len(expected)
    assert bool(result) == bool(expected)
    assert all(first <= last for first, last in result.ranges)
    assert all(a[1] + 1 < b[0] for a, b in zip(result.ranges, result.ranges[1:], strict=False))


@given(st.lists(uids))
def test_order_and_repetition_do_not_matter(members: list[int]) -> None:
    check(UidSet.of(members), set(members))


@given(ranges)
def test_overlapping_ranges_form_their_union(given_ranges: list[tuple[int, int]]) -> None:
    check(UidSet.from_ranges(given_ranges), {uid for a, b in given_ranges for uid in range(a, b + 1)})


@given(st.lists(ranges, min_size=1))
def test_a_union_leaves_its_operands_unchanged(pieces: list[list[tuple[int, int]]]) -> None:
    grown, expected = UidSet(), set[int]()
    for piece in pieces:
        before, copy = grown, UidSet.parse(str(grown))
        grown |= UidSet.from_ranges(piece)
        expected |= {uid for a, b in piece for uid in range(a, b + 1)}
        check(grown, expected)
        assert before == copy
        assert hash(before) == hash(copy)
        assert (grown.lowest, grown.highest) == (min(expected, default=None), max(expected, default=None))


@given(sets, sets)
def test_operators_match_those_of_sets(one: frozenset[int], other: frozenset[int]) -> None:
    check(UidSet.of(one) | UidSet.of(other), one | other)
    check(UidSet.of(one) - UidSet.of(other), one - other)
    check(UidSet.of(one) & UidSet.of(other), one & other)


@given(sets, uids | st.integers(-1, 0))
def test_membership_and_at_or_above(members: frozenset[int], uid: int) -> None:
    assert (uid in UidSet.of(members)) == (uid in members)
    check(UidSet.of(members).at_or_above(uid), {member for member in members if member >= uid})


@given(sets)
def test_text_round_trip(members: frozenset[int]) -> None:
    assert UidSet.parse(str(UidSet.of(members))) == UidSet.of(members)


@given(sets, st.integers(1, 12))
def test_chunks_are_ordered_and_full_except_the_last(members: frozenset[int], size: int) -> None:
    chunks = list(UidSet.of(members).chunks(size))
    for chunk in chunks:
        check(chunk, set(chunk))
    assert [uid for chunk in chunks for uid in chunk] == sorted(members)
    assert all(len(chunk) == size for chunk in chunks[:-1])
    assert not chunks or 1 <= len(chunks[-1]) <= size


@given(st.lists(uids))
def test_ordered_list_round_trip(members: list[int]) -> None:
    assert list(parse_ordered(format_ordered(members))) == members


@given(sets)
def test_ascending_uids_form_their_set(members: frozenset[int]) -> None:
    ascending = Ascending()
    for uid in sorted(members):
        ascending.add(uid)
    check(ascending.uids, members)
    if members:
        with pytest.raises(ValueError, match="after"):
            ascending.add(max(members))
