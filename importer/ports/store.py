"""The store: all state that survives a process."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from importer.domain.evidence.evidence_file import Seal
from importer.domain.import_filter import EVERY_IMPORT, ImportFilter
from importer.domain.import_options import ImportOptions
from importer.domain.model import Batch, BatchId, ControlRequest, Import, ImportId, Progress, Route
from importer.domain.receipts.folder_tally import FolderTally
from importer.domain.receipts.undo_report import UndoReport
from importer.ports.api_clients import ApiClients
from importer.ports.audit_trail import AuditTrail
from importer.ports.budgets import Budgets
from importer.ports.consents import Consents
from importer.ports.evidence_records import EvidenceRecords
from importer.ports.leases import Lease, Leases
from importer.ports.ledger import Ledger
from importer.ports.monitoring import Monitoring
from importer.ports.notices import Notice, Outbox
from importer.ports.web_sessions import WebSessions
from importer.ports.webhook_calls import WebhookCall, WebhookCalls
from providers.errors import Side
from providers.frozen import frozen

if TYPE_CHECKING:
    from importer.domain.planning.fair_shares import LegQueue, Share


@frozen
class SealedGrants:
    """The grants for an import's two mailboxes (`providers.grants`), sealed by the vault."""

    source: bytes
    destination: bytes


class RouteUnderWay(Exception):
    """An import of the same route and owner is in progress already. Nothing was added."""


