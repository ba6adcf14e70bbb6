"""After a stop, one page leads on: with the passwords that are missing, and everything else as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from httpx import Response

from importer.domain.model import Import, State
from importer.service.deps import Quotas
from importer.service.legs.run_leg import handle_ring
from providers.endpoint import Endpoint
from tests.fakes.mailbox import MemoryMailbox
from tests.fakes.mailbox_access import MemoryAccess
from tests.unit.test_service import DATE
from tests.unit.test_source_sign_in import Google, come_back
from tests.unit.web_office import HOST, RIGHT, Browser, WebOffice

HEADER = (
    "source_address,source_password,source_server,destination_address,destination_password,folders,"
    "spam_and_trash\n"
)
ROW = 'tom@old.example,wrong,imap.odd.example:1993,tom@new.example,right,"INBOX, Work",skip\n'


@pytest.fixture
def office(tmp_path: Path) -> WebOffice:
    return WebOffice(tmp_path, access=MemoryAccess(frozenset({"google"})))


@pytest.fixture
def lena(office: WebOffice) -> Browser:
    browser = office.browser()
    browser.sign_in("lena@new.example")
    return browser


def newest(office: WebOffice) -> Import:
    return office.deps.store.imports(limit=1)[0]


@pytest.fixture
def stopped(office: WebOffice, lena: Browser) -> Import:
    """A row of a file, into a mailbox that is not open in this visit, stopped by a wrong password."""
    lena.post("/language", language="fr")
    lena.post("/file", rows=HEADER + ROW)
    lena.post("/file/start")
    lena.post("/language", language="en")
    handle_ring(office.deps, newest(office).id)
    assert newest(office).state is State.STOPPED
    return newest(office)


def way_on(browser: Browser, import_: Import, **fields: str) -> Response:
    browser.get(f"/imports/{import_.id}/again")
    return browser.post(f"/imports/{import_.id}/again/start", **fields)


def test_one_page_asks_for_both_passwords_and_keeps_everything_else(
    office: WebOffice, lena: Browser, stopped: Import
) -> None:
    page = lena.get(f"/imports/{stopped.id}/again").text
    assert "Enter the password again</h1>" in page
    assert "tom@old.example" in page
    assert 'name="destination_password"' in page
    answer = way_on(lena, stopped, password=RIGHT, destination_password=RIGHT)
    fresh = newest(office)
    assert fresh.id != stopped.id
    assert answer.headers["location"] == f"/batches/{fresh.batch_id}"
    kept = ("source", "destination", "options", "submitter", "language")
    assert [getattr(fresh, name) for name in kept] == [getattr(stopped, name) for name in kept]
    assert fresh.language == "fr"
    assert fresh.source.endpoint == Endpoint("imap.odd.example", 1993)
    handle_ring(office.deps, fresh.id)
    assert newest(office).state is State.COMPLETE


def test_a_wrong_password_is_said_at_its_field_and_starts_nothing(
    office: WebOffice, lena: Browser, stopped: Import
) -> None:
    answer = way_on(lena, stopped, password=RIGHT, destination_password="wrong")
    assert answer.status_code == 422
    assert 'id="destination_password-error"' in answer.text
    answer = way_on(lena, stopped, password="wrong", destination_password=RIGHT)
    assert answer.status_code == 422
    assert 'id="password-error"' in answer.text
    assert 'name="destination_password"' not in answer.text  # it was right, and is open in this visit now
    assert newest(office).id == stopped.id
    assert way_on(lena, stopped, password=RIGHT).status_code == 303
    assert newest(office).destination.address == "tom@new.example"


def test_the_password_of_an_open_destination_is_not_asked_for(office: WebOffice, lena: Browser) -> None:
    lena.start_import("lena@old.example")
    import_ = newest(office)
    lena.post(f"/imports/{import_.id}/cancel")
    page = lena.get(f"/imports/{import_.id}/again").text
    assert "Continue the import</h1>" in page
    assert 'name="destination_password"' not in page
    assert way_on(lena, import_, password=RIGHT).headers["location"].startswith("/batches/")


def test_running_again_counts_against_the_quota_of_its_owner(
    office: WebOffice, lena: Browser, stopped: Import
) -> None:
    object.__setattr__(office.deps, "quotas", Quotas(person_starts=1))
    refused = way_on(lena, stopped, password=RIGHT, destination_password=RIGHT)
    assert refused.status_code == 429
    assert "More imports than you may start in 24 hours: 1." in refused.text
    assert newest(office) == stopped


def test_an_import_that_has_not_ended_is_not_started_again(office: WebOffice, lena: Browser) -> None:
    lena.start_import("lena@old.example")
    import_ = newest(office)
    assert lena.get(f"/imports/{import_.id}/again").headers["location"] == f"/imports/{import_.id}"
    answer = way_on(lena, import_, password=RIGHT)
    assert answer.headers["location"] == f"/imports/{import_.id}"
    assert len(office.deps.store.imports()) == 1


def test_signing_in_again_starts_at_once(office: WebOffice, lena: Browser) -> None:
    google = Google(office.access)
    lena.post("/new", address="lena@gmail.com")
    lena.post("/new/sign-in")
    come_back(lena, google.allows("lena@gmail.com"))
    lena.get("/new/review")
    lena.post("/new/start", destination=f"lena@new.example {HOST.host}")
    import_ = newest(office)
    lena.post(f"/imports/{import_.id}/cancel")
    lena.post("/sign-out")
    lena.sign_in("lena@new.example")
    page = lena.get(f"/imports/{import_.id}/again").text
    assert "Sign in with Google" in page
    lena.post(f"/imports/{import_.id}/again/sign-in")
    refused = come_back(lena, google.allows("eve@gmail.com"))
    assert f'action="/imports/{import_.id}/again/sign-in"' in refused.text
    lena.post(f"/imports/{import_.id}/again/sign-in")
    answer = google.allows("lena@gmail.com")
    back = come_back(lena, answer)
    fresh = newest(office)
    assert fresh.id != import_.id
    assert back.headers["location"] == f"/batches/{fresh.batch_id}"
    again = come_back(lena, answer)
    assert "You have already signed in" in again.text
    assert len(office.deps.store.imports()) == 2
    handle_ring(office.deps, fresh.id)
    assert newest(office).state is State.COMPLETE


def test_signing_in_again_opens_the_destination_first(office: WebOffice, lena: Browser) -> None:
    google = Google(office.access)
    rows = HEADER + "tom@gmail.com,wrong,,tom@new.example,right,,\n"
    lena.post("/file", rows=rows)
    lena.post("/file/start")
    import_ = newest(office)
    handle_ring(office.deps, import_.id)
    lena.get(f"/imports/{import_.id}/again")
    path = f"/imports/{import_.id}/again/sign-in"
    answer = lena.post(path, destination_password="wrong")
    assert answer.status_code == 422
    assert 'id="sign_in_destination_password-error"' in answer.text
    assert not google.questions
    lena.post(path, destination_password=RIGHT)
    come_back(lena, google.allows("tom@gmail.com"))
    fresh = newest(office)
    assert fresh.id != import_.id
    assert fresh.destination == import_.destination
    handle_ring(office.deps, fresh.id)
    assert newest(office).state is State.COMPLETE


def test_a_destination_elsewhere_is_named(office: WebOffice, lena: Browser, stopped: Import) -> None:
    site = office.pages.state.site
    office.pages.state.site = replace(site, destination=Endpoint("imap.newer.example"))
    page = lena.get(f"/imports/{stopped.id}/again").text
    assert "cannot be reached from these pages" in page
    assert 'name="password"' not in page
    answer = lena.post(f"/imports/{stopped.id}/again/start", password=RIGHT, destination_password=RIGHT)
    assert answer.headers["location"] == f"/imports/{stopped.id}/again"
    assert newest(office).id == stopped.id


def test_the_form_of_a_new_import_is_still_there_to_change_something(lena: Browser, stopped: Import) -> None:
    assert lena.post(f"/imports/{stopped.id}/again").headers["location"] == "/new/mailbox"
    assert "tom@old.example" in lena.get("/new/mailbox").text


# --- The failed messages alone -----------------------------------------------------------------------------


def with_failures(office: WebOffice, source: str) -> Import:
    """The import of the newest batch at its end: one of three messages was refused. New mail came since."""
    import_ = newest(office)
    old, new = MemoryMailbox(), MemoryMailbox()
    office.doors.mailboxes |= {import_.source.key: old, import_.destination.key: new}
    for n in range(3):
        old.folders["INBOX"].add((), DATE, b"Subject: %d\r\n\r\n" % n)
    new.refuses = lambda body: "no" if body.startswith(b"Subject: 1") else None
    handle_ring(office.deps, import_.id)
    old.folders["INBOX"].add((), DATE, b"Subject: new\r\n\r\n")
    new.refuses = lambda _body: None
    assert (newest(office).state, newest(office).source.address) == (State.INCOMPLETE, source)
    return newest(office)


def test_the_button_tries_failed_messages_alone_again(office: WebOffice, lena: Browser) -> None:
    lena.start_import("lena@old.example")
    first = with_failures(office, "lena@old.example")
    page = lena.get(f"/imports/{first.id}").text
    assert f'href="/imports/{first.id}/again?only=failed">Try again what was not copied</a>' in page
    assert f'href="/imports/{first.id}/again">Fetch new mail</a>' in page
    page = lena.get(f"/imports/{first.id}/again?only=failed").text
    assert "Try again what was not copied</h1>" in page
    assert "New mail stays in the old mailbox for now." in page
    refused = lena.post(f"/imports/{first.id}/again/start", password="wrong")
    assert "Try again what was not copied</h1>" in refused.text
    lena.post(f"/imports/{first.id}/again/start", password=RIGHT)
    second = newest(office)
    assert second.retry_of == first.id
    handle_ring(office.deps, second.id)
    assert office.doors.mailboxes[second.destination.key].message_count == 3
    page = lena.get(f"/imports/{second.id}").text
    assert f"Only the messages that failed in import {first.id} were tried again." in page
    # Nothing failed: the same address leads to new mail, and a form that was open is refused.
    page = lena.get(f"/imports/{second.id}/again?only=failed").text
    assert "Fetch new mail</h1>" in page
    refused = lena.post(f"/imports/{second.id}/again/start", password=RIGHT, only="failed")
    assert (refused.status_code, newest(office).id) == (409, second.id)
    assert "No message of the import failed" in refused.text


def test_new_mail_is_fetched_with_the_failed_messages_on_request(office: WebOffice, lena: Browser) -> None:
    lena.start_import("lena@old.example")
    first = with_failures(office, "lena@old.example")
    way_on(lena, first, password=RIGHT)
    handle_ring(office.deps, newest(office).id)
    assert newest(office).retry_of is None
    assert office.doors.mailboxes[first.destination.key].message_count == 4


def test_failed_messages_alone_are_meant_after_a_sign_in_too(office: WebOffice, lena: Browser) -> None:
    google = Google(office.access)
    lena.post("/new", address="lena@gmail.com")
    lena.post("/new/sign-in")
    come_back(lena, google.allows("lena@gmail.com"))
    lena.get("/new/review")
    lena.post("/new/start", destination=f"lena@new.example {HOST.host}")
    first = with_failures(office, "lena@gmail.com")
    lena.get(f"/imports/{first.id}/again?only=failed")
    lena.post(f"/imports/{first.id}/again/sign-in")
    refused = come_back(lena, google.allows("eve@gmail.com"))
    assert '<input type="hidden" name="only" value="failed">' in refused.text
    lena.post(f"/imports/{first.id}/again/sign-in")
    come_back(lena, google.allows("lena@gmail.com"))
    assert newest(office).retry_of == first.id
