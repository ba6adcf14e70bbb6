"""How long the installation keeps what it knows about people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """Each begins when the thing is over: at the end of an import, when a mail was written, at an event.

    `receipts` begins with the last import from the same old into the same new mailbox. They are what "running
    again copies only what is new" rests on, and hold no address.
    """

    reports: timedelta = timedelta(days=365)  # imports and batches with their numbers; undo ends with them
    refusals: timedelta = timedelta(days=90)  # subjects and dates in reports
    mails: timedelta = timedelta(days=30)
    receipts: timedelta = timedelta(days=1825)
    leases: timedelta = timedelta(days=7)
    audit: timedelta = timedelta(days=365)  # and tokens that are no longer valid
