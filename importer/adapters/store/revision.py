"""The schema revision that this version needs, checked at every start.

This works without Alembic, which takes longer to import than copying a mailbox without new mail; `schema.py`
contains the rest.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import inspect, text

from importer.adapters.store.database import Database
from importer.adapters.store.sql_engine import open_engine
from importer.adapters.store.tables import metadata

HEAD: Final = "0019"
"""The newest file in migrations/versions."""

_ANSWER_WITHIN_S: Final = 20.0


def is_current(url: str, answer_within_s: float = _ANSWER_WITHIN_S) -> bool:
    """Whether the database has revision HEAD. Raises what `open_engine` raises, and DatabaseUnavailable."""
    database = Database(open_engine(url, answer_within_s))
    try:
        with database.reading() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return False
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == HEAD
    finally:
        database.close()


def create(url: str) -> bool:
    """Creates the whole schema in a database without tables and returns True. Does nothing in any other
    database and returns False. Raises what `open_engine` raises.

    The result equals that of the migrations, which tests/contract/test_store.py verifies.
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
