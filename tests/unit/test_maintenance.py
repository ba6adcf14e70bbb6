"""Maintenance as users, operators and monitoring see it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from importer.domain.audit_event import AuditAction, AuditActor
from importer.domain.people.api_tokens import TokenScope
from importer.service import maintenance
from importer.service.access.audit import search_events
from importer.service.tick import Tick
from importer.web import app
from tests.unit.test_api import Panel
from tests.unit.test_service import Office
from tests.unit.web_office import WebOffice

OPERATOR = AuditActor("operator:ada")
NOTE = "The mail server moves <b>now</b>."


@pytest.fixture(autouse=True)
def _asked_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "MAINTENANCE_REMEMBERED_S", 0.0)


def test_the_beginning_stays_and_the_note_changes() -> None:
    office = Office()
    first = maintenance.begin(office.deps, OPERATOR, " one ")
    office.clock.sleep(60)
    again = maintenance.begin(office.deps, OPERATOR, "two")
    assert (first.note, again.note, again.since) == ("one", "two", first.since)
    assert maintenance.end(office.deps, OPERATOR)
    assert not maintenance.end(office.deps, OPERATOR)
    events = search_events(office.deps, actions=(AuditAction.MAINTENANCE,), limit=9)
    assert [event.target for event in events] == ["off", "on", "on"]


def test_draining_waits_for_the_legs_but_not_for_ever() -> None:
    office = Office()
    lease = office.store.acquire("import:one", "worker", timedelta(hours=1))
    assert lease is not None
    assert maintenance.wait_until_drained(office.deps, timedelta(seconds=5)) == 1
    office.store.release(lease)
    assert maintenance.wait_until_drained(office.deps, timedelta(seconds=5)) == 0


def test_what_waited_is_rung_for_at_once_when_it_is_over() -> None:
    office = Office()
    _, import_id = office.submit()
    office.queue.take()
    maintenance.begin(office.deps, OPERATOR)
    tick = Tick(office.deps)
    tick()
    office.queue.take()
    maintenance.end(office.deps, OPERATOR)
    office.clock.sleep(5)
    tick()
    assert office.queue.take() == [import_id]


def test_every_page_says_so_and_quotes_the_note(office: WebOffice) -> None:
    browser = office.browser()
    assert "Maintenance since" not in browser.get("/").text
    maintenance.begin(office.deps, OPERATOR, NOTE)
    text = browser.get("/").text
    assert "imports are accepted, and go on when it is over. The mail server moves" in text
    assert "<b>now" not in text
    browser.sign_in()
    assert "Maintenance since" in browser.get("/imports").text
    maintenance.end(office.deps, OPERATOR)
    assert "Maintenance since" not in browser.get("/imports").text


def test_the_api_accepts_holds_and_says_so(office: WebOffice) -> None:
    panel = Panel(office)
    operator = Panel(office, "operator", TokenScope.READ, TokenScope.ADMIN)
    assert panel.get("/maintenance").json() == {"on": False, "since": None, "note": "", "message": ""}
    assert panel.post("/maintenance", {"on": True}).status_code == 403
    assert operator.post("/maintenance", {"on": True, "note": NOTE}).json()["note"] == NOTE
    assert NOTE in panel.get("/maintenance").json()["message"]
    started = panel.post(
        "/imports",
        {
            "source_address": "ada@old.example",
            "source_password": "right",
            "source_server": "imap.old.example",
            "destination_address": "ada@new.example",
            "destination_password": "right",
        },
    )
    assert (started.status_code, started.json()["held"]) == (201, True)
    assert operator.post("/maintenance", {"on": False}).json()["on"] is False
    assert office.deps.store.maintenance() is None
