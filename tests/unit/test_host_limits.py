"""The limits of hosts: connection slots, throttling and daily caps shared by all workers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from threading import Event

import pytest

from importer.bootstrap import standalone
from importer.domain.model import Account, State
from importer.domain.people.actor import Actor
from importer.domain.planning.host_allowance import DAY, HOUR, Allowance, hour_of
from importer.domain.planning.retry_limits import DEFAULT_PAUSE, PATIENCE, SLOT_WAITS
from importer.service.imports.foreground_copy import copy
from importer.service.imports.submit import submit
from importer.service.legs.host_limits import HostLimits, PostponedByHost
from importer.service.legs.run_leg import handle_ring
from importer.settings import Settings
from providers.endpoint import Endpoint
from providers.errors import ServerUnavailable, Side, Throttled
from providers.grants import Credential
from tests.english import said
from tests.fakes.mailbox import MemoryMailbox
from tests.rehearsal.ports import PATIENCE_S
from tests.unit.test_service import DATE, DESTINATION, MINUTE, SOURCE, Clock, Office, Sessions, a_row


def set_allowances(office: Office, source: Allowance, destination: Allowance | None = None) -> None:
    by_key = {SOURCE.key: source, DESTINATION.key: destination or Allowance()}
    office.deps = replace(office.deps, allowance=lambda account: by_key[account.key])


@pytest.fixture
def office() -> Office:
    return Office()


# --- Connections ------------------------------------------------------------------------------------


def test_an_import_waits_while_all_connections_are_in_use(office: Office) -> None:
    set_allowances(office, Allowance(account_connections=1))
    _, import_id = office.submit()
    office.store.acquire_slots("other", [(f"account {SOURCE.key}", 1)], office.clock.now(), 60 * MINUTE)
    waiting = office.work(import_id)
    assert waiting.problem is not None
    assert (waiting.state, waiting.problem.code) == (State.WAITING, "connections_in_use")
    assert waiting.not_before == office.clock.now() + SLOT_WAITS[0]
    assert waiting.attempts == 0
    office.store.release_slots("other")
    assert office.work(import_id).state is State.COMPLETE


def test_an_import_that_waits_for_a_slot_tries_again_soon_at_first(office: Office) -> None:
    """Until 0.2.0 each wait took 10 s; a small mailbox is copied within two."""
    set_allowances(office, Allowance(account_connections=1))
    _, import_id = office.submit()
    began = office.clock.now()
    office.store.acquire_slots("other", [(f"account {SOURCE.key}", 1)], began, 60 * MINUTE)
    tried_s: list[float] = []
    while (waited := (office.clock.now() - began).total_seconds()) < 60:
        tried_s.append(round(waited, 3))
        waiting = office.work(import_id)
        assert waiting.not_before is not None
        office.clock.sleep((waiting.not_before - office.clock.now()).total_seconds())
    waits_s = [round(after - before, 3) for before, after in pairwise(tried_s)]
    assert waits_s == sorted(waits_s)
    assert (waits_s[0], waits_s[-1]) == (0.5, 10)
    # A wait is at most half as long as all before it together, and few tries are in vain.
    assert all(wait <= max(0.5, before / 2 + 0.001) for before, wait in zip(tried_s, waits_s, strict=False))
    assert len(tried_s) <= 15
    office.store.release_slots("other")
    assert office.work(import_id).state is State.COMPLETE


def test_additional_lanes_start_only_if_there_is_a_slot(office: Office) -> None:
    for n in range(40):
        office.old.folders["INBOX"].add((), DATE, b"Subject: more %d\r\n\r\ntext\r\n" % n)
    opened: list[Side] = []

    class CountingSessions(Sessions):
        def admit(self, account: Account, credential: Credential, side: Side) -> MemoryMailbox:
            opened.append(side)
            return super().admit(account, credential, side)

    office.deps = replace(office.deps, sessions=CountingSessions(office.sessions.mailboxes))
    set_allowances(office, Allowance(account_connections=2))
    _, import_id = office.submit()
    done = office.work(
        import_id, transfer_limits=replace(office.deps.transfer_limits, lanes=4, batch_messages=2)
    )
    assert done.state is State.COMPLETE
    assert opened.count(Side.SOURCE) == opened.count(Side.DESTINATION) <= 2


def test_a_leg_releases_its_slots(office: Office) -> None:
    set_allowances(office, Allowance(account_connections=1, host_connections=1))
    _, import_id = office.submit()
    assert office.work(import_id).state is State.COMPLETE
    names = (f"account {SOURCE.key}", "host imap.old.example", "host imap.new.example")
    assert office.store.acquire_slots("other", [(name, 1) for name in names], office.clock.now(), MINUTE)


def test_the_further_lanes_of_one_import_leave_connections_for_the_first_lane_of_another(
    office: Office,
) -> None:
    set_allowances(office, Allowance(host_connections=8))
    _, import_id = office.submit()
    host_limits = HostLimits(office.deps, office.import_(import_id), "leg")
    for number in range(6):
        host_limits.acquire_slots(number)
    with pytest.raises(ServerUnavailable):
        host_limits.acquire_slots(6)
    names = ("host imap.old.example", "host imap.new.example")
    for leg in ("second", "third"):
        assert office.store.acquire_slots(leg, [(name, 8) for name in names], office.clock.now(), MINUTE)


def test_slots_can_be_renewed(office: Office) -> None:
    _, import_id = office.submit()
    set_allowances(office, Allowance(account_connections=1))
    host_limits = HostLimits(office.deps, office.import_(import_id), "leg")
    host_limits.acquire_slots(0)
    office.clock.sleep(40)
    host_limits.renew_slots()
    office.clock.sleep(40)
    name = f"account {SOURCE.key}"
    assert not office.store.acquire_slots("other", [(name, 1)], office.clock.now(), MINUTE)
    host_limits.release_slots()
    assert office.store.acquire_slots("other", [(name, 1)], office.clock.now(), MINUTE)


# --- Throttling -------------------------------------------------------------------------------------


OTHER = Account("grace@old.example", "grace@old.example", SOURCE.endpoint)


def set_throttled(office: Office, *, whole_host: bool) -> None:
    until = office.clock.now() + timedelta(seconds=299, milliseconds=990)
    office.sessions.trouble = Throttled(until=until, whole_host=whole_host, side=Side.SOURCE)


def other_import(office: Office, source: Account) -> Callable[[], State]:
    row = replace(a_row(source=source), destination=replace(DESTINATION, login="b"))
    office.sessions.mailboxes[source.key] = office.old
    office.sessions.mailboxes[row.destination.key] = office.new
    [submitted] = submit(office.deps, Actor(), [row]).rows
    return lambda: office.work(submitted.import_.id).state


@pytest.mark.parametrize(("whole_host", "expected"), [(False, State.COMPLETE), (True, State.WAITING)])
def test_throttling_postpones_other_imports_of_that_account_or_host(
    office: Office, whole_host: bool, expected: State
) -> None:
    _, import_id = office.submit()
    set_throttled(office, whole_host=whole_host)
    first = office.work(import_id)
    assert first.not_before == office.clock.now() + timedelta(seconds=299, milliseconds=990)
    office.sessions.trouble = None
    assert other_import(office, OTHER)() is expected


def test_another_import_of_the_account_waits_until_the_end_of_the_pause(office: Office) -> None:
    _, import_id = office.submit()
    set_throttled(office, whole_host=False)
    first = office.work(import_id)
    office.sessions.trouble = None
    copied = copy(office.deps, Actor(), replace(a_row(), destination=replace(DESTINATION, login="b")))
    assert copied.problem is not None
    assert (copied.state, copied.problem.code) == (State.STOPPED, "throttled")
    assert copied.problem.side is Side.SOURCE
    office.clock.sleep(299.98)
    assert office.import_(import_id).not_before == first.not_before
    handle_ring(office.deps, import_id)
    assert office.import_(import_id).state is State.WAITING
    office.clock.sleep(0.01)
    handle_ring(office.deps, import_id)
    assert office.import_(import_id).state is State.COMPLETE


def set_connections_refused(office: Office, *, whole_host: bool, until: datetime | None = None) -> None:
    office.sessions.trouble = Throttled(
        until=until,
        whole_host=whole_host,
        connecting=True,
        side=Side.SOURCE,
        server_text="Too many connections from your IP",
    )


@pytest.mark.parametrize("whole_host", [True, False])
def test_a_refused_connection_postpones_unconnected_imports_with_its_reason(
    office: Office, whole_host: bool
) -> None:
    _, import_id = office.submit()
    set_connections_refused(office, whole_host=whole_host)
    first = office.work(import_id)
    assert first.not_before == office.clock.now() + DEFAULT_PAUSE
    office.sessions.trouble = None
    row = replace(a_row(source=OTHER), destination=replace(DESTINATION, login="b"))
    office.sessions.mailboxes |= {OTHER.key: office.old, row.destination.key: office.new}
    [submitted] = submit(office.deps, Actor(), [row]).rows
    other = office.work(submitted.import_.id)
    if not whole_host:
        assert other.state is State.COMPLETE
        return
    assert (other.state, other.not_before, other.attempts) == (State.WAITING, first.not_before, 0)
    assert other.problem == first.problem
    assert other.problem is not None
    assert other.problem.server_text == "Too many connections from your IP"
    office.clock.sleep(DEFAULT_PAUSE.total_seconds())
    assert office.work(other.id).state is office.work(import_id).state is State.COMPLETE


def test_a_connected_import_continues_while_new_connections_are_refused(office: Office) -> None:
    _, import_id = office.submit()
    working = HostLimits(office.deps, office.import_(import_id), "leg")
    working.raise_if_postponed()
    working.acquire_slots(0)
    refusal = Throttled(whole_host=True, connecting=True, side=Side.SOURCE)
    working.record_throttling(refusal)
    office.clock.sleep(2)
    assert working.postponement() is None
    with pytest.raises(ServerUnavailable):
        working.acquire_slots(1)
    with pytest.raises(PostponedByHost):
        working.raise_if_postponed()
    working.record_throttling(Throttled(whole_host=True, side=Side.SOURCE))
    office.clock.sleep(2)
    assert working.postponement() is not None


def test_throttling_of_an_additional_lane_is_recorded_for_all(office: Office) -> None:
    for n in range(40):
        office.old.folders["INBOX"].add((), DATE, b"Subject: more %d\r\n\r\ntext\r\n" % n)
    opened: list[Side] = []
    throttled = Event()

    class OnePairOnly(Sessions):
        def admit(self, account: Account, credential: Credential, side: Side) -> MemoryMailbox:
            opened.append(side)
            if opened.count(side) > 1:
                throttled.set()
                raise Throttled(whole_host=True, connecting=True, side=side)
            return super().admit(account, credential, side)

    def fault(operation: str) -> None:
        if operation == "append":
            throttled.wait(PATIENCE_S)  # the other lanes are not left without work

    office.new.fault = fault
    office.deps = replace(office.deps, sessions=OnePairOnly(office.sessions.mailboxes))
    _, import_id = office.submit()
    done = office.work(
        import_id, transfer_limits=replace(office.deps.transfer_limits, lanes=8, batch_messages=2)
    )
    assert done.state is State.COMPLETE  # the connected lanes copied all messages
    names = [f"connecting host {host}" for host in ("imap.old.example", "imap.new.example")]
    assert office.store.backoff(names, office.clock.now()) is not None


def test_throttling_is_retried_longer_than_an_unknown_host(
    office: Office,
) -> None:
    _, import_id = office.submit()
    set_connections_refused(office, whole_host=True)
    for _ in range(PATIENCE):
        waiting = office.work(import_id)
        assert waiting.state is State.WAITING
        assert waiting.not_before is not None
        office.clock.sleep((waiting.not_before - office.clock.now()).total_seconds())
    assert office.work(import_id).state is State.STOPPED


# --- Bytes a day ------------------------------------------------------------------------------------


def test_a_daily_cap_ends_the_leg_and_gives_the_expected_end(office: Office) -> None:
    for n in range(94):
        office.old.folders["INBOX"].add((), DATE, b"Subject: %d\r\n\r\n" % (100 + n) + b"x" * 982 + b"\r\n")
    set_allowances(office, Allowance(host="Old Mail", daily_down_bytes=40_000))
    _, import_id = office.submit()
    limits = replace(office.deps.transfer_limits, batch_messages=5)
    office.deps = replace(office.deps, transfer_limits=limits)
    now = office.clock.now

    class AdvancingClock(Clock):
        """Advances with each call of `now`."""

        def now(self) -> datetime:
            office.clock.sleep(0.2)
            return now()

        def elapsed_s(self) -> float:
            return office.clock.elapsed_s()

    office.deps = replace(office.deps, clock=AdvancingClock())
    waiting = office.work(import_id)
    assert waiting.problem is not None
    assert (waiting.state, waiting.problem.code) == (State.WAITING, "daily_limit")
    assert waiting.problem.side is Side.SOURCE
    assert "at most 40\u00a0kB out of one mailbox at Old Mail in 24 hours" in said(waiting.problem)
    assert "about Mar " in said(waiting.problem)
    assert waiting.not_before == hour_of(now()) + HOUR + DAY
    assert waiting.attempts == 0
    assert 38 <= waiting.progress.messages_done <= 70
    counted = office.store.counted_bytes(f"down {SOURCE.key}", now())
    assert 40_000 <= sum(hour.size_bytes for hour in counted) <= 60_000
    assert office.work(import_id).state is State.WAITING  # the next day's share
    assert office.work(import_id).state is State.COMPLETE


def test_bytes_of_other_imports_count_and_no_connection_is_opened(office: Office) -> None:
    """Before its first login an import is not told the cap: it has not opened the mailbox yet."""
    set_allowances(office, Allowance(), Allowance(daily_up_bytes=1000))
    _, import_id = office.submit()
    for trouble in (None, AssertionError("nobody was to connect")):
        office.clock.time = office.import_(import_id).not_before or office.clock.time
        office.store.count_bytes(f"up {DESTINATION.key}", office.clock.now(), 1000)
        office.sessions.trouble = trouble
        waiting = office.work(import_id)
        assert waiting.problem is not None
        assert (waiting.problem.code, waiting.problem.side) == ("daily_limit", Side.DESTINATION)
        assert "into one mailbox at imap.new.example" in said(waiting.problem)


def test_all_bytes_are_counted_if_there_is_a_cap(office: Office) -> None:
    set_allowances(office, Allowance(daily_down_bytes=10**9))
    _, import_id = office.submit()
    assert office.work(import_id).state is State.COMPLETE
    now, moved = office.clock.now(), sum(len(m.body) for m in office.old.folders["INBOX"].messages.values())
    assert [hour.size_bytes for hour in office.store.counted_bytes(f"down {SOURCE.key}", now)] == [moved]
    assert not office.store.counted_bytes(f"up {DESTINATION.key}", now)


# --- Allowances --------------------------------------------------------------------------------------


def allowance(host: str, **settings: object) -> Allowance:
    account = Account("ada@old.example", "ada@old.example", Endpoint(host))
    with standalone(Settings.load(**settings)) as deps:
        return deps.allowance(account)


def test_the_catalogs_limits_apply_unless_overridden_by_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    google = allowance("imap.gmail.com", data=tmp_path)
    assert (google.daily_down_bytes, google.daily_up_bytes) == (2_000_000_000, 450_000_000)
    assert google.account_connections == 15
    assert allowance("imap.old.example", data=tmp_path) == Allowance(host="imap.old.example")
    monkeypatch.setenv("MAILHAUL_DAILY_LIMITS", "other=1/1, google=5000000000/0")
    google = allowance("imap.gmail.com", data=tmp_path, account_connections=3)
    assert (google.daily_down_bytes, google.daily_up_bytes) == (5_000_000_000, None)
    assert google.account_connections == 3
