"""An import follows its mailbox until its domain has moved: from recorded DNS answers to the final mail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from importer.domain.import_options import DEFAULTS, Choices, ImportOptions
from importer.domain.model import Import, ImportId, State
from importer.domain.people.actor import Actor
from importer.domain.planning.cutover import (
    LONGEST_FOLLOWING,
    MxSight,
    PassTimes,
    next_pass,
    sight_of,
)
from importer.domain.planning.cutover_options import FollowUntil, MxNames
from importer.domain.reporting.batch_overview import Standing, Summary, standing, summary_due
from importer.domain.reporting.explanation import Action, Upcoming
from importer.service.imports.control import Effect, cancel, pause, resume
from importer.service.imports.finish import report_of
from importer.service.imports.following import schedule
from importer.service.imports.foreground_copy import copy
from importer.service.imports.submit import submit
from importer.service.legs.run_leg import handle_ring
from importer.service.queries import explain
from importer.service.tick import Tick
from providers.discovery import LookupFailed
from providers.errors import LoginRejected, Side
from providers.text import Text
from tests.english import said
from tests.unit.test_service import DATE, Office, a_row

HOUR = timedelta(hours=1)
TIMES = PassTimes(interval=4 * HOUR, after_move=6 * HOUR)
OLD_MX = ("mx1.old-host.example", "mx2.old-host.example")
NEW_MX = ("mx.new-host.example",)
EXPECTED = ("new-host.example",)
CUTOVER = DEFAULTS.choose({"until_cutover": True})


class Dns:
    """Recorded answers, one after the other; the last one stays."""

    def __init__(self, *answers: Sequence[str] | None) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, domain: str) -> Sequence[str]:
        self.asked.append(domain)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            raise LookupFailed(Text("discovery.no_answer"))
        return answer


@pytest.fixture
def office() -> Office:
    return connected(Office(), Dns(OLD_MX))


def connected(office: Office, dns: Dns) -> Office:
    deadlines = replace(office.deps.deadlines, passes=TIMES, kept_grants=timedelta(days=7))
    office.deps = replace(
        office.deps, mail_exchangers=dns, known_mx=lambda _host: EXPECTED, deadlines=deadlines
    )
    return office


def submitted(office: Office, **choices: object) -> ImportId:
    options = DEFAULTS.choose({"until_cutover": True, **choices})
    [row] = submit(office.deps, Actor(), [a_row()], options=options).rows
    return row.import_.id


def arrives(office: Office, subject: str) -> None:
    office.old.folders["INBOX"].add((), DATE, f"Subject: {subject}\r\n\r\ntext\r\n".encode())


def code(import_: Import) -> str:
    assert import_.problem is not None
    return import_.problem.text.code


def test_a_cutover_from_the_first_copy_to_the_final_mail(office: Office) -> None:
    dns = Dns(OLD_MX, None, (*OLD_MX, *NEW_MX), NEW_MX)
    connected(office, dns)
    began = office.clock.now()
    import_id = submitted(office)

    first = office.work(import_id)
    assert (first.state, code(first)) == (State.WAITING, "awaiting_cutover.not_moved")
    assert first.not_before == began + TIMES.interval
    assert office.store.grants(import_id) is not None
    told = office.store.notices(f"import:{import_id}:")
    assert {notice.recipient for notice in told} == {"ada@old.example", "ada@new.example"}
    assert told[0].subject == "ada@old.example: 6 messages copied, new mail follows"
    assert "passwords stay stored, sealed" in " ".join(told[0].text.split())

    arrives(office, "between")
    second = office.work(import_id)
    assert code(second) == "awaiting_cutover.unknown"  # neither moved nor not
    assert office.new.message_count == 7
    third = office.work(import_id)
    assert (code(third), third.moved_at) == ("awaiting_cutover.partly", None)
    moved = office.work(import_id)
    assert code(moved) == "awaiting_cutover.moved"
    assert moved.moved_at == office.clock.now()
    assert moved.not_before == office.clock.now() + TIMES.after_move
    assert len(office.store.notices(f"import:{import_id}:")) == len(told)  # no mail for each pass

    arrives(office, "sent to the old host after the move")
    done = office.work(import_id)
    assert done.state is State.COMPLETE
    assert office.new.message_count == 8
    assert office.store.grants(import_id) is None
    assert report_of(office.deps, done).totals.copied == 8
    final = office.store.notices(f"import:{import_id}:")[len(told) :]
    assert [notice.subject for notice in final] == ["ada@old.example: 8 messages copied"] * 2
    assert dns.asked == ["old.example"] * 5


def test_each_pass_brings_only_what_is_new(office: Office) -> None:
    import_id = submitted(office)
    office.work(import_id)
    uids = [message for folder in office.new.folders.values() for message in folder.messages]
    office.work(import_id, legs=3)
    assert [message for folder in office.new.folders.values() for message in folder.messages] == uids
    totals = report_of(office.deps, office.import_(import_id)).totals
    assert (totals.found, totals.copied) == (6, 6)


def test_it_shows_the_next_pass_and_what_it_waits_for(office: Office) -> None:
    import_id = submitted(office)
    waiting = office.work(import_id)
    assert waiting.problem is not None
    sentence = said(waiting.problem)
    for part in ("old.example", "new-host.example", OLD_MX[0]):
        assert part in sentence
    explanation = explain(office.deps, waiting)
    assert explanation.next is Upcoming.CONTINUES_UNCOUNTED
    assert explanation.until == waiting.not_before
    assert Action.RETRY in explanation.actions
    assert standing(waiting) is Standing.WAITING
    assert summary_due([waiting], office.clock.now()) is Summary.SO_FAR


def test_a_date_alone_ends_it_without_asking_dns(office: Office) -> None:
    dns = Dns(None)
    connected(office, dns)
    day = office.clock.now().date()
    import_id = submitted(office, until_cutover=False, follow_until=FollowUntil(day))
    states = []
    while office.import_(import_id).state not in (State.COMPLETE,):
        states.append(office.work(import_id))
    assert code(states[0]) == "awaiting_cutover.date"
    assert office.clock.now() == datetime(2026, 3, 3, tzinfo=office.clock.now().tzinfo)
    assert dns.asked == []


def test_a_filter_service_or_an_unknown_destination_leaves_the_date(office: Office) -> None:
    connected(office, Dns(("mx07-1.pphosted.com",)))
    until = FollowUntil((office.clock.now() + 2 * HOUR).date())
    import_id = submitted(office, follow_until=until)
    assert code(office.work(import_id)) == "awaiting_cutover.filtered"
    while office.import_(import_id).state is State.WAITING:
        office.work(import_id)
    assert office.import_(import_id).state is State.COMPLETE
    assert office.clock.now() - office.import_(import_id).created_at <= timedelta(days=1)


def test_a_choice_made_while_the_end_is_written_is_kept(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = submitted(office, until_cutover=False)
    until = FollowUntil((office.clock.now() + timedelta(days=9)).date())
    finish_import = office.store.finish_import

    def chosen_just_before(*args: Any, **named: Any) -> bool:
        assert schedule(office.deps, import_id, {"follow_until": until}).effect is Effect.DONE
        return finish_import(*args, **named)

    monkeypatch.setattr(office.store, "finish_import", chosen_just_before)
    assert office.work(import_id).state is State.RUNNING
    assert code(office.work(import_id)) == "awaiting_cutover.date"
    assert office.store.grants(import_id) is not None


def test_without_a_move_it_ends_after_the_longest_time(office: Office) -> None:
    import_id = submitted(office)
    office.deps = replace(
        office.deps, deadlines=replace(office.deps.deadlines, passes=PassTimes(timedelta(days=7)))
    )
    while office.import_(import_id).state is not State.COMPLETE:
        office.work(import_id)
    assert office.clock.now() - office.import_(import_id).created_at == LONGEST_FOLLOWING


def test_pause_resume_retry_and_cancel_behave(office: Office) -> None:
    import_id = submitted(office)
    office.work(import_id)
    assert pause(office.deps, import_id).import_.state is State.PAUSED
    assert office.store.grants(import_id) is not None
    assert resume(office.deps, import_id).import_.state is State.RUNNING
    waiting = office.work(import_id)
    assert waiting.not_before == office.clock.now() + TIMES.interval
    hurried = resume(office.deps, import_id).import_
    assert hurried.not_before is None  # the next pass runs now
    office.work(import_id)
    assert len(office.store.notices(f"import:{import_id}:")) == 2
    assert cancel(office.deps, import_id).import_.state is State.CANCELLED
    assert office.store.grants(import_id) is None


def test_a_retry_before_the_last_pass_is_not_the_last_one(office: Office) -> None:
    connected(office, Dns(NEW_MX))
    import_id = submitted(office)
    moved = office.work(import_id)
    office.clock.sleep(HOUR.total_seconds())
    resume(office.deps, import_id)
    handle_ring(office.deps, import_id)
    again = office.import_(import_id)
    assert (again.state, again.not_before, again.moved_at) == (
        State.WAITING,
        moved.not_before,
        moved.moved_at,
    )


def test_a_move_that_is_taken_back_is_waited_for_again(office: Office) -> None:
    connected(office, Dns(NEW_MX, OLD_MX, None, NEW_MX))
    import_id = submitted(office)
    assert office.work(import_id).moved_at is not None
    back = office.work(import_id)
    assert (back.state, back.moved_at, code(back)) == (State.WAITING, None, "awaiting_cutover.not_moved")
    assert code(office.work(import_id)) == "awaiting_cutover.unknown"
    assert code(office.work(import_id)) == "awaiting_cutover.moved"
    assert office.work(import_id).state is State.COMPLETE


def test_an_unknown_answer_neither_proves_nor_forgets_a_move(office: Office) -> None:
    connected(office, Dns(NEW_MX, None))
    import_id = submitted(office)
    assert office.work(import_id).moved_at is not None
    assert office.work(import_id).state is State.COMPLETE


def test_a_killed_worker_loses_nothing(office: Office) -> None:
    import_id = submitted(office)
    office.work(import_id)
    arrives(office, "new")
    office.clock.sleep(TIMES.interval.total_seconds())
    assert office.store.acquire(f"import:{import_id}", "killed", timedelta(seconds=20))
    assert not handle_ring(office.deps, import_id)
    office.clock.sleep(21)
    office.queue.take()
    Tick(office.deps)()
    assert office.queue.take() == [import_id]
    handle_ring(office.deps, import_id)
    assert office.new.message_count == 7


def test_a_password_that_is_refused_later_stops_it_and_a_retry_goes_on_following(office: Office) -> None:
    import_id = submitted(office)
    office.work(import_id)
    office.sessions.trouble = LoginRejected(side=Side.SOURCE)
    while office.import_(import_id).state is not State.STOPPED:
        office.work(import_id)
    office.sessions.trouble = None
    assert resume(office.deps, import_id).effect is Effect.DONE
    assert code(office.work(import_id)) == "awaiting_cutover.not_moved"


def test_a_foreground_copy_makes_one_pass(office: Office) -> None:
    assert copy(office.deps, Actor(), a_row(), options=CUTOVER).state is State.COMPLETE


# --- schedule ---


def test_an_import_under_way_is_scheduled(office: Office) -> None:
    _, import_id = office.submit()
    changed = schedule(office.deps, import_id, {"until_cutover": True})
    assert changed.effect is Effect.DONE
    assert office.work(import_id).state is State.WAITING


def test_a_schedule_chosen_during_a_pass_holds_at_its_end(office: Office) -> None:
    _, import_id = office.submit()
    office.sessions.on_next_open = lambda: schedule(office.deps, import_id, {"until_cutover": True})
    assert office.work(import_id).state is State.WAITING


def test_a_day_that_is_over_makes_the_last_pass_now(office: Office) -> None:
    import_id = submitted(office)
    office.work(import_id)
    arrives(office, "new")
    yesterday = FollowUntil(office.clock.now().date() - timedelta(days=1))
    assert schedule(office.deps, import_id, {"follow_until": yesterday}).effect is Effect.DONE
    handle_ring(office.deps, import_id)
    assert office.import_(import_id).state is State.COMPLETE
    assert office.new.message_count == 7


def test_what_cannot_be_scheduled_says_why(office: Office) -> None:
    _, import_id = office.submit()
    deps = office.deps
    no_end = schedule(deps, import_id, {})
    assert (no_end.effect, no_end.text.code) == (Effect.NOT_POSSIBLE, "control_follows_without_end")
    unnamed = replace(deps, known_mx=lambda _host: ())
    unknown = schedule(unnamed, import_id, {"until_cutover": True})
    assert (unknown.effect, unknown.text.code) == (Effect.NOT_POSSIBLE, "control_mx_unknown")
    named = {"until_cutover": True, "cutover_mx": MxNames(("mx.new.example",))}
    assert schedule(unnamed, import_id, named).effect is Effect.DONE
    cancel(deps, import_id)
    assert schedule(deps, import_id, named).effect is Effect.TOO_LATE
    with pytest.raises(LookupError):
        schedule(deps, ImportId("unknown"), named)


# --- What the mail exchangers say ---


@pytest.mark.parametrize(
    ("exchangers", "expected", "sight"),
    [
        (NEW_MX, EXPECTED, MxSight.MOVED),
        (("MX.New-Host.Example.", "mx2.new-host.example"), EXPECTED, MxSight.MOVED),
        (OLD_MX, EXPECTED, MxSight.NOT_MOVED),
        (("mx.not-new-host.example",), EXPECTED, MxSight.NOT_MOVED),
        ((*NEW_MX, *OLD_MX), EXPECTED, MxSight.PARTLY),
        (("eu-smtp-1.mimecast.com",), EXPECTED, MxSight.FILTERED),
        (("eu-smtp-1.mimecast.com",), ("mimecast.com",), MxSight.MOVED),
        ((".",), EXPECTED, MxSight.NO_MAIL),
        ((), EXPECTED, MxSight.NO_RECORDS),
        (None, EXPECTED, MxSight.UNKNOWN),
        (NEW_MX, (), MxSight.UNNAMED),
    ],
)
def test_what_mail_exchangers_say(
    exchangers: Sequence[str] | None, expected: Sequence[str], sight: MxSight
) -> None:
    assert sight_of(exchangers, expected) is sight


def test_a_pass_that_began_before_the_last_one_was_due_is_not_the_last() -> None:
    now = Office().clock.now()

    def after(began_at: datetime, options: ImportOptions = CUTOVER) -> object:
        return next_pass(options, now, now, MxSight.MOVED, began_at, now + 7 * HOUR, TIMES)

    assert after(now + 5 * HOUR) is not None
    assert after(now + 6 * HOUR) is None
    choices: Choices = {"until_cutover": False}
    assert after(now, CUTOVER.choose(choices)) is None
