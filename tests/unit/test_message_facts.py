"""Sizes and dates of messages, packed for the ledger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.compact.message_facts import pack_date, pack_facts, part_of_facts, unpack_facts
from importer.domain.messages.normalise import UNKNOWN_DATE, fit_internaldate, instant_of

_NOW = datetime(2026, 11, 30, tzinfo=UTC)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2**32 - 1),
            st.integers(0, 1_790_000_000),
            st.sampled_from([0, -570, 840]),
        ),
        max_size=40,
    )
)
def test_sizes_and_dates_come_back(drawn: list[tuple[int, int, int]]) -> None:
    messages = [
        (size, datetime.fromtimestamp(seconds, timezone(timedelta(minutes=minutes))))
        for size, seconds, minutes in drawn
    ]
    dates = b"".join(pack_date(date.strftime("%d-%b-%Y %H:%M:%S %z")) for _, date in messages)
    facts = pack_facts([size for size, _ in messages], dates)
    unpacked = unpack_facts(facts, len(messages))
    assert [(size, date and date.isoformat()) for size, date in unpacked] == [
        (size, date.isoformat()) for size, date in messages
    ]
    chosen = list(range(0, len(messages), 3))
    assert unpack_facts(part_of_facts(facts, len(messages), chosen), len(chosen)) == [
        unpacked[at] for at in chosen
    ]


@pytest.mark.parametrize("text", [" 1-Feb-2020 01:02:03 +0100", "01-Feb-2020 01:02:03 -0330", UNKNOWN_DATE])
def test_a_date_that_servers_send_is_the_same_instant(text: str) -> None:
    fitted, _ = fit_internaldate(text, b"", _NOW)
    assert unpack_facts(pack_facts([1], pack_date(fitted)), 1)[0][1] == instant_of(text)


def test_what_is_not_known_is_not_invented() -> None:
    assert pack_facts([0, 0]) == b""
    assert unpack_facts(b"", 2) == [(0, None), (0, None)]
    assert unpack_facts(pack_facts([7, 0]), 2) == [(7, None), (0, None)]


def test_a_message_takes_about_six_bytes() -> None:
    sizes = [2_000 + 37 * at % 9_000 for at in range(200)]
    dates = b"".join(
        pack_date(
            (_NOW - timedelta(hours=7 * at, seconds=at * at % 3600)).strftime("%d-%b-%Y %H:%M:%S +0100")
        )
        for at in range(200)
    )
    assert len(pack_facts(sizes, dates)) < 200 * 7
