"""Pause, resume and cancel at every stage: without a running leg, during a leg, just before its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from importer.domain.model import Import, ImportId, State
from importer.domain.people.actor import Actor
from importer.engine.leg_context import TransferLimits
from importer.i18n.translations import texts
from importer.service.imports.control import Changed, Effect, cancel, pause, resume
from importer.service.imports.foreground_copy import copy
from importer.service.imports.submit import submit
from importer.service.legs.run_leg import handle_ring
from importer.service.tick import Tick
from importer.web.live_progress import Snapshot
from importer.web.view_models import import_view
from providers.errors import ServerUnavailable, Throttled
from tests.unit.test_service import MINUTE, Office, a_row

ONE_BY_ONE = TransferLimits(batch_messages=1)


@pytest.fixture
def office() -> Office:
    return Office()


def after_batches(office: Office, number: int, happens: Callable[[], object]) -> None:
    """Call `happens` once `number` messages are stored. Each message takes one second."""
    remaining = [number]

    def refuses(_body: bytes) -> None:
        office.clock.sleep(1)
        remaining[0] -= 1
        if remaining[0] == 0:
            happens()

    office.new.refuses = refuses


def in_a_leg(office: Office, request: Callable[[ImportId], object]) -> Import:
    """Run a leg. After two messages `request` is called with the import's id."""
    _, import_id = office.submit()
    after_batches(office, 2, lambda: request(import_id))
    handle_ring(replace(office.deps, transfer_limits=ONE_BY_ONE), import_id)
    return office.import_(import_id)


# --- Pausing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", [None, ServerUnavailable(), Throttled()])
def test_an_idle_import_pauses_immediately_and_resumes(office: Office, trouble: Exception | None) -> None:
    _, import_id = office.submit()
    if trouble is not None:
        office.sessions.trouble = trouble
        handle_ring(office.deps, import_id)
        office.sessions.trouble = None
    for _ in range(2):
        paused = pause(office.deps, import_id)
        assert (paused.effect, paused.import_.state) == (Effect.DONE, State.PAUSED)
    office.queue.take()
    office.clock.sleep(3600)
    Tick(office.deps)()
    handle_ring(office.deps, import_id)
    assert office.queue.take() == []
    assert office.new.message_count == 0
    for _ in range(2):
        assert resume(office.deps, import_id).effect is Effect.DONE
        assert office.queue.take() == [import_id]
    assert office.work(import_id).state is State.COMPLETE


def test_a_leg_applies_a_pause_request_between_batches(office: Office) -> None:
    requests: list[Changed] = []
    paused = in_a_leg(office, lambda import_id: requests.append(pause(office.deps, import_id)))
    assert requests[0].effect is Effect.SOON
    assert paused.state is State.PAUSED
    assert 2 <= office.new.message_count < 6
    assert office.store.grants(paused.id) is not None
    resume(office.deps, paused.id)
    assert office.work(paused.id).state is State.COMPLETE
    assert office.new.message_count == 6


def test_a_pause_withdrawn_in_the_same_leg_changes_nothing(office: Office) -> None:
    def pause_and_resume(import_id: ImportId) -> None:
        pause(office.deps, import_id)
        resume(office.deps, import_id)

    assert in_a_leg(office, pause_and_resume).state is State.COMPLETE


def test_a_request_at_the_end_of_a_leg_is_applied_at_the_next_ring(office: Office) -> None:
    _, import_id = office.submit()
    lease = office.store.acquire(f"import:{import_id}", "ending", MINUTE)
    assert lease is not None
    assert pause(office.deps, import_id).effect is Effect.SOON
    office.store.release(lease)
    office.queue.take()
    Tick(office.deps)()
    assert office.queue.take() == [import_id]
    handle_ring(office.deps, import_id)
    assert office.import_(import_id).state is State.PAUSED


def test_a_resume_request_is_not_lost_while_a_leg_is_pausing(office: Office) -> None:
    _, import_id = office.submit()
    pause(office.deps, import_id)
    lease = office.store.acquire(f"import:{import_id}", "pausing", MINUTE)
    assert lease is not None
    assert resume(office.deps, import_id).effect is Effect.SOON
    office.store.release(lease)
    office.queue.take()
    Tick(office.deps)()
    assert office.queue.take() == [import_id]
    assert office.work(import_id).state is State.COMPLETE


def test_a_pause_expires_after_two_weeks_and_the_passwords_are_erased(office: Office) -> None:
    _, import_id = office.submit()
    pause(office.deps, import_id)
    office.clock.sleep(timedelta(days=15).total_seconds())
    Tick(office.deps)()
    assert import_id in office.queue.take()
    handle_ring(office.deps, import_id)
    ended = office.import_(import_id)
    assert ended.problem is not None
    assert (ended.state, ended.problem.code) == (State.CANCELLED, "pause_forgotten")
    assert office.store.grants(import_id) is None


