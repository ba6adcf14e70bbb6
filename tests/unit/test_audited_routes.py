"""Security events of pages, API and console: every route and command is in a table, each event is there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Mount

from importer.cli.command_table import COMMAND_NAMES, console
from importer.domain.audit_event import AuditAction, AuditEvent, AuditOutcome
from importer.domain.people.api_tokens import TokenScope
from importer.service.access.api_clients import issue_token
from importer.service.access.audit import search_events
from importer.web.audit_middleware import AUDITED, UNAUDITED
from importer.web.middleware import SAFE_METHODS
from providers.text import Text
from tests.unit.web_office import Browser, WebOffice

NOT_AUDITED = {
    "check": "reads",
    "template": "writes a file",
    "detect": "reads",
    "list": "reads",
    "show": "reads",
    "explain": "reads",
    "watch": "reads",
    "report": "reads",
    "audit": "reads",
    "top": "reads",
    "hosts": "reads",
    "verify": "reads",
    "evidence": "reads, and writes a file",
    "doctor": "reads",
    "worker": "a service",
    "web": "a service",
    "up": "a service",
    "migrate": "no import, no token",
}
AUDITED_COMMANDS = {
    *("copy", "submit", "batch", "retry", "pause", "resume", "cancel", "schedule", "undo"),
    *("token", "session", "maintenance", "drain", "budgets", "data", "keys"),
}


def events(office: WebOffice, *actions: AuditAction) -> list[AuditEvent]:
    return [*search_events(office.deps, actions=actions, limit=1000)]


def changing(routes: Iterable[object]) -> Iterator[tuple[str, str]]:
    """Method and path of each route that changes something, in routers and mounts too."""
    for route in routes:
        if isinstance(route, APIRoute):
            yield from ((method, route.path) for method in (route.methods or set()) - SAFE_METHODS)
        elif isinstance(route, Mount):
            yield from changing(app_inside(route.app).routes)
        elif router := getattr(route, "original_router", None):
            yield from changing(router.routes)


def app_inside(app: Any) -> FastAPI:
    while not isinstance(app, FastAPI):
        app = app._app
    return app


def test_every_route_that_changes_something_is_recorded_or_says_why_not(office: WebOffice) -> None:
    found = {*changing(office.pages.routes)}
    assert len(found) > 20
    assert found - AUDITED.keys() - UNAUDITED == set()
    recorded = {key for key in AUDITED if key[0] not in SAFE_METHODS}
    assert (recorded | UNAUDITED) - found == set()  # no entry without a route


def test_every_command_is_recorded_or_says_why_not() -> None:
    assert {*COMMAND_NAMES} == {*AUDITED_COMMANDS, *NOT_AUDITED}


def test_sign_in_its_failure_and_sign_out_are_recorded_for_the_owner(office: WebOffice) -> None:
    browser = office.browser()
    browser.sign_in(password="wrong")
    browser.sign_in()
    browser.post("/sign-out")
    signed_out, done, refused = events(office, AuditAction.SIGN_IN, AuditAction.SIGN_OUT)
    assert (refused.outcome, refused.actor.name, refused.detail) == (
        AuditOutcome.REFUSED,
        "",
        Text("login_rejected"),
    )
    assert refused.concerns == done.concerns == done.actor.name == signed_out.actor.name
    assert refused.actor.client == "testclient"
    assert "wrong" not in str(events(office))


def test_a_form_of_another_site_or_without_a_token_is_recorded(office: WebOffice) -> None:
    browser = office.browser()
    browser.get("/")
    browser.client.post("/sign-in", data={}, headers={"origin": "https://evil.example"})
    browser.client.post("/sign-in", data={"csrf": "0" * 64})
    assert [(e.action, e.detail) for e in events(office)] == [
        (AuditAction.FORM_REFUSE, Text("audit_csrf_token")),
        (AuditAction.FORM_REFUSE, Text("audit_other_site.named", site="https://evil.example")),
    ]


def test_a_limit_is_recorded_once_each_time_it_is_reached(office: WebOffice) -> None:
    browser = office.browser()
    for _ in range(9):
        browser.sign_in(password="wrong")
    assert len(events(office, AuditAction.LIMIT_HIT)) == 1
    assert events(office, AuditAction.SIGN_IN)[0].detail == Text("audit_rate_limit")


def test_start_pause_and_cancel_name_the_import_and_its_owner(office: WebOffice) -> None:
    browser = office.browser()
    browser.sign_in()
    browser.start_import()
    (import_,) = office.deps.store.imports()
    for action in ("pause", "resume", "cancel"):
        browser.post(f"/imports/{import_.id}/{action}")
    found = events(office, *AuditAction.about_imports())
    assert [event.action.value for event in found] == [
        "import.cancel",
        "import.resume",
        "import.pause",
        "import.start",
    ]
    assert {event.target for event in found} == {import_.id}
    assert {event.concerns for event in found} == {found[0].actor.name}
    assert "Import cancelled" in browser.get("/activity").text
    assert "Import cancelled" not in stranger(office).get("/activity").text


def stranger(office: WebOffice) -> Browser:
    browser = office.browser()
    browser.sign_in("eve@new.example")
    return browser


def test_an_attempt_at_anothers_import_is_recorded_and_refused(office: WebOffice) -> None:
    browser = office.browser()
    browser.sign_in()
    browser.start_import()
    (import_,) = office.deps.store.imports()
    stranger(office).post(f"/imports/{import_.id}/cancel")
    (event,) = events(office, AuditAction.IMPORT_CANCEL)
    assert (event.outcome, event.target) == (AuditOutcome.REFUSED, import_.id)
    assert event.concerns != event.actor.name


def test_use_and_refusal_of_a_token_are_recorded(office: WebOffice) -> None:
    issued = issue_token(office.deps, "panel", frozenset({TokenScope.READ}))
    client = office.browser().client
    for token in (issued.secret.reveal(), issued.secret.reveal(), "mailhaul_wrong"):
        client.get("/api/v1/imports", headers={"authorization": f"Bearer {token}"})
    client.get("/api/v1/imports")
    client.post(
        "/api/v1/detect", json={"address": "a@b.example"}, headers={"authorization": "Bearer mailhaul_wrong"}
    )
    found = events(office, AuditAction.TOKEN_USE)
    assert [(e.outcome.value, e.detail) for e in found] == [
        ("refused", Text("api.token_refused")),
        ("refused", Text("api.token_missing")),
        ("refused", Text("api.token_refused")),
        ("done", None),  # once a day and network
    ]
    assert found[-1].actor.name == f"token:{issued.token.id}"


def test_the_console_records_the_operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "carla")
    data = ["--data", str(tmp_path)]
    assert CliRunner().invoke(console, ["token", "create", "panel", *data]).exit_code == 0
    shown = CliRunner().invoke(console, ["audit", *data])
    assert "token.create" in shown.output
    assert "operator:carla" in shown.output
    assert all(len(line) <= 80 for line in shown.output.splitlines())
