"""Sums up the progress of a leg over its folders."""

from __future__ import annotations

import threading
from dataclasses import replace

from importer.domain.model import FolderTally, Progress
from importer.engine.leg_context import Leg


class LegProgress:
    """Sums the tallies of all pairs and passes them to the observer. Safe for threads."""

    def __init__(self, leg: Leg, progress: Progress) -> None:
        self._leg = leg
        self._progress = progress
        self._lock = threading.Lock()
        self._done: dict[str, tuple[int, int]] = {}  # source folder -> messages, bytes copied

    def add_unchanged(self, tally: FolderTally) -> None:
        """Count a folder that needs no work."""
        self._report(tally, tally.found)

    def add_earlier(self, tally: FolderTally) -> None:
        """Count what earlier legs of the import did, until this one comes to the folder."""
        with self._lock:
            self._done[tally.source_folder] = (min(tally.accounted, tally.found), tally.copied_bytes)

    def on_tally(self, tally: FolderTally, remaining: int) -> None:
        """Count a folder after a batch, and after its recount. `remaining` messages have no outcome yet."""
        self._report(tally, tally.found - remaining)

    def _report(self, tally: FolderTally, done: int) -> None:
        with self._lock:
            self._done[tally.source_folder] = (done, tally.copied_bytes)
            self._progress = replace(
                self._progress,
                folder=tally.source_folder,
                folders_done=self._progress.folders_done + (tally.source_recount is not None),
                messages_done=sum(messages for messages, _ in self._done.values()),
                bytes_done=sum(copied for _, copied in self._done.values()),
            )
            self._leg.observer.tally_changed(tally)
            self._leg.observer.progressed(self._progress)
