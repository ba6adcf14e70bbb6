"""One lane's way through the batches of a pair: one is fetched, one is sent, one is waited for, all at once.

Invariant: when `run` returns or raises, every batch that was sent was concluded, or its intent stands.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from importer.domain.messages.message_body import SPOOLED_ABOVE_BYTES
from importer.domain.planning.message_batches import MessageBatch
from importer.engine.folder_copy import FolderCopy
from importer.engine.leg_context import Lane
from importer.engine.transfer import FetchedBatch, InFlightBatch, fetch_batch
from importer.ports.leases import LeaseLost
from providers.errors import FolderUnusable, MailError

SLOTS: Final = 2
"""Appends under way on one lane: the server goes on storing while our hands are full with the answer."""


class ByteBudget:
    """Bounds the bytes that lanes hold at a time."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held_bytes = 0
        self._over = False
        self._freed = threading.Condition()

    def hold(self, size_bytes: int, *, wait: bool) -> bool:
        """Counts the bytes in, waiting for room if need be; False when there is none and not to `wait`, or
        nobody is to wait any more.

        Whoever holds something must not wait: all might wait for one another.
        """
        with self._freed:
            while self._held_bytes and self._held_bytes + size_bytes > self._max_bytes:
                if not wait or self._over:
                    return False
                self._freed.wait()
            self._held_bytes += size_bytes
            return True

    def give_up_waiting(self) -> None:
        """For the end of all lanes, whatever those that failed still hold."""
        with self._freed:
            self._over = True
            self._freed.notify_all()

    def free(self, size_bytes: int) -> None:
        """Counts them out again."""
        with self._freed:
            self._held_bytes -= size_bytes
            self._freed.notify_all()


@dataclass(frozen=True, slots=True)
class _Fetching:
    size_bytes: int
    batch: Future[FetchedBatch]


@dataclass(frozen=True, slots=True)
class _Sending:
    size_bytes: int  # that are held until it is concluded
    batch: InFlightBatch


class Pipeline:
    """Copies batches of one pair over one lane, as long as there are any and `goes_on` says so.

    `concluded` is called after each batch. A folder that cannot be used is given up, which is the pair's
    affair; anything else that goes wrong is raised.
    """

    def __init__(
        self,
        pair: FolderCopy,
        lane: Lane,
        held: ByteBudget,
        goes_on: Callable[[], bool],
        concluded: Callable[[], None],
    ) -> None:
        self._pair = pair
        self._lane = lane
        self._held = held
        self._goes_on = goes_on
        self._concluded = concluded
        self._fetching: _Fetching | None = None
        self._sending: _Sending | None = None
        self._number = 0

    def run(self) -> None:
        with ThreadPoolExecutor(1, thread_name_prefix=f"lane-{self._lane.number}-reader") as reader:
            try:
                self._fetch_ahead(reader, wait=True)
                while self._fetching or self._sending:
                    self._step(reader)
            finally:
                self._clear()

    def _step(self, reader: ThreadPoolExecutor) -> None:
        """Sends what is fetched, begins to fetch the next, and only then concludes what was sent before."""
        before, self._sending = self._sending, None
        try:
            self._send(reader)
        finally:
            if before:
                self._conclude(before)
        if self._fetching is None:
            self._fetch_ahead(reader, wait=self._sending is None)

    def _fetch_ahead(self, reader: ThreadPoolExecutor, *, wait: bool) -> None:
        """Begins to fetch the next batch, if there is one and, without `wait`, if it may be held as well."""
        batch = self._pair.take() if self._goes_on() else None
        if batch is None:
            return
        alone = len(batch.uids) == 1  # a large message goes alone, and what is larger than that is spooled
        size_bytes = min(batch.total_bytes, SPOOLED_ABOVE_BYTES) if alone else batch.total_bytes
        if self._held.hold(size_bytes, wait=wait):
            self._fetching = _Fetching(size_bytes, reader.submit(fetch_batch, self._pair, self._lane, batch))
        else:
            self._pair.put_back(batch)

    def _send(self, reader: ThreadPoolExecutor) -> None:
        fetching, self._fetching = self._fetching, None
        if fetching is None:
            return
        if not self._goes_on():  # fetched for nothing
            self._held.free(fetching.size_bytes)
            return
        sent = InFlightBatch(self._pair, self._lane, self._slot(), partial(self._fetch_again, reader))
        held_bytes = 0
        try:
            fetched = fetching.batch.result()
            self._fetch_ahead(reader, wait=False)
            if sent.send(fetched):
                held_bytes = fetching.size_bytes
            self._sending = _Sending(held_bytes, sent)
        except FolderUnusable as error:
            self._pair.give_up(str(error))
        finally:
            self._held.free(fetching.size_bytes - held_bytes)

    def _fetch_again(self, reader: ThreadPoolExecutor, batch: MessageBatch) -> FetchedBatch:
        """After a refusal, and after what is being fetched; these bytes are not counted among the held."""
        return reader.submit(fetch_batch, self._pair, self._lane, batch).result()

    def _conclude(self, sending: _Sending) -> None:
        try:
            sending.batch.conclude()
        except FolderUnusable as error:
            self._pair.give_up(str(error))
        finally:
            self._held.free(sending.size_bytes)
            self._concluded()

    def _clear(self) -> None:
        """After trouble what was sent is concluded all the same, if it can be."""
        if self._sending:
            with suppress(
                MailError, LeaseLost
            ):  # its intent stands; the trouble before it is the one to tell
                self._conclude(self._sending)
        if self._fetching:
            self._held.free(self._fetching.size_bytes)

    def _slot(self) -> int:
        """Lanes have slots of their own, and a lane uses its slots in turn."""
        self._number += 1
        return self._lane.number * SLOTS + self._number % SLOTS
