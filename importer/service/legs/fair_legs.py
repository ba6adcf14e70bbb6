"""Fair choice of the next leg: every person gets the same share of the worker threads.

A ring wakes one thread; which import the thread runs is decided here and not by the order of the rings, since
one person may submit hundreds of imports at once. A leg ends early if its person holds more threads than
others who wait, or if one with few imports waits for a first leg. The decisions are in
`importer.domain.planning.fair_shares`.

Invariant: each ring leads to at most one leg, and a leg that leaves work rings again, so rings for imports
that were passed over stay in the queue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from structlog.contextvars import bound_contextvars

from importer.domain.import_state import GOING, is_request_pending
from importer.domain.model import ImportId
from importer.domain.planning.fair_shares import (
    gives_up_a_leg,
    gives_up_for_urgent,
    has_few,
    may_run,
    next_owner,
)
from importer.domain.planning.retry_limits import RING_ATTEMPTS
from importer.ports.store import LegQueue
from importer.service.access.logged_owner import logged_owner
from importer.service.deps import Deps
from importer.service.legs.run_leg import handle_ring

LOOK_INTERVAL: Final = timedelta(seconds=3)
"""How often a process looks for persons who wait. A leg ends early once a person has waited for two looks."""

ROUND_S: Final = 60
"""How long the same owners would give up a leg for urgent ones."""


class FairLegs:
    """The legs of one worker process. Thread-safe."""

    def __init__(self, deps: Deps) -> None:
        self._deps = replace(deps, must_yield=self.must_yield)
        self._lock = Lock()
        self._busy: dict[ImportId, str] = {}  # the imports of this process's threads, and their owners
        self._last_turns: dict[str, int] = {}  # of owners
        self._turns = 0
        self._looked_at: datetime | None = None
        self._waiting_before: frozenset[str] = frozenset()
        self._gives_up: frozenset[ImportId] = frozenset()
        self._held = False  # by maintenance

    def handle_ring(self, rung: ImportId) -> None:
        """Handle one ring: apply a control request of that import, or run the leg whose turn it is. Under
        maintenance none begins."""
        import_ = self._deps.store.import_(rung)
        if import_ is not None and is_request_pending(import_):
            handle_ring(self._deps, rung, leg=False)
            return
        if self._deps.store.maintenance() is not None:
            return
        for _ in range(RING_ATTEMPTS):
            with self._chosen() as chosen:
                if chosen is None:
                    return
                id_, owner = chosen
                with bound_contextvars(owner=logged_owner(self._deps, owner)):
                    ran = handle_ring(self._deps, id_)
            if ran:
                self._ring_passed_over(id_)
                return

    def _ring_passed_over(self, after: ImportId) -> None:
        """Ring for another import after a leg that rings no more, since rings that came while an owner ran as
        many imports as permitted led to nothing."""
        if self._deps.quotas.running is None:
            return
        import_ = self._deps.store.import_(after)
        if import_ is None or import_.state not in GOING:
            for id_ in self._deps.store.due_imports(self._deps.clock.now(), limit=1):
                self._deps.queue.ring(id_)

    def must_yield(self, import_id: ImportId) -> bool:
        """Whether the leg of that import has to end, because other persons wait or maintenance has begun.
        Reads the store at most once per LOOK_INTERVAL."""
        with self._lock:
            now = self._deps.clock.now()
            if self._looked_at is None or now - self._looked_at >= LOOK_INTERVAL:
                self._looked_at = now
                self._look(now)
            return self._held or import_id in self._gives_up

    def _look(self, now: datetime) -> None:
        self._held = self._deps.store.maintenance() is not None
        queue = self._deps.store.leg_queue(now)
        waiting = frozenset(queue.due)
        patient = waiting & self._waiting_before  # a free thread would have taken theirs by now
        self._waiting_before = waiting
        running = {owner: len(ids) for owner, ids in queue.running.items()}
        few = frozenset(o for o, n in running.items() if has_few(queue.due.get(o, 0), n))
        urgent = patient & _urgent(queue, running)
        for_urgent = gives_up_for_urgent(running, few, urgent, int(now.timestamp() // ROUND_S))
        # One leg of an owner at a time, the same one for all processes.
        self._gives_up = frozenset(
            min(ids)
            for owner, ids in queue.running.items()
            if owner in for_urgent or gives_up_a_leg(owner, patient, running)
        )

    @contextmanager
    def _chosen(self) -> Iterator[tuple[ImportId, str] | None]:
        """The import whose turn it is and its owner, reserved within this process while the block runs; None
        if none is due."""
        with self._lock:
            chosen = self._choose(self._deps.clock.now())
        try:
            yield None if chosen is None else (chosen, self._busy[chosen])
        finally:
            with self._lock:
                if chosen is not None:
                    del self._busy[chosen]

    def _choose(self, now: datetime) -> ImportId | None:
        queue = self._deps.store.leg_queue(now, besides=self._busy)
        running = Counter({owner: len(ids) for owner, ids in queue.running.items()})
        running.update(
            owner for id_, owner in self._busy.items() if id_ not in queue.running.get(owner, frozenset())
        )
        free = [owner for owner in queue.due if may_run(owner, running[owner], self._deps.quotas.running)]
        urgent = _urgent(queue, running)
        while free:
            owner = next_owner(free, running, self._last_turns, urgent)
            chosen = self._deps.store.next_leg(owner, now, besides=self._busy)
            if chosen is not None:
                self._busy[chosen] = owner
                self._turns += 1
                # Owners without a due import lose their place: the mapping must not grow without limit.
                kept = {o: t for o, t in self._last_turns.items() if o in queue.due}
                self._last_turns = kept | {owner: self._turns}
                return chosen
            free.remove(owner)  # another process has just taken it
        return None


def _urgent(queue: LegQueue, running: Mapping[str, int]) -> frozenset[str]:
    """The owners of few imports, one of which never had a leg; `running` counts legs by owner."""
    return frozenset(owner for owner in queue.new if has_few(queue.due.get(owner, 0), running.get(owner, 0)))
