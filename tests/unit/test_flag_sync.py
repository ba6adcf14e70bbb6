"""Flag synchronisation: which flags follow the source, and which the owner has changed."""

from __future__ import annotations

import pytest

from importer.domain.messages.flags import differs, reconcile, touched

S, F = "\\Seen", "\\Flagged"


@pytest.mark.parametrize(
    ("put", "source", "at_destination", "add", "remove"),
    [
        ((), (S,), (), (S,), ()),  # read at the source since the copy
        ((S,), (), (S,), (), (S,)),  # marked as unread again
        ((), (S,), (S,), (), ()),  # read by the owner at the destination too
        ((S,), (), (), (), ()),
        ((), (), (S,), (), ()),  # changed at the destination only
        ((S,), (S,), (), (), ()),
        ((F,), (S, F, "$Label1"), (F,), (S, "$Label1"), ()),  # each flag is handled separately
        ((F,), (S,), (), (S,), ()),
        ((S,), ("\\SEEN",), (S,), (), ()),  # flags ignore case
        (("Work",), ("work",), ("WORK",), (), ()),
        ((), ("\\Deleted", "\\Recent"), (), (), ()),  # never carried
        (("\\Deleted",), (), ("\\Deleted",), (), ()),
    ],
)
def test_a_flag_follows_the_source_if_unchanged_at_the_destination(
    put: tuple[str, ...],
    source: tuple[str, ...],
    at_destination: tuple[str, ...],
    add: tuple[str, ...],
    remove: tuple[str, ...],
) -> None:
    change = reconcile(put, source, at_destination)
    assert (set(change.add), set(change.remove)) == (set(add), set(remove))
    if add or remove:
        assert differs(put, source)
        assert not reconcile(change.after, source, (set(at_destination) | set(add)) - set(remove)).add


def test_a_synchronised_flag_can_be_reverted_by_the_source() -> None:
    change = reconcile((), (S,), ())
    assert reconcile(change.after, (), (S,)).remove == (S,)


def test_a_flag_changed_by_the_owner_is_never_synchronised_again() -> None:
    known = reconcile((), (S,), (S,)).after  # read on both sides
    assert not differs(known, (S,))
    for source, at_destination in (((), (S,)), ((S,), ()), ((), ())):
        change = reconcile(known, source, at_destination)
        assert (change.add, change.remove) == ((), ())


@pytest.mark.parametrize("came_to_pass", [True, False])
def test_after_a_crash_a_synchronised_change_is_not_attributed_to_the_owner(came_to_pass: bool) -> None:
    change = reconcile((F,), (F, S), (F,))
    at_destination = (F, S) if came_to_pass else (F,)
    assert differs(change.during, (F, S))
    again = reconcile(change.during, (F, S), at_destination)
    assert again.add == (() if came_to_pass else (S,))
    assert set(again.after) == {F, S}
    assert differs(change.during, (F,))  # the source has reverted the flag since
    assert reconcile(change.during, (F,), at_destination).remove == ((S,) if came_to_pass else ())


def test_undo_detects_changes_after_a_synchronisation() -> None:
    followed = reconcile((F,), (F, S), (F,)).after
    assert not touched(followed, (F, S))
    owners = reconcile((), (S,), (S,)).after
    assert touched(owners, (S,))
    assert not touched(owners, ())
