"""What was copied, and what is about to be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from importer.compact.uid_set import UidSet, UidValidity
from importer.domain.model import FolderCheckpoint, FolderRef, ImportId, Intent, Receipt, Refusal, Route
from importer.ports.leases import Lease


@dataclass(frozen=True, slots=True)
class Copies:
    """One receipt of copies, with its `number` in the ledger, and those that undo was about to remove when
    it was last seen (`undoing`, destination UIDs)."""

    number: int
    receipt: Receipt
    undoing: UidSet = UidSet()


class Ledger(Protocol):
    """Receipts, intents, refusals and the folder map, by route. Writing methods raise LeaseLost
    (and write nothing) unless `lease` is still the holder's; each is one transaction."""

    def folder_map(self, route: Route) -> Mapping[str, str]:
        """Source folder -> destination folder, as chosen when the folder was first planned."""
        ...

    def map_folders(self, route: Route, mapping: Mapping[str, str], lease: Lease) -> None: ...

    def mailbox_epoch(self, route: Route) -> UidValidity | None:
        """UIDVALIDITY of the destination's INBOX at the last import: another one is another mailbox."""
        ...

    def set_mailbox_epoch(self, route: Route, epoch: UidValidity, lease: Lease) -> None:
        """Removes the route's detached receipts and marks with it: they spoke of the mailbox before."""
        ...

    def checkpoints(self, route: Route) -> Mapping[str, FolderCheckpoint]:
        """Source folder -> its checkpoint."""
        ...

    def checkpoint(self, route: Route, checkpoint: FolderCheckpoint, lease: Lease) -> None:
        """Replaces the mark of that source folder (`checkpoint.tally.source_folder`)."""
        ...

    def receipts(self, route: Route, destination_folder: str) -> Iterator[Receipt]:
        """All receipts into that folder that count, oldest first, of any UIDVALIDITY."""
        ...

    def detach(self, route: Route, destination_folder: str, uidvalidity: UidValidity, lease: Lease) -> None:
        """That folder is gone: its receipts get ANY_UIDVALIDITY and no destination UIDs."""
        ...

    def attach(self, route: Route, destination_folder: str, uidvalidity: UidValidity, lease: Lease) -> None:
        """A new folder stands in its place: detached receipts get its UIDVALIDITY, without UIDs."""
        ...

    def copies(self, route: Route, import_id: ImportId) -> Iterator[Copies]:
        """That import's COPIED receipts that are not undone, folder by folder, oldest first."""
        ...

    def copies_into(self, route: Route, destination_folder: str) -> Iterator[Copies]:
        """All COPIED receipts into that folder that are not undone, of every import, oldest first."""
        ...

    def note_flags(self, flags: Mapping[int, str], lease: Lease) -> None:
        """Receipt number -> the flags that are remembered from now on (`flags.fold_flags`)."""
        ...

    def undone(self, route: Route, import_id: ImportId) -> Mapping[FolderRef, int]:
        """How many of that import's copies were undone, by the folder they stood in."""
        ...

    def note_undoing(self, number: int, uids: UidSet, lease: Lease) -> None:
        """Before they are removed: those of the copies that are about to be. Replaces what was noted."""
        ...

    def undo_copies(self, number: int, uids: UidSet, lease: Lease) -> None:
        """After they were removed: these copies count no more, so that another import may bring them again.
        The marks of their folder are forgotten."""
        ...

    def undo_followers(self, route: Route, import_id: ImportId, folder: str, lease: Lease) -> None:
        """What was settled as present or duplicate in that folder because of copies that are undone now
        counts no more either; its marks are forgotten. Safe to repeat."""
        ...

    def note_created(self, import_id: ImportId, folders: Sequence[str], lease: Lease) -> None:
        """Before they are created: destination folders that were not there."""
        ...

    def created(self, import_id: ImportId) -> Sequence[str]:
        """Those that it noted, each once, in that order."""
        ...

    def forget_folder(self, route: Route, import_id: ImportId, folder: str, lease: Lease) -> None:
        """An undone import's folder is gone: nothing is mapped to it, marked or noted as created any more."""
        ...

    def intents(self, route: Route, destination_folder: str) -> Sequence[Intent]:
        """The open ones, by slot."""
        ...

    def note_intent(self, route: Route, intent: Intent, lease: Lease) -> None:
        """Replaces the folder's intent of that slot."""
        ...

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
        """Adds receipts and refusals, and removes the folder's intent of `closes_slot` with them."""
        ...

    def refusals(self, import_id: ImportId) -> Iterator[Refusal]:
        """In the order of recording, a page at a time."""
        ...
