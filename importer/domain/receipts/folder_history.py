"""What the ledger knows about one pair of folders: the receipts that hold, summed up.

Invariants:
- A receipt holds while its destination folder has the UIDVALIDITY it was written under, or after its
  owner removed the folder (ANY_UIDVALIDITY). All others are void and count for nothing; so are those with
  a UID that the folder has not given out yet: it is a new folder whose server reuses UIDVALIDITYs.
- A source UID has at most one outcome: what is settled is never looked at again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from importer.compact.digest_set import DIGEST_BYTES, Digests, DigestSet
from importer.compact.uid_set import Uid, UidSet
from importer.domain.model import (
    ANY_UIDVALIDITY,
    FolderCheckpoint,
    FolderRef,
    FolderTally,
    ImportId,
    Outcome,
    Receipt,
    Refusal,
)

_FRESH: Final = 5_000


class _Bag:
    """UIDs that come in one by one and are asked for as a set now and then: merged only when asked for, or
    when they get many."""

    __slots__ = ("_fresh", "_merged")

    def __init__(self) -> None:
        self._merged = UidSet()
        self._fresh: list[Uid] = []

    def add(self, uids: Iterable[Uid]) -> None:
        self._fresh.extend(uids)
        if len(self._fresh) > _FRESH:
            self._merge()

    @property
    def uids(self) -> UidSet:
        if self._fresh:
            self._merge()
        return self._merged

    def _merge(self) -> None:
        self._merged |= UidSet.of(self._fresh)
        self._fresh.clear()


@dataclass(slots=True)
class _Settled:
    """The settled source UIDs of one (outcome, reason), by this import and by earlier ones."""

    ours: _Bag = field(default_factory=_Bag)
    earlier: _Bag = field(default_factory=_Bag)


@dataclass(slots=True)
class FolderHistory:
    """Grows with every receipt that is written: by ranges of UIDs, and by one digest per message in one of
    the two sets of digests."""

    import_id: ImportId
    source: FolderRef
    destination: FolderRef  # as it is, or as it last was when it is missing
    uidnext: Uid | None = None  # of the destination when it was looked at, None while it is missing
    detached: bool = False  # some receipts wait for a new folder to be attached to
    unlistable: bool = False  # this import was told already that the source does not list the folder
    # Contents that have a receipt in this folder: those that this import met first, and all others.
    met_first: DigestSet = field(default_factory=Digests)
    met_before: DigestSet = field(default_factory=Digests)
    copied_bytes: int = 0
    keywords_dropped: int = 0
    _settled: defaultdict[tuple[Outcome, str], _Settled] = field(
        default_factory=lambda: defaultdict(_Settled)
    )
    _refused: _Bag = field(default_factory=_Bag)
    _landed: _Bag = field(default_factory=_Bag)
    _copied_to: _Bag = field(default_factory=_Bag)

    def holds(self, receipt: Receipt) -> bool:
        """Whether the receipt still says something about the destination folder as it is now."""
        if receipt.destination.uidvalidity == ANY_UIDVALIDITY:
            return True
        if receipt.destination.uidvalidity != self.destination.uidvalidity:
            return False
        return self.uidnext is None or max(receipt.destination_uids, default=0) < self.uidnext

    def recall(self, receipts: Iterable[Receipt]) -> None:
        """Takes receipts of the ledger into account, those that hold."""
        self.extend(receipt for receipt in receipts if self.holds(receipt))

    def extend(self, receipts: Iterable[Receipt]) -> None:
        """Takes receipts into account that were just written. Costs what they hold, not what is known."""
        for receipt in receipts:
            self.detached |= receipt.destination.uidvalidity == ANY_UIDVALIDITY
            self._landed.add(receipt.destination_uids)
            ours = receipt.import_id == self.import_id
            self._learn_digests(receipt, ours=ours)
            if receipt.source != self.source:
                continue
            settled = self._settled[receipt.outcome, receipt.reason]
            (settled.ours if ours else settled.earlier).add(receipt.source_uids)
            if ours and receipt.outcome is Outcome.COPIED:
                self._copied_to.add(receipt.destination_uids)
                self.copied_bytes += receipt.size_bytes
                self.keywords_dropped += receipt.keywords_dropped

    def _learn_digests(self, receipt: Receipt, *, ours: bool) -> None:
        # The same folder under another UIDVALIDITY shows the same mail anew: that is “already there”,
        # while equal content beside the message itself is a duplicate.
        shown_anew = receipt.source.name == self.source.name and receipt.source != self.source
        for at in range(0, len(receipt.digests), DIGEST_BYTES):
            digest = receipt.digests[at : at + DIGEST_BYTES]
            if not self.knows(digest):
                (self.met_first if ours and not shown_anew else self.met_before).add(digest)

    def knows(self, digest: bytes) -> bool:
        """Whether a message with this content has a receipt."""
        return digest in self.met_first or digest in self.met_before

    def again(self, digest: bytes) -> Outcome | None:
        """What a further message with this content is; None when there is no receipt of any."""
        if digest in self.met_first:
            return Outcome.DUPLICATE
        return Outcome.PRESENT if digest in self.met_before else None

    def refuse(self, refusals: Iterable[Refusal]) -> None:
        """Takes this import's refusals of this source folder into account."""
        for refusal in refusals:
            if refusal.folder != self.source.name or refusal.uidvalidity != self.source.uidvalidity:
                continue
            if refusal.uid is None:
                self.unlistable = True
            else:
                self._refused.add((refusal.uid,))

    @property
    def settled(self) -> UidSet:
        """Source UIDs that need nothing more, whichever import settled them."""
        settled = UidSet()
        for one in self._settled.values():
            settled = settled | one.ours.uids | one.earlier.uids
        return settled

    @property
    def refused(self) -> UidSet:
        """Source UIDs that this import could not copy; the next import tries them again."""
        return self._refused.uids

    @property
    def destination_uids(self) -> UidSet:
        """What stands at the destination with a receipt."""
        return self._landed.uids

    @property
    def copied_to(self) -> UidSet:
        """Destination UIDs that this import's copies of this source folder got."""
        return self._copied_to.uids

    def todo(self, shown: UidSet) -> UidSet:
        """What of `shown` still has to be fetched."""
        return shown - self.settled - self.refused

    def tally(self, shown: UidSet, destination_folder: str) -> FolderTally:
        """The account as of now: every message that the source shows, or showed to this import, once."""
        counts = dict.fromkeys(Outcome, 0)
        skipped: dict[str, int] = {}
        found = shown | self.refused
        for (outcome, reason), one in self._settled.items():
            ours, before = one.ours.uids, len(one.earlier.uids & shown)
            found |= ours
            if outcome is Outcome.SKIPPED:
                skipped[reason] = len(ours) + before
            elif outcome is Outcome.COPIED:
                counts[Outcome.COPIED] += len(ours)
                counts[Outcome.PRESENT] += before
            else:
                counts[outcome] += len(ours) + before
        return FolderTally(
            source_folder=self.source.name,
            destination_folder=destination_folder,
            found=len(found),
            copied=counts[Outcome.COPIED],
            present=counts[Outcome.PRESENT],
            duplicate=counts[Outcome.DUPLICATE],
            skipped={reason: n for reason, n in sorted(skipped.items()) if n},
            failed=len(self.refused - self.settled),
            copied_bytes=self.copied_bytes,
            keywords_dropped=self.keywords_dropped,
        )


