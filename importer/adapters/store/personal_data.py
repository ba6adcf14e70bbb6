"""Finds and erases the data about an address, in every table, by the rules of `table_rules.py`.

Columns are searched as text: a query finds candidates, and the exact pattern of the domain decides. So a
table that is added later is searched as soon as it has its rule.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Table,
    cast,
    delete,
    func,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy import Text as TextType
from sqlalchemy.exc import DBAPIError

from importer.adapters.store import mapping
from importer.adapters.store.columns import personal_digest
from importer.adapters.store.database import Database, is_sqlite
from importer.adapters.store.removal import (
    OF_IMPORT,
    OF_ROUTE,
    STEP_ROWS,
    id_in_key,
    remove_imports,
    remove_ledger,
)
from importer.adapters.store.table_rules import RULES, TableRule
from importer.adapters.store.tables import imports, kept_routes, leases, metadata, notices
from importer.domain.model import Import
from importer.domain.personal_data import AddressPattern, Erasure, PersonalData
from providers.text import Text

SEALED: Final = "sealed"
_MAILBOXES: Final = ("source_address", "source_login", "destination_address", "destination_login")
_OWNS_TABLES: Final = text(
    "SELECT bool_and(pg_has_role(tableowner, 'USAGE')) FROM pg_tables WHERE tablename = 'imports'"
)
_EMPTIED: Final = frozenset({"submitter"})
"""Columns with an address that mails are sent to: a pseudonym would be used as an address."""


class SqlPersonalData(Database):
    """Implements `importer.ports.personal_data.PersonalRecords`."""

    def imports_of(self, address: str) -> Sequence[Import]:
        with self.reading() as connection:
            return [mapping.import_(row) for row in _own_imports(connection, address)]

    def personal_data(self, address: str) -> PersonalData:
        found: dict[str, list[Mapping[str, Any]]] = {}
        with self.reading() as connection:
            for table, row in _rows_about(connection, address):
                found.setdefault(table.name, []).append(_as_json(RULES[table.name], row))
        return PersonalData(found)

    def erase_personal_data(self, address: str, pseudonym: str) -> Mapping[str, int]:
        changed: Counter[str] = Counter()
        with self.reading() as connection:
            for table, _row in _belonging(connection, address):
                changed[table.name] += 1
            own = _own_imports(connection, address)
            routes = {row.route for row in own} | set(_kept_routes_of(connection, address))
        for at in range(0, len(own), STEP_ROWS):
            with self.writing() as connection:
                ids = [row.id for row in own[at : at + STEP_ROWS]]
                connection.execute(delete(notices).where(id_in_key().in_(ids)))
                remove_imports(connection, own[at : at + STEP_ROWS])
        for route in sorted(routes):
            removed = STEP_ROWS
            while removed >= STEP_ROWS:
                with self.writing() as connection:
                    shared = select(imports.c.seq).where(imports.c.route == route)
                    removed = 0
                    if connection.execute(shared).first() is None:
                        removed = remove_ledger(connection, route, STEP_ROWS)
        for table in metadata.sorted_tables:
            changed[table.name] += self._erase_mentions(table, AddressPattern(address), pseudonym)
        return {name: rows for name, rows in changed.items() if rows}

    def _erase_mentions(self, table: Table, pattern: AddressPattern, pseudonym: str) -> int:
        rule = RULES[table.name]
        if rule.erasure not in (Erasure.ROW, Erasure.PSEUDONYM):
            return 0
        key = tuple(table.primary_key.columns)
        changed = 0
        with self.reading() as connection:
            found = list(_mentions(connection, table, pattern))
        for row in found:
            this = tuple_(*key) == tuple(row._mapping[column.name] for column in key)
            with self.writing() as connection:
                if rule.erasure is Erasure.ROW or pattern.names_alone(row._mapping.get("recipient")):
                    connection.execute(delete(table).where(this))
                else:
                    values = _pseudonymised(table, rule, row, pattern, pseudonym)
                    connection.execute(update(table).where(this).values(values))
            changed += 1
        return changed

    def overwrite_free_space(self) -> bool:
        if not is_sqlite(self.engine):
            return self._vacuumed()
        try:  # secure_delete has overwritten the pages; the log still holds their former contents
            with self.engine.connect() as connection:
                raw: sqlite3.Connection = connection.connection.dbapi_connection  # type: ignore[assignment]
                [(busy, _log, _moved)] = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                return not busy
        except sqlite3.OperationalError:
            return False

    def _vacuumed(self) -> bool:
        """PostgreSQL: needs the owner of the tables; otherwise autovacuum does it later."""
        try:
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("VACUUM"))
                return bool(connection.execute(_OWNS_TABLES).scalar())
        except DBAPIError:
            return False


def _rows_about(connection: Connection, address: str) -> Iterator[tuple[Table, Row[Any]]]:
    seen = set()
    pattern = AddressPattern(address)
    for table, row in _belonging(connection, address):
        seen.add((table.name, _key(table, row)))
        yield table, row
    for table in metadata.sorted_tables:
        for row in _mentions(connection, table, pattern):
            if (table.name, _key(table, row)) not in seen:
                yield table, row


def _belonging(connection: Connection, address: str) -> Iterator[tuple[Table, Row[Any]]]:
    """The imports of that mailbox, and the rows that go with them and with their routes."""
    own = _own_imports(connection, address)
    ids = [row.id for row in own]
    routes = {row.route for row in own} | set(_kept_routes_of(connection, address))
    for row in own:
        yield imports, row
    wanted: list[tuple[Table, ColumnElement[bool]]] = [
        *((table, table.c.import_id.in_(ids)) for table in OF_IMPORT),
        *((table, table.c.route.in_(routes)) for table in (*OF_ROUTE, kept_routes)),
        (notices, id_in_key().in_(ids)),
        (leases, leases.c.name.in_([f"import:{id_}" for id_ in ids])),
    ]
    for table, condition in wanted:
        for row in connection.execute(select(table).where(condition)):
            yield table, row


def _own_imports(connection: Connection, address: str) -> Sequence[Row[Any]]:
    wanted = address.casefold()
    columns = [imports.c[name] for name in _MAILBOXES]
    candidates = or_(*(_contains(column, address) for column in columns))
    return [
        row
        for row in connection.execute(select(imports).where(candidates).order_by(imports.c.seq))
        if any(row._mapping[column.name].casefold() == wanted for column in columns)
    ]


def _kept_routes_of(connection: Connection, address: str) -> Sequence[str]:
    digest = personal_digest(address)
    rows = connection.execute(
        select(kept_routes).where(cast(kept_routes.c.addresses, TextType).contains(digest))
    )
    return [row.route for row in rows if digest in row.addresses]


def _mentions(connection: Connection, table: Table, pattern: AddressPattern) -> Iterator[Row[Any]]:
    """The rows of the table that name the address in a readable column."""
    columns = [column for column in table.columns if column.name in RULES[table.name].readable]
    if not columns:
        return
    candidates = or_(*(_contains(column, part) for column in columns for part in pattern.spellings))
    for row in connection.execute(select(table).where(candidates)):
        if any(pattern.is_in(_plain(row._mapping[column.name])) for column in columns):
            yield row


def _contains(column: ColumnElement[Any], part: str) -> ColumnElement[bool]:
    """Exact text has doubled backslashes, JSON has its own. SQLite knows the case of ASCII letters only."""
    plain = cast(column, TextType)
    found = [
        condition
        for spelling in {part, part.replace("\\", "\\\\")}
        for condition in (
            plain.contains(spelling, autoescape=True),
            func.lower(plain).contains(spelling.lower(), autoescape=True),
        )
    ]
    return or_(*found)


def _pseudonymised(
    table: Table, rule: TableRule, row: Row[Any], pattern: AddressPattern, pseudonym: str
) -> dict[str, Any]:
    values = {
        name: row._mapping[name]
        for name in rule.readable
        if pattern.is_in(_plain(row._mapping[name])) and name not in _EMPTIED
    }
    changed = {name: _replaced(value, pattern, pseudonym) for name, value in values.items()}
    if table.name == "audit_events":  # its trigger accepts whole pseudonyms only
        changed = dict.fromkeys(values, pseudonym)
        if "actor" in changed:
            changed["client"] = ""
    emptied = {name: "" for name in rule.readable & _EMPTIED if pattern.is_in(row._mapping[name])}
    return changed | emptied


def _replaced(value: Any, pattern: AddressPattern, pseudonym: str) -> Any:
    if isinstance(value, Text):
        return Text.from_json(pattern.replaced(value.as_json(), pseudonym))
    return pattern.replaced(value, pseudonym)


def _plain(value: Any) -> Any:
    return value.as_json() if isinstance(value, Text) else value


def _key(table: Table, row: Row[Any]) -> tuple[Any, ...]:
    return tuple(row._mapping[column.name] for column in table.primary_key.columns)


def _as_json(rule: TableRule, row: Row[Any]) -> Mapping[str, Any]:
    return {
        name: SEALED if name in rule.sealed else _json_value(_plain(value))
        for name, value in row._mapping.items()
    }


def _json_value(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case bytes():
            return value.hex()
        case _:
            return value
