"""A full mailbox: one mail, few looks, and the import goes on by itself or ends with the reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from importer.domain.mailbox_content import Quota
from importer.domain.model import ImportId, State
from importer.domain.people.actor import Actor
from importer.domain.planning.retry_limits import FULL_MAILBOX_WAITS
from importer.domain.planning.retry_policy import room_wait
from importer.domain.reporting.batch_overview import Standing, Summary, standing, summary_due
from importer.domain.reporting.explanation import Upcoming
from importer.service.deps import Deadlines
from importer.service.imports.control import cancel, pause, resume
from importer.service.imports.foreground_copy import copy
from importer.service.queries import explain
from tests.english import said
from tests.unit.test_service import Office, a_row

PATIENCE = timedelta(days=2)
HOUR = timedelta(hours=1)


@pytest.fixture
def office() -> Office:
    office = Office()
    office.deps = replace(office.deps, deadlines=Deadlines(full_mailbox=PATIENCE))
    office.new.capacity_messages = 2
    return office


def full(office: Office) -> ImportId:
    _, import_id = office.submit()
    waiting = office.work(import_id)
    assert waiting.problem is not None
    assert (waiting.state, waiting.problem.code) == (State.WAITING, "destination_full")
    return import_id


def test_it_waits_and_goes_on_by_itself_once_there_is_room(office: Office) -> None:
    import_id = full(office)
    waiting = office.import_(import_id)
    assert waiting.not_before == office.clock.now() + FULL_MAILBOX_WAITS[0]
    assert waiting.problem is not None
    assert "Free up space or get more by" in said(waiting.problem)
    assert explain(office.deps, waiting).next is Upcoming.CONTINUES_UNCOUNTED
    assert standing(waiting) is Standing.NEEDS_YOU
    for _ in range(30):
        assert office.work(import_id).state is State.WAITING
    assert office.import_(import_id).attempts == 0
    office.new.capacity_messages = None
    assert office.work(import_id).state is State.COMPLETE
    assert office.new.message_count == 6
    assert office.store.grants(import_id) is None


def test_its_readers_are_told_once_what_to_do_and_once_when_it_is_done(office: Office) -> None:
    import_id = full(office)
    office.work(import_id, legs=5)
    told = office.store.notices(f"import:{import_id}:")
    assert {notice.recipient for notice in told} == {"ada@old.example", "ada@new.example"}
    assert len(told) == 2
    assert told[0].subject == "ada@old.example: the new mailbox is full"
    assert "Make room in the new mailbox" in told[0].text
    office.new.capacity_messages = None
    office.work(import_id)
    assert len(office.store.notices(f"import:{import_id}:")) == 4


def test_a_full_quota_is_looked_at_before_anything_is_listed_or_sent(office: Office) -> None:
    import_id = full(office)
    office.new.quota = Quota(used_bytes=1024, limit_bytes=1024)
    office.new.capacity_messages = None
    sent = office.new.message_count
    assert office.work(import_id).state is State.WAITING
    assert office.new.message_count == sent
    office.new.quota = Quota(used_bytes=1024, limit_bytes=4096)
    assert office.work(import_id).state is State.COMPLETE


def test_it_looks_seldom_and_gives_up_with_the_reason(office: Office) -> None:
    import_id = full(office)
    began, looks = office.clock.now(), 0
    while office.import_(import_id).state is State.WAITING:
        office.work(import_id)
        looks += 1
    stopped = office.import_(import_id)
    assert stopped.problem is not None
    assert (stopped.state, stopped.problem.text.code) == (State.STOPPED, "destination_full")
    assert office.clock.now() - began == PATIENCE
    assert looks < PATIENCE / HOUR + 10
    assert "start the import again" in said(stopped.problem)


def test_pause_resume_and_cancel_behave(office: Office) -> None:
    import_id = full(office)
    assert pause(office.deps, import_id).import_.state is State.PAUSED
    assert resume(office.deps, import_id).import_.state is State.RUNNING
    assert office.work(import_id).state is State.WAITING
    office.new.capacity_messages = None
    assert resume(office.deps, import_id).import_.not_before is None  # retried at once
    assert cancel(office.deps, import_id).import_.state is State.CANCELLED


def test_a_foreground_copy_ends_at_once_and_says_so(office: Office) -> None:
    ended = copy(office.deps, Actor(), a_row())
    assert ended.problem is not None
    assert (ended.state, ended.problem.text.code) == (State.STOPPED, "destination_full")


def test_the_summary_of_a_batch_says_what_needs_room_after_an_hour(office: Office) -> None:
    waiting, running = office.import_(full(office)), office.import_(office.submit("other")[1])
    running = replace(running, state=State.RUNNING, problem=None)
    now = office.clock.now()
    assert summary_due([waiting, running], now) is None
    assert summary_due([waiting, running], now + HOUR) is Summary.SO_FAR


def test_the_wait_grows_and_ends_when_patience_does() -> None:
    now = Office().clock.now()
    first = room_wait(now, None, PATIENCE)
    assert first is not None
    assert (first.until - now, first.gives_up_at) == (FULL_MAILBOX_WAITS[0], now + PATIENCE)
    late = room_wait(now, now - PATIENCE + timedelta(minutes=1), PATIENCE)
    assert late is not None
    assert late.until == late.gives_up_at == now + timedelta(minutes=1)
    assert room_wait(now, now - PATIENCE, PATIENCE) is None
    assert room_wait(now, None, timedelta(0)) is None
    assert not Quota().is_full
    assert Quota(used_messages=5, limit_messages=5).is_full
