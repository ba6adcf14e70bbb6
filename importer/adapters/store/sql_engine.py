"""Opens a database: SQLite in a file, or PostgreSQL through psycopg.

Invariants on SQLite: a committed receipt survives a power failure (synchronous=FULL); a write transaction
acquires the write lock when it begins (BEGIN IMMEDIATE), so it waits at the start and never fails half-way;
deleted content is overwritten (secure_delete).
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

BEGIN: Final = "sqlite_begin"
"""Execution option: the statement that begins a transaction on SQLite."""

_CACHE_KIB: Final = 256
"""Per connection, and each thread has one. A larger cache would only duplicate the operating system's."""

_BUSY_TIMEOUT_S: Final = 60.0
_ACCEPTED: Final = "sqlite:////var/lib/mailhaul/mailhaul.db or postgresql://user@host/database"


def open_engine(url: str) -> Engine:
    """Creates an engine for `sqlite:///FILE` or `postgresql://...`. It connects on first use.

    An engine belongs to one process: open it after forking. A missing SQLite file is created, readable by its
    owner only; its directory must exist (FileNotFoundError). Raises ValueError with a sentence for any other
    URL. No exception of the engine quotes the URL or a statement's values.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(parsed)
    return create_engine(
        parsed,
        hide_parameters=True,
        pool_pre_ping=True,  # the server may have restarted
        pool_size=8,
        max_overflow=24,
    )


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ValueError(f"the database URL is malformed; it looks like {_ACCEPTED}") from None
    match parsed.drivername:
        case "sqlite" | "sqlite+pysqlite":
            name = parsed.database or ""
            if name in ("", ":memory:") or name.startswith("file:"):
                raise ValueError("the SQLite database must be a file; the URL looks like " + _ACCEPTED)
            return parsed.set(drivername="sqlite+pysqlite")
        case "postgresql" | "postgres" | "postgresql+psycopg":
            return parsed.set(drivername="postgresql+psycopg")
        case other:
            raise ValueError(f"“{other}” is not a supported database; the URL looks like {_ACCEPTED}")


def _open_sqlite(url: URL) -> Engine:
    Path(str(url.database)).touch(mode=0o600, exist_ok=True)
    engine = create_engine(
        url,
        hide_parameters=True,
        poolclass=QueuePool,
        pool_size=8,
        max_overflow=-1,  # a connection is only a file handle, so threads never wait for one
        connect_args={"timeout": _BUSY_TIMEOUT_S},
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # disables the driver's implicit BEGIN, which comes too late
    _use_write_ahead_log(connection)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA secure_delete=ON")
    connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Lets readers and the writer work concurrently (https://www.sqlite.org/wal.html).

    The mode is stored in the file. Changing it requires an exclusive lock and ignores the busy timeout, so
    processes that open a new file at the same time have to wait here.
    """
    deadline = time.monotonic() + _BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(BEGIN, "BEGIN"))
