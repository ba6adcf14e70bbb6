"""A set of digests is a set."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from importer.domain.digests import Digests

few = st.binary(min_size=1, max_size=1).map(lambda byte: byte * 16) | st.binary(min_size=16, max_size=16)


@given(st.lists(few), st.lists(few))
@example([b"\0" * 2 + b"ab" * 7, b"\0" * 2 + b"ba" * 7], [b"\0" * 2 + b"aa" * 7])
def test_it_holds_what_was_added_and_nothing_else(added: list[bytes], asked: list[bytes]) -> None:
    digests = Digests()
    for digest in added:
        digests.add(digest)
    assert len(digests) == len(set(added))
    for digest in (*added, *asked):
        assert (digest in digests) == (digest in added)


def test_the_end_of_one_and_the_beginning_of_the_next_are_no_digest() -> None:
    digests = Digests()
    digests.add(b"\0" + b"\1" * 15)
    digests.add(b"\0" + b"\1" * 7 + b"\2" * 8)
    assert b"\0" + b"\1" * 8 + b"\1" * 7 in digests
    assert b"\0" + b"\1" * 11 + b"\2" * 4 not in digests
    assert b"\0" + b"\2" * 15 not in digests
