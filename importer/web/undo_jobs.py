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
from importer.domain.receipts.undo_report import UndoReport
from importer.i18n.problem_texts import by_code
from importer.i18n.translations import CatalogTranslator
from importer.ports.leases import LeaseLost
from importer.service.deps import Deps
from importer.service.imports.undo_import import UndoRefused, undo
from providers.errors import MailError, Side
from providers.grants import Credential

AT_A_TIME: Final = 2

log = structlog.get_logger()


class UndoJobs:
    """Each import has at most one."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="undo")
        self._lock = RLock()  # what is done already calls back at once
        self._running: dict[ImportId, Future[UndoReport]] = {}
        self._refused: dict[ImportId, tuple[str, str]] = {}

    def start(self, deps: Deps, import_: Import, credential: Credential) -> Future[UndoReport]:
        """Begins, unless it is under way; what comes of it, or is raised as `service.undo.undo` does."""
        with self._lock:
            if import_.id not in self._running:
                self._refused.pop(import_.id, None)
                work = self._pool.submit(undo, deps, import_, credential)
                self._running[import_.id] = work
                work.add_done_callback(partial(self._over, import_.id))
                return work
            return self._running[import_.id]

    def refuse(self, import_: Import, refused: UndoRefused) -> None:
        """It cannot begin: for `refused`."""
        with self._lock:
            if import_.id not in self._running:
                self._refused[import_.id] = (refused.code, str(refused))

    def running(self, import_id: ImportId) -> bool:
        return import_id in self._running

    def refused(self, texts: CatalogTranslator, import_: Import) -> str:
        """Why the last one did not work; "" when it did, or there was none."""
        code, said = self._refused.get(import_.id, ("", ""))
        return by_code(texts, code, said, import_.destination.endpoint.host, Side.DESTINATION)

    def _over(self, import_id: ImportId, work: Future[UndoReport]) -> None:
        why, error = ("", ""), work.exception()
        if isinstance(error, UndoRefused | MailError):
            why = (error.code, str(error))
        elif isinstance(error, LeaseLost):
            why = ("undo_interrupted", "")
        elif error is not None:
            log.error("undo.failed", import_id=import_id, exc_info=error)
            why = ("undo_failed", "")
        with self._lock:
            self._running.pop(import_id, None)
            if any(why):
                self._refused[import_id] = why
