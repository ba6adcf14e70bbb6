"""Opens a database: SQLite in a file, or PostgreSQL through psycopg.

Invariants on SQLite: a committed receipt survives a power failure (synchronous=FULL); a write transaction
acquires the write lock when it begins (BEGIN IMMEDIATE), so it waits at the start and never fails half-way;
deleted content is overwritten (secure_delete).
"""

from __future__ import annotations

import sqlite3
import time
from functools import partial
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

BEGIN: Final = "sqlite_begin"
"""Execution option: the statement that begins a transaction on SQLite."""

_CACHE_KIB: Final = 256
"""Per connection, and each thread has one. A larger cache would only duplicate the operating system's."""

_BUSY_TIMEOUT_S: Final = 60.0
_FRESH_S: Final = 1.0
"""A connection that was used so recently is not tried before it is used again."""

_ACCEPTED: Final = "sqlite:////var/lib/mailhaul/mailhaul.db or postgresql://user@host/database"


def open_engine(url: str, answer_within_s: float | None = None) -> Engine:
    """Creates an engine for `sqlite:///FILE` or `postgresql://...`. It connects on first use.

    An engine belongs to one process: open it after forking. A missing SQLite file is created, readable by its
    owner only; its directory must exist (FileNotFoundError). Raises ValueError with a sentence for any other
    URL. With `answer_within_s`, a PostgreSQL server that does not answer for so long counts as lost
    (sqlalchemy.exc.OperationalError). No exception of the engine quotes the URL or a statement's values.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(parsed)
    return _open_postgresql(parsed, answer_within_s)


def _open_postgresql(url: URL, answer_within_s: float | None) -> Engine:
    """The limits hold on both sides. This one gives up on a server that it cannot reach; the server ends
    statements, waits for locks and transactions of a client that was frozen or cut off, so that it blocks
    no worker that takes over its work. What the URL says takes precedence (libpq's parameters)."""
    limits = {} if answer_within_s is None else _network_limits(answer_within_s)
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=24,
        max_overflow=8,  # opening one costs more than some transactions, and these are closed after each
        pool_use_lifo=True,
        connect_args={name: value for name, value in limits.items() if name not in url.query},
    )
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", partial(_ping_if_idle, engine))
    if answer_within_s is not None:
        event.listen(engine, "do_connect", partial(_connect_patiently, answer_within_s))
        event.listen(engine, "connect", partial(_limit_statements, answer_within_s))
    return engine


def _note_use(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info["used_at"] = time.monotonic()


def _ping_if_idle(engine: Engine, connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
    """The server may have restarted since. SQLAlchemy's own `pool_pre_ping` asks before each transaction,
    which is a round trip more for each."""
    used_at = record.info.get("used_at")
    if used_at is None or time.monotonic() - used_at < _FRESH_S:
        return
    try:
        engine.dialect.do_ping(connection)
    except engine.dialect.loaded_dbapi.Error as lost:
        raise InvalidatePoolError from lost


def _network_limits(answer_within_s: float) -> dict[str, int]:
    """libpq's connection parameters."""
    within_s = max(2, round(answer_within_s))  # libpq treats 1 as 2
    return {
        "connect_timeout": within_s,
        "keepalives_idle": max(1, within_s // 2),
        "keepalives_interval": max(1, within_s // 6),
        "keepalives_count": 3,
        "tcp_user_timeout": 1000 * within_s,
    }


def _connect_patiently(
    answer_within_s: float, _dialect: Any, _record: Any, arguments: tuple[Any, ...], parameters: Any
) -> Any:
    from importer.adapters.store.limited_connection import limited_connection  # noqa: PLC0415  # psycopg takes 60 ms to load

    return limited_connection(answer_within_s).connect(*arguments, **parameters)


def _limit_statements(answer_within_s: float, connection: Any, _record: Any) -> None:
    """Not as a startup parameter (`options`), which PgBouncer refuses."""
    limit_ms = round(1000 * answer_within_s)
    autocommit, connection.autocommit = connection.autocommit, True
    with connection.cursor() as cursor:
        for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            cursor.execute("SELECT set_config(%s, %s, false)", (name, str(limit_ms)))
    connection.autocommit = autocommit


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
