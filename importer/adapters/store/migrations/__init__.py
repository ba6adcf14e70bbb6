"""The history of the schema: `importer.adapters.store.schema` runs it through Alembic, forward only."""
