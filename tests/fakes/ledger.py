"""The ledger in dictionaries."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from importer.compact.uid_set import UidSet, UidValidity
from importer.domain.mailbox_content import FolderRef
from importer.domain.model import Account, Import, ImportId, Route
from importer.domain.planning.retry_scope import RetryScope
from importer.domain.receipts.folder_tally import FolderCheckpoint, Refusal
from importer.domain.receipts.receipt import (
    ANY_UIDVALIDITY,
    FORMER_UIDVALIDITY,
    NEVER_SEEN,
    CopyNote,
    Intent,
    Outcome,
    Receipt,
)
from importer.domain.receipts.receipt_splitting import split, without_copies
from importer.domain.receipts.undo_report import UndoReport
from importer.ports.leases import Lease
from importer.ports.ledger import Copies, LedgerChanges
from tests.fakes.leases import MemoryLeases


@dataclass(slots=True)
class _Row:
    """One receipt and its undo state."""

    number: int
    receipt: Receipt
    undoing: UidSet = UidSet()
    undone: bool = False


class MemoryLedger(MemoryLeases):
    """`importer.ports.ledger.Ledger`, thread-safe."""

    def __init__(self) -> None:
        super().__init__()
        self._folder_maps: dict[Route, dict[str, str]] = {}
        self._epochs: dict[Route, UidValidity] = {}
        self._checkpoints: dict[Route, dict[str, FolderCheckpoint]] = {}
        self._numbers = count(1)
        self._rows: dict[tuple[Route, str], list[_Row]] = {}
        self._intents: dict[tuple[Route, str], dict[int, Intent]] = {}
        self._refusals: dict[ImportId, list[Refusal]] = {}
        self._created: dict[ImportId, dict[str, None]] = {}
        self._undos: dict[ImportId, UndoReport] = {}

    def folder_map(self, route: Route) -> Mapping[str, str]:
        with self._lock:
            return dict(self._folder_maps.get(route, {}))

    def map_folders(self, route: Route, mapping: Mapping[str, str], lease: Lease) -> None:
        with self._lock:
            self._demand(lease)
            self._folder_maps.setdefault(route, {}).update(mapping)

    def mailbox_epoch(self, route: Route) -> UidValidity | None:
        with self._lock:
            return self._epochs.get(route)

    def set_mailbox_epoch(
        self, route: Route, epoch: UidValidity, lease: Lease, *, replaced: bool = True
    ) -> None:
        with self._lock:
            self._demand(lease)
            self._epochs[route] = epoch
            if not replaced:
                return
            self._checkpoints.pop(route, None)
            for (of_route, _), rows in self._rows.items():
                if of_route == route:
                    rows[:] = [r for r in rows if r.receipt.destination.uidvalidity != ANY_UIDVALIDITY]

    def checkpoints(self, route: Route) -> Mapping[str, FolderCheckpoint]:
        with self._lock:
            return dict(self._checkpoints.get(route, {}))

    def save_checkpoint(self, route: Route, checkpoint: FolderCheckpoint, lease: Lease) -> None:
        with self._lock:
            self._demand(lease)
            self._checkpoints.setdefault(route, {})[checkpoint.tally.source_folder] = checkpoint

    def receipts(self, route: Route, destination_folder: str) -> Iterator[Receipt]:
        with self._lock:
            rows = self._rows.get((route, destination_folder), ())
            left = [without_copies(row.receipt, row.undoing) for row in rows if not row.undone]
            return iter([receipt for receipt in left if receipt is not None])

    def routes_into(self, destination: Account) -> Collection[Route]:
        with self._lock:
            return self._routes_into(destination)

    def last_receipt(self, route: Route, destination_folder: str) -> Receipt | None:
        with self._lock:
            named = [
                row.receipt
                for row in self._rows.get((route, destination_folder), ())
                if not row.undone and row.receipt.destination.uidvalidity != FORMER_UIDVALIDITY
            ]
        return named[-1] if named else None

    def detach(self, route: Route, destination_folder: str, uidvalidity: UidValidity, lease: Lease) -> None:
        self._move(route, FolderRef(destination_folder, uidvalidity), ANY_UIDVALIDITY, lease)

    def detach_all(self, destination: Account, folders: Sequence[str], lease: Lease) -> None:
        with self._lock:
            self._demand(lease)
            for (route, name), rows in self._rows.items():
                named = [
                    row.receipt.destination
                    for row in rows
                    if not row.undone and row.receipt.destination.uidvalidity != FORMER_UIDVALIDITY
                ]
                if named and name in folders and route in self._routes_into(destination):
                    self._move(route, named[-1], ANY_UIDVALIDITY, lease)

    def outdate_all(self, destination: Account, folder: FolderRef, lease: Lease) -> None:
        with self._lock:
            self._demand(lease)
            former = FolderRef(folder.name, FORMER_UIDVALIDITY)
            for (route, name), rows in self._rows.items():
                if route not in self._routes_into(destination):
                    continue
                self._end_undoing(route, name, folder)
                for row in rows:
                    receipt = row.receipt
                    if row.undone or receipt.destination != folder or receipt.outcome is Outcome.SKIPPED:
                        continue
                    unproven = receipt.reason in NEVER_SEEN and not receipt.destination_uids
                    reason = receipt.reason if unproven else CopyNote.IN_REMOVED_FOLDER
                    row.receipt = replace(receipt, destination=former, destination_uids=(), reason=reason)

    def _routes_into(self, destination: Account) -> set[Route]:
        """The store knows the imports."""
        return set()

    def _routes_beside(self, import_id: ImportId) -> set[Route]:
        """Those into the mailbox of that import, likewise."""
        return set()

    def attach(self, route: Route, destination_folder: str, uidvalidity: UidValidity, lease: Lease) -> None:
        self._move(route, FolderRef(destination_folder, ANY_UIDVALIDITY), uidvalidity, lease)

    def _move(self, route: Route, folder: FolderRef, to: UidValidity, lease: Lease) -> None:
        with self._lock:
            self._demand(lease)
            there = FolderRef(folder.name, to)
            self._end_undoing(route, folder.name, folder)
            for row in self._rows.get((route, folder.name), []):
                if row.receipt.destination == folder and not row.undone:
                    stored = row.receipt.reason is CopyNote.UNSEEN and row.receipt.destination_uids
                    copied = row.receipt.outcome is Outcome.COPIED and (not row.receipt.reason or stored)
                    reason = CopyNote.IN_REMOVED_FOLDER if copied else row.receipt.reason
                    row.receipt = replace(row.receipt, destination=there, destination_uids=(), reason=reason)

    def renumber(self, route: Route, destination_folder: str, source: FolderRef, lease: Lease) -> None:
        with self._lock:
            self._demand(lease)
            former = FolderRef(source.name, FORMER_UIDVALIDITY)
            for row in self._rows.get((route, destination_folder), []):
                if row.receipt.source == source:
                    row.receipt = replace(row.receipt, source=former)

    def note_unseen(
        self,
        route: Route,
        destination_folder: str,
        source: FolderRef,
        uids: UidSet,
        reason: CopyNote | None,
        lease: Lease,
    ) -> None:
        before = NEVER_SEEN if reason is None else (None,)
        with self._lock:
            self._demand(lease)
            rows = self._rows.get((route, destination_folder), [])
            for row in tuple(rows):
                receipt = row.receipt
                noted_otherwise = receipt.outcome is Outcome.COPIED and receipt.reason in before
                if row.undone or receipt.source != source or not noted_otherwise:
                    continue
                named = {at for at, uid in enumerate(receipt.source_uids) if uid in uids}
                rest, noted = split(receipt, named.__contains__)
                if noted is not None and rest is not None:
                    row.receipt = rest
                    rows.append(_Row(next(self._numbers), replace(noted, reason=reason), row.undoing))
                elif noted is not None:
                    row.receipt = replace(noted, reason=reason)

    def intents(self, route: Route, destination_folder: str) -> Sequence[Intent]:
        with self._lock:
            by_slot = self._intents.get((route, destination_folder), {})
            return [by_slot[slot] for slot in sorted(by_slot)]

    def note_intent(self, route: Route, intent: Intent, lease: Lease) -> None:
        with self._lock:
            self._demand(lease)
            self._intents.setdefault((route, intent.destination.name), {})[intent.slot] = intent

    def record(
        self,
        route: Route,
        destination_folder: str,
        receipts: Sequence[Receipt],
        refusals: Sequence[Refusal],
        lease: Lease,
        *,
        closes_slot: int | None = None,
    ) -> None:
        """Raises ValueError if a receipt names another destination folder."""
        for receipt in receipts:
            if receipt.destination.name != destination_folder:
                raise ValueError(f"a receipt for {receipt.destination.name!r} under {destination_folder!r}")
        with self._lock:
            self._demand(lease)
            rows = self._rows.setdefault((route, destination_folder), [])
            rows += [_Row(next(self._numbers), receipt) for receipt in receipts]
            for refusal in refusals:
                self._refusals.setdefault(refusal.import_id, []).append(refusal)
            if closes_slot is not None:
                self._intents.get((route, destination_folder), {}).pop(closes_slot, None)

    def write(self, route: Route, changes: LedgerChanges, lease: Lease) -> None:
        with self._lock:
            for one in changes.outcomes:
                self.record(
                    route,
                    one.destination_folder,
                    one.receipts,
                    one.refusals,
                    lease,
                    closes_slot=one.closes_slot,
                )
            for checkpoint in changes.checkpoints:
                self.save_checkpoint(route, checkpoint, lease)
            if changes.intent is not None:
                self.note_intent(route, changes.intent, lease)

    def recorded_folders(self, route: Route) -> Collection[str]:
        with self._lock:
            recorded = [key for of in (self._rows, self._intents) for key, held in of.items() if held]
            return {folder for of_route, folder in recorded if of_route == route}

    def refusals(self, import_id: ImportId, folder: str | None = None) -> Iterator[Refusal]:
        with self._lock:
            every = tuple(self._refusals.get(import_id, ()))
        return (refusal for refusal in every if folder is None or refusal.folder == folder)

    def with_failures(self, imports: Sequence[Import]) -> Collection[ImportId]:
        return {
            import_.id
            for import_ in imports
            if RetryScope.of(
                self.refusals(import_.id),
                (copies.receipt for copies in self.copies(import_.route, import_.id)),
            )
        }

    # --- Undoing ---

    def copies(self, route: Route, import_id: ImportId) -> Iterator[Copies]:
        with self._lock:
            rows = [row for row in self._copied(route, import_id) if not row.undone]
            return iter([Copies(row.number, row.receipt, row.undoing) for row in rows])

    def copies_into(self, route: Route, destination_folder: str) -> Iterator[Copies]:
        with self._lock:
            rows = self._rows.get((route, destination_folder), ())
            return iter(
                [
                    Copies(row.number, row.receipt, row.undoing)
                    for row in rows
                    if row.receipt.outcome is Outcome.COPIED and not row.undone
                ]
            )

    def note_flags(self, flags: Mapping[int, str], lease: Lease) -> None:
        with self._lock:
            self._demand(lease)
            for number, text in flags.items():
                _, _, row = self._numbered(number)
                row.receipt = replace(row.receipt, flags=text)

    def undone(self, route: Route, import_id: ImportId) -> Mapping[FolderRef, int]:
        counts: dict[FolderRef, int] = {}
        with self._lock:
            for row in self._copied(route, import_id):
                if row.undone:
                    folder = row.receipt.destination
                    counts[folder] = counts.get(folder, 0) + len(row.receipt.source_uids)
        return counts

    def note_undoing(self, removals: Mapping[int, UidSet], lease: Lease) -> None:
        with self._lock:
            self._demand(lease)
            for number, uids in removals.items():
                route, folder, row = self._numbered(number)
                row.undoing = uids
                receipt = row.receipt
                gone = {
                    receipt.digest_at(at) for at, uid in enumerate(receipt.destination_uids) if uid in uids
                }
                self._undo_followers({route, *self._routes_beside(receipt.import_id)}, folder, gone)

    def noted_removals(self, destination: Account) -> Mapping[FolderRef, UidSet]:
        noted: dict[FolderRef, UidSet] = {}
        with self._lock:
            routes = self._routes_into(destination)
            for row in [row for (route, _), rows in self._rows.items() if route in routes for row in rows]:
                if row.undoing and not row.undone:
                    folder = row.receipt.destination
                    noted[folder] = noted.get(folder, UidSet()) | row.undoing
        return noted

    def undo_copies(self, removed: Mapping[int, UidSet], lease: Lease) -> None:
        with self._lock:
            self._demand(lease)
            for number, uids in removed.items():
                route, folder, row = self._numbered(number)
                self._end(route, folder, row, uids)
                self._forget_marks(route, folder)

    def _end_undoing(self, route: Route, name: str, folder: FolderRef) -> None:
        """What an undo noted is undone: its receipts are about to lose the UIDs that it noted."""
        for row in tuple(self._rows.get((route, name), ())):
            if row.undoing and not row.undone and row.receipt.destination == folder:
                self._end(route, name, row, row.undoing)

    def _end(self, route: Route, folder: str, row: _Row, removed: UidSet) -> None:
        row.undoing = UidSet()
        gone = {at for at, uid in enumerate(row.receipt.destination_uids) if uid in removed}
        self._take_out(route, folder, row, gone.__contains__)

    def undo_followers(self, import_: Import, folder: str, lease: Lease) -> None:
        with self._lock:
            self._demand(lease)
            gone = {
                row.receipt.digest_at(at)
                for row in self._copied(import_.route, import_.id)
                if row.undone and row.receipt.destination.name == folder
                for at in range(len(row.receipt.source_uids))
            }
            routes = {import_.route, *self._routes_into(import_.destination)}
            self._undo_followers(routes, folder, gone)

    def _undo_followers(self, routes: Collection[Route], folder: str, gone: Collection[bytes]) -> None:
        for route in routes:
            for row in tuple(self._rows.get((route, folder), ())):
                if row.receipt.outcome in (Outcome.PRESENT, Outcome.DUPLICATE) and not row.undone:
                    digest_at = row.receipt.digest_at
                    self._take_out(route, folder, row, lambda at, of=digest_at: of(at) in gone)  # type: ignore[misc]
            self._forget_marks(route, folder)

    def note_created(self, import_id: ImportId, folders: Sequence[str], lease: Lease) -> None:
        with self._lock:
            self._demand(lease)
            self._created.setdefault(import_id, {}).update(dict.fromkeys(folders))

    def created(self, import_id: ImportId) -> Sequence[str]:
        with self._lock:
            return list(self._created.get(import_id, ()))

    def forget_folder(self, route: Route, import_id: ImportId, folder: str, lease: Lease) -> None:
        with self._lock:
            self._demand(lease)
            mapping = self._folder_maps.get(route, {})
            self._folder_maps[route] = {source: to for source, to in mapping.items() if to != folder}
            self._forget_marks(route, folder)
            self._created.get(import_id, {}).pop(folder, None)

    def save_undo(self, report: UndoReport, lease: Lease) -> None:
        with self._lock:
            self._demand(lease)
            self._undos[report.import_id] = report

    def undo_report(self, import_id: ImportId) -> UndoReport | None:
        with self._lock:
            return self._undos.get(import_id)

    def _copied(self, route: Route, import_id: ImportId) -> Iterator[_Row]:
        for (of_route, _), rows in self._rows.items():
            for row in rows:
                receipt = row.receipt
                if (of_route, receipt.import_id, receipt.outcome) == (route, import_id, Outcome.COPIED):
                    yield row

    def _numbered(self, number: int) -> tuple[Route, str, _Row]:
        for (route, folder), rows in self._rows.items():
            for row in rows:
                if row.number == number:
                    return route, folder, row
        raise LookupError(f"there is no receipt {number}")

    def _take_out(self, route: Route, folder: str, row: _Row, goes: Callable[[int], bool]) -> None:
        stays, gone = split(row.receipt, goes)
        if gone is None:
            return
        if stays is None:
            row.undone = True
        else:
            row.receipt = stays
            self._rows[route, folder].append(_Row(next(self._numbers), gone, undone=True))

    def _forget_marks(self, route: Route, folder: str) -> None:
        checkpoints = self._checkpoints.get(route, {})
        self._checkpoints[route] = {
            n: checkpoint for n, checkpoint in checkpoints.items() if checkpoint.destination.name != folder
        }
