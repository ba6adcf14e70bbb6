"""What one leg works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from importer.domain.model import Import
from importer.ports import Budget, Clock, Lease, Ledger, MailboxSession, Observer


@dataclass(frozen=True, slots=True)
class Pace:
    """How much goes into one append batch, and how long a lost reply may still come true."""

    batch_messages: int = 100
    batch_bytes: int = 4 * 1024 * 1024
    settle_quiet: timedelta = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Leg:
    """One import, both sessions, and the right to write (`lease` is that of the destination mailbox)."""

    import_: Import
    source: MailboxSession
    destination: MailboxSession
    ledger: Ledger
    lease: Lease
    budget: Budget
    observer: Observer
    clock: Clock
    is_notice: Callable[[bytes], bool]  # tells our own completion mails by their header
    pace: Pace = field(default_factory=Pace)
