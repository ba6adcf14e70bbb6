"""Import at the first login: the panel starts it, and the customer enters the old password over a link."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from importer.domain.model import ImportId, Problem, State
from importer.domain.people.api_tokens import TokenScope
from importer.i18n.code_texts import render
from importer.i18n.translations import LANGUAGES, texts
from importer.service.access.consent_requests import process_pending_consents
from importer.service.access.rate_limits import PER_ACCOUNT_AND_CLIENT
from importer.service.access.sealed_grants import open_grants
from importer.service.legs.run_leg import handle_ring
from providers.grants import PasswordGrant
from tests.unit.test_api import ROW, Panel, problem
from tests.unit.web_office import RIGHT, WebOffice

ASKED = {
    **{name: value for name, value in ROW.items() if name != "source_password"},
    "source_password_by_link": True,
}
DAY = timedelta(days=1)


@pytest.fixture
def panel(office: WebOffice) -> Panel:
    return Panel(office)


def started(panel: Panel, **changes: Any) -> tuple[ImportId, str]:
    """Start the import as a panel does; its id, and the path of the link."""
    answer = panel.post("/imports", {**ASKED, **changes})
    assert answer.status_code == 201, answer.text
    [row] = answer.json()["rows"]
    assert row["import"]["state"] == "waiting"
    consent = panel.get(f"/imports/{row['import']['id']}/consent").json()
    assert consent["source"]["awaited"]
    assert not consent["destination"]["awaited"]
    path = "/consent/" + consent["source"]["link"].rpartition("/consent/")[2]
    return ImportId(row["import"]["id"]), path


def state_of(office: WebOffice, import_id: ImportId) -> State:
    import_ = office.deps.store.import_(import_id)
    assert import_ is not None
    return import_.state


def problem_of(office: WebOffice, import_id: ImportId) -> Problem:
    import_ = office.deps.store.import_(import_id)
    assert import_ is not None
    assert import_.problem is not None
    return import_.problem


def test_the_customer_enters_the_password_and_the_import_runs(office: WebOffice, panel: Panel) -> None:
    import_id, path = started(panel)
    customer = office.browser()  # not signed in
    form = customer.get(path)
    assert form.status_code == 200
    assert "ada@old.example" in form.text
    assert "ada@new.example" in form.text
    assert 'type="password"' in form.text
    thanks = customer.post(path, password=RIGHT)
    assert (thanks.status_code, "Thank you" in thanks.text) == (200, True)
    sealed = office.deps.store.grants(import_id)
    assert sealed is not None
    source = open_grants(office.deps, import_id, sealed).source
    assert isinstance(source, PasswordGrant)
    assert source.password.reveal() == RIGHT
    handle_ring(office.deps, import_id)
    assert state_of(office, import_id) is State.COMPLETE


def test_a_link_serves_once(office: WebOffice, panel: Panel) -> None:
    _, path = started(panel)
    customer = office.browser()
    customer.get(path)
    assert customer.post(path, password=RIGHT).status_code == 200
    assert customer.get(path).status_code == 404
    assert customer.post(path, password=RIGHT).status_code == 404


def test_a_wrong_password_is_said_and_the_link_stays(office: WebOffice, panel: Panel) -> None:
    import_id, path = started(panel)
    customer = office.browser()
    customer.get(path)
    refused = customer.post(path, password="wrong")
    assert refused.status_code == 403
    assert 'role="alert"' in refused.text
    assert 'value="wrong"' not in refused.text
    assert state_of(office, import_id) is State.WAITING
    assert customer.post(path, password="").status_code == 403
    assert customer.post(path, password=RIGHT).status_code == 200


def test_passwords_cannot_be_guessed_over_a_link(office: WebOffice, panel: Panel) -> None:
    import_id, path = started(panel)
    customer = office.browser()
    customer.get(path)
    for _ in range(PER_ACCOUNT_AND_CLIENT.tries):
        customer.post(path, password="wrong")
    assert "Thank you" not in customer.post(path, password=RIGHT).text
    assert state_of(office, import_id) is State.WAITING


def test_a_form_of_another_site_is_refused(office: WebOffice, panel: Panel) -> None:
    _, path = started(panel)
    customer = office.browser()
    customer.get(path)
    customer.csrf = "forged"
    assert customer.post(path, password=RIGHT).status_code == 403


def test_a_link_expires_and_ends_the_import(office: WebOffice, panel: Panel) -> None:
    import_id, path = started(panel)
    office.office.clock.sleep(office.deps.deadlines.consent.total_seconds() + 1)
    assert office.browser().get(path).status_code == 404
    import_ = office.deps.store.import_(import_id)
    assert import_ is not None
    lease = office.deps.store.acquire(f"import:{import_id}", "w", DAY)
    assert lease is not None
    after = process_pending_consents(office.deps, import_, lease)
    assert after.state is State.STOPPED
    assert problem_of(office, import_id).text.code == "consent_expired.password"


def test_no_mail_goes_to_the_old_mailbox(office: WebOffice, panel: Panel) -> None:
    """The panel shows the link: a mail that asks for a password would look like a fraud."""
    import_id, _ = started(panel)
    office.office.clock.sleep((3 * DAY).total_seconds())
    handle_ring(office.deps, import_id)
    assert not office.deps.store.notices("consent:")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_and_the_reason_are_in_five_languages(
    office: WebOffice, panel: Panel, language: str
) -> None:
    import_id, path = started(panel)
    customer = office.browser()
    customer.client.headers["Accept-Language"] = language
    shown = customer.get(path).text
    assert f'<html lang="{language}"' in shown
    reason = render(problem_of(office, import_id).text, texts(language))
    assert "ada@old.example" in reason
    if language != "en":
        assert "Enter the password" not in shown
        assert "The owner of" not in reason


def test_without_the_wish_a_missing_password_is_refused(panel: Panel) -> None:
    details = problem(
        panel.post("/imports", {**ASKED, "source_password_by_link": False}), 422, "rows_refused"
    )
    assert [each["rule"] for each in details["problems"]] == ["password_missing"]


def test_a_password_that_is_given_needs_no_link(office: WebOffice, panel: Panel) -> None:
    import_ = panel.start(source_password_by_link=True)
    assert import_["state"] == "queued"
    assert office.deps.store.consents_of(ImportId(import_["id"])) == {}


def test_a_host_that_takes_no_passwords_is_refused(panel: Panel) -> None:
    answer = panel.post("/imports", {**ASKED, "source_address": "ada@outlook.com", "source_server": ""})
    assert problem(answer, 422, "rows_refused")["problems"]


def test_an_administrator_may_ask_too(office: WebOffice) -> None:
    import_id, _ = started(Panel(office, "panel", TokenScope.ADMIN))
    assert state_of(office, import_id) is State.WAITING


def test_a_customer_of_another_browser_needs_no_session(office: WebOffice, panel: Panel) -> None:
    _, path = started(panel)
    first, second = office.browser(), office.browser()
    for browser in (first, second):
        assert browser.get(path).status_code == 200
    assert second.post(path, password=RIGHT).status_code == 200
    assert first.post(path, password=RIGHT).status_code == 404


def test_the_panel_is_told_what_the_import_waits_for(panel: Panel) -> None:
    import_id, _ = started(panel)
    assert "enter its password" in str(panel.get(f"/imports/{import_id}/explanation").json())
    told = panel.get(f"/imports/{import_id}").json()["problem"]
    assert (told["code"], told["detail"]) == ("consent_needed", "consent_needed.password")
