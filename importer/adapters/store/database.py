"""Transactions: one to look, one to write, and one to write under a lease."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, Engine, Table, bindparam, select, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError

from importer.adapters.store.sql_engine import BEGIN
from importer.adapters.store.tables import leases
from importer.ports.leases import Lease, LeaseLost
from importer.ports.process import OwnDiskFull

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql


class Database:
    """Holds the engine. Safe for threads: each transaction takes a connection of its own."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        # SQLite has one writer at a time, and whoever waits for it looks again after ever longer naps.
        # Threads of one process wake each other at once.
        self._turn: AbstractContextManager[object] = Lock() if _is_sqlite(engine) else nullcontext()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only looks. Raises OwnDiskFull."""
        with _TellingFullDisk(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, lease: Lease | None = None) -> Iterator[Connection]:
        """A transaction: committed when the block ends, undone when it raises.

        With a lease: raises LeaseLost before the block unless it still holds, and nobody else can
        acquire it until the transaction ends. Raises OwnDiskFull when there is no room for it.
        """
        with self._turn, _TellingFullDisk(), self.engine.connect() as connection:
            connection.execution_options(**{BEGIN: "BEGIN IMMEDIATE"})
            with connection.begin():
                if lease is not None:
                    _demand(connection, lease)
                yield connection

    def ping(self) -> None:
        """Raises sqlalchemy.exc.SQLAlchemyError when the database does not answer."""
        with self.reading() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Gives all connections back to the database; a later call opens new ones."""
        self.engine.dispose()


def _is_sqlite(where: Engine | Connection) -> bool:
    return where.dialect.name == "sqlite"


def insert_into(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that knows ON CONFLICT, which both databases write alike and standard SQL does not."""
    if _is_sqlite(connection):
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # 20 ms that a copy in the foreground has no use for

    return postgresql.insert(table)


class _TellingFullDisk:
    """Within it, a database that has no room left is told as OwnDiskFull."""

    def __enter__(self) -> None: ...

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if cause is not None and _is_full(cause):
            raise OwnDiskFull(str(cause).strip().splitlines()[0]) from error


_SQLITE_FULL: Final = frozenset(
    {
        sqlite3.SQLITE_FULL,
        # What a quota or a limit of file sizes ends in, and a write-ahead log's index that cannot grow.
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_SHMSIZE,
    }
)
_POSTGRESQL_FULL: Final = "53100"  # disk_full (PostgreSQL, appendix A: error codes)


def _is_full(cause: BaseException) -> bool:
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", None) in _SQLITE_FULL
    return getattr(cause, "sqlstate", None) == _POSTGRESQL_FULL


_HELD: Final = (  # made once: it goes in front of every batch
    select(leases.c.fence)
    .where(
        leases.c.name == bindparam("lease_name"),
        leases.c.owner == bindparam("lease_owner"),
        leases.c.fence == bindparam("lease_fence"),
    )
    # Shared, so that the threads of one holder do not queue up. SQLite needs none: BEGIN IMMEDIATE.
    .with_for_update(read=True)
)


def _demand(connection: Connection, lease: Lease) -> None:
    asked = {"lease_name": lease.name, "lease_owner": lease.owner, "lease_fence": lease.fence}
    if connection.execute(_HELD, asked).first() is None:
        raise LeaseLost(lease.name)
