"""The compact form of flags, and the detection of changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.domain.messages.flags import fold_flags, touched, touched_ever, unfold_flags

atoms = st.text("abc;,$\\:0", min_size=1, max_size=4)


@given(st.lists(st.lists(atoms, max_size=3), max_size=9))
def test_folded_flags_unfold_unchanged(flags: list[list[str]]) -> None:
    assert unfold_flags(fold_flags(flags)) == [tuple(of_one) for of_one in flags]


def test_equal_flags_of_a_batch_take_one_line() -> None:
    assert fold_flags([("\\Seen",)] * 97 + [()] * 3) == "97 \\Seen\n3"
    assert unfold_flags("") == []


@pytest.mark.parametrize(
    ("sent", "now", "changed"),
    [
        (["\\Seen"], ["\\seen", "\\Recent"], False),
        (["\\Seen"], ["\\Seen", "\\Deleted"], False),
        (["\\Seen", "$Label1"], ["\\Seen"], False),
        (["$label1"], ["$Label1"], False),
        ([], ["\\Seen"], True),
        (["\\Seen"], [], True),
        (["\\Seen"], ["\\Seen", "\\Answered"], True),
        (["\\Flagged"], ["\\Seen"], True),
        (["\\Seen"], ["\\Seen", "Work"], True),
    ],
)
def test_which_changes_count_as_touched(sent: list[str], now: list[str], *, changed: bool) -> None:
    assert touched(sent, now) is changed


@pytest.mark.parametrize(
    ("remembered", "now", "changed"),
    [
        (["\\Seen"], ["\\Seen"], False),
        (["\\Seen"], [], True),
        (["*\\seen"], [], True),  # its owner read it, and marked it as unread
        (["\\Seen", "*\\seen"], ["\\Seen"], True),
        (["*work"], [], True),
        (["Work", "*work"], [], False),  # it may be the server that did not keep it
        (["?\\Seen"], [], False),
    ],
)
def test_changes_that_synchronisation_noticed_count_for_ever(
    remembered: list[str], now: list[str], *, changed: bool
) -> None:
    assert touched_ever(remembered, now) is changed
