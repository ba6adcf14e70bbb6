"""Which flags follow the source, and which are their owner's."""

from __future__ import annotations

import pytest

from importer.domain.messages.flags import differs, reconcile, touched

S, F = "\\Seen", "\\Flagged"


@pytest.mark.parametrize(
    ("put", "source", "there", "add", "remove"),
    [
        ((), (S,), (), (S,), ()),  # read at the source since
        ((S,), (), (S,), (), (S,)),  # marked as unread again
        ((), (S,), (S,), (), ()),  # its owner read it there too
        ((S,), (), (), (), ()),
        ((), (), (S,), (), ()),  # changed at the destination only
        ((S,), (S,), (), (), ()),
        ((F,), (S, F, "$Label1"), (F,), (S, "$Label1"), ()),  # each flag for itself
        ((F,), (S,), (), (S,), ()),
        ((S,), ("\\SEEN",), (S,), (), ()),  # flags ignore case
        (("Work",), ("work",), ("WORK",), (), ()),
        ((), ("\\Deleted", "\\Recent"), (), (), ()),  # never carried
        (("\\Deleted",), (), ("\\Deleted",), (), ()),
    ],
)
def test_a_flag_follows_the_source_where_it_still_is_as_we_put_it(
    put: tuple[str, ...],
    source: tuple[str, ...],
    there: tuple[str, ...],
    add: tuple[str, ...],
    remove: tuple[str, ...],
) -> None:
    change = reconcile(put, source, there)
    assert (set(change.add), set(change.remove)) == (set(add), set(remove))
    if add or remove:
        assert differs(put, source)
        assert not reconcile(change.after, source, (set(there) | set(add)) - set(remove)).add


def test_what_we_changed_follows_back_again() -> None:
    change = reconcile((), (S,), ())
    assert reconcile(change.after, (), (S,)).remove == (S,)


def test_what_its_owner_changed_never_follows_again() -> None:
    known = reconcile((), (S,), (S,)).after  # both read it
    assert not differs(known, (S,))
    for source, there in (((), (S,)), ((S,), ()), ((), ())):
        change = reconcile(known, source, there)
        assert (change.add, change.remove) == ((), ())


@pytest.mark.parametrize("came_to_pass", [True, False])
def test_our_own_change_is_not_taken_for_its_owners_after_a_crash(came_to_pass: bool) -> None:
    change = reconcile((F,), (F, S), (F,))
    there = (F, S) if came_to_pass else (F,)
    assert differs(change.during, (F, S))
    again = reconcile(change.during, (F, S), there)
    assert again.add == (() if came_to_pass else (S,))
    assert set(again.after) == {F, S}
    assert differs(change.during, (F,))  # the source thought better of it meanwhile
    assert reconcile(change.during, (F,), there).remove == ((S,) if came_to_pass else ())


def test_what_is_remembered_tells_undo_the_same_as_before() -> None:
    followed = reconcile((F,), (F, S), (F,)).after
    assert not touched(followed, (F, S))
    owners = reconcile((), (S,), (S,)).after
    assert touched(owners, (S,))
    assert not touched(owners, ())
