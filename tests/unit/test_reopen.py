"""A stopped import keeps its sealed passwords for a while for a retry. Nothing is kept longer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from importer.domain.model import ImportId, State
from importer.domain.people.actor import Actor
from importer.domain.people.mail_recipients import MailReader
from importer.domain.reporting.explanation import Action, Upcoming
from importer.ports.mailbox_errors import QuotaExceeded
from importer.service.deps import Deadlines
from importer.service.imports.control import Effect, cancel, resume
from importer.service.imports.finish import report_of
from importer.service.imports.submit import RowOutcome, submit
from importer.service.imports.undo_import import UndoRefused, undo
from importer.service.queries import explain
from importer.service.tick import Tick
from providers.endpoint import Secret
from providers.errors import LoginRejected, Side
from tests.unit.test_service import Office, a_row

KEPT = timedelta(days=7)
MOMENT = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def office() -> Office:
    office = Office()
    office.deps = replace(office.deps, deadlines=Deadlines(kept_grants=KEPT, full_mailbox=timedelta(0)))
    return office


def stopped(office: Office) -> ImportId:
    _, import_id = office.submit()
    office.sessions.trouble = QuotaExceeded(side=Side.DESTINATION)
    assert office.work(import_id).state is State.STOPPED
    office.sessions.trouble = None
    return import_id


def test_a_stopped_import_is_retried_without_passwords(office: Office) -> None:
    import_id = stopped(office)
    assert office.import_(import_id).grants_kept_until == office.clock.now() + KEPT
    assert office.work(import_id).state is State.STOPPED  # not by itself
    changed = resume(office.deps, import_id)
    assert (changed.effect, changed.import_.state) == (Effect.DONE, State.RUNNING)
    complete = office.work(import_id)
    assert (complete.state, complete.grants_kept_until) == (State.COMPLETE, None)
    assert office.store.grants(import_id) is None


def test_each_end_of_a_reopened_import_is_mailed(office: Office) -> None:
    assert office.deps.outgoing_mail is not None
    compose = office.deps.outgoing_mail.composer.completion
    report = report_of(office.deps, office.import_(stopped(office)))
    again = replace(report, import_=replace(report.import_, reopened=1))
    reader = [MailReader("ada@old.example")]
    notices = [*compose(report, reader, MOMENT), *compose(again, reader, MOMENT)]
    office.store.post(notices)
    assert len(office.store.notices()) == 2
    assert "sealed" in notices[0].text
    assert "sealed" in notices[0].html


def test_passwords_are_erased_once_their_time_is_over(office: Office) -> None:
    import_id = stopped(office)
    Tick(office.deps)()
    assert office.store.grants(import_id) is not None
    office.clock.sleep(KEPT.total_seconds() + 1)
    assert resume(office.deps, import_id).effect is Effect.TOO_LATE  # also before the tick erases them
    Tick(office.deps)()
    assert office.store.grants(import_id) is None
    assert office.import_(import_id).grants_kept_until is None


def test_passwords_are_erased_on_request(office: Office) -> None:
    import_id = stopped(office)
    changed = cancel(office.deps, import_id)
    assert (changed.effect, changed.import_.state) == (Effect.DONE, State.STOPPED)
    assert office.store.grants(import_id) is None
    assert resume(office.deps, import_id).effect is Effect.TOO_LATE


def test_passwords_are_erased_when_the_route_is_submitted_again(office: Office) -> None:
    import_id = stopped(office)
    [row] = submit(office.deps, Actor(), [a_row("another")]).rows
    assert row.outcome is RowOutcome.STARTED
    assert office.store.grants(import_id) is None
    assert resume(office.deps, import_id).effect is Effect.TOO_LATE


def test_nothing_is_kept_after_any_other_end(office: Office) -> None:
    _, import_id = office.submit()
    assert office.work(import_id).state is State.COMPLETE
    assert office.store.grants(import_id) is None
    _, import_id = office.submit("changed")
    assert cancel(office.deps, import_id).import_.state is State.CANCELLED
    assert office.store.grants(import_id) is None


def test_an_import_is_not_reopened_while_another_process_works_on_it(office: Office) -> None:
    import_id = stopped(office)
    lease = office.store.acquire(f"import:{import_id}", "undo", timedelta(minutes=1))
    assert lease is not None
    assert resume(office.deps, import_id).effect is Effect.NOT_POSSIBLE
    office.store.release(lease)
    assert resume(office.deps, import_id).effect is Effect.DONE


def test_nothing_is_kept_if_the_operator_says_so(office: Office) -> None:
    office.deps = replace(
        office.deps, deadlines=Deadlines(kept_grants=timedelta(0), full_mailbox=timedelta(0))
    )
    assert office.store.grants(stopped(office)) is None


def test_a_password_that_stays_wrong_stops_the_import_again(office: Office) -> None:
    _, import_id = office.submit("wrong")
    office.sessions.trouble = LoginRejected(side=Side.SOURCE)
    assert office.work(import_id).state is State.STOPPED
    resume(office.deps, import_id)
    again = office.work(import_id)
    assert (again.state, again.reopened) == (State.STOPPED, 1)
    assert again.grants_kept_until is not None


def test_explain_says_until_when_and_what_to_do(office: Office) -> None:
    import_ = office.import_(stopped(office))
    explanation = explain(office.deps, import_)
    assert explanation.next is Upcoming.CAN_BE_REOPENED
    assert explanation.actions[:2] == (Action.RETRY, Action.CANCEL)


def test_an_undo_that_waited_for_its_turn_leaves_a_reopened_import_alone(office: Office) -> None:
    import_id = stopped(office)
    shown = office.import_(import_id)
    resume(office.deps, import_id)
    with pytest.raises(UndoRefused, match="undo_too_early"):
        undo(office.deps, shown, Secret("secret"))
    assert office.import_(import_id).state is State.RUNNING
    assert office.work(import_id).state is State.COMPLETE
    assert office.store.grants(import_id) is None
