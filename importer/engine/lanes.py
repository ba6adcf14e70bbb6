"""Distributes the folder pairs of one import over several connection pairs (lanes).

A free lane starts the next folder pair that has not begun; if there is none, it joins a pair that still has
batches queued. Small pairs are looked at before, and recounted afterwards, several at once: one round trip
lists them all. While a lane waits for the outcome of the last batch of a pair, it begins the next one that
was looked at, and fetches its first batch. Pairs into the same destination folder run one after the other.

Further lanes are opened only when there is more work than the running lanes can absorb, and no more than the
leg's share of the connections of its process (`Leg.share`). If the share shrinks, the lanes above it pause
after their folder or batch.

Invariants:
- After the context exits, no lane is at work. The first error stops all lanes after their current batch and
  is raised.
- A phase of a pair (`folder_copy.py`) is either with its job here, or with exactly one lane.
- A lane that has begun the next pair ends it before it recounts, or prepares another one: while it holds a
  fetched batch it waits for no room for others, and no other call uses its source until the fetch is done.
- Together the lanes hold at most the leg's share (`Leg.held_share`) of `TransferLimits.held_bytes` of fetched
  messages, or one batch that is larger. A batch counts until it is sent; if it sends a single message, until
  that append is concluded. A message that is spooled to disk counts as SPOOLED_ABOVE_BYTES. Not counted: a
  batch that is fetched again after a joint refusal, and messages that are read at the destination for
  comparison.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice

from importer.domain.receipts.folder_tally import FolderTally
from importer.engine.finish_folder import finish
from importer.engine.folder_copy import Counted, Finished, Prepared, Unprepared
from importer.engine.folder_state import FolderState
from importer.engine.lane_backlog import Backlog, Job, Task
from importer.engine.leg_context import Lane, Leg
from importer.engine.pipeline import ByteBudget, Pipeline
from importer.engine.prepare_folder import LOOKED_AT_ONCE, look_first, may_look_first, prepare
from importer.engine.recount_folder import list_small_folders, recount_folder
from importer.ports.mailbox_errors import QuotaExceeded
from providers.errors import ConnectionLost, ErrorScope, MailError, ProtocolViolation, Side
from providers.text import Text

TallyListener = Callable[[FolderTally, int], None]
"""Gets the tally of a folder, and the number of its messages that have no outcome yet."""


def _ignore_tally(_tally: FolderTally, _remaining: int) -> None:
    """The listener until `run` sets one."""


BeginListener = Callable[[str], None]
"""Gets the name of a source folder that a lane begins."""


def _ignore_begin(_name: str) -> None:
    """The listener until `run` sets one."""


class Lanes:
    """Runs folder pairs to their end, once. A context manager: no lane outlives it."""

    def __init__(self, leg: Leg) -> None:
        self._leg = leg
        self._on_tally: TallyListener = _ignore_tally
        self._on_begin: BeginListener = _ignore_begin
        self._waiting: dict[Job, None] = {}  # pairs that no lane has begun, in order
        self._begun: dict[Job, None] = {}  # pairs that are not done, and those that a lane looks at
        self._jobs_known = False
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._held = ByteBudget(partial(leg.held_share, leg.limits.held_bytes))
        self._error: BaseException | None = None
        self._budget_spent = False
        self._has_begun = False  # each leg gets somewhere, however long it took to begin (`_is_over`)
        self._was_over = False
        self._known_share = leg.share()

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

    def run(self, pairs: Sequence[Unprepared], on_begin: BeginListener, on_tally: TallyListener) -> bool:
        """Copy `pairs`. Return False if the leg's time is over, or the budget spent, before all is done.

        `on_begin` is called before the messages of a pair are read, `on_tally` after each batch and after the
        recount of a pair, both in the thread of the lane that works on it. Raises the first error of a lane;
        if everything else is done, QuotaExceeded if folders are full, or ConnectionLost if messages broke the
        connection.
        """
        self.expect(sum(pair.folder.status.messages for pair in pairs), len(pairs))
        with self._changed:
            self._on_begin, self._on_tally = on_begin, on_tally
            jobs = [Job(pair) for pair in pairs]
            self._waiting = dict.fromkeys(jobs)
            self._jobs_known = True
            self._changed.notify_all()
        self._work(self._leg.lane)
        for thread in self._threads:
            thread.join()
        if self._error is not None:
            raise self._error
        if self._budget_spent or not all(job.is_done for job in jobs):
            return False
        if full := [job.state for job in jobs if job.state.full is not None]:
            raise _no_room(self._leg, full)
        if undone := sum(job.state.left_undone for job in jobs):
            raise ConnectionLost(Text("connection_lost.undone", number=undone), side=Side.DESTINATION)
        if unfetched := sum(len(job.state.unfetched) for job in jobs):
            raise ConnectionLost(Text("connection_lost.unread", number=unfetched), side=Side.SOURCE)
        return True

    # --- One lane ------------------------------------------------------------------------------------

    def _work(self, lane: Lane) -> None:
        try:
            with lane.beside() as helper:
                self._work_until_done(replace(lane, helper=helper))
        except BaseException as error:  # every kind has to reach the leg's own thread
            self._stop(error)

    def _work_until_done(self, lane: Lane) -> None:
        backlog = Backlog(lane)
        while (task := self._next_task(backlog)) or backlog.finished:
            if task is not None:
                self._work_on(backlog, task)
                if backlog.ahead or backlog.again or backlog.may_wait:
                    continue
            if self._error is not None:
                return
            self._recount(backlog)

    def _recount(self, backlog: Backlog) -> None:
        """Recount the finished pairs. One at whose source mail has arrived is copied once more."""
        finished, backlog.finished = backlog.finished, []
        lists = list_small_folders([phase for _, phase in finished], backlog.lane)
        for (job, phase), listed in zip(finished, lists, strict=True):
            tally, after = recount_folder(phase, backlog.lane, listed)
            self._on_tally(tally, job.state.remaining)
            if isinstance(after, Counted):
                self._end(job, after)
            else:
                backlog.again.append(Task(job, after))

    def _next_task(self, backlog: Backlog) -> Task | None:
        """The next pair for a lane. None once all pairs are done, the lanes stop or the time is over, and if
        there are pairs to recount and no other one now."""
        ahead, backlog.ahead = backlog.ahead, None
        if ahead is not None:  # also if the lanes stop: what it holds has to be released
            return ahead
        number = backlog.lane.number
        with self._changed:
            while not self._stopping:
                if backlog.again and not self._is_over():
                    return backlog.again.pop()
                job = self._available() if self._has_turn(number) else None
                if job is not None:
                    return self._begin(job)
                all_done = self._jobs_known and not (self._waiting or self._begun)
                if backlog.finished or all_done or self._is_over():
                    break
                self._changed.wait()
            self._changed.notify_all()  # of lanes that wait for a pair that this one leaves undone
            return None

    def _begin(self, job: Job) -> Task:
        self._waiting.pop(job, None)
        self._begun[job] = None
        job.lanes += 1
        if not isinstance(job.phase, Unprepared):
            return Task(job)
        phase, job.phase = job.phase, None
        return Task(job, phase)

    def _work_on(self, backlog: Backlog, task: Task) -> None:
        """Copy batches of a pair. The last lane at work on it finishes it, and gets it to be recounted, or
        for a further pass."""
        lane, job, phase = backlog.lane, task.job, task.phase
        if isinstance(phase, Unprepared):
            phase = self._prepare(lane, phase)
        if phase is not None:
            self._let_join(job, phase)
        (task.pipeline or self._pipeline(backlog, job)).run()
        backlog.await_source()
        prepared = self._leave(job, lane.number)
        if prepared is None:
            return
        after = finish(prepared, lane)
        if isinstance(after, Finished):
            backlog.finished.append((job, after))
        elif isinstance(after, Prepared) or not self._postpone(job, after):
            backlog.again.append(Task(job, after))

    def _pipeline(self, backlog: Backlog, job: Job) -> Pipeline:
        return Pipeline(
            job.state,
            backlog.lane,
            self._held,
            self._may_continue,
            partial(self._batch_concluded, job),
            partial(self._may_take, job, backlog.lane.number),
            partial(self._begin_ahead, backlog),
        )

    def _look_first(self, lane: Lane, phase: Unprepared) -> None:
        """Look at a small pair that is about to be prepared, together with the next ones. These count as
        begun meanwhile, so that no other lane asks the same."""
        if not may_look_first(phase):
            return
        with self._changed:
            free = (job for job in self._waiting if not job.lanes and job.may_be_looked_at)
            others = list(islice(free, LOOKED_AT_ONCE - 1))
            for job in others:
                self._begun[job] = None
                job.lanes += 1
        phases = [job.phase for job in others if isinstance(job.phase, Unprepared)]
        if phases:
            look_first([phase, *phases], lane)
        with self._changed:
            for job in others:
                del self._begun[job]
                job.lanes -= 1
            self._changed.notify_all()

    def _begin_ahead(self, backlog: Backlog) -> None:
        """Begin the next pair that can be prepared without asking a server, while the lane waits."""
        if backlog.ahead is not None or not backlog.may_wait or not self._may_continue():
            return
        with self._changed:
            job = self._unbegun(looked_at=True) if self._has_turn(backlog.lane.number) else None
            task = self._begin(job) if job is not None else None
        if task is not None and isinstance(task.phase, Unprepared):
            self._let_join(task.job, self._prepare(backlog.lane, task.phase))
            pipeline = self._pipeline(backlog, task.job)
            backlog.ahead = Task(task.job, pipeline=pipeline)
            pipeline.begin()

    def _prepare(self, lane: Lane, phase: Unprepared) -> Prepared:
        """Prepare a pair. If that ends the connection each time although the mailbox answers otherwise, it is
        this pair that has to wait, and to be given up in the end."""
        if phase.folder.status.messages:
            self._on_begin(phase.folder.source.name)
        self._look_first(lane, phase)
        try:
            return prepare(phase, lane)
        except (ConnectionLost, ProtocolViolation) as error:
            if error.scope is not ErrorScope.SESSION or error.side is None:
                raise
            session = lane.source if error.side is Side.SOURCE else lane.destination
            session.renew()
            session.folders()
            phase.folder.state.trouble(error)
            return Prepared(phase.folder)

    def _batch_concluded(self, job: Job) -> None:
        self._on_tally(job.state.tally, job.state.remaining)
        if self._leg.budget.spent():
            self._stop(spent=True)
        elif self._known_share != (share := self._leg.share()):
            with self._changed:
                self._known_share = share
                self._start_worthwhile()
                self._changed.notify_all()  # of the lanes that paused

    def _may_continue(self) -> bool:
        """Whether a lane may begin something: asked before each fetch and each append."""
        if not self._stopping and self._leg.budget.is_called_off():
            self._stop(spent=True)
        return not self._stopping

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

    def _has_turn(self, number: int) -> bool:
        """Whether a lane may begin to read something: there is time, and it is within the leg's share. The
        leg's own lane is: it ends what others leave."""
        return not self._is_over() and (not number or number < self._leg.share())

    def _may_take(self, job: Job, number: int) -> bool:
        """Whether a lane may read a batch, which it does if there is one."""
        if not self._has_turn(number):
            return False
        if job.state.queued_batches:
            self._has_begun = True
        return True

    def _is_over(self) -> bool:
        """Not before the leg has read a batch, or ended a pair that the next leg need not end again. It stays
        over if the clock is set back: lanes that wait rely on those that left."""
        if self._has_begun and self._leg.budget.is_over():
            self._was_over = True
        return self._was_over

    def _available(self) -> Job | None:
        return self._unbegun() or self._joinable() or self._unbegun(postponed=True)

    def _unbegun(self, *, postponed: bool = False, looked_at: bool = False) -> Job | None:
        """`looked_at`: one that can be prepared without asking a server."""
        busy = {job.destination for job in self._begun}
        free = (job for job in self._waiting if not job.lanes and job.destination not in busy)
        wanted = (job for job in free if job.is_looked_at or not looked_at)
        return next((job for job in wanted if job.is_postponed is postponed), None)

    def _joinable(self) -> Job | None:
        return next((job for job in self._begun if job.is_joinable and job.state.queued_batches), None)

    def _let_join(self, job: Job, phase: Prepared) -> None:
        """Let other lanes join the pair, and start further lanes if there are batches enough for them."""
        with self._changed:
            job.phase = phase
            self._start_worthwhile()
            self._changed.notify_all()

    def _leave(self, job: Job, number: int) -> Prepared | None:
        """Leave a pair. The last lane at work on it gets its phase instead, and none joins it from then on,
        unless the lanes stop, or the lane has no turn and leaves batches to others."""
        with self._changed:
            ends_it = not self._stopping and (self._has_turn(number) or not job.state.queued_batches)
            if job.lanes == 1 and ends_it and isinstance(job.phase, Prepared):
                phase, job.phase = job.phase, None
                return phase
            job.lanes -= 1
            self._changed.notify_all()
            return None

    def _postpone(self, job: Job, phase: Unprepared) -> bool:
        """Leave a pair until all others are done. False if there are no others that this lane could do."""
        with self._changed:
            if not (self._unbegun() or self._joinable()):
                return False
            job.phase, job.is_postponed = phase, True
            job.lanes -= 1
            del self._begun[job]
            self._waiting[job] = None
            self._changed.notify_all()
            return True

    def _end(self, job: Job, phase: Counted) -> None:
        with self._changed:
            self._has_begun |= phase.is_new
            job.phase = phase
            del self._begun[job]
            self._changed.notify_all()

    def _start_worthwhile(self) -> None:
        """Start further lanes if there are batches enough for them."""
        queued = sum(job.state.queued_batches for job in self._begun if job.is_joinable)
        self._start_lanes(len(self._threads) + queued)

    def _start_lanes(self, worthwhile: int) -> None:
        """Start lanes up to min(limit, share, `worthwhile`), the leg's own lane included. Lane numbers are
        unique."""
        most = min(self._leg.limits.lanes, self._leg.share(), worthwhile)
        for number in range(1 + len(self._threads), most):
            thread = threading.Thread(target=self._run_further_lane, args=(number,), name=f"lane-{number}")
            self._threads.append(thread)
            thread.start()

    def _run_further_lane(self, number: int) -> None:
        try:
            lane = self._leg.open_lane(number)
        except MailError:
            return  # perhaps one connection too many: the open ones do the work
        except BaseException as error:  # as in _work
            self._stop(error)
            return
        self._work(lane)


def _no_room(leg: Leg, full: Sequence[FolderState]) -> QuotaExceeded:
    """The error of folders without room, by name if the destination has room elsewhere."""
    first = next(state.full for state in full if state.full is not None)
    named = [state.destination for state in full if leg.traits.has_room_beside(state.destination)]
    if not named:
        return first
    left = sum(state.remaining for state in full)
    text = Text(
        "destination_full.folder", steps=None, folder=", ".join(named), number=left, **first.text.params
    )
    return QuotaExceeded(text, side=first.side, server_text=first.server_text)
