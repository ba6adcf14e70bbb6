"""Undo, verification and the search for a message keep to the limits of the hosts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from importer.domain.model import Import
from importer.domain.planning.host_allowance import Allowance
from importer.service.access.sealed_grants import Credentials
from importer.service.imports.trace_message import TraceRefused, trace_message
from importer.service.imports.undo_import import UndoRefused, undo
from importer.service.imports.verify_import import VerifyRefused, verify
from providers.endpoint import Secret
from providers.errors import Side
from tests.unit.test_host_limits import set_allowances
from tests.unit.test_service import DESTINATION, MINUTE, SOURCE, Office

PASSWORD = Secret("secret")

Work = Callable[[Office, Import], object]


def _undo(office: Office, import_: Import) -> object:
    return undo(office.deps, import_, PASSWORD)


def _verify(office: Office, import_: Import) -> object:
    return verify(office.deps, import_, Credentials(PASSWORD, PASSWORD))


def _trace(office: Office, import_: Import) -> object:
    return trace_message(office.deps, import_, "<any@old.example>", Side.DESTINATION, PASSWORD)


WORK = [
    pytest.param(_undo, "import", UndoRefused, "undo_busy", id="undo"),
    pytest.param(_verify, "verify", VerifyRefused, "verify_busy", id="verify"),
    pytest.param(_trace, "trace", TraceRefused, "trace_busy", id="trace"),
]


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def done(office: Office) -> Import:
    _, import_id = office.submit()
    return office.work(import_id)


@pytest.mark.parametrize(("work", "lease", "refused", "busy"), WORK)
def test_it_opens_no_connection_without_a_slot(
    office: Office, done: Import, work: Work, lease: str, refused: type[Exception], busy: str
) -> None:
    one = Allowance(account_connections=1, host_connections=1)
    set_allowances(office, one, one)
    hosts = [(f"host {account.endpoint.host}", 1) for account in (SOURCE, DESTINATION)]
    assert office.store.acquire_slots("other", hosts, office.clock.now(), 60 * MINUTE)
    office.sessions.on_next_open = lambda: pytest.fail("it connected")
    with pytest.raises(refused, match=r"undo_held_back|connections_in_use"):
        work(office, done)
    office.store.release_slots("other")
    office.sessions.on_next_open = None
    work(office, done)
    assert office.store.acquire_slots("other", hosts, office.clock.now(), MINUTE), "its slots are released"


@pytest.mark.parametrize(("work", "lease", "refused", "busy"), WORK)
def test_it_runs_once_at_a_time(
    office: Office, done: Import, work: Work, lease: str, refused: type[Exception], busy: str
) -> None:
    held = office.store.acquire(f"{lease}:{done.id}", "other", 60 * MINUTE)
    assert held is not None
    with pytest.raises(refused, match=busy):
        work(office, done)
    office.store.release(held)
    work(office, done)
    assert office.store.holder(f"{lease}:{done.id}") is None
