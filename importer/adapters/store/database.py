"""Transactions: one to look, one to write, and one to write under a lease."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, Engine, Table, bindparam, select, text
from sqlalchemy.dialects import sqlite

from importer.adapters.store.engine import BEGIN
from importer.adapters.store.tables import leases
from importer.ports import Lease, LeaseLost

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql


class Database:
    """Holds the engine. Safe for threads: each transaction takes a connection of its own."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only looks."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, lease: Lease | None = None) -> Iterator[Connection]:
        """A transaction: committed when the block ends, undone when it raises.

        With a lease: raises LeaseLost before the block unless it still holds, and nobody else can
        acquire it until the transaction ends.
        """
        with self.engine.connect() as connection:
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


def insert_into(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that knows ON CONFLICT, which both databases write alike and standard SQL does not."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # 20 ms that a copy in the foreground has no use for

    return postgresql.insert(table)


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
