"""The history of one source and destination folder: a summary of their valid receipts in the ledger.

Invariants:
- A receipt is valid while its destination folder has the UIDVALIDITY it was written under, or after the
  mailbox owner removed the folder (ANY_UIDVALIDITY). All other receipts are ignored, and so are those with a
  UID that the folder has not assigned yet (`unreached`): it is a new folder on a server that reuses
  UIDVALIDITYs.
- A source folder that has not assigned a settled UID was renumbered (`renumbered`): the ledger then keeps its
  receipts under FORMER_UIDVALIDITY, where only their digests count.
- Of copies into the folder under another UIDVALIDITY, only the digests are kept (`former`): such a message
  may be there in a form that the server changed, and is compared again before it is sent again.
- A source UID has at most one outcome: a settled message is never processed again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from importer.compact.digest_set import Digests, DigestSet, each_digest
from importer.compact.uid_set import Uid, UidSet
from importer.domain.mailbox_content import FolderRef
from importer.domain.messages.flags import has_flags
from importer.domain.messages.skip_reason import SkipReason
from importer.domain.model import ImportId
from importer.domain.receipts.copies_there import CopiesThere
from importer.domain.receipts.folder_listing import FolderListing
from importer.domain.receipts.folder_tally import FolderCheckpoint, FolderTally, Refusal, RefusalCode
from importer.domain.receipts.marked_copies import MarkedCopies
from importer.domain.receipts.receipt import (
    ANY_UIDVALIDITY,
    NEVER_SEEN,
    ChangeKind,
    CopyNote,
    Outcome,
    Receipt,
    ReceiptReason,
    skip_reason_of,
)
from importer.domain.receipts.sized_copies import SizedCopies

_MAX_UNMERGED: Final = 5_000


def never(_import: ImportId) -> bool:
    """The default of `FolderHistory.sent_lately`."""
    return False


class _Bag:
    """Collects UIDs that are added one by one and occasionally read as a set. They are merged into the set
    when it is read, or when there are more than _MAX_UNMERGED."""

    __slots__ = ("_highest", "_merged", "_unmerged")

    def __init__(self) -> None:
        self._merged = UidSet()
        self._unmerged: list[Uid] = []
        self._highest = 0

    def without(self, uids: Sequence[Uid]) -> Sequence[Uid]:
        """Those of `uids` that are not in it. Cheap if they are higher than all that are."""
        if min(uids, default=0) > self._highest:
            return uids
        known = self.uids
        return [uid for uid in uids if uid not in known]

    def add(self, uids: Sequence[Uid]) -> None:
        self._highest = max(self._highest, max(uids, default=0))
        self._unmerged.extend(uids)
        if len(self._unmerged) > _MAX_UNMERGED:
            self._merge()

    @property
    def uids(self) -> UidSet:
        if self._unmerged:
            self._merge()
        return self._merged

    def _merge(self) -> None:
        self._merged |= UidSet.of(self._unmerged)
        self._unmerged.clear()


@dataclass(slots=True)
class _Settled:
    """The source UIDs settled with one (outcome, reason), by this import and by earlier ones."""

    current: _Bag = field(default_factory=_Bag)
    earlier: _Bag = field(default_factory=_Bag)


@dataclass(slots=True)
class FolderHistory:
    """The state of one pair of folders. Every receipt adds ranges of UIDs, and one digest per message in one
    of the two digest sets."""

    import_id: ImportId
    source: FolderRef
    destination: FolderRef  # the current folder, or the last one if it is missing
    uidnext: Uid | None = None  # of the destination when it was opened, None if it is missing
    opened_at: Uid | None = None  # mail from this UID on came after the first look of this leg
    detached: bool = False  # some receipts have ANY_UIDVALIDITY: they are for a folder to be created
    unlistable: bool = False  # this import already refused the folder as a whole
    unlisted_known: bool = False  # this import already has a refusal for the messages that are not listed
    unnumbered: int = 0  # messages, of any source folder, that are there under an unknown UID
    there: CopiesThere = field(default_factory=CopiesThere)  # results of the recount
    # Digests of messages with a receipt in this folder: first seen by this import, and all others.
    met_first: DigestSet = field(default_factory=Digests)
    met_before: DigestSet = field(default_factory=Digests)
    former: DigestSet = field(default_factory=Digests)
    has_former: bool = False
    unreached: Uid | None = None  # the highest UID that a receipt names and the folder has not assigned
    copied_bytes: int = 0
    keywords_dropped: int = 0
    marked: MarkedCopies = field(default_factory=MarkedCopies)  # of this import
    sized: SizedCopies = field(default_factory=SizedCopies)  # likewise
    flagged: bool = False  # copies of this import were sent with flags
    sent_lately: Callable[[ImportId], bool] = never  # whether copies of that import may still appear
    _settled: defaultdict[tuple[Outcome, ReceiptReason], _Settled] = field(
        default_factory=lambda: defaultdict(_Settled)
    )
    _refused: _Bag = field(default_factory=_Bag)
    _landed: _Bag = field(default_factory=_Bag)
    _copied_to: _Bag = field(default_factory=_Bag)
    _sent_before: _Bag = field(default_factory=_Bag)

    def holds(self, receipt: Receipt) -> bool:
        """Whether the receipt is valid for the current destination folder."""
        if (
            receipt.reason is CopyNote.UNSEEN
            and not receipt.destination_uids
            and receipt.import_id != self.import_id
            and not self.sent_lately(receipt.import_id)
        ):
            return False
        if receipt.destination.uidvalidity == ANY_UIDVALIDITY:
            return True
        if receipt.destination.uidvalidity != self.destination.uidvalidity:
            return False
        return self.uidnext is None or max(receipt.destination_uids, default=0) < self.uidnext

    def counts(self, receipt: Receipt) -> bool:
        """Whether the receipt is valid, or this import has written it since the folder was opened."""
        written = receipt.import_id == self.import_id and receipt.destination == self.destination
        return self.holds(receipt) or (written and receipt.destination_uids[0] in self.destination_uids)

    def recall(self, receipts: Iterable[Receipt]) -> None:
        """Add the receipts from the ledger that are valid, and the digests of former copies."""
        self.extend(receipt for receipt in receipts if self.holds(receipt) or self._note_former(receipt))

    def _note_former(self, receipt: Receipt) -> bool:
        if receipt.destination == self.destination and receipt.destination_uids:
            self.unreached = max(self.unreached or Uid(0), *receipt.destination_uids)
        if receipt.outcome is Outcome.COPIED:
            if receipt.reason == CopyNote.UNSEEN and receipt.source == self.source:
                self._sent_before.add(receipt.source_uids)
            self.has_former = True
            for digest in each_digest(receipt.digests):
                self.former.add(digest)
        return False

    def extend(self, receipts: Iterable[Receipt]) -> None:
        """Add receipts that were just written. The cost depends on their size, not on that of the history."""
        for receipt in receipts:
            self.detached |= receipt.destination.uidvalidity == ANY_UIDVALIDITY
            self._landed.add(receipt.destination_uids)
            if receipt.outcome in (Outcome.COPIED, Outcome.PRESENT) and not receipt.destination_uids:
                self.unnumbered += len(receipt.source_uids)
            current = receipt.import_id == self.import_id
            self._learn_digests(receipt, current=current)
            if receipt.source != self.source:
                continue
            settled = self._settled[receipt.outcome, receipt.reason]
            (settled.current if current else settled.earlier).add(receipt.source_uids)
            if current and receipt.outcome is Outcome.COPIED:
                self._copied_to.add(receipt.destination_uids)
                self.copied_bytes += receipt.size_bytes
                self.keywords_dropped += receipt.keywords_dropped
                self.marked.add(receipt)
                self.sized.add(receipt)
                self.flagged = self.flagged or has_flags(receipt.flags)

    def _learn_digests(self, receipt: Receipt, *, current: bool) -> None:
        # The same folder under another UIDVALIDITY lists the same messages again: they are “already there”.
        # A further message with equal content is a duplicate.
        relisted = receipt.source.name == self.source.name and receipt.source != self.source
        met, other = self.met_before, self.met_first
        if current and not relisted:
            met, other = other, met
        for digest in each_digest(receipt.digests):
            if digest not in other:
                met.add(digest)

    def knows(self, digest: bytes) -> bool:
        """Whether a message with this content has a receipt."""
        return digest in self.met_first or digest in self.met_before

    def again(self, digest: bytes) -> Outcome | None:
        """The outcome of a further message with this content; None if there is no receipt for the content."""
        if digest in self.met_first:
            return Outcome.DUPLICATE
        return Outcome.PRESENT if digest in self.met_before else None

    def refuse(self, refusals: Iterable[Refusal]) -> None:
        """Add this import's refusals; those of other source folders are ignored."""
        for refusal in refusals:
            if refusal.folder != self.source.name or refusal.uidvalidity != self.source.uidvalidity:
                continue
            if refusal.code is RefusalCode.UNLISTED:
                self.unlisted_known = True
            elif refusal.uid is None:
                self.unlistable = True
            else:
                self._refused.add((refusal.uid,))

    @property
    def settled(self) -> UidSet:
        """Source UIDs that are done, settled by this or an earlier import."""
        uids = UidSet()
        for settled in self._settled.values():
            uids = uids | settled.current.uids | settled.earlier.uids
        return uids

    @property
    def claims_presence(self) -> bool:
        """Whether the tally counts any message as being at the destination."""
        return any(outcome is not Outcome.SKIPPED for outcome, _ in self._settled)

    @property
    def has_unseen(self) -> bool:
        """Whether no recount has seen some copies from this source folder so far."""
        return any((Outcome.COPIED, reason) in self._settled for reason in NEVER_SEEN)

    @property
    def sent_once(self) -> UidSet:
        """Source UIDs whose copies, made once by earlier imports, no recount has seen."""
        unseen = self._settled.get((Outcome.COPIED, CopyNote.UNSEEN))
        return UidSet() if unseen is None else unseen.earlier.uids

    @property
    def sent_before(self) -> UidSet:
        """Source UIDs whose former copies no recount has seen, although nothing proves that they were stored:
        this import sends them again."""
        return self._sent_before.uids

    def renumbered(self, uidnext: Uid) -> bool:
        """Whether a settled message has a UID that the source has not assigned yet."""
        return (self.settled.highest or 0) >= uidnext

    @property
    def refused(self) -> UidSet:
        """Source UIDs that this import could not copy; the next import tries them again."""
        return self._refused.uids

    @property
    def destination_uids(self) -> UidSet:
        """Destination UIDs that have a receipt."""
        return self._landed.uids

    def new_numbers(self, uids: Sequence[Uid]) -> Sequence[Uid]:
        """Those of the destination UIDs that no receipt has."""
        return self._landed.without(uids)

    @property
    def copied_to(self) -> UidSet:
        """Destination UIDs of this import's copies from this source folder."""
        return self._copied_to.uids

    @property
    def copied_here(self) -> UidSet:
        """Source UIDs of this import's copies from this source folder."""
        uids = UidSet()
        for (outcome, _), settled in self._settled.items():
            uids = uids | settled.current.uids if outcome is Outcome.COPIED else uids
        return uids

    def todo(self, source_uids: UidSet) -> UidSet:
        """The UIDs in `source_uids` that still have to be fetched."""
        return source_uids - self.settled - self.refused

    def listing(
        self, source_uids: UidSet, left_out: UidSet, left_out_reason: SkipReason | None
    ) -> FolderListing:
        """The facts about the messages that the source lists (`source_uids`) which receipts do not show."""
        earlier, there = UidSet(), self.there
        for settled in self._settled.values():
            earlier = earlier | settled.earlier.uids
        unchecked = earlier & source_uids if there.unknown else there.unchecked
        return FolderListing(
            self.source.uidvalidity,
            self.destination.uidvalidity,
            departed=earlier - source_uids,
            gone=there.gone,
            unseen=there.never_seen,
            unchecked=unchecked,
            left_out=left_out,
            left_out_reason=left_out_reason if left_out else None,
        )

    def tally(self, source_uids: UidSet, destination_folder: str) -> FolderTally:
        """The current tally. Every message that the source lists (`source_uids`), or listed to this import
        before, is counted once."""
        counts = dict.fromkeys(Outcome, 0)
        skipped: dict[SkipReason, int] = {}
        recognised = gone = unchecked = never_seen = 0
        listed = source_uids | self.refused
        # What an undo noted and left counts again, beside what an import found there meanwhile.
        counted = UidSet()
        for settled in self._settled.values():
            counted |= settled.current.uids
        for (outcome, reason), settled in self._settled.items():
            current, earlier = settled.current.uids, (settled.earlier.uids & source_uids) - counted
            listed |= current
            counted |= earlier
            if outcome is Outcome.SKIPPED:
                skipped[skip_reason_of(reason)] = len(current) + len(earlier)
                continue
            if outcome is Outcome.COPIED:
                removed = current & self.there.gone
                counts[Outcome.COPIED] += len(current) - len(removed)
                looked_up = earlier | removed
            else:
                looked_up = current | earlier
            gone += len(looked_up & self.there.gone)
            never_seen += len(looked_up & self.there.never_seen)
            looked_up = looked_up - self.there.gone - self.there.never_seen
            if outcome is Outcome.DUPLICATE:
                counts[Outcome.DUPLICATE] += len(looked_up)
                continue
            counts[Outcome.PRESENT] += len(looked_up)
            unchecked += len(looked_up) if self.there.unknown else len(looked_up & self.there.unchecked)
            recognised += len(looked_up) if reason is CopyNote.CHANGED_ELSEWHERE else 0
        return FolderTally(
            source_folder=self.source.name,
            destination_folder=destination_folder,
            found=len(listed),
            copied=counts[Outcome.COPIED],
            present=counts[Outcome.PRESENT],
            duplicate=counts[Outcome.DUPLICATE],
            skipped={reason: n for reason, n in sorted(skipped.items()) if n},
            failed=len(self.refused - self.settled) + never_seen,
            copied_bytes=self.copied_bytes,
            keywords_dropped=self.keywords_dropped,
            recognised=recognised,
            changes=_counted(self.marked.changes()),
            gone=gone,
            unchecked=unchecked,
        )


