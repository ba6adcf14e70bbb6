"""Estimate of how long a copy will take: a range, and the basis of the estimate.

A copy costs time for each folder, for each message and for each byte. The last two follow from the time to
read a few small messages and a part of a large one; without a large one, each can only be bounded by the
other. The write speed of the new host is not measured, because that would change its contents. The range is
therefore wide: its low end assumes that writing is as fast as reading just was, its high end four times as
slow.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from providers.frozen import frozen
from providers.text import Text

DAY: Final = timedelta(hours=24)
_SLOWER_AT_MOST: Final = 4
_OVERHEAD: Final = timedelta(seconds=5)
"""For connecting, listing and recounting."""

_ROUND_TRIPS_OF_FOLDER: Final = 4
_FOLDER_AT_LEAST: Final = timedelta(milliseconds=15)
_FOLDER_AT_MOST: Final = timedelta(milliseconds=150)
"""To create, open, list and recount a folder, round trips aside: measured with 600 folders of one message
between maildirs, on an idle and on a busy machine."""

_FAIR_MESSAGES: Final = 100
"""Earlier imports of fewer messages are not representative."""


@frozen
class Amount:
    """A number of messages and their total size."""

    messages: int = 0
    size_bytes: int = 0


@frozen
class Throughput:
    """The amount transferred in the time `took`."""

    amount: Amount
    took: timedelta


@frozen
class ReadTrial:
    """The time to read a few `small` messages at once, and the beginning of a `large` one, if the mailbox has
    one. `round_trip` is contained in each."""

    small: Throughput
    large: Throughput | None = None
    round_trip: timedelta = timedelta(0)

    def span(self, amount: Amount) -> tuple[timedelta, timedelta]:
        """How long `amount` takes to read: at least, and at most."""
        small = max(timedelta(0), self.small.took - self.round_trip)
        if self.large is None:
            spans = _spans(amount, Throughput(self.small.amount, small))
            return min(spans), max(spans)
        large = max(timedelta(0), self.large.took - self.round_trip)
        per_byte_s = large.total_seconds() / max(1, self.large.amount.size_bytes)
        bytes_s = per_byte_s * self.small.amount.size_bytes
        per_message_s = max(0.0, small.total_seconds() - bytes_s) / max(1, self.small.amount.messages)
        took = timedelta(seconds=amount.messages * per_message_s + amount.size_bytes * per_byte_s)
        return took, took


@frozen
class DailyCap:
    """The bytes that a host allows per day, and those used in the last 24 hours."""

    cap_bytes: int
    used_bytes: int = 0


class Basis(StrEnum):
    """The basis of an estimate; its text is `estimate.<value>`."""

    DAILY_LIMITS = "daily_limits"
    NOTHING_NEW = "nothing_new"
    EARLIER_IMPORTS = "earlier_imports"
    READ_NOW = "read_now"

    @property
    def text(self) -> Text:
        return Text(f"estimate.{self}")


@frozen
class Estimate:
    """The copy takes between `low` and `high`; `basis` is what the estimate is based on.
    `capped_until` is the approximate end under a daily cap, None if no cap applies."""

    low: timedelta
    high: timedelta
    basis: Basis
    capped_until: datetime | None = None


def estimate(
    amount: Amount,
    now: datetime,
    *,
    read: ReadTrial | None,
    folders: int = 0,
    round_trip: timedelta = timedelta(0),
    earlier: Sequence[Throughput] = (),
    daily_caps: Sequence[DailyCap] = (),
) -> Estimate | None:
    """Estimate the time to copy `amount`, out of that many folders. `round_trip` is that of the slower host.

    Based on `earlier` imports into the same host if there are representative ones, otherwise on what was
    `read` from the source just now; None if there is neither. If the copy exceeds a daily cap, the estimate
    follows from the cap instead; earlier use counts towards the cap as if it came first.
    """
    capped = [
        DAY * ((amount.size_bytes + cap.used_bytes) / cap.cap_bytes - 1) + _OVERHEAD
        for cap in daily_caps
        if amount.size_bytes and amount.size_bytes + cap.used_bytes > cap.cap_bytes
    ]
    if capped:
        end = max(capped)
        return Estimate(end, end, Basis.DAILY_LIMITS, now + end)
    if not amount.messages:
        return Estimate(timedelta(0), _OVERHEAD, Basis.NOTHING_NEW)
    in_folders = folders * _ROUND_TRIPS_OF_FOLDER * round_trip
    folders_low, folders_high = (
        in_folders + folders * _FOLDER_AT_LEAST,
        _SLOWER_AT_MOST * in_folders + folders * _FOLDER_AT_MOST,
    )
    fair = [throughput for throughput in earlier if throughput.amount.messages >= _FAIR_MESSAGES]
    if fair:
        spans = [span for throughput in fair for span in _spans(amount, throughput)]
        low, high = max(min(spans), folders_low), max(spans) + folders_high + _OVERHEAD
        return Estimate(low, high, Basis.EARLIER_IMPORTS)
    if read is None or not (read.small.amount.messages or read.large):
        return None
    least, most = read.span(amount)
    return Estimate(
        least + folders_low,
        most * _SLOWER_AT_MOST + folders_high + _OVERHEAD,
        Basis.READ_NOW,
    )


def _spans(amount: Amount, throughput: Throughput) -> tuple[timedelta, timedelta]:
    """How long `amount` takes at that throughput if only messages count, and if only bytes do: the real time
    is in between."""
    by_messages = amount.messages / max(1, throughput.amount.messages)
    by_bytes = amount.size_bytes / max(1, throughput.amount.size_bytes)
    return throughput.took * by_messages, throughput.took * by_bytes
