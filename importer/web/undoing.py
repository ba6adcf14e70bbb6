"""Undos under way in this process: a page asks for one, and others see how it stands.

An undo that ends with the process is safe to ask for again (`service/undo.py`).
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import RLock
from typing import Final

import structlog

from importer.domain.model import Import, ImportId
from importer.domain.undo import UndoReport
from importer.ports import LeaseLost
from importer.service.deps import Deps
from importer.service.undo import UndoRefused, undo
from providers.errors import MailError
from providers.model import Secret

AT_A_TIME: Final = 2

log = structlog.get_logger()


class Undoings:
    """Each import has at most one."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="undo")
        self._lock = RLock()  # what is done already calls back at once
        self._running: dict[ImportId, Future[UndoReport]] = {}
        self._refused: dict[ImportId, str] = {}

    def start(self, deps: Deps, import_: Import, password: Secret) -> Future[UndoReport]:
        """Begins, unless it is under way; what comes of it, or is raised as `service.undo.undo` does."""
        with self._lock:
            if import_.id not in self._running:
                self._refused.pop(import_.id, None)
                work = self._pool.submit(undo, deps, import_, password)
                self._running[import_.id] = work
                work.add_done_callback(partial(self._over, import_.id))
                return work
            return self._running[import_.id]

    def running(self, import_id: ImportId) -> bool:
        return import_id in self._running

    def refused(self, import_id: ImportId) -> str:
        """Why the last one did not work, in English; "" when it did, or there was none."""
        return self._refused.get(import_id, "")

    def _over(self, import_id: ImportId, work: Future[UndoReport]) -> None:
        why, error = "", work.exception()
        if isinstance(error, UndoRefused | MailError):
            why = str(error)
        elif isinstance(error, LeaseLost):
            why = "It was interrupted. Ask for it again: it goes on from there."
        elif error is not None:
            log.error("undo.failed", import_id=import_id, exc_info=error)
            why = "Something went wrong inside Mailferry. Ask for it again: it goes on from there."
        with self._lock:
            self._running.pop(import_id, None)
            if why:
                self._refused[import_id] = why
