"""Lists and numbers of imports by a filter; `ImportFilter` defines its parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import ColumnElement, Subquery, Table, and_, false, func, not_, or_, select

from importer.adapters.store import mapping
from importer.adapters.store.database import Database
from importer.adapters.store.tables import batches, imports
from importer.domain.import_filter import EVERY_IMPORT, ImportFilter
from importer.domain.model import Import, ImportId, State
from importer.domain.reporting.batch_overview import WAITS_FOR, Standing, states_of
from importer.ports.monitoring import ImportCount

_ADDRESSES: Final = (imports.c.source_address, imports.c.destination_address)
_HOSTS: Final = (imports.c.source_host, imports.c.destination_host)


class SqlImportLists(Database):
    """The methods of `importer.ports.store.Store` that take an `ImportFilter`."""

    def imports(
        self,
        chosen: ImportFilter = EVERY_IMPORT,
        *,
        ids: Sequence[ImportId] | None = None,
        after: ImportId | None = None,
        limit: int = 200,
    ) -> Sequence[Import]:
        statement = select(imports).where(*conditions(chosen))
        if after is not None:
            order = (imports.c.created_at, imports.c.submission, imports.c.row, imports.c.seq)
            last = select(*order).where(imports.c.id == after).subquery()
            newest_first, by_row = ("created_at", "submission"), ("row", "seq")
            statement = statement.where(following(imports, last, descending=newest_first, ascending=by_row))
        if ids is not None:
            statement = statement.where(imports.c.id.in_(ids))
        if chosen.batch_id is None:
            statement = statement.order_by(imports.c.created_at.desc(), imports.c.submission.desc())
        with self.reading() as connection:
            rows = connection.execute(statement.order_by(imports.c.row, imports.c.seq).limit(limit))
            return [mapping.import_(row) for row in rows]

    def import_counts(self, chosen: ImportFilter = EVERY_IMPORT) -> Sequence[ImportCount]:
        problem = func.coalesce(imports.c.problem_code, "")
        counted = (
            select(imports.c.state, problem, func.count())
            .where(*conditions(chosen))
            .group_by(imports.c.state, problem)
            .order_by(imports.c.state, problem)
        )
        with self.reading() as connection:
            return [ImportCount(State(row[0]), row[1], row[2]) for row in connection.execute(counted)]


def conditions(chosen: ImportFilter) -> list[ColumnElement[bool]]:
    """All of them have to hold."""
    all_: list[ColumnElement[bool]] = [*_of_batches(chosen), *_of_texts(chosen)]
    if chosen.batch_id is not None:
        all_.append(imports.c.batch_id == chosen.batch_id)
    if chosen.states:
        all_.append(imports.c.state.in_(chosen.states))
    if chosen.standing is not None:
        all_ += _standing(chosen.standing)
    if chosen.reason:
        all_.append(imports.c.problem_code == chosen.reason)
    if chosen.created_before is not None:
        all_.append(imports.c.created_at < chosen.created_before)
    if chosen.created_after is not None:
        all_.append(imports.c.created_at > chosen.created_after)
    return all_


def begins(column: ColumnElement[str], beginning: str) -> ColumnElement[bool]:
    return column.startswith(beginning, autoescape=True)


def following(
    table: Table, last: Subquery, *, descending: Sequence[str], ascending: Sequence[str] = ()
) -> ColumnElement[bool]:
    """A condition for the rows that follow `last`, a subquery of one row, in that order. No row matches if
    the subquery is empty."""
    condition: ColumnElement[bool] = false()
    for name in reversed((*descending, *ascending)):
        column, bound = table.c[name], select(last.c[name]).scalar_subquery()
        condition = or_(
            column < bound if name in descending else column > bound, and_(column == bound, condition)
        )
    # Implied by the other conditions; stated so that an index is used. Without it, all rows up to `last` are
    # read.
    newest = descending[0]
    return and_(table.c[newest] <= select(last.c[newest]).scalar_subquery(), condition)


def _of_batches(chosen: ImportFilter) -> list[ColumnElement[bool]]:
    wanted = []
    if chosen.owner is not None:
        wanted.append(batches.c.owner == chosen.owner)
    if chosen.submitted_by:
        by = _any_has((batches.c.owner, batches.c.submitter), chosen.submitted_by)
        wanted.append(or_(by, batches.c.owner == "") if chosen.is_by_console else by)
    return [imports.c.batch_id.in_(select(batches.c.id).where(*wanted))] if wanted else []


def _of_texts(chosen: ImportFilter) -> list[ColumnElement[bool]]:
    all_: list[ColumnElement[bool]] = []
    if chosen.beginning:
        all_.append(begins(imports.c.id, chosen.beginning))
    if chosen.address:
        all_.append(_any_has(_ADDRESSES, chosen.address))
    if chosen.host:
        all_.append(or_(*(func.lower(column) == chosen.host.lower() for column in _HOSTS)))
    if chosen.domain:
        end = f"@{chosen.domain.lower().lstrip('@')}"
        all_.append(or_(*(func.lower(column).endswith(end, autoescape=True) for column in _ADDRESSES)))
    if chosen.words:
        batch_columns = (batches.c.name, batches.c.owner, batches.c.submitter)
        in_batch = select(batches.c.id).where(_any_has(batch_columns, chosen.words))
        all_.append(
            or_(
                _any_has((*_ADDRESSES, *_HOSTS), chosen.words),
                begins(imports.c.id, chosen.words.lower()),
                imports.c.batch_id.in_(in_batch),
            )
        )
    return all_


def _standing(wanted: Standing) -> list[ColumnElement[bool]]:
    """As `standing` of the domain; `tests/contract/test_import_lists.py` compares both."""
    problem, is_repeated = func.coalesce(imports.c.problem_code, ""), imports.c.successor.is_not(None)
    waits_for = {
        each: and_(imports.c.state == State.WAITING, problem.in_(codes)) for each, codes in WAITS_FOR.items()
    }
    by_itself = and_(
        imports.c.state.in_(states_of(Standing.NEEDS_YOU if wanted is Standing.REPEATED else wanted)),
        *map(not_, waits_for.values()),
    )
    if wanted is Standing.REPEATED:
        return [by_itself, is_repeated]
    if wanted is Standing.NEEDS_YOU:
        by_itself = and_(by_itself, not_(is_repeated))
    return [or_(by_itself, waits_for[wanted])] if wanted in waits_for else [by_itself]


def _any_has(columns: Sequence[ColumnElement[str]], part: str) -> ColumnElement[bool]:
    """Whether `part` is in one of the columns. SQLite knows the case of ASCII letters only."""
    return or_(*(func.lower(column).contains(part.lower(), autoescape=True) for column in columns))
