"""Progress as it happens, for any number of watchers: one look at the store per second, whoever watches.

Invariants: whoever begins to watch is told at once how things stand; after that, only what has changed.
What is shown of a sight is made once, and kept with it, for all who watch (`Snapshot.made`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from importer.domain.import_state import ENDED
from importer.domain.model import Import, ImportId, State
from importer.service.deps import Deps
from importer.service.queries import find_imports

LOOK_EVERY_S: Final = 1.0
WINDOW: Final = timedelta(seconds=15)
"""How far back the present rate looks."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast it goes at present; `left` is None while nobody can tell."""

    bytes_per_s: float = 0.0
    messages_per_s: float = 0.0
    left: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An import as it stands, and how fast it goes. In `made` is what was made of it, by language."""

    import_: Import
    rate: Rate = Rate()
    made: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(slots=True)
class _Watched:
    last: Snapshot | None = None
    samples: deque[tuple[datetime, int, int]] = field(default_factory=deque)  # when, messages, bytes
    watchers: set[asyncio.Queue[Snapshot]] = field(default_factory=set)


class Feed:
    """Looks at what somebody watches, as long as somebody does. For one event loop."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._watched: dict[ImportId, _Watched] = {}
        self._task: asyncio.Task[None] | None = None

    async def watch(self, ids: Sequence[ImportId]) -> AsyncGenerator[Snapshot | None, None]:
        """Each import as soon as it is another than before; None now and then, as a sign of life."""
        queue: asyncio.Queue[Snapshot] = asyncio.Queue(maxsize=256)
        for id_ in ids:
            watched = self._watched.setdefault(id_, _Watched())
            watched.watchers.add(queue)
            if watched.last is not None:  # others watch it already
                queue.put_nowait(watched.last)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())
        try:
            while True:
                try:
                    yield await asyncio.wait_for(queue.get(), timeout=15)
                except TimeoutError:
                    yield None
        finally:
            self._leave(ids, queue)

    def _leave(self, ids: Sequence[ImportId], queue: asyncio.Queue[Snapshot]) -> None:
        for id_ in ids:
            watched = self._watched.get(id_)
            if watched is not None:
                watched.watchers.discard(queue)
                if not watched.watchers:
                    del self._watched[id_]

    async def _look(self) -> None:
        while self._watched:
            ids = list(self._watched)
            try:
                found = await asyncio.to_thread(find_imports, self._deps, ids)
            except Exception as error:  # the database is away for a moment: watchers see no change
                log.warning("watch.failed", reason=str(error), kind=type(error).__name__)
                found = []
            for import_ in found:
                self._tell(import_)
            await asyncio.sleep(LOOK_EVERY_S)

    def _tell(self, import_: Import) -> None:
        watched = self._watched.get(import_.id)
        if watched is None:
            return
        sight = Snapshot(import_, rate_of(watched.samples, import_, self._deps.clock.now()))
        if sight == watched.last:
            return
        watched.last = sight
        for queue in watched.watchers:
            with contextlib.suppress(asyncio.QueueFull):  # a watcher that does not read sees the next one
                queue.put_nowait(sight)


def rate_of(samples: deque[tuple[datetime, int, int]], import_: Import, now: datetime) -> Rate:
    """The rate over the last seconds; adds this sight to `samples` and drops those too far back."""
    progress = import_.progress
    if import_.state is not State.RUNNING or (samples and progress.messages_done < samples[-1][1]):
        samples.clear()
    samples.append((now, progress.messages_done, progress.bytes_done))
    while len(samples) > 2 and now - samples[0][0] > WINDOW:
        samples.popleft()
    first_at, first_messages, first_bytes = samples[0]
    seconds = (now - first_at).total_seconds()
    if seconds < 1:
        return average(import_, now)
    messages_per_s = (progress.messages_done - first_messages) / seconds
    return _rate(import_, (progress.bytes_done - first_bytes) / seconds, messages_per_s)


def average(import_: Import, now: datetime) -> Rate:
    """The rate since the beginning, for a first sight."""
    if import_.state is not State.RUNNING or import_.started_at is None:
        return Rate()
    seconds = max(1.0, (now - import_.started_at).total_seconds())
    return _rate(import_, import_.progress.bytes_done / seconds, import_.progress.messages_done / seconds)


def all_ended(imports: Sequence[Import]) -> bool:
    """Nothing more will happen to any of them."""
    return all(import_.state in ENDED for import_ in imports)


def _rate(import_: Import, bytes_per_s: float, messages_per_s: float) -> Rate:
    missing = import_.progress.messages_total - import_.progress.messages_done
    known = messages_per_s > 0 and import_.progress.messages_total > 0
    left = timedelta(seconds=missing / messages_per_s) if known else None
    return Rate(max(0.0, bytes_per_s), max(0.0, messages_per_s), left)
