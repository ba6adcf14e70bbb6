"""The ledger of one leg: fewer transactions with the same guarantees.

Invariants:
- An intent is in the database before `note_intent` returns, together with everything recorded before it.
- Records that `record` puts off are protected meanwhile: by the intent that the same transaction will remove,
  or because the next leg would come to the same result. They are written with the next intent, before the
  first read that might miss it, by `flush`, or at once if nothing was written within PUT_OFF. After a crash
  the next leg settles them like an append without a reply.
- Refusals are never put off.
- Nothing is written twice: if the database went away during a write, it may have committed it. Nothing more
  is written in that leg then, and the next leg settles the rest.
- A folder is read only if something was recorded in it: the leg holds the lease of the mailbox, so that no
  other one records anything meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, cast

from importer.compact.uid_set import UidSet
from importer.domain.mailbox_content import FolderRef
from importer.domain.model import Account, ImportId, Route
from importer.domain.receipts.folder_tally import FolderCheckpoint, Refusal
from importer.domain.receipts.receipt import Intent, Receipt
from importer.engine.leg_context import Leg
from importer.ports.leases import Lease
from importer.ports.ledger import BatchOutcome, Ledger, LedgerChanges
from importer.ports.process import DatabaseUnavailable

PUT_OFF: Final = timedelta(seconds=1)
MOST_PUT_OFF: Final = 64
"""Batches whose outcomes are held in memory."""


class RouteLedger:
    """Replaces the ledger of `leg`. Thread-safe. Methods that are not here pass through, after `flush`.

    Every method may raise what the ledger raises for something that was put off: LeaseLost, for one.
    """

    def __init__(self, leg: Leg) -> None:
        self._ledger = leg.ledger
        self._route = leg.import_.route
        self._lease = leg.lease
        self._now = leg.clock.now
        self._lock = threading.RLock()
        self._outcomes: list[BatchOutcome] = []
        self._checkpoints: list[FolderCheckpoint] = []
        self._written_at = self._now()
        self._away: DatabaseUnavailable | None = None
        self._folders = set(self._ledger.recorded_folders(self._route))
        self._noted: Mapping[FolderRef, UidSet] | None = None
        self._import_id = leg.import_.id
        self._refused = {refusal.folder for refusal in self._ledger.refusals(self._import_id)}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._ledger, name)

        def after_flush(*arguments: Any, **named: Any) -> Any:
            self.flush()
            return method(*arguments, **named)

        return after_flush

    def noted_removals(self, destination: Account) -> Mapping[FolderRef, UidSet]:
        """Read once: an undo needs the lease of the mailbox, too."""
        with self._lock:
            if self._noted is None:
                self._noted = self._ledger.noted_removals(destination)
            return self._noted

    # --- Writing -------------------------------------------------------------------------------------

    def note_intent(self, _route: Route, intent: Intent, _lease: Lease) -> None:
        with self._lock:
            self._folders.add(intent.destination.name)
            self._write(intent)

    def record(
        self,
        _route: Route,
        destination_folder: str,
        receipts: Sequence[Receipt],
        refusals: Sequence[Refusal],
        _lease: Lease,
        *,
        closes_slot: int | None = None,
    ) -> None:
        outcome = BatchOutcome(destination_folder, tuple(receipts), tuple(refusals), closes_slot)
        with self._lock:
            self._outcomes.append(outcome)
            if receipts:
                self._folders.add(destination_folder)
            self._refused.update(refusal.folder for refusal in refusals)
            if refusals or self._is_late():
                self._write()

    def save_checkpoint(self, _route: Route, checkpoint: FolderCheckpoint, _lease: Lease) -> None:
        with self._lock:
            self._checkpoints.append(checkpoint)
            if self._is_late():
                self._write()

    def flush(self) -> None:
        """Write what was put off."""
        with self._lock:
            if self._outcomes or self._checkpoints:
                self._write()

    def _is_late(self) -> bool:
        held = len(self._outcomes) + len(self._checkpoints)
        return held >= MOST_PUT_OFF or self._now() - self._written_at >= PUT_OFF

    def _write(self, intent: Intent | None = None) -> None:
        """One transaction. If it fails, what was put off stays, unless it may be written nevertheless."""
        if self._away is not None:
            raise self._away
        changes = LedgerChanges(tuple(self._outcomes), tuple(self._checkpoints), intent)
        try:
            self._ledger.write(self._route, changes, self._lease)
        except DatabaseUnavailable as away:
            self._away = away
            raise
        self._outcomes.clear()
        self._checkpoints.clear()
        self._written_at = self._now()

    # --- Reading -------------------------------------------------------------------------------------

    def receipts(self, route: Route, destination_folder: str) -> Iterator[Receipt]:
        if not self._has(route, destination_folder):
            return iter(())
        return self._ledger.receipts(route, destination_folder)

    def last_receipt(self, route: Route, destination_folder: str) -> Receipt | None:
        if not self._has(route, destination_folder):
            return None
        return self._ledger.last_receipt(route, destination_folder)

    def intents(self, route: Route, destination_folder: str) -> Sequence[Intent]:
        return self._ledger.intents(route, destination_folder) if self._has(route, destination_folder) else ()

    def refusals(self, import_id: ImportId, folder: str | None = None) -> Iterator[Refusal]:
        if import_id == self._import_id and not (
            self._refused if folder is None else folder in self._refused
        ):
            return iter(())
        return self._ledger.refusals(import_id, folder)

    def _has(self, route: Route, destination_folder: str) -> bool:
        """Whether anything may ever have been recorded in the folder; if so, all of it can be read now."""
        with self._lock:
            if route == self._route and destination_folder not in self._folders:
                return False
            self.flush()
            return True


def ledger_of_leg(leg: Leg) -> tuple[Ledger, Callable[[], None]]:
    """The ledger for a leg, and `flush`, to be called at its end."""
    ledger = RouteLedger(leg)
    return cast(Ledger, ledger), ledger.flush
