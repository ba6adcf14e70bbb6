"""The objects that one leg works with."""

from __future__ import annotations

import math
import sys
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from importer.compact.digest_set import Digests, DigestSet
from importer.compact.uid_set import Uid, UidSet
from importer.domain.mailbox_content import FolderRef, FolderStatus
from importer.domain.model import Import, ImportId
from importer.domain.planning.retry_limits import MAX_RENEWALS, MAX_VERDICTS_IN_A_ROW, MOST_WITHOUT_ROOM
from importer.domain.planning.server_limits import BATCH_S
from importer.domain.receipts.folder_history import never
from importer.ports.leases import Lease
from importer.ports.ledger import Ledger
from importer.ports.mailbox import MailboxReader, MailboxWriter
from importer.ports.mailbox_errors import FolderUnusable
from importer.ports.process import Budget, Clock, Observer
from providers.errors import Side
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


_LEAST_FLAGGED: Final = 2
"""Copies that must lack a flag to prove that the destination ignores it: of one alone, its owner may have
removed it."""


@frozen
class FlaggedCopies:
    """Copies that were just appended into a folder with system flags: their UIDs, and where these are not
    known all those that they may have; how many they are; how many have each flag, by its name in lower
    case."""

    uids: UidSet = UidSet()
    number: int = 0
    numbers: Mapping[str, int] = field(default_factory=dict)


class DestinationTraits:
    """How the destination behaves, as far as a leg has seen it on all lanes. Thread-safe.

    `kept_flags`, `lost_flags`: the system flags of appended messages that it keeps, that it ignores; as far
    as copies were looked at. `accepted`: the folder of the last batch that it accepted, and the lowest UID
    that its copies may have. `shows_late`: whether it may show copies later than it stores them; not after a
    wait in vain.
    """

    def __init__(self) -> None:
        self.kept_flags = self.lost_flags = frozenset[str]()
        self.shows_late = True
        self.accepted: tuple[FolderRef, Uid] | None = None
        self._lock = threading.Lock()
        self._stored = 0
        self._verdicts_in_a_row = 0
        self._renewals_left = MAX_RENEWALS
        self._flagged: dict[FolderRef, FlaggedCopies] = {}
        self._without_room: set[str] = set()

    def stored(self, folder: str) -> None:
        """It stored a batch, or a part of it."""
        with self._lock:
            self._stored += 1
            self._verdicts_in_a_row = 0
            self._without_room &= {folder}

    def is_full(self, folder: str) -> bool:
        """Note that it has no room for a message in this folder. Return whether it counts as full: it said so
        of MOST_WITHOUT_ROOM folders, and has stored nothing elsewhere since. A quota may be that of one
        folder."""
        with self._lock:
            self._without_room.add(folder)
            return len(self._without_room) >= MOST_WITHOUT_ROOM

    def may_be_full(self, folder: str) -> bool:
        """Whether it had no room in another folder, and has stored nothing elsewhere since."""
        with self._lock:
            return bool(self._without_room - {folder})

    def has_room_beside(self, folder: str) -> bool:
        """Whether it stored messages elsewhere after it had no room for one in this folder."""
        return folder not in self._without_room

    @property
    def stored_batches(self) -> int:
        return self._stored

    def may_refuse(self) -> bool:
        """Count a message that is to be refused because it ends connections. False: too many in a row."""
        with self._lock:
            self._verdicts_in_a_row += 1
            return self._verdicts_in_a_row <= MAX_VERDICTS_IN_A_ROW

    def may_renew(self) -> bool:
        """Count a connection that is opened only to rule out that the old one is the reason for a refusal."""
        with self._lock:
            self._renewals_left -= 1
            return self._renewals_left >= 0

    def note_flagged(self, folder: FolderRef, copies: FlaggedCopies) -> None:
        """Copies were appended with flags. The latest ones are noted, at least two if there are."""
        with self._lock:
            before = self._flagged.get(folder)
            if before is not None and copies.number < _LEAST_FLAGGED:
                numbers = Counter(before.numbers) + Counter(copies.numbers)
                copies = FlaggedCopies(before.uids | copies.uids, before.number + copies.number, numbers)
            self._flagged[folder] = copies

    def take_flagged(self, folder: FolderRef) -> FlaggedCopies:
        """Remove and return what was noted for the folder."""
        with self._lock:
            return self._flagged.pop(folder, FlaggedCopies())

    def has_open_flags(self, copies: FlaggedCopies) -> bool:
        """Whether these copies have flags of which it is not known whether they are kept."""
        return not copies.numbers.keys() <= self.kept_flags | self.lost_flags

    def learn_flags(self, copies: FlaggedCopies, now: Sequence[Collection[str]]) -> int:
        """The folder lists messages with the flags `now`, of those that these copies may be. Return how many
        copies at least lack a flag that none has. One alone proves nothing: its owner may have removed it."""
        if len(now) < copies.number:
            return 0  # some were removed
        listed = {name for flags in now for name in flags}
        with self._lock:
            self.kept_flags |= copies.numbers.keys() & listed
            if copies.number >= _LEAST_FLAGGED:
                lost = {n for n, m in copies.numbers.items() if m >= _LEAST_FLAGGED or not self.kept_flags}
                self.lost_flags |= lost - self.kept_flags
            open_ = copies.numbers.keys() - self.kept_flags
        return max((copies.numbers[name] for name in open_), default=0)

    def lost_of(self, flags: Mapping[str, str]) -> Mapping[str, str]:
        """Those of the flags of a message, by their names in lower case, that were ignored."""
        if self.lost_flags and not self.kept_flags:
            return flags
        return {name: flag for name, flag in flags.items() if name in self.lost_flags}


class BatchPace:
    """How many messages a lane reads and stores in BATCH_S each, by the last batch of any. Thread-safe."""

    def __init__(self) -> None:
        self._most = {Side.SOURCE: sys.maxsize, Side.DESTINATION: sys.maxsize}

    def took(self, side: Side, messages: int, seconds: float) -> None:
        """A batch of so many messages was read, or stored, in that time."""
        if messages and seconds > 0:
            self._most[side] = math.ceil(messages * BATCH_S / seconds)

    @property
    def most_messages(self) -> int:
        """For the next batch: as many as the slower side manages."""
        return min(self._most.values())


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