def with_batch(tally: FolderTally, receipts: Iterable[Receipt], refusals: Iterable[Refusal]) -> FolderTally:
    """The tally after one more batch of messages, which it already counts as found. The cost depends on the
    batch alone."""
    for receipt in receipts:
        number = len(receipt.source_uids)
        match receipt.outcome:
            case Outcome.COPIED:
                tally = replace(
                    tally,
                    copied=tally.copied + number,
                    copied_bytes=tally.copied_bytes + receipt.size_bytes,
                    keywords_dropped=tally.keywords_dropped + receipt.keywords_dropped,
                )
                if receipt.marks:
                    marked = MarkedCopies()
                    marked.add(receipt)
                    tally = with_changes(tally, marked.changes())
            case Outcome.PRESENT:
                recognised = number if receipt.reason is CopyNote.CHANGED_ELSEWHERE else 0
                tally = replace(
                    tally, present=tally.present + number, recognised=tally.recognised + recognised
                )
            case Outcome.DUPLICATE:
                tally = replace(tally, duplicate=tally.duplicate + number)
            case Outcome.SKIPPED:
                tally = with_skipped(tally, skip_reason_of(receipt.reason), number)
            case Outcome.FAILED:
                raise ValueError("a failed message has a refusal, not a receipt")
    return replace(tally, failed=tally.failed + sum(refusal.uid is not None for refusal in refusals))


