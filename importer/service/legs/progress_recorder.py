"""Record what the engine reports: immediately for observers, about once a second in the store, or less often
if the process runs many legs (`interval`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from threading import Lock
from typing import Final

from importer.domain.model import Alert, ImportId, Progress
from importer.domain.receipts.folder_tally import FolderTally
from importer.ports.leases import Lease
from importer.ports.process import Clock
from importer.ports.store import Store

FLUSH_INTERVAL: Final = timedelta(seconds=1)

ProgressCallback = Callable[[Progress], None]


class ProgressRecorder:
    """Implements `Observer`. Thread-safe.

    `lease` is the import's lease: once it is lost nothing more is written, and every method raises LeaseLost.
    Call `flush_due` about once a second, since reports may be rare, and `flush` at the end of a leg, to
    write the rest.
    """

    def __init__(
        self,
        store: Store,
        import_id: ImportId,
        lease: Lease,
        clock: Clock,
        on_progress: ProgressCallback | None = None,
        *,
        interval: Callable[[], timedelta] = lambda: FLUSH_INTERVAL,
    ) -> None:
        self._store = store
        self._import_id = import_id
        self._lease = lease
        self._clock = clock
        self._on_progress = on_progress
        self._interval = interval
        self._lock = Lock()
        self._unsaved: dict[str, FolderTally] = {}
        self._flushed_at_s = clock.elapsed_s()
        self._saved: Progress | None = None
        self.progress: Progress | None = None
        # Set when the mailboxes are opened:
        self.has_labels = False  # the source has labels
        self.proven = False  # both logins have succeeded
        self.alerts: tuple[Alert, ...] = ()

    def progressed(self, progress: Progress) -> None:
        with self._lock:
            self.progress = progress
            if self._on_progress is not None:
                self._on_progress(progress)
            self._write_due()

    def tally_changed(self, tally: FolderTally) -> None:
        with self._lock:
            self._unsaved[tally.source_folder] = tally

    def planned(self, tallies: Sequence[FolderTally]) -> Mapping[str, FolderTally]:
        known = {tally.source_folder: tally for tally in self._store.tallies(self._import_id)}
        with self._lock:
            for tally in tallies:
                if tally.source_folder not in known:
                    self._unsaved.setdefault(tally.source_folder, tally)
        return known

    def flush_due(self) -> None:
        with self._lock:
            if self.progress != self._saved:
                self._write_due()

    def flush(self) -> None:
        with self._lock:
            self._write()

    def _write_due(self) -> None:
        if self._clock.elapsed_s() - self._flushed_at_s >= self._interval().total_seconds():
            self._write()

    def _write(self) -> None:
        tallies = tuple(self._unsaved.values())
        self._store.save_tallies(self._import_id, tallies, self._lease, progress=self.progress)
        self._unsaved.clear()
        if self.progress is not None:
            self._saved = self.progress
        self._flushed_at_s = self._clock.elapsed_s()
