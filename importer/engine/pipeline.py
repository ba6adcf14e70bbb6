"""Copies the batches of a folder pair over one lane. At the same time one batch is fetched, one is sent, and
the outcome of a third is awaited. Together with the outcome of the last one, the first batch of another pair
may be (`begin`).

Invariants:
- When `run` returns or raises, every batch that was sent is concluded, or its intent is still in the ledger.
- Only `run` sends, so a lane sends into one folder at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial
from typing import Final, TypeVar

from importer.domain.messages.message_body import SPOOLED_ABOVE_BYTES
from importer.domain.messages.message_key import MessageKey
from importer.domain.planning.message_batches import MessageBatch
from importer.domain.planning.retry_policy import Blame, blame
from importer.engine.batch_append import InFlightBatch
from importer.engine.batch_fetch import FetchedBatch, fetch_batch
from importer.engine.folder_state import FolderState
from importer.engine.leg_context import Lane
from importer.engine.settle import SettlingWait
from importer.ports.leases import LeaseLost
from importer.ports.mailbox_errors import FolderChanged, FolderUnusable, QuotaExceeded
from importer.ports.work_limit import WorkEnded
from providers.errors import ConnectionLost, MailError, ServerTooSlow, Side
from providers.frozen import frozen

T = TypeVar("T")

SLOTS: Final = 2
"""Appends under way on one lane: the server stores one while we process its answer to the other."""


class ByteBudget:
    """Bounds the bytes that lanes hold at a time by `max_bytes`, which may change. Safe for threads."""

    def __init__(self, max_bytes: Callable[[], int]) -> None:
        self._max_bytes = max_bytes
        self._held_bytes = 0
        self._no_waiting = False
        self._freed = threading.Condition()

    def acquire(self, size_bytes: int, *, wait: bool) -> bool:
        """Add bytes to the count; with `wait`, block until there is room.

        Return False if there is no room and `wait` is False, or after `stop_waiting`. A caller that holds
        bytes must not wait: all lanes might wait for one another. Bytes always fit while none are held.
        """
        with self._freed:
            while self._held_bytes and self._held_bytes + size_bytes > self._max_bytes():
                if not wait or self._no_waiting:
                    return False
                self._freed.wait()
            self._held_bytes += size_bytes
            return True

    def stop_waiting(self) -> None:
        """End all waits, now and later: the lanes stop, and a failed lane may never release what it holds."""
        with self._freed:
            self._no_waiting = True
            self._freed.notify_all()

    def release(self, size_bytes: int) -> None:
        """Subtract bytes from the count."""
        with self._freed:
            self._held_bytes -= size_bytes
            self._freed.notify_all()


@frozen
class _Fetching:
    size_bytes: int
    planned: MessageBatch
    batch: Future[FetchedBatch]


@frozen
class _Sending:
    number: int  # in the order of sending
    size_bytes: int  # held until the batch is concluded
    planned: MessageBatch
    batch: InFlightBatch
    messages: int
    took_s: float  # to send it


@frozen
class _Lost:
    """A batch that was sent, or partly sent, when the connection ended."""

    number: int  # in the order of sending
    planned: MessageBatch
    batch: InFlightBatch
    error: ConnectionLost
    alone: bool  # sent apart, as the first append on its connection


class Pipeline:
    """Copies batches of one pair over one lane, until the queue is empty or `may_continue` returns False.
    While `may_take` returns False, no batch is taken from the queue; one that was fetched is still sent.

    `on_concluded` is called after each batch; `on_last_sent` once the queue is empty, the last batch is sent,
    and the source of the lane is idle. An unusable, changed or full folder ends the pass
    (`FolderState.trouble`). If the connection to the destination ends during an append, the append is settled
    over a new connection; its first message that was not stored, or its batch, may be the reason and is tried
    again later (`FolderState.doubt_lost`). Every other error is raised.
    """

    def __init__(
        self,
        state: FolderState,
        lane: Lane,
        held: ByteBudget,
        may_continue: Callable[[], bool],
        on_concluded: Callable[[], None],
        may_take: Callable[[], bool] = lambda: True,
        on_last_sent: Callable[[], None] = lambda: None,
    ) -> None:
        self._state = state
        self._lane = lane
        self._held = held
        self._may_continue = may_continue
        self._on_concluded = on_concluded
        self._may_take = may_take
        self._on_last_sent = on_last_sent
        self._fetching: _Fetching | None = None
        self._sending: _Sending | None = None
        self._last_fetch: Future[FetchedBatch] | None = None
        self._number = 0
        self._waits = True  # for room for the next batch
        self._lost: list[_Lost] = []
        self._unused = False  # no append was answered on the connection to the destination so far

    def begin(self) -> None:
        """Fetch the first batch, if there is room for its bytes, while another pipeline uses the destination.
        `run` has to follow, before the lane waits for room for anything else."""
        with self._lane.beside() as reader:
            self._fetch_ahead(reader, wait=False)

    def await_source(self) -> None:
        """Wait until the source is not in use. Raises nothing that the fetch raised."""
        if self._last_fetch:
            wait([self._last_fetch])

    def run(self) -> None:
        with self._lane.beside() as reader:
            try:
                if self._fetching is None:
                    self._fetch_ahead(reader, wait=True)
                while self._fetching or self._sending:
                    self._step(reader)
            finally:
                self._clear()
                self.await_source()  # of a batch that is dropped, too

    def _step(self, reader: ThreadPoolExecutor) -> None:
        """Send the fetched batch, begin to fetch the next, and only then conclude the one sent before."""
        if self._sending and not (self._fetching or self._state.queued_batches or self._state.pass_over):
            self._waits = False  # the lane may hold bytes of another pair from now on
            self._on_last_sent()
        if self._fetching and self._fetching.planned.apart:
            self._send_apart(reader)
        else:
            previous, self._sending = self._sending, None
            try:
                self._send(reader)
            finally:
                if previous:
                    self._conclude(previous)
        if self._lost:
            self._recover(reader)
        if self._fetching is None:
            self._fetch_ahead(reader, wait=self._waits and self._sending is None)

    def _send_apart(self, reader: ThreadPoolExecutor) -> None:
        """Send a message about which there is a doubt, with no other append under way on the connection, and
        as the first one if that can decide the doubt."""
        self._conclude_sent()
        if self._lost or self._fetching is None:
            return
        (uid,) = self._fetching.planned.uids
        if not self._unused and self._state.needs_new_connection(uid):
            self._lane.destination.renew()
            self._unused = True
        self._send(reader)
        self._conclude_sent()

    def _conclude_sent(self) -> None:
        sending, self._sending = self._sending, None
        if sending:
            self._conclude(sending)

    def _recover(self, reader: ThreadPoolExecutor) -> None:
        """Settle what was under way when the connection to the destination ended, and doubt the first batch
        that was not stored completely. Raises the error if a person or the next leg has to deal with it."""
        self._conclude_sent()
        _with_source(reader, lambda: None)  # settling reads headers at the source
        lost, self._lost = sorted(self._lost, key=lambda one: one.number), []
        together, blamed = SettlingWait(self._state.leg.limits.settle_quiet), False
        for one in lost:
            try:
                rest = one.batch.recover(one.error, together)
            except (FolderUnusable, FolderChanged) as error:  # the next pass settles it
                self._state.trouble(error)
                continue
            if rest and not blamed:
                blamed = True
                self._blame(one, rest)
        self._unused = True
        self._on_concluded()

    def _blame(self, lost: _Lost, rest: Sequence[MessageKey]) -> None:
        traits, error = self._state.leg.traits, lost.error
        stored = traits.stored_batches
        if not lost.alone:
            uids = [key.uid for key in rest]
            self._state.doubt_lost(uids, stored, announced=error.announced)
            if lost.planned.apart:
                self._state.put_back(lost.planned)  # at once, as the first on the new connection
            return
        (key,) = rest
        times, stored_at_first = self._state.doubt_lost_alone(key.uid, stored)
        blamed = blame(
            times,
            announced=error.announced,
            stored_before=stored > 0,
            stored_between=stored > stored_at_first,
            attempts=self._state.leg.import_.attempts,
        )
        if blamed is Blame.SERVER or (blamed is Blame.MESSAGE and not traits.may_refuse()):
            raise error
        if blamed is Blame.MESSAGE:
            self._state.record([], [lost.batch.refuse(key, error)])

    def _fetch_ahead(self, reader: ThreadPoolExecutor, *, wait: bool) -> None:
        """Begin to fetch the next batch. Without `wait`, do so only if there is room for its bytes."""
        batch = self._state.take() if self._may_continue() and self._may_take() else None
        if batch is None:
            return
        alone = len(batch.uids) == 1  # large messages travel alone; the largest are spooled to disk
        size_bytes = min(batch.total_bytes, SPOOLED_ABOVE_BYTES) if alone else batch.total_bytes
        if self._held.acquire(size_bytes, wait=wait):
            self._last_fetch = reader.submit(fetch_batch, self._state, self._lane, batch)
            self._fetching = _Fetching(size_bytes, batch, self._last_fetch)
        else:
            self._state.put_back(batch)

    def _send(self, reader: ThreadPoolExecutor) -> None:
        clock = self._state.leg.clock
        fetching, self._fetching = self._fetching, None
        if fetching is None:
            return
        if self._state.pass_over or not self._may_continue():  # the fetched batch is dropped
            self._held.release(fetching.size_bytes)
            return
        self._number = number = self._number + 1
        in_flight = InFlightBatch(
            self._state,
            self._lane,
            self._slot(),
            partial(_with_source, reader),
            apart=fetching.planned.apart,
        )
        held_bytes = 0
        try:
            fetched = fetching.batch.result()
            self._fetch_ahead(reader, wait=False)
            began_s = clock.elapsed_s()
            if in_flight.send(fetched):
                held_bytes = fetching.size_bytes
            took_s, messages = clock.elapsed_s() - began_s, len(fetched.messages)
            self._sending = _Sending(number, held_bytes, fetching.planned, in_flight, messages, took_s)
        except ConnectionLost as error:
            self._note_lost(number, fetching.planned, in_flight, error)
        except (FolderUnusable, FolderChanged, QuotaExceeded) as error:
            self._state.trouble(error)
        finally:
            self._held.release(fetching.size_bytes - held_bytes)

    def _note_lost(
        self, number: int, planned: MessageBatch, batch: InFlightBatch, error: ConnectionLost
    ) -> None:
        """Keep a batch for `_recover`. Raises the error if it has another cause than the append."""
        if error.side is not Side.DESTINATION or not batch.sent or isinstance(error, ServerTooSlow):
            raise error
        self._lost.append(_Lost(number, planned, batch, error, planned.apart and self._unused))

    def _conclude(self, sending: _Sending) -> None:
        clock = self._state.leg.clock
        began_s = clock.elapsed_s()
        try:
            sending.batch.conclude()
            self._unused = False
            storing_s = sending.took_s + clock.elapsed_s() - began_s
            self._state.leg.pace.took(Side.DESTINATION, sending.messages, storing_s)
        except ConnectionLost as error:
            self._note_lost(sending.number, sending.planned, sending.batch, error)
        except (FolderUnusable, FolderChanged, QuotaExceeded) as error:
            self._state.trouble(error)
        finally:
            self._held.release(sending.size_bytes)
            self._on_concluded()

    def _clear(self) -> None:
        """After an error, conclude the batch that was sent, if possible."""
        if self._sending:
            # On failure its intent stays in the ledger, and the first error is the one to raise.
            with suppress(MailError, LeaseLost, WorkEnded):
                self._conclude(self._sending)
        if self._fetching:
            self._held.release(self._fetching.size_bytes)

    def _slot(self) -> int:
        """Each lane has slots of its own and uses them in turn."""
        return self._lane.number * SLOTS + self._number % SLOTS


def _with_source(reader: ThreadPoolExecutor, call: Callable[[], T]) -> T:
    """Call once the running fetch is done, in the thread that fetches."""
    return reader.submit(call).result()
