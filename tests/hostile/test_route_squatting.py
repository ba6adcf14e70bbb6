"""To submit another person's route, with invented passwords and any delay, keeps nobody from importing.

Mallory names Grace's two mailboxes. Grace, who knows their passwords, must notice nothing of it: on the
pages, in the API and at the console, while Mallory's import is queued, paused or waiting, and while its
logins are under way.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from importer.domain.csv_import.import_rows import Row
from importer.domain.import_filter import ImportFilter
from importer.domain.model import Account, Import, ImportId, State
from importer.domain.people.actor import Actor
from importer.domain.planning.host_allowance import Allowance
from importer.domain.reporting.mailbox_check import CheckPhase
from importer.i18n.explanation_texts import explanation_json
from importer.i18n.translations import texts
from importer.service.imports.check_mailboxes import check
from importer.service.imports.control import pause
from importer.service.imports.foreground_copy import copy
from importer.service.imports.submit import RowOutcome, submit
from importer.service.imports.undo_import import undo
from importer.service.legs import connections
from importer.service.legs.run_leg import handle_ring
from importer.service.queries import explain
from providers.endpoint import Secret
from providers.errors import ConnectionLost, LoginRejected, ServerUnavailable, Side
from providers.grants import Credential
from tests.fakes.mailbox import MemoryMailbox
from tests.unit.test_api import ROW, Panel
from tests.unit.test_service import DESTINATION, RIGHT, SOURCE, Office, Sessions, a_row
from tests.unit.web_office import RIGHT as RIGHT_THERE
from tests.unit.web_office import Browser, WebOffice

INVENTED = "garbage"
MALLORY = "mallory@new.example"
GRACE = "grace@new.example"
MAILBOX = f"mailbox:{DESTINATION.key}"

HEAD = "source_address,source_password,source_server,destination_address,destination_password\n"
FILE = f"grace@old.example,{INVENTED},imap.old.example,grace@new.example,{INVENTED}\n"

Delay = Callable[[WebOffice, Import], object]


def leave(_office: WebOffice, _import: Import) -> None:
    """It stays queued."""


def pause_it(office: WebOffice, import_: Import) -> None:
    assert pause(office.deps, import_.id).import_.state is State.PAUSED


def source_down(office: WebOffice, import_: Import) -> None:
    def down(*_: object) -> MemoryMailbox:
        raise ServerUnavailable(side=Side.SOURCE)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(office.doors, "admit", down)
        handle_ring(office.deps, import_.id)
    [waiting] = office.deps.store.imports(ids=[import_.id])
    assert waiting.state is State.WAITING


DELAYS = [leave, pause_it, source_down]


def squat(office: WebOffice, delay: Delay) -> Import:
    """Mallory hands in Grace's route on the pages."""
    mallory = office.browser()
    mallory.sign_in(MALLORY)
    mallory.get("/file")
    mallory.post("/file", rows=HEAD + FILE)
    mallory.get("/file/preview")
    assert mallory.post("/file/start").headers["location"].startswith("/batches/")
    [import_] = office.deps.store.imports()
    delay(office, import_)
    return import_


def transcript(office: WebOffice, grace: Browser) -> str:
    """Everything that Grace gets to see, from signing in to the report, without ids, times and tokens."""
    pages = [grace.sign_in(GRACE)]
    started = grace.start_import("grace@old.example")
    assert started.startswith("/batches/")
    own = office.deps.store.imports(ImportFilter(owner=grace_id(office)))[0]
    pages += [grace.get(path) for path in (started, f"/imports/{own.id}", "/imports")]
    handle_ring(office.deps, own.id)
    pages += [grace.get(path) for path in (started, f"/imports/{own.id}", f"/imports/{own.id}/report.json")]
    assert [page.status_code for page in pages[1:]] == [200] * (len(pages) - 1)
    text = "\n".join([started, *(f"{page.headers.get('location')}\n{page.text}" for page in pages)])
    text = re.sub(r"[0-9a-f]{32,}", "TOKEN", text)
    return re.sub(r"\b[abcdefghjkmnpqrstuvwxyz23456789]{12}\b", "ID", text)


def grace_id(office: WebOffice) -> str:
    [owner] = {batch.owner for batch in office.deps.store.batches() if GRACE in batch.owner}
    return owner


