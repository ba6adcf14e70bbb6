"""Normalisation of flags and dates for the destination."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from importer.domain.mailbox_content import KeywordRule
from importer.domain.messages.normalise import (
    DATE_FROM_FIELD,
    DATE_MOVED,
    DATE_UNKNOWN,
    UNKNOWN_DATE,
    fit_flags,
    fit_internaldate,
)

ANY = KeywordRule()
NONE = KeywordRule(any_keyword=False)
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
DATED = b"Subject: x\r\nDate: Tue, 3 Mar 2020 04:05:06 -0330\r\n\r\n"
WRITTEN = "03-Mar-2020 04:05:06 -0330"


# --- Flags ------------------------------------------------------------------------------------------


def test_the_five_system_flags_and_valid_keywords_keep_their_order() -> None:
    flags = ("\\Flagged", "$Forwarded", "\\seen", "\\ANSWERED", "work", "\\Draft", "\\Deleted")
    fitted = ("\\Flagged", "$Forwarded", "\\Seen", "\\Answered", "work", "\\Draft", "\\Deleted")
    assert fit_flags(flags, ANY) == (fitted, 0)


def test_recent_is_dropped_without_being_counted() -> None:
    assert fit_flags(("\\Recent", "\\Seen", "\\RECENT"), ANY) == (("\\Seen",), 0)


def test_an_unknown_system_flag_is_dropped_and_counted() -> None:
    assert fit_flags(("\\Important", "\\Seen", "\\*"), ANY) == (("\\Seen",), 2)


@pytest.mark.parametrize(
    "keyword", ["a]", "a b", "a(b", "a)", "{1}", "a%", "a*", 'a"', "a\\b", "ü", "", "a\x00", "a\r\nX1 NOOP"]
)
def test_a_keyword_that_is_no_atom_is_dropped(keyword: str) -> None:
    assert fit_flags((keyword, "ok"), ANY) == (("ok",), 1)
    assert fit_flags((keyword,), KeywordRule(any_keyword=False, known=frozenset({keyword}))) == ((), 1)


@pytest.mark.parametrize("keyword", ["$Label1", "NonJunk", "[Gmail", "a/b", "x~!#&'+,-.:;<=>?@^_`|}"])
def test_unusual_but_valid_keywords_are_kept(keyword: str) -> None:
    assert fit_flags((keyword,), ANY) == ((keyword,), 0)


def test_keywords_not_permitted_by_the_folder_are_dropped_and_counted() -> None:
    rule = KeywordRule(any_keyword=False, known=frozenset({"$Forwarded"}))
    assert fit_flags(("work", "$Forwarded", "home", "\\Seen"), rule) == (("$Forwarded", "\\Seen"), 2)
    assert fit_flags(("work", "\\Seen"), NONE) == (("\\Seen",), 1)


def test_a_known_keyword_gets_the_spelling_of_the_destination() -> None:
    assert fit_flags(("$forwarded",), KeywordRule(False, frozenset({"$Forwarded"}))) == (("$Forwarded",), 0)
    assert fit_flags(("$forwarded",), KeywordRule(True, frozenset({"$Forwarded"}))) == (("$Forwarded",), 0)


def test_a_repeated_flag_is_set_or_dropped_once() -> None:
    assert fit_flags(("\\Seen", "\\SEEN", "work", "Work"), ANY) == (("\\Seen", "work"), 0)
    assert fit_flags(("work", "Work"), NONE) == ((), 1)


# --- INTERNALDATE -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        " 1-Feb-1998 10:00:00 +0200",
        "01-Feb-1998 10:00:00 +0200",
        "29-Feb-2024 23:59:59 -1130",
        "17-Jul-1996 02:44:25 -0000",
        "01-Jan-1970 00:00:01 +0000",
        "31-Dec-1969 19:00:01 -0500",
        "02-Mar-2026 12:00:00 +0000",
        "03-Mar-2026 01:45:00 +1345",
    ],
)
def test_a_valid_date_is_not_changed(text: str) -> None:
    assert fit_internaldate(text, DATED, NOW) == (text, 0)
    assert fit_internaldate(f'"{text}"', DATED, NOW) == (text, 0)


@pytest.mark.parametrize(
    ("text", "fitted"),
    [
        ("1-Feb-1998 10:00:00 +0200", "01-Feb-1998 10:00:00 +0200"),
        ("01-FEB-1998 10:00:00 +0200", "01-Feb-1998 10:00:00 +0200"),
        ("1-Feb-98 10:00:00 +0200", "01-Feb-1998 10:00:00 +0200"),
        (" 1-Feb-04 10:00:00 +0200", " 1-Feb-2004 10:00:00 +0200"),
    ],
)
def test_the_spelling_of_a_date_is_corrected(text: str, fitted: str) -> None:
    assert fit_internaldate(text, DATED, NOW) == (fitted, 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NIL",
        "32-Jan-2020 00:00:00 +0000",
        "30-Feb-2020 00:00:00 +0000",
        "00-Jan-2020 00:00:00 +0000",
        "01-Xyz-2020 00:00:00 +0000",
        "01-Jan-2020 24:00:00 +0000",
        "01-Jan-2020 00:00:60 +0000",
        "01-Jan-2020 00:00:00 +9900",
        "01-Jan-2020 00:00:00 +0060",
        "01-Jan-2020 00:00:00 GMT",
        "01-Jan-2020 00:00:00",
        "01-Jan-0000 00:00:00 +0000",
        "01-Jan-0001 00:00:00 +1400",
        "31-Dec-9999 23:59:59 -1400",
        "31-Dec-1969 23:59:59 +0000",
        "01-Jan-1970 00:59:59 +0100",
        "02-Mar-2026 12:00:01 +0000",
        "٠١-Jan-2020 00:00:00 +0000",
        "01-Jan-2020 00:00:00 +0000\n",
        "01-Jan-2020 00:00:00 +0000\r\nX1 NOOP",
    ],
)
def test_an_unusable_date_is_replaced_by_the_date_field(text: str) -> None:
    assert fit_internaldate(text, DATED, NOW) == (WRITTEN, DATE_FROM_FIELD)


# --- The Date field -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "fitted"),
    [
        ("Sun, 1 Feb 1998 10:00:00 +0200", "01-Feb-1998 10:00:00 +0200"),
        ("1 Feb 98 10:00 EST", "01-Feb-1998 10:00:00 -0500"),
        ("Sun, 1 Feb 1998\r\n\t10:00:00 +0530 (a comment)", "01-Feb-1998 10:00:00 +0530"),
        ("Sun, 1 Feb 1998 10:00:00 -0000", "01-Feb-1998 10:00:00 +0000"),
        ("Sun, 1 Feb 1998 10:00:00", "01-Feb-1998 10:00:00 +0000"),
    ],
)
def test_the_date_field_keeps_its_zone(field: str, fitted: str) -> None:
    assert fit_internaldate("NIL", f"date: {field}\r\n\r\n".encode(), NOW) == (
        fitted,
        DATE_FROM_FIELD,
    )


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"Subject: no date\r\n\r\n",
        b"Date:\r\n\r\n",
        b"Date: yesterday\r\n\r\n",
        b"Date: \xff\xfe\x00\r\n\r\n",
        b"Date: Thu, 32 Jan 2020 00:00:00 +0000\r\n\r\n",
        b"Date: Wed, 1 Jan 2020 25:00:00 +0000\r\n\r\n",
        b"Date: Wed, 1 Jan 2020 00:00:00 +9999\r\n\r\n",
        b"Date: Wed, 1 Jan 99999999999999999999 00:00:00 +0000\r\n\r\n",
        b"Date: Fri, 1 Jan 2100 00:00:00 +0000\r\n\r\n",
        b"Date: Wed, 31 Dec 1969 23:59:59 +0000\r\n\r\n",
        b"Date: Thu, 1 Jan 1970 00:00:00 +0000\r\n\r\n",
        b"Date: , , ,\r\n\r\n",
        b"Date: 1 2 3 4 5 6 7 8 9\r\n\r\n",
        b"\r\nDate: Tue, 3 Mar 2020 04:05:06 -0330\r\n",
    ],
)
def test_a_message_without_any_usable_date_gets_the_epoch(header: bytes) -> None:
    assert fit_internaldate("NIL", header, NOW) == (UNKNOWN_DATE, DATE_UNKNOWN)


@pytest.mark.parametrize("text", ["01-Jan-1970 00:00:00 +0000", "31-Dec-1969 19:00:00 -0500"])
def test_the_epoch_which_servers_replace_by_now_moves_by_a_second(text: str) -> None:
    assert fit_internaldate(text, DATED, NOW) == ("01-Jan-1970 00:00:01 +0000", DATE_MOVED)


def test_the_caller_passes_the_current_time() -> None:
    text = "01-Jan-2027 00:00:00 +0000"
    assert fit_internaldate(text, b"", NOW) == (UNKNOWN_DATE, DATE_UNKNOWN)
    assert fit_internaldate(text, b"", NOW + timedelta(days=365)) == (text, 0)
