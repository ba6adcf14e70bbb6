"""Operators' changes on the pages: many imports after a confirmation, pauses of hosts, maintenance."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from importer.domain.audit_event import AuditAction
from importer.domain.model import Import, ImportId, State
from importer.domain.people.identities import RateLimit
from importer.domain.planning.host_allowance import Backoff
from importer.service.access import audit
from importer.service.access.audit import search_events
from importer.web.pages import operator_changes
from providers.text import Text
from tests.unit.operator_office import CUSTOMER, OPERATOR, WRONG_PASSWORD, OperatorOffice, an_import, filled
from tests.unit.test_service import MINUTE
from tests.unit.web_office import Browser

CHANGES = "/operator/changes"


def confirmation(page: str) -> dict[str, str]:
    """The hidden fields of the form."""
    form = re.search(rf'<form method="post" action="{CHANGES}".*?</form>', page, re.DOTALL)
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form[0]) if form else []
    return {name: value.replace("&amp;", "&") for name, value in found}


def listed(page: str) -> set[str]:
    return set(re.findall(r"(\w+)@old\.example", page))


def change(browser: Browser, query: str, **instead: str) -> tuple[int, str]:
    """Confirm what the page for that query lists."""
    fields = confirmation(browser.get(f"{CHANGES}?{query}").text)
    answer = browser.client.post(CHANGES, data={**fields, **instead})
    return answer.status_code, answer.text


def state(office: OperatorOffice, import_: Import) -> State:
    stored = office.deps.store.import_(import_.id)
    assert stored is not None
    return stored.state


def test_exactly_what_the_confirmation_lists_is_changed(tmp_path: Path) -> None:
    office, operator, imports = filled(tmp_path)
    page = operator.get(f"{CHANGES}?action=cancel&every=yes&domain=old.example&state=queued").text
    assert listed(page) == {"queued", "panel"}
    assert "Cancel 2 imports and erase their passwords?" in page
    late = an_import(office.office, "late", State.QUEUED)  # matches too, but was not shown
    answer = operator.client.post(CHANGES, data=confirmation(page))
    assert answer.status_code == 200
    assert "2 imports:" in answer.text
    assert [state(office, imports[name]) for name in ("queued", "panel")] == [State.CANCELLED] * 2
    assert state(office, late) is State.QUEUED
    assert state(office, imports["waiting"]) is State.WAITING


def test_chosen_imports_are_changed_as_far_as_they_can_be(tmp_path: Path) -> None:
    office, operator, imports = filled(tmp_path)
    ids = "&".join(f"id={imports[name].id}" for name in ("queued", "stopped"))
    assert listed(operator.get(f"{CHANGES}?action=pause&{ids}").text) == {"queued"}
    assert change(operator, f"action=pause&{ids}")[0] == 200
    assert state(office, imports["queued"]) is State.PAUSED
    assert "Nothing to change" in operator.get(f"{CHANGES}?action=pause").text


@pytest.mark.parametrize("field", ["imports", "action", "shown"])
def test_a_confirmation_that_was_altered_changes_nothing(tmp_path: Path, field: str) -> None:
    office, operator, imports = filled(tmp_path)
    other = {"imports": imports["panel"].id, "action": "cancel", "shown": "0" * 32}[field]
    status, _ = change(operator, f"action=pause&id={imports['queued'].id}", **{field: other})
    assert status == 409
    assert [state(office, imports[name]) for name in ("queued", "panel")] == [State.QUEUED] * 2


def test_a_confirmation_is_of_one_session(tmp_path: Path) -> None:
    office, operator, imports = filled(tmp_path)
    fields = confirmation(operator.get(f"{CHANGES}?action=cancel&id={imports['queued'].id}").text)
    other = office.signed_in(OPERATOR)
    assert other.client.post(CHANGES, data={**fields, "csrf": other.csrf}).status_code == 409
    assert state(office, imports["queued"]) is State.QUEUED


def test_more_than_one_request_changes_come_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator_changes, "MAX_CHANGED", 2)
    office, operator, imports = filled(tmp_path)
    path, seen = f"{CHANGES}?action=cancel&every=yes&domain=old.example", set[str]()
    for _ in range(3):
        page = operator.get(path).text
        seen |= listed(page)
        answer = operator.client.post(CHANGES, data=confirmation(page))
        following = re.search(rf'href="({CHANGES}[^"]*)"', answer.text)
        if following is None:
            break
        path = following[1].replace("&amp;", "&")
    assert seen == {"running", "queued", "waiting", "paused", "panel"}
    assert [state(office, each) for name, each in imports.items() if name != "running"].count(
        State.CANCELLED
    ) == 4


def test_each_change_is_recorded_for_its_owner_however_many_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "SUCCESSES_PER_PERSON", RateLimit(1, 3600))
    office, operator, imports = filled(tmp_path)
    change(operator, "action=pause&every=yes&search=old.example")
    events = search_events(office.deps, actions=[AuditAction.IMPORT_PAUSE], limit=100)
    assert {e.target for e in events} == {
        imports[name].id for name in ("running", "queued", "waiting", "panel")
    }
    assert {event.actor.name for event in events} == {f"operator:{OPERATOR}"}
    activity = office.signed_in(CUSTOMER).get("/activity").text
    assert "the operator of this service" in activity
    assert OPERATOR not in activity


def kept(office: OperatorOffice, name: str) -> Import:
    """An import that was stopped and can be tried again without passwords."""
    until = office.office.clock.now() + 1000 * MINUTE
    return an_import(office.office, name, State.STOPPED, problem=WRONG_PASSWORD, grants_kept_until=until)


@pytest.mark.parametrize("moment", ["acquire", "reopen_import"])
def test_two_operators_confirm_the_same_retry_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """The second one is at that step when the first one confirms. The import goes on once, and neither of
    them is told that it has ended."""
    office, second, _ = filled(tmp_path)
    import_ = kept(office, "kept")
    first = office.signed_in(OPERATOR)
    path = f"{CHANGES}?action=retry&id={import_.id}"
    confirmed = [confirmation(who.get(path).text) for who in (first, second)]
    pages: list[str] = []
    original = getattr(office.office.store, moment)

    def interrupted(*arguments: Any, **named: Any) -> Any:
        monkeypatch.setattr(office.office.store, moment, original)
        pages.append(first.client.post(CHANGES, data=confirmed[0]).text)
        return original(*arguments, **named)

    monkeypatch.setattr(office.office.store, moment, interrupted)
    pages.append(second.client.post(CHANGES, data=confirmed[1]).text)
    after = office.office.import_(import_.id)
    assert (after.state, after.reopened, after.grants_kept_until) == (State.QUEUED, 1, None)
    assert not [page for page in pages if "already ended" in page]
    assert any("It starts again with the stored passwords." in page for page in pages)
    events = search_events(office.deps, actions=[AuditAction.IMPORT_RESUME], limit=10)
    assert {event.target for event in events} == {import_.id}


def test_a_cancel_confirmed_while_another_operator_retries_ends_the_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office, second, _ = filled(tmp_path)
    import_ = kept(office, "kept")
    first = office.signed_in(OPERATOR)
    retry, cancel = (
        confirmation(who.get(f"{CHANGES}?action={action}&id={import_.id}").text)
        for who, action in ((first, "retry"), (second, "cancel"))
    )
    original = office.office.store.erase_kept_grants

    def interrupted(import_id: ImportId) -> bool:
        first.client.post(CHANGES, data=retry)
        return original(import_id)

    monkeypatch.setattr(office.office.store, "erase_kept_grants", interrupted)
    page = second.client.post(CHANGES, data=cancel).text
    assert "already ended" not in page
    assert state(office, import_) is State.CANCELLED
    assert office.deps.store.grants(import_.id) is None


def test_a_wrong_condition_chooses_nothing(tmp_path: Path) -> None:
    _, operator, _ = filled(tmp_path)
    assert "Nothing to change" in operator.get(f"{CHANGES}?action=cancel&every=yes&older=soon").text
    assert operator.get(f"{CHANGES}?action=erase&every=yes").status_code == 422


def test_a_pause_of_a_host_is_shown_and_ended(tmp_path: Path) -> None:
    office, operator, _ = filled(tmp_path)
    now = office.deps.clock.now()
    throttled = Text("throttled.logins", host="imap.old.example")
    office.deps.store.back_off(Backoff("host imap.old.example", now + 5 * MINUTE, throttled))
    page = operator.get("/operator/hosts").text
    assert "accepts no logins" in page
    operator.post("/operator/pauses/clear", name="imap.old.example")
    assert office.deps.store.backoffs(now) == []
    assert "accepts no logins" not in operator.get("/operator/hosts").text
    [event] = search_events(office.deps, actions=[AuditAction.PAUSE_CLEAR], limit=10)
    assert event.actor.name == f"operator:{OPERATOR}"


def test_maintenance_begins_and_ends(tmp_path: Path) -> None:
    office, operator, _ = filled(tmp_path)
    operator.get("/operator")
    operator.post("/operator/maintenance", to="on", note="Until six.")
    current = office.deps.store.maintenance()
    assert current is not None
    assert (current.note, current.by) == ("Until six.", f"operator:{OPERATOR}")
    assert "Let imports go on" in operator.get("/operator").text
    operator.post("/operator/maintenance", to="off")
    assert office.deps.store.maintenance() is None
    assert len(search_events(office.deps, actions=[AuditAction.MAINTENANCE], limit=10)) == 2


def test_the_audit_trail_is_searched(tmp_path: Path) -> None:
    _, operator, imports = filled(tmp_path)
    change(operator, f"action=pause&id={imports['queued'].id}")
    for query, number in (
        (f"target={imports['queued'].id}", 1),
        ("action=import.pause", 1),
        ("action=import.cancel", 0),
        (f"actor=operator:{OPERATOR}&days=1", 2),
        ("days=soon", 0),
        ("action=anything", 0),
    ):
        page = operator.get(f"/operator/audit?{query}").text
        assert page.count('<th scope="row">') == number, query
