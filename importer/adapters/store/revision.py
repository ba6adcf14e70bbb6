"""Which schema this version works with. Asked at every start, so without Alembic, which takes longer to
import than a mailbox with nothing new takes to copy; `schema.py` does the rest."""

from __future__ import annotations

from typing import Final

from sqlalchemy import inspect, text
from sqlalchemy.exc import DatabaseError

from importer.adapters.store.database import Database
from importer.adapters.store.sql_engine import open_engine
from importer.adapters.store.tables import metadata

HEAD: Final = "0001"
"""The newest file in migrations/versions."""


def is_current(url: str) -> bool:
    """Whether the database has that schema. Raises what `open_engine` raises."""
    database = Database(open_engine(url))
    try:
        with database.reading() as connection:
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == HEAD
    except DatabaseError:  # no such table, most likely; whatever else it is, `schema` says it better
        return False
    finally:
        database.close()


def create(url: str) -> bool:
    """Makes the whole schema at once in a database that has no table yet; False, and nothing is done, in any
    other. Raises what `open_engine` raises.

    What comes of it is what the migrations make (tests/contract/test_store.py holds the two together).
    """
    database = Database(open_engine(url))
    try:
        with database.writing() as connection:
            if inspect(connection).get_table_names():
                return False
            metadata.create_all(connection, checkfirst=False)
            connection.execute(
                text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
            )
            connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})
            return True
    finally:
        database.close()
