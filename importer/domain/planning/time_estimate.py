"""How long a copy will take, as far as anybody can know before it: a span, and what it rests on.

Nobody tries how fast the new host stores, because that would change something there. So the span is wide:
its low end takes storing for as fast as reading was just now, its high end for four times as slow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

DAY: Final = timedelta(hours=24)
_SLOWER_AT_MOST: Final = 4
_OVERHEAD: Final = timedelta(seconds=5)
"""Connecting, listing, recounting."""

_FAIR_MESSAGES: Final = 100
"""Earlier imports of fewer messages say little about pace."""


@dataclass(frozen=True, slots=True)
class Amount:
    """Messages, and the bytes in them."""

    messages: int = 0
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Throughput:
    """So much was moved in `took`."""

    amount: Amount
    took: timedelta


@dataclass(frozen=True, slots=True)
class DailyCap:
    """What a host lets through in a day, and how much of that has been moved in the last 24 hours."""

    cap_bytes: int
    used_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """Between `low` and `high`; `basis` says in words what that rests on. `capped_until` is about when it
    ends under a daily cap, None where none comes into play."""

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
    """The span for `amount`: by `earlier` imports into the same host where there are any, else by what was
    `read` just now from the source; None when neither says anything. A cap that is reached overrides it; what
    was moved before counts into it as if it came first."""
    capped = [
        DAY * ((amount.size_bytes + cap.used_bytes) / cap.cap_bytes - 1) + _OVERHEAD
        for cap in daily_caps
        if amount.size_bytes and amount.size_bytes + cap.used_bytes > cap.cap_bytes
    ]
    if capped:
        end = max(capped)
        return Estimate(end, end, "by what the hosts let through in a day", now + end)
    if not amount.messages:
        return Estimate(timedelta(0), _OVERHEAD, "there is nothing new")
    fair = [_spans(amount, pace) for pace in earlier if pace.amount.messages >= _FAIR_MESSAGES]
    if fair:
        return Estimate(min(fair), max(fair) + _OVERHEAD, "by earlier imports into that host")
    if read is None or not read.amount.messages:
        return None
    low = _spans(amount, read)
    return Estimate(low, low * _SLOWER_AT_MOST + _OVERHEAD, "by reading a few messages just now")


def _spans(amount: Amount, pace: Throughput) -> timedelta:
    """How long `amount` takes at that pace: by messages or by bytes, whichever is longer."""
    by_messages = amount.messages / max(1, pace.amount.messages)
    by_bytes = amount.size_bytes / max(1, pace.amount.size_bytes)
    return pace.took * max(by_messages, by_bytes)
