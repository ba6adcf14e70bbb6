"""A board of all running work: the busiest imports, counts, and the waiting work."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from importer.domain.import_filter import EVERY_IMPORT, ImportFilter
from importer.domain.import_state import ALIVE
from importer.domain.model import Import, ImportId, State
from importer.domain.planning.pace import Rate, Samples, current_rate
from importer.ports.monitoring import ImportCount, Maintenance, QueueDepth
from importer.service.deps import Deps
from providers.frozen import frozen

MOST_SHOWN = 200


@frozen
class Board:
    """`imports` are running ones, the fastest first, then those that wait for a time; at most MOST_SHOWN of
    each. `counts` and `queue` cover all imports that have not ended; the filter does not apply to `queue`."""

    imports: tuple[Import, ...]
    rates: Mapping[ImportId, Rate]
    counts: tuple[ImportCount, ...]
    queue: QueueDepth
    maintenance: Maintenance | None

    def queue_age(self, now: datetime) -> timedelta | None:
        """The wait of the oldest due import so far; None if none is due."""
        since = self.queue.oldest_since
        return None if since is None else now - since

    def number(self, state: State) -> int:
        return sum(count.imports for count in self.counts if count.state is state)


@dataclass(slots=True)
class BoardReader:
    """Reads boards repeatedly, and keeps the samples from which speeds are computed."""

    deps: Deps
    chosen: ImportFilter = EVERY_IMPORT
    _samples: dict[ImportId, Samples] = field(default_factory=dict)

    def read(self) -> Board:
        """The board now."""
        store, now = self.deps.store, self.deps.clock.now()
        running = self._of(State.RUNNING)
        self._samples = {i.id: self._samples.get(i.id, deque()) for i in running}
        rates = {i.id: current_rate(self._samples[i.id], i, now) for i in running}
        running.sort(key=lambda import_: -rates[import_.id].bytes_per_s)
        counts = store.import_counts(self._narrowed(*sorted(ALIVE)))
        return Board(
            (*running, *self._of(State.WAITING)),
            rates,
            tuple(counts),
            store.queue_depth(now),
            store.maintenance(),
        )

    def _of(self, state: State) -> list[Import]:
        narrowed = self._narrowed(state)
        return [*self.deps.store.imports(narrowed, limit=MOST_SHOWN)] if narrowed.states else []

    def _narrowed(self, *states: State) -> ImportFilter:
        wanted: Sequence[State] = self.chosen.states or tuple(State)
        return replace(self.chosen, states=tuple(state for state in states if state in wanted))
