"""The copy of one source folder into one destination folder, and its phases.

`Unprepared` -> `prepare` -> `Prepared` -> `finish` -> `Finished` -> `recount_folder` -> `Counted`, with ways
back: `finish` may leave batches to copy (`Prepared`) or messages that need a further pass (`Unprepared`), and
the recount may find mail that has arrived meanwhile (`Unprepared`).

Invariants:
- A phase is held by one lane at a time, so that a function that takes one works alone on the folder. `Lanes`
  keeps the `Prepared` phase while lanes copy; they see `FolderState` only. The last one of them gets the
  phase back.
- `prepare` rebuilds the history from the ledger: no decision depends on what an earlier pass left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Final

from importer.compact.digest_set import each_digest
from importer.compact.uid_set import Uid, UidSet
from importer.domain.mailbox_content import FolderRef, FolderStatus, KeywordRule
from importer.domain.messages.date_and_subject import date_and_subject
from importer.domain.messages.skip_reason import SkipReason
from importer.domain.planning.message_batches import MessageBatch, batches
from importer.domain.receipts.folder_history import FolderHistory, with_skipped, with_unlisted
from importer.domain.receipts.folder_tally import FolderCheckpoint, FolderTally, Refusal, RefusalCode
from importer.domain.receipts.receipt import ANY_UIDVALIDITY, Outcome, Receipt
from importer.engine.left_out import LeftOutMessages
from importer.engine.leg_context import Lane, Leg
from importer.engine.new_refusals import folder_refusal
from importer.engine.owned_folder_state import OwnedFolderState
from providers.errors import MailError
from providers.frozen import frozen
from providers.text import Text

REFUSED_AT_ONCE: Final = 1000
"""Refusals of an unusable folder that are held in memory and written in one transaction."""


@frozen
class DestinationFolder:
    """The destination folder and the keywords it accepts; `rule` is None if the folder is read-only."""

    status: FolderStatus
    rule: KeywordRule | None


@frozen
class FirstLook:
    """The answers about a small pair that was asked about together with others, before its first pass: UID
    and size of all messages at the source, None if that failed; the destination folder, if it never held a
    message; and the largest message that the destination accepts, in bytes."""

    sizes: Sequence[tuple[Uid, int]] | None
    destination: DestinationFolder | None
    limit_bytes: int | None

    @property
    def suffices(self) -> bool:
        """Whether the pair can probably be prepared without asking a server."""
        return self.sizes is not None and self.destination is not None


@dataclass(slots=True)
class FolderCopy:
    """The state of one pair between its phases. No lock guards it; the part that lanes share is in `state`.

    `status` is the source folder's. `checkpoint` describes the folder as it was when it was last completed.
    `listed` are the UIDs that the source lists, `unlisted` the number of messages that it counts beyond them.
    `missing`: the destination folder does not exist. `was_empty`: the destination folder, if it never held a
    message. `limit_bytes`: the largest message that the destination accepts.

    `left_out` are the listed messages that are not copied by choice, with their reason. The ledger does not
    hold them: another import may be told to copy them. `is_left_out`: that is the whole folder.
    """

    leg: Leg
    status: FolderStatus
    source: FolderRef
    destination: str
    checkpoint: FolderCheckpoint | None
    history: FolderHistory
    state: OwnedFolderState
    flags_updated: int
    listed: UidSet = field(default_factory=UidSet)
    unlisted: int = 0
    missing: bool = False
    was_empty: FolderRef | None = None
    limit_bytes: int | None = None
    is_numbering_checked: bool = False
    passes: int = 0
    recounts: int = 0
    left_out: LeftOutMessages = field(default_factory=LeftOutMessages)
    is_left_out: bool = False
    look: FirstLook | None = None  # until the pair is prepared

    def receipts(self) -> Iterator[Receipt]:
        """All valid receipts into the destination folder."""
        return self.leg.ledger.receipts(self.leg.import_.route, self.destination)

    def recorded_in(self, name: str) -> Iterator[bytes]:
        """The digests of the messages that the ledger knows in a destination folder, or that are about to be
        stored there: once for each message. Of other routes, what they copied: what one found there may be a
        copy of ours."""
        ledger, import_ = self.leg.ledger, self.leg.import_
        for route in {import_.route, *ledger.routes_into(import_.destination)}:
            known = (Outcome.COPIED, Outcome.PRESENT) if route == import_.route else (Outcome.COPIED,)
            stored = (receipt.digests for receipt in ledger.receipts(route, name) if receipt.outcome in known)
            announced = (intent.digests for intent in ledger.intents(route, name))
            for digests in chain(stored, announced):
                yield from each_digest(digests)

    def copied_by_others(self) -> Iterator[bytes]:
        """The digests of what other sources brought into the destination folder."""
        for receipt in self.leg.copies_of_others(self.destination):
            yield from each_digest(receipt.digests)

    def seen_before(self) -> UidSet:
        """The source UIDs of this import's copies that were there when an earlier leg completed the folder.

        UIDs enter a folder of labels in any order, so there only a destination UID tells."""
        last, history = self.checkpoint, self.history
        if last is None or (last.import_id, last.destination, last.status.uidvalidity) != (
            self.leg.import_.id,
            history.destination,
            self.source.uidvalidity,
        ):
            return UidSet()
        settled = Uid(1) if last.status.contents else last.status.uidnext
        return UidSet.of(
            uid
            for receipt in self.receipts()
            if receipt.import_id == last.import_id and receipt.destination == last.destination
            if receipt.source == self.source and receipt.outcome is Outcome.COPIED
            for at, uid in enumerate(receipt.source_uids)
            if (
                receipt.destination_uids[at] <= last.highest_uid
                if receipt.destination_uids
                else uid < settled
            )
        )

    def tally_of_history(self) -> FolderTally:
        tally = with_unlisted(self.history.tally(self.listed, self.destination), self.unlisted)
        if self.left_out.reason is not None:
            tally = with_skipped(tally, self.left_out.reason, len(self.left_out.uids))
        return replace(tally, elsewhere=self.status.elsewhere, flags_updated=self.flags_updated)

    def grouped(
        self,
        sizes: Iterable[tuple[Uid, int]],
        *,
        limit_bytes: int | None = None,
        max_messages: int | None = None,
    ) -> Iterator[MessageBatch]:
        """Batches of messages, given their UIDs and sizes. Lazy."""
        return batches(
            sizes,
            max_messages=max_messages or self.max_messages,
            max_bytes=self.leg.limits.batch_bytes,
            limit_bytes=limit_bytes,
        )

    @property
    def max_messages(self) -> int:
        """Messages in a batch. It halves with each leg without progress, to isolate a message that breaks
        the connection."""
        return max(1, self.leg.limits.batch_messages >> min(self.leg.import_.attempts, 20))

    def refuse(self, lane: Lane, refused: UidSet, reason: Text, code: RefusalCode) -> None:
        """Refuse messages, with date, subject and size from the source as far as it can be read."""
        import_id, source = self.leg.import_.id, self.source
        is_readable = True
        for uids in refused.chunks(REFUSED_AT_ONCE):
            refusals = {
                uid: Refusal(import_id, source.name, source.uidvalidity, uid, reason, code=code)
                for uid in uids
            }
            try:
                for lines in lane.source.headers(source, uids) if is_readable else ():
                    if lines.uid in refusals:
                        date, subject = date_and_subject(lines.header)
                        refusals[lines.uid] = replace(
                            refusals[lines.uid], date=date, subject=subject, size_bytes=lines.size_bytes
                        )
            except MailError:
                is_readable = False
            self.state.record([], list(refusals.values()))

    def leave_rest(self) -> None:
        """Leave every message that has no outcome to the next leg."""
        self.state.leave(self.history.todo(self.listed) - self.left_out.uids)

    def refuse_rest(self, lane: Lane, reason: Text) -> None:
        """Refuse every message that has no outcome: the folder is unusable on one of the sides."""
        code = RefusalCode.FOLDER_UNUSABLE
        self.refuse(lane, self.history.todo(self.listed) - self.left_out.uids, reason, code)
        if not (self.listed or self.history.unlistable or self.is_left_out):
            self.state.record(
                [], [folder_refusal(self.leg.import_.id, self.source, reason, count=0, code=code)]
            )


@frozen
class Unprepared:
    """To be prepared for a pass: the first one of the leg, or a further one."""

    folder: FolderCopy

    @classmethod
    def of(
        cls,
        leg: Leg,
        name: str,
        surveyed: FolderStatus,
        destination: str,
        checkpoint: FolderCheckpoint | None = None,
        left_out: SkipReason | None = None,
    ) -> Unprepared:
        """`surveyed` is the status of the source folder called `name` in this leg's survey; `left_out` the
        reason if nothing more of it is to be copied."""
        source = surveyed.ref(name)
        history = FolderHistory(leg.import_.id, source, FolderRef(destination, ANY_UIDVALIDITY))
        state = OwnedFolderState(leg, history, destination, labels=bool(surveyed.contents))
        own = checkpoint is not None and checkpoint.import_id == leg.import_.id
        flags_updated = checkpoint.tally.flags_updated if checkpoint is not None and own else 0
        folder = FolderCopy(leg, surveyed, source, destination, checkpoint, history, state, flags_updated)
        folder.left_out, folder.is_left_out = LeftOutMessages(left_out), left_out is not None
        return cls(folder)


@frozen
class Prepared:
    """Its batches are queued in `FolderState`: any number of lanes may copy them."""

    folder: FolderCopy


@frozen
class Finished:
    """Each message has its outcome, or is left to the next leg."""

    folder: FolderCopy


@frozen
class Counted:
    """Done in this leg. It holds no memory of the folder. `is_new`: it has another checkpoint than before, so
    that the next leg need not do the same again."""

    is_new: bool


FolderPhase = Unprepared | Prepared | Finished | Counted
