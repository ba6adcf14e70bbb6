"""The date from which on mail is copied.

It is compared with INTERNALDATE, the instant at which the server received a message, from 00:00 UTC of that
day on. IMAP's SEARCH SINCE disregards time and zone (RFC 9051 section 6.4.4), so it decides nothing here. A
message without a date that a server would keep (`normalise.usable_instant`) is copied.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time

from importer.domain.csv_import.csv_cells import Refused
from importer.domain.messages.normalise import usable_instant
from importer.domain.messages.skip_reason import SkipReason
from providers.frozen import frozen


@frozen
class Since:
    """The first day whose mail is copied; None: all mail is."""

    day: date | None = None

    def leaves_out(self, internaldate: str, now: datetime) -> bool:
        """Whether a message with that INTERNALDATE is too old. `now` is aware."""
        if self.day is None:
            return False
        received_at = usable_instant(internaldate, now)
        return received_at is not None and received_at < datetime.combine(self.day, time(), UTC)

    @property
    def reason(self) -> SkipReason:
        """Why a message is left out."""
        return SkipReason("before_date", str(self))

    def __str__(self) -> str:
        return "all" if self.day is None else self.day.isoformat()


def read_since(text: str) -> Since:
    """The value of a text that is not empty. Raises Refused."""
    if text.casefold() == "all":
        return Since()
    refused = Refused("since_invalid")
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        raise refused
    try:
        return Since(date.fromisoformat(text))
    except ValueError:
        raise refused from None
