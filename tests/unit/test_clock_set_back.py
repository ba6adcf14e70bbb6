"""A wall clock that is set back, such as by NTP after a wrong start, delays nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from importer.domain.audit_event import AuditActor
from importer.domain.model import Progress
from importer.ports.mailbox_errors import QuotaExceeded
from importer.service import maintenance
from importer.service.deps import Deadlines
from importer.service.legs.fair_legs import LOOK_INTERVAL, FairLegs
from importer.service.legs.progress_recorder import FLUSH_INTERVAL, ProgressRecorder
from importer.service.tick import CLEANING_INTERVAL, RING_INTERVAL, Tick
from providers.errors import Side
from tests.unit.test_service import Clock, Office


class SettableClock(Clock):
    """Its wall clock can be set; the steady one goes on."""

    ahead_s = 0.0

    def set_back(self, by: timedelta) -> None:
        self.time -= by
        self.ahead_s += by.total_seconds()

    def elapsed_s(self) -> float:
        return super().elapsed_s() + self.ahead_s


YEAR = timedelta(days=365)


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def office(clock: SettableClock) -> Office:
    return Office(clock=clock)


def test_a_lost_ring_is_made_up_for(office: Office, clock: SettableClock) -> None:
    _, import_id = office.submit()
    tick = Tick(office.deps)
    tick()
    office.queue.take()  # and lost
    clock.set_back(YEAR)
    clock.sleep(RING_INTERVAL.total_seconds())
    tick()
    assert office.queue.take() == [import_id]


def test_passwords_are_erased_when_their_time_is_over(office: Office, clock: SettableClock) -> None:
    office.deps = replace(
        office.deps, deadlines=Deadlines(kept_grants=timedelta(days=7), full_mailbox=timedelta(0))
    )
    clock.time += YEAR
    tick = Tick(office.deps)
    tick()
    clock.set_back(YEAR)
    _, import_id = office.submit()
    office.sessions.trouble = QuotaExceeded(side=Side.DESTINATION)
    kept_until = office.work(import_id).grants_kept_until
    assert kept_until is not None
    clock.time = kept_until + CLEANING_INTERVAL
    tick()
    assert office.store.grants(import_id) is None


def test_legs_end_for_maintenance(office: Office, clock: SettableClock) -> None:
    _, import_id = office.submit()
    legs = FairLegs(office.deps)
    assert not legs.must_yield(import_id)
    maintenance.begin(office.deps, AuditActor("root"))
    clock.set_back(YEAR)
    clock.sleep(LOOK_INTERVAL.total_seconds())
    assert legs.must_yield(import_id)


def test_progress_is_shown(office: Office, clock: SettableClock) -> None:
    _, import_id = office.submit()
    lease = office.store.acquire(f"import:{import_id}", "worker", YEAR)
    assert lease is not None
    recorder = ProgressRecorder(office.store, import_id, lease, clock)
    clock.set_back(timedelta(hours=1))
    clock.sleep(FLUSH_INTERVAL.total_seconds())
    recorder.progressed(Progress(messages_done=3))
    assert office.import_(import_id).progress.messages_done == 3
