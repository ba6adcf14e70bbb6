"""Whatever is changed about a message is counted, by the engine between mailboxes in memory."""

from __future__ import annotations

import pytest

from tests.fakes.mailbox import Fault
from tests.property.world import Strike, World

HEAD = b"Message-ID: <%d@old.example>\r\nDate: Mon, 2 Feb 1998 10:00:00 +0100\r\n\r\n"
DATE = "02-Feb-1998 10:00:00 +0100"
NOW = "23-Nov-2026 12:00:00 +0000"


def world(bodies: list[bytes], date: str = DATE) -> World:
    made = World()
    for number, body in enumerate(bodies):
        made.source.folders["INBOX"].add((), date, HEAD % number + body)
    return made


def changes(made: World, faults: tuple[Strike, ...] = ()) -> dict[str, int]:
    tally = made.run(faults=faults).tallies["INBOX"]
    assert (tally.found, tally.copied, tally.confirmed) == (tally.found, tally.found, tally.found)
    return dict(tally.changes)


def test_unchanged_mail_is_not_read_back() -> None:
    made = world([b"one\r\n", b"two\r\n"])
    reads: list[str] = []
    made.source.fault = made.destination.fault = lambda operation: reads.append(operation) or None  # type: ignore[func-returns-value]
    assert made.run_with_own_faults().tallies["INBOX"].changes == {}
    assert reads.count("messages") == 1  # of the source


def test_line_ends_and_characters_that_a_server_replaces_are_counted() -> None:
    made = world([b"one\ntwo\r\n", b"\0\r\n", b"end", b"plain\r\n", b"a\rb\r\n"])
    made.destination.stores = lambda body: body.replace(b"\0", b"\x80").removesuffix(b"\r\n") + b"\r\n"
    assert changes(made) == {"line_ends": 1, "nul_replaced": 1, "last_line_ended": 1}


@pytest.mark.parametrize("date", ["", "NIL", "31-Dec-1969 23:59:59 +0000", "01-Jan-2040 00:00:00 +0000"])
def test_a_stand_in_for_a_date_is_counted_and_looked_up(date: str) -> None:
    made = world([b"one\r\n", b"two\r\n"], date)
    assert changes(made) == {"date_from_field": 2}
    made = world([b"one\r\n", b"two\r\n"], date)
    made.destination.keeps_date = lambda _date: NOW
    assert changes(made) == {"date_from_field": 2, "date_not_kept": 2}


def test_the_epoch_is_not_sent() -> None:
    made = world([b"one\r\n"], "01-Jan-1970 00:00:00 +0000")
    made.source.folders["INBOX"].add((), "", b"Subject: no date\r\n\r\nx\r\n")
    made.destination.keeps_date = lambda date: NOW if "00:00:00" in date else date
    assert changes(made) == {"date_unknown": 1, "date_moved": 1}


def test_copies_whose_uids_are_not_known_are_not_checked() -> None:
    made = world([b"\0\r\n", b"end", b"plain\r\n"])
    made.destination.gives_uids = False
    assert changes(made) == {"unchecked": 2}


@pytest.mark.parametrize("fault", list(Fault))
def test_changes_are_counted_after_a_lost_append_or_a_lost_look(fault: Fault) -> None:
    for struck in ("append", "messages", "uids"):
        made = world([b"one\ntwo\r\n", b"\0\r\n", b"end", b"plain\r\n"])
        made.destination.stores = lambda body: body.replace(b"\0", b"\x80")
        counted = changes(made, ((struck, fault), (struck, fault)))
        assert counted == {"line_ends": 1, "nul_replaced": 1}, struck
