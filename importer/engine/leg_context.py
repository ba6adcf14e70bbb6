"""The objects that one leg works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from importer.compact.digest_set import Digests, DigestSet
from importer.domain.model import Import
from importer.ports.leases import Lease
from importer.ports.ledger import Ledger
from importer.ports.mailbox import MailboxSession
from importer.ports.process import Budget, Clock, Observer


@dataclass(frozen=True, slots=True)
class TransferLimits:
    """The size of an append batch, the number of connection pairs at work, the bytes that they may hold
    together, and how long to wait for an append whose reply was lost."""

    batch_messages: int = 100
    batch_bytes: int = 4 * 1024 * 1024
    lanes: int = 1
    held_bytes: int = 20 * 1024 * 1024
    settle_quiet: timedelta = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Lane:
    """One connection pair, for one thread. `number` counts from 0 and tells the lane's intents apart."""

    number: int
    source: MailboxSession
    destination: MailboxSession


@dataclass(frozen=True, slots=True)
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
    digests: Callable[[int], DigestSet] = lambda _expected: Digests()  # an empty set for about so many
