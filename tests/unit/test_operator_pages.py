"""The operators' pages: who may see them, the board, the list, and why an import waits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from importer.domain.audit_event import AuditAction, AuditOutcome
from importer.domain.model import Account, State
from importer.domain.people.actor import Actor
from importer.service.access.audit import search_events
from importer.service.access.operators import is_operator
from importer.service.access.session_data import SessionData, VerifiedMailbox
from importer.service.imports.submit import submit
from importer.web.pages import operator_imports
from providers.endpoint import Endpoint
from tests.unit.operator_office import CUSTOMER, OPERATOR, OperatorOffice, an_import, filled
from tests.unit.test_service import a_row
from tests.unit.test_web import routes
from tests.unit.web_office import HOST, RIGHT


def operator_routes(office: OperatorOffice, import_id: str = "x" * 12) -> list[tuple[str, str]]:
    return [
        (method, path.replace("{import_id}", import_id))
        for method, path in routes(office)
        if path.startswith("/operator")
    ]


def test_every_operator_route_is_missing_for_a_customer_and_asks_others_to_sign_in(tmp_path: Path) -> None:
    office, _, imports = filled(tmp_path)
    customer, signed_out = office.signed_in(CUSTOMER), office.browser()
    signed_out.get("/")
    tried = operator_routes(office, imports["queued"].id)
    assert len(tried) >= 5
    for method, path in tried:
        for browser, status in ((customer, 404), (signed_out, 303)):
            answer = (browser.get if method == "GET" else browser.post)(path)
            assert answer.status_code == status, (method, path)
            assert "@old.example" not in answer.text
    refused = search_events(office.deps, actions=[AuditAction.OPERATOR_USE], limit=100)
    assert len(refused) == len(tried)
    assert {event.outcome for event in refused} == {AuditOutcome.REFUSED}
    assert "/operator" not in customer.get("/imports").text


def test_every_operator_form_needs_the_csrf_token_of_its_browser(tmp_path: Path) -> None:
    office, operator, _ = filled(tmp_path)
    for method, path in operator_routes(office):
        if method == "POST":
            assert operator.client.post(path, data={"csrf": "0" * 64}).status_code == 403, path


def test_the_use_of_the_pages_is_recorded_once_a_day_and_shown_to_the_operator(tmp_path: Path) -> None:
    office, operator, _ = filled(tmp_path)
    for _ in range(3):
        assert operator.get("/operator").status_code == 200
    [event] = search_events(office.deps, actions=[AuditAction.OPERATOR_USE], limit=100)
    assert (event.actor.name, event.outcome) == (f"operator:{OPERATOR}", AuditOutcome.DONE)
    assert "Operators&#39; pages opened" in operator.get("/activity").text


def test_an_operator_is_one_by_the_mailbox_that_the_session_has_opened(tmp_path: Path) -> None:
    office = OperatorOffice(tmp_path)

    def has_role(mailbox: VerifiedMailbox) -> bool:
        return is_operator(office.deps, SessionData((mailbox,)))

    own = office.signed_in("It@new.example")
    assert own.get("/operator").status_code == 200
    assert own.get("/imports").text.count('href="/operator"') == 1
    customer = office.signed_in(CUSTOMER)
    assert customer.get("/operator").status_code == 404
    customer.get("/mailboxes")
    customer.post("/mailboxes", address=OPERATOR, password=RIGHT)
    assert customer.get("/operator").status_code == 200
    account = replace(office.doors.knocks[0][0], login=OPERATOR)
    assert has_role(VerifiedMailbox(account, None))
    assert not has_role(VerifiedMailbox(account, None, gives_rights=False))
    elsewhere = replace(account, endpoint=Endpoint("imap.evil.example"))
    assert not has_role(VerifiedMailbox(elsewhere, None))
    assert not has_role(VerifiedMailbox(replace(account, login="eve"), None))
    office.change_deps(operators=frozenset())
    assert own.get("/operator").status_code == 404, "the setting counts, not the session"


def test_the_board_shows_what_is_under_way_and_the_queue(tmp_path: Path) -> None:
    _, operator, imports = filled(tmp_path)
    page = operator.get("/operator").text
    assert "running@old.example" in page
    assert "waiting@old.example" in page
    assert "stopped@old.example" not in page
    assert "2 imports wait for a worker" in page
    assert "<strong>2</strong> Queued" in page
    assert "300 / 1,000" in page
    parts = operator.get("/operator/live").json()["parts"]
    assert parts["board"] in page
    assert imports["running"].id in parts["board"]


def listed(page: str) -> set[str]:
    names = ("running", "queued", "waiting", "paused", "stopped", "panel")
    return {name for name in names if f"{name}@old.example" in page}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"running", "queued", "waiting", "paused", "stopped", "panel"}),
        ("?search=QUEUED", {"queued"}),
        ("?state=stopped", {"stopped"}),
        ("?owner=client:panel", {"panel"}),
        ("?reason=server_unavailable", {"waiting"}),
        ("?domain=old.example&state=paused", {"paused"}),
        ("?host=nowhere.example", set()),
        ("?newer=1h&address=run", {"running"}),
        ("?older=1h", set()),
    ],
)
def test_the_list_has_the_conditions_of_console_and_api(
    tmp_path: Path, query: str, expected: set[str]
) -> None:
    _, operator, _ = filled(tmp_path)
    answer = operator.get(f"/operator/imports{query}")
    assert answer.status_code == 200
    assert listed(answer.text) == expected


@pytest.mark.parametrize(("language", "shown"), [("en", "console"), ("de", "Konsole"), ("es", "consola")])
def test_the_console_is_an_owner_under_the_name_that_the_page_shows(
    tmp_path: Path, language: str, shown: str
) -> None:
    office, operator, _ = filled(tmp_path)
    submit(office.deps, Actor(), [a_row(source=Account("ours@old.example", "ours", HOST))])
    operator.post("/language", language=language)
    assert shown in operator.get("/operator/imports").text
    page = operator.get(f"/operator/imports?owner={shown}").text
    assert "ours@old.example" in page
    assert listed(page) == set()


@pytest.mark.parametrize("query", ["?older=soon", "?newer=3", "?state=gone"])
def test_a_wrong_condition_selects_nothing_and_says_so(tmp_path: Path, query: str) -> None:
    _, operator, _ = filled(tmp_path)
    answer = operator.get(f"/operator/imports{query}")
    assert answer.status_code == 422
    assert listed(answer.text) == set()
    assert 'aria-invalid="true"' in answer.text


def test_the_list_comes_in_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator_imports, "LISTED", 4)
    _, operator, imports = filled(tmp_path)
    first = operator.get("/operator/imports").text
    assert len(listed(first)) == 4
    assert "All 6 imports that match" in first
    [last] = {import_.id for import_ in imports.values() if f"?after={import_.id}" in first}
    second = operator.get(f"/operator/imports?after={last}").text
    assert listed(first) | listed(second) == set(imports)
    assert not listed(first) & listed(second)


def test_the_page_of_an_import_says_why_it_waits_who_owns_it_and_who_did_what(tmp_path: Path) -> None:
    office, operator, imports = filled(tmp_path)
    customer = office.signed_in(CUSTOMER)
    customer.post(f"/imports/{imports['queued'].id}/pause")
    waiting = operator.get(f"/operator/imports/{imports['waiting'].id}").text
    assert "imap.old.example" in waiting
    assert CUSTOMER in waiting
    assert "Next:" in waiting
    assert "Import paused" in operator.get(f"/operator/imports/{imports['queued'].id}").text
    for unknown in ("x" * 12, "É"):
        assert operator.get(f"/operator/imports/{unknown}").status_code == 404


def test_no_page_of_the_operators_shows_a_secret(tmp_path: Path) -> None:
    office = OperatorOffice(tmp_path)
    password = "s3cret-of-a-customer"
    an_import(office.office, "queued", State.QUEUED, password=password)
    [import_] = office.deps.store.imports()
    sealed = office.deps.store.grants(import_.id)
    assert sealed is not None
    operator = office.signed_in(OPERATOR)
    for method, path in operator_routes(office, import_.id):
        if method == "GET" and not path.endswith("/events"):
            text = operator.get(path).text
            assert password not in text
            assert sealed.source.decode() not in text
