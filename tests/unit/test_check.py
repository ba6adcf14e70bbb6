"""The check of both mailboxes before an import."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from importer.compact.uid_set import Uid, UidSet
from importer.domain.mailbox_content import FolderRef, Message, NotHandedOut, Quota
from importer.domain.model import State
from importer.domain.planning.host_allowance import Allowance
from importer.domain.planning.time_estimate import (
    Amount,
    Basis,
    DailyCap,
    Estimate,
    ReadTrial,
    Throughput,
    estimate,
)
from importer.domain.reporting.check_warnings import check_warnings
from importer.domain.reporting.mailbox_check import Check, CheckPhase
from importer.i18n.check_texts import check_json, warning_text
from importer.i18n.translations import texts
from importer.service.imports import measure_folder, speed_trial
from importer.service.imports.check_mailboxes import check
from importer.service.imports.measure_folder import sampled
from providers.endpoint import Secret
from providers.errors import ServerUnavailable, Side
from providers.text import Text
from tests.english import said
from tests.fakes.mailbox import MemoryReader
from tests.unit.test_service import DATE, DESTINATION, SOURCE, Office

T = datetime(2026, 3, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


@pytest.fixture
def office() -> Office:
    return Office()


def run_check(office: Office, source: str = "secret", destination: str = "secret") -> list[Check]:
    return list(check(office.deps, (SOURCE, Secret(source)), (DESTINATION, Secret(destination))))


def warnings(check_: Check) -> tuple[str, ...]:
    return tuple(warning_text(texts("en"), warning) for warning in check_warnings(check_))


def test_logins_are_reported_first_and_totals_last(office: Office) -> None:
    office.old.create("Archive").add((), "31-Dec-1999 23:59:59 +0000", b"x" * 1000)
    office.new.quota = Quota(100, 10_000)
    steps = run_check(office)
    assert [steps[0].source.look, steps[0].destination.look] == [CheckPhase.CONNECTING] * 2
    first_counting = next(
        step for step in steps if CheckPhase.COUNTING in (step.source.look, step.destination.look)
    )
    assert not first_counting.folders
    check_ = steps[-1]
    assert (check_.done, check_.ready, check_.fits) == (True, True, True)
    assert (check_.source.messages, check_.source.folders, check_.source.exact) == (7, 2, True)
    assert check_.source.size_bytes == 1000 + 6 * len(b"Subject: 0\r\n\r\ntext\r\n")
    assert (check_.source.oldest, check_.source.newest) == (
        datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    assert {f.source_folder: (f.destination_folder, f.there) for f in check_.folders} == {
        "INBOX": ("INBOX", 0),
        "Archive": ("Archive", None),
    }
    assert check_.to_copy.messages == 7
    assert check_.free_bytes == 9900
    assert check_json(texts("en"), check_)["done"] is True


def test_a_check_changes_nothing(office: Office) -> None:
    before = {name: dict(folder.messages) for name, folder in office.old.folders.items()}
    office.old.create("Archive")
    run_check(office)
    assert {n: dict(f.messages) for n, f in office.old.folders.items()} == {**before, "Archive": {}}
    assert set(office.new.folders) == {"INBOX"}
    assert office.store.imports() == []
    assert office.submit()[0].value == "started"  # all slots have been released
    assert office.work(office.store.imports()[0].id).state is State.COMPLETE


@pytest.mark.parametrize(
    ("source", "destination"), [("wrong", "secret"), ("secret", "wrong"), ("wrong", "wrong")]
)
def test_a_rejected_login_does_not_hide_the_other_side(office: Office, source: str, destination: str) -> None:
    check_ = run_check(office, source, destination)[-1]
    assert (check_.done, check_.ready, check_.estimate) == (True, False, None)
    for password, side in ((source, check_.source), (destination, check_.destination)):
        assert side.look is (CheckPhase.FAILED if password == "wrong" else CheckPhase.DONE)
        assert (side.problem is None) == (password == "secret")
    if source == "secret":
        assert check_.source.messages == 6


def test_an_error_while_counting_is_reported(office: Office) -> None:
    def fault(operation: str) -> None:
        if operation == "uids":
            raise ServerUnavailable()

    office.old.fault = fault
    check_ = run_check(office)[-1]
    assert check_.source.problem is not None
    assert (check_.source.look, said(check_.source.problem)) == (
        CheckPhase.FAILED,
        said(Text("server_unavailable")),
    )


def test_already_imported_messages_are_not_counted_again(office: Office) -> None:
    done = office.work(office.submit()[1])
    assert done.state is State.COMPLETE
    office.old.folders["INBOX"].add((), DATE, b"Subject: new\r\n\r\n")
    [inbox] = run_check(office)[-1].folders
    assert (inbox.messages, inbox.known, inbox.there) == (7, 6, 6)
    assert inbox.to_copy.messages == 1


def test_messages_that_another_program_brought_are_forecast(office: Office) -> None:
    existing = [f"X-TUID: 2nBQcJjxNzpR\r\nSubject: {n}\r\n\r\ntext\r\n".encode() for n in range(4)]
    for body in (existing[3], *existing, b"Subject: other\r\n\r\n"):
        office.new.folders["INBOX"].add((), DATE, body)
    check_ = run_check(office)[-1]
    [inbox] = check_.folders
    assert (inbox.messages, inbox.known, inbox.recognised, inbox.there) == (6, 0, 4, 6)
    assert (check_.recognised, check_.to_copy.messages) == (4, 2)
    assert check_json(texts("en"), check_)["recognised"] == 4
    assert office.work(office.submit()[1]).state is State.COMPLETE
    assert len(office.new.folders["INBOX"].messages) == 8
    assert run_check(office)[-1].recognised == 0


def test_messages_of_one_header_are_forecast_as_often_as_they_are_there(office: Office) -> None:
    office.old.folders["INBOX"].messages.clear()
    for percent in range(80, 90):
        office.old.folders["INBOX"].add((), DATE, b"Subject: disk\r\n\r\n%d %% full\r\n" % percent)
    office.new.folders["INBOX"].add((), DATE, b"Subject: disk\r\n\r\n80 % full\r\n")
    assert run_check(office)[-1].to_copy.messages == 9


def test_a_destination_that_cannot_be_examined_does_not_stop_the_check(office: Office) -> None:
    def fault(operation: str) -> None:
        if operation == "headers":
            raise ServerUnavailable(side=Side.DESTINATION)

    office.new.folders["INBOX"].add((), DATE, b"Subject: 0\r\n\r\ntext\r\n")
    office.new.fault = fault
    check_ = run_check(office)[-1]
    assert (check_.ready, check_.recognised, check_.to_copy.messages) == (True, 0, 6)


def test_missing_room_and_oversized_messages_are_reported(office: Office) -> None:
    office.old.folders["INBOX"].add((), DATE, b"x" * 5000)
    office.new.quota, office.new.append_limit_bytes = Quota(0, 5000), 4000
    check_ = run_check(office)[-1]
    assert check_.fits is False
    assert [warning.split(":")[0] for warning in warnings(check_)] == [
        "It does not fit",
        "Will be left out",
    ]
    office.new.quota = Quota(0, None, 5, 10)
    check_ = run_check(office)[-1]
    assert (check_.fits, check_.free_bytes, check_.free_messages) == (False, None, 5)
    assert "the new mailbox has room for 5 more messages" in warnings(check_)[0]
    office.new.quota = None
    assert run_check(office)[-1].fits is None


def test_messages_beyond_our_own_limit_are_not_blamed_on_a_server(office: Office) -> None:
    office.old.folders["INBOX"].add((), DATE, b"x" * 5000)
    office.new.append_limit_bytes = 4000
    office.deps = replace(office.deps, max_message_bytes=4500)
    check_ = run_check(office)[-1]
    assert [(folder.too_large, folder.beyond_limit) for folder in check_.folders] == [(0, 1)]
    assert warnings(check_) == (
        "Will be left out: 1 message that is larger than Mailhaul copies; the limit of 4.5\u00a0kB is"
        " its own.",
    )


def test_large_folders_are_sampled_and_marked_as_inexact(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure_folder, "SAMPLE_MESSAGES", 50)
    office.old.folders["INBOX"].messages.clear()
    for _ in range(1000):
        office.old.folders["INBOX"].add((), DATE, b"x" * 100)
    office.old.tells_sizes = False
    check_ = run_check(office)[-1]
    assert (check_.source.size_bytes, check_.source.exact, check_.source.dates_exact) == (
        100_000,
        False,
        False,
    )
    office.old.tells_sizes = True
    check_ = run_check(office)[-1]
    assert (check_.source.size_bytes, check_.source.exact, check_.source.dates_exact) == (
        100_000,
        True,
        False,
    )


@pytest.mark.parametrize("number", [0, 1, 999, 1000, 1001, 1500, 100_000])
def test_a_sample_includes_both_ends_and_respects_its_limit(number: int) -> None:
    uids = UidSet.from_ranges([(5, 4 + number)]) if number else UidSet()
    sample = sampled(uids)
    assert len(sample) <= 1000
    assert sample - uids == UidSet()
    if number:
        assert {5, 4 + number} <= set(sample)


def test_a_daily_cap_gives_an_end_date(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed_trial, "TRIAL_BYTES", 100)
    office.old.folders["INBOX"].add((), DATE, b"x" * 10_000)
    slow = Allowance("old.example", daily_down_bytes=2000)
    deps = replace(office.deps, allowance=lambda account: slow if account == SOURCE else Allowance())
    *_, check_ = check(deps, (SOURCE, Secret("secret")), (DESTINATION, Secret("secret")))
    assert check_.estimate is not None
    assert check_.estimate.capped_until is not None
    assert 3 < (check_.estimate.capped_until - office.clock.now()) / DAY < 5
    assert "limits the amount of data per day" in warnings(check_)[-1]


def test_bytes_transferred_today_count_towards_the_cap() -> None:
    def end(used_bytes: int) -> datetime | None:
        guess = estimate(Amount(10, 1000), T, read=None, daily_caps=[DailyCap(1000, used_bytes)])
        return guess.capped_until if guess else None

    assert end(0) is None
    assert end(500) == T + DAY / 2 + 5 * SECOND
    nothing = estimate(Amount(), T, read=None, daily_caps=[DailyCap(1000, 2000)])
    assert nothing is not None
    assert nothing.capped_until is None


def test_an_estimate_tells_the_cost_of_messages_from_that_of_bytes() -> None:
    """Small messages cost what each message costs; their bytes say nothing of the line."""
    small = Throughput(Amount(40, 40_000), 2 * SECOND)
    large = Throughput(Amount(1, 4_000_000), SECOND)
    guess = estimate(Amount(80, 320_000_000), T, read=ReadTrial(small, large))
    assert guess is not None
    assert 80 * SECOND < guess.low < 90 * SECOND  # 8,000 s if the bytes cost what they cost in small messages
    bounded = estimate(Amount(80, 320_000_000), T, read=ReadTrial(small))
    assert bounded is not None
    assert bounded.low < guess.low < guess.high < bounded.high


def test_huge_messages_are_forecast_by_the_beginning_of_one(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each message costs 10 ms, and 10 MB cost a second."""
    read, read_beginning = MemoryReader.messages, MemoryReader.read_beginning

    def messages(self: MemoryReader, folder: FolderRef, uids: UidSet) -> Iterator[Message | NotHandedOut]:
        for message in read(self, folder, uids):
            office.clock.sleep(0.01)
            yield message

    def beginning(self: MemoryReader, folder: FolderRef, uid: Uid, max_bytes: int) -> int:
        size_bytes = read_beginning(self, folder, uid, max_bytes)
        office.clock.sleep(0.01 + size_bytes / 10_000_000)
        return size_bytes

    monkeypatch.setattr(MemoryReader, "messages", messages)
    monkeypatch.setattr(MemoryReader, "read_beginning", beginning)
    huge = b"Subject: huge\r\n\r\n" + b"x" * 17_000_000
    for body in (*[huge] * 4, *(b"Subject: %d\r\n\r\n" % n for n in range(10))):
        office.old.folders["INBOX"].add((), DATE, body)
    forecast = run_check(office)[-1].estimate
    assert forecast is not None
    assert 6.8 * SECOND < forecast.low < 8 * SECOND
    assert forecast.high < 40 * SECOND


