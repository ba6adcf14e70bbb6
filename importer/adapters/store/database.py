"""Transactions: for reading, for writing, and for writing under a lease."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache, partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Engine, Insert, Table, bindparam, func, select, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError, OperationalError

from importer.adapters.store.group_commit import GroupCommit
from importer.adapters.store.sql_engine import BEGIN
from importer.adapters.store.tables import leases
from importer.ports.leases import Lease, LeaseLost
from importer.ports.process import DatabaseUnavailable, OwnDiskFull

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql


class Database:
    """Holds the engine. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._group_commit = GroupCommit(self._connect)
        # SQLite allows one writer at a time: every write of the process joins. On PostgreSQL those under a
        # lease do, which lock nothing that writes of another process lock in another order.
        self._all_join = is_sqlite(engine)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A read-only transaction. Raises OwnDiskFull and DatabaseUnavailable."""
        with _NamingFaults(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, lease: Lease | None = None) -> Iterator[Connection]:
        """A transaction that is committed when the block ends and rolled back when it raises.

        With a lease: raises LeaseLost before the block unless the lease is still held; no other process can
        acquire it until the transaction ends. Raises OwnDiskFull if the database has no space left, and
        DatabaseUnavailable. Threads may share a transaction (`group_commit.py`).
        """
        if lease is not None:
            with _NamingFaults(), self._group_commit.joining(partial(_require, lease), lease) as connection:
                yield connection
        elif self._all_join:
            with _NamingFaults(), self._group_commit.joining() as connection:
                yield connection
        else:
            with _NamingFaults(), self._connect() as connection, connection.begin():
                yield connection

    def _connect(self) -> Connection:
        return self.engine.connect().execution_options(**{BEGIN: "BEGIN IMMEDIATE"})

    def ping(self) -> None:
        """Raises DatabaseUnavailable if the database does not respond."""
        with self.reading() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Closes all connections; later calls open new ones."""
        self.engine.dispose()


def is_sqlite(bind: Engine | Connection) -> bool:
    return bind.dialect.name == "sqlite"


def insert_into(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that supports ON CONFLICT, which both databases have and standard SQL has not."""
    return _insertion(connection.dialect.name, table)


def _insertion(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    if dialect == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # loading takes 20 ms, and a foreground copy does not use it

    return postgresql.insert(table)


@lru_cache(maxsize=64)
def _upsert(dialect: str, table: Table, key: tuple[str, ...]) -> Insert:
    """Built once: building a statement costs more than running it."""
    insertion = _insertion(dialect, table)
    serial = {column.name for column in table.primary_key if column.name == "seq"}
    values = {
        column.name: insertion.excluded[column.name]
        for column in table.columns
        if column.name not in key and column.name not in serial
    }
    return insertion.on_conflict_do_update(index_elements=key, set_=values)


def upsert(connection: Connection, table: Table, *key: str) -> Insert:
    """An INSERT that replaces the row with the same `key`, columns that have to be unique together. Its
    parameters have to name every column but a serial number."""
    return _upsert(connection.dialect.name, table, key)


def database_now(connection: Connection) -> Any:
    """The time by the clock that all processes of this database share, for comparisons and for sums with a
    timedelta: that of the PostgreSQL server, and on SQLite that of the one machine, read after the write lock
    was acquired."""
    return datetime.now(UTC) if is_sqlite(connection) else func.clock_timestamp()


class _NamingFaults:
    """A context manager that raises OwnDiskFull and DatabaseUnavailable in place of the database's errors for
    a full disk and for a lost or refused connection."""

    def __enter__(self) -> None: ...

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if cause is None:
            return
        if _is_full(cause):
            raise OwnDiskFull(_first_line(cause)) from error
        if isinstance(error, DBAPIError) and (error.connection_invalidated or _is_away(error, cause)):
            raise DatabaseUnavailable(_first_line(cause)) from error


def _first_line(cause: BaseException) -> str:
    """The reason, without the rest of a message that repeats the attempt for each address of the host."""
    return next(iter(str(cause).strip().splitlines()), type(cause).__name__).rstrip(".")


_SQLITE_FULL: Final = frozenset(
    {
        sqlite3.SQLITE_FULL,
        # Raised for quotas and file size limits, and if the index of the write-ahead log cannot grow.
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_SHMSIZE,
    }
)
_POSTGRESQL_FULL: Final = "53100"  # disk_full (PostgreSQL, appendix A: error codes)


def _is_full(cause: BaseException) -> bool:
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", None) in _SQLITE_FULL
    return getattr(cause, "sqlstate", None) == _POSTGRESQL_FULL


_POSTGRESQL_AWAY: Final = frozenset({"57P01", "57P02", "57P03", "53300"})
"""admin_shutdown, crash_shutdown, cannot_connect_now, too_many_connections; beside class 08."""


def _is_away(error: DBAPIError, cause: BaseException) -> bool:
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_CANTOPEN
    sqlstate = getattr(cause, "sqlstate", None)
    if sqlstate is None:  # no server has answered; other errors of the driver are no OperationalError
        return isinstance(error, OperationalError)
    return sqlstate in _POSTGRESQL_AWAY or sqlstate.startswith("08")


_HELD: Final = (  # built once: it runs before every batch
    select(leases.c.fence)
    .where(
        leases.c.name == bindparam("lease_name"),
        leases.c.owner == bindparam("lease_owner"),
        leases.c.fence == bindparam("lease_fence"),
    )
    # Shared, so that threads of one holder do not wait for each other. SQLite needs none: BEGIN IMMEDIATE.
    .with_for_update(read=True)
)


def _require(lease: Lease, connection: Connection) -> None:
    parameters = {"lease_name": lease.name, "lease_owner": lease.owner, "lease_fence": lease.fence}
    if connection.execute(_HELD, parameters).first() is None:
        raise LeaseLost(lease.name)
