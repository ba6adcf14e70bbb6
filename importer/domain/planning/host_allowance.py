"""Limits of a mail host and their use: simultaneous connections, bytes per day, and back-off periods.

A day is any period of 24 hours, because hosts do not say when theirs begins. Google only states that the
limits are per day and that an account exceeding them is suspended for up to 24 hours
(https://support.google.com/a/answer/1071518, seen 2026-11). A limit that is kept in every period of 24 hours
is also kept on every calendar day, in any time zone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from importer.domain.reporting.totals import Totals
from providers.frozen import frozen
from providers.text import Text

DAY: Final = timedelta(hours=24)
HOUR: Final = timedelta(hours=1)

_SAMPLE_MESSAGES: Final = 20
"""With fewer copied messages than this, the average size is not representative."""


@frozen
class Allowance:
    """The limits of one host: simultaneous connections to one account and to the whole host, and bytes per 24
    hours read from one account (`down`) and written to it (`up`); None is no cap. `host` is its display
    name."""

    host: str = ""
    account_connections: int = 16
    host_connections: int = 64
    daily_down_bytes: int | None = None
    daily_up_bytes: int | None = None


@frozen
class Backoff:
    """No requests are sent to `name` (an account, or a whole host) before `until`. `text` and
    `server_text` are those of the Problem that the waiting imports get."""

    name: str
    until: datetime
    text: Text
    server_text: str = ""


@frozen
class HourlyBytes:
    """The bytes transferred in the hour that began at `hour`."""

    hour: datetime
    size_bytes: int


def account_budget(account_key: str) -> str:
    """The name of the budget of one account (`Account.key`)."""
    return f"{_ACCOUNT}{account_key}"


def host_budget(host: str) -> str:
    """The name of the budget of a whole host."""
    return f"{_HOST}{host.casefold().rstrip('.')}"


def connecting_budget(name: str) -> str:
    """The name of a pause of that budget that applies to new connections only."""
    return _CONNECTING + name


def without_connecting(name: str) -> str:
    """The name of the budget that a pause is of."""
    return name.removeprefix(_CONNECTING)


def named_budget(name: str) -> str:
    """The budget as people read and type it: `imap.old.example`, or login and host of an account."""
    return without_connecting(name).removeprefix(_HOST).removeprefix(_ACCOUNT)


def budgets_named(named: str) -> tuple[str, str]:
    """The budgets that `named_budget` shows like this."""
    return host_budget(named), account_budget(named)


def is_of_whole_host(name: str) -> bool:
    return without_connecting(name).startswith(_HOST)


def host_of_budget(name: str) -> str:
    """The host of a budget's name: the last word of an account's, too."""
    return name.rpartition(" ")[2]


_ACCOUNT: Final = "account "
_HOST: Final = "host "
_CONNECTING: Final = "connecting "


def hour_of(instant: datetime) -> datetime:
    """The start of the hour that `instant` is in."""
    return instant.replace(minute=0, second=0, microsecond=0)


def used_up_until(used: Sequence[HourlyBytes], cap_bytes: int, now: datetime) -> datetime | None:
    """None if fewer than `cap_bytes` were transferred in the last 24 hours. Otherwise the time at which half
    of the cap is free again: resuming as each hour is freed would mean a login for only a few messages."""
    recent = sorted((hourly for hourly in used if _freed_at(hourly) > now), key=lambda hourly: hourly.hour)
    total = sum(hourly.size_bytes for hourly in recent)
    if total < cap_bytes:
        return None
    for hourly in recent:
        total -= hourly.size_bytes
        if total <= cap_bytes // 2:
            return _freed_at(hourly)
    return now + DAY  # not reached: the total ends at 0


def expected_end(totals: Totals, messages_left: int, cap_bytes: int, resumes: datetime) -> datetime | None:
    """The approximate time at which the remaining messages are transferred, under a daily cap; None while too
    few messages were copied to estimate their size."""
    if totals.copied < _SAMPLE_MESSAGES:
        return None
    left_bytes = messages_left * totals.copied_bytes / totals.copied
    return resumes + DAY * (left_bytes / cap_bytes)


def _freed_at(hourly: HourlyBytes) -> datetime:
    """The time at which the last byte of that hour is 24 hours old."""
    return hourly.hour + HOUR + DAY
