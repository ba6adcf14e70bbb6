"""Lifetimes of the data about people."""

from __future__ import annotations

from datetime import timedelta

from providers.frozen import frozen


@frozen
class Lifetimes:
    """Each lifetime begins at the end of an import, at the time of a mail, or at an event; `receipts` at the
    last import from the same old into the same new mailbox. Receipts hold no address. Without them, running
    an import again would copy everything again.
    """

    reports: timedelta = timedelta(days=365)  # imports and batches with their numbers; undo ends with them
    refusals: timedelta = timedelta(days=90)  # subjects and dates in reports
    mails: timedelta = timedelta(days=30)
    receipts: timedelta = timedelta(days=1825)
    leases: timedelta = timedelta(days=7)
    audit: timedelta = timedelta(days=365)  # and tokens that are no longer valid
