"""The store in dictionaries: exact, fast, and gone with the process.

Invariant: every public method holds `_lock` from its first read to its last write, so that each is one
transaction. Values are frozen, so callers share nothing that can change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from importer.domain import import_state
from importer.domain.evidence.evidence_file import Seal
from importer.domain.evidence.import_evidence import LedgerEntry
from importer.domain.import_filter import EVERY_IMPORT, ImportFilter
from importer.domain.import_options import ImportOptions
from importer.domain.import_state import ALIVE
from importer.domain.model import (
    Account,
    Batch,
    BatchId,
    ControlRequest,
    Import,
    ImportId,
    Progress,
    Route,
    State,
)
from importer.domain.planning.fair_shares import LegQueue, Share
from importer.domain.receipts.folder_tally import FolderTally
from importer.domain.receipts.undo_report import UndoReport
from importer.ports.leases import Lease
from importer.ports.monitoring import ImportCount, QueueDepth, WaitCount
from importer.ports.notices import MailState, Notice
from importer.ports.store import RouteUnderWay, SealedGrants
from importer.ports.webhook_calls import CallState, WebhookCall
from providers.errors import Side
from tests.fakes.budgets import MemoryBudgets
from tests.fakes.consents import MemoryConsents
from tests.fakes.import_selection import is_selected
from tests.fakes.ledger import MemoryLedger
from tests.fakes.monitoring import MemoryWorkers
from tests.fakes.webhook_calls import MemoryCalls


class MemoryStore(MemoryLedger, MemoryWorkers, MemoryBudgets, MemoryConsents, MemoryCalls):
    """`importer.ports.store.Store`, thread-safe."""

    def __init__(self) -> None:
        super().__init__()
        self._notices: dict[str, Notice] = {}
        self._batches: dict[BatchId, Batch] = {}
        self._imports: dict[ImportId, Import] = {}
        self._submission: dict[ImportId, int] = {}  # the add_batch call that added it
        self._submitters: list[str] = []  # the owners of the add_batch calls
        self._grants: dict[ImportId, SealedGrants] = {}
        self._tallies: dict[ImportId, dict[str, FolderTally]] = {}
        self._seals: dict[ImportId, Seal] = {}

    def _routes_into(self, destination: Account) -> set[Route]:
        return {i.route for i in self._imports.values() if i.destination.key == destination.key}

    def _routes_beside(self, import_id: ImportId) -> set[Route]:
        import_ = self._imports.get(import_id)
        return set() if import_ is None else self._routes_into(import_.destination)

    # --- Evidence ---

    def evidence_entries(self, route: Route, import_id: ImportId) -> Iterator[LedgerEntry]:
        with self._lock:
            created = self._imports[import_id].created_at
            later = {i.id for i in self._imports.values() if i.route == route and i.created_at > created}
            entries = [
                LedgerEntry(row.receipt, row.undone)
                for (of_route, _), rows in sorted(self._rows.items())
                if of_route == route
                for row in rows
                if row.receipt.import_id == import_id
                or (not row.undone and row.receipt.import_id not in later)
            ]
        yield from entries

    def evidence_seal(self, import_id: ImportId) -> Seal | None:
        with self._lock:
            return self._seals.get(import_id)

    # --- Outbox ---

    def post(self, notices: Sequence[Notice]) -> None:
        with self._lock:
            for notice in sorted(notices, key=lambda n: n.key):
                self._notices.setdefault(notice.key, notice)

    def due_notices(self, now: datetime, limit: int = 50) -> Sequence[Notice]:
        with self._lock:
            due = (
                n
                for n in self._notices.values()
                if n.state is MailState.PENDING and (n.not_before is None or n.not_before <= now)
            )
            return sorted(due, key=lambda n: n.created_at)[:limit]

    def claim_notice(self, key: str) -> bool:
        with self._lock:
            notice = self._notices.get(key)
            if notice is None or notice.state is not MailState.PENDING:
                return False
            self._notices[key] = replace(notice, state=MailState.SENDING)
            return True

    def settle_notice(
        self, key: str, state: MailState, *, error: str = "", not_before: datetime | None = None
    ) -> None:
        with self._lock:
            notice = self._notices.get(key)
            if notice is not None and notice.state is MailState.SENDING:
                attempts = notice.attempts + (state is MailState.PENDING)
                self._notices[key] = replace(
                    notice, state=state, attempts=attempts, error=error, not_before=not_before
                )

    def notices(self, *key_prefixes: str) -> Sequence[Notice]:
        with self._lock:
            found = (n for n in self._notices.values() if n.key.startswith(key_prefixes or ""))
            return sorted(found, key=lambda n: n.created_at)

    def unsent(self) -> Sequence[Notice]:
        with self._lock:
            found = (n for n in self._notices.values() if n.state is not MailState.SENT)
            return sorted(found, key=lambda n: n.created_at)

    # --- Batches and imports ---

    def add_batch(self, batch: Batch, imports: Sequence[tuple[Import, SealedGrants | None]]) -> None:
        """Raises ValueError if the id of the batch or of an import exists already."""
        with self._lock:
            own = [i for i in self._imports.values() if self._submitted_by(i) == batch.owner]
            taken = {i.route for i in own if self._has_grants(i)}
            for import_, sealed in imports:
                if sealed is not None and import_.route in taken:
                    raise RouteUnderWay(import_.route)
            ids = [import_.id for import_, _ in imports]
            if batch.id in self._batches or len({*ids}) < len(ids) or self._imports.keys() & ids:
                raise ValueError("the batch or one of its imports is in the store already")
            self._batches[batch.id] = batch
            self._submitters.append(batch.owner)
            for import_, sealed in imports:
                for old in own:
                    if old.route == import_.route and old.state not in ALIVE and not old.successor:
                        self._imports[old.id] = replace(old, successor=import_.id)
                self._imports[import_.id] = import_
                self._submission[import_.id] = len(self._batches)
                if sealed is not None:
                    self._grants[import_.id] = sealed

    def batch(self, batch_id: BatchId) -> Batch | None:
        with self._lock:
            return self._batches.get(batch_id)

    def save_undo(self, report: UndoReport, lease: Lease) -> None:
        super().save_undo(report, lease)
        with self._lock:
            if (import_ := self._imports.get(report.import_id)) is not None:
                self._imports[import_.id] = replace(
                    import_, state=State.UNDONE, problem=None, grants_kept_until=None
                )
                self._grants.pop(import_.id, None)

    def batches(
        self,
        limit: int = 50,
        *,
        owner: str | None = None,
        ids: Sequence[BatchId] | None = None,
        beginning: str = "",
        after: BatchId | None = None,
    ) -> Sequence[Batch]:
        with self._lock:
            latest_first = [*reversed(self._batches.values())]
            latest_first.sort(key=lambda b: b.created_at, reverse=True)
            found = latest_first[_index_after([b.id for b in latest_first], after) :]
            found = [b for b in found if ids is None or b.id in ids]
            return [b for b in found if owner in (None, b.owner) and b.id.startswith(beginning)][:limit]

    def import_(self, import_id: ImportId) -> Import | None:
        with self._lock:
            return self._imports.get(import_id)

    def imports(
        self,
        chosen: ImportFilter = EVERY_IMPORT,
        *,
        ids: Sequence[ImportId] | None = None,
        after: ImportId | None = None,
        limit: int = 200,
    ) -> Sequence[Import]:
        with self._lock:
            found = [*self._imports.values()]
            found.sort(key=lambda i: i.row)
            if chosen.batch_id is None:
                found.sort(key=lambda i: (i.created_at, self._submission[i.id]), reverse=True)
            rest = found[_index_after([i.id for i in found], after) :]
            found = [i for i in rest if is_selected(chosen, i, self._batch(i))]
            return [i for i in found if ids is None or i.id in ids][:limit]

    def latest_import(self, route: Route, owner: str) -> Import | None:
        with self._lock:
            found = [
                i
                for i in reversed(self._imports.values())
                if i.route == route and self._submitted_by(i) == owner
            ]
            return max(found, key=lambda i: (self._has_grants(i), i.created_at), default=None)

    def update_import(self, changed: Import, lease: Lease | None = None) -> None:
        """Raises LookupError for an unknown import."""
        with self._lock:
            if lease is not None:
                self._demand(lease)
            self._imports[changed.id] = replace(
                self._known(changed.id),
                state=changed.state,
                problem=changed.problem,
                not_before=changed.not_before,
                attempts=changed.attempts,
                started_at=changed.started_at,
                finished_at=changed.finished_at,
                held_up_since=changed.held_up_since,
                grants_kept_until=changed.grants_kept_until,
                reopened=changed.reopened,
                has_labels=changed.has_labels,
                alerts=changed.alerts,
                moved_at=changed.moved_at,
            )

    def note_proven(self, import_id: ImportId, password_fingerprint: str, lease: Lease) -> None:
        with self._lock:
            self._demand(lease)
            import_ = self._imports.get(import_id)
            if import_ is not None and import_.password_fingerprint == password_fingerprint:
                self._imports[import_id] = replace(import_, proven=True)

    def request_control(self, import_id: ImportId, request: ControlRequest | None) -> Import | None:
        with self._lock:
            import_ = self._imports.get(import_id)
            if (
                import_ is not None
                and import_.state in ALIVE
                and import_.requested is not ControlRequest.CANCEL
            ):
                import_ = self._imports[import_id] = replace(import_, requested=request)
            return import_

    def choose_options(self, import_id: ImportId, options: ImportOptions) -> bool:
        with self._lock:
            if import_id not in self._imports or import_id not in self._grants:
                return False
            self._imports[import_id] = replace(self._imports[import_id], options=options)
            return True

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
        with self._lock:
            self._demand(lease)
            if (
                password_fingerprint is not None
                and self._known(changed.id).password_fingerprint != password_fingerprint
            ):
                return False
            if options is not None and self._known(changed.id).options != options:
                return False
            self.update_import(changed, lease)
            if seal is not None:
                self._seals[changed.id] = seal
            if changed.grants_kept_until is None:
                self._grants.pop(changed.id, None)
            for side in Side:
                self._consents.pop((changed.id, side), None)
            self.post(notices)
            self.post_calls(calls)
            return True

    def reopen_import(self, import_id: ImportId) -> Import | None:
        with self._lock:
            stopped = self._imports.get(import_id)
            if stopped is None or stopped.grants_kept_until is None or import_id not in self._grants:
                return None
            owner = self._submitted_by(stopped)
            own = [i for i in self._imports.values() if self._submitted_by(i) == owner]
            if any(self._has_grants(i) and i.route == stopped.route for i in own):
                raise RouteUnderWay(stopped.route)
            again = replace(import_state.reopened(stopped), requested=None)
            self._imports[import_id] = again
            return again

    def erase_kept_grants(self, import_id: ImportId) -> bool:
        with self._lock:
            import_ = self._imports.get(import_id)
            if import_ is None or import_.grants_kept_until is None:
                return False
            self._imports[import_id] = replace(import_, grants_kept_until=None)
            self._grants.pop(import_id, None)
            return True

    def imports_with_kept_grants(self, until: datetime, limit: int = 100) -> Sequence[Import]:
        with self._lock:
            kept = [(i.grants_kept_until, i.id, i) for i in self._imports.values() if i.grants_kept_until]
            return [i for at, _, i in sorted(kept, key=lambda each: each[:2]) if at <= until][:limit]

    def due_imports(self, now: datetime, limit: int = 100) -> Sequence[ImportId]:
        with self._lock:
            due = self._due(now)
            due.sort(key=lambda i: i.created_at)
            places: Counter[str] = Counter()
            ranked = []
            for import_ in due:
                owner = self._owner(import_)
                places[owner] += 1
                ranked.append((places[owner], import_.created_at, import_.id))
            ranked.sort(key=lambda entry: entry[:2])
            return [id_ for _, _, id_ in ranked[:limit]]

    def queue_depth(self, now: datetime) -> QueueDepth:
        with self._lock:
            since = [
                max(filter(None, (i.created_at, i.not_before, self._last_leg(i)))) for i in self._due(now)
            ]
            return QueueDepth(len(since), min(since, default=None))

    def imports_by_host(self) -> Mapping[tuple[str, State], int]:
        with self._lock:
            return Counter(
                (account.endpoint.host.lower(), i.state)
                for i in self._imports.values()
                if i.state in ALIVE
                for account in (i.source, i.destination)
            )

    def import_counts(self, chosen: ImportFilter = EVERY_IMPORT) -> Sequence[ImportCount]:
        with self._lock:
            found = [i for i in self._imports.values() if is_selected(chosen, i, self._batch(i))]
            counts = Counter((i.state, i.problem.code if i.problem else "") for i in found)
            return [ImportCount(state, problem, counts[state, problem]) for state, problem in sorted(counts)]

    def waits(self) -> Sequence[WaitCount]:
        with self._lock:
            counts: Counter[tuple[str, str]] = Counter()
            for import_ in self._imports.values():
                if import_.state is State.WAITING:
                    problem = import_.problem
                    side = problem.side if problem is not None else None
                    accounts = {Side.SOURCE: import_.source, Side.DESTINATION: import_.destination}
                    host = accounts[side].endpoint.host if side is not None else ""
                    counts[host, problem.code if problem is not None else ""] += 1
            return [WaitCount(*place, number) for place, number in sorted(counts.items())]

    def pending_calls(self) -> QueueDepth:
        pending = [call.created_at for call in self.calls() if call.state is CallState.PENDING]
        return QueueDepth(len(pending), min(pending, default=None))

    def _last_leg(self, import_: Import) -> datetime | None:
        hold = self._holds.get(f"import:{import_.id}")
        return hold.expires_at if hold is not None else None

    def control_requests(self, ids: Sequence[ImportId]) -> Mapping[ImportId, ControlRequest]:
        with self._lock:
            found = [self._imports[id_] for id_ in ids if id_ in self._imports]
            return {import_.id: import_.requested for import_ in found if import_.requested is not None}

    def leg_queue(self, now: datetime, besides: Collection[ImportId] = ()) -> LegQueue:
        with self._lock:
            due = self._waiting(now, besides)
            return LegQueue(
                {
                    i.id: self._share(i)
                    for i in self._imports.values()
                    if self._has_grants(i) and self._is_held(f"import:{i.id}")
                },
                Counter(self._share(import_) for import_ in due),
                frozenset(self._share(import_) for import_ in due if self._last_leg(import_) is None),
            )

    def next_leg(
        self,
        share: Share,
        now: datetime,
        besides: Collection[ImportId] = (),
        *,
        longest_waiting: bool = False,
    ) -> ImportId | None:
        with self._lock:
            mine = [i for i in self._waiting(now, besides) if self._share(i) == share]
            turn = self._waits_since if longest_waiting else self._turn
            return min(mine, key=turn).id if mine else None

    def _share(self, import_: Import) -> Share:
        return Share(self._owner(import_), import_.source.endpoint.host)

    def _waiting(self, now: datetime, besides: Collection[ImportId]) -> list[Import]:
        return [import_ for import_ in self._due(now) if import_.id not in besides]

    def _turn(self, import_: Import) -> tuple[Any, ...]:
        ended = self._last_leg(import_)
        if ended is None:
            return False, 0, import_.created_at
        left = import_.progress.messages_total - import_.progress.messages_done
        return True, left, ended, import_.created_at

    def _waits_since(self, import_: Import) -> tuple[Any, ...]:
        return self._last_leg(import_) or import_.created_at, import_.created_at

    def _due(self, now: datetime) -> list[Import]:
        return [
            i
            for i in self._imports.values()
            if self._has_grants(i)
            and (i.not_before is None or i.not_before <= now or _has_pending_request(i))
            and not self._is_held(f"import:{i.id}")
        ]

    def _has_grants(self, import_: Import) -> bool:
        """Whether the import has grants and has not ended."""
        return import_.state in ALIVE and import_.id in self._grants

    def grants(self, import_id: ImportId) -> SealedGrants | None:
        with self._lock:
            return self._grants.get(import_id)

    def grants_by_import(self, ids: Sequence[ImportId]) -> Mapping[ImportId, SealedGrants]:
        with self._lock:
            return {id_: self._grants[id_] for id_ in ids if id_ in self._grants}

    def replace_grants(
        self, import_id: ImportId, sealed: Mapping[Side, bytes], password_fingerprint: str
    ) -> bool:
        with self._lock:
            import_ = self._imports.get(import_id)
            if import_ is None or not self._has_grants(import_):
                return False
            not_before = import_.not_before if import_.state is State.PAUSED else None
            self._imports[import_id] = replace(
                import_, password_fingerprint=password_fingerprint, not_before=not_before, proven=False
            )
            sides = {side.value: grant for side, grant in sealed.items()}
            self._grants[import_id] = replace(self._grants[import_id], **sides)
            return True

    def save_tallies(
        self,
        import_id: ImportId,
        tallies: Collection[FolderTally],
        lease: Lease,
        *,
        progress: Progress | None = None,
    ) -> None:
        """Raises LookupError for an unknown import."""
        with self._lock:
            self._demand(lease)
            self._known(import_id)
            for tally in tallies:
                kept = replace(tally, skipped=dict(tally.skipped))
                self._tallies.setdefault(import_id, {})[tally.source_folder] = kept
            if progress is not None:
                self._imports[import_id] = replace(self._known(import_id), progress=progress)

    def tallies(self, import_id: ImportId) -> Sequence[FolderTally]:
        with self._lock:
            return tuple(self._tallies.get(import_id, {}).values())

    def tallies_by_import(self, ids: Sequence[ImportId]) -> Mapping[ImportId, Sequence[FolderTally]]:
        return {id_: tallies for id_ in ids if (tallies := self.tallies(id_))}

    def _submitted_by(self, import_: Import) -> str:
        return self._submitters[self._submission[import_.id] - 1]

    def _batch(self, import_: Import) -> Batch | None:
        return self._batches.get(import_.batch_id) if import_.batch_id is not None else None

    def _owner(self, import_: Import) -> str:
        batch = self._batch(import_)
        return batch.owner if batch is not None else ""

    def _known(self, import_id: ImportId) -> Import:
        try:
            return self._imports[import_id]
        except KeyError:
            raise LookupError(f"there is no import {import_id}") from None


def _has_pending_request(import_: Import) -> bool:
    """Whether a control request is not yet applied."""
    applied = ControlRequest.PAUSE if import_.state is State.PAUSED else None
    return import_.requested is not applied


def _index_after(ids: Sequence[str], last: str | None) -> int:
    """The index after `last`; the end of the list if it is not in it."""
    if last is None:
        return 0
    return ids.index(last) + 1 if last in ids else len(ids)
