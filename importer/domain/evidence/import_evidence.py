"""The lines of one import: every message with its outcome, so that the lines of a folder add up to the
numbers of the report.

Messages that this import settled have a line each. Those that an earlier import of the same two mailboxes
settled are named by their UIDs, with that import: its evidence has a line for each. Messages that the ledger
does not hold are reported as unknown (`rest`), never inferred.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

from importer.compact.digest_set import DIGEST_BYTES
from importer.compact.message_facts import unpack_facts
from importer.compact.uid_set import UidSet
from importer.domain.evidence.evidence_row import GONE, OUTCOMES, EvidenceRow, LineKind
from importer.domain.messages.stored_changes import changed_before
from importer.domain.model import Import
from importer.domain.receipts.folder_listing import FolderListing
from importer.domain.receipts.folder_tally import FolderTally, Refusal
from importer.domain.receipts.receipt import (
    ANY_UIDVALIDITY,
    FORMER_UIDVALIDITY,
    CopyNote,
    Outcome,
    Receipt,
    stored_reason,
)

UNDONE: Final = "undone"
_DIGEST_CHARS: Final = 2 * DIGEST_BYTES
_REASONS: Final = {
    CopyNote.UNSEEN: "not_seen_since",
    CopyNote.UNSEEN_TWICE: "not_seen_since",
    CopyNote.IN_REMOVED_FOLDER: "folder_removed",
    CopyNote.CHANGED_ELSEWHERE: "recognised",
}


class LedgerEntry(NamedTuple):
    """A receipt of the route; `undone`: its copies were removed again."""

    receipt: Receipt
    undone: bool = False


def _reason(receipt: Receipt) -> str:
    note = receipt.reason
    return _REASONS[note] if isinstance(note, CopyNote) else stored_reason(note)


class _EarlierKey(NamedTuple):
    import_id: str
    outcome: Outcome
    reason: str


@dataclass(slots=True)
class _Folder:
    tally: FolderTally
    own: UidSet = UidSet()
    refused: UidSet = UidSet()
    counts: Counter[str] = field(default_factory=Counter)
    earlier: dict[_EarlierKey, UidSet] = field(default_factory=dict)

    @property
    def listing(self) -> FolderListing | None:
        return self.tally.listing

    def holds(self, receipt: Receipt) -> bool:
        """Whether the receipt counts in the numbers of the folder (as in `FolderHistory`)."""
        if receipt.destination.name != self.tally.destination_folder:
            return False
        listing = self.listing
        if listing is None:
            return True
        source, destination = receipt.source.uidvalidity, receipt.destination.uidvalidity
        return source in (listing.source_uidvalidity, FORMER_UIDVALIDITY) and (
            destination in (listing.destination_uidvalidity, ANY_UIDVALIDITY)
            or receipt.reason is CopyNote.IN_REMOVED_FOLDER
        )


def import_evidence(
    import_: Import,
    tallies: Sequence[FolderTally],
    entries: Iterable[LedgerEntry],
    refusals: Iterable[Refusal],
) -> Iterator[EvidenceRow]:
    """Lazy; the memory depends on the number of folders and on the gaps in their UIDs. `entries` are those of
    `EvidenceRecords.evidence_entries`."""
    yield EvidenceRow(LineKind.IMPORT, import_.id, detail=_of_import(import_))
    folders = {tally.source_folder: _Folder(tally) for tally in tallies}
    for receipt, undone in entries:
        folder = folders.get(receipt.source.name)
        if receipt.import_id == import_.id:
            yield from _own(folder, receipt, undone=undone)
        elif folder is not None:
            _note_earlier(folder, receipt)
    for refusal in refusals:
        yield _refused(folders.get(refusal.folder), refusal)
    for folder in folders.values():
        yield from _summary(import_.id, folder)


def _of_import(import_: Import) -> str:
    source, destination = (
        f"{account.address} at {account.endpoint}" for account in (import_.source, import_.destination)
    )
    return f"from {source}; to {destination}; state={import_.state.value}"


# --- Messages that this import settled ---------------------------------------------------------------------


def _own(folder: _Folder | None, receipt: Receipt, *, undone: bool) -> Iterator[EvidenceRow]:
    valid = folder is not None and folder.holds(receipt)
    listing = folder.listing if folder is not None else None
    uids, source, destination = receipt.source_uids, receipt.source, receipt.destination
    facts = unpack_facts(receipt.facts, len(uids))
    to_uids = receipt.destination_uids or (0,) * len(uids)
    digests = receipt.digests.hex()
    reason = UNDONE if undone else _reason(receipt)
    known = folder.own if folder is not None and valid else UidSet()
    again = known.at_or_above(min(uids, default=0)) or None
    uncertain = listing if receipt.outcome is not Outcome.SKIPPED else None
    usual, usual_outcome = LineKind.MESSAGE if valid else LineKind.FORMER, receipt.outcome.value
    from_numbered, to_numbered = max(0, source.uidvalidity), max(0, destination.uidvalidity)
    for at, uid in enumerate(uids):
        outcome, record = usual_outcome, usual
        size_bytes, date = facts[at]
        if again is not None and uid in again:
            record = LineKind.FORMER
        if uncertain is not None:
            if uid in uncertain.unseen:
                record = LineKind.FORMER  # its refusal counts
            elif uid in uncertain.gone:
                outcome = GONE
        if folder is not None and record is LineKind.MESSAGE:
            folder.counts[outcome] += 1
        yield EvidenceRow(
            record,
            receipt.import_id,
            source.name,
            from_numbered,
            uid,
            destination.name,
            to_numbered,
            to_uids[at],
            outcome,
            reason,
            size_bytes,
            "" if date is None else date.isoformat(),
            digests[_DIGEST_CHARS * at : _DIGEST_CHARS * (at + 1)],
            1,
            _changes(receipt.marks[at]) if receipt.marks else "",
        )
    if folder is not None and valid:
        folder.own = known | UidSet.of(uids)


@lru_cache(maxsize=256)
def _changes(marks: int) -> str:
    return ",".join(changed_before(marks))


def _refused(folder: _Folder | None, refusal: Refusal) -> EvidenceRow:
    record = LineKind.NOTE
    if refusal.uid is not None:
        record = LineKind.FORMER
        listing = folder.listing if folder is not None else None
        if folder is not None and (listing is None or listing.source_uidvalidity == refusal.uidvalidity):
            is_open = refusal.uid not in folder.own or (listing is not None and refusal.uid in listing.unseen)
            if is_open and refusal.uid not in folder.refused:
                record = LineKind.MESSAGE
                folder.refused |= UidSet.of((refusal.uid,))
                folder.counts[Outcome.FAILED.value] += 1
    words = refusal.reason.params.get("words", "")
    return EvidenceRow(
        record,
        refusal.import_id,
        refusal.folder,
        max(0, refusal.uidvalidity),
        refusal.uid or 0,
        outcome="" if refusal.uid is None else Outcome.FAILED.value,
        reason=refusal.code.value,
        size_bytes=refusal.size_bytes,
        messages=refusal.count,
        detail=f"{refusal.reason.code}: {words}" if words else refusal.reason.code,
    )


# --- Messages that earlier imports settled, and the sum ----------------------------------------------------


def _note_earlier(folder: _Folder, receipt: Receipt) -> None:
    unproven = receipt.reason is CopyNote.UNSEEN and not receipt.destination_uids
    if folder.listing is not None and folder.holds(receipt) and not unproven:
        key = _EarlierKey(receipt.import_id, receipt.outcome, _reason(receipt))
        folder.earlier[key] = folder.earlier.get(key, UidSet()) | UidSet.of(receipt.source_uids)


def _summary(import_id: str, folder: _Folder) -> Iterator[EvidenceRow]:
    tally, listing = folder.tally, folder.listing
    place = EvidenceRow(
        LineKind.MESSAGES,
        import_id,
        tally.source_folder,
        listing.source_uidvalidity if listing is not None else 0,
        destination_folder=tally.destination_folder,
        destination_uidvalidity=max(0, listing.destination_uidvalidity) if listing is not None else 0,
    )
    reported = _reported(tally)
    rows = list(_several(place, folder, listing)) if listing is not None else []
    counted = folder.counts + _sums(rows)
    if any(counted[outcome] > reported[outcome] for outcome in OUTCOMES):
        # The ledger was changed since, by an import that ran at the same time or by an undo.
        rows, counted = [], folder.counts
    yield from rows
    for outcome in OUTCOMES:
        missing = reported[outcome] - counted[outcome]
        if missing > 0:
            yield place._replace(
                record=LineKind.REST, outcome=outcome, reason="not_recorded", messages=missing
            )
        elif missing < 0:
            yield place._replace(
                record=LineKind.NOTE, outcome=outcome, reason="more_than_reported", messages=-missing
            )
    numbers = "; ".join(f"{outcome}={reported[outcome]}" for outcome in OUTCOMES)
    confirmed = "not counted" if tally.confirmed is None else tally.confirmed
    yield place._replace(
        record=LineKind.FOLDER,
        messages=tally.found,
        detail=f"{numbers}; copies seen again={confirmed}",
    )


def _several(place: EvidenceRow, folder: _Folder, listing: FolderListing) -> Iterator[EvidenceRow]:
    counted = listing.departed | folder.own
    for key in sorted(folder.earlier):
        listed = folder.earlier[key] - counted
        counted |= listed
        reason, detail = key.reason, f"settled by import {key.import_id}"
        if key.outcome is Outcome.SKIPPED:
            parts = [(Outcome.SKIPPED.value, reason, listed)]
        else:
            outcome = Outcome.DUPLICATE if key.outcome is Outcome.DUPLICATE else Outcome.PRESENT
            here = listed - listing.gone - listing.unseen
            parts = [
                (outcome.value, reason, here - listing.unchecked),
                (outcome.value, "not_looked_up", here & listing.unchecked),
                (GONE, reason, listed & listing.gone),
            ]
        for name, why, uids in parts:
            if uids:
                yield place._replace(
                    source_uid=str(uids), outcome=name, reason=why, messages=len(uids), detail=detail
                )
    if listing.left_out:
        yield place._replace(
            source_uid=str(listing.left_out),
            outcome=Outcome.SKIPPED.value,
            reason=stored_reason(listing.left_out_reason),
            messages=len(listing.left_out),
        )


def _sums(rows: Iterable[EvidenceRow]) -> Counter[str]:
    sums: Counter[str] = Counter()
    for row in rows:
        sums[row.outcome] += row.messages
    return sums


def _reported(tally: FolderTally) -> Counter[str]:
    numbers = (tally.copied, tally.present, tally.gone, tally.duplicate, tally.skipped_total, tally.failed)
    return Counter(dict(zip(OUTCOMES, numbers, strict=True)))