def test_an_estimate_needs_no_small_message() -> None:
    only_large = ReadTrial(Throughput(Amount(), timedelta(0)), Throughput(Amount(1, 2_000_000), SECOND))
    guess = estimate(Amount(8, 8 * 38_000_000), T, read=only_large)
    assert guess is not None
    assert guess.low == 152 * SECOND


def test_an_estimate_counts_folders_and_their_round_trips() -> None:
    read = ReadTrial(Throughput(Amount(40, 40_000), SECOND), round_trip=SECOND)
    near = estimate(Amount(2000, 2_000_000), T, read=read, folders=2000)
    far = estimate(Amount(2000, 2_000_000), T, read=read, folders=2000, round_trip=SECOND / 10)
    assert near is not None
    assert far is not None
    assert 30 * SECOND <= near.low < 247 * SECOND < near.high  # what it took once
    assert far.low >= near.low + 800 * SECOND


def test_an_estimate_uses_earlier_imports_or_else_the_trial_read() -> None:
    read = ReadTrial(Throughput(Amount(40, 1000), SECOND))
    guess = estimate(Amount(400, 10_000), T, read=read)
    assert guess is not None
    assert (guess.low, guess.high) == (10 * SECOND, 45 * SECOND)
    earlier = [
        Throughput(Amount(1000, 1000), 10 * SECOND),
        Throughput(Amount(100, 10**6), 8 * SECOND),
        Throughput(Amount(9, 9), DAY),
    ]
    assert estimate(Amount(2000, 2000), T, read=read, earlier=earlier) == Estimate(
        SECOND * 0.016, 165 * SECOND, Basis.EARLIER_IMPORTS
    )
    assert estimate(Amount(5, 5), T, read=None) is None
    nothing = estimate(Amount(), T, read=None)
    assert nothing is not None
    assert nothing.high < 10 * SECOND
