"""Estimate of how long a copy will take: a range, and the basis of the estimate.

The write speed of the new host is not measured, because that would change its contents. The range is
therefore wide: its low end assumes that writing is as fast as reading just was, its high end four times as
slow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

DAY: Final = timedelta(hours=24)
_SLOWER_AT_MOST: Final = 4
_OVERHEAD: Final = timedelta(seconds=5)
"""For connecting, listing and recounting."""

_FAIR_MESSAGES: Final = 100
"""Earlier imports of fewer messages are not representative."""


@dataclass(frozen=True, slots=True)
class Amount:
    """A number of messages and their total size."""

    messages: int = 0
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Throughput:
    """The amount transferred in the time `took`."""

    amount: Amount
    took: timedelta


@dataclass(frozen=True, slots=True)
class DailyCap:
    """The bytes that a host allows per day, and those used in the last 24 hours."""

    cap_bytes: int
    used_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """The copy takes between `low` and `high`; `basis` says in words what the estimate is based on.
    `capped_until` is the approximate end under a daily cap, None if no cap applies."""

    low: timedelta
    high: timedelta
    basis: str
    capped_until: datetime | None = None


def estimate(
    amount: Amount,
    now: datetime,
    *,
    read: Throughput | None,
    earlier: Sequence[Throughput] = (),
    daily_caps: Sequence[DailyCap] = (),
) -> Estimate | None:
    """Estimate the time to copy `amount`.

    Based on `earlier` imports into the same host if there are representative ones, otherwise on what was
    `read` from the source just now; None if there is neither. If the copy exceeds a daily cap, the estimate
    follows from the cap instead; what was used before counts towards the cap as if it came first.
    """
    capped = [
        DAY * ((amount.size_bytes + cap.used_bytes) / cap.cap_bytes - 1) + _OVERHEAD
        for cap in daily_caps
        if amount.size_bytes and amount.size_bytes + cap.used_bytes > cap.cap_bytes
    ]
    if capped:
        end = max(capped)
        return Estimate(end, end, "because of the daily limits of the hosts", now + end)
    if not amount.messages:
        return Estimate(timedelta(0), _OVERHEAD, "because there is nothing new")
    spans = [
        _span(amount, throughput) for throughput in earlier if throughput.amount.messages >= _FAIR_MESSAGES
    ]
    if spans:
        return Estimate(min(spans), max(spans) + _OVERHEAD, "based on earlier imports into that host")
    if read is None or not read.amount.messages:
        return None
    low = _span(amount, read)
    return Estimate(low, low * _SLOWER_AT_MOST + _OVERHEAD, "based on reading a few messages just now")


def _span(amount: Amount, throughput: Throughput) -> timedelta:
    """How long `amount` takes at that throughput: by messages or by bytes, whichever is longer."""
    by_messages = amount.messages / max(1, throughput.amount.messages)
    by_bytes = amount.size_bytes / max(1, throughput.amount.size_bytes)
    return throughput.took * max(by_messages, by_bytes)
