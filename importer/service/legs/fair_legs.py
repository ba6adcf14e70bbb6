"""Fair choice of the next leg: every person, and every old host, gets the same share of the worker threads.

A ring wakes one thread; which import the thread runs is decided here and not by the order of the rings, since
one person may submit hundreds of imports at once. A leg ends early if its person or its host holds more
threads than others who wait, or if a person with few imports waits for a first leg. The decisions are in
`importer.domain.planning.fair_shares`.

Invariant: each ring leads to at most one leg, and a leg that leaves work rings again, so rings for imports
that were passed over stay in the queue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from math import inf
from threading import Lock
from typing import Final

from structlog.contextvars import bound_contextvars

from importer.domain.import_state import GOING, is_request_pending
from importer.domain.model import ImportId
from importer.domain.planning.fair_shares import (
    LegQueue,
    Share,
    crowding_host,
    gives_up_a_leg,
    gives_up_for_urgent,
    is_for_the_longest_waiting,
    may_run,
    next_share,
)
from importer.domain.planning.retry_limits import RING_ATTEMPTS
from importer.service.access.logged_owner import logged_owner
from importer.service.deps import Deps
from importer.service.legs.run_leg import handle_ring

LOOK_INTERVAL: Final = timedelta(seconds=3)
"""How often a process looks for persons who wait. A leg ends early once a person has waited for two looks."""

COUNTING_SHARE: Final = 5
"""Counting the queue takes about one in so many seconds of a process at most: with 100,000 imports it takes
half a second. An older answer only makes shares less exact for a moment."""

ROUND_S: Final = 60
"""How long the same owners would give up a leg for urgent ones."""


class FairLegs:
    """The legs of one worker process. Thread-safe."""

    def __init__(self, deps: Deps) -> None:
        self._deps = replace(deps, must_yield=self.must_yield)
        self._lock = Lock()
        self._busy: dict[ImportId, Share] = {}  # the imports of this process's threads
        self._last_turns: dict[Share, int] = {}
        self._turns = 0
        self._queue = LegQueue({}, {}, frozenset())
        self._counts_again_s = -inf  # when the queue is counted anew, by `Clock.elapsed_s`
        self._looks_again_s = -inf  # by `Clock.elapsed_s`
        self._waiting_before: frozenset[Share] = frozenset()
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
            now_s = self._deps.clock.elapsed_s()
            if now_s >= self._looks_again_s:
                self._looks_again_s = now_s + LOOK_INTERVAL.total_seconds()
                self._look(self._deps.clock.now())
            return self._held or import_id in self._gives_up

    def _look(self, now: datetime) -> None:
        self._held = self._deps.store.maintenance() is not None
        queue = self._counted(now)
        waiting = frozenset(queue.due)
        patient = waiting & self._waiting_before  # a free thread would have taken theirs by now
        self._waiting_before = waiting
        running = _legs_by_owner(queue.running.values())
        few = queue.of_few(running, running)
        patient_owners = {share.owner for share in patient}
        urgent = patient_owners & queue.urgent(running)
        for_urgent = gives_up_for_urgent(running, few, urgent, int(now.timestamp() // ROUND_S))
        giving = {
            owner
            for owner in running
            if owner in for_urgent or gives_up_a_leg(owner, patient_owners, running)
        }
        # One leg of an owner at a time, the same one for all processes.
        smallest = sorted(queue.running.items(), reverse=True)
        of_owners = {share.owner: id_ for id_, share in smallest if share.owner in giving}.values()
        self._gives_up = frozenset(of_owners or self._for_another_host(queue, self._free(patient, running)))

    def _for_another_host(self, queue: LegQueue, patient: list[Share]) -> list[ImportId]:
        """A leg of a host that has too many, if the thread goes to a host that has none."""
        hosts = Counter(share.host for share in queue.running.values())
        crowding = crowding_host({share.host for share in patient}, hosts)
        if crowding is None:
            return []
        ends = min(id_ for id_, share in queue.running.items() if share.host == crowding)
        others = [share for id_, share in queue.running.items() if id_ != ends]
        follows = next_share(patient, others, self._last_turns, queue.urgent(_legs_by_owner(others)))
        return [] if hosts[follows.host] else [ends]

    def _free(self, shares: Iterable[Share], running: Mapping[str, int]) -> list[Share]:
        """The shares whose owners may run another import."""
        most = self._deps.quotas.running
        return [share for share in shares if may_run(share.owner, running.get(share.owner, 0), most)]

    def _counted(self, now: datetime, *, anew: bool = False) -> LegQueue:
        """The queue, as it is now or, unless `anew`, was a moment ago (COUNTING_SHARE)."""
        began_s = self._deps.clock.elapsed_s()
        if anew or began_s >= self._counts_again_s:
            self._queue = self._deps.store.leg_queue(now, besides=self._busy)
            ended_s = self._deps.clock.elapsed_s()
            self._counts_again_s = ended_s + (COUNTING_SHARE - 1) * (ended_s - began_s)
        return self._queue

    @contextmanager
    def _chosen(self) -> Iterator[tuple[ImportId, str] | None]:
        """The import whose turn it is and its owner, reserved within this process while the block runs; None
        if none is due."""
        with self._lock:
            chosen = self._choose(self._deps.clock.now())
        try:
            yield None if chosen is None else (chosen, self._busy[chosen].owner)
        finally:
            with self._lock:
                if chosen is not None:
                    del self._busy[chosen]

    def _choose(self, now: datetime) -> ImportId | None:
        before = self._queue
        queue = self._counted(now)
        chosen = self._choose_of(queue, now)
        if chosen is None and queue is before:  # what was rung for may be new
            return self._choose_of(self._counted(now, anew=True), now)
        return chosen

    def _choose_of(self, queue: LegQueue, now: datetime) -> ImportId | None:
        running = [*{**queue.running, **self._busy}.values()]
        of_owner = _legs_by_owner(running)
        waiting = self._free(queue.due, of_owner)
        urgent = queue.urgent(of_owner)
        while waiting:
            share = next_share(waiting, running, self._last_turns, urgent)
            longest = is_for_the_longest_waiting(share.owner, self._turns)
            chosen = self._deps.store.next_leg(share, now, besides=self._busy, longest_waiting=longest)
            if chosen is not None:
                self._busy[chosen] = share
                self._turns += 1
                # Shares without a due import lose their place: the mapping must not grow without limit.
                kept = {share: turn for share, turn in self._last_turns.items() if share in queue.due}
                self._last_turns = kept | {share: self._turns}
                return chosen
            waiting.remove(share)  # another process has just taken it, or it was counted a moment ago
        return None


def _legs_by_owner(running: Iterable[Share]) -> Counter[str]:
    return Counter(share.owner for share in running)