def with_batch(tally: FolderTally, receipts: Iterable[Receipt], refusals: Iterable[Refusal]) -> FolderTally:
    """The account after one more batch of messages that it had found before. Costs what the batch holds."""
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
            case Outcome.PRESENT:
                tally = replace(tally, present=tally.present + number)
            case Outcome.DUPLICATE:
                tally = replace(tally, duplicate=tally.duplicate + number)
            case Outcome.SKIPPED:
                before = tally.skipped.get(receipt.reason, 0)
                tally = replace(tally, skipped={**tally.skipped, receipt.reason: before + number})
            case Outcome.FAILED:
                raise ValueError("what failed has a refusal, not a receipt")
    return replace(tally, failed=tally.failed + sum(refusal.uid is not None for refusal in refusals))


def unchanged(checkpoint: FolderCheckpoint) -> FolderTally:
    """The account of a folder that is as its mark says: all of it was there before this import."""
    before = checkpoint.tally
    return replace(
        before,
        copied=0,
        present=before.copied + before.present,
        copied_bytes=0,
        keywords_dropped=0,
        flags_updated=0,
        confirmed=0,
        source_recount=before.found,
    )


def recounted(tally: FolderTally, *, confirmed: int, source_recount: int) -> FolderTally:
    """The account with the result of the independent recount."""
    return replace(tally, confirmed=confirmed, source_recount=source_recount)
