"""Which schema this version works with. Asked at every start, so without Alembic, which takes longer to
import than a mailbox with nothing new takes to copy; `schema.py` does the rest."""

from __future__ import annotations

from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from importer.adapters.store.database import Database
from importer.adapters.store.engine import open_engine

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
