"""The queue in memory: records messages, for tests."""

from __future__ import annotations

from datetime import timedelta

from importer.domain.model import ImportId


class MemoryQueue:
    """`importer.ports.process.Queue`. `rings` has (import id, delay) in order; `mail_rings` counts
    `ring_mail`."""

    def __init__(self) -> None:
        self.rings: list[tuple[ImportId, timedelta]] = []
        self.mail_rings = 0

    def ring(self, import_id: ImportId, delay: timedelta = timedelta(0)) -> None:
        self.rings.append((import_id, delay))

    def ring_mail(self) -> None:
        self.mail_rings += 1

    def take(self) -> list[ImportId]:
        """The ids rung since the last call, in order, without delays."""
        taken = [import_id for import_id, _ in self.rings]
        self.rings.clear()
        return taken
