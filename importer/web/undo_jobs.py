"""Undo jobs of this process: a page starts a job, and pages read its status.

A job that is lost with the process can be started again: `service.imports.undo_import.undo` is safe to
repeat.
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

MAX_JOBS: Final = 2

log = structlog.get_logger()


class UndoJobs:
    """At most one job per import, and MAX_JOBS at a time."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(MAX_JOBS, thread_name_prefix="undo")
        self._lock = RLock()  # the callback of a job that is already done runs immediately
        self._running: dict[ImportId, Future[UndoReport]] = {}
        self._failures: dict[ImportId, tuple[str, str]] = {}  # code, English message

    def start(self, deps: Deps, import_: Import, credential: Credential) -> Future[UndoReport]:
        """Start the undo unless it is running already; return its future, which raises what
        `service.imports.undo_import.undo` raises."""
        with self._lock:
            if import_.id not in self._running:
                self._failures.pop(import_.id, None)
                job = self._pool.submit(undo, deps, import_, credential)
                self._running[import_.id] = job
                job.add_done_callback(partial(self._finish, import_.id))
                return job
            return self._running[import_.id]

    def refuse(self, import_: Import, refused: UndoRefused) -> None:
        """Record that the undo cannot be started, unless it is running."""
        with self._lock:
            if import_.id not in self._running:
                self._failures[import_.id] = (refused.code, str(refused))

    def running(self, import_id: ImportId) -> bool:
        return import_id in self._running

    def failure_text(self, texts: CatalogTranslator, import_: Import) -> str:
        """Why the last undo failed; "" if it succeeded or there was none."""
        code, message = self._failures.get(import_.id, ("", ""))
        return by_code(texts, code, message, import_.destination.endpoint.host, Side.DESTINATION)

    def _finish(self, import_id: ImportId, job: Future[UndoReport]) -> None:
        failure, error = ("", ""), job.exception()
        if isinstance(error, UndoRefused | MailError):
            failure = (error.code, str(error))
        elif isinstance(error, LeaseLost):
            failure = ("undo_interrupted", "")
        elif error is not None:
            log.error("undo.failed", import_id=import_id, exc_info=error)
            failure = ("undo_failed", "")
        with self._lock:
            self._running.pop(import_id, None)
            if any(failure):
                self._failures[import_id] = failure
