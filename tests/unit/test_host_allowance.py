"""The daily transfer cap of a host: when it is reached, and when the transfer may resume."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from importer.domain.planning.host_allowance import (
    DAY,
    HOUR,
    HourlyBytes,
    expected_end,
    hour_of,
    used_up_until,
)
from importer.domain.reporting.totals import Totals

NOW = datetime(2026, 3, 2, 12, 20, tzinfo=UTC)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
CAP = 2_000_000_000


def used(*by_hours_ago: tuple[int, int]) -> list[HourlyBytes]:
    return [HourlyBytes(NOON - hours * HOUR, size_bytes) for hours, size_bytes in by_hours_ago]


def test_below_the_cap_there_is_no_wait() -> None:
    assert used_up_until(used((0, CAP - 1)), CAP, NOW) is None
    assert used_up_until([], CAP, NOW) is None


def test_the_bytes_of_an_hour_expire_after_a_day() -> None:
    assert used_up_until(used((0, CAP)), CAP, NOW) == NOON + HOUR + DAY


def test_the_wait_ends_when_half_of_the_cap_is_free() -> None:
    spread = used((20, CAP // 4), (10, CAP // 4), (5, CAP // 4), (0, CAP // 4))
    assert used_up_until(spread, CAP, NOW) == NOON - 10 * HOUR + HOUR + DAY


def test_bytes_older_than_a_day_do_not_count() -> None:
    assert used_up_until(used((25, CAP), (0, 5)), CAP, NOW) is None
    assert used_up_until(used((24, CAP), (0, 5)), CAP, NOW) == NOON + HOUR


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, CAP)), max_size=30))
def test_half_of_the_cap_is_free_after_the_wait_and_not_before(moved: list[tuple[int, int]]) -> None:
    hours = used(*moved)
    until = used_up_until(hours, CAP, NOW)
    if until is not None:
        assert NOW < until <= NOW + HOUR + DAY

        def counted_bytes(at: datetime) -> int:
            return sum(hour.size_bytes for hour in hours if hour.hour + HOUR + DAY > at)

        assert counted_bytes(until) <= CAP // 2 < counted_bytes(until - timedelta(microseconds=1))


def test_the_end_is_estimated_from_the_copied_messages() -> None:
    copied = Totals(found=300, copied=100, copied_bytes=100 * 20_000_000)
    assert expected_end(copied, 200, CAP, NOW) == NOW + 2 * DAY
    assert expected_end(Totals(copied=19, copied_bytes=5), 200, CAP, NOW) is None


def test_an_hour_starts_at_its_first_second() -> None:
    assert hour_of(NOW) == NOON
