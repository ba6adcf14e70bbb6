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
        self._messages_done = self._bytes_done = 0  # their sums

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
            self._count(tally, min(tally.accounted, tally.found))

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
            self._count(tally, done)
            folders_done = self._progress.folders_done + (tally.source_recount is not None)
            self._sum_up(folder=tally.source_folder, folders_done=folders_done)
            self._leg.observer.tally_changed(tally)
            self._leg.observer.progressed(self._progress)

    def _count(self, tally: FolderTally, done: int) -> None:
        messages, copied_bytes = self._done.get(tally.source_folder, (0, 0))
        self._done[tally.source_folder] = (done, tally.copied_bytes)
        self._messages_done += done - messages
        self._bytes_done += tally.copied_bytes - copied_bytes

    def _sum_up(self, *, folder: str = "", folders_done: int | None = None) -> None:
        """Enter the sums. Once every message has its outcome, folders are only recounted."""
        before = self._progress
        folders = before.folders_done if folders_done is None else folders_done
        # Messages that were copied and then removed from the source are done, too.
        total = max(before.messages_total, self._messages_done)
        is_copying = not total or self._messages_done < total
        self._progress = replace(
            before,
            folder=folder or before.folder,
            folders_done=folders,
            messages_done=self._messages_done,
            messages_total=total,
            bytes_done=self._bytes_done,
            copying_s=(self._leg.clock.now() - self._copying_since).total_seconds(),
            phase=Phase.COPYING if is_copying else Phase.RECOUNTING,
            phase_done=0 if is_copying else min(folders, before.folders_total),
            phase_total=0 if is_copying else before.folders_total,
        )

    def _enter(self, phase: Phase, done: int, total: int) -> None:
        self._progress = replace(self._progress, phase=phase, phase_done=done, phase_total=total)
        self._leg.observer.progressed(self._progress)
