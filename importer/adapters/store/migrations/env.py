"""Alembic runs this for every command, on the connection and in the transaction of `schema.migrate`."""

from __future__ import annotations

from alembic import context

from importer.adapters.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
