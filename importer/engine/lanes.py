"""Distributes the folder pairs of one import over several connection pairs (lanes).

A free lane starts the next folder pair that has not begun; if there is none, it joins a pair that still has
batches queued. Pairs into the same destination folder run one after the other. Further lanes are opened only
when there is more work than the running lanes can absorb.

Invariants:
- After the context exits, no lane is at work. The first error stops all lanes after their current batch and
  is raised.
- While a pair is not joinable, exactly one lane works on it, or none (see `FolderCopy`).
- Together the lanes hold at most `TransferLimits.held_bytes` of fetched messages, or one batch that is
  larger. A batch counts until it is sent; if it sends a single message, until that append is concluded. A
  message that is spooled to disk counts as SPOOLED_ABOVE_BYTES. Not counted: a batch that is fetched again
  after a joint refusal, and messages that are read at the destination for comparison.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from importer.domain.model import FolderTally
from importer.domain.reporting.formatting import counted
from importer.engine.folder_copy import FolderCopy
from importer.engine.leg_context import Lane, Leg
from importer.engine.pipeline import ByteBudget, Pipeline
from providers.errors import ConnectionLost, ErrorScope, MailError, ProtocolViolation, Side

PASSES: Final = 3
"""Mail that arrives during a copy is fetched in a further pass; after this many, by the next import."""

_BROKE: Final = (
    "Everything that could be read is copied, but the connection to the old mailbox ended each time {} had to"
    " be read. Mailhaul tries again."
)

_UNDONE: Final = (
    "Everything else is copied, but the connection to the new mailbox ended while {} had to be stored."
    " Mailhaul tries again."
)

TallyListener = Callable[[FolderCopy, FolderTally], None]


def _ignore_tally(_pair: FolderCopy, _tally: FolderTally) -> None:
    """The listener until `run` sets one."""


class _Job:
    """The state of one folder pair, guarded by `Lanes._changed`. Only `begun` is set without it, by the first
    lane before any other can join."""

    def __init__(self, pair: FolderCopy) -> None:
        self.pair = pair
        self.begun = False
        self.postponed = False  # has messages in doubt, which are tried again after everything else
        self.joinable = False  # prepared, and may have batches queued
        self.lanes = 0  # number of lanes at work on it
        self.done = False


class Lanes:
    """Runs folder pairs to their end, once. A context manager: no lane outlives it."""

    def __init__(self, leg: Leg) -> None:
        self._leg = leg
        self._on_tally: TallyListener = _ignore_tally
        self._jobs: list[_Job] = []
        self._jobs_known = False  # `_jobs` is complete
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._held = ByteBudget(leg.limits.held_bytes)
        self._error: BaseException | None = None
        self._budget_spent = False

    def __enter__(self) -> Lanes:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self._stop(error)
        for thread in self._threads:  # none is started once every lane has seen the stop
            thread.join()

    def expect(self, messages: int, folders: int) -> None:
        """Announce how much will probably be copied. If it is enough, further lanes start immediately, since
        connecting takes time."""
        if messages > 2 * self._leg.limits.batch_messages:
            with self._changed:
                self._start_lanes(folders)

    def run(self, pairs: Sequence[FolderCopy], on_tally: TallyListener) -> bool:
        """Copy `pairs`. Return False if the budget is spent before all is done.

        `on_tally` is called with a pair and its tally after each batch and after the recount, in the thread
        of the lane that worked on it. Raises the first error of a lane, or ConnectionLost if everything is
        done except messages that broke the connection.
        """
        self.expect(sum(pair.surveyed_messages for pair in pairs), len(pairs))
        with self._changed:
            self._on_tally = on_tally
            self._jobs = [_Job(pair) for pair in pairs]
            self._jobs_known = True
            self._changed.notify_all()
        self._work(self._leg.lane)
        for thread in self._threads:
            thread.join()
        if self._error is not None:
            raise self._error
        undone = sum(job.pair.left_undone for job in self._jobs)
        if undone and not self._budget_spent:
            raise ConnectionLost(_UNDONE.format(counted(undone, "message")), side=Side.DESTINATION)
        unfetched = sum(job.pair.unfetched for job in self._jobs)
        if unfetched and not self._budget_spent:
            raise ConnectionLost(_BROKE.format(counted(unfetched, "message")), side=Side.SOURCE)
        return not self._budget_spent

    # --- One lane ------------------------------------------------------------------------------------

    def _work(self, lane: Lane) -> None:
        try:
            while (job := self._next_job()) is not None:
                self._work_on(lane, job)
        except BaseException as error:  # every kind has to reach the leg's own thread
            self._stop(error)

    def _next_job(self) -> _Job | None:
        """Wait for a pair that a free lane can work on. None once all pairs are done or the lanes stop."""
        with self._changed:
            while not self._stopping:
                job = self._unbegun() or self._joinable() or self._unbegun(postponed=True)
                if job is not None:
                    job.lanes += 1
                    return job
                if self._jobs_known and all(job.done for job in self._jobs):
                    return None
                self._changed.wait()
            return None

    def _work_on(self, lane: Lane, job: _Job) -> None:
        """Copy batches of a pair. The last lane at work on it finishes it."""
        passes = 0
        unprepared = not job.begun
        job.begun = True
        while True:
            if unprepared:
                self._prepare(lane, job)
                self._make_joinable(job)
            on_concluded = partial(self._batch_concluded, job)
            Pipeline(job.pair, lane, self._held, lambda: not self._stopping, on_concluded).run()
            if not self._stays_as_last(job):
                return
            unprepared = False
            if not job.pair.finish(lane):
                self._make_joinable(job)
            elif job.pair.undone:
                if self._postpone(job):
                    return
                unprepared = True
            else:
                tally, arrived = job.pair.recount(lane, last=passes + 1 == PASSES)
                self._on_tally(job.pair, tally)
                passes += 1
                if not arrived or passes == PASSES:
                    break
                unprepared = True
        job.pair.release()
        with self._changed:
            job.done = True
            self._changed.notify_all()

    def _prepare(self, lane: Lane, job: _Job) -> None:
        """Prepare a pair. If that ends the connection each time although the mailbox answers otherwise, it is
        this pair that has to wait, and to be given up in the end."""
        try:
            job.pair.prepare(lane)
        except (ConnectionLost, ProtocolViolation) as error:
            if error.scope is not ErrorScope.SESSION or error.side is None:
                raise
            session = lane.source if error.side is Side.SOURCE else lane.destination
            session.renew()
            session.folders()
            job.pair.troubled(error)

    def _postpone(self, job: _Job) -> bool:
        """Leave a pair until all others are done. False if there are no others that this lane could do."""
        with self._changed:
            job.joinable = False
            if not (self._unbegun() or self._joinable()):
                return False
            job.begun, job.postponed = False, True
            job.lanes -= 1
            self._changed.notify_all()
            return True

    def _batch_concluded(self, job: _Job) -> None:
        self._on_tally(job.pair, job.pair.tally)
        if self._leg.budget.spent():
            self._stop(spent=True)

    # --- Scheduling: `_changed` guards its state -------------------------------------------------------

    @property
    def _stopping(self) -> bool:
        """Pipelines read this without the lock: a lane that reads an old value begins one more batch."""
        return self._budget_spent or self._error is not None

    def _stop(self, error: BaseException | None = None, *, spent: bool = False) -> None:
        """Let no lane begin another batch. The first error counts."""
        with self._changed:
            self._error = self._error or error
            self._budget_spent = self._budget_spent or spent
            self._changed.notify_all()
        self._held.stop_waiting()

    def _unbegun(self, *, postponed: bool = False) -> _Job | None:
        busy = {job.pair.destination for job in self._jobs if job.lanes and not job.done}
        free = (job for job in self._jobs if not (job.begun or job.lanes or job.pair.destination in busy))
        return next((job for job in free if job.postponed is postponed), None)

    def _joinable(self) -> _Job | None:
        return next((job for job in self._jobs if job.joinable and job.pair.queued_batches), None)

    def _make_joinable(self, job: _Job) -> None:
        """Let other lanes join the pair, and start further lanes if there are batches enough for them."""
        with self._changed:
            job.joinable = True
            self._start_lanes(
                len(self._threads) + sum(job.pair.queued_batches for job in self._jobs if job.joinable)
            )
            self._changed.notify_all()

    def _start_lanes(self, worthwhile: int) -> None:
        """Start lanes up to min(limit, `worthwhile`), the leg's own lane included. Lane numbers are
        unique."""
        for number in range(1 + len(self._threads), min(self._leg.limits.lanes, worthwhile)):
            thread = threading.Thread(target=self._run_further_lane, args=(number,), name=f"lane-{number}")
            self._threads.append(thread)
            thread.start()

    def _stays_as_last(self, job: _Job) -> bool:
        """True if this is the last lane at work on the pair and the lanes do not stop: no other lane can join
        the pair from then on. Otherwise this lane leaves the pair."""
        with self._changed:
            if job.lanes == 1 and not self._stopping:
                job.joinable = False
                return True
            job.lanes -= 1
            self._changed.notify_all()
            return False

    def _run_further_lane(self, number: int) -> None:
        try:
            lane = self._leg.open_lane(number)
        except MailError:
            return  # perhaps one connection too many: the open ones do the work
        except BaseException as error:  # as in _work
            self._stop(error)
            return
        self._work(lane)
