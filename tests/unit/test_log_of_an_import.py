"""The life of an import in the log: submission, legs, requests, end; and its owner without an address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import structlog
from structlog.contextvars import get_contextvars
from structlog.testing import capture_logs

from importer.domain.model import State
from importer.domain.people.actor import Actor
from importer.service.access.logged_owner import logged_owner
from importer.service.imports.control import cancel, pause, resume
from importer.service.imports.submit import submit
from importer.service.legs import fair_legs
from importer.service.legs.fair_legs import FairLegs
from tests.unit.test_service import Office, a_row

PERSON = "mailbox:imap.new.example:993/ada@new.example"


@pytest.fixture(autouse=True)
def every_level() -> None:
    """A console that ran before in this process may have left a level that hides these events."""
    structlog.reset_defaults()


@pytest.fixture
def office() -> Office:
    return Office()


def events(logged: Sequence[Any]) -> list[str]:
    return [line["event"] for line in logged if line["event"] != "audit.recorded"]


def test_each_step_of_an_import_is_an_event(office: Office) -> None:
    with capture_logs() as logged:
        _, import_id = office.submit()
        pause(office.deps, import_id)
        resume(office.deps, import_id)
        assert office.work(import_id).state is State.COMPLETE
        cancel(office.deps, import_id)
    assert events(logged)[:3] == ["imports.submitted", "control.requested", "control.requested"]
    assert [event for event in events(logged) if "leg" in event or "import." in event] == [
        "leg.started",
        "import.ended",
        "leg.finished",
    ]
    requested = [(line["request"], line["effect"]) for line in logged if line["event"] == "control.requested"]
    assert requested == [("pause", "done"), ("resume", "done"), ("cancel", "too late")]
    [ended] = [line for line in logged if line["event"] == "import.ended"]
    assert (ended["state"], ended["problem"], ended["refused"]) == ("complete", None, {})
    assert ended["copied"] == ended["found"] > 0


def test_a_submission_counts_what_became_of_its_rows(office: Office) -> None:
    with capture_logs() as logged:
        for _ in range(2):
            submit(office.deps, Actor(PERSON), [a_row()])
    first, second = (line for line in logged if line["event"] == "imports.submitted")
    assert (first["started"], first["under_way"]) == (1, 0)
    assert (second["started"], second["under_way"], second["batch_id"]) == (0, 1, None)
    assert "ada" not in str(logged)


def test_an_owner_is_a_name_or_a_fingerprint(office: Office) -> None:
    names = [logged_owner(office.deps, owner) for owner in ("", "client:panel", PERSON, PERSON)]
    assert names[:2] == ["console", "client:panel"]
    assert names[2] == names[3]
    assert names[2].startswith("mailbox:")
    assert "@" not in names[2]


def test_a_leg_runs_in_the_context_of_its_owner(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def leg(*_: object, **__: object) -> bool:
        seen.append(get_contextvars())
        return True

    monkeypatch.setattr(fair_legs, "handle_ring", leg)
    submission = submit(office.deps, Actor(PERSON), [a_row()])
    FairLegs(office.deps).handle_ring(submission.started[0].id)
    assert seen == [{"owner": logged_owner(office.deps, PERSON)}]
    assert get_contextvars() == {}