@pytest.mark.parametrize("delay", DELAYS)
def test_on_the_pages_the_owner_imports_and_sees_nothing_of_it(tmp_path: Path, delay: Delay) -> None:
    alone, beside = WebOffice(tmp_path / "alone"), WebOffice(tmp_path / "beside")
    squatted = squat(beside, delay)
    beside.office.clock.time = alone.office.clock.time
    seen = transcript(beside, beside.browser())
    assert seen == transcript(alone, alone.browser())
    assert squatted.id not in seen
    own = beside.deps.store.imports(ImportFilter(owner=grace_id(beside)))[0]
    assert own.state is State.COMPLETE


@pytest.mark.parametrize("delay", DELAYS)
def test_in_the_api_each_client_gets_the_same_answers_as_alone(tmp_path: Path, delay: Delay) -> None:
    answers = []
    for squatted in (False, True):
        office = WebOffice(tmp_path / str(squatted))
        if squatted:
            other = Panel(office, "mallory")
            started = other.start(source_password=INVENTED, destination_password=INVENTED)
            [import_] = office.deps.store.imports(ids=[ImportId(started["id"])])
            began = office.office.clock.time
            delay(office, import_)
            office.office.clock.time = began
        panel = Panel(office, "grace")
        first = panel.post("/imports", ROW)
        id_ = first.json()["rows"][0]["import"]["id"]
        passwords = {"source_password": RIGHT_THERE, "destination_password": RIGHT_THERE}
        calls = [first, panel.post("/imports", ROW), panel.get(f"/imports/{id_}/explanation")]
        handle_ring(office.deps, ImportId(id_))
        calls += [panel.post("/imports", ROW), panel.get(f"/imports/{id_}")]
        calls += [panel.post(f"/imports/{id_}/run-again", passwords), panel.get("/imports")]
        assert calls[4].json()["state"] == "complete"
        text = "\n".join(f"{c.status_code} {c.headers.get('location')} {c.text}" for c in calls)
        answers.append(re.sub(r"\b[abcdefghjkmnpqrstuvwxyz23456789]{12}\b", "ID", text))
    assert answers[0] == answers[1]


def invented(**changes: object) -> Row:
    row = replace(a_row(INVENTED), destination_password=Secret(INVENTED))
    return replace(row, **changes)  # type: ignore[arg-type]


def test_the_console_starts_and_copies_beside_it() -> None:
    office = Office()
    [squatted] = submit(office.deps, Actor(owner=MALLORY), [invented()]).rows
    pause(office.deps, squatted.import_.id)
    [own] = submit(office.deps, Actor(), [a_row()]).rows
    assert (own.outcome, own.import_.id != squatted.import_.id) == (RowOutcome.STARTED, True)
    assert office.work(own.import_.id).state is State.COMPLETE
    assert office.new.message_count == 6
    assert copy(office.deps, Actor(), a_row()).state is State.COMPLETE
    assert office.new.message_count == 6
    assert office.import_(squatted.import_.id).state is State.PAUSED


# --- While a login is under way -----------------------------------------------------------------------


class Interrupted(Sessions):
    """Calls `during` while somebody logs in to `side` with an invented password."""

    during: Callable[[], object] | None = None
    side = Side.DESTINATION

    def admit(self, account: Account, credential: Credential, side: Side) -> MemoryMailbox:
        if credential == Secret(INVENTED) and side is self.side and self.during is not None:
            happens, self.during = self.during, None
            happens()
        return super().admit(account, credential, side)


@pytest.fixture
def interrupted() -> Office:
    office = Office()
    office.sessions = Interrupted({SOURCE.key: office.old, DESTINATION.key: office.new})
    office.deps = replace(
        office.deps, sessions=office.sessions, allowance=lambda _account: Allowance(account_connections=1)
    )
    return office


def import_as_grace(office: Office, done: list[State]) -> None:
    """In place of another worker, which has one connection for each account."""
    [own] = submit(office.deps, Actor(owner=GRACE), [a_row()]).rows
    deps = replace(office.deps, lease_owner="another worker")
    deps = replace(deps, transfer_limits=replace(deps.transfer_limits, lanes=1))
    handle_ring(deps, own.import_.id)
    done.append(office.import_(own.import_.id).state)


@pytest.mark.parametrize("side", Side)
def test_a_login_with_an_invented_password_holds_neither_lease_nor_slot(
    interrupted: Office, side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "VERDICT_GRACE_S", 60.0)  # the leg lasts as long as the login
    done: list[State] = []
    assert isinstance(interrupted.sessions, Interrupted)
    interrupted.sessions.side = side
    interrupted.sessions.during = lambda: import_as_grace(interrupted, done)
    [squatting] = submit(interrupted.deps, Actor(owner=MALLORY), [invented()]).rows
    assert interrupted.work(squatting.import_.id).state is State.STOPPED
    assert done == [State.COMPLETE]
    assert interrupted.new.message_count == 6


