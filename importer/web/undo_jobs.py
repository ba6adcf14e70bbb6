"""Undo jobs of this process: a page starts a job, and pages read its status.

A job that is lost with the process can be started again: `service.imports.undo_import.undo` is safe to
repeat.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import RLock
from typing import Final

import structlog

from importer.domain.model import Import, ImportId
from importer.domain.receipts.undo_report import UndoReport
from importer.i18n.code_texts import render_with_advice
from importer.i18n.translations import CatalogTranslator
from importer.ports.leases import LeaseLost
from importer.service.deps import Deps
from importer.service.imports.undo_import import UndoRefused, undo
from providers.errors import MailError, Side
from providers.grants import Credential
from providers.text import Text

MAX_JOBS: Final = 6
MAX_JOBS_PER_PERSON: Final = 2

log = structlog.get_logger()


class UndoJobs:
    """At most one job per import, MAX_JOBS at a time, and MAX_JOBS_PER_PERSON of one person or API client.
    Further jobs wait, so that a slow host delays only the jobs of the person who named it."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(MAX_JOBS, thread_name_prefix="undo")
        self._active: Counter[str] = Counter()
        self._waiting: defaultdict[str, deque[Callable[[], None]]] = defaultdict(deque)
        self._lock = RLock()  # the callback of a job that is already done runs immediately
        self._running: dict[ImportId, Future[UndoReport]] = {}
        self._failures: dict[ImportId, Text] = {}

    def start(self, deps: Deps, import_: Import, credential: Credential, person: str) -> Future[UndoReport]:
        """Start the undo for that person or API client, unless it is running already; return its future,
        which raises what `service.imports.undo_import.undo` raises."""
        with self._lock:
            if import_.id not in self._running:
                self._failures.pop(import_.id, None)
                job: Future[UndoReport] = Future()
                self._running[import_.id] = job
                job.add_done_callback(partial(self._finish, import_.id))
                self._waiting[person].append(partial(self._run, job, deps, import_, credential, person))
                self._submit_next(person)
                return job
            return self._running[import_.id]

    def _submit_next(self, person: str) -> None:
        with self._lock:
            waiting = self._waiting[person]
            if waiting and self._active[person] < MAX_JOBS_PER_PERSON:
                self._active[person] += 1
                self._pool.submit(waiting.popleft())
            elif not waiting and not self._active[person]:
                del self._waiting[person], self._active[person]

    def _run(
        self, job: Future[UndoReport], deps: Deps, import_: Import, credential: Credential, person: str
    ) -> None:
        try:
            report = undo(deps, import_, credential)
        except BaseException as error:
            job.set_exception(error)
        else:
            job.set_result(report)
        finally:
            with self._lock:
                self._active[person] -= 1
            self._submit_next(person)

    def refuse(self, import_: Import, refused: UndoRefused) -> None:
        """Record that the undo cannot be started, unless it is running."""
        with self._lock:
            if import_.id not in self._running:
                self._failures[import_.id] = refused.text

    def running(self, import_id: ImportId) -> bool:
        return import_id in self._running

    def failure_text(self, texts: CatalogTranslator, import_: Import) -> str:
        """Why the last undo failed; "" if it succeeded or there was none."""
        failure = self._failures.get(import_.id)
        return "" if failure is None else render_with_advice(failure, texts, Side.DESTINATION)

    def _finish(self, import_id: ImportId, job: Future[UndoReport]) -> None:
        failure, error = None, job.exception()
        if isinstance(error, UndoRefused | MailError):
            failure = error.text
        elif isinstance(error, LeaseLost):
            failure = Text("undo_interrupted")
        elif error is not None:
            log.error("undo.failed", import_id=import_id, exc_info=error)
            failure = Text("undo_failed")
        with self._lock:
            self._running.pop(import_id, None)
            if failure is not None:
                self._failures[import_id] = failure
