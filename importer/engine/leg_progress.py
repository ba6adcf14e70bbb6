"""Sums the progress of a leg over its phases and folders."""

from __future__ import annotations

import threading
from dataclasses import replace

from importer.domain.model import Phase
from importer.domain.receipts.folder_tally import FolderTally
from importer.engine.leg_context import Leg
from providers.errors import Side


class LegProgress:
    """Counts folders and sums the tallies of all pairs, and passes both to the observer. Safe for threads.

    Until the copy begins, the numbers of earlier legs stay.
    """

    def __init__(self, leg: Leg) -> None:
        self._leg = leg
        self._progress = leg.import_.progress
        self._lock = threading.Lock()
        self._reading: dict[Side, tuple[int, int]] = {}  # folders read, and of how many
        self._copying_since = leg.clock.now()
        self._done: dict[str, tuple[int, int]] = {}  # source folder -> messages, bytes copied

    def reading_folders(self, side: Side, done: int, total: int) -> None:
        """Count the folders of one side. The side with more folders left is shown."""
        with self._lock:
            self._reading[side] = (done, total)
            shown = max(self._reading.values(), key=lambda count: (count[1] - count[0], count[1]))
            self._enter(Phase.READING_FOLDERS, *shown)

    def making_folders(self, done: int, total: int) -> None:
        """Count the folders that are created."""
        with self._lock:
            self._enter(Phase.MAKING_FOLDERS, done, total)

    def copying(self, *, folders: int, messages: int) -> None:
        """Begin to count messages."""
        with self._lock:
            self._progress = replace(
                self._progress,
                folders_done=0,
                folders_total=folders,
                messages_done=0,
                messages_total=messages,
                bytes_done=0,
                phase=Phase.COPYING,
                phase_done=0,
                phase_total=0,
            )
            self._copying_since = self._leg.clock.now()

    def add_unchanged(self, tally: FolderTally) -> None:
        """Count a folder that needs no work."""
        self._report(tally, tally.found)

    def add_earlier(self, tally: FolderTally) -> None:
        """Count what earlier legs of the import did, until this one comes to the folder."""
        with self._lock:
            self._done[tally.source_folder] = (min(tally.accounted, tally.found), tally.copied_bytes)

    def on_begin(self, folder: str) -> None:
        """Name a folder before its first batch, which takes long over a slow line."""
        with self._lock:
            self._progress = replace(self._progress, folder=folder)
            self._leg.observer.progressed(self._progress)

    def on_tally(self, tally: FolderTally, remaining: int) -> None:
        """Count a folder after a batch, and after its recount. `remaining` messages have no outcome yet."""
        self._report(tally, tally.found - remaining)

    def announce(self) -> None:
        """Report the totals before the first batch."""
        with self._lock:
            self._sum_up()
            before = self._progress.messages_done, self._progress.bytes_done
            self._progress = replace(self._progress, messages_before=before[0], bytes_before=before[1])
            self._copying_since = self._leg.clock.now()
            self._leg.observer.progressed(self._progress)

    def _report(self, tally: FolderTally, done: int) -> None:
        with self._lock:
            self._done[tally.source_folder] = (done, tally.copied_bytes)
            self._progress = replace(
                self._progress,
                folder=tally.source_folder,
                folders_done=self._progress.folders_done + (tally.source_recount is not None),
            )
            self._sum_up()
            self._leg.observer.tally_changed(tally)
            self._leg.observer.progressed(self._progress)

    def _sum_up(self) -> None:
        """Sum the folders. Once every message has its outcome, folders are only recounted."""
        done = sum(messages for messages, _ in self._done.values())
        progress = replace(
            self._progress,
            messages_done=done,
            # Messages that were copied and then removed from the source are done, too.
            messages_total=max(self._progress.messages_total, done),
            bytes_done=sum(copied for _, copied in self._done.values()),
            copying_s=(self._leg.clock.now() - self._copying_since).total_seconds(),
        )
        left = progress.messages_total - progress.messages_done
        if left > 0 or not progress.messages_total:
            self._progress = replace(progress, phase=Phase.COPYING, phase_done=0, phase_total=0)
        else:
            self._progress = replace(
                progress,
                phase=Phase.RECOUNTING,
                phase_done=min(progress.folders_done, progress.folders_total),
                phase_total=progress.folders_total,
            )

    def _enter(self, phase: Phase, done: int, total: int) -> None:
        self._progress = replace(self._progress, phase=phase, phase_done=done, phase_total=total)
        self._leg.observer.progressed(self._progress)
