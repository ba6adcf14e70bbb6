"""The workers that run, and counts of the imports that wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, case, delete, func, insert, select, union_all

from importer.adapters.store.database import Database, database_now, insert_into, is_sqlite
from importer.adapters.store.imports import select_due
from importer.adapters.store.tables import backoffs, calls, imports, leases, workers
from importer.domain.import_state import ALIVE
from importer.domain.model import State
from importer.ports.monitoring import MAINTENANCE, Maintenance, QueueDepth, WaitCount, WorkerProcess
from importer.ports.webhook_calls import CallState
from providers.errors import Side
from providers.text import Text

_FOR_EVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""The end of maintenance, which is a pause of everything among those of hosts and accounts."""


class SqlMonitoring(Database):
    """Implements `importer.ports.monitoring.Monitoring`."""

    def report_worker(self, name: str, version: str, started_at: datetime, now: datetime) -> None:
        with self.writing() as connection:
            by_database = _clock(connection)
            values = {
                "version": version,
                "started_at": started_at,
                "last_report_at": by_database,
                "clock_ahead_s": (now - by_database).total_seconds(),
            }
            insertion = insert_into(connection, workers).values(name=name, **values)
            connection.execute(insertion.on_conflict_do_update(index_elements=[workers.c.name], set_=values))

    def forget_worker(self, name: str) -> None:
        with self.writing() as connection:
            connection.execute(delete(workers).where(workers.c.name == name))

    def forget_workers_silent_since(self, before: datetime) -> None:
        with self.writing() as connection:
            connection.execute(delete(workers).where(workers.c.last_report_at < before))

    def workers(self) -> Sequence[WorkerProcess]:
        with self.reading() as connection:
            return [
                WorkerProcess(row.name, row.version, row.started_at, row.last_report_at, row.clock_ahead_s)
                for row in connection.execute(select(workers).order_by(workers.c.name))
            ]

    def queue_depth(self, now: datetime) -> QueueDepth:
        with self.reading() as connection:
            since = _later(
                connection,
                imports.c.created_at,
                imports.c.not_before,
                leases.c.expires_at,  # of the last leg: the row stays after the release
            )
            due = select_due(connection, now).add_columns(since.label("since")).subquery()
            row = connection.execute(select(func.count(), func.min(due.c.since)).select_from(due)).one()
            return QueueDepth(row[0], row[1])

    def imports_by_host(self) -> Mapping[tuple[str, State], int]:
        alive = imports.c.state.in_(sorted(ALIVE))
        sides = union_all(
            *(
                select(func.lower(host).label("host"), imports.c.state).where(alive)
                for host in (imports.c.source_host, imports.c.destination_host)
            )
        ).subquery()
        counted = select(sides.c.host, sides.c.state, func.count()).group_by(sides.c.host, sides.c.state)
        with self.reading() as connection:
            return {(row[0], State(row[1])): row[2] for row in connection.execute(counted)}

    def maintenance(self) -> Maintenance | None:
        with self.reading() as connection:
            row = connection.execute(select(backoffs.c.text).where(backoffs.c.name == MAINTENANCE)).first()
            return None if row is None else _maintenance(row.text)

    def set_maintenance(self, new: Maintenance | None) -> None:
        with self.writing() as connection:
            connection.execute(delete(backoffs).where(backoffs.c.name == MAINTENANCE))
            if new is not None:
                values = {
                    "name": MAINTENANCE,
                    "until": _FOR_EVER,
                    "code": MAINTENANCE,
                    "message": "",
                    "text": Text(MAINTENANCE, since=new.since, note=new.note, by=new.by),
                    "server_text": "",
                }
                connection.execute(insert(backoffs).values(values))

    def running_legs(self) -> int:
        with self.reading() as connection:
            held = (
                leases.c.name.startswith("import:"),
                leases.c.owner.is_not(None),
                leases.c.expires_at > database_now(connection),
            )
            number: int = connection.execute(select(func.count()).where(*held)).scalar_one()
            return number

    def waits(self) -> Sequence[WaitCount]:
        host = case(
            (imports.c.problem_side == Side.SOURCE, imports.c.source_host),
            (imports.c.problem_side == Side.DESTINATION, imports.c.destination_host),
            else_="",
        )
        problem = func.coalesce(imports.c.problem_code, "")
        counted = (
            select(host, problem, func.count())
            .where(imports.c.state == State.WAITING)
            .group_by(host, problem)
            .order_by(host, problem)
        )
        with self.reading() as connection:
            return [WaitCount(row[0], row[1], row[2]) for row in connection.execute(counted)]

    def pending_calls(self) -> QueueDepth:
        pending = select(func.count(), func.min(calls.c.created_at)).where(calls.c.state == CallState.PENDING)
        with self.reading() as connection:
            row = connection.execute(pending).one()
            return QueueDepth(row[0], row[1])


def _maintenance(text: Text) -> Maintenance:
    since = text.params["since"]
    if not isinstance(since, datetime):
        raise TypeError("a maintenance begins at a time")
    return Maintenance(since, str(text.params["note"]), str(text.params["by"]))


def _clock(connection: Connection) -> datetime:
    """The time by the clock of the database, as a value."""
    now = database_now(connection)
    if isinstance(now, datetime):
        return now
    value: datetime = connection.execute(select(now)).scalar_one()
    return value.astimezone(UTC)


def _later(
    connection: Connection, first: ColumnElement[datetime], *others: ColumnElement[datetime]
) -> ColumnElement[datetime]:
    """The latest of these times; only the first is never NULL."""
    greatest = func.max if is_sqlite(connection) else func.greatest
    return greatest(first, *(func.coalesce(other, first) for other in others), type_=first.type)
