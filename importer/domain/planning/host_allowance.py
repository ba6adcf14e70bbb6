"""What a host allows, and what is left of it: connections at a time, bytes in any 24 hours, pauses.

A day is any 24 hours in a row: hosts do not say when theirs begins. Google only says that the limits are
per day and that an account over them is held back for up to 24 hours
(https://support.google.com/a/answer/1071518, seen 2026-11). Whoever keeps to a limit in every stretch of
24 hours keeps to it in every calendar day too, whatever its time zone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from importer.domain.reporting.totals import Totals

DAY: Final = timedelta(hours=24)
HOUR: Final = timedelta(hours=1)

_SAMPLE_MESSAGES: Final = 20
"""Fewer copied messages than this say nothing about the size of the others."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one host allows: connections at a time to one account and to the whole host, and bytes in 24
    hours out of one account (`down`) and into it (`up`); None is no cap. `host` is its name for people."""

    host: str = ""
    account_connections: int = 16
    host_connections: int = 64
    daily_down_bytes: int | None = None
    daily_up_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Backoff:
    """Nobody asks `name` (an account, or a whole host) before `until`. `code` and `message` are those of
    the problem that the imports concerned wait for."""

    name: str
    until: datetime
    code: str
    message: str
    server_text: str = ""


@dataclass(frozen=True, slots=True)
class HourlyBytes:
    """Bytes that were moved in the hour that began at `hour`."""

    hour: datetime
    size_bytes: int


def hour_of(instant: datetime) -> datetime:
    """The beginning of its hour."""
    return instant.replace(minute=0, second=0, microsecond=0)


def used_up_until(used: Sequence[HourlyBytes], cap_bytes: int, now: datetime) -> datetime | None:
    """None while less than the cap was moved in the last 24 hours. Else when half of the cap is free
    again: going on for every freed hour would mean to log in for a few messages at a time."""
    counting = sorted((one for one in used if _freed_at(one) > now), key=lambda one: one.hour)
    total = sum(one.size_bytes for one in counting)
    if total < cap_bytes:
        return None
    for one in counting:
        total -= one.size_bytes
        if total <= cap_bytes // 2:
            return _freed_at(one)
    return now + DAY  # not reached: without any bytes the total is 0


def expected_end(totals: Totals, messages_left: int, cap_bytes: int, resumes: datetime) -> datetime | None:
    """About when the rest has been moved under that cap; None while too little is known of its size."""
    if totals.copied < _SAMPLE_MESSAGES:
        return None
    left_bytes = messages_left * totals.copied_bytes / totals.copied
    return resumes + DAY * (left_bytes / cap_bytes)


def _freed_at(one: HourlyBytes) -> datetime:
    """When the last byte of that hour is 24 hours old."""
    return one.hour + HOUR + DAY
