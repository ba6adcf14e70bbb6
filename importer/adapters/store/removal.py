"""Removes rows in steps of limited size, and all that belongs to an import or to a route."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Table,
    case,
    delete,
    func,
    select,
    tuple_,
    update,
)

from importer.adapters.store import mapping
from importer.adapters.store.columns import personal_digest
from importer.adapters.store.database import insert_into
from importer.adapters.store.tables import (
    batches,
    consents,
    created_folders,
    evidence_seals,
    folder_checkpoints,
    folder_maps,
    folder_tallies,
    grants,
    imports,
    intents,
    kept_routes,
    leases,
    notices,
    receipts,
    refusals,
    routes,
    undos,
)
from providers.errors import Side

STEP_ROWS: Final = 500
"""Rows that one transaction of a sweep removes at most."""

OF_IMPORT: Final = (grants, consents, folder_tallies, undos, created_folders, refusals, evidence_seals)
"""The tables whose rows belong to one import, by `import_id`, and go with it."""

OF_ROUTE: Final = (receipts, folder_maps, folder_checkpoints, intents, routes)
"""The tables whose rows belong to one route and outlive its imports."""

_KEY_PREFIXES: Final = ("import:", "consent:", "batch:")
_ID_CHARS: Final = 12


def delete_some(connection: Connection, table: Table, condition: ColumnElement[bool], limit: int) -> int:
    """Delete at most `limit` of the rows; returns their number."""
    key = tuple(table.primary_key.columns)
    some = select(*key).where(condition).limit(limit)
    return connection.execute(delete(table).where(tuple_(*key).in_(some))).rowcount


def id_in_key() -> ColumnElement[str]:
    """The id of the import or batch that a mail is about."""
    of_prefix = [
        (
            func.substr(notices.c.key, 1, len(prefix)) == prefix,
            func.substr(notices.c.key, len(prefix) + 1, _ID_CHARS),
        )
        for prefix in _KEY_PREFIXES
    ]
    return case(*of_prefix, else_="")


def remove_imports(connection: Connection, rows: Sequence[Row[Any]]) -> None:
    """Remove these rows of `imports` with what belongs to them, and their batches if nothing else is left of
    them. The ledger of their routes stays, and `kept_routes` says since when it is unused."""
    ids = [row.id for row in rows]
    if not ids:
        return
    for table in OF_IMPORT:
        connection.execute(delete(table).where(table.c.import_id.in_(ids)))
    connection.execute(delete(leases).where(leases.c.name.in_([f"import:{id_}" for id_ in ids])))
    for row in rows:
        _keep_route(connection, row)
    connection.execute(delete(imports).where(imports.c.id.in_(ids)))
    _shrink_batches(connection, {row.submission for row in rows}, set(ids))


def remove_ledger(connection: Connection, route: str, limit: int) -> int:
    """Remove at most `limit` rows of the ledger of a route, and its row in `kept_routes` with the last of
    them. Returns their number."""
    removed = 0
    for table in OF_ROUTE:
        if removed < limit:
            removed += delete_some(connection, table, table.c.route == route, limit - removed)
    if removed < limit:
        removed += delete_some(connection, kept_routes, kept_routes.c.route == route, 1)
    return removed


def _keep_route(connection: Connection, row: Row[Any]) -> None:
    used_at: datetime = row.finished_at or row.created_at
    destination = mapping.mailbox(row, Side.DESTINATION)
    texts = {row.source_address, row.source_login, row.destination_address, row.destination_login}
    insertion = insert_into(connection, kept_routes).values(
        route=row.route,
        used_at=used_at,
        destination=personal_digest(destination.key),
        addresses=sorted(map(personal_digest, texts)),
    )
    later = insertion.excluded.used_at
    connection.execute(
        insertion.on_conflict_do_update(
            index_elements=[kept_routes.c.route],
            set_={"used_at": later},
            where=kept_routes.c.used_at < later,
        )
    )


def _shrink_batches(connection: Connection, submissions: Collection[int], removed: Collection[str]) -> None:
    for batch in connection.execute(select(batches).where(batches.c.seq.in_(submissions))).all():
        left = [id_ for id_ in batch.imports if id_ not in removed]
        this = batches.c.seq == batch.seq
        if connection.execute(select(imports.c.seq).where(imports.c.submission == batch.seq)).first():
            connection.execute(update(batches).where(this).values(imports=left))
        else:
            connection.execute(delete(batches).where(this))
