"""One source folder into one destination folder, by any number of lanes at a time.

A lane `prepare`s the pair, lanes `take` and `copy` batches, and when nothing is left to take and nobody
copies any more, one of them `finish`es it with a recount.

Invariants:
- All that lanes share is behind `lock`; nobody holds it while talking to a server.
- A content that one lane is about to append is claimed; another lane that meets it puts it off until the
  first one's outcome is known.
- The history is rebuilt from the ledger in `prepare`: no decision rests on what an earlier pair left behind.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final, NamedTuple

from importer.compact.uid_set import Ascending, Uid, UidSet, UidValidity
from importer.concurrency import run_both
from importer.domain.model import (
    ANY_UIDVALIDITY,
    FolderCheckpoint,
    FolderRef,
    FolderStatus,
    FolderTally,
    KeywordRule,
    Outcome,
    Receipt,
    Refusal,
    RefusalCode,
)
from importer.domain.planning.message_batches import MessageBatch, batches
from importer.domain.receipts.folder_history import FolderHistory, with_batch
from importer.engine.existing_mail import ForeignMail
from importer.engine.flag_updates import bring_flags
from importer.engine.leg_context import Lane, Leg
from importer.engine.recount import recount
from importer.engine.settle import settle
from providers.errors import FolderUnusable

REFUSED_AT_ONCE: Final = 1000
"""Refusals of a folder that cannot be used: so many are held, and written in one transaction."""


@dataclass(frozen=True, slots=True)
class _There:
    """The destination folder, and which keywords it takes; None when it takes nothing at all."""

    status: FolderStatus
    rule: KeywordRule | None


@dataclass(frozen=True, slots=True)
class Target:
    """The destination folder, made ready for appending."""

    folder: FolderRef
    rule: KeywordRule
    limit_bytes: int | None
    foreign: ForeignMail


class Deferred(NamedTuple):
    """A message whose content another lane was about to append."""

    size_bytes: int
    digest: bytes


class FolderCopy:
    """The shared work of one pair of folders."""

    def __init__(
        self,
        leg: Leg,
        name: str,
        shown: FolderStatus,
        destination: str,
        checkpoint: FolderCheckpoint | None = None,
    ) -> None:
        """`checkpoint` is how the folder stood when it was copied to its end before."""
        self.leg = leg
        self.source = source = shown.ref(name)
        self._status = shown
        self._checkpoint = checkpoint
        self._flags_updated = (
            checkpoint.tally.flags_updated
            if checkpoint is not None and checkpoint.import_id == leg.import_.id
            else 0
        )
        self.destination = destination
        self.lock = threading.Lock()
        self.history = FolderHistory(leg.import_.id, source, FolderRef(destination, ANY_UIDVALIDITY))
        self.uidnext = Uid(1)  # what we append lands at or above it
        self.claims: set[bytes] = set()  # digests that lanes are about to append
        self._shown = UidSet()
        self._target: Target | None = None
        self._waiting: deque[MessageBatch] = deque()
        self._put_off: dict[Uid, Deferred] = {}
        self._unusable: str | None = None
        self._unread = UidSet()
        self._tally = FolderTally(source.name, destination)
        self._left = 0
        self._limit_bytes: int | None = None  # what the destination takes

    # --- The life of a pair ------------------------------------------------------------------------

    def prepare(self, lane: Lane) -> None:
        """Settles what is doubtful, finds out what is to do. Trouble with a folder is kept for `finish`."""
        try:
            settle(self.leg, lane, self.destination)
            self._limit_bytes = lane.destination.append_limit_bytes()
            receipts = self._receipts()
            first = next(receipts, None)
            there, listed = run_both(lambda: self._look(lane), lambda: self._list(lane, anew=first is None))
            self._recall(there, receipts if first is None else chain((first,), receipts))
            if isinstance(listed, FolderUnusable):
                raise listed
            todo = self._begin()
            if todo:
                self._target = self._made_ready(lane, there or self._recreate(lane))
                # Unless some of it is settled or refused already.
                self._waiting.extend(listed if listed and todo == self._shown else self._sized(lane, todo))
        except FolderUnusable as error:
            self.give_up(str(error))

    def _begin(self) -> UidSet:
        todo = self.history.todo(self._shown)
        self._tally = self._counted()
        self._left = len(todo)
        return todo

    def _counted(self) -> FolderTally:
        tally = self.history.tally(self._shown, self.destination)
        return replace(tally, elsewhere=self._status.elsewhere, flags_updated=self._flags_updated)

    def take(self) -> MessageBatch | None:
        """The next batch for a lane, None when there is none to hand out."""
        with self.lock:
            return self._waiting.popleft() if self._waiting else None

    def put_back(self, batch: MessageBatch) -> None:
        """A batch that was taken too early, for whoever takes next."""
        with self.lock:
            if self._unusable is None:
                self._waiting.appendleft(batch)

    def put_off(self, messages: dict[Uid, Deferred]) -> None:
        """Messages whose content another lane is appending: they are decided after it. Call it under lock."""
        self._put_off.update(messages)

    def leave(self, uids: UidSet) -> None:
        """Messages that this leg does not get: they have no outcome, and the next one tries again."""
        with self.lock:
            self._unread |= uids

    @property
    def unread(self) -> int:
        """How many were left."""
        return len(self._unread)

    def give_up(self, reason: str) -> None:
        """A folder cannot be used any more; what is left will be refused when the pair is finished."""
        with self.lock:
            self._unusable = reason
            self._waiting.clear()
            self._put_off.clear()

    def finish(self) -> bool:
        """For the last lane that worked on the pair. False when there is more to do: messages put off."""
        # In a folder that was given up nobody's outcome will be known: what was put off is refused.
        if self._put_off and self._unusable is None:
            self._settle_twins()
            with self.lock:
                sizes = [(uid, one.size_bytes) for uid, one in self._put_off.items()]
                self._waiting.extend(self._grouped(sizes))
                self._put_off.clear()
            if self._waiting:
                return False
        if self._unusable is not None:
            self._refuse_rest(self._unusable)
        return True

    def _settle_twins(self) -> None:
        """What was put off and is there by now needs no fetching again."""
        settled: dict[Outcome, dict[Uid, bytes]] = {}
        for uid, one in self._put_off.items():
            outcome = self.history.again(one.digest)
            if outcome is not None:
                settled.setdefault(outcome, {})[uid] = one.digest
        receipts = [
            Receipt(
                import_id=self.leg.import_.id,
                source=self.source,
                source_uids=tuple(twins),
                outcome=outcome,
                destination=self.target.folder,
                digests=b"".join(twins.values()),
            )
            for outcome, twins in settled.items()
        ]
        if receipts:
            self.record(receipts, [])
        for receipt in receipts:
            for uid in receipt.source_uids:
                del self._put_off[uid]

    def recount(self, lane: Lane) -> tuple[FolderTally, bool]:
        """The account with its recount; True when mail came in at the source meanwhile. What came to a
        good end is marked, so that nobody need look again while nothing changes."""
        tally = self.tally
        try:
            if self.leg.import_.sync_flags and self._unusable is None:
                self._bring_flags(lane)
            result = recount(lane, self.history, self._counted())
        except FolderUnusable:
            return tally, False
        arrived = bool(result.arrived - self._unread) and self._unusable is None
        if not arrived:
            self._mark(result.tally)
        return result.tally, arrived

    def release(self) -> None:
        """All is done: only its numbers are asked for, and what it remembers would add up over folders."""
        self.history = FolderHistory(self.leg.import_.id, self.source, self.history.destination)
        self._shown, self._target = UidSet(), None

    def _bring_flags(self, lane: Lane) -> None:
        """After all is copied: the mark that follows says that flags are as they were at the survey."""
        checkpoint, source = self._checkpoint, self._status
        same = checkpoint is not None and (checkpoint.status.uidvalidity, checkpoint.destination) == (
            source.uidvalidity,
            self.history.destination,
        )
        since = checkpoint.status.highest_modseq if checkpoint is not None and same else 0
        self._flags_updated += bring_flags(self.leg, lane, self.history, since)

    def _mark(self, tally: FolderTally) -> None:
        status = self._status
        as_surveyed = len(self._shown) == status.messages and not self._shown.at_or_above(status.uidnext)
        sound = tally.adds_up and not tally.failed and tally.confirmed == tally.copied
        if as_surveyed and sound and self._unusable is None:
            highest = self.history.destination_uids.highest or Uid(0)
            checkpoint = FolderCheckpoint(
                self.leg.import_.id, status, self.history.destination, highest, tally
            )
            self.leg.ledger.checkpoint(self.leg.import_.route, checkpoint, self.leg.lease)

    # --- What lanes ask ------------------------------------------------------------------------------

    @property
    def target(self) -> Target:
        """Once `prepare` found something to do."""
        if self._target is None:
            raise RuntimeError("nothing is to do in this pair")
        return self._target

    @property
    def tally(self) -> FolderTally:
        """As of now."""
        return self._tally

    @property
    def left(self) -> int:
        """How many messages still have to be looked at."""
        return self._left

    @property
    def shown_messages(self) -> int:
        """How many messages the survey counted at the source."""
        return self._status.messages

    @property
    def waiting(self) -> int:
        """How many batches there are to hand out."""
        return len(self._waiting)

    def record(
        self, receipts: list[Receipt], refusals: list[Refusal], *, closes_slot: int | None = None
    ) -> None:
        """One ledger transaction; the history learns it too."""
        self.leg.ledger.record(
            self.leg.import_.route,
            self.destination,
            receipts,
            refusals,
            self.leg.lease,
            closes_slot=closes_slot,
        )
        self.learn(receipts, refusals)

    def learn(self, receipts: Sequence[Receipt], refusals: Sequence[Refusal] = ()) -> None:
        """Takes into account what was just written to the ledger."""
        with self.lock:
            self.history.extend(receipts)
            self.history.refuse(refusals)
            self._tally = with_batch(self._tally, receipts, refusals)
            self._left -= sum(len(receipt.source_uids) for receipt in receipts) + len(refusals)

    # --- Finding out -----------------------------------------------------------------------------------

    def _look(self, lane: Lane) -> _There | None:
        """The destination folder as it is now; None while it is missing."""
        try:
            return _There(*lane.destination.open_for_appending(self.destination))
        except FolderUnusable:
            return None

    def _receipts(self) -> Iterator[Receipt]:
        """All that count, into the destination folder."""
        return self.leg.ledger.receipts(self.leg.import_.route, self.destination)

    def _recall(self, found: _There | None, receipts: Iterable[Receipt]) -> None:
        """The history that goes with the destination folder; `receipts` are all into it."""
        leg, route = self.leg, self.leg.import_.route
        there = found.status if found else None
        uidvalidity = there.uidvalidity if there else self._last_uidvalidity()
        expected = max(self._status.messages, there.messages if there else 0)
        self.history = FolderHistory(
            leg.import_.id,
            self.source,
            FolderRef(self.destination, uidvalidity),
            there.uidnext if there else None,
            met_first=leg.digests(expected),
            met_before=leg.digests(expected),
        )
        self.history.recall(receipts)
        self.history.refuse(leg.ledger.refusals(leg.import_.id))
        if there and self.history.detached:  # we were stopped while we made the folder anew
            leg.ledger.attach(route, self.destination, there.uidvalidity, leg.lease)

    def _last_uidvalidity(self) -> UidValidity:
        """Of the folder that its owner removed or renamed: what was copied into it stays accounted for."""
        last = ANY_UIDVALIDITY
        for receipt in self._receipts():
            last = receipt.destination.uidvalidity
        return last

    def _recreate(self, lane: Lane) -> _There:
        """New mail for a folder that is not there: what went into the old one stays settled."""
        leg, gone = self.leg, self.history.destination
        leg.ledger.detach(leg.import_.route, gone.name, gone.uidvalidity, leg.lease)
        leg.ledger.note_created(leg.import_.id, [self.destination], leg.lease)
        lane.destination.create(self.destination)
        there = self._look(lane)
        self._recall(there, self._receipts())
        if there is None:
            raise FolderUnusable(
                f"The folder “{self.destination}” could not be created at the new mailbox.",
                side=lane.destination.side,
            )
        return there

    def _made_ready(self, lane: Lane, there: _There) -> Target:
        folder = there.status.ref(self.destination)
        if there.rule is None:
            raise FolderUnusable(
                f"The folder “{self.destination}” at the new mailbox can only be read.",
                side=lane.destination.side,
            )
        self.uidnext = there.status.uidnext
        held = lane.destination.uids(folder) if there.status.messages else UidSet()
        foreign = ForeignMail(lane.destination, folder, held - self.history.destination_uids)
        return Target(folder, there.rule, self._limit_bytes, foreign)

    def _list(self, lane: Lane, *, anew: bool) -> list[MessageBatch] | FolderUnusable:
        """What the source shows; and all of it as batches, where all is wanted anyway (`anew`: nothing was
        copied yet): a round trip less."""
        status = self._status
        dense = status.uidnext <= 2 * status.messages + 1000
        try:
            if status.messages and dense and anew:
                listed, queue = self._in_batches(lane, UidSet.from_ranges([(1, status.uidnext - 1)]))
                if len(listed) >= status.messages:
                    self._shown = listed
                    return queue
            self._shown = lane.source.uids(self.source)
        except FolderUnusable as unusable:
            return unusable
        return []

    def _sized(self, lane: Lane, todo: UidSet) -> list[MessageBatch]:
        """What is to be copied, in batches. Of what is not listed any more the fetch will tell."""
        listed, queue = self._in_batches(lane, todo)
        return [*(MessageBatch(gone, 0) for gone in (todo - listed).chunks(self._at_once)), *queue]

    def _in_batches(self, lane: Lane, uids: UidSet) -> tuple[UidSet, list[MessageBatch]]:
        """Those of `uids` that the source lists, and the batches that they make."""
        listed = Ascending()

        def noted() -> Iterator[tuple[Uid, int]]:
            for uid, size_bytes in lane.source.sizes(self.source, uids):
                listed.add(uid)
                yield uid, size_bytes

        queue = list(self._grouped(noted(), limit_bytes=self._limit_bytes))
        return listed.uids, queue

    def _grouped(
        self, sizes: Iterable[tuple[Uid, int]], *, limit_bytes: int | None = None
    ) -> Iterator[MessageBatch]:
        max_bytes = self.leg.pace.batch_bytes
        return batches(sizes, max_messages=self._at_once, max_bytes=max_bytes, limit_bytes=limit_bytes)

    @property
    def _at_once(self) -> int:
        """After legs that came to nothing fewer and fewer: that singles out the message that breaks them."""
        return max(1, self.leg.pace.batch_messages >> min(self.leg.import_.attempts, 20))

    def _refuse_rest(self, reason: str) -> None:
        """The folder cannot be used on one of the sides: each message that was to be copied is refused."""
        leg, source, code = self.leg, self.source, RefusalCode.FOLDER_UNUSABLE
        for some in self.history.todo(self._shown).chunks(REFUSED_AT_ONCE):
            self.record(
                [],
                [
                    Refusal(leg.import_.id, source.name, source.uidvalidity, uid, reason, code=code)
                    for uid in some
                ],
            )
        if not self._shown and not self.history.unlistable:
            whole = Refusal(leg.import_.id, source.name, source.uidvalidity, None, reason, count=0, code=code)
            self.record([], [whole])
