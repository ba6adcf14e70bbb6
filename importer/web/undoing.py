"""Undos under way in this process: a page asks for one, and others see how it stands.

An undo that ends with the process is safe to ask for again (`service/undo.py`).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Final

import structlog

from importer.domain.model import Import, ImportId
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
        self._lock = Lock()
        self._running: set[ImportId] = set()
        self._refused: dict[ImportId, str] = {}

    def start(self, deps: Deps, import_: Import, password: Secret) -> None:
        """Begins, unless it is under way."""
        with self._lock:
            if import_.id in self._running:
                return
            self._running.add(import_.id)
            self._refused.pop(import_.id, None)
        self._pool.submit(self._run, deps, import_, password)

    def running(self, import_id: ImportId) -> bool:
        return import_id in self._running

    def refused(self, import_id: ImportId) -> str:
        """Why the last one did not work, in English; "" when it did, or there was none."""
        return self._refused.get(import_id, "")

    def _run(self, deps: Deps, import_: Import, password: Secret) -> None:
        why = ""
        try:
            undo(deps, import_, password)
        except (UndoRefused, MailError) as error:
            why = str(error)
        except LeaseLost:
            why = "It was interrupted. Ask for it again: it goes on from there."
        except Exception as error:
            log.error("undo.failed", import_id=import_.id, exc_info=error)  # noqa: TRY400
            why = "Something went wrong inside Mailferry. Ask for it again: it goes on from there."
        with self._lock:
            self._running.discard(import_.id)
            if why:
                self._refused[import_.id] = why