def with_unlisted(tally: FolderTally, number: int) -> FolderTally:
    """The tally with messages that the source counts and does not list: they exist and were not copied."""
    return replace(tally, found=tally.found + number, failed=tally.failed + number) if number else tally


def with_skipped(tally: FolderTally, reason: SkipReason, number: int) -> FolderTally:
    """The tally with further messages, which it already counts as found, that are left out for a reason."""
    before = tally.skipped.get(reason, 0)
    return replace(tally, skipped={**tally.skipped, reason: before + number}) if number else tally


def with_changes(tally: FolderTally, changes: Mapping[str, int]) -> FolderTally:
    """The tally with further changes of copies."""
    if not changes:
        return tally
    return replace(tally, changes=_counted(Counter(tally.changes) + Counter(changes)))


def _counted(changes: Mapping[str, int]) -> dict[str, int]:
    """In the order of ChangeKind, with plain strings."""
    return {kind.value: changes[kind] for kind in ChangeKind if changes.get(kind)}


def unchanged(checkpoint: FolderCheckpoint) -> FolderTally:
    """The tally of a folder of which neither side has changed since its checkpoint: all copies are there, and
    messages that were gone still are."""
    before = checkpoint.tally
    return replace(
        before,
        copied=0,
        present=before.copied + before.present,
        copied_bytes=0,
        keywords_dropped=0,
        flags_updated=0,
        changes={},
        confirmed=0,
        source_recount=before.found,
    )


def recounted(tally: FolderTally, *, confirmed: int | None, source_recount: int) -> FolderTally:
    """The tally with the result of the independent recount; `confirmed` is None if the destination could not
    be counted."""
    return replace(tally, confirmed=confirmed, source_recount=source_recount)
