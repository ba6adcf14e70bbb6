"""The date from which on mail is copied: INTERNALDATE as an instant, from 00:00 UTC on."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from importer.domain.csv_import.csv_cells import Refused
from importer.domain.messages.since import Since, read_since
from importer.domain.messages.skip_reason import VANISHED, SkipReason
from providers.text import Text

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("internaldate", "left_out"),
    [
        ("31-Jan-2024 00:00:00 +0000", False),
        ("30-Jan-2024 23:59:59 +0000", True),
        ("31-Jan-2024 00:30:00 +0100", True),  # 30 January, 23:30 UTC
        ("30-Jan-2024 22:30:00 -0200", False),  # 31 January, 00:30 UTC
        (" 1-Feb-2024 08:00:00 +0000", False),
        ("01-Jan-1970 00:00:00 +0000", False),  # stands in for a missing date
        ("01-Jan-1969 00:00:00 +0000", False),
        ("01-Dec-2026 00:00:00 +0000", False),
        ("32-Jan-2001 00:00:00 +0000", False),
        ("", False),
    ],
)
def test_a_message_is_left_out_only_if_its_instant_is_before_the_day(
    internaldate: str, left_out: bool
) -> None:
    assert read_since("2024-01-31").leaves_out(internaldate, NOW) is left_out
    assert not Since().leaves_out(internaldate, NOW)


@pytest.mark.parametrize(
    "text", ["2024-1-31", "31.01.2024", "2023-02-29", "20240131", "yesterday", "٢٠٢٤-٠١-٣١"]
)
def test_what_is_no_date_is_refused_with_the_form_to_write(text: str) -> None:
    with pytest.raises(Refused) as refused:
        read_since(text)
    assert refused.value.rule == "since_invalid"


def test_a_date_is_written_as_it_is_read() -> None:
    assert str(read_since("2024-02-29")) == "2024-02-29"
    assert (str(read_since("ALL")), read_since("all")) == ("all", Since())
    assert read_since("2024-02-29").reason == SkipReason("before_date", "2024-02-29")


@pytest.mark.parametrize(
    ("stored", "reason", "text"),
    [
        (
            "before_date:2024-02-29",
            read_since("2024-02-29").reason,
            Text("before_date", date=date(2024, 2, 29)),
        ),
        ("vanished", VANISHED, Text("vanished")),
        ("hidden_by_imap", SkipReason("hidden_by_imap"), Text("other.words", words="hidden_by_imap")),
        ("a: b:", SkipReason("a", " b:"), Text("other.words", words="a: b:")),
        ("a:", SkipReason("a:"), Text("other.words", words="a:")),
        ("", SkipReason(""), Text("other.words", words="")),
    ],
)
def test_a_stored_reason_is_read_as_it_was_written(stored: str, reason: SkipReason, text: Text) -> None:
    assert SkipReason.read(stored) == reason
    assert str(reason) == stored
    assert reason.text == text
