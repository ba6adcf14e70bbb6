"""Marks: folders that were copied to their end, and how both sides stood then."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select

from importer.adapters.store import rows
from importer.adapters.store.columns import folder_key
from importer.adapters.store.database import Database, insert_into
from importer.adapters.store.tables import marks
from importer.domain.model import FolderMark, Route
from importer.ports.leases import Lease


class SqlMarks(Database):
    """The marks of `Ledger`."""

    def marks(self, route: Route) -> Mapping[str, FolderMark]:
        with self.reading() as connection:
            found = connection.execute(select(marks).where(marks.c.route == route))
            return {row.source_folder: rows.mark(row) for row in found}

    def mark(self, route: Route, mark: FolderMark, lease: Lease) -> None:
        with self.writing(lease) as connection:
            key = {"route": route, "source_key": folder_key(mark.account.source_folder)}
            values = rows.mark_values(mark)
            added = insert_into(connection, marks).values(**key, **values)
            connection.execute(
                added.on_conflict_do_update(index_elements=[marks.c.route, marks.c.source_key], set_=values)
            )
