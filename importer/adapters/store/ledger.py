"""The ledger: receipts, intents, refusals and folder maps, by route."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    Update,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from importer.adapters.store import mapping
from importer.adapters.store.columns import folder_key, personal_digest
from importer.adapters.store.database import Database, insert_into, upsert
from importer.adapters.store.tables import (
    folder_checkpoints,
    folder_maps,
    imports,
    intents,
    kept_routes,
    receipts,
    refusals,
    routes,
)
from importer.adapters.store.undone_receipts import end_undoing
from importer.compact.uid_set import UidSet, UidValidity
from importer.domain.mailbox_content import FolderRef
from importer.domain.model import Account, Import, ImportId, Route
from importer.domain.planning.retry_scope import NOT_ABOUT_MESSAGES
from importer.domain.receipts.folder_tally import FolderCheckpoint, Refusal
from importer.domain.receipts.receipt import (
    ANY_UIDVALIDITY,
    FORMER_UIDVALIDITY,
    NEVER_SEEN,
    CopyNote,
    Intent,
    Outcome,
    Receipt,
    stored_reason,
)
from importer.domain.receipts.receipt_splitting import split, without_copies
from importer.ports.leases import Lease
from importer.ports.ledger import BatchOutcome, LedgerChanges

_PAGE_ROWS: Final = 250


class SqlLedger(Database):
    """Implements `importer.ports.ledger.Ledger`, except checkpoints and undo."""

    def folder_map(self, route: Route) -> Mapping[str, str]:
        statement = select(folder_maps.c.source_folder, folder_maps.c.destination_folder)
        with self.reading() as connection:
            rows = connection.execute(statement.where(folder_maps.c.route == route))
            return {row.source_folder: row.destination_folder for row in rows}

    def map_folders(self, route: Route, mapping: Mapping[str, str], lease: Lease) -> None:
        """Adds to the map. A source folder that is already in it gets the new destination."""
        with self.writing(lease) as connection:
            if not mapping:
                return
            connection.execute(
                upsert(connection, folder_maps, "route", "source_key"),
                [
                    {
                        "route": route,
                        "source_key": folder_key(source),
                        "source_folder": source,
                        "destination_folder": destination,
                    }
                    for source, destination in mapping.items()
                ],
            )

    def mailbox_epoch(self, route: Route) -> UidValidity | None:
        with self.reading() as connection:
            result = connection.execute(select(routes.c.mailbox_epoch).where(routes.c.route == route))
            epoch: int | None = result.scalar()
            return None if epoch is None else UidValidity(epoch)

    def set_mailbox_epoch(
        self, route: Route, epoch: UidValidity, lease: Lease, *, replaced: bool = True
    ) -> None:
        with self.writing(lease) as connection:
            insertion = insert_into(connection, routes).values(route=route, mailbox_epoch=epoch)
            connection.execute(
                insertion.on_conflict_do_update(
                    index_elements=[routes.c.route], set_={"mailbox_epoch": insertion.excluded.mailbox_epoch}
                )
            )
            if not replaced:
                return
            detached = receipts.c.destination_uidvalidity == ANY_UIDVALIDITY
            connection.execute(delete(receipts).where(receipts.c.route == route, detached))
            connection.execute(delete(folder_checkpoints).where(folder_checkpoints.c.route == route))

    def receipts(self, route: Route, destination_folder: str) -> Iterator[Receipt]:
        """Reads in pages; no transaction stays open between two pages, however slow the caller is."""
        page = (
            select(receipts)
            .where(_into(receipts, route, destination_folder), ~receipts.c.undone)
            .order_by(receipts.c.seq)
            .limit(_PAGE_ROWS)
        )
        for row in self._paged(page, receipts):
            receipt: Receipt | None = mapping.receipt(row)
            if row.undoing and receipt is not None:
                receipt = without_copies(receipt, UidSet.parse(row.undoing))
            if receipt is not None:
                yield receipt

    def routes_into(self, destination: Account) -> Collection[Route]:
        with self.reading() as connection:
            return routes_into(connection, destination)

    def last_receipt(self, route: Route, destination_folder: str) -> Receipt | None:
        newest = (
            select(receipts)
            .where(_names_folder(route, destination_folder))
            .order_by(receipts.c.seq.desc())
            .limit(1)
        )
        with self.reading() as connection:
            row = connection.execute(newest).first()
        return mapping.receipt(row) if row is not None else None

    def _paged(self, page: Select[Any], table: Table) -> Iterator[Row[Any]]:
        """Yields the rows of one page after the other, by `seq`."""
        last_seq = -1
        while True:
            with self.reading() as connection:
                rows = connection.execute(page.where(table.c.seq > last_seq)).all()
            yield from rows
            if len(rows) < _PAGE_ROWS:
                return
            last_seq = rows[-1].seq

    def detach(self, route: Route, destination_folder: str, uidvalidity: UidValidity, lease: Lease) -> None:
        self._move(route, FolderRef(destination_folder, uidvalidity), ANY_UIDVALIDITY, lease)

    def detach_all(self, destination: Account, folders: Sequence[str], lease: Lease) -> None:
        with self.writing(lease) as connection:
            for route in routes_into(connection, destination):
                recorded = connection.execute(_RECORDED_FOLDERS, {"of_route": route}).scalars()
                for name in sorted(set(recorded).intersection(folders)):
                    last = connection.execute(
                        select(receipts.c.destination_uidvalidity)
                        .where(_names_folder(route, name))
                        .order_by(receipts.c.seq.desc())
                        .limit(1)
                    ).scalar()
                    if last is not None:
                        _move(connection, route, FolderRef(name, UidValidity(last)), ANY_UIDVALIDITY)

    def outdate_all(self, destination: Account, folder: FolderRef, lease: Lease) -> None:
        with self.writing(lease) as connection:
            for route in sorted(routes_into(connection, destination)):
                end_undoing(connection, _of_folder(route, folder))
                connection.execute(_outdated(route, folder))

    def attach(self, route: Route, destination_folder: str, uidvalidity: UidValidity, lease: Lease) -> None:
        self._move(route, FolderRef(destination_folder, ANY_UIDVALIDITY), uidvalidity, lease)

    def _move(self, route: Route, folder: FolderRef, to: UidValidity, lease: Lease) -> None:
        with self.writing(lease) as connection:
            _move(connection, route, folder, to)

    def renumber(self, route: Route, destination_folder: str, source: FolderRef, lease: Lease) -> None:
        with self.writing(lease) as connection:
            connection.execute(
                update(receipts)
                .where(_into(receipts, route, destination_folder))
                .where(
                    receipts.c.source_folder == source.name,
                    receipts.c.source_uidvalidity == source.uidvalidity,
                )
                .values(source_uidvalidity=FORMER_UIDVALIDITY)
            )

    def note_unseen(
        self,
        route: Route,
        destination_folder: str,
        source: FolderRef,
        uids: UidSet,
        reason: CopyNote | None,
        lease: Lease,
    ) -> None:
        before = [""] if reason else list(map(stored_reason, NEVER_SEEN))
        noted_otherwise = (
            select(receipts)
            .where(_into(receipts, route, destination_folder), ~receipts.c.undone)
            .where(receipts.c.outcome == Outcome.COPIED, receipts.c.reason.in_(before))
            .where(
                receipts.c.source_folder == source.name,
                receipts.c.source_uidvalidity == source.uidvalidity,
            )
        )
        with self.writing(lease) as connection:
            for row in connection.execute(noted_otherwise).all():
                receipt = mapping.receipt(row)
                named = {at for at, uid in enumerate(receipt.source_uids) if uid in uids}
                rest, noted = split(receipt, named.__contains__)
                if noted is None:
                    continue
                values = mapping.receipt_values(route, replace(noted, reason=reason))
                this = update(receipts).where(receipts.c.seq == row.seq)
                if rest is None:
                    connection.execute(this.values(**values))
                else:
                    connection.execute(this.values(**mapping.receipt_values(route, rest)))
                    connection.execute(_NEW_RECEIPT, values | {"undoing": row.undoing})

    def intents(self, route: Route, destination_folder: str) -> Sequence[Intent]:
        statement = select(intents).where(_into(intents, route, destination_folder)).order_by(intents.c.slot)
        with self.reading() as connection:
            return [mapping.intent(row) for row in connection.execute(statement)]

    def recorded_folders(self, route: Route) -> Collection[str]:
        with self.reading() as connection:
            rows = connection.execute(_RECORDED_FOLDERS, {"of_route": route})
            return {row.destination_folder for row in rows}

    def note_intent(self, route: Route, intent: Intent, lease: Lease) -> None:
        self.write(route, LedgerChanges(intent=intent), lease)

    def save_checkpoint(self, route: Route, checkpoint: FolderCheckpoint, lease: Lease) -> None:
        self.write(route, LedgerChanges(checkpoints=(checkpoint,)), lease)

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
        """Raises ValueError if a receipt belongs to another destination folder."""
        outcome = BatchOutcome(destination_folder, tuple(receipts), tuple(refusals), closes_slot)
        self.write(route, LedgerChanges((outcome,)), lease)

    def write(self, route: Route, changes: LedgerChanges, lease: Lease) -> None:
        """Raises ValueError if a receipt belongs to another destination folder than its batch."""
        new_receipts: list[mapping.Values] = []
        new_refusals: list[mapping.Values] = []
        closed: list[mapping.Values] = []
        for outcome in changes.outcomes:
            for receipt in outcome.receipts:
                if receipt.destination.name != outcome.destination_folder:
                    folders = f"{receipt.destination.name!r} under {outcome.destination_folder!r}"
                    raise ValueError(f"a receipt for {folders}")
                new_receipts.append(mapping.receipt_values(route, receipt))
            new_refusals += map(mapping.refusal_values, outcome.refusals)
            if outcome.closes_slot is not None:
                closed.append(_intent_key(route, outcome.destination_folder, outcome.closes_slot))
        marks = [
            {"route": route, "source_key": folder_key(checkpoint.tally.source_folder)}
            | mapping.checkpoint_values(checkpoint)
            for checkpoint in changes.checkpoints
        ]
        with self.writing(lease) as connection:
            if new_receipts:
                connection.execute(_NEW_RECEIPT, new_receipts)
            if new_refusals:
                connection.execute(_NEW_REFUSAL, new_refusals)
            if closed:
                connection.execute(_OLD_INTENT, closed)
            if marks:
                connection.execute(upsert(connection, folder_checkpoints, "route", "source_key"), marks)
            if changes.intent is not None:
                connection.execute(
                    upsert(connection, intents, "route", "destination_key", "slot"),
                    mapping.intent_values(route, changes.intent),
                )

    def refusals(self, import_id: ImportId, folder: str | None = None) -> Iterator[Refusal]:
        wanted = [refusals.c.import_id == import_id]
        if folder is not None:
            wanted.append(refusals.c.folder == folder)
        page = select(refusals).where(*wanted).order_by(refusals.c.seq).limit(_PAGE_ROWS)
        for row in self._paged(page, refusals):
            yield mapping.refusal(row)

    def with_failures(self, imports: Sequence[Import]) -> Collection[ImportId]:
        ids = [import_.id for import_ in imports]
        of_route = receipts.c.route.in_({import_.route for import_ in imports})
        refused = (
            select(refusals.c.import_id)
            .where(refusals.c.import_id.in_(ids))
            .where(or_(refusals.c.uid.is_not(None), refusals.c.code.not_in(NOT_ABOUT_MESSAGES)))
        )
        unseen = (
            select(receipts.c.import_id)
            .where(of_route, receipts.c.import_id.in_(ids), ~receipts.c.undone)
            .where(receipts.c.outcome == Outcome.COPIED, _never_seen())
        )
        with self.reading() as connection:
            found = (connection.execute(each.distinct()).scalars() for each in (refused, unseen))
            return {ImportId(id_) for part in found for id_ in part}


# Built once: building a statement costs more than running it, and these run with every batch.
_NEW_RECEIPT: Final = insert(receipts)
_NEW_REFUSAL: Final = insert(refusals)
_OLD_INTENT: Final = delete(intents).where(
    intents.c.route == bindparam("of_route"),
    intents.c.destination_key == bindparam("of_folder"),
    intents.c.slot == bindparam("of_slot"),
)


_RECORDED_FOLDERS: Final = (
    select(receipts.c.destination_folder)
    .where(receipts.c.route == bindparam("of_route"))
    .union(select(intents.c.destination_folder).where(intents.c.route == bindparam("of_route")))
)


def _intent_key(route: Route, destination_folder: str, slot: int) -> mapping.Values:
    return {"of_route": route, "of_folder": folder_key(destination_folder), "of_slot": slot}


def routes_into(connection: Connection, destination: Account) -> set[Route]:
    """The routes of all imports into that mailbox, also of those that were removed since."""
    rows = select(imports)
    if destination.login.isascii():  # SQLite lower-cases ASCII only
        rows = rows.where(func.lower(imports.c.destination_login) == destination.login.lower())
    stored = map(mapping.import_, connection.execute(rows))
    kept = select(kept_routes.c.route).where(kept_routes.c.destination == personal_digest(destination.key))
    return {
        *(import_.route for import_ in stored if import_.destination.key == destination.key),
        *map(Route, connection.execute(kept).scalars()),
    }


def _move(connection: Connection, route: Route, folder: FolderRef, to: UidValidity) -> None:
    end_undoing(connection, _of_folder(route, folder))
    connection.execute(_moved(route, folder, to))


def _moved(route: Route, folder: FolderRef, to: UidValidity) -> Update:
    # A UID proves that the server stored the message, so also of one that no recount saw.
    stored = and_(receipts.c.reason == CopyNote.UNSEEN.value, receipts.c.destination_uids != "")
    copied = and_(receipts.c.outcome == Outcome.COPIED, or_(receipts.c.reason == "", stored))
    return (
        update(receipts)
        .where(_of_folder(route, folder), ~receipts.c.undone)
        .values(
            destination_uidvalidity=to,
            destination_uids="",
            reason=case((copied, CopyNote.IN_REMOVED_FOLDER.value), else_=receipts.c.reason),
        )
    )


def _outdated(route: Route, folder: FolderRef) -> Update:
    unproven = and_(_never_seen(), receipts.c.destination_uids == "")
    return (
        update(receipts)
        .where(_of_folder(route, folder), ~receipts.c.undone)
        .where(receipts.c.outcome != Outcome.SKIPPED)
        .values(
            destination_uidvalidity=FORMER_UIDVALIDITY,
            destination_uids="",
            reason=case((unproven, receipts.c.reason), else_=CopyNote.IN_REMOVED_FOLDER.value),
        )
    )


def _never_seen() -> ColumnElement[bool]:
    return receipts.c.reason.in_(list(map(stored_reason, NEVER_SEEN)))


def _of_folder(route: Route, folder: FolderRef) -> ColumnElement[bool]:
    same = receipts.c.destination_uidvalidity == folder.uidvalidity
    return and_(_into(receipts, route, folder.name), same)


def _names_folder(route: Route, destination_folder: str) -> ColumnElement[bool]:
    """Of a receipt under FORMER_UIDVALIDITY nothing proves that any folder ever held its messages."""
    named = receipts.c.destination_uidvalidity != FORMER_UIDVALIDITY
    return and_(_into(receipts, route, destination_folder), ~receipts.c.undone, named)


def _into(table: Table, route: Route, destination_folder: str) -> ColumnElement[bool]:
    return and_(table.c.route == route, table.c.destination_key == folder_key(destination_folder))
