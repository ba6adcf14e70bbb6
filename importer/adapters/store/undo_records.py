"""The ledger's part for undo: copies of an import, copies that were undone, folders that it created."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, delete, select, update

from importer.adapters.store import mapping
from importer.adapters.store.columns import folder_key
from importer.adapters.store.database import Database, insert_into
from importer.adapters.store.ledger import routes_into
from importer.adapters.store.tables import (
    created_folders,
    folder_checkpoints,
    folder_maps,
    grants,
    imports,
    receipts,
    undos,
)
from importer.adapters.store.undone_receipts import mark_removed, mark_undone, note_undoing
from importer.compact.digest_set import each_digest
from importer.compact.uid_set import UidSet, UidValidity, parse_ordered
from importer.domain.mailbox_content import FolderRef
from importer.domain.model import Account, Import, ImportId, Route, State
from importer.domain.receipts.receipt import Outcome
from importer.domain.receipts.undo_report import UndoReport
from importer.ports.leases import Lease
from importer.ports.ledger import Copies

_PAGE_ROWS: Final = 250
_FOLLOWER_OUTCOMES: Final = (Outcome.PRESENT, Outcome.DUPLICATE)


_NOTED: Final = select(
    receipts.c.destination_folder, receipts.c.destination_uidvalidity, receipts.c.undoing
).where(receipts.c.route == bindparam("of_route"), ~receipts.c.undone, receipts.c.undoing != "")


class SqlUndoRecords(Database):
    """The undo methods of `importer.ports.ledger.Ledger`."""

    def copies(self, route: Route, import_id: ImportId) -> Iterator[Copies]:
        return self._copies(_copied(route, import_id))

    def copies_into(self, route: Route, destination_folder: str) -> Iterator[Copies]:
        return self._copies(
            and_(
                receipts.c.route == route,
                receipts.c.destination_key == folder_key(destination_folder),
                receipts.c.outcome == Outcome.COPIED,
            )
        )

    def _copies(self, condition: Any) -> Iterator[Copies]:
        """By folder, oldest first. Reads in pages; no transaction stays open between two pages."""
        last: tuple[str, int] = ("", -1)
        while True:
            page = (
                select(receipts)
                .where(condition, ~receipts.c.undone)
                .where(_after(last))
                .order_by(receipts.c.destination_key, receipts.c.seq)
                .limit(_PAGE_ROWS)
            )
            with self.reading() as connection:
                rows = connection.execute(page).all()
            for row in rows:
                yield Copies(row.seq, mapping.receipt(row), UidSet.parse(row.undoing))
            if len(rows) < _PAGE_ROWS:
                return
            last = (rows[-1].destination_key, rows[-1].seq)

    def note_flags(self, flags: Mapping[int, str], lease: Lease) -> None:
        with self.writing(lease) as connection:
            for number, text in flags.items():
                connection.execute(update(receipts).where(receipts.c.seq == number).values(flags=text))

    def undone(self, route: Route, import_id: ImportId) -> Mapping[FolderRef, int]:
        statement = select(receipts).where(_copied(route, import_id), receipts.c.undone)
        counts: dict[FolderRef, int] = {}
        with self.reading() as connection:
            for row in connection.execute(statement):
                receipt = mapping.receipt(row)
                counts[receipt.destination] = counts.get(receipt.destination, 0) + len(receipt.source_uids)
        return counts

    def note_undoing(self, removals: Mapping[int, UidSet], lease: Lease) -> None:
        with self.writing(lease) as connection:
            rows = _numbered(connection, removals)
            note_undoing(connection, removals)
            found = connection.execute(select(imports).where(imports.c.id == rows[0].import_id)).one_or_none()
            others = () if found is None else routes_into(connection, mapping.import_(found).destination)
            contents = {
                content
                for row in rows
                for uid, content in zip(
                    parse_ordered(row.destination_uids), each_digest(row.digests), strict=True
                )
                if uid in removals[row.seq]
            }
            _undo_followers(connection, {rows[0].route, *others}, rows[0].destination_key, contents)

    def noted_removals(self, destination: Account) -> Mapping[FolderRef, UidSet]:
        noted: dict[FolderRef, UidSet] = {}
        with self.reading() as connection:
            for route in routes_into(connection, destination):
                for row in connection.execute(_NOTED, {"of_route": route}):
                    ref = FolderRef(row.destination_folder, UidValidity(row.destination_uidvalidity))
                    noted[ref] = noted.get(ref, UidSet()) | UidSet.parse(row.undoing)
        return noted

    def undo_copies(self, removed: Mapping[int, UidSet], lease: Lease) -> None:
        with self.writing(lease) as connection:
            rows = _numbered(connection, removed)
            note_undoing(connection, dict.fromkeys(removed, UidSet()))
            mark_removed(connection, ((row, removed[row.seq]) for row in rows))
            _delete_checkpoints(connection, rows[0].route, rows[0].destination_key)

    def undo_followers(self, import_: Import, folder: str, lease: Lease) -> None:
        key = folder_key(folder)
        with self.writing(lease) as connection:
            undone: set[bytes] = set()
            for row in connection.execute(
                select(receipts).where(
                    _copied(import_.route, import_.id), receipts.c.destination_key == key, receipts.c.undone
                )
            ):
                receipt = mapping.receipt(row)
                undone.update(receipt.digest_at(at) for at in range(len(receipt.source_uids)))
            routes = {import_.route, *routes_into(connection, import_.destination)}
            _undo_followers(connection, routes, key, undone)

    def note_created(self, import_id: ImportId, folders: Sequence[str], lease: Lease) -> None:
        with self.writing(lease) as connection:
            if folders:
                connection.execute(
                    insert_into(connection, created_folders).on_conflict_do_nothing(),
                    [
                        {"import_id": import_id, "folder_key": folder_key(folder), "folder": folder}
                        for folder in folders
                    ],
                )

    def created(self, import_id: ImportId) -> Sequence[str]:
        statement = select(created_folders.c.folder).where(created_folders.c.import_id == import_id)
        with self.reading() as connection:
            return list(connection.execute(statement.order_by(created_folders.c.seq)).scalars())

    def forget_folder(self, route: Route, import_id: ImportId, folder: str, lease: Lease) -> None:
        key = folder_key(folder)
        with self.writing(lease) as connection:
            for table in (folder_maps, folder_checkpoints):
                connection.execute(
                    delete(table).where(table.c.route == route, table.c.destination_folder == folder)
                )
            connection.execute(
                delete(created_folders).where(
                    created_folders.c.import_id == import_id, created_folders.c.folder_key == key
                )
            )

    def save_undo(self, report: UndoReport, lease: Lease) -> None:
        values = mapping.undo_values(report)
        with self.writing(lease) as connection:
            insertion = insert_into(connection, undos).values(values)
            connection.execute(
                insertion.on_conflict_do_update(index_elements=[undos.c.import_id], set_=values)
            )
            this = imports.c.id == report.import_id
            now = {"state": State.UNDONE, **mapping.problem_values(None), "grants_kept_until": None}
            connection.execute(update(imports).where(this).values(now))
            connection.execute(delete(grants).where(grants.c.import_id == report.import_id))

    def undo_report(self, import_id: ImportId) -> UndoReport | None:
        with self.reading() as connection:
            row = connection.execute(select(undos).where(undos.c.import_id == import_id)).one_or_none()
            return None if row is None else mapping.undo_report(row)


def _copied(route: Route, import_id: ImportId) -> Any:
    return and_(
        receipts.c.route == route,
        receipts.c.import_id == import_id,
        receipts.c.outcome == Outcome.COPIED,
    )


def _after(last: tuple[str, int]) -> Any:
    key, seq = last
    return (receipts.c.destination_key > key) | ((receipts.c.destination_key == key) & (receipts.c.seq > seq))


def _numbered(connection: Connection, numbers: Collection[int]) -> Sequence[mapping.AnyRow]:
    """The receipts with these numbers, at least one."""
    rows = connection.execute(select(receipts).where(receipts.c.seq.in_(numbers))).all()
    if len(rows) != len(numbers):
        raise LookupError(f"{len(numbers) - len(rows)} of {len(numbers)} receipts do not exist")
    return rows


def _undo_followers(
    connection: Connection, routes: Collection[Route], key: str, contents: Collection[bytes]
) -> None:
    """Marks what these routes settled as present or duplicate because of these contents as undone."""
    for route in sorted(routes):
        followers = select(receipts).where(
            receipts.c.route == route,
            receipts.c.destination_key == key,
            receipts.c.outcome.in_(_FOLLOWER_OUTCOMES),
            ~receipts.c.undone,
        )
        # A row is decoded only if it is concerned: usually few of many are.
        rows = connection.execute(followers).all()
        found = (
            (row, {at for at, content in enumerate(each_digest(row.digests)) if content in contents})
            for row in rows
        )
        mark_undone(connection, ((row, at) for row, at in found if at))
        _delete_checkpoints(connection, route, key)


def _delete_checkpoints(connection: Connection, route: Route, key: str) -> None:
    """Deletes the checkpoints of a destination folder: after an undo it must not count as unchanged."""
    source_keys = [
        row.source_key
        for row in connection.execute(select(folder_checkpoints).where(folder_checkpoints.c.route == route))
        if folder_key(row.destination_folder) == key
    ]
    connection.execute(
        delete(folder_checkpoints).where(
            folder_checkpoints.c.route == route, folder_checkpoints.c.source_key.in_(source_keys)
        )
    )
