"""The state that lanes share while they copy one pair of folders.

Invariants:
- One lock guards all of it. It is held in no call to a server or to the ledger. Only this class and its
  extension for the lane that works alone (`owned_folder_state.py`) see it.
- A content that a lane is about to append is claimed in the step that decides so. Another lane that meets the
  same content defers the message until the outcome of the first append is known; after a lost reply the claim
  remains until the next pass has settled it.
- The history gets what the ledger already holds, never more.
- Properties are snapshots: another lane may change the number before it is used.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence

from importer.compact.uid_set import Uid, UidSet
from importer.domain.messages.message_decision import (
    Claim,
    Findings,
    Known,
    MessageDecision,
    NextStep,
    decide,
)
from importer.domain.messages.message_key import MessageKey
from importer.domain.messages.skip_reason import SkipReason
from importer.domain.planning.message_batches import MessageBatch
from importer.domain.receipts.folder_history import FolderHistory, with_batch
from importer.domain.receipts.folder_tally import FolderTally, Refusal, RefusalCode
from importer.domain.receipts.receipt import Outcome, Receipt
from importer.engine.copy_target import Target
from importer.engine.doubts import Doubts
from importer.engine.folder_trouble import FolderTrouble
from importer.engine.leg_context import Leg
from importer.ports.mailbox_errors import FolderChanged, QuotaExceeded
from providers.errors import MailError


class FolderState:
    """The shared state of one pair. Thread-safe; see the head of this file."""

    def __init__(self, leg: Leg, history: FolderHistory, destination: str, *, labels: bool) -> None:
        """`destination` is the name of the destination folder. `labels`: the source folder shares its UIDs
        with other folders, so that only a new survey can tell how it was renumbered."""
        self.leg = leg
        self.destination = destination
        self._labels = labels
        self._lock = threading.Lock()
        self._history = history
        self._target: Target | None = None
        self._uidnext = Uid(1)
        self._queue: deque[MessageBatch] = deque()
        self._claims: set[bytes] = set()  # digests that lanes are about to append
        self._deferred: dict[Uid, MessageKey] = {}
        self._held_back: dict[Uid, MessageKey] = {}
        self._cleared: set[Uid] = set()  # were held back and may be sent now
        self._doubts = Doubts()
        self._trouble = FolderTrouble(history.source.name)
        self._unfetched = UidSet()
        self._tally = FolderTally(history.source.name, destination)
        self._remaining = 0
        self._probes = 0  # batches taken while the destination may be full

    # --- For every lane: batches ---------------------------------------------------------------------

    def take(self) -> MessageBatch | None:
        """The next batch, or as much of it as takes BATCH_S, or little if the destination may be full. None
        if the queue is empty."""
        with self._lock:
            if not self._queue:
                return None
            most = self.leg.pace.most_messages
            if self.leg.traits.may_be_full(self.destination):  # more and more, if all of it is there already
                most, self._probes = min(most, 1 << min(self._probes, 20)), self._probes + 1
            batch, rest = self._queue.popleft().split(most)
            if rest is not None:
                self._queue.appendleft(rest)
            return batch

    def put_back(self, batch: MessageBatch) -> None:
        """Return a batch that the lane cannot start yet to the front of the queue, unless the pass is over:
        the next one lists its messages again."""
        with self._lock:
            if not self._trouble.pass_over:
                self._queue.appendleft(batch)

    @property
    def queued_batches(self) -> int:
        return len(self._queue)

    @property
    def target(self) -> Target:
        """The target of the messages of this pass. Raises RuntimeError if there is nothing to copy."""
        if self._target is None:
            raise RuntimeError("this pair has no messages to copy")
        return self._target

    @property
    def uidnext(self) -> Uid:
        """A lower bound for the UIDs of the next append."""
        return self._uidnext

    def note_uidnext(self, uidnext: Uid) -> None:
        """The destination reported `uidnext`, before any append that is sent from now on."""
        self._uidnext = uidnext

    # --- For every lane: decisions -------------------------------------------------------------------

    def unrecorded(self, keys: Iterable[MessageKey]) -> set[Uid]:
        """The messages whose content has no receipt."""
        with self._lock:
            return {key.uid for key in keys if not self._history.knows(key.digest)}

    def waiting(self, keys: Iterable[MessageKey]) -> list[MessageKey]:
        """The messages without a receipt that `claim` would hold back."""
        with self._lock:
            return [key for key in keys if self._may_be_altered(key) and not self._history.knows(key.digest)]

    def claim(
        self,
        keys: Sequence[MessageKey],
        left_out: Mapping[Uid, SkipReason],
        findings: Findings,
        indistinguishable: Collection[Uid],
    ) -> list[MessageDecision]:
        """Decide about the messages of one batch. In the same step the content of each message to copy is
        claimed, and messages to defer or to hold back are kept for the end of the pass.

        `left_out`: source UID -> why the message is not to be copied. `indistinguishable`: UIDs of messages
        that need not be held back, since it is certain by now that they cannot be told from one there.
        """
        decisions: list[MessageDecision] = []
        claimed: set[bytes] = set()
        matches, unknown, history = findings.matches, findings.unknown, self._history
        with self._lock:
            for key in keys:
                content = key.digest
                decision = decide(
                    Known(
                        left_out.get(key.uid),
                        history.again(content),
                        matches.get(content),
                        content in unknown,
                        Claim.BATCH
                        if content in claimed
                        else Claim.LANE
                        if content in self._claims
                        else Claim.NONE,
                        history.has_former and self._may_be_altered(key),
                        key.uid in indistinguishable,
                    )
                )
                if decision is NextStep.COPY:
                    claimed.add(content)
                elif decision is NextStep.DEFER:
                    self._deferred[key.uid] = key._replace(header=b"")
                elif decision is NextStep.HOLD_BACK:
                    self._held_back[key.uid] = key
                decisions.append(decision)
            self._claims |= claimed
        return decisions

    def _may_be_altered(self, key: MessageKey) -> bool:
        return (
            key.digest in self._history.former
            and key.uid not in self._cleared
            and self.target.existing.may_be_altered(key.header)
        )

    @property
    def recognised(self) -> UidSet:
        """UIDs in the destination folder that have a receipt."""
        with self._lock:
            return self._history.destination_uids

    def new_numbers(self, uids: Sequence[Uid]) -> Sequence[Uid]:
        """Those of the UIDs in the destination folder that have no receipt."""
        with self._lock:
            return self._history.new_numbers(uids)

    def was_sent(self, content: bytes) -> bool:
        """Whether a message with this digest has a receipt, or had one for an earlier folder of that name."""
        with self._lock:
            return content in self._history.former or self._history.knows(content)

    def clear(self, uids: Iterable[Uid]) -> None:
        """These messages need not be held back any more."""
        with self._lock:
            self._cleared.update(uids)

    def defer(self, keys: Iterable[MessageKey]) -> None:
        """Decide about these messages again at the end of the pass."""
        with self._lock:
            self._deferred |= {key.uid: key._replace(header=b"") for key in keys}

    def leave(self, uids: UidSet) -> None:
        """Leave messages to the next leg, without an outcome: this leg could not fetch them, or there is no
        room for them."""
        with self._lock:
            self._unfetched |= uids
            for uid in uids:
                self._doubts.drop(uid)

    # --- For every lane: outcomes --------------------------------------------------------------------

    def record(
        self,
        receipts: Sequence[Receipt],
        refusals: Sequence[Refusal],
        *,
        closes_slot: int | None = None,
        releases: Collection[bytes] = (),
    ) -> None:
        """Write to the ledger in one transaction, then add the same to the history and release the claims of
        these digests. Raises LeaseLost."""
        leg = self.leg
        leg.ledger.record(
            leg.import_.route, self.destination, receipts, refusals, leg.lease, closes_slot=closes_slot
        )
        self.add(receipts, refusals, releases=releases)

    def add(
        self,
        receipts: Sequence[Receipt],
        refusals: Sequence[Refusal] = (),
        *,
        releases: Collection[bytes] = (),
    ) -> None:
        """Add to the history and the tally what the ledger already holds."""
        with self._lock:
            self._history.extend(receipts)
            self._history.refuse(refusals)
            if self._doubts:
                for receipt in receipts:
                    is_stored = receipt.outcome is Outcome.COPIED
                    for uid in receipt.source_uids:
                        (self._doubts.settled if is_stored else self._doubts.drop)(uid)
                for refusal in refusals:
                    if refusal.uid is None:
                        continue
                    if refusal.code is RefusalCode.NOT_TAKEN:
                        self._doubts.settled(refusal.uid, refusal)
                    else:
                        self._doubts.drop(refusal.uid)
            self._tally = with_batch(self._tally, receipts, refusals)
            settled = sum(len(receipt.source_uids) for receipt in receipts)
            self._remaining -= settled + sum(_is_outcome(refusal) for refusal in refusals)
            self._claims.difference_update(releases)

    @property
    def tally(self) -> FolderTally:
        """The tally as of now."""
        return self._tally

    @property
    def remaining(self) -> int:
        """The number of messages that have no outcome yet."""
        return self._remaining

    # --- For every lane: doubts and trouble ----------------------------------------------------------

    def doubt_lost(self, uids: Sequence[Uid], stored_batches: int, *, announced: bool) -> None:
        """The connection ended while these messages were sent. They are tried again in a further pass."""
        with self._lock:
            self._doubts.lost(uids, stored_batches, announced=announced)

    def doubt_lost_alone(self, uid: Uid, stored_batches: int) -> tuple[int, int]:
        """The connection ended while a message was sent alone, as the first one. Return how often it did, and
        `stored_batches` when it was lost for the first time."""
        with self._lock:
            return self._doubts.lost_alone(uid, stored_batches)

    def doubt_refused(self, refusal: Refusal) -> None:
        """The destination refused a message for the first time. It is tried again in a further pass."""
        with self._lock:
            self._doubts.refused(refusal)

    def needs_new_connection(self, uid: Uid) -> bool:
        """Whether this message, which is in doubt, has to be the first one on its connection."""
        with self._lock:
            if self._doubts.first(uid):
                return True
            refused = self._doubts.was_refused(uid)
        return refused and self.leg.traits.may_renew()

    def trouble(self, error: MailError) -> None:
        """One of the folders cannot be used, is full, was recreated, or ends connections: the pass ends, and
        another one follows unless the folder is given up (`FolderTrouble`). Raises `error` if the leg has to
        end."""
        if isinstance(error, FolderChanged) and self._labels:
            raise error
        if isinstance(error, QuotaExceeded) and self.leg.traits.is_full(self.destination):
            raise error
        with self._lock:
            self._queue.clear()
            self._trouble.note(error, self.leg.import_.attempts, self.leg.traits.may_renew)

    @property
    def pass_over(self) -> bool:
        """Whether the pass ends early."""
        return self._trouble.pass_over

    @property
    def full(self) -> QuotaExceeded | None:
        """Why messages were left for which the destination folder has no room."""
        return self._trouble.full

    # --- What the pass has left ----------------------------------------------------------------------

    @property
    def unfetched(self) -> UidSet:
        """The messages that were left to the next leg."""
        return self._unfetched

    @property
    def left_undone(self) -> int:
        """The number of messages that were left without an outcome after all passes."""
        return len(self._doubts.all)


def _is_outcome(refusal: Refusal) -> bool:
    """Whether a message has its outcome with the refusal: not a whole folder, and not a message that has a
    receipt."""
    return refusal.uid is not None and refusal.code is not RefusalCode.NEVER_SEEN
