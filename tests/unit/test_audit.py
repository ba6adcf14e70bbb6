"""Recording security events: bounds, and what is written to the log."""

from __future__ import annotations

import pytest
import structlog
from structlog.testing import capture_logs

from importer.domain.audit_event import AuditAction, AuditActor, AuditOutcome
from importer.service.access.audit import (
    MAX_FIELD_CHARS,
    REFUSALS_PER_NETWORK,
    SUCCESSES_PER_PERSON,
    events_about,
    record_event,
    search_events,
)
from providers.text import Text
from tests.unit.test_service import Office

ANN = AuditActor("mailbox:ann", "192.0.2.1")


def refuse(office: Office, client: str) -> None:
    record_event(office.deps, AuditAction.SIGN_IN, AuditOutcome.REFUSED, AuditActor("", client), target="ann")


def test_an_event_is_in_the_trail_and_in_the_log() -> None:
    structlog.reset_defaults()  # a console that ran before in this process may have left a level
    office = Office()
    with capture_logs() as lines:
        record_event(
            office.deps, AuditAction.IMPORT_PAUSE, AuditOutcome.DONE, ANN, target="i1", concerns="mailbox:ann"
        )
    (event,) = events_about(office.deps, "mailbox:ann")
    assert (event.at, event.action, event.actor) == (office.clock.now(), AuditAction.IMPORT_PAUSE, ANN)
    assert [line["event"] for line in lines] == ["audit.recorded"]


def test_a_flood_of_refusals_from_one_network_is_recorded_as_such() -> None:
    office = Office()
    for number in range(REFUSALS_PER_NETWORK.tries + 50):
        refuse(office, f"2001:db8::{number:x}")  # one /64 network
    assert len(search_events(office.deps, limit=1000)) == REFUSALS_PER_NETWORK.tries + 1
    assert search_events(office.deps)[0].action is AuditAction.LIMIT_HIT
    refuse(office, "192.0.2.2")  # another network is not affected
    record_event(
        office.deps, AuditAction.SIGN_IN, AuditOutcome.DONE, AuditActor("mailbox:ann", "2001:db8::1")
    )
    assert [event.action for event in search_events(office.deps, limit=2)] == [AuditAction.SIGN_IN] * 2


def pause(office: Office, actor: AuditActor = ANN, outcome: AuditOutcome = AuditOutcome.DONE) -> None:
    record_event(office.deps, AuditAction.IMPORT_PAUSE, outcome, actor, target="i1", concerns="mailbox:ann")


def test_a_loop_of_successes_of_one_person_is_recorded_with_its_number() -> None:
    office = Office()
    for _ in range(SUCCESSES_PER_PERSON.tries + 100):
        pause(office)
    found = search_events(office.deps, limit=1000)
    assert len(found) == SUCCESSES_PER_PERSON.tries + 7  # the 1st, 2nd, 4th ... 64th beyond
    assert found[0].detail == Text("audit_repeated", number=SUCCESSES_PER_PERSON.tries + 64)
    pause(office, AuditActor("mailbox:bob", "192.0.2.1"))
    pause(office, outcome=AuditOutcome.REFUSED)
    record_event(office.deps, AuditAction.IMPORT_RESUME, AuditOutcome.DONE, ANN, target="i1")
    assert [(e.action, e.outcome, e.actor.name, e.detail) for e in search_events(office.deps, limit=3)] == [
        (AuditAction.IMPORT_RESUME, AuditOutcome.DONE, "mailbox:ann", None),
        (AuditAction.IMPORT_PAUSE, AuditOutcome.REFUSED, "mailbox:ann", None),
        (AuditAction.IMPORT_PAUSE, AuditOutcome.DONE, "mailbox:bob", None),
    ]


def test_the_operator_is_recorded_each_time() -> None:
    office = Office()
    for _ in range(SUCCESSES_PER_PERSON.tries + 3):
        pause(office, AuditActor("operator:root"))
    assert len(search_events(office.deps, limit=1000)) == SUCCESSES_PER_PERSON.tries + 3


def test_what_strangers_send_is_cut() -> None:
    office = Office()
    long = "x" * 9999
    inner = Text("login_rejected", steps=Text("host_steps", provider=long), host=long)
    record_event(
        office.deps,
        AuditAction.SIGN_IN,
        AuditOutcome.REFUSED,
        AuditActor(long, long),
        target=long,
        detail=Text("audit_repeated.detail", number=3, detail=inner),
    )
    (event,) = search_events(office.deps)
    assert {len(event.actor.name), len(event.actor.client), len(event.target)} == {MAX_FIELD_CHARS}
    cut = Text("login_rejected", host="x" * MAX_FIELD_CHARS)
    assert event.detail == Text("audit_repeated.detail", number=3, detail=cut)


def test_no_event_has_a_free_string_as_its_detail() -> None:
    office = Office()
    with pytest.raises(AttributeError):
        record_event(office.deps, AuditAction.SIGN_IN, AuditOutcome.DONE, ANN, detail="in words")  # type: ignore[arg-type]
    assert not search_events(office.deps)
