"""Pause, resume, retry and cancel of many imports, at once: use case, console and API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from click.testing import CliRunner, Result

from importer.cli import control_commands
from importer.cli.command_table import console
from importer.domain.audit_event import AuditAction, AuditActor, AuditEvent, AuditOutcome
from importer.domain.bulk_action import BulkAction
from importer.domain.import_filter import EVERY_IMPORT, ImportFilter
from importer.domain.model import Account, Import, ImportId, State
from importer.domain.people.actor import Actor
from importer.domain.people.api_tokens import TokenScope
from importer.domain.people.identities import RateLimit
from importer.service.access import audit
from importer.service.access.audit import search_events
from importer.service.deps import Deps
from importer.service.imports import bulk_control
from importer.service.imports.bulk_control import carry_out, select
from importer.service.imports.control import Changed, Effect
from importer.service.imports.submit import submit
from importer.web.api import import_actions
from providers.endpoint import Endpoint
from providers.errors import LoginRejected, ServerUnavailable
from providers.text import Text
from tests.unit.test_api import Panel
from tests.unit.test_service import Office, a_row
from tests.unit.web_office import WebOffice


def fill(office: Office) -> dict[str, ImportId]:
    """Six imports of one owner: one of each state, and one at another host."""
    office.deps = replace(
        office.deps, deadlines=replace(office.deps.deadlines, kept_grants=timedelta(days=7))
    )
    ids: dict[str, ImportId] = {}
    for line, name in enumerate(("queued", "waiting", "paused", "stopped", "cancelled", "elsewhere"), 1):
        host = "imap.elsewhere.example" if name == "elsewhere" else "imap.old.example"
        source = Account(f"{name}@old.example", f"{name}@old.example", Endpoint(host))
        [row] = submit(office.deps, Actor(owner="client:panel"), [a_row(source=source, line=line)]).rows
        ids[name] = row.import_.id
    for name, trouble in (("waiting", ServerUnavailable()), ("stopped", LoginRejected())):
        office.sessions.trouble = trouble
        office.work(ids[name])
    office.sessions.trouble = None
    [*carry_out(office.deps, BulkAction.PAUSE, (ids["paused"],))]
    [*carry_out(office.deps, BulkAction.CANCEL, (ids["cancelled"],))]
    office.queue.take()
    return ids


def selected(office: Office, action: BulkAction, chosen: ImportFilter = EVERY_IMPORT) -> set[str]:
    names = {import_id: name for name, import_id in fill(office).items()}
    return {names[import_id] for import_id in select(office.deps, action, chosen).ids}


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (BulkAction.PAUSE, {"queued", "waiting", "elsewhere"}),
        (BulkAction.RESUME, {"paused"}),
        (BulkAction.RETRY, {"waiting", "stopped"}),
        (BulkAction.CANCEL, {"queued", "waiting", "paused", "stopped", "elsewhere"}),
    ],
)
def test_an_action_selects_what_it_changes(action: BulkAction, expected: set[str]) -> None:
    assert selected(Office(), action) == expected
    elsewhere = ImportFilter(host="IMAP.elsewhere.example")
    assert selected(Office(), action, elsewhere) == expected & {"elsewhere"}
    assert selected(Office(), action, ImportFilter(states=(State.COMPLETE,))) == set()


def test_every_selected_import_is_changed_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_control, "PAGE", 2)
    office = Office()
    ids = fill(office)
    before = {name: office.import_(id_).state for name, id_ in ids.items()}
    selection = select(office.deps, BulkAction.PAUSE, EVERY_IMPORT)
    assert len(selection.examples) == len(selection.ids) == 3
    changes = [*carry_out(office.deps, BulkAction.PAUSE, (*selection.ids, ImportId("gone")))]
    assert {change.effect for change in changes} == {Effect.DONE}
    after = {name: office.import_(id_).state for name, id_ in ids.items()}
    assert after == {
        name: State.PAUSED if name in ("queued", "waiting", "elsewhere") else state
        for name, state in before.items()
    }
    assert select(office.deps, BulkAction.PAUSE, EVERY_IMPORT).ids == ()


def test_stopped_imports_go_on_with_their_kept_passwords_and_waiting_ones_now() -> None:
    office = Office()
    ids = fill(office)
    effects = [*carry_out(office.deps, BulkAction.RETRY, (ids["waiting"], ids["stopped"]))]
    assert {change.effect for change in effects} == {Effect.DONE}
    assert {*office.queue.take()} == {ids["waiting"], ids["stopped"]}


def test_an_import_that_ended_since_says_so() -> None:
    office = Office()
    ids = fill(office)
    selection = select(office.deps, BulkAction.CANCEL, EVERY_IMPORT)
    [*carry_out(office.deps, BulkAction.CANCEL, (ids["queued"],))]
    effects = {c.import_.id: c.effect for c in carry_out(office.deps, BulkAction.PAUSE, selection.ids)}
    assert effects[ids["queued"]] is Effect.TOO_LATE
    assert effects[ids["waiting"]] is Effect.DONE


# --- Console ------------------------------------------------------------------------------------------


@pytest.fixture
def own_console(monkeypatch: pytest.MonkeyPatch) -> Office:
    """The office that the console acts on."""
    made = Office()

    @contextmanager
    def queued(_settings: object) -> Iterator[object]:
        yield made.deps

    monkeypatch.setattr(control_commands, "queued", queued)
    return made


def run(*words: str) -> Result:
    return CliRunner().invoke(console, [*words])


def states(office: Office, ids: dict[str, ImportId]) -> set[str]:
    return {name for name, id_ in ids.items() if office.import_(id_).state is State.PAUSED}


def test_the_console_shows_what_it_will_touch_and_changes_nothing_without_a_yes(own_console: Office) -> None:
    office = own_console
    ids = fill(office)
    asked = run("pause", "--host", "imap.old.example")
    assert "Pause 2 imports? There is no terminal to confirm on: add --yes" in str(asked.exception)
    assert "waiting@old.example" in asked.stderr
    assert "elsewhere@old.example" not in asked.stderr
    assert states(office, ids) == {"paused"}
    assert "No import matches." in run("cancel", "--host", "none.example").stdout
    for wrong in (("pause",), ("pause", ids["queued"], "--state", "queued"), ("cancel", "--yes")):
        assert "ID" in str(run(*wrong).exception) or "Name an import" in str(run(*wrong).exception)


def test_the_console_changes_them_with_a_yes_and_records_each(own_console: Office) -> None:
    office = own_console
    ids = fill(office)
    done = run("pause", "--host", "imap.old.example", "--yes")
    assert done.exit_code == 0
    assert "✓ 2  Paused." in done.stdout
    assert states(office, ids) == {"paused", "queued", "waiting"}
    events = search_events(office.deps, actions=(AuditAction.IMPORT_PAUSE,), limit=10)
    assert {event.target for event in events} == {ids["queued"], ids["waiting"]}
    assert all(event.actor.name.startswith("operator:") for event in events)
    assert "✓ 1  It starts again" in run("retry", "--state", "stopped", "--yes").stdout
    assert office.queue.take() == [ids["stopped"]]


# --- API ------------------------------------------------------------------------------------------------


def paused_events(office: WebOffice) -> list[AuditEvent]:
    return [*search_events(office.deps, actions=(AuditAction.IMPORT_PAUSE,), limit=100)]


def started(panel: Panel, *names: str) -> list[str]:
    return [panel.start(source_address=f"{name}@old.example")["id"] for name in names]


def test_the_api_counts_first_and_acts_on_that_number_only(
    office: WebOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_actions, "MAX_CHANGED", 2)
    panel, other = Panel(office), Panel(office, "other")
    own = started(panel, "ada", "bea", "cyd")
    [foreign] = started(other, "dot")
    plan = panel.post("/import-actions/pause?host=imap.old.example").json()
    assert (plan["selected"], plan["changed"], plan["left"]) == (3, 0, 3)
    assert {each["id"] for each in plan["examples"]} == {*own}
    assert paused_events(office) == []
    wrong = panel.post("/import-actions/pause?host=imap.old.example&confirm=4")
    assert (wrong.status_code, wrong.json()["code"]) == (409, "not_possible")
    assert "3 imports match now" in wrong.json()["detail"]
    first = panel.post("/import-actions/pause?host=imap.old.example&confirm=3").json()
    assert (first["changed"], first["left"], first["effects"]) == (2, 1, {"done": 2})
    last = panel.post("/import-actions/pause?host=imap.old.example&confirm=1").json()
    assert (last["changed"], last["left"]) == (1, 0)

    def state(id_: str) -> State:
        import_: Import | None = office.deps.store.import_(ImportId(id_))
        assert import_ is not None
        return import_.state

    assert {state(id_) for id_ in own} == {State.PAUSED}
    assert state(foreign) is State.QUEUED
    done = [event for event in paused_events(office) if event.outcome is AuditOutcome.DONE]
    assert {event.target for event in done} == {*own}
    reader = Panel(office, "reader", TokenScope.READ)
    assert reader.post("/import-actions/pause").status_code == 403
    operator = Panel(office, "operator", TokenScope.READ, TokenScope.WRITE, TokenScope.ADMIN)
    assert operator.post("/import-actions/cancel").json()["selected"] == 4


@pytest.mark.parametrize(("effect", "outcome"), [(Effect.DONE, "done"), (Effect.TOO_LATE, "refused")])
def test_each_change_is_recorded_however_many_there_are(
    office: WebOffice, monkeypatch: pytest.MonkeyPatch, effect: Effect, outcome: str
) -> None:
    monkeypatch.setattr(audit, "SUCCESSES_PER_PERSON", RateLimit(1, 3600))
    monkeypatch.setattr(audit, "REFUSALS_PER_NETWORK", RateLimit(1, 3600))

    def paused(deps: Deps, action: BulkAction, ids: tuple[ImportId, ...], _actor: Actor) -> Iterator[Changed]:
        return (replace(changed, effect=effect) for changed in carry_out(deps, action, ids))

    monkeypatch.setattr(import_actions, "carry_out", paused)
    panel = Panel(office)
    own = started(panel, "ada", "bea", "cyd", "dot", "eve")
    answer = panel.post("/import-actions/pause?confirm=5").json()
    assert (answer["changed"], answer["effects"]) == (5, {effect.value: 5})
    events = paused_events(office)
    assert sorted(event.target for event in events) == sorted(own)
    assert {(event.outcome.value, event.detail) for event in events} == {(outcome, Text("control_paused"))}
    assert {event.actor for event in events} == {AuditActor(f"token:{panel.token.id}", "testclient")}
    assert {event.concerns for event in events} == {"client:panel"}
