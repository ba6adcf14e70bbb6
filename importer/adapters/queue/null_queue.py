"""A queue that drops every ring: for copies in the foreground and commands that only read."""

from __future__ import annotations

from datetime import timedelta

from importer.domain.model import ImportId


class NullQueue:
    """Implements `Queue`. Losing a ring is harmless: the tick of a worker rings for whatever is due."""

    def ring(self, import_id: ImportId, delay: timedelta = timedelta(0)) -> None:
        """Does nothing."""

    def ring_mail(self) -> None:
        """Does nothing."""
