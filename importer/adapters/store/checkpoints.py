"""Checkpoints: folders that were copied completely, with the state of both sides at that time."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select

from importer.adapters.store import mapping
from importer.adapters.store.database import Database
from importer.adapters.store.tables import folder_checkpoints
from importer.domain.model import Route
from importer.domain.receipts.folder_tally import FolderCheckpoint


class SqlCheckpoints(Database):
    """Reads checkpoints, for `importer.ports.ledger.Ledger`."""

    def checkpoints(self, route: Route) -> Mapping[str, FolderCheckpoint]:
        with self.reading() as connection:
            rows = connection.execute(select(folder_checkpoints).where(folder_checkpoints.c.route == route))
            return {row.source_folder: mapping.checkpoint(row) for row in rows}
