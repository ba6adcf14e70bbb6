"""The objects that one leg works with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from importer.compact.digest_set import Digests, DigestSet
from importer.domain.mailbox_content import FolderStatus
from importer.domain.model import Import, ImportId
from importer.domain.receipts.folder_history import never
from importer.domain.receipts.receipt import Receipt
from importer.engine.batch_pace import BatchPace
from importer.engine.destination_traits import DestinationTraits
from importer.ports.leases import Lease
from importer.ports.ledger import Ledger
from importer.ports.mailbox import MailboxReader, MailboxWriter
from importer.ports.mailbox_errors import FolderUnusable
from importer.ports.process import Budget, Clock, Observer
from providers.frozen import frozen

if TYPE_CHECKING:
    from importer.domain.planning.retry_scope import RetryScope


@frozen
class TransferLimits:
    """The size of an append batch, the number of connection pairs at work, the bytes that they may hold
    together, and how long to wait for an append whose reply was lost, or for copies that are not listed."""

    batch_messages: int = 100
    batch_bytes: int = 4 * 1024 * 1024
    lanes: int = 1
    held_bytes: int = 20 * 1024 * 1024
    settle_quiet: timedelta = timedelta(seconds=10)


MOST_LISTINGS: Final = 5
"""Times that a lane lists the destination anew to search all of it. A filter may create folders as mail
arrives; with thousands of folders a listing takes longer than the copy of one of them."""


class DestinationListings:
    """The folders of the destination, for searches in all of them."""

    def __init__(self) -> None:
        self._made = 0
        self._last: Mapping[str, FolderStatus | FolderUnusable] = {}

    def latest(self, session: MailboxReader) -> Mapping[str, FolderStatus | FolderUnusable]:
        """Return the folders and their status: a new listing MOST_LISTINGS times, then the last one. Raises
        what listing raises."""
        if self._made < MOST_LISTINGS:
            self._last = session.listing().statuses
            self._made += 1
        return self._last


@frozen
class Lane:
    """One connection pair, for one thread. `number` counts from 0 and tells the lane's intents apart."""

    number: int
    source: MailboxReader
    destination: MailboxWriter
    helper: ThreadPoolExecutor | None = None
    listings: DestinationListings = field(default_factory=DestinationListings)

    @contextmanager
    def beside(self) -> Iterator[ThreadPoolExecutor]:
        """A pool of one thread for what goes on at one side meanwhile: the same one while `Lanes` work, since
        threads for each of many small folders cost more than their messages."""
        if self.helper is not None:
            yield self.helper
        else:
            with ThreadPoolExecutor(1, thread_name_prefix=f"lane-{self.number}-helper") as pool:
                yield pool


_ALL_LANES: Final = 1000


@frozen
class Leg:
    """One import and the right to write to its destination mailbox (`lease`).

    `lane` is the first connection pair. `open_lane(number)` opens another; the code behind `open_lane`, not
    the engine, closes it. Ledger, budget and observer are called from several threads.
    """

    import_: Import
    lane: Lane
    open_lane: Callable[[int], Lane]
    ledger: Ledger
    lease: Lease
    budget: Budget
    observer: Observer
    clock: Clock
    is_notice: Callable[[bytes], bool]  # recognises our own completion mails by their header
    limits: TransferLimits = field(default_factory=TransferLimits)
    share: Callable[[], int] = lambda: _ALL_LANES  # how many lanes may be at work now, as others run, too
    held_share: Callable[[int], int] = lambda alone: alone  # bytes it may hold now, of those it may alone
    digests: Callable[[int], DigestSet] = lambda _expected: Digests()  # an empty set for about so many
    traits: DestinationTraits = field(default_factory=DestinationTraits)
    pace: BatchPace = field(default_factory=BatchPace)
    retries: RetryScope | None = None  # what alone is copied; None: everything
    sent_lately: Callable[[ImportId], bool] = never  # whether copies of that import may still appear

    def copies_of_others(self, folder: str) -> Iterator[Receipt]:
        """The receipts of what other sources copied into the destination folder, and of what an undo is about
        to remove."""
        for route in {*self.ledger.routes_into(self.import_.destination)} - {self.import_.route}:
            for copies in self.ledger.copies_into(route, folder):
                yield copies.receipt
