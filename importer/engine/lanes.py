"""Several connection pairs on one import: who works on what.

A lane takes the next folder pair that nobody has begun; when there is none, it joins a pair that still has
batches to hand out. Pairs into the same destination folder go one after the other. Further lanes are
opened only when there is more to do than those at work can take.

Invariants:
- After the context no lane works any more. The first error ends all lanes after their batch, and is raised.
- Together the lanes hold at most `Pace.held_bytes` of messages, or one batch that is larger.
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
from providers.errors import ConnectionLost, MailError, Side

PASSES: Final = 3
"""Mail that comes in while we copy is fetched in a further pass; after this many the next import has it."""

_BROKE: Final = (
    "All that could be had is copied, but the connection to the old mailbox ended each time {} had to be"
    " read. Mailhaul tries again."
)

TallyListener = Callable[[FolderCopy, FolderTally], None]


def _nobody(_pair: FolderCopy, _account: FolderTally) -> None:
    """Hears nothing."""


class _Job:
    """One pair on its way through the lanes."""

    def __init__(self, pair: FolderCopy) -> None:
        self.pair = pair
        self.begun = False
        self.joinable = False  # prepared, and may have batches to hand out
        self.lanes = 0  # that work on it
        self.done = False


class Lanes:
    """Runs pairs to their end, once, as a context that no lane outlives."""

    def __init__(self, leg: Leg) -> None:
        self._leg = leg
        self._told: TallyListener = _nobody
        self._jobs: list[_Job] = []
        self._known = False  # all that there is to do
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._held = ByteBudget(leg.pace.held_bytes)
        self._error: BaseException | None = None
        self._spent = False

    def __enter__(self) -> Lanes:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self._end(error)
        for thread in self._threads:  # no more are started once every lane has seen the end
            thread.join()

    def expect(self, messages: int, folders: int) -> None:
        """So much is most likely to be copied: if it is worth it, further lanes are opened at once, since
        connecting takes a while."""
        if messages > 2 * self._leg.pace.batch_messages:
            with self._changed:
                self._staff(folders)

    def run(self, pairs: Sequence[FolderCopy], told: TallyListener) -> bool:
        """False when the budget is spent before all is done. `told` hears the account of a pair after each
        of its batches and at its end, from the lane that worked on it. Raises what a lane raised first, and
        ConnectionLost when all is done but messages at which connections ended."""
        self.expect(sum(pair.shown_messages for pair in pairs), len(pairs))
        with self._changed:
            self._told = told
            self._jobs = [_Job(pair) for pair in pairs]
            self._known = True
            self._changed.notify_all()
        self._work(self._leg.lane)
        for thread in self._threads:
            thread.join()
        if self._error is not None:
            raise self._error
        unread = sum(job.pair.unread for job in self._jobs)
        if unread and not self._spent:
            raise ConnectionLost(_BROKE.format(counted(unread, "message")), side=Side.SOURCE)
        return not self._spent

    # --- One lane ------------------------------------------------------------------------------------

    def _work(self, lane: Lane) -> None:
        try:
            while (job := self._next_job()) is not None:
                self._work_on(lane, job)
        except BaseException as error:  # it has to reach the leg's own thread, whatever it is
            self._end(error)

    def _next_job(self) -> _Job | None:
        """A pair for a lane that is free, None when all is done or to be ended. Waits while neither is so."""
        with self._changed:
            while not self._ending:
                job = self._unbegun() or self._joinable()
                if job is not None:
                    job.lanes += 1
                    return job
                if self._known and all(job.done for job in self._jobs):
                    return None
                self._changed.wait()
            return None

    def _work_on(self, lane: Lane, job: _Job) -> None:
        """Copies batches of a pair; the last lane to leave it finishes it."""
        passes = 0
        fresh = not job.begun
        job.begun = True
        while True:
            if fresh:
                job.pair.prepare(lane)
                self._open(job)
            concluded = partial(self._concluded, job)
            Pipeline(job.pair, lane, self._held, lambda: not self._ending, concluded).run()
            if not self._is_last(job):
                return
            fresh = False
            if job.pair.finish():
                tally, arrived = job.pair.recount(lane)
                self._told(job.pair, tally)
                passes += 1
                if not arrived or passes == PASSES:
                    break
                fresh = True
            else:
                self._open(job)
        job.pair.release()
        with self._changed:
            job.done = True
            self._changed.notify_all()

    def _concluded(self, job: _Job) -> None:
        """After each batch."""
        self._told(job.pair, job.pair.tally)
        if self._leg.budget.spent():
            self._end(spent=True)

    # --- Who does what, under the condition's lock -----------------------------------------------------

    @property
    def _ending(self) -> bool:
        return self._spent or self._error is not None

    def _end(self, error: BaseException | None = None, *, spent: bool = False) -> None:
        """No lane begins another batch."""
        with self._changed:
            self._error = self._error or error
            self._spent = self._spent or spent
            self._changed.notify_all()
        self._held.give_up_waiting()

    def _unbegun(self) -> _Job | None:
        busy = {job.pair.destination for job in self._jobs if job.lanes and not job.done}
        free = (job for job in self._jobs if not (job.begun or job.lanes or job.pair.destination in busy))
        return next(free, None)

    def _joinable(self) -> _Job | None:
        return next((job for job in self._jobs if job.joinable and job.pair.waiting), None)

    def _open(self, job: _Job) -> None:
        """Others may join the pair; and where there is more than enough to do, another lane is opened."""
        with self._changed:
            job.joinable = True
            self._staff(len(self._threads) + sum(job.pair.waiting for job in self._jobs if job.joinable))
            self._changed.notify_all()

    def _staff(self, worth: int) -> None:
        """Opens lanes until there are as many as are worth it, or allowed; no two with the same number."""
        for number in range(1 + len(self._threads), min(self._leg.pace.lanes, worth)):
            thread = threading.Thread(target=self._further, args=(number,), name=f"lane-{number}")
            self._threads.append(thread)
            thread.start()

    def _is_last(self, job: _Job) -> bool:
        """Leaves the pair, unless nobody else works on it and all goes on: then it is ours alone."""
        with self._changed:
            if job.lanes == 1 and not self._ending:
                job.joinable = False
                return True
            job.lanes -= 1
            self._changed.notify_all()
            return False

    def _further(self, number: int) -> None:
        try:
            lane = self._leg.open_lane(number)
        except MailError:
            return  # one connection too many, perhaps: those that are open do the work
        except BaseException as error:  # as in _work
            self._end(error)
            return
        self._work(lane)