def test_a_foreground_copy_can_be_cancelled_but_not_paused(office: Office) -> None:
    def request() -> None:
        [import_] = office.store.imports()
        assert pause(office.deps, import_.id).effect is Effect.NOT_POSSIBLE
        assert cancel(office.deps, import_.id).effect is Effect.SOON

    after_batches(office, 2, request)
    ended = copy(replace(office.deps, transfer_limits=ONE_BY_ONE), Actor(), a_row())
    assert ended.state is State.CANCELLED
    assert office.new.message_count < 6


# --- Cancelling -----------------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["queued", "waiting", "paused"])
def test_cancelling_erases_the_passwords_and_notifies_once(office: Office, before: str) -> None:
    [submitted] = submit(office.deps, Actor(notify="it@new.example"), [a_row()]).rows
    import_id = submitted.import_.id
    if before == "waiting":
        office.sessions.trouble = ServerUnavailable()
        handle_ring(office.deps, import_id)
    if before == "paused":
        pause(office.deps, import_id)
    for _ in range(2):
        cancelled = cancel(office.deps, import_id)
        assert (cancelled.effect, cancelled.import_.state) == (Effect.DONE, State.CANCELLED)
    assert office.store.grants(import_id) is None
    assert [notice.recipient for notice in office.store.notices()] == ["it@new.example"]  # no login succeeded
    assert resume(office.deps, import_id).effect is Effect.TOO_LATE
    assert pause(office.deps, import_id).effect is Effect.TOO_LATE
    handle_ring(office.deps, import_id)
    assert office.import_(import_id).state is State.CANCELLED


def test_a_cancelled_leg_ends_and_the_mail_says_that_copies_stay(office: Office) -> None:
    cancelled = in_a_leg(office, lambda import_id: cancel(office.deps, import_id))
    assert cancelled.state is State.CANCELLED
    assert 2 <= office.new.message_count < 6
    [first, *_] = office.store.notices()
    assert "cancelled" in first.subject
    assert "Copied messages stay in the new mailbox; undo removes them." in " ".join(first.text.split())
    assert office.work(office.submit()[1]).state is State.COMPLETE
    assert office.new.message_count == 6


def test_a_pending_cancel_request_is_final(office: Office) -> None:
    effects: list[Effect] = []

    def cancel_then_others(import_id: ImportId) -> None:
        cancel(office.deps, import_id)
        effects.extend(later(office.deps, import_id).effect for later in (pause, resume))

    assert in_a_leg(office, cancel_then_others).state is State.CANCELLED
    assert effects == [Effect.NOT_POSSIBLE] * 2


def test_an_import_that_has_just_completed_is_not_cancelled(office: Office) -> None:
    _, import_id = office.submit()
    after_batches(office, 6, lambda: cancel(office.deps, import_id))
    handle_ring(replace(office.deps, transfer_limits=TransferLimits(batch_messages=100)), import_id)
    done = office.import_(import_id)
    assert done.state in (State.COMPLETE, State.CANCELLED)
    late = cancel(office.deps, import_id)
    assert late.effect is (Effect.DONE if done.state is State.CANCELLED else Effect.TOO_LATE)


def test_a_cancel_request_takes_precedence_over_an_error_of_the_leg(office: Office) -> None:
    _, import_id = office.submit("wrong")
    office.sessions.on_next_open = lambda: cancel(office.deps, import_id)
    handle_ring(office.deps, import_id)
    assert office.import_(import_id).state is State.CANCELLED


@pytest.mark.parametrize("request_", [pause, resume, cancel])
def test_an_unknown_import_raises_lookup_error(office: Office, request_: Callable[..., Changed]) -> None:
    with pytest.raises(LookupError):
        request_(office.deps, ImportId("ghost"))


def test_a_leg_ends_after_its_batch_once_its_must_yield_and_rings_again(office: Office) -> None:
    _, import_id = office.submit()
    office.queue.take()
    after = office.work(import_id, transfer_limits=ONE_BY_ONE, must_yield=lambda _id: True)
    assert after.state is State.RUNNING
    assert office.new.message_count < 6
    assert office.queue.take() == [import_id]
    assert office.work(import_id).state is State.COMPLETE


def test_a_pause_can_be_taken_back_before_it_is_in_effect(office: Office) -> None:
    changed: list[Changed] = []

    def pause_and_resume(import_id: ImportId) -> None:
        changed.append(pause(office.deps, import_id))
        assert import_view(texts("en"), Snapshot(office.import_(import_id)), office.clock.now()).can_resume
        changed.append(resume(office.deps, import_id))

    import_ = in_a_leg(office, pause_and_resume)
    assert [one.effect for one in changed] == [Effect.SOON, Effect.DONE]
    assert [one.text.code for one in changed] == ["control_pauses", "control_taken_back"]
    assert import_.requested is None
    assert office.work(import_.id).state is State.COMPLETE
