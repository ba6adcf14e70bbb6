"""Legs that are frozen beyond their lease, whoever takes over, and what the recount says of doubled mail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from importer.domain.messages.message_body import whole
from importer.domain.model import Import, ImportId, State
from importer.domain.people.actor import Actor
from importer.engine.leg_context import TransferLimits
from importer.i18n.outcome_texts import outcome_text
from importer.i18n.translations import texts
from importer.service.imports.finish import report_of
from importer.service.imports.foreground_copy import copy
from tests.fakes.mailbox import Fault
from tests.unit.test_service import DATE, DESTINATION, MINUTE, Office, a_row

PAIRS = TransferLimits(batch_messages=2)
"""Three appends for the six messages."""


@pytest.fixture
def office() -> Office:
    return Office()


def bodies(office: Office) -> list[bytes]:
    return sorted(whole(message.body) for message in office.new.folders["INBOX"].messages.values())


def at_append(
    number: int, happens: Callable[[], object], fault: Fault | None = None
) -> Callable[[str], Fault | None]:
    """A fault hook under which `happens` precedes that append, counted from 1."""
    appends = 0

    def hook(operation: str) -> Fault | None:
        nonlocal appends
        appends += operation == "append"
        if operation == "append" and appends == number:
            happens()
            return fault
        return None

    return hook


def test_who_was_frozen_for_longer_than_a_lease_sends_nothing_more(office: Office) -> None:
    _, import_id = office.submit()
    office.new.fault = at_append(1, lambda: office.clock.sleep(61))
    frozen = office.work(import_id, transfer_limits=PAIRS)
    assert frozen.state is State.RUNNING  # written by nobody who lost the lease
    assert len(bodies(office)) == 2
    office.new.fault = lambda _operation: None
    assert office.work(import_id, lease_owner="other").state is State.COMPLETE
    assert bodies(office) == sorted(whole(m.body) for m in office.old.folders["INBOX"].messages.values())


def test_a_copy_on_a_machine_that_slept_goes_on_by_itself(office: Office) -> None:
    office.new.fault = at_append(2, lambda: office.clock.sleep(8 * 3600))
    ended = copy(replace(office.deps, transfer_limits=PAIRS), Actor(), a_row())
    assert ended.state is State.COMPLETE
    assert len(bodies(office)) == 6


@pytest.mark.parametrize("skew", [timedelta(hours=-3), timedelta(0), timedelta(hours=3)])
def test_whoever_takes_over_waits_for_what_is_on_its_way_whatever_the_clocks_say(
    office: Office, skew: timedelta
) -> None:
    _, import_id = office.submit()
    # The reply is lost, and the server out of reach; it stores what it received only later.
    faults = iter([Fault.LATE])
    appended = False

    def ends(operation: str) -> Fault | None:
        nonlocal appended
        appended = appended or operation == "append"
        return next(faults, Fault.BEFORE) if appended else None

    office.new.fault = ends
    assert office.work(import_id).state is State.WAITING
    assert bodies(office) == []
    _shift_intents(office, import_id, skew)
    checks = 0

    def lands(operation: str) -> Fault | None:
        nonlocal checks
        checks += operation == "uids"
        if checks == 5:
            office.new.land()
        return None

    office.new.fault = lands
    assert office.work(import_id).state is State.COMPLETE
    assert len(bodies(office)) == 6


def _shift_intents(office: Office, import_id: ImportId, by: timedelta) -> None:
    """As if the worker that sent them had had another clock."""
    route = office.import_(import_id).route
    [intent] = office.store.intents(route, "INBOX")
    lease = office.store.acquire(f"mailbox:{DESTINATION.key}", "before", MINUTE)
    assert lease is not None
    office.store.note_intent(route, replace(intent, sent_at=intent.sent_at + by), lease)
    office.store.release(lease)


# --- The recount ----------------------------------------------------------------------------------


def recounted(office: Office, *, before_recount: Callable[[], object]) -> Import:
    """An import during whose recount something else is in the mailbox."""
    _, import_id = office.submit()
    appended = False

    def hook(operation: str) -> Fault | None:
        nonlocal appended
        if operation == "uids" and appended:
            appended = False
            before_recount()
        appended |= operation == "append"
        return None

    office.new.fault = hook
    return office.work(import_id)


@pytest.mark.parametrize("gives_uids", [True, False])
def test_more_copies_than_were_made_are_never_called_complete(office: Office, gives_uids: bool) -> None:
    office.new.gives_uids = gives_uids
    inbox = office.new.folders["INBOX"]

    def doubled() -> None:
        for message in list(inbox.messages.values())[:2]:
            inbox.add((), DATE, whole(message.body))

    ended = recounted(office, before_recount=doubled)
    assert ended.state is State.INCOMPLETE
    report = report_of(office.deps, ended)
    [refusal] = report.refusals
    assert (refusal.code.value, refusal.count, refusal.uid) == ("surplus", 2, None)
    assert "2 messages more than were copied" in outcome_text(texts("en"), report.outcome)
    assert "All 6 messages" in outcome_text(texts("en"), report.outcome)
    assert report.totals.adds_up


@pytest.mark.parametrize("gives_uids", [True, False])
def test_mail_that_arrives_meanwhile_is_no_surplus(office: Office, gives_uids: bool) -> None:
    office.new.gives_uids = gives_uids
    inbox = office.new.folders["INBOX"]
    ended = recounted(
        office, before_recount=lambda: inbox.add((), DATE, b"Subject: new\r\n\r\nfrom elsewhere\r\n")
    )
    assert ended.state is State.COMPLETE
    assert len(inbox.messages) == 7


def test_a_copy_that_its_owner_moved_away_and_back_is_no_surplus(office: Office) -> None:
    inbox = office.new.folders["INBOX"]

    def moved() -> None:
        uid, message = next(iter(inbox.messages.items()))
        del inbox.messages[uid]
        inbox.add((), DATE, whole(message.body))

    ended = recounted(office, before_recount=moved)
    assert [refusal.code.value for refusal in report_of(office.deps, ended).refusals] == []
