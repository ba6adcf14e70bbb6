"""The store in a relational database, SQLite or PostgreSQL."""

from importer.adapters.store.sql_engine import open_engine
from importer.adapters.store.sql_store import SqlStore

__all__ = ["SqlStore", "open_engine"]
