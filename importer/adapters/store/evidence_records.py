"""The rows from which the evidence of an import is made, and its seal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection, and_, case, literal, literal_column, or_, select

from importer.adapters.store import mapping
from importer.adapters.store.database import Database, upsert
from importer.adapters.store.tables import evidence_seals, imports, receipts
from importer.domain.evidence.evidence_file import Seal
from importer.domain.evidence.import_evidence import LedgerEntry
from importer.domain.model import ImportId, Route

_PAGE_ROWS: Final = 250
_HEAVY: Final = ("digests", "flags", "facts", "destination_uids", "marks")
"""Columns that are read of the import's own receipts only. Of the UIDs, only their presence is read."""


class SqlEvidence(Database):
    """Implements `importer.ports.evidence_records.EvidenceRecords`."""

    def evidence_entries(self, route: Route, import_id: ImportId) -> Iterator[LedgerEntry]:
        own = receipts.c.import_id == import_id
        created = select(imports.c.created_at).where(imports.c.id == import_id).scalar_subquery()
        later = select(imports.c.id).where(imports.c.route == route, imports.c.created_at > created)
        chosen = or_(own, and_(~receipts.c.undone, receipts.c.import_id.not_in(later)))
        columns = [
            column if column.name not in _HEAVY else _only_if(own, column).label(column.name)
            for column in receipts.c
        ]
        last: tuple[str, int] = ("", -1)
        while True:
            key, seq = last
            after = or_(
                receipts.c.destination_key > key,
                and_(receipts.c.destination_key == key, receipts.c.seq > seq),
            )
            page = (
                select(*columns)
                .where(receipts.c.route == route, chosen, after)
                .order_by(receipts.c.destination_key, receipts.c.seq)
                .limit(_PAGE_ROWS)
            )
            with self.reading() as connection:
                rows = connection.execute(page).all()
            for row in rows:
                yield LedgerEntry(mapping.receipt(row), row.undone)
            if len(rows) < _PAGE_ROWS:
                return
            last = (rows[-1].destination_key, rows[-1].seq)

    def evidence_seal(self, import_id: ImportId) -> Seal | None:
        with self.reading() as connection:
            row = connection.execute(
                select(evidence_seals).where(evidence_seals.c.import_id == import_id)
            ).one_or_none()
        return None if row is None else Seal(row.content, row.file, row.public_key, row.signature)


def save_seal(connection: Connection, import_id: ImportId, seal: Seal) -> None:
    """Replaces an earlier one."""
    values = {"import_id": import_id, **seal._asdict()}
    connection.execute(upsert(connection, evidence_seals, "import_id"), values)


def _only_if(own: Any, column: Any) -> Any:
    if column.name in ("digests", "facts"):
        return case((own, column), else_=literal_column("NULL"))
    if column.name == "destination_uids":
        return case((own, column), (column == "", column), else_=literal("1"))
    return case((own, column), else_=literal(""))
