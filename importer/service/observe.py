"""Keeping what the engine tells: for watchers at once, in the store about once a second."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from importer.domain.model import FolderAccount, ImportId, Progress
from importer.ports import Clock, Store

EVERY: Final = timedelta(seconds=1)

Watch = Callable[[Progress], None]


class StoringObserver:
    """Implements `Observer`. `flush` writes what has not been written yet; call it at the end of a leg."""

    def __init__(self, store: Store, import_id: ImportId, clock: Clock, watch: Watch | None = None) -> None:
        self._store = store
        self._import_id = import_id
        self._clock = clock
        self._watch = watch
        self._unsaved: dict[str, FolderAccount] = {}
        self._flushed_at = clock.now()
        self.progress: Progress | None = None

    def progressed(self, progress: Progress) -> None:
        self.progress = progress
        if self._watch is not None:
            self._watch(progress)
        if self._clock.now() - self._flushed_at >= EVERY:
            self.flush()

    def account_changed(self, account: FolderAccount) -> None:
        self._unsaved[account.source_folder] = account

    def flush(self) -> None:
        for account in self._unsaved.values():
            self._store.save_account(self._import_id, account)
        self._unsaved.clear()
        if self.progress is not None:
            self._store.set_progress(self._import_id, self.progress)
        self._flushed_at = self._clock.now()
