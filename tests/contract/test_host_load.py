"""Usage of hosts, over every store; and the end of pauses by an operator."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from importer.domain.audit_event import AuditAction, AuditActor, AuditEvent, AuditOutcome
from importer.domain.model import Batch, BatchId, State
from importer.domain.planning.host_allowance import Allowance, Backoff, connecting_budget
from importer.domain.planning.host_load import HostLoad
from importer.ports.store import Store
from importer.service import host_overview, maintenance
from importer.service.access.audit import search_events
from providers.endpoint import Endpoint
from providers.text import Text
from tests.contract.test_store import NOW, an_import, mailbox
from tests.fakes.store import MemoryStore
from tests.unit.test_service import Office

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
OPERATOR = AuditActor("operator:ada")


def backoff(name: str, until: datetime = NOW + HOUR) -> Backoff:
    return Backoff(name, until, Text("throttled.logins", host="old.example"))


def fill(store: Store) -> None:
    """Three imports from two hosts into one, with connections, bytes and pauses."""
    imports = [
        replace(
            an_import(name, state=state, batch_id=BatchId("b")),
            source=mailbox(f"{name}@old.example", host),
            destination=mailbox(f"{name}@new.example", "imap.new.example"),
        )
        for name, state, host in (
            ("one", State.RUNNING, "IMAP.old.example"),
            ("two", State.QUEUED, "imap.old.example"),
            ("three", State.QUEUED, "imap.other.example"),
            ("four", State.COMPLETE, "imap.old.example"),
        )
    ]
    batch = Batch(BatchId("b"), NOW, "", "", tuple(i.id for i in imports), "")
    store.add_batch(batch, [(import_, None) for import_ in imports])
    account = "account one@old.example imap.old.example"
    wanted = [(account, 5), ("host imap.old.example", 5), ("host imap.new.example", 5)]
    for _ in range(2):
        assert store.acquire_slots("leg", wanted, NOW, MINUTE)
    assert store.acquire_slots("dead", [("host imap.old.example", 5)], NOW - HOUR, MINUTE)
    store.count_bytes("down one@old.example imap.old.example", NOW - 2 * HOUR, 700)
    store.count_bytes("down one@old.example imap.old.example", NOW, 7)
    store.back_off(backoff("host imap.old.example"))
    store.back_off(backoff(connecting_budget(account)))
    store.back_off(backoff("host imap.other.example", NOW - MINUTE))


def test_what_is_in_use_is_listed_and_what_is_over_is_not(store: Store) -> None:
    fill(store)
    assert store.used_bytes(NOW) == {"down one@old.example imap.old.example": 707}
    assert [each.name for each in store.backoffs(NOW)] == [
        "connecting account one@old.example imap.old.example",
        "host imap.old.example",
    ]
    assert store.imports_by_host() == {
        ("imap.new.example", State.QUEUED): 2,
        ("imap.new.example", State.RUNNING): 1,
        ("imap.old.example", State.QUEUED): 1,
        ("imap.old.example", State.RUNNING): 1,
        ("imap.other.example", State.QUEUED): 1,
    }


def an_office(store: Store) -> Office:
    office = Office()
    office.clock.time = NOW
    office.deps = replace(
        office.deps,
        store=store,
        own_host=Endpoint("IMAP.new.example"),
        allowance=lambda account: Allowance(
            host_connections=400 if account.endpoint.host == "imap.new.example" else 8
        ),
    )
    return office


def test_hosts_have_their_own_bounds_and_the_destination_is_named(store: Store) -> None:
    fill(store)
    own, old, other = host_overview.hosts(an_office(store).deps)
    assert own == HostLoad("imap.new.example", {State.QUEUED: 2, State.RUNNING: 1}, 2, 400, (), is_own=True)
    assert (old.host, old.connections, old.most_connections, old.is_own) == ("imap.old.example", 2, 8, False)
    assert [pause.name for pause in old.pauses] == ["host imap.old.example"]
    assert (other.host, other.connections, other.pauses) == ("imap.other.example", 0, ())


def test_an_operator_ends_the_pauses_of_a_host_and_of_the_accounts_there(store: Store) -> None:
    fill(store)
    office = an_office(store)
    assert host_overview.clear_pauses(office.deps, OPERATOR, "old.example") == []
    assert len(host_overview.clear_pauses(office.deps, OPERATOR, "IMAP.old.example")) == 2
    assert store.backoffs(NOW) == []
    events = search_events(office.deps, actions=(AuditAction.PAUSE_CLEAR,), limit=9)
    assert {event.target for event in events} == {"imap.old.example", "one@old.example imap.old.example"}
    store.back_off(backoff(connecting_budget("account one@old.example imap.old.example")))
    assert host_overview.clear_pauses(office.deps, OPERATOR, "account one@old.example imap.old.example")


def test_pauses_that_were_ended_by_0_2_0_read_and_are_found_like_those_of_today(store: Store) -> None:
    if isinstance(store, MemoryStore):
        pytest.skip("keeps nothing of an earlier version")
    for target in ("host imap.old.example", "imap.old.example", "account one@old.example imap.old.example"):
        ended = AuditEvent(NOW, AuditAction.PAUSE_CLEAR, AuditOutcome.DONE, OPERATOR, target)
        store.add_audit_event(ended)
    office = an_office(store)
    found = search_events(office.deps, target="imap.old.example")
    assert [event.target for event in found] == ["imap.old.example"] * 2
    [event] = search_events(office.deps, target="one@old.example imap.old.example")
    assert event.target == "one@old.example imap.old.example"


def test_maintenance_is_no_pause_of_a_host(store: Store) -> None:
    office = an_office(store)
    maintenance.begin(office.deps, OPERATOR)
    assert store.backoffs(NOW) == []
    assert host_overview.clear_pauses(office.deps, OPERATOR, "maintenance") == []
    assert store.maintenance() is not None
    maintenance.end(office.deps, OPERATOR)