def test_a_check_with_an_invented_password_holds_no_slot(interrupted: Office) -> None:
    done: list[State] = []
    assert isinstance(interrupted.sessions, Interrupted)
    interrupted.sessions.during = lambda: import_as_grace(interrupted, done)
    [*_, last] = check(interrupted.deps, (SOURCE, Secret(INVENTED)), (DESTINATION, Secret(INVENTED)))
    assert last.destination.look is CheckPhase.FAILED
    assert done == [State.COMPLETE]


def test_an_undo_with_an_invented_password_holds_no_lease(interrupted: Office) -> None:
    done: list[State] = []
    assert isinstance(interrupted.sessions, Interrupted)
    [squatting] = submit(interrupted.deps, Actor(owner=MALLORY), [invented()]).rows
    stopped = interrupted.work(squatting.import_.id)
    assert stopped.state is State.STOPPED
    interrupted.sessions.during = lambda: import_as_grace(interrupted, done)
    with pytest.raises(LoginRejected):
        undo(interrupted.deps, stopped, Secret(INVENTED))
    assert done == [State.COMPLETE]


# --- What is not told before the logins -----------------------------------------------------------------


def test_who_has_opened_nothing_does_not_learn_that_the_mailbox_is_written_to() -> None:
    office = Office()
    [squatting] = submit(office.deps, Actor(owner=MALLORY), [invented()]).rows
    writer = office.store.acquire(MAILBOX, "the owner's worker", timedelta(hours=1))
    assert writer is not None
    office.store.count_bytes(f"up {DESTINATION.key}", office.clock.now(), 1000)
    office.deps = replace(office.deps, allowance=lambda _account: Allowance(daily_up_bytes=1000))
    office.sessions.trouble = ConnectionLost(side=Side.SOURCE)
    waiting = office.work(squatting.import_.id)
    assert waiting.problem is not None
    assert waiting.problem.code == "connection_lost"
    assert "the owner's worker" not in str(explanation_json(texts("en"), explain(office.deps, waiting)))
    office.sessions.trouble = None
    assert office.work(squatting.import_.id).state is State.STOPPED


# --- Several owners who know the passwords --------------------------------------------------------------


def test_two_proven_owners_of_a_route_take_turns_and_double_nothing() -> None:
    office = Office()
    first, second = (
        submit(office.deps, Actor(owner=owner), [a_row()]).rows[0].import_ for owner in (GRACE, MALLORY)
    )
    budget = replace(office.deps.transfer_limits, lanes=1, batch_messages=2)
    writer = office.store.acquire(MAILBOX, "undo", timedelta(hours=1))
    assert writer is not None
    logins: list[Side] = []
    admits = office.sessions.admit

    def counting(account: Account, credential: Credential, side: Side) -> MemoryMailbox:
        logins.append(side)
        return admits(account, credential, side)

    office.sessions.admit = counting  # type: ignore[method-assign]
    for _ in range(5):  # waits for its turn, and does not log in each time
        waiting = office.work(first.id)
        assert waiting.problem is not None
        assert (waiting.problem.code, waiting.proven) == ("destination_busy", True)
    assert sorted(logins) == sorted(Side)
    assert office.new.message_count == 0
    office.store.release(writer)
    stop = [True]
    office.work(first.id, transfer_limits=budget, stopping=lambda: office.new.message_count > 0 and stop[0])
    copied = office.new.message_count
    assert 0 < copied < 6
    assert office.work(second.id).state is State.COMPLETE
    done = office.work(first.id)
    assert done.state is State.COMPLETE
    assert office.new.message_count == 6
    tallies = {i.id: office.store.tallies(i.id)[0] for i in (first, second)}
    assert (tallies[first.id].copied, tallies[first.id].present) == (copied, 6 - copied)
    assert (tallies[second.id].copied, tallies[second.id].present) == (6 - copied, copied)


def test_the_same_person_gets_the_same_import_again() -> None:
    office = Office()
    [first] = submit(office.deps, Actor(owner=GRACE), [a_row(RIGHT)]).rows
    [second] = submit(office.deps, Actor(owner=GRACE), [a_row(RIGHT)]).rows
    assert (second.outcome, second.import_.id) == (RowOutcome.UNDER_WAY, first.import_.id)
