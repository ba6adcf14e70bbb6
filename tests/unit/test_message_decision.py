"""The table of what becomes of a message: every case by name, and that exactly one outcome comes of each."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Final

import pytest

from importer.compact.uid_set import Uid
from importer.domain.mailbox_content import NotHandedOut, Rejected
from importer.domain.messages.message_decision import (
    INDISTINGUISHABLE,
    NOT_COMPARED,
    NOT_HANDED_OUT,
    Claim,
    Known,
    Match,
    MessageDecision,
    NextStep,
    Refuse,
    Settle,
    decide,
    decide_rejected,
    decide_unread,
)
from importer.domain.messages.skip_reason import VANISHED, SkipReason
from importer.domain.planning.retry_limits import LEGS_WITH_SECOND_ATTEMPTS, MAX_UNREAD_ATTEMPTS
from importer.domain.receipts.folder_tally import RefusalCode
from importer.domain.receipts.receipt import CopyNote, Outcome
from providers.text import Text

SEVEN: Final = Uid(7)
SAME: Final = Match(SEVEN, changed=False)
TOO_OLD: Final = SkipReason("before_date", "2020-01-01")
RECOGNISED: Final = Match(SEVEN, changed=True)

CASES: Final[dict[str, tuple[Known, MessageDecision]]] = {
    "new": (Known(), NextStep.COPY),
    "left out": (Known(left_out=TOO_OLD), Settle(Outcome.SKIPPED, TOO_OLD)),
    "copied twice by this import": (Known(recorded=Outcome.DUPLICATE), Settle(Outcome.DUPLICATE)),
    "copied by an earlier import": (Known(recorded=Outcome.PRESENT), Settle(Outcome.PRESENT)),
    "there, byte for byte": (Known(match=SAME), Settle(Outcome.PRESENT, uid=SEVEN)),
    "there, changed by a program": (
        Known(match=RECOGNISED),
        Settle(Outcome.PRESENT, CopyNote.CHANGED_ELSEWHERE, SEVEN),
    ),
    "perhaps there, unreadable": (Known(unreadable=True), Refuse(RefusalCode.NOT_COMPARED, NOT_COMPARED)),
    "a twin in the same batch": (Known(claim=Claim.BATCH), NextStep.FOLLOW),
    "another lane appends it": (Known(claim=Claim.LANE), NextStep.DEFER),
    "perhaps there, altered": (Known(altered=True), NextStep.HOLD_BACK),
    "perhaps there, altered, even now": (
        Known(altered=True, indistinguishable=True),
        Refuse(RefusalCode.NOT_COMPARED, INDISTINGUISHABLE),
    ),
    # Where several rows apply, the first one counts.
    "left out, though copied": (
        Known(left_out=TOO_OLD, recorded=Outcome.PRESENT, match=SAME, claim=Claim.LANE),
        Settle(Outcome.SKIPPED, TOO_OLD),
    ),
    "copied, and there": (Known(recorded=Outcome.DUPLICATE, match=SAME), Settle(Outcome.DUPLICATE)),
    "copied meanwhile by another lane": (
        Known(recorded=Outcome.DUPLICATE, claim=Claim.LANE),
        Settle(Outcome.DUPLICATE),
    ),
    "there, while another cannot be read": (
        Known(match=SAME, unreadable=True),
        Settle(Outcome.PRESENT, uid=SEVEN),
    ),
    "there, while another lane appends it": (
        Known(match=SAME, claim=Claim.LANE),
        Settle(Outcome.PRESENT, uid=SEVEN),
    ),
    "unreadable, while another lane appends it": (
        Known(unreadable=True, claim=Claim.LANE),
        Refuse(RefusalCode.NOT_COMPARED, NOT_COMPARED),
    ),
    "a twin of what may be there, altered": (Known(claim=Claim.BATCH, altered=True), NextStep.FOLLOW),
    "altered, while another lane appends it": (Known(claim=Claim.LANE, altered=True), NextStep.HOLD_BACK),
}

EVERYTHING_KNOWN: Final = [
    Known(*values)
    for values in product(
        (None, TOO_OLD),
        (None, Outcome.DUPLICATE, Outcome.PRESENT),
        (None, SAME, RECOGNISED),
        (False, True),
        Claim,
        (False, True),
        (False, True),
    )
]

KINDS: Final[dict[str, Callable[[MessageDecision], bool]]] = {
    "skipped": lambda decision: decision == Settle(Outcome.SKIPPED, TOO_OLD),
    "duplicate": lambda decision: decision == Settle(Outcome.DUPLICATE),
    "present": lambda decision: isinstance(decision, Settle) and decision.outcome is Outcome.PRESENT,
    "refused": lambda decision: isinstance(decision, Refuse),
    "open": lambda decision: isinstance(decision, NextStep),
}


def expected_kind(known: Known) -> str:
    """The kind of decision, in the words of docs/design/transfer.md."""
    if known.left_out:
        return "skipped"
    if known.recorded:
        return known.recorded.value
    if known.match:
        return "present"
    return "refused" if known.unreadable or known.indistinguishable else "open"


@pytest.mark.parametrize("case", CASES)
def test_each_case_has_its_decision(case: str) -> None:
    known, expected = CASES[case]
    assert decide(known) == expected


def test_exactly_one_outcome_comes_of_everything_that_can_be_known() -> None:
    assert len(EVERYTHING_KNOWN) == 432
    for known in EVERYTHING_KNOWN:
        decision = decide(known)
        assert [kind for kind, fits in KINDS.items() if fits(decision)] == [expected_kind(known)], known


def test_a_message_is_copied_only_if_nothing_speaks_against_it() -> None:
    assert [known for known in EVERYTHING_KNOWN if decide(known) is NextStep.COPY] == [Known()]


def test_a_content_that_is_claimed_is_never_copied_at_the_same_time() -> None:
    claimed = [known for known in EVERYTHING_KNOWN if known.claim is not Claim.NONE]
    assert {decide(known) for known in claimed if isinstance(decide(known), NextStep)} == {
        NextStep.FOLLOW,
        NextStep.DEFER,
        NextStep.HOLD_BACK,
    }


UNREAD: Final[dict[str, tuple[NotHandedOut | None, bool, int, MessageDecision]]] = {
    "gone": (None, False, 0, Settle(Outcome.SKIPPED, VANISHED)),
    "gone, says a session that still showed it": (
        NotHandedOut(SEVEN, Text("other.words", words="no content")),
        False,
        0,
        Settle(Outcome.SKIPPED, VANISHED),
    ),
    "not mentioned": (None, True, 0, Refuse(RefusalCode.NOT_HANDED_OUT, NOT_HANDED_OUT)),
    "refused": (
        NotHandedOut(SEVEN, Text("other.words", words="no content")),
        True,
        0,
        Refuse(RefusalCode.NOT_HANDED_OUT, Text("other.words", words="no content")),
    ),
    "too large for us": (
        NotHandedOut(SEVEN, Text("other.words", words="300 MB"), too_large=True),
        True,
        0,
        Refuse(RefusalCode.BEYOND_LIMIT, Text("other.words", words="300 MB")),
    ),
    "broke the connection": (
        NotHandedOut(SEVEN, Text("other.words", words="broken"), broke_connection=True),
        True,
        MAX_UNREAD_ATTEMPTS - 1,
        NextStep.LEAVE,
    ),
    "broke it leg after leg": (
        NotHandedOut(SEVEN, Text("other.words", words="broken"), broke_connection=True),
        True,
        MAX_UNREAD_ATTEMPTS,
        Refuse(RefusalCode.NOT_HANDED_OUT, Text("other.words", words="broken")),
    ),
}


@pytest.mark.parametrize("case", UNREAD)
def test_a_message_that_was_not_delivered(case: str) -> None:
    answer, listed, attempts, expected = UNREAD[case]
    assert decide_unread(answer, listed=listed, attempts=attempts) == expected


NO: Final = Text("not_taken", words="no")
REFUSED: Final = Refuse(RefusalCode.NOT_TAKEN, NO)
REJECTED: Final[dict[str, tuple[Rejected, bool, int, Refuse | NextStep]]] = {
    "for the first time": (Rejected(NO), False, 0, NextStep.TRY_AGAIN),
    "for the first time, in the last legs": (Rejected(NO), False, LEGS_WITH_SECOND_ATTEMPTS, REFUSED),
    "passing, in the last legs": (
        Rejected(NO, passing=True),
        False,
        LEGS_WITH_SECOND_ATTEMPTS,
        NextStep.TRY_AGAIN,
    ),
    "for certain": (Rejected(NO, certain=True), False, 0, REFUSED),
    "sent apart": (Rejected(NO), True, 0, REFUSED),
    "passing, sent apart": (Rejected(NO, passing=True), True, 0, REFUSED),
}


@pytest.mark.parametrize("case", REJECTED)
def test_a_message_that_was_rejected(case: str) -> None:
    rejected, apart, attempts, expected = REJECTED[case]
    assert decide_rejected(rejected, apart=apart, attempts=attempts) == expected
