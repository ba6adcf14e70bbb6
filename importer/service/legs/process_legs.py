"""The legs that one process runs, and their requests and pauses in the store, read for all legs together
twice a second.

Each leg has to notice a pause or cancel request and a pause of its hosts within about a second. With separate
queries, eight legs spent a third of a worker's processor time on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Lock
from typing import Final, Generic, TypeVar

from importer.domain.model import ControlRequest, ImportId
from importer.domain.planning.host_allowance import Backoff
from importer.ports.process import Clock
from importer.ports.store import Store

T = TypeVar("T")

LOOK_INTERVAL: Final = timedelta(seconds=0.5)
"""How old an answer may be."""

PROGRESS_WRITES_PER_S: Final = 4
"""Of all legs of a process: each one writes its progress once a second, or less often if there are more."""


class _Answer(Generic[T]):
    """The latest answer of the store to a question about all legs; guarded by the lock of its owner."""

    def __init__(self, nothing: T) -> None:
        self._value = nothing
        self._asked_at: datetime | None = None

    def get(self, now: datetime, ask: Callable[[], T]) -> T:
        if self._asked_at is None or not timedelta(0) <= now - self._asked_at < LOOK_INTERVAL:
            self._asked_at = now
            self._value = ask()
        return self._value

    def outdate(self) -> None:
        self._asked_at = None


class ProcessLegs:
    """The legs of one process. Thread-safe. Methods raise what the store raises; if it fails, only the leg
    that asked it notices, and the others get the answer before for another LOOK_INTERVAL."""

    def __init__(self) -> None:
        self._lock = Lock()  # also held while the store is asked: the other legs wait for the same answer
        self._budgets: dict[ImportId, Sequence[str]] = {}  # of the hosts of each leg
        self._requests: _Answer[Mapping[ImportId, ControlRequest]] = _Answer({})
        self._any_paused = _Answer(nothing=False)

    @contextmanager
    def leg(self, import_id: ImportId, budgets: Sequence[str]) -> Iterator[None]:
        """A leg runs while the block does; `budgets` are the names under which its hosts may be paused."""
        with self._lock:
            self._budgets[import_id] = budgets
            self._requests.outdate()
            self._any_paused.outdate()
        try:
            yield
        finally:
            with self._lock:
                del self._budgets[import_id]

    def requested(self, store: Store, clock: Clock, import_id: ImportId) -> ControlRequest | None:
        """The pause or cancel request for a leg that runs."""
        with self._lock:
            ids = list(self._budgets)
            return self._requests.get(clock.now(), lambda: store.control_requests(ids)).get(import_id)

    def backoff(
        self, store: Store, clock: Clock, import_id: ImportId, names: Sequence[str]
    ) -> Backoff | None:
        """The pause under one of these names that ends last. Of the hosts of a leg that runs, the store is
        asked for all legs together first, and then only if any of them is paused."""
        if not self._may_be_paused(store, clock, import_id, names):
            return None
        return store.backoff(names, clock.now())

    def _may_be_paused(self, store: Store, clock: Clock, import_id: ImportId, names: Sequence[str]) -> bool:
        with self._lock:
            if not set(names) <= set(self._budgets.get(import_id, ())):
                return True
            of_all = sorted({name for budgets in self._budgets.values() for name in budgets})
            now = clock.now()
            return self._any_paused.get(now, lambda: store.backoff(of_all, now) is not None)

    def progress_interval(self) -> timedelta:
        """How long each leg waits between two writes of its progress."""
        return timedelta(seconds=max(1.0, len(self._budgets) / PROGRESS_WRITES_PER_S))
