"""Looking at both mailboxes before anything is copied."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from importer.compact.uid_set import UidSet
from importer.domain.model import Quota, State
from importer.domain.planning.host_allowance import Allowance
from importer.domain.planning.time_estimate import Amount, DailyCap, Estimate, Throughput, estimate
from importer.domain.reporting.mailbox_check import Check, CheckPhase
from importer.service.imports import check_mailboxes as checking
from importer.service.imports.check_mailboxes import check
from providers.endpoint import Secret
from providers.errors import ServerUnavailable
from tests.unit.test_service import DATE, DESTINATION, SOURCE, Office

T = datetime(2026, 3, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


@pytest.fixture
def office() -> Office:
    return Office()


def looked(office: Office, source: str = "secret", destination: str = "secret") -> list[Check]:
    return list(check(office.deps, (SOURCE, Secret(source)), (DESTINATION, Secret(destination))))


def test_logins_are_told_first_and_all_of_it_last(office: Office) -> None:
    office.old.create("Archive").add((), "31-Dec-1999 23:59:59 +0000", b"x" * 1000)
    office.new.quota = Quota(100, 10_000)
    steps = looked(office)
    assert [steps[0].source.look, steps[0].destination.look] == [CheckPhase.CONNECTING] * 2
    first_in = next(
        step for step in steps if CheckPhase.COUNTING in (step.source.look, step.destination.look)
    )
    assert not first_in.folders
    found = steps[-1]
    assert (found.done, found.ready, found.fits) == (True, True, True)
    assert (found.source.messages, found.source.folders, found.source.exact) == (7, 2, True)
    assert found.source.size_bytes == 1000 + 6 * len(b"Subject: 0\r\n\r\ntext\r\n")
    assert (found.source.oldest, found.source.newest) == (
        datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    assert {f.source_folder: (f.destination_folder, f.there) for f in found.folders} == {
        "INBOX": ("INBOX", 0),
        "Archive": ("Archive", None),
    }
    assert found.to_copy.messages == 7
    assert found.free_bytes == 9900
    assert found.as_json()["done"] is True


def test_a_look_changes_nothing(office: Office) -> None:
    before = {name: dict(folder.messages) for name, folder in office.old.folders.items()}
    office.old.create("Archive")
    looked(office)
    assert {n: dict(f.messages) for n, f in office.old.folders.items()} == {**before, "Archive": {}}
    assert set(office.new.folders) == {"INBOX"}
    assert office.store.imports() == []
    assert office.submit()[0].value == "started"  # no budget is held any more
    assert office.work(office.store.imports()[0].id).state is State.COMPLETE


@pytest.mark.parametrize(
    ("source", "destination"), [("wrong", "secret"), ("secret", "wrong"), ("wrong", "wrong")]
)
def test_a_login_that_is_refused_hides_nothing_of_the_other_side(
    office: Office, source: str, destination: str
) -> None:
    found = looked(office, source, destination)[-1]
    assert (found.done, found.ready, found.estimate) == (True, False, None)
    for password, side in ((source, found.source), (destination, found.destination)):
        assert side.look is (CheckPhase.FAILED if password == "wrong" else CheckPhase.DONE)
        assert (side.problem is None) == (password == "secret")
    if source == "secret":
        assert found.source.messages == 6


def test_trouble_halfway_is_told_as_trouble(office: Office) -> None:
    def fault(operation: str) -> None:
        if operation == "uids":
            raise ServerUnavailable("It is busy.")

    office.old.fault = fault
    found = looked(office)[-1]
    assert found.source.problem is not None
    assert (found.source.look, found.source.problem.message) == (CheckPhase.FAILED, "It is busy.")


def test_what_earlier_imports_brought_is_not_counted_again(office: Office) -> None:
    done = office.work(office.submit()[1])
    assert done.state is State.COMPLETE
    office.old.folders["INBOX"].add((), DATE, b"Subject: new\r\n\r\n")
    [inbox] = looked(office)[-1].folders
    assert (inbox.messages, inbox.known, inbox.there) == (7, 6, 6)
    assert inbox.to_copy.messages == 1


def test_what_will_not_fit_is_told(office: Office) -> None:
    office.old.folders["INBOX"].add((), DATE, b"x" * 5000)
    office.new.quota, office.new.append_limit_bytes = Quota(0, 5000), 4000
    found = looked(office)[-1]
    assert found.fits is False
    assert [warning.split(":")[0] for warning in found.warnings] == [
        "It does not fit",
        "1 message will be left out",
    ]
    office.new.quota = Quota(0, None, 5, 10)
    found = looked(office)[-1]
    assert (found.fits, found.free_bytes, found.free_messages) == (False, None, 5)
    assert "the new mailbox has room for 5 more messages" in found.warnings[0]
    office.new.quota = None
    assert looked(office)[-1].fits is None


def test_large_folders_are_sampled_and_say_so(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "SAMPLE_MESSAGES", 50)
    office.old.folders["INBOX"].messages.clear()
    for _ in range(1000):
        office.old.folders["INBOX"].add((), DATE, b"x" * 100)
    office.old.tells_sizes = False
    found = looked(office)[-1]
    assert (found.source.size_bytes, found.source.exact, found.source.dates_exact) == (100_000, False, False)
    office.old.tells_sizes = True
    found = looked(office)[-1]
    assert (found.source.size_bytes, found.source.exact, found.source.dates_exact) == (100_000, True, False)


@pytest.mark.parametrize("number", [0, 1, 999, 1000, 1001, 1500, 100_000])
def test_a_sample_has_both_ends_and_is_no_larger_than_said(number: int) -> None:
    uids = UidSet.from_ranges([(5, 4 + number)]) if number else UidSet()
    sample = checking._sampled(uids)
    assert len(sample) <= 1000
    assert sample - uids == UidSet()
    if number:
        assert {5, 4 + number} <= set(sample)


def test_a_daily_cap_gives_a_date(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "TRIAL_BYTES", 100)
    office.old.folders["INBOX"].add((), DATE, b"x" * 10_000)
    slow = Allowance("old.example", daily_down_bytes=2000)
    deps = replace(office.deps, allowance=lambda account: slow if account == SOURCE else Allowance())
    *_, found = check(deps, (SOURCE, Secret("secret")), (DESTINATION, Secret("secret")))
    assert found.estimate is not None
    assert found.estimate.capped_until is not None
    assert 3 < (found.estimate.capped_until - office.clock.now()) / DAY < 5
    assert "limits the amount of data per day" in found.warnings[-1]


def test_what_was_moved_today_counts_into_a_cap() -> None:
    def end(used_bytes: int) -> datetime | None:
        guess = estimate(Amount(10, 1000), T, read=None, daily_caps=[DailyCap(1000, used_bytes)])
        return guess.capped_until if guess else None

    assert end(0) is None
    assert end(500) == T + DAY / 2 + 5 * SECOND
    nothing = estimate(Amount(), T, read=None, daily_caps=[DailyCap(1000, 2000)])
    assert nothing is not None
    assert nothing.capped_until is None


def test_a_span_rests_on_what_was_read_or_better_on_earlier_imports() -> None:
    read = Throughput(Amount(40, 1000), SECOND)
    guess = estimate(Amount(400, 10_000), T, read=read)
    assert guess is not None
    assert (guess.low, guess.high) == (10 * SECOND, 45 * SECOND)
    earlier = [
        Throughput(Amount(1000, 1000), 10 * SECOND),
        Throughput(Amount(100, 10**6), 8 * SECOND),
        Throughput(Amount(9, 9), DAY),
    ]
    assert estimate(Amount(2000, 2000), T, read=read, earlier=earlier) == Estimate(
        20 * SECOND, 165 * SECOND, "based on earlier imports into that host"
    )
    assert estimate(Amount(5, 5), T, read=None) is None
    nothing = estimate(Amount(), T, read=None)
    assert nothing is not None
    assert nothing.high < 10 * SECOND
