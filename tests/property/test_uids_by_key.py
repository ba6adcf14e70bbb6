"""`UidsByKey` behaves like a dictionary of lists."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import example, given
from hypothesis import strategies as st

from importer.compact.uid_set import Uid, UidBitmap
from importer.compact.uids_by_key import UidsByKey

keys = st.sampled_from(
    [bytes([a, b, c, d]) for a in (0, 9) for b in (0, 1, 255) for c in (0, 1) for d in (0, 1)]
)
uids = st.sampled_from([1, 255, 256, 257, 65_537, 2**32 - 1, 9_999_999_999]) | st.integers(1, 2**32 - 1)


@given(st.lists(st.tuples(keys, uids)), keys)
@example([(b"\0\0\1\0", 1), (b"\0\0\1\0", 256)], b"\0\0\0\1")
def test_a_key_returns_the_uids_added_under_it(added: list[tuple[bytes, int]], other: bytes) -> None:
    uids_by_key, expected = UidsByKey(4), defaultdict(list)
    for key, uid in added:
        uids_by_key.add(key, Uid(uid))
        expected[key].append(uid)
    for key in (*expected, other):
        assert list(uids_by_key.get(key)) == expected.get(key, [])


@given(st.sets(uids), uids)
def test_a_bitmap_behaves_like_a_set(added: set[int], other: int) -> None:
    bitmap = UidBitmap()
    for uid in added:
        bitmap.add(uid)
    assert all(uid in bitmap for uid in added)
    assert (other in bitmap) == (other in added)
