"""UID sets in the notation of servers."""

from __future__ import annotations

import pytest

from importer.compact.uid_set import UidSet, format_ordered, parse_ordered


@pytest.mark.parametrize(
    ("text", "uids"),
    [
        ("", []),
        ("7", [7]),
        ("1:3,7", [1, 2, 3, 7]),
        ("7,1:3", [1, 2, 3, 7]),
        ("3:1", [1, 2, 3]),
        ("1:4,2:3,5", [1, 2, 3, 4, 5]),
        ("4294967294:4294967295", [4294967294, 4294967295]),
    ],
)
def test_a_uid_set_is_parsed_in_any_order(text: str, uids: list[int]) -> None:
    assert list(UidSet.parse(text)) == uids


@pytest.mark.parametrize("text", ["*", "1:*", "a", "1,,2", ",", "1;2", "0", "-1", "+1", "1:", "1:2:3"])
def test_an_invalid_uid_set_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="neither a UID nor a range"):
        UidSet.parse(text)


def test_adjacent_uids_are_merged_into_a_range() -> None:
    assert UidSet.of([3, 1, 2, 2, 9]).ranges == ((1, 3), (9, 9))
    assert str(UidSet.of([3, 1, 2, 2, 9])) == "1:3,9"


def test_equality_is_independent_of_construction() -> None:
    assert UidSet.parse("1:3") == UidSet.of([3, 2, 1]) == UidSet.from_ranges([(2, 3), (1, 1)])


def test_a_billion_messages_take_one_range() -> None:
    everything = UidSet.parse("1:1000000000")
    assert len(everything) == 10**9
    assert 999_999_999 in everything
    assert 0 not in everything
    assert str(everything - UidSet.of([5])) == "1:4,6:1000000000"


def test_invalid_uids_are_dropped() -> None:
    assert UidSet.from_ranges([(3, 10**20), (10**19, 10**20), (1, 1)]).ranges == ((1, 1), (3, 2**63 - 1))
    assert not UidSet.of([10**20])


def test_a_non_integer_is_not_a_member() -> None:
    assert "1" not in UidSet.of([1])


def test_append_responses_keep_their_order() -> None:
    assert parse_ordered("7,3:5") == (7, 3, 4, 5)
    assert parse_ordered("") == ()
    assert format_ordered([7, 3, 4, 5, 5, 6]) == "7,3:5,5:6"
