"""Checkpoints: folders that were copied completely, with the state of both sides at that time."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select

from importer.adapters.store import mapping
from importer.adapters.store.columns import folder_key
from importer.adapters.store.database import Database, insert_into
from importer.adapters.store.tables import folder_checkpoints
from importer.domain.model import FolderCheckpoint, Route
from importer.ports.leases import Lease


class SqlCheckpoints(Database):
    """The checkpoint methods of `importer.ports.ledger.Ledger`."""

    def checkpoints(self, route: Route) -> Mapping[str, FolderCheckpoint]:
        with self.reading() as connection:
            rows = connection.execute(select(folder_checkpoints).where(folder_checkpoints.c.route == route))
            return {row.source_folder: mapping.checkpoint(row) for row in rows}

    def save_checkpoint(self, route: Route, checkpoint: FolderCheckpoint, lease: Lease) -> None:
        with self.writing(lease) as connection:
            key = {"route": route, "source_key": folder_key(checkpoint.tally.source_folder)}
            values = mapping.checkpoint_values(checkpoint)
            insertion = insert_into(connection, folder_checkpoints).values(**key, **values)
            connection.execute(
                insertion.on_conflict_do_update(
                    index_elements=[folder_checkpoints.c.route, folder_checkpoints.c.source_key], set_=values
                )
            )
