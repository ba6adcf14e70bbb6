"""Copies may appear within an hour after the last moment at which their import may have sent something."""

from __future__ import annotations

from datetime import timedelta

import pytest

from importer.domain.import_state import awaiting_pass, continued, ended, paused, started, waiting
from importer.domain.model import Import, ImportId, Problem, State
from importer.domain.planning.retry_limits import MAY_APPEAR_FOR
from importer.service.imports.sent_lately import sent_lately
from providers.text import Text
from tests.unit.test_service import Office

LONG = timedelta(days=3)
PROBLEM = Problem(Text("server_unavailable"))


@pytest.fixture
def office() -> Office:
    return Office()


def lately(office: Office, import_: Import, after: timedelta) -> bool:
    office.store.update_import(import_)
    office.clock.time += after
    return sent_lately(office.deps)(import_.id)


@pytest.fixture
def working(office: Office) -> Import:
    """An import that has worked for days."""
    import_ = started(office.import_(office.submit()[1]), office.clock.now())
    office.clock.time += LONG
    return continued(import_, progressed=True)


def test_an_import_that_works_or_follows_its_mailbox_may_have_sent_just_now(
    office: Office, working: Import
) -> None:
    assert lately(office, working, timedelta(0))
    follows = awaiting_pass(working, PROBLEM, office.clock.now() + LONG)
    assert lately(office, follows, timedelta(0))


@pytest.mark.parametrize(("after", "expected"), [(MAY_APPEAR_FOR / 2, True), (MAY_APPEAR_FOR, False)])
@pytest.mark.parametrize("state", ["ended", "paused", "waiting"])
def test_an_import_that_is_at_rest_sent_nothing_since(
    office: Office, working: Import, state: str, after: timedelta, *, expected: bool
) -> None:
    now = office.clock.now()
    rests = {
        "ended": ended(working, State.CANCELLED, now),
        "paused": paused(working, now, now + LONG),
        "waiting": waiting(working, PROBLEM, now, now + LONG, progressed=True),
    }
    assert lately(office, rests[state], after) is expected


def test_an_import_that_the_store_has_forgotten_sent_nothing(office: Office) -> None:
    assert not sent_lately(office.deps)(ImportId("forgotten"))
