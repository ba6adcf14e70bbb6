"""Copies one source folder into one destination folder, over any number of lanes at a time.

One lane calls `prepare`, lanes then request batches with `next_batch` and copy them, and when the queue is
empty and a single lane is left, that lane calls `finish`, `recount` and `release`.

Invariants:
- `lock` is never held during a call to a server or to the ledger.
- While lanes copy, they change the shared state (queue, deferred messages, claims, history, tally, messages
  left unfetched, the reason of `give_up`) only under `lock`.
- `prepare`, `finish`, `recount` and `release` use the shared state without `lock`: they run while exactly one
  lane works on the pair and no other can join it. `Lanes` guarantees that (`_Job.joinable` is False then).
- Some reads take no lock either. `tally`, `remaining`, `queued_batches` and `unfetched` are snapshots.
  `InFlightBatch` consults the history first without the lock (digest sets permit reads during an `add`) and
  again under it before it claims a content. `uidnext` is read and set without it: each of its values was
  reported by the server before the append that uses it, so each is a valid lower bound for the new UIDs.
- A content that a lane is about to append is claimed. Another lane that meets the same content defers the
  message until the outcome of the first append is known.
- `prepare` rebuilds the history from the ledger: no decision depends on state that an earlier pair left.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Final, NamedTuple

from importer.compact.uid_set import Ascending, Uid, UidSet, UidValidity
from importer.concurrency import run_both
from importer.domain.messages.date_and_subject import date_and_subject
from importer.domain.messages.message_identity import has_identifying_field, header_key, munged
from importer.domain.model import (
    ANY_UIDVALIDITY,
    FORMER_UIDVALIDITY,
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
from importer.domain.planning.retry_policy import decisive
from importer.domain.receipts.folder_history import FolderHistory, with_batch, with_unlisted
from importer.engine.doubts import SAMPLE, Doubts
from importer.engine.existing_mail import ExistingMail
from importer.engine.flag_updates import update_flags
from importer.engine.held_back import HeldBack, HeldMessage, decide
from importer.engine.leg_context import Lane, Leg
from importer.engine.recount import Recount, recount
from importer.engine.settle import settle
from providers.errors import FolderChanged, FolderUnusable, MailError, Side

MAX_PASSES: Final = 12
"""Passes over one pair in a leg. Each further one is caused by messages in doubt, or by trouble."""

PATIENCE_WITH_FOLDER: Final = 3
"""Legs without progress after which a folder that ends connections is given up."""

MAX_CHANGES: Final = 3
"""Changes of UIDVALIDITY in a leg after which a folder is given up. Some servers assign another one each time
the folder is opened."""

SURPLUS_REASON: Final = "more copies in the new mailbox than were made: {number}"

NEVER_SEEN: Final = (
    "copied by an earlier import, but the new mailbox has not shown it since: look for it there, or undo that"
    " import and start again"
)

REFUSED_AT_ONCE: Final = 1000
"""Refusals of an unusable folder that are held in memory and written in one transaction."""


INDISTINGUISHABLE: Final = (
    "it may be in the new mailbox already: it was copied before the new server numbered the folder anew, and"
    " cannot be told from a message there"
)

UNLISTED: Final = "messages that the old server counts and does not list, however it is asked: {number}"


@dataclass(frozen=True, slots=True)
class _DestinationFolder:
    """The destination folder and the keywords it accepts; `rule` is None if the folder is read-only."""

    status: FolderStatus
    rule: KeywordRule | None


@dataclass(frozen=True, slots=True)
class Target:
    """The destination folder, ready for appends."""

    folder: FolderRef
    rule: KeywordRule
    limit_bytes: int | None
    foreign: ExistingMail


def folder_reason(error: MailError, folder: str) -> str:
    """Why nothing (more) of `folder` could be copied, with the server's own words."""
    side = error.side or Side.SOURCE
    match error:
        case FolderUnusable():
            reason = str(error)
        case FolderChanged():
            reason = _NUMBERS_ANEW[side].format(folder)
        case _:
            reason = _ENDS_CONNECTION[side].format(folder)
    return f"{reason} ({error.server_text})" if error.server_text not in reason else reason


_ENDS_CONNECTION: Final = {
    Side.SOURCE: "The connection to the old mailbox ended each time the folder “{}” was opened.",
    Side.DESTINATION: "The connection to the new mailbox ended each time the folder for “{}” was opened.",
}


