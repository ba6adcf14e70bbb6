"""The contract of `importer.ports.audit_trail.AuditTrail`; the databases refuse to change an event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from importer.adapters.store import SqlStore
from importer.domain.audit_event import AuditAction, AuditActor, AuditEvent, AuditOutcome
from importer.ports.store import Store
from providers.text import Text
from tests.contract.conftest import OpenStore

NOW = datetime(2026, 3, 29, 0, 59, 59, 123456, tzinfo=UTC)
HOUR = timedelta(hours=1)
ANN = AuditActor("mailbox:ann@new.example@imap.new.example", "192.0.2.1")
OPERATOR = AuditActor("operator:root")


def an_event(hours: int = 0, actor: AuditActor = ANN, **changes: object) -> AuditEvent:
    detail = Text("audit_words", words="words \\ ü \x00")
    values: dict[str, object] = {"target": "i1", "concerns": ANN.name, "detail": detail}
    return AuditEvent(
        NOW + hours * HOUR,
        AuditAction.IMPORT_PAUSE,
        AuditOutcome.DONE,
        actor,
        **values | changes,  # type: ignore[arg-type]
    )


def test_events_come_back_unchanged_newest_first(store: Store) -> None:
    events = [an_event(hour) for hour in range(3)]
    for event in events:
        store.add_audit_event(event)
    assert [*store.audit_events()] == events[::-1]
    assert [*store.audit_events(limit=2)] == [events[2], events[1]]


def test_every_condition_selects(store: Store) -> None:
    by_operator = an_event(1, OPERATOR, target="i2", concerns="mailbox:bob")
    store.add_audit_event(an_event())
    store.add_audit_event(by_operator)
    assert [*store.audit_events(actor="operator:root")] == [by_operator]
    assert [*store.audit_events(concerns="mailbox:bob")] == [by_operator]
    assert [*store.audit_events(target="i2")] == [by_operator]
    assert [*store.audit_events(since=NOW + HOUR)] == [by_operator]
    assert [*store.audit_events(actions=[AuditAction.SIGN_IN])] == []
    assert [*store.audit_events(actor=ANN.name, target="i2")] == []


@pytest.mark.parametrize("open_store", ["sqlite", "postgres"], indirect=True)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET detail = 'other words'",
        "UPDATE audit_events SET detail = ''",
        "UPDATE audit_events SET actor = ''",
        "UPDATE audit_events SET outcome = 'done'",
        "UPDATE audit_events SET at = '2020-01-01 00:00:00'",
        "UPDATE audit_events SET actor = 'erased:1', action = 'sign-out'",
        "DELETE FROM audit_events",
    ],
)
def test_the_database_refuses_to_change_or_to_delete_an_event(open_store: OpenStore, statement: str) -> None:
    store = open_store()
    assert isinstance(store, SqlStore)
    now, detail = datetime.now(UTC), Text("audit_csrf_token")
    recent = AuditEvent(now, AuditAction.SIGN_IN, AuditOutcome.REFUSED, ANN, detail=detail)
    store.add_audit_event(recent)
    with pytest.raises(DatabaseError, match="append-only"), store.writing() as connection:
        connection.execute(text(statement))
    assert [*store.audit_events()] == [recent]


@pytest.mark.parametrize("open_store", ["sqlite", "postgres"], indirect=True)
def test_a_person_can_become_a_pseudonym_and_an_operator_cannot(open_store: OpenStore) -> None:
    """For erasures: that something happened, when and how it ended, stays."""
    store = open_store()
    assert isinstance(store, SqlStore)
    now = datetime.now(UTC)
    store.add_audit_event(AuditEvent(now, AuditAction.SIGN_IN, AuditOutcome.DONE, ANN, concerns=ANN.name))
    statement = text("UPDATE audit_events SET actor = 'erased:1', concerns = 'erased:1', client = ''")
    with store.writing() as connection:
        connection.execute(statement)
    pseudonym = AuditActor("erased:1")
    expected = AuditEvent(now, AuditAction.SIGN_IN, AuditOutcome.DONE, pseudonym, concerns="erased:1")
    assert [*store.audit_events()] == [expected]
    store.add_audit_event(AuditEvent(now, AuditAction.SIGN_IN, AuditOutcome.DONE, OPERATOR))
    with pytest.raises(DatabaseError, match="append-only"), store.writing() as connection:
        connection.execute(statement)


@pytest.mark.parametrize("open_store", ["sqlite", "postgres"], indirect=True)
def test_an_event_of_an_earlier_version_has_the_code_of_its_words(open_store: OpenStore) -> None:
    store = open_store()
    assert isinstance(store, SqlStore)
    insert = text(
        "INSERT INTO audit_events (at, action, outcome, actor, client, target, concerns, detail)"
        " VALUES ('2026-03-29 00:59:59', 'mailbox.open', 'refused', '', '', :target, '', :detail)"
    )
    former = {
        "": None,
        "rate limit": Text("audit_rate_limit"),
        "login_rejected": Text("login_rejected", host="imap.old.example"),
        r"say \\ \u0000": Text("audit_words", words="say \\ \x00"),
        '{"code": "a': Text("audit_words", words='{"code": "a'),
        '{"code": "audit_words"}': Text("audit_words", words='{"code": "audit_words"}'),
    }
    with store.writing() as connection:
        for words in former:
            connection.execute(insert, {"target": "ada imap.old.example", "detail": words})
    assert [event.detail for event in store.audit_events()] == [*former.values()][::-1]
