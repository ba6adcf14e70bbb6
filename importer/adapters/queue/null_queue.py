"""A queue that ignores all rings, for foreground copies and commands that only read."""

from __future__ import annotations

from datetime import timedelta

from importer.domain.model import ImportId


class NullQueue:
    """Implements `Queue`. Lost rings are harmless: a worker's tick rings for everything that is due."""

    def ring(self, import_id: ImportId, delay: timedelta = timedelta(0)) -> None:
        """Does nothing."""

    def ring_mail(self) -> None:
        """Does nothing."""