_NUMBERS_ANEW: Final = {
    Side.SOURCE: "The old server numbered the messages of the folder “{}” anew each time it was opened.",
    Side.DESTINATION: "The new server numbered the messages of the folder for “{}” anew each time it was"
    " opened.",
}


class Deferred(NamedTuple):
    """A message whose content another lane was about to append when it was met."""

    size_bytes: int
    digest: bytes


class FolderCopy:
    """The work on one pair of folders, shared by lanes."""

    def __init__(
        self,
        leg: Leg,
        name: str,
        surveyed: FolderStatus,
        destination: str,
        checkpoint: FolderCheckpoint | None = None,
    ) -> None:
        """`surveyed` is the source folder's status in this leg's survey. `checkpoint` describes the folder as
        it was when an earlier leg completed it."""
        self.leg = leg
        self.source = source = surveyed.ref(name)
        self._status = surveyed
        self._checkpoint = checkpoint
        self._flags_updated = (
            checkpoint.tally.flags_updated
            if checkpoint is not None and checkpoint.import_id == leg.import_.id
            else 0
        )
        self.destination = destination
        self.lock = threading.Lock()
        self.history = FolderHistory(leg.import_.id, source, FolderRef(destination, ANY_UIDVALIDITY))
        self.uidnext = Uid(1)  # our appends land at or above it
        self.claims: set[bytes] = set()  # digests that lanes are about to append
        self._listed = UidSet()  # UIDs that the source lists
        self._target: Target | None = None
        self._queue: deque[MessageBatch] = deque()
        self._deferred: dict[Uid, Deferred] = {}
        self._unusable: str | None = None
        self._doubts = Doubts()
        self._held_back = HeldBack()
        self._troubles = 0  # passes that ended early
        self._was_empty: FolderRef | None = None  # the destination folder, if it never held a message
        self._changes = 0  # those that ended because a UIDVALIDITY changed
        self._changed: Side | None = None  # of which folder the next pass has to read the status again
        self._renew: Side | None = None  # which connection the next pass has to replace
        self._pass_over = False  # the pass ends early: the folder is in trouble
        self._passes = 0
        self._unfetched = UidSet()
        self._unlisted = 0  # messages that the source counts and does not list
        self._missing = False  # the destination folder does not exist
        self._prepared = False
        self._tally = FolderTally(source.name, destination)
        self._remaining = 0
        self._limit_bytes: int | None = None  # the largest message that the destination accepts

    # --- Phases of a pair --------------------------------------------------------------------------

    def prepare(self, lane: Lane) -> None:
        """Settle doubtful appends and queue the messages to copy. An unusable folder is reported by `finish`,
        not here. Raises what the sessions and the ledger raise otherwise."""
        self._passes += 1
        self._pass_over = False
        try:
            self._renew_connection(lane)
            self._read_status_again(lane)
            settle(self.leg, lane, self.destination)
            self.claims.clear()  # nothing is under way now
            self._limit_bytes = lane.destination.append_limit_bytes()
            receipts = self._receipts()
            first = next(receipts, None)
            folder, batches_of_all = run_both(
                lambda: self._open_destination(lane),
                lambda: self._list_source(lane, uncopied=first is None),
                decisive,
            )
            if folder is not None and self._follow_first_message(lane, folder.status):
                self._load_history(folder, self._receipts())
            else:
                self._load_history(folder, receipts if first is None else chain((first,), receipts))
            if isinstance(batches_of_all, FolderUnusable):
                raise batches_of_all
            self._forget_old_numbers(folder)
            pending = self._begin()
            self._doubts.forget_settled(pending)
            if pending:
                self._target = self._prepare_target(lane, folder or self._recreate(lane))
                # The batches of all messages serve only if none of them is settled or refused already.
                reusable = batches_of_all and pending == self._listed and not self._doubts
                self._queue.extend(batches_of_all if reusable else self._planned(lane, pending))
        except (FolderUnusable, FolderChanged) as error:
            self.troubled(error)

    def _read_status_again(self, lane: Lane) -> None:
        """Go on with the source folder as it is now. The destination folder is opened anew in any case."""
        side, self._changed = self._changed, None
        if side is Side.SOURCE:
            before = self._status
            self._status = replace(lane.source.status(self.source.name), elsewhere=before.elsewhere)
            self.source = self._status.ref(self.source.name)

    def _follow_first_message(self, lane: Lane, status: FolderStatus) -> bool:
        """Whether the folder is the one that was empty when this leg opened it, under another UIDVALIDITY:
        some servers assign it with the first message. Receipts are then valid for it as it is now."""
        empty, self._was_empty = self._was_empty, None
        if empty is None or empty.uidvalidity == status.uidvalidity:
            return False
        leg, route = self.leg, self.leg.import_.route
        stored = 0
        first: Receipt | None = None
        for receipt in self._receipts():
            if receipt.destination == empty and receipt.outcome is Outcome.COPIED:
                stored += len(receipt.source_uids)
                first = first or (receipt if receipt.source == self.source else None)
        if first is None or stored > status.messages or not self._holds_one_of(lane, first, status):
            return False
        leg.ledger.detach(route, empty.name, empty.uidvalidity, leg.lease)
        leg.ledger.attach(route, empty.name, status.uidvalidity, leg.lease)
        return True

    def _holds_one_of(self, lane: Lane, receipt: Receipt, status: FolderStatus) -> bool:
        """Whether one of the messages of the first receipt is among the first in the folder, by its header:
        else the folder was removed and created again meanwhile."""
        sent = UidSet.of(receipt.source_uids[:SAMPLE])
        ref = status.ref(self.destination)
        stored = UidSet.of(islice(lane.destination.uids(ref), SAMPLE))
        keys = [
            {
                header_key(munged(lines.header)).digest
                for lines in session.headers(folder, uids)
                if has_identifying_field(lines.header)
            }
            for session, folder, uids in (
                (lane.source, receipt.source, sent),
                (lane.destination, ref, stored),
            )
        ]
        return not keys[0].isdisjoint(keys[1])

    def _renew_connection(self, lane: Lane) -> None:
        side, self._renew = self._renew, None
        if side is Side.SOURCE:
            lane.source.renew()
        elif side is Side.DESTINATION:
            lane.destination.renew()

    def _planned(self, lane: Lane, pending: UidSet) -> Iterator[MessageBatch]:
        """The batches of `pending`: at last the messages that are in doubt, and of these the ones that have
        to be sent alone after all others."""
        if believed := self._doubts.believed():
            self.record([], believed)
        yield from self._batches_of(lane, pending - self._doubts.all - self.history.refused)
        yield from self._batches_of(lane, self._doubts.batched)
        for batch in self._batches_of(lane, self._doubts.alone, max_messages=1):
            yield replace(batch, apart=True)

    def _forget_old_numbers(self, folder: _DestinationFolder | None) -> None:
        """If the source was renumbered under the same UIDVALIDITY, an old UID means another message: have the
        old receipts count by content alone. A folder of labels numbers no messages of its own."""
        uidnext = max(self._status.uidnext, Uid((self._listed.highest or 0) + 1))
        if not self._prepared and not self._status.contents and self.history.renumbered(uidnext):
            leg = self.leg
            leg.ledger.renumber(leg.import_.route, self.destination, self.source, leg.lease)
            self._load_history(folder, self._receipts())
        self._prepared = True  # later, the survey's UIDNEXT is older than the messages that arrived since

    def _begin(self) -> UidSet:
        pending = self.history.todo(self._listed)
        self._tally = self._tally_of_history()
        self._remaining = len(pending)
        return pending

    def _tally_of_history(self) -> FolderTally:
        tally = with_unlisted(self.history.tally(self._listed, self.destination), self._unlisted)
        return replace(tally, elsewhere=self._status.elsewhere, flags_updated=self._flags_updated)

    def next_batch(self) -> MessageBatch | None:
        """The next batch for a lane; None if the queue is empty."""
        with self.lock:
            return self._queue.popleft() if self._queue else None

    def return_batch(self, batch: MessageBatch) -> None:
        """Return a batch that the lane cannot start yet to the front of the queue."""
        with self.lock:
            if self._unusable is None:
                self._queue.appendleft(batch)

    def defer(self, messages: dict[Uid, Deferred]) -> None:
        """Defer messages whose content another lane is appending, until that append has its outcome. The
        caller holds `lock`."""
        self._deferred.update(messages)

    def hold_back(self, message: HeldMessage) -> bool:
        """Have a message wait until all others have an outcome, if it was sent into this folder under another
        UIDVALIDITY and may be there in another form. The caller holds `lock`."""
        return self._may_be_altered(message) and self._held_back.add(message)

    def doubt_at_once(self, lane: Lane, messages: Iterable[HeldMessage]) -> list[Refusal]:
        """After a leg without progress, the refusals of those messages of a batch that would wait and may be
        in the folder. The others need not wait."""
        if not self.leg.import_.attempts:
            return []
        return self._sort_out(lane, [message for message in messages if self._may_be_altered(message)])[1]

    def _may_be_altered(self, message: HeldMessage) -> bool:
        former = message.digest in self.history.former
        return former and self.target.foreign.may_be_altered(message.header)

    def leave_unfetched(self, uids: UidSet) -> None:
        """Leave messages to the next leg, without an outcome: this leg could not fetch them."""
        with self.lock:
            self._unfetched |= uids
            for uid in uids:
                self._doubts.settled(uid)

    # --- Doubts about messages -----------------------------------------------------------------------

    def doubt_lost(self, uids: Sequence[Uid], stored_batches: int, *, announced: bool) -> None:
        """The connection ended while these messages were sent. They are tried again in a further pass."""
        with self.lock:
            self._doubts.lost(uids, stored_batches, announced=announced)

    def doubt_lost_alone(self, uid: Uid, stored_batches: int) -> tuple[int, int]:
        """The connection ended while a message was sent alone, as the first one. Return how often it did, and
        `stored_batches` when it was lost for the first time."""
        with self.lock:
            return self._doubts.lost_alone(uid, stored_batches)

    def doubt_refused(self, refusal: Refusal) -> None:
        """The destination refused a message for the first time. It is tried again in a further pass."""
        with self.lock:
            self._doubts.refused(refusal)

    def needs_new_connection(self, uid: Uid) -> bool:
        """Whether this message, which is in doubt, has to be the first one on its connection."""
        with self.lock:
            if self._doubts.first(uid):
                return True
            refused = self._doubts.was_refused(uid)
        return refused and self.leg.appends.may_renew()

    @property
    def undone(self) -> bool:
        """Whether messages have no outcome that a further pass can give them. How many are left is unknown if
        the last pass ended early."""
        uncertain = self._pass_over or bool(self._doubts) or self._changed is not None
        open_ = uncertain or self._remaining > len(self._unfetched)
        return open_ and self._unusable is None and self._passes < MAX_PASSES

    @property
    def left_undone(self) -> int:
        """The number of messages that were left without an outcome after all passes."""
        return len(self._doubts.all)

    # --- Trouble with a folder -----------------------------------------------------------------------

    @property
    def pass_over(self) -> bool:
        """Whether the pass ends early."""
        return self._pass_over

    def troubled(self, error: MailError) -> None:
        """One of the folders cannot be used, was recreated, or ends connections. The pass ends, and a further
        one follows. If it ends in the same way, a folder that cannot be used is given up, one that was
        recreated after `MAX_CHANGES`, and one that ends connections after some legs. Raises `error` if the
        leg has to end."""
        if isinstance(error, FolderChanged):
            self._was_recreated(error)
            return
        unusable = isinstance(error, FolderUnusable)
        with self.lock:
            if self._pass_over:
                return  # another lane has met the same
            self._pass_over = True
            self._troubles += 1
            self._queue.clear()
            first = self._troubles == 1
            if first and unusable and self.leg.appends.may_renew():
                self._renew = error.side
                return
        if first and not unusable:
            return
        if not unusable and self.leg.import_.attempts < PATIENCE_WITH_FOLDER:
            raise error
        self.give_up(folder_reason(error, self.source.name))

    def _was_recreated(self, error: FolderChanged) -> None:
        if self._status.contents:  # one numbering for all labels: only a new survey can tell
            raise error
        with self.lock:
            if self._pass_over:
                return
            self._pass_over = True
            self._changes += 1
            self._changed = error.side
            self._queue.clear()
        if self._changes >= MAX_CHANGES:
            self.give_up(folder_reason(error, self.source.name))

    # --- Ending ----------------------------------------------------------------------------------------

    @property
    def unfetched(self) -> int:
        """The number of messages that were left to the next leg."""
        return len(self._unfetched)

    def give_up(self, reason: str) -> None:
        """Mark a folder as unusable. `finish` then refuses the messages that have no outcome."""
        with self.lock:
            self._unusable = reason
            self._pass_over = True
            self._queue.clear()
            self._deferred.clear()

    def finish(self, lane: Lane) -> bool:
        """Called by the last lane at work on the pair. False if deferred messages were queued again."""
        # After `give_up` no further outcome is expected: deferred messages are refused like all others.
        if self._pass_over:
            self._deferred.clear()  # the next pass lists them again
            self._held_back.take()
        if self._deferred:
            self._settle_twins()
            with self.lock:
                sizes = [(uid, message.size_bytes) for uid, message in self._deferred.items()]
                self._queue.extend(self._grouped(sizes))
                self._deferred.clear()
            if self._queue:
                return False
        if self._held_back:
            self._decide_held_back(lane)
            if self._queue:
                return False
        if self._unusable is not None:
            self._refuse_rest(lane, self._unusable)
        return True

    def _decide_held_back(self, lane: Lane) -> None:
        """Send what cannot be in the folder, and refuse what may be there."""
        try:
            send, doubtful = self._sort_out(lane, self._held_back.take())
        except (FolderUnusable, FolderChanged) as error:
            self.troubled(error)
            return
        if doubtful:
            self.record([], doubtful)
        self._queue.extend(self._grouped((message.uid, message.size_bytes) for message in send))

    def _sort_out(
        self, lane: Lane, messages: Iterable[HeldMessage]
    ) -> tuple[list[HeldMessage], list[Refusal]]:
        """The messages to send, and the refusals of the others."""
        history = self.history
        send, doubtful = decide(
            messages,
            lane.destination,
            self.target.foreign,
            history.destination_uids,
            lambda content: content in history.former or history.knows(content),
        )
        with self.lock:
            self._held_back.clear(send)
        return send, [self._indistinguishable(message) for message in doubtful]

    def _indistinguishable(self, message: HeldMessage) -> Refusal:
        source, code = self.source, RefusalCode.NOT_COMPARED
        date, subject = date_and_subject(message.header)
        return Refusal(
            self.leg.import_.id,
            source.name,
            source.uidvalidity,
            message.uid,
            INDISTINGUISHABLE,
            date,
            subject,
            message.size_bytes,
            code=code,
        )

    def _settle_twins(self) -> None:
        """Record deferred messages whose content now has a receipt; they need not be fetched again."""
        settled: dict[Outcome, dict[Uid, bytes]] = {}
        for uid, message in self._deferred.items():
            outcome = self.history.again(message.digest)
            if outcome is not None:
                settled.setdefault(outcome, {})[uid] = message.digest
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
                del self._deferred[uid]

    def recount(self, lane: Lane, *, last: bool = False) -> tuple[FolderTally, bool]:
        """Return the tally with its recount, and whether mail has arrived at the source since it was listed.

        Called by the last lane at work on the pair. A folder that is completely copied gets a checkpoint, so
        that later imports skip it as long as nothing changes.
        """
        tally = self.tally
        try:
            if self.leg.import_.options.sync_flags and self._unusable is None:
                self._update_flags(lane)
            self._unlisted = 0  # the recount counts them itself
            result = recount(
                lane,
                self.history,
                self._tally_of_history,
                self._status.messages,
                self._receipts,
                missing=self._missing,
            )
            self._note_unseen(lane)
        except FolderUnusable:
            return tally, False
        except FolderChanged as error:
            if self._unusable is None:
                self._pass_over = False
                self.troubled(error)
                if last:  # no further pass follows
                    self.give_up(folder_reason(error, self.source.name))
            if self._unusable is None:
                return self.tally, True
            self._refuse_rest(lane, self._unusable)
            self._note_uncounted(self._unusable)
            return self.tally, False
        if result.surplus:
            self._report_surplus(result.surplus)
        arrived = bool(result.arrived - self._unfetched) and self._unusable is None
        self._unlisted = result.unlisted
        if result.unlisted and not self.history.unlisted_known:
            self._refuse_unlisted(result.unlisted)
        if not arrived:
            self._write_checkpoint(result)
        return result.tally, arrived

    def _note_unseen(self, lane: Lane) -> None:
        """Note which copies the recount did not see. Refuse those of earlier imports that no recount has
        seen: to copy them again could double them, and to call them there would be a guess."""
        leg, there = self.leg, self.history.there
        route = leg.import_.route
        if there.lost and not self._missing:  # a removed folder explains it
            leg.ledger.note_unseen(route, self.destination, self.source, there.lost, True, leg.lease)
        if self.history.has_unseen and not there.unknown:
            seen = self.history.settled - there.never_seen - there.lost - there.unchecked - there.gone
            leg.ledger.note_unseen(route, self.destination, self.source, seen, False, leg.lease)
        unseen = there.never_seen & self._listed
        if unseen - self.history.refused:
            self._refuse(lane, unseen - self.history.refused, NEVER_SEEN, RefusalCode.NEVER_SEEN)

    def _note_uncounted(self, reason: str) -> None:
        """Note why the folder could not be counted again. What was copied stays in the tally."""
        leg, source, listed = self.leg, self.source, len(self._listed)
        known = {(r.folder, r.reason) for r in leg.ledger.refusals(leg.import_.id)}
        if listed and (source.name, reason) not in known:
            refusal = Refusal(leg.import_.id, source.name, source.uidvalidity, None, reason, count=listed)
            leg.ledger.record(leg.import_.route, "", [], [refusal], leg.lease)

    def _report_surplus(self, surplus: int) -> None:
        """Record that the destination holds more copies than were made, once per import and folder."""
        leg, code = self.leg, RefusalCode.SURPLUS
        reason = SURPLUS_REASON.format(number=surplus)
        known = (
            refusal.reason
            for refusal in leg.ledger.refusals(leg.import_.id)
            if (refusal.folder, refusal.code) == (self.source.name, code)
        )
        if reason not in known:
            refusal = Refusal(
                leg.import_.id, self.source.name, ANY_UIDVALIDITY, None, reason, count=surplus, code=code
            )
            leg.ledger.record(leg.import_.route, "", [], [refusal], leg.lease)

    def release(self) -> None:
        """Free the memory of a finished pair, which would add up over folders; its numbers stay."""
        self.history = FolderHistory(self.leg.import_.id, self.source, self.history.destination)
        self._listed, self._target = UidSet(), None

    def _update_flags(self, lane: Lane) -> None:
        """Update flags after all messages are copied: the checkpoint that follows states that they are as
        they were at the survey."""
        checkpoint, source = self._checkpoint, self._status
        same_folders = checkpoint is not None and (checkpoint.status.uidvalidity, checkpoint.destination) == (
            source.uidvalidity,
            self.history.destination,
        )
        since = checkpoint.status.highest_modseq if checkpoint is not None and same_folders else 0
        self._flags_updated += update_flags(self.leg, lane, self.history, since)

    def _write_checkpoint(self, result: Recount) -> None:
        status, tally = self._status, result.tally
        as_surveyed = len(self._listed) == status.messages and not self._listed.at_or_above(status.uidnext)
        checked = tally.confirmed == tally.copied and not tally.unchecked
        complete = tally.adds_up and not tally.failed and checked
        # Else messages vanished that this import had settled: a later import must not count them.
        as_surveyed = as_surveyed and tally.found == status.messages
        if as_surveyed and complete and self._unusable is None:
            highest = self.history.destination_uids.highest or Uid(0)
            checkpoint = FolderCheckpoint(
                self.leg.import_.id, status, self.history.destination, highest, tally, result.destination
            )
            self.leg.ledger.save_checkpoint(self.leg.import_.route, checkpoint, self.leg.lease)

    # --- State for lanes -----------------------------------------------------------------------------

    @property
    def target(self) -> Target:
        """Set once `prepare` has found messages to copy; RuntimeError otherwise."""
        if self._target is None:
            raise RuntimeError("this pair has no messages to copy")
        return self._target

    @property
    def tally(self) -> FolderTally:
        """The tally as of now."""
        return self._tally

    @property
    def remaining(self) -> int:
        """The number of messages that have no outcome yet."""
        return self._remaining

    @property
    def surveyed_messages(self) -> int:
        """The number of messages that the survey counted at the source."""
        return self._status.messages

    @property
    def queued_batches(self) -> int:
        """The number of batches in the queue."""
        return len(self._queue)

    def record(
        self, receipts: list[Receipt], refusals: list[Refusal], *, closes_slot: int | None = None
    ) -> None:
        """Write to the ledger in one transaction, then add the same to the history. Raises LeaseLost."""
        self.leg.ledger.record(
            self.leg.import_.route,
            self.destination,
            receipts,
            refusals,
            self.leg.lease,
            closes_slot=closes_slot,
        )
        self.add_to_history(receipts, refusals)

    def add_to_history(self, receipts: Sequence[Receipt], refusals: Sequence[Refusal] = ()) -> None:
        """Add to the history and the tally what the ledger already holds."""
        with self.lock:
            self.history.extend(receipts)
            self.history.refuse(refusals)
            if self._doubts:
                for receipt in receipts:
                    for uid in receipt.source_uids:
                        self._doubts.settled(uid)
                for refusal in refusals:
                    if refusal.uid is not None:
                        self._doubts.settled(refusal.uid, refusal)
            self._tally = with_batch(self._tally, receipts, refusals)
            self._remaining -= sum(len(receipt.source_uids) for receipt in receipts) + len(refusals)

    # --- Preparing -------------------------------------------------------------------------------------

    def _open_destination(self, lane: Lane) -> _DestinationFolder | None:
        """The destination folder; None if it is missing or cannot be opened, which is asked once more over a
        new connection if the server lists the folder."""
        self._missing = False
        try:
            return _DestinationFolder(*lane.destination.open_for_appending(self.destination))
        except FolderUnusable:
            if self.destination not in {folder.name for folder in lane.destination.folders()}:
                self._missing = True
                return None
        lane.destination.renew()
        try:
            return _DestinationFolder(*lane.destination.open_for_appending(self.destination))
        except FolderUnusable:
            return None

    def _receipts(self) -> Iterator[Receipt]:
        """All valid receipts into the destination folder."""
        return self.leg.ledger.receipts(self.leg.import_.route, self.destination)

    def _load_history(self, folder: _DestinationFolder | None, receipts: Iterable[Receipt]) -> None:
        """Rebuild the history of the destination folder; `receipts` are all receipts into it."""
        leg, route = self.leg, self.leg.import_.route
        status = folder.status if folder else None
        uidvalidity = status.uidvalidity if status else self._last_uidvalidity()
        expected = max(self._status.messages, status.messages if status else 0)
        self.history = FolderHistory(
            leg.import_.id,
            self.source,
            FolderRef(self.destination, uidvalidity),
            status.uidnext if status else None,
            met_first=leg.digests(expected),
            met_before=leg.digests(expected),
            former=leg.digests(expected),
        )
        self.history.recall(receipts)
        self.history.refuse(leg.ledger.refusals(leg.import_.id))
        if status and self.history.detached:  # an earlier leg stopped while it recreated the folder
            leg.ledger.attach(route, self.destination, status.uidvalidity, leg.lease)

    def _last_uidvalidity(self) -> UidValidity:
        """UIDVALIDITY of a folder that its owner removed or renamed: copies into it stay in the tally."""
        last = ANY_UIDVALIDITY
        for receipt in self._receipts():
            if receipt.destination.uidvalidity != FORMER_UIDVALIDITY:
                last = receipt.destination.uidvalidity
        return last

    def _recreate(self, lane: Lane) -> _DestinationFolder:
        """Create a missing folder for new mail. Messages that were copied into the old one stay settled."""
        leg, missing = self.leg, self.history.destination
        leg.ledger.detach(leg.import_.route, missing.name, missing.uidvalidity, leg.lease)
        leg.ledger.detach_all(leg.import_.destination, [missing.name], leg.lease)
        leg.ledger.note_created(leg.import_.id, [self.destination], leg.lease)
        lane.destination.create(self.destination)
        folder = self._open_destination(lane)
        self._load_history(folder, self._receipts())
        if folder is None:
            raise FolderUnusable(
                f"The folder “{self.destination}” could not be created in the new mailbox.",
                side=lane.destination.side,
            )
        return folder

    def _prepare_target(self, lane: Lane, folder: _DestinationFolder) -> Target:
        ref = folder.status.ref(self.destination)
        if folder.rule is None:
            raise FolderUnusable(
                f"The folder “{self.destination}” in the new mailbox is read-only.",
                side=lane.destination.side,
            )
        self.uidnext = folder.status.uidnext
        self._was_empty = ref if folder.status.uidnext <= 1 else None
        existing = lane.destination.uids(ref) if folder.status.messages else UidSet()
        unlisted = lane.destination.unlisted(ref) if folder.status.messages else 0
        if unlisted > len(self.history.destination_uids - existing):  # not only our own copies
            raise FolderUnusable(
                f"The new mailbox does not list {unlisted} of the messages that it counts in"
                f" “{self.destination}”: they may be the ones to copy.",
                side=lane.destination.side,
            )
        foreign = ExistingMail(lane.destination, ref, existing - self.history.destination_uids)
        return Target(ref, folder.rule, self._limit_bytes, foreign)

    def _list_source(self, lane: Lane, *, uncopied: bool) -> list[MessageBatch] | FolderUnusable:
        """Set `_listed` to the UIDs that the source lists. If nothing was copied so far (`uncopied`) and UIDs
        are dense, sizes are read instead of UIDs and all messages are returned as batches, which saves a
        round trip; else the list is empty."""
        status = self._status
        dense = status.uidnext <= 2 * status.messages + 1000
        try:
            if status.messages and dense and uncopied:
                listed, all_batches = self._listed_batches(
                    lane, UidSet.from_ranges([(1, status.uidnext - 1)])
                )
                if len(listed) >= status.messages:
                    self._listed = listed
                    return all_batches
            self._listed = lane.source.uids(self.source)
            self._unlisted = lane.source.unlisted(self.source)
        except FolderUnusable as unusable:
            return unusable
        return []

    def _batches_of(self, lane: Lane, uids: UidSet, max_messages: int | None = None) -> list[MessageBatch]:
        """Batches of `uids`. Messages that the source no longer lists come first: their fetch reports why."""
        if not uids:
            return []
        listed, listed_batches = self._listed_batches(lane, uids, max_messages)
        vanished = (uids - listed).chunks(max_messages or self._max_messages)
        return [*(MessageBatch(chunk, 0) for chunk in vanished), *listed_batches]

    def _listed_batches(
        self, lane: Lane, uids: UidSet, max_messages: int | None = None
    ) -> tuple[UidSet, list[MessageBatch]]:
        """The members of `uids` that the source lists, and their batches."""
        listed = Ascending()

        def sizes() -> Iterator[tuple[Uid, int]]:
            for uid, size_bytes in lane.source.sizes(self.source, uids):
                listed.add(uid)
                yield uid, size_bytes

        limit_bytes = self._limit_bytes
        listed_batches = list(self._grouped(sizes(), limit_bytes=limit_bytes, max_messages=max_messages))
        return listed.uids, listed_batches

    def _grouped(
        self,
        sizes: Iterable[tuple[Uid, int]],
        *,
        limit_bytes: int | None = None,
        max_messages: int | None = None,
    ) -> Iterator[MessageBatch]:
        return batches(
            sizes,
            max_messages=max_messages or self._max_messages,
            max_bytes=self.leg.limits.batch_bytes,
            limit_bytes=limit_bytes,
        )

    @property
    def _max_messages(self) -> int:
        """Messages in a batch. It halves with each leg without progress, to isolate a message that breaks
        the connection."""
        return max(1, self.leg.limits.batch_messages >> min(self.leg.import_.attempts, 20))

    def _refuse_unlisted(self, number: int) -> None:
        """Note that the source counts messages that could not be found in any way."""
        refusal = Refusal(
            self.leg.import_.id,
            self.source.name,
            self.source.uidvalidity,
            None,
            UNLISTED.format(number=number),
            count=number,
            code=RefusalCode.UNLISTED,
        )
        self.leg.ledger.record(
            self.leg.import_.route, self.destination, [], [refusal], self.leg.lease, closes_slot=None
        )
        self.history.refuse([refusal])

    def _refuse_rest(self, lane: Lane, reason: str) -> None:
        """Refuse every message that has no outcome: the folder is unusable on one of the sides. Date, subject
        and size are read from the source, where it can be read."""
        leg, source, code = self.leg, self.source, RefusalCode.FOLDER_UNUSABLE
        self._refuse(lane, self.history.todo(self._listed), reason, code)
        if not self._listed and not self.history.unlistable:
            whole = Refusal(leg.import_.id, source.name, source.uidvalidity, None, reason, count=0, code=code)
            self.record([], [whole])

    def _refuse(self, lane: Lane, refused: UidSet, reason: str, code: RefusalCode) -> None:
        leg, source = self.leg, self.source
        readable = True
        for uids in refused.chunks(REFUSED_AT_ONCE):
            refusals = {
                uid: Refusal(leg.import_.id, source.name, source.uidvalidity, uid, reason, code=code)
                for uid in uids
            }
            try:
                for lines in lane.source.headers(source, uids) if readable else ():
                    if lines.uid in refusals:
                        date, subject = date_and_subject(lines.header)
                        refusals[lines.uid] = replace(
                            refusals[lines.uid], date=date, subject=subject, size_bytes=lines.size_bytes
                        )
            except MailError:
                readable = False
            self.record([], list(refusals.values()))
