"""Messages whose append failed without a final result: the connection ended, or the server refused the
message once while it may accept others. Each is tried again, in the end alone, before it is refused.

A batch that ended the connection is tried once more unchanged, since the network may be the cause. After
that, or immediately if the server said BYE, its messages are tried alone. A refused message is tried once
more, alone and on a new connection.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from importer.compact.uid_set import Uid, UidSet
from importer.domain.receipts.folder_tally import Refusal
from providers.text import Text

ALONE_FROM: Final = 2
"""Lost appends from which on a message is sent alone."""

SAMPLE: Final = 20
"""Refused messages that are tried again first. If the server confirms each refusal, the refusals of the
others are final, too."""


@dataclass(slots=True)
class Doubt:
    """The destination's responses to one message so far."""

    lost: int = 0  # appends of it that ended the connection
    lost_apart: bool = False  # also alone, but behind others on the connection
    lost_alone: int = 0  # alone, as the first one on a connection
    stored_batches: int = 0  # in the leg, when it was lost for the first time
    refusal: Refusal | None = None  # after one refusal


class Doubts:
    """The doubts of one pair of folders. Callers hold the lock of the pair."""

    def __init__(self) -> None:
        self._doubts: dict[Uid, Doubt] = {}
        self._confirmed: set[Text] = set()  # reasons that a second try confirmed
        self._refuted = False  # a second try stored the message

    def __bool__(self) -> bool:
        return bool(self._doubts)

    def lost(self, uids: Iterable[Uid], stored_batches: int, *, announced: bool) -> None:
        """The append of these messages, the first that were not stored, ended the connection."""
        members = list(uids)
        for uid in members:
            doubt = self._first(uid, stored_batches)
            doubt.lost_apart = doubt.lost >= ALONE_FROM
            doubt.lost += ALONE_FROM if announced or len(members) == 1 else 1

    def lost_alone(self, uid: Uid, stored_batches: int) -> tuple[int, int]:
        """The connection ended although this message was sent alone, as the first one. Return how often, and
        the number of stored batches when it ended at this message for the first time."""
        doubt = self._first(uid, stored_batches)
        doubt.lost += ALONE_FROM
        doubt.lost_alone += 1
        return doubt.lost_alone, doubt.stored_batches

    def _first(self, uid: Uid, stored_batches: int) -> Doubt:
        doubt = self._doubts.setdefault(uid, Doubt())
        if not doubt.lost:
            doubt.stored_batches = stored_batches
        return doubt

    def first(self, uid: Uid) -> bool:
        """Whether the message has to be the first one on a connection, so that no earlier command can be the
        reason why the connection ends."""
        doubt = self._doubts.get(uid)
        return doubt is not None and (doubt.lost_apart or doubt.lost_alone > 0)

    def was_refused(self, uid: Uid) -> bool:
        doubt = self._doubts.get(uid)
        return doubt is not None and doubt.refusal is not None

    def refused(self, refusal: Refusal) -> None:
        """The server refused the message once."""
        if refusal.uid is not None:
            self._doubts.setdefault(refusal.uid, Doubt()).refusal = refusal

    def settled(self, uid: Uid, refusal: Refusal | None = None) -> None:
        """A message that was tried alone has an outcome: `refusal`, or it was stored."""
        doubt = self._doubts.pop(uid, None)
        if doubt is None or doubt.refusal is None:
            return
        if refusal is None:
            self._refuted = True
        else:
            self._confirmed.add(doubt.refusal.reason)

    def drop(self, uid: Uid) -> None:
        """A message was not tried again: it is left to the next leg, or has an outcome without an append."""
        self._doubts.pop(uid, None)

    def believed(self) -> list[Refusal]:
        """Remove and return the refusals that need no second try: the server confirmed a sample of them."""
        if self._refuted:
            return []
        refusals = [
            doubt.refusal
            for doubt in self._doubts.values()
            if doubt.refusal is not None and not doubt.lost and doubt.refusal.reason in self._confirmed
        ]
        for refusal in refusals:
            if refusal.uid is not None:
                del self._doubts[refusal.uid]
        return refusals

    def forget_settled(self, pending: UidSet) -> None:
        """Keep the doubts about `pending` messages only."""
        self._doubts = {uid: doubt for uid, doubt in self._doubts.items() if uid in pending}

    @property
    def batched(self) -> UidSet:
        """Messages to send once more in batches."""
        return UidSet.of(
            uid for uid, doubt in self._doubts.items() if doubt.refusal is None and doubt.lost < ALONE_FROM
        )

    @property
    def alone(self) -> UidSet:
        """Messages to send alone; of those that were refused, a sample at first."""
        lost = [
            uid for uid, doubt in self._doubts.items() if doubt.refusal is None and doubt.lost >= ALONE_FROM
        ]
        refused = [uid for uid, doubt in self._doubts.items() if doubt.refusal is not None]
        return UidSet.of((*lost, *(refused if self._refuted else refused[:SAMPLE])))

    @property
    def all(self) -> UidSet:
        return UidSet.of(self._doubts)
