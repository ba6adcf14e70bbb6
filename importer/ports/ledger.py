"""The ledger: receipts of what was copied, and intents of appends that are about to be sent."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Protocol

from importer.compact.uid_set import UidSet, UidValidity
from importer.domain.mailbox_content import FolderRef
from importer.domain.model import Account, Import, ImportId, Route
from importer.domain.receipts.folder_tally import FolderCheckpoint, Refusal
from importer.domain.receipts.receipt import CopyNote, Intent, Receipt
from importer.ports.leases import Lease
from providers.frozen import frozen


@frozen
class Copies:
    """One receipt of copies, with its `number` in the ledger. `undoing` has the destination UIDs that an undo
    was about to remove when it last noted them."""

    number: int
    receipt: Receipt
    undoing: UidSet = UidSet()


@frozen
class BatchOutcome:
    """The outcome of a batch of one destination folder. `closes_slot` is the slot of its intent; None if it
    had no intent."""

    destination_folder: str
    receipts: tuple[Receipt, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    closes_slot: int | None = None


@frozen
class LedgerChanges:
    """Outcomes in the order in which they are recorded, then checkpoints, then an intent. An intent may reuse
    a slot that an outcome closes."""

    outcomes: tuple[BatchOutcome, ...] = ()
    checkpoints: tuple[FolderCheckpoint, ...] = ()
    intent: Intent | None = None


class Ledger(Protocol):
    """Receipts, intents, refusals and the folder map, by route. Methods that write raise LeaseLost, and write
    nothing, unless `lease` is still held; each is one transaction."""

    def folder_map(self, route: Route) -> Mapping[str, str]:
        """Source folder -> destination folder, as chosen when the folder was first planned."""
        ...

    def map_folders(self, route: Route, mapping: Mapping[str, str], lease: Lease) -> None: ...

    def mailbox_epoch(self, route: Route) -> UidValidity | None:
        """UIDVALIDITY of the destination's INBOX at the last import."""
        ...

    def set_mailbox_epoch(
        self, route: Route, epoch: UidValidity, lease: Lease, *, replaced: bool = True
    ) -> None:
        """If the mailbox was `replaced`, also removes the route's detached receipts and its checkpoints: they
        refer to the previous one."""
        ...

    def checkpoints(self, route: Route) -> Mapping[str, FolderCheckpoint]:
        """Source folder -> its checkpoint."""
        ...

    def save_checkpoint(self, route: Route, checkpoint: FolderCheckpoint, lease: Lease) -> None:
        """Replace the checkpoint of that source folder (`checkpoint.tally.source_folder`)."""
        ...

    def receipts(self, route: Route, destination_folder: str) -> Iterator[Receipt]:
        """All valid receipts into that folder, of any UIDVALIDITY, oldest first. Copies that are undone, or
        that an undo was about to remove when it was interrupted, are left out."""
        ...

    def routes_into(self, destination: Account) -> Collection[Route]:
        """The routes of all imports into that mailbox."""
        ...

    def last_receipt(self, route: Route, destination_folder: str) -> Receipt | None:
        """The newest of these receipts that names a folder, not FORMER_UIDVALIDITY; None if there is none."""
        ...

    def detach(self, route: Route, destination_folder: str, uidvalidity: UidValidity, lease: Lease) -> None:
        """Note that the folder no longer exists: its receipts get ANY_UIDVALIDITY and lose their destination
        UIDs. Those of copies get CopyNote.IN_REMOVED_FOLDER as their reason, also of unseen ones whose UID
        proves that they were stored; without a UID they stay unseen. Copies that an interrupted undo noted
        are undone, here and in the next two methods."""
        ...

    def detach_all(self, destination: Account, folders: Sequence[str], lease: Lease) -> None:
        """Note that missing folders of that mailbox are about to be created: of every route into the mailbox,
        the receipts for the last folder of each name are detached, not those under FORMER_UIDVALIDITY. Mail
        that its owner removed or moved with a folder must not come back because another route needs a folder
        of that name."""
        ...

    def outdate_all(self, destination: Account, folder: FolderRef, lease: Lease) -> None:
        """Note that another folder of that mailbox has the name and the UIDVALIDITY of `folder` now: of every
        route into the mailbox, the receipts for the old one get FORMER_UIDVALIDITY and lose their destination
        UIDs, but for those of SKIPPED messages. All but unseen ones without a UID get
        CopyNote.IN_REMOVED_FOLDER as their reason."""
        ...

    def attach(self, route: Route, destination_folder: str, uidvalidity: UidValidity, lease: Lease) -> None:
        """Note that a new folder replaces it: detached receipts get its UIDVALIDITY, without UIDs."""
        ...

    def renumber(self, route: Route, destination_folder: str, source: FolderRef, lease: Lease) -> None:
        """Note that the source folder was renumbered: its receipts get FORMER_UIDVALIDITY at the source."""
        ...

    def copies(self, route: Route, import_id: ImportId) -> Iterator[Copies]:
        """That import's COPIED receipts that are not undone, folder by folder, oldest first."""
        ...

    def copies_into(self, route: Route, destination_folder: str) -> Iterator[Copies]:
        """All COPIED receipts into that folder that are not undone, of every import, oldest first."""
        ...

    def note_unseen(
        self,
        route: Route,
        destination_folder: str,
        source: FolderRef,
        uids: UidSet,
        reason: CopyNote | None,
        lease: Lease,
    ) -> None:
        """Record that no recount has seen the copies of these source messages (`reason` UNSEEN or
        UNSEEN_TWICE), or that one has (None). The reason becomes that of their receipts."""
        ...

    def note_flags(self, flags: Mapping[int, str], lease: Lease) -> None:
        """Receipt number -> the flags to remember from now on (`flags.fold_flags`)."""
        ...

    def undone(self, route: Route, import_id: ImportId) -> Mapping[FolderRef, int]:
        """The number of that import's copies that were undone, by their folder."""
        ...

    def note_undoing(self, removals: Mapping[int, UidSet], lease: Lease) -> None:
        """Note, before the removal, receipt number -> the destination UIDs to remove: an import copies these
        messages again, unless they are there. The receipts are of one import and one folder. Replaces what
        was noted. What every route into the mailbox settled as present or duplicate because of them no longer
        counts, and the folder's checkpoints are deleted."""
        ...

    def noted_removals(self, destination: Account) -> Mapping[FolderRef, UidSet]:
        """What undos of imports into that mailbox noted and have not marked as undone, by destination
        folder."""
        ...

    def undo_copies(self, removed: Mapping[int, UidSet], lease: Lease) -> None:
        """Mark copies as undone, after their removal: receipt number -> destination UIDs. What else was noted
        of these receipts counts again. The receipts are of one route and one folder, whose checkpoints are
        deleted."""
        ...

    def undo_followers(self, import_: Import, folder: str, lease: Lease) -> None:
        """Invalidate what every route into the mailbox settled as present or duplicate in that folder because
        of copies of the import that are now undone, and delete the folder's checkpoints. Safe to repeat."""
        ...

    def note_created(self, import_id: ImportId, folders: Sequence[str], lease: Lease) -> None:
        """Note, before their creation, destination folders that did not exist."""
        ...

    def created(self, import_id: ImportId) -> Sequence[str]:
        """The folders that the import noted, each once, in that order."""
        ...

    def forget_folder(self, route: Route, import_id: ImportId, folder: str, lease: Lease) -> None:
        """Forget the removed folder of an undone import: its mapping, its checkpoints and the note that it
        was created."""
        ...

    def intents(self, route: Route, destination_folder: str) -> Sequence[Intent]:
        """The open intents, by slot."""
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
        """Add receipts and refusals, and remove the folder's intent of `closes_slot`, in one transaction."""
        ...

    def write(self, route: Route, changes: LedgerChanges, lease: Lease) -> None:
        """Do what `record`, `save_checkpoint` and `note_intent` do, in one transaction."""
        ...

    def recorded_folders(self, route: Route) -> Collection[str]:
        """The destination folders with a receipt of any kind, undone ones included, or an open intent."""
        ...

    def refusals(self, import_id: ImportId, folder: str | None = None) -> Iterator[Refusal]:
        """Those of one source folder, or all, in the order of recording, read page by page."""
        ...

    def with_failures(self, imports: Sequence[Import]) -> Collection[ImportId]:
        """Those of the imports whose RetryScope is not empty. Two queries for any number of imports."""
        ...
