"""What the ledger knows about one pair of folders: the receipts that hold, summed up.

Invariants:
- A receipt holds while its destination folder has the UIDVALIDITY it was written under, or after its
  owner removed the folder (ANY_UIDVALIDITY). All others are void and count for nothing; so are those with
  a UID that the folder has not given out yet: it is a new folder whose server reuses UIDVALIDITYs.
- A source UID has at most one outcome: what is settled is never looked at again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from importer.domain.model import (
    ANY_UIDVALIDITY,
    FolderAccount,
    FolderRef,
    ImportId,
    Outcome,
    Receipt,
    Refusal,
)
from importer.domain.uidset import Uid, UidSet


@dataclass(slots=True)
class _Sum:
    """The settled source UIDs of one (outcome, reason), by us and by earlier imports."""

    ours: UidSet = UidSet()
    earlier: UidSet = UidSet()


@dataclass(slots=True)
class FolderHistory:
    """Grows with every receipt that is written. Memory: ranges of UIDs, and one digest per message."""

    import_id: ImportId
    source: FolderRef
    destination: FolderRef  # as it is, or as it last was when it is missing
    uidnext: Uid | None = None  # of the destination when it was looked at, None while it is missing
    detached: bool = False  # some receipts wait for a new folder to be attached to
    refused: UidSet = UidSet()  # by this import: not tried again until the next one
    unlistable: bool = False  # this import was told already that the source does not list the folder
    destination_uids: UidSet = UidSet()
    digests: dict[bytes, Outcome] = field(default_factory=dict)
    copied_bytes: int = 0
    keywords_dropped: int = 0
    _sums: dict[tuple[Outcome, str], _Sum] = field(default_factory=dict)
    _copied_to: UidSet = UidSet()

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
        """Takes receipts into account that were just written; one merge for all of them."""
        uids: dict[tuple[Outcome, str, bool], list[Uid]] = {}
        landed: list[Uid] = []
        copied_to: list[Uid] = []
        for receipt in receipts:
            self.detached |= receipt.destination.uidvalidity == ANY_UIDVALIDITY
            landed.extend(receipt.destination_uids)
            ours = receipt.import_id == self.import_id
            same_source = receipt.source == self.source
            self._learn_digests(receipt, ours=ours)
            if not same_source:
                continue
            uids.setdefault((receipt.outcome, receipt.reason, ours), []).extend(receipt.source_uids)
            if ours and receipt.outcome is Outcome.COPIED:
                copied_to.extend(receipt.destination_uids)
                self.copied_bytes += receipt.size_bytes
                self.keywords_dropped += receipt.keywords_dropped
        self.destination_uids |= UidSet.of(landed)
        self._copied_to |= UidSet.of(copied_to)
        for (outcome, reason, ours), settled in uids.items():
            total = self._sums.setdefault((outcome, reason), _Sum())
            if ours:
                total.ours |= UidSet.of(settled)
            else:
                total.earlier |= UidSet.of(settled)

    def _learn_digests(self, receipt: Receipt, *, ours: bool) -> None:
        # The same folder under another UIDVALIDITY shows the same mail anew: that is “already there”,
        # while equal content beside the message itself is a duplicate.
        shown_anew = receipt.source.name == self.source.name and receipt.source != self.source
        again = Outcome.DUPLICATE if ours and not shown_anew else Outcome.PRESENT
        for at in range(0, len(receipt.digests), 16):
            self.digests.setdefault(receipt.digests[at : at + 16], again)

    def refuse(self, refusals: Iterable[Refusal]) -> None:
        """Takes this import's refusals of this source folder into account."""
        uids = []
        for refusal in refusals:
            if refusal.folder != self.source.name or refusal.uidvalidity != self.source.uidvalidity:
                continue
            if refusal.uid is None:
                self.unlistable = True
            else:
                uids.append(refusal.uid)
        self.refused |= UidSet.of(uids)

    @property
    def settled(self) -> UidSet:
        """Source UIDs that need nothing more, whichever import settled them."""
        return UidSet.from_ranges(
            r for total in self._sums.values() for both in (total.ours, total.earlier) for r in both.ranges
        )

    @property
    def copied_to(self) -> UidSet:
        """Destination UIDs that this import's copies of this source folder got."""
        return self._copied_to

    def todo(self, shown: UidSet) -> UidSet:
        """What of `shown` still has to be fetched."""
        return shown - self.settled - self.refused

    def account(self, shown: UidSet, destination_folder: str) -> FolderAccount:
        """The account as of now: every message that the source shows, or showed to this import, once."""
        counts: dict[Outcome, int] = dict.fromkeys(Outcome, 0)
        skipped: dict[str, int] = {}
        found = shown | self.refused
        for (outcome, reason), total in self._sums.items():
            found |= total.ours
            before = len(total.earlier & shown)
            if outcome is Outcome.SKIPPED:
                skipped[reason] = len(total.ours) + before
            elif outcome is Outcome.COPIED:
                counts[Outcome.COPIED] += len(total.ours)
                counts[Outcome.PRESENT] += before
            else:
                counts[outcome] += len(total.ours) + before
        return FolderAccount(
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


def recounted(account: FolderAccount, *, confirmed: int, source_recount: int) -> FolderAccount:
    """The account with the result of the independent recount."""
    return replace(account, confirmed=confirmed, source_recount=source_recount)
