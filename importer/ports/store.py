"""The store, put together: whatever has to survive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from importer.domain.model import (
    Batch,
    BatchId,
    ControlRequest,
    FolderTally,
    Import,
    ImportId,
    Progress,
    Route,
    State,
)
from importer.domain.receipts.undo_report import UndoReport
from importer.ports.api_clients import ApiClients
from importer.ports.budgets import Budgets
from importer.ports.consents import Consents
from importer.ports.leases import Lease, Leases
from importer.ports.ledger import Ledger
from importer.ports.notices import Notice, Outbox
from importer.ports.web_sessions import WebSessions
from importer.ports.webhook_calls import WebhookCall, WebhookCalls


@dataclass(frozen=True, slots=True)
class SealedGrants:
    """What lets an import into its two mailboxes (`providers.grants`), as the vault sealed it."""

    source: bytes
    destination: bytes


class RouteUnderWay(Exception):
    """An import of the same route is under way already; nothing was added."""


class Store(Leases, Ledger, Outbox, Budgets, Consents, WebSessions, ApiClients, WebhookCalls, Protocol):
    """The truth: batches, imports, sealed grants and accounts, beside ledger, leases, outbox, budgets,
    consents, visits, clients and calls."""

    def add_batch(self, batch: Batch, imports: Sequence[tuple[Import, SealedGrants | None]]) -> None:
        """All or nothing. Raises RouteUnderWay when a route has an import with grants that has not
        ended and is to get another with grants."""
        ...

    def batch(self, batch_id: BatchId) -> Batch | None: ...

    def batches(
        self, limit: int = 50, *, owner: str | None = None, after: BatchId | None = None
    ) -> Sequence[Batch]:
        """Newest first; with an owner, only theirs; with `after`, those that follow it in that order."""
        ...

    def import_(self, import_id: ImportId) -> Import | None: ...

    def imports(
        self,
        *,
        batch_id: BatchId | None = None,
        ids: Sequence[ImportId] | None = None,
        states: Sequence[State] = (),
        owner: str | None = None,
        after: ImportId | None = None,
        limit: int = 200,
    ) -> Sequence[Import]:
        """Newest first; those of a batch in the order of their rows. With `ids`, only those of them; with
        an owner, only those of their batches; with `after`, those that follow it (of all batches)."""
        ...

    def latest_import(self, route: Route) -> Import | None:
        """The one of that route that has grants and has not ended; if there is none, the newest."""
        ...

    def update_import(self, changed: Import, lease: Lease | None = None) -> None:
        """Replaces the import's changeable part (state, problem, not_before, attempts, started_at,
        finished_at, held_up_since). With a lease: raises LeaseLost unless it still holds."""
        ...

    def request_control(self, import_id: ImportId, request: ControlRequest | None) -> Import | None:
        """Notes what a person wants of the import; None: that it goes on. Needs no lease: who has it does
        what is wanted. One that has ended, or is to be cancelled, stays as it is. Returns it as it is then,
        None if there is no such import."""
        ...

    def finish_import(
        self,
        changed: Import,
        notices: Sequence[Notice],
        lease: Lease,
        *,
        password_fingerprint: str | None = None,
        calls: Sequence[WebhookCall] = (),
    ) -> bool:
        """In one transaction: `update_import`, erase its grants and its consent, post notices and calls. With
        a `password_fingerprint`: False, and nothing is written, when the import has another one by now."""
        ...

    def set_progress(self, import_id: ImportId, progress: Progress, lease: Lease) -> None:
        """Raises LeaseLost unless the lease still holds."""
        ...

    def due_imports(self, now: datetime, limit: int = 100) -> Sequence[ImportId]:
        """Those with grants that have not ended and whose lease (`import:<id>`) is free or expired, when
        their `not_before` has come or a wish is not yet done, oldest first."""
        ...

    def grants(self, import_id: ImportId) -> SealedGrants | None:
        """None once they were erased."""
        ...

    def replace_grants(self, import_id: ImportId, sealed: SealedGrants, password_fingerprint: str) -> bool:
        """Replaces both, and the import waits no longer (`not_before`) unless it is paused. False, and
        nothing is written, when it has ended or has no grants."""
        ...

    def save_tally(self, import_id: ImportId, tally: FolderTally, lease: Lease) -> None:
        """Replaces the account of that source folder. Raises LeaseLost unless the lease still holds."""
        ...

    def tallies(self, import_id: ImportId) -> Sequence[FolderTally]:
        """In the order first saved."""
        ...

    def save_undo(self, report: UndoReport, lease: Lease) -> None:
        """Replaces the report of an earlier undo of that import. Raises LeaseLost."""
        ...

    def undo_report(self, import_id: ImportId) -> UndoReport | None:
        """None while it was not undone to its end."""
        ...
