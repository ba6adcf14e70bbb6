"""The schema migrations, which `importer.adapters.store.schema` runs through Alembic, upgrades only."""
