"""The decision about one message, as pure functions of the facts about it.

`decide` is consulted before an append, `decide_unread` if the source did not deliver the message, and
`decide_rejected` after the destination rejected it. A decision is an outcome without an append (`Settle`), an
outcome in the report (`Refuse`), or a `NextStep` after which the message is decided about again.
`tests/unit/test_message_decision.py` has the table of all cases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import Enum
from typing import Final, NamedTuple, TypeAlias

from importer.compact.uid_set import Uid
from importer.domain.mailbox_content import NotHandedOut, Rejected
from importer.domain.messages.skip_reason import VANISHED, SkipReason
from importer.domain.planning.retry_limits import LEGS_WITH_SECOND_ATTEMPTS, MAX_UNREAD_ATTEMPTS
from importer.domain.receipts.folder_tally import RefusalCode
from importer.domain.receipts.receipt import CopyNote, Outcome, ReceiptReason
from providers.frozen import frozen
from providers.text import Text

NOT_COMPARED: Final = Text("not_compared")
INDISTINGUISHABLE: Final = Text("not_compared.numbered_anew")
NOT_HANDED_OUT: Final = Text("not_handed_out")


class Settle(NamedTuple):
    """PRESENT, DUPLICATE or SKIPPED, without an append. `uid` is that of the equal message at the
    destination, if it was found there."""

    outcome: Outcome
    reason: ReceiptReason = None
    uid: Uid | None = None


class Refuse(NamedTuple):
    """FAILED, with a reason for the report."""

    code: RefusalCode
    reason: Text


class NextStep(Enum):
    """The next step for a message that has no outcome yet."""

    COPY = "append it"
    FOLLOW = "the append of an equal message in the same batch decides"
    DEFER = "another lane appends an equal message: decide again once that has its outcome"
    HOLD_BACK = "decide again once all other messages have an outcome"
    TRY_AGAIN = "later in this leg, alone"
    LEAVE = "the next leg fetches it again"


MessageDecision: TypeAlias = Settle | Refuse | NextStep


class Match(NamedTuple):
    """A message at the destination that equals a source message. `changed`: only in its canonical form."""

    uid: Uid
    changed: bool


@frozen
class Findings:
    """The messages that were searched for in a destination folder, by their digests.

    `matches` are there. `unknown` may be there: a message that could be equal cannot be read. All others are
    not there.
    """

    matches: Mapping[bytes, Match] = field(default_factory=dict)
    unknown: frozenset[bytes] = frozenset()


class Claim(Enum):
    """Which append has claimed the content of a message."""

    NONE = "no lane"
    BATCH = "this lane, in the same batch"
    LANE = "another lane, or this one in an earlier batch"


class Known(NamedTuple):  # one per message, so a NamedTuple, as Message is
    """The facts about a message before it is appended.

    `left_out`: why it is not to be copied although it could be; None if it is. `recorded`: the
    outcome of a further message with its content (`FolderHistory.again`), None if the content has no receipt.
    `match`: the equal message at the destination. `unreadable`: a message there that may be equal cannot be
    read. `altered`: it was copied into an earlier folder of that name, and a message there may be that copy,
    changed by the server; `indistinguishable`: even now that the others were compared.
    """

    left_out: SkipReason | None = None
    recorded: Outcome | None = None
    match: Match | None = None
    unreadable: bool = False
    claim: Claim = Claim.NONE
    altered: bool = False
    indistinguishable: bool = False


def decide(known: Known) -> MessageDecision:
    """Decide about a message that was fetched: of the rows that apply, the first one counts."""
    outcome = _without_append(known)
    if outcome is not None:
        return outcome
    if known.claim is Claim.BATCH:
        return NextStep.FOLLOW
    if known.altered:
        return NextStep.HOLD_BACK
    return NextStep.COPY if known.claim is Claim.NONE else NextStep.DEFER


def _without_append(known: Known) -> Settle | Refuse | None:
    if known.left_out is not None:
        return Settle(Outcome.SKIPPED, known.left_out)
    if known.recorded is not None:
        return Settle(known.recorded)
    if known.match is not None:
        return Settle(
            Outcome.PRESENT, CopyNote.CHANGED_ELSEWHERE if known.match.changed else None, known.match.uid
        )
    if known.unreadable:
        return Refuse(RefusalCode.NOT_COMPARED, NOT_COMPARED)
    if known.indistinguishable:
        return Refuse(RefusalCode.NOT_COMPARED, INDISTINGUISHABLE)
    return None


def decide_unread(answer: NotHandedOut | None, *, listed: bool, attempts: int) -> MessageDecision:
    """Decide about a message that was requested and not delivered. `answer` is None if the source did not
    mention it; `listed`: it still lists it; `attempts`: legs without progress before this one.

    A server may still show a removed message in a session that has the folder open, without its content
    (RFC 2180 section 4.1), so its answer alone decides nothing. If the message broke connections, the network
    may be the cause.
    """
    if not listed:
        return Settle(Outcome.SKIPPED, VANISHED)
    if answer is None:
        return Refuse(RefusalCode.NOT_HANDED_OUT, NOT_HANDED_OUT)
    if answer.broke_connection and attempts < MAX_UNREAD_ATTEMPTS:
        return NextStep.LEAVE
    code = RefusalCode.BEYOND_LIMIT if answer.too_large else RefusalCode.NOT_HANDED_OUT
    return Refuse(code, answer.reason)


def decide_rejected(rejected: Rejected, *, apart: bool, attempts: int) -> Refuse | NextStep:
    """Decide about a message that the destination rejected: it gets a second attempt unless it was sent
    `apart`, alone because of a doubt, or another attempt cannot change the answer."""
    no_time = attempts >= LEGS_WITH_SECOND_ATTEMPTS and not rejected.passing
    if apart or rejected.certain or no_time:
        return Refuse(RefusalCode.NOT_TAKEN, rejected.reason)
    return NextStep.TRY_AGAIN
