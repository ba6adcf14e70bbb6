"""Marks receipts, in part or as a whole, as undone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select, update

from importer.adapters.store import mapping
from importer.adapters.store.tables import receipts
from importer.compact.uid_set import UidSet, parse_ordered
from importer.domain.receipts.receipt_splitting import split

# Built once: building a statement costs more than running it, and these run for many receipts.
_OF_NUMBER: Final = update(receipts).where(receipts.c.seq == bindparam("number"))
_NOTE_UNDOING: Final = _OF_NUMBER.values(undoing=bindparam("uids"))
_ALL_UNDONE: Final = _OF_NUMBER.values(undone=True)


def note_undoing(connection: Connection, removals: Mapping[int, UidSet]) -> None:
    """Notes receipt number -> the destination UIDs to remove; at least one."""
    connection.execute(
        _NOTE_UNDOING, [{"number": number, "uids": str(uids)} for number, uids in removals.items()]
    )


def mark_removed(connection: Connection, removed: Iterable[tuple[mapping.AnyRow, UidSet]]) -> None:
    """Marks the entries of receipts that have these destination UIDs as undone."""
    mark_undone(
        connection,
        (
            (row, {at for at, uid in enumerate(parse_ordered(row.destination_uids)) if uid in uids})
            for row, uids in removed
            if uids
        ),
    )


def mark_undone(connection: Connection, concerned: Iterable[tuple[mapping.AnyRow, set[int]]]) -> None:
    """Moves those entries of each receipt to a row of their own, which is marked as undone."""
    whole: list[mapping.Values] = []
    for row, at in concerned:
        remaining, undone = split(mapping.receipt(row), at.__contains__)
        if remaining is None:
            whole.append({"number": row.seq})
        elif undone is not None:
            this = receipts.c.seq == row.seq
            connection.execute(
                update(receipts).where(this).values(**mapping.receipt_values(row.route, remaining))
            )
            values = mapping.receipt_values(row.route, undone)
            connection.execute(insert(receipts).values(**values, undone=True))
    if whole:
        connection.execute(_ALL_UNDONE, whole)


def end_undoing(connection: Connection, condition: Any) -> None:
    """Marks what an undo noted of these receipts as undone. They are about to lose the UIDs that it noted."""
    noted = select(receipts).where(condition, ~receipts.c.undone, receipts.c.undoing != "")
    if rows := connection.execute(noted).all():
        note_undoing(connection, {row.seq: UidSet() for row in rows})
        mark_removed(connection, ((row, UidSet.parse(row.undoing)) for row in rows))