class Store(
    Leases,
    Ledger,
    Outbox,
    Budgets,
    Consents,
    WebSessions,
    ApiClients,
    WebhookCalls,
    AuditTrail,
    Monitoring,
    EvidenceRecords,
    Protocol,
):
    """The source of truth: batches, imports, sealed grants and tallies, beside the ledger, leases, outbox,
    budgets, consents, web sessions, API clients, webhook calls, the audit trail, monitoring and evidence."""

    def add_batch(self, batch: Batch, imports: Sequence[tuple[Import, SealedGrants | None]]) -> None:
        """Add everything or nothing. Raises RouteUnderWay if a new import has grants and the batch's owner
        already has an import of its route with grants that has not ended. What others have submitted does not
        count: a person can name a route without owning its mailboxes. The owner's imports of these routes
        that have ended get the new ones as `successor`, unless they have one."""
        ...

    def batch(self, batch_id: BatchId) -> Batch | None: ...

    def batches(
        self,
        limit: int = 50,
        *,
        owner: str | None = None,
        ids: Sequence[BatchId] | None = None,
        beginning: str = "",
        after: BatchId | None = None,
    ) -> Sequence[Batch]:
        """Newest first. With `owner`, only that owner's; with `ids`, only those of them that exist; with
        `beginning`, those whose id begins so; with `after`, those that follow it in this order."""
        ...

    def import_(self, import_id: ImportId) -> Import | None: ...

    def control_requests(self, ids: Sequence[ImportId]) -> Mapping[ImportId, ControlRequest]:
        """The pause and cancel requests for these imports, in one query; imports without any are left out."""
        ...

    def imports(
        self,
        chosen: ImportFilter = EVERY_IMPORT,
        *,
        ids: Sequence[ImportId] | None = None,
        after: ImportId | None = None,
        limit: int = 200,
    ) -> Sequence[Import]:
        """Newest first; the imports of one batch in the order of their rows. With `ids`, only those of them
        that exist; with `after`, only those that follow it in this order."""
        ...

    def latest_import(self, route: Route, owner: str) -> Import | None:
        """That owner's import of that route that has grants and has not ended; if there is none, the newest
        of that owner."""
        ...

    def note_proven(self, import_id: ImportId, password_fingerprint: str, lease: Lease) -> None:
        """Note that both logins have succeeded; ignored if the import has other passwords by now. Raises
        LeaseLost unless the lease still holds."""
        ...

    def update_import(self, changed: Import, lease: Lease | None = None) -> None:
        """Replace the changeable part of the import (state, problem, not_before, attempts, started_at,
        finished_at, held_up_since, has_labels, alerts, grants_kept_until, reopened, moved_at). With a lease:
        raises LeaseLost unless it still holds."""
        ...

    def request_control(self, import_id: ImportId, request: ControlRequest | None) -> Import | None:
        """Record a pause or cancel request; None means resume. No lease is needed: its holder applies the
        request. An import that has ended or is to be cancelled does not change. Return the import as it then
        is; None if there is no such import."""
        ...

    def choose_options(self, import_id: ImportId, options: ImportOptions) -> bool:
        """Replace the options of an import that has grants: one that has not ended, or was stopped and keeps
        them. No lease is needed: its holder reads the options again at the end of a pass. False, and nothing
        changes, if it has no grants."""
        ...

    def finish_import(
        self,
        changed: Import,
        notices: Sequence[Notice],
        lease: Lease,
        *,
        password_fingerprint: str | None = None,
        options: ImportOptions | None = None,
        calls: Sequence[WebhookCall] = (),
        seal: Seal | None = None,
    ) -> bool:
        """In one transaction: `update_import`, erase the import's consents and, unless `grants_kept_until` is
        set, its grants, store the seal of its evidence, post notices and calls. With a
        `password_fingerprint` or `options`: return False, and write nothing, if the import now has different
        ones.
        """
        ...

    def reopen_import(self, import_id: ImportId) -> Import | None:
        """Continue a stopped import whose grants are kept (`import_state.reopened`), and return it. None, and
        nothing changes, if there are none. Raises RouteUnderWay as `add_batch`."""
        ...

    def erase_kept_grants(self, import_id: ImportId) -> bool:
        """Erase the grants of a stopped import. False if none were kept."""
        ...

    def imports_with_kept_grants(self, until: datetime, limit: int = 100) -> Sequence[Import]:
        """Stopped imports whose grants are to be kept until that time at most, the earliest first."""
        ...

    def due_imports(self, now: datetime, limit: int = 100) -> Sequence[ImportId]:
        """Imports that have grants, have not ended, and whose lease (`import:<id>`) is free or expired, if
        their `not_before` has passed or a control request is not yet applied; the oldest of each owner
        first, then the second of each, and so on."""
        ...

    def leg_queue(self, now: datetime, besides: Collection[ImportId] = ()) -> LegQueue:
        """The legs of all workers. `due` is as in `due_imports`, without the imports of `besides`."""
        ...

    def next_leg(
        self,
        share: Share,
        now: datetime,
        besides: Collection[ImportId] = (),
        *,
        longest_waiting: bool = False,
    ) -> ImportId | None:
        """The share's due import that never had a leg, or else the one with the fewest messages left; of
        several, the one whose last leg ended longest ago, then the oldest. With `longest_waiting`, the one
        whose last leg, or submission, was longest ago. None if there is none beside those of `besides`."""
        ...

    def grants(self, import_id: ImportId) -> SealedGrants | None:
        """None once they are erased."""
        ...

    def grants_by_import(self, ids: Sequence[ImportId]) -> Mapping[ImportId, SealedGrants]:
        """The grants of several imports, in one query; imports without any are left out."""
        ...

    def replace_grants(
        self, import_id: ImportId, sealed: Mapping[Side, bytes], password_fingerprint: str
    ) -> bool:
        """Replace the grants of these sides, after which neither side is proven, and end the import's wait
        (`not_before`) unless it is paused. That of another side stays: a worker may renew it, or `keys
        rotate` seal it anew, at the same time. False, and nothing is written, if it has ended or has no
        grants."""
        ...

    def save_tallies(
        self,
        import_id: ImportId,
        tallies: Collection[FolderTally],
        lease: Lease,
        *,
        progress: Progress | None = None,
    ) -> None:
        """Replace the tallies of these source folders, and the progress if given, in one transaction. Raises
        LeaseLost unless the lease still holds."""
        ...

    def tallies(self, import_id: ImportId) -> Sequence[FolderTally]:
        """In the order in which they were first saved."""
        ...

    def tallies_by_import(self, ids: Sequence[ImportId]) -> Mapping[ImportId, Sequence[FolderTally]]:
        """As `tallies`, for several imports in one query; imports without any are left out."""
        ...

    def save_undo(self, report: UndoReport, lease: Lease) -> None:
        """Replace the report of an earlier undo of that import, whose state is UNDONE then and whose kept
        grants are erased. Raises LeaseLost."""
        ...

    def undo_report(self, import_id: ImportId) -> UndoReport | None:
        """None until an undo has completed."""
        ...
