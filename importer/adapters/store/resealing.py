"""Seals every sealed column anew: `table_rules.py` says which they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Column, Row, Table, and_, func, select, tuple_, update

from importer.adapters.store.database import Database
from importer.adapters.store.table_rules import RULES
from importer.adapters.store.tables import metadata
from importer.ports.sealed_values import Renew, Resealed
from importer.ports.vault import KeyMissing

STEP_ROWS: Final = 200
"""In one transaction: about 10 ms of a lock on SQLite."""


class SqlSealedValues(Database):
    """Implements `importer.ports.sealed_values.SealedValues`."""

    def reseal(self, renew: Renew, *, changes: bool = True) -> Mapping[str, Resealed]:
        return {
            f"{table.name}.{column.name}": self._reseal(table, column, renew, changes)
            for table in metadata.sorted_tables
            for column in table.columns
            if column.name in RULES[table.name].sealed
        }

    def _reseal(self, table: Table, column: Column[Any], renew: Renew, changes: bool) -> Resealed:
        current = renewed = unreadable = 0
        for rows in self._steps(table, column):
            new: list[tuple[Row[Any], bytes]] = []
            for row in rows:
                try:
                    sealed = renew(row.sealed)
                except KeyMissing:
                    unreadable += 1
                    continue
                if sealed is None:
                    current += 1
                else:
                    new.append((row, sealed))
            renewed += len(new)
            if new and changes:
                self._store(table, column, new)
        return Resealed(current, renewed, unreadable)

    def _steps(self, table: Table, column: Column[Any]) -> Iterator[Sequence[Row[Any]]]:
        """The rows with a sealed value in the order of their keys, read in steps without a lock."""
        key = list(table.primary_key)
        rows: Any = select(*key, column.label("sealed")).where(func.length(column) > 0).order_by(*key)
        after: tuple[Any, ...] | None = None
        while True:
            step = rows if after is None else rows.where(tuple_(*key) > after)
            with self.reading() as connection:
                found = connection.execute(step.limit(STEP_ROWS)).all()
            if not found:
                return
            yield found
            after = tuple(found[-1][: len(key)])

    def _store(self, table: Table, column: Column[Any], new: Sequence[tuple[Row[Any], bytes]]) -> None:
        key = list(table.primary_key)
        with self.writing() as connection:
            for row, sealed in new:
                unchanged = and_(column == row.sealed, *(k == v for k, v in zip(key, row, strict=False)))
                connection.execute(update(table).where(unchanged).values({column: sealed}))
