"""Signing in at the provider of the new mailbox before an import starts: the review shows both sides."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from httpx import Response

from importer.domain.model import Import, State
from importer.service.access.sealed_grants import open_grants
from importer.service.legs.run_leg import handle_ring
from providers.grants import OAuthGrant
from tests.fakes.mailbox_access import MemoryAccess
from tests.unit.test_destinations import Issuer, signed_in, web
from tests.unit.test_source_sign_in import Google, come_back
from tests.unit.web_office import RIGHT, Browser, WebOffice

NEW = "ada@new.example"
DESTINATION = f"{NEW} outlook.office365.com"
FIRST = "You sign in at outlook.office365.com first. Nothing starts before that."


@pytest.fixture
def office(tmp_path: Path) -> WebOffice:
    return web(tmp_path, MemoryAccess(frozenset({"microsoft"})), Issuer())


@pytest.fixture
def microsoft(office: WebOffice) -> Google:
    return Google(office.access)


@pytest.fixture
def ada(office: WebOffice, microsoft: Google) -> Browser:
    """Her old mailbox is open, her new one is not."""
    browser = signed_in(office)
    open_old_mailbox(browser)
    return browser


def open_old_mailbox(browser: Browser) -> None:
    browser.post("/new", address="ada@old.example")
    browser.post("/new/mailbox", password=RIGHT, server="imap.old.example", port="993")


def press_the_button(browser: Browser) -> Response:
    browser.get("/new/review")
    return browser.post("/new/start", destination=DESTINATION)


def back(browser: Browser, microsoft: Google, who: str = NEW) -> Response:
    return come_back(browser, microsoft.allows(who), "microsoft")


def only_import(office: WebOffice) -> Import:
    [import_] = office.deps.store.imports()
    return import_


def test_the_button_leads_to_the_provider_and_nothing_starts(
    office: WebOffice, ada: Browser, microsoft: Google
) -> None:
    review = ada.get("/new/review").text
    assert FIRST in review
    assert "Sign in with Microsoft" in review
    assert re.findall(r"<button class=\"primary wide\">Import", review) == []
    forwarded = press_the_button(ada)
    assert microsoft.questions[-1].url.replace("&", "&amp;") in forwarded.text
    assert not office.deps.store.imports()
    events = office.deps.store.audit_events()
    assert "import.start" not in {event.action.value for event in events}


def test_the_review_then_checks_both_sides_and_the_import_asks_nobody(
    office: WebOffice, ada: Browser, microsoft: Google
) -> None:
    press_the_button(ada)
    answer = back(ada, microsoft)
    assert answer.headers["location"] == "/new/review?into=ada%40new.example+outlook.office365.com"
    review = ada.get(answer.headers["location"]).text
    assert FIRST not in review
    assert "Signed in at outlook.office365.com." in review
    found = ada.client.get(
        "/new/check", params={"source": "ada@old.example imap.old.example", "destination": DESTINATION}
    )
    assert found.status_code == 200
    assert "event: found" in found.text
    assert "could not check" not in found.text
    assert ada.post("/new/start", destination=DESTINATION).headers["location"].startswith("/batches/")
    import_ = only_import(office)
    assert import_.state is State.QUEUED
    assert not office.deps.store.consents_of(import_.id)
    sealed = office.deps.store.grants(import_.id)
    assert sealed is not None
    assert isinstance(open_grants(office.deps, import_.id, sealed).destination, OAuthGrant)
    handle_ring(office.deps, import_.id)
    assert only_import(office).state is State.COMPLETE


def test_the_check_counts_without_another_token_and_keeps_a_replaced_one(
    office: WebOffice, ada: Browser, microsoft: Google
) -> None:
    press_the_button(ada)
    back(ada, microsoft)
    office.access.rotates = True
    query = {"source": "ada@old.example imap.old.example", "destination": DESTINATION}
    assert "event: found" in ada.client.get("/new/check", params=query).text
    press_the_button(ada)
    handle_ring(office.deps, only_import(office).id)  # with the refresh token that is the last one
    assert only_import(office).state is State.COMPLETE


def test_the_grant_belongs_to_the_import_that_started_with_it(
    office: WebOffice, ada: Browser, microsoft: Google
) -> None:
    press_the_button(ada)
    back(ada, microsoft)
    press_the_button(ada)
    open_old_mailbox(ada)
    assert FIRST in ada.get("/new/review").text
    ada.post("/sign-out")
    assert office.access.given_back == []


def test_a_grant_that_no_import_got_is_given_back_at_sign_out(
    office: WebOffice, ada: Browser, microsoft: Google
) -> None:
    object.__setattr__(office.deps, "revokes_consents", True)
    press_the_button(ada)
    back(ada, microsoft)
    ada.get("/new/review")
    ada.post("/sign-out")
    assert len(office.access.given_back) == 1


def test_another_account_opens_nothing_and_the_page_leads_back(
    office: WebOffice, ada: Browser, microsoft: Google
) -> None:
    press_the_button(ada)
    refused = back(ada, microsoft, "eve@new.example")
    assert "That is another mailbox" in refused.text
    forwarded = ada.post("/new/destination/sign-in")
    assert microsoft.questions[-1].url.replace("&", "&amp;") in forwarded.text
    assert FIRST in ada.get("/new/review").text
    assert not office.deps.store.imports()


def test_a_page_that_asked_for_the_sign_in_starts_nothing_once_another_tab_has_signed_in(
    office: WebOffice, ada: Browser, microsoft: Google
) -> None:
    press_the_button(ada)
    ada.get("/new/review")
    shown = ada.hidden["/new/start"]["shown"]
    back(ada, microsoft)
    ada.get("/imports")
    outdated = ada.post("/new/start", destination=DESTINATION, shown=shown)
    assert outdated.status_code == 409
    assert not office.deps.store.imports()


def test_an_import_is_run_again_after_the_sign_in_on_its_page(
    office: WebOffice, ada: Browser, microsoft: Google
) -> None:
    press_the_button(ada)
    back(ada, microsoft)
    press_the_button(ada)
    handle_ring(office.deps, only_import(office).id)
    again = f"/imports/{only_import(office).id}/again"
    assert "Sign in with Microsoft" in ada.get(again).text
    ada.post(f"{again}/destination")
    assert back(ada, microsoft).headers["location"] == again
    assert "Signed in at outlook.office365.com." in ada.get(again).text
    ada.post(f"{again}/start", password=RIGHT)
    newest = office.deps.store.imports(limit=1)[0]
    assert newest.id != again.split("/")[2]
    assert newest.state is State.QUEUED
    assert not office.deps.store.consents_of(newest.id)
