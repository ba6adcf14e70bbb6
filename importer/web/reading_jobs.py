"""Jobs of this process that read both mailboxes of an import, to verify it or to find one message.

A page or the API starts a job and reads its status. The last job of each kind is kept for each import, until
the process ends or MAX_KEPT others have followed. A lost job can be started again: it changes nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from threading import Lock
from typing import Final, Protocol

import structlog

from importer.domain.model import ImportId
from importer.domain.people.identities import RateLimit
from importer.domain.reporting.message_trace import MessageTrace
from importer.domain.reporting.verification import Verification
from importer.ports.leases import LeaseLost
from importer.service.access.concurrency_limit import ConcurrencyLimit
from importer.service.access.rate_limits import consume
from importer.service.deps import Deps
from importer.service.imports.trace_message import TraceRefused
from importer.service.imports.verify_import import VerifyRefused
from providers.errors import MailError, Side
from providers.text import Text

MAX_JOBS: Final = 6
MAX_JOBS_PER_PERSON: Final = 2
MAX_KEPT: Final = 500
READINGS: Final = RateLimit(20, 3600)
"""Concurrent jobs of one person or API client: each may read two whole mailboxes."""

log = structlog.get_logger()


class ReadingKind(StrEnum):
    """The purpose of reading."""

    VERIFICATION = "verification"
    TRACE = "trace"


Found = Verification | Sequence[MessageTrace]


class ReadsMailboxes(Protocol):
    """Calls `on_folder` with the name of each folder before it is read."""

    def __call__(self, *, on_folder: Callable[[str], None]) -> Found: ...


@dataclass(slots=True)
class Reading:
    """A job and its result: `found`, or the `failure` and its side. A trace searches for `message_id`;
    `folder` is being read."""

    began_at: datetime
    message_id: str = ""
    folder: str = ""
    running: bool = True
    found: Found | None = None
    failure: Text | None = None
    side: Side | None = None

    def note_folder(self, folder: str) -> None:
        self.folder = folder


class ReadingJobs:
    """At most one job of each kind for an import, MAX_JOBS at a time, and MAX_JOBS_PER_PERSON of one person
    or API client."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(MAX_JOBS, thread_name_prefix="reading")
        self._limit = ConcurrencyLimit(MAX_JOBS, MAX_JOBS_PER_PERSON)
        self._lock = Lock()
        self._readings: OrderedDict[tuple[ImportId, ReadingKind], Reading] = OrderedDict()

    def latest(self, import_id: ImportId, kind: ReadingKind) -> Reading | None:
        return self._readings.get((import_id, kind))

    def start(
        self,
        deps: Deps,
        import_id: ImportId,
        kind: ReadingKind,
        read: ReadsMailboxes,
        person: str,
        message_id: str = "",
    ) -> Reading:
        """Start `read` for that person or API client, unless a job of the kind is running. Raises
        RateLimited."""
        key = import_id, kind
        with self._lock:
            current = self._readings.get(key)
            if current is not None and current.running:
                return current
            consume(deps, {f"reading:{person}": READINGS})
            self._limit.take(person)
            reading = self._readings[key] = Reading(deps.clock.now(), message_id)
            self._readings.move_to_end(key)
            while len(self._readings) > MAX_KEPT:
                self._readings.popitem(last=False)
        self._pool.submit(self._run, import_id, reading, read, person)
        return reading

    def _run(self, import_id: ImportId, reading: Reading, read: ReadsMailboxes, person: str) -> None:
        try:
            reading.found = read(on_folder=reading.note_folder)
        except (VerifyRefused, TraceRefused) as refused:
            reading.failure = refused.text
        except MailError as error:
            reading.failure, reading.side = error.text, error.side
        except LeaseLost:
            reading.failure = Text("verify_interrupted")
        except Exception:
            log.exception("reading.failed", import_id=import_id)
            reading.failure = Text("verify_failed")
        finally:
            self._limit.give_back(person)
            reading.running = False
