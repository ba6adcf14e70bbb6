"""The database schema: migrating it and determining its state."""

from __future__ import annotations

from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, inspect, select

from importer.adapters.store.database import Database
from importer.adapters.store.sql_engine import open_engine
from importer.adapters.store.tables import metadata
from importer.ports.schema import SchemaAhead, SchemaState
from providers.text import Text

_MIGRATION_LOCK: Final = 7_402_116_118_101  # an arbitrary advisory lock key, unique in this database


def migrate(url: str) -> None:
    """Creates the schema or upgrades it in one transaction. Does nothing if it is current.

    Concurrent calls wait for one another. Raises SchemaAhead and what `open_engine` raises.
    """
    database = Database(open_engine(url))
    try:
        with database.writing() as connection:
            if connection.dialect.name == "postgresql":  # on SQLite the write lock is already held
                connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            config = _config(connection)
            if _state(connection, config) is SchemaState.AHEAD:
                raise SchemaAhead(Text("installation.schema_ahead"))
            command.upgrade(config, "head")
    finally:
        database.close()


def schema_state(url: str) -> SchemaState:
    """The state of the schema. Raises what `open_engine` raises, and SQLAlchemyError."""
    database = Database(open_engine(url))
    try:
        with database.reading() as connection:
            return _state(connection, _config(connection))
    finally:
        database.close()


def missing_columns(url: str) -> list[str]:
    """The columns, TABLE.COLUMN, that this version needs and the database does not have: a revision number
    alone proves nothing. Raises what `open_engine` raises."""
    database = Database(open_engine(url))
    try:
        with database.reading() as connection:
            inspector = inspect(connection)
            present = {
                (table, column["name"])
                for (_, table), columns in inspector.get_multi_columns().items()
                for column in columns
            }
        needed = [(table.name, column.name) for table in metadata.sorted_tables for column in table.columns]
        return [f"{table}.{column}" for table, column in needed if (table, column) not in present]
    finally:
        database.close()


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", "importer.adapters.store:migrations")
    config.attributes["connection"] = connection
    return config


def _state(connection: Connection, config: Config) -> SchemaState:
    script = ScriptDirectory.from_config(config)
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision is None:
        return SchemaState.EMPTY
    if revision == script.get_current_head():
        return SchemaState.CURRENT
    known = {step.revision for step in script.walk_revisions()}
    return SchemaState.BEHIND if revision in known else SchemaState.AHEAD
