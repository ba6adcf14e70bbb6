"""Live progress for any number of watchers, with a single query of the store per second for all of them.

Invariants: a new watcher immediately receives the current snapshot of each import; after that, only changes.
A snapshot is rendered once per language for all its watchers and caches the result (`Snapshot.rendered`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from importer.domain.import_state import ENDED
from importer.domain.model import Import, ImportId
from importer.domain.planning.pace import STANDING, Rate, Samples, current_rate
from importer.service.deps import Deps
from importer.service.queries import find_imports

POLL_INTERVAL_S: Final = 1.0
KEEP_ALIVE_S: Final = 15
MAX_QUEUED: Final = 256

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state and speed of an import at one moment. `rendered` caches its representations, by language and
    all other inputs."""

    import_: Import
    rate: Rate = STANDING
    rendered: dict[object, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(slots=True)
class _Watched:
    last: Snapshot | None = None
    samples: Samples = field(default_factory=deque)
    watchers: set[asyncio.Queue[Snapshot]] = field(default_factory=set)


class Feed:
    """Polls the watched imports while there are watchers. Bound to one event loop."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._watched: dict[ImportId, _Watched] = {}
        self._task: asyncio.Task[None] | None = None

    async def watch(
        self, ids: Sequence[ImportId], *, idle_s: float = KEEP_ALIVE_S
    ) -> AsyncGenerator[Snapshot | None, None]:
        """Yield a snapshot of an import whenever it has changed, and None every `idle_s` without changes."""
        queue: asyncio.Queue[Snapshot] = asyncio.Queue(maxsize=MAX_QUEUED)
        for id_ in ids:
            watched = self._watched.setdefault(id_, _Watched())
            watched.watchers.add(queue)
            if watched.last is not None:  # it has other watchers already
                queue.put_nowait(watched.last)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._poll())
        try:
            while True:
                try:
                    yield await asyncio.wait_for(queue.get(), timeout=idle_s)
                except TimeoutError:
                    yield None
        finally:
            self._unsubscribe(ids, queue)

    def _unsubscribe(self, ids: Sequence[ImportId], queue: asyncio.Queue[Snapshot]) -> None:
        for id_ in ids:
            watched = self._watched.get(id_)
            if watched is not None:
                watched.watchers.discard(queue)
                if not watched.watchers:
                    del self._watched[id_]

    async def _poll(self) -> None:
        while self._watched:
            ids = list(self._watched)
            try:
                imports = await asyncio.to_thread(find_imports, self._deps, ids)
            except Exception as error:  # the database is temporarily unavailable: watchers see no change
                log.warning("watch.failed", reason=str(error), kind=type(error).__name__)
                imports = []
            for import_ in imports:
                self._publish(import_)
            await asyncio.sleep(POLL_INTERVAL_S)

    def _publish(self, import_: Import) -> None:
        watched = self._watched.get(import_.id)
        if watched is None:
            return
        snapshot = Snapshot(import_, current_rate(watched.samples, import_, self._deps.clock.now()))
        if snapshot == watched.last:
            return
        watched.last = snapshot
        for queue in watched.watchers:
            with contextlib.suppress(asyncio.QueueFull):  # a slow watcher receives a later snapshot
                queue.put_nowait(snapshot)


def all_ended(imports: Sequence[Import]) -> bool:
    """Whether no import will change any more."""
    return all(import_.state in ENDED for import_ in imports)
