"""Verifying an import and finding one message, on its page and in the API."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from importer.domain.model import Import, State
from importer.domain.reporting.verification import Verification
from importer.service.access.rate_limits import consume
from importer.service.legs.run_leg import handle_ring
from importer.web.pages import reading_page
from importer.web.reading_jobs import MAX_JOBS_PER_PERSON, READINGS, ReadingKind
from tests.rehearsal.ports import PATIENCE_S, wait_until
from tests.unit.test_api import Panel, problem
from tests.unit.web_office import RIGHT, Browser, WebOffice

DATE = "02-Feb-2003 04:05:06 +0000"
OLD = "ada@old.example imap.old.example"
NEW = "ada@new.example imap.new.example"
PASSWORDS = {"source_password": RIGHT, "destination_password": RIGHT}


@pytest.fixture
def office(tmp_path: Path) -> WebOffice:
    office = WebOffice(tmp_path)
    office.doors.mailboxes[OLD] = office.office.old
    content = b"Message-ID: <1@x>\r\nSubject: one\r\n\r\ntext\r\n"
    office.office.old.folders["INBOX"].add((), DATE, content)
    return office


@pytest.fixture
def ada(office: WebOffice) -> Browser:
    browser = office.browser()
    browser.sign_in()
    return browser


@pytest.fixture
def done(office: WebOffice, ada: Browser) -> Import:
    """An import of seven messages, which is complete: its passwords are erased."""
    ada.start_import()
    [import_] = office.deps.store.imports()
    handle_ring(office.deps, import_.id)
    [import_] = office.deps.store.imports()
    assert import_.state is State.COMPLETE
    return import_


def ended(office: WebOffice, import_: Import, kind: ReadingKind) -> None:
    def is_over() -> bool:
        reading = office.pages.state.site.reading_jobs.latest(import_.id, kind)
        return reading is not None and not reading.running

    assert wait_until(is_over)


def verified_page(office: WebOffice, ada: Browser, import_: Import, **fields: str) -> str:
    path = f"/imports/{import_.id}/verify"
    assert "Verify" in ada.get(f"/imports/{import_.id}").text
    ada.get(path)
    started = ada.post(path, source_password=RIGHT, **fields)
    assert started.headers["location"] == path, started.text
    ended(office, import_, ReadingKind.VERIFICATION)
    return str(ada.get(path).text)


def test_both_mailboxes_are_compared_and_what_differs_is_listed(
    office: WebOffice, ada: Browser, done: Import
) -> None:
    page = verified_page(office, ada, done, full="yes")
    assert "7 of 7 messages in the old mailbox were read on both sides and compared." in page
    assert "The same on both sides:\u00a07" in page
    inbox = office.doors.mailboxes[NEW].folders["INBOX"]
    inbox.messages.pop(next(iter(inbox.messages)))
    page = verified_page(office, ada, done, full="yes")
    assert "No longer in the new mailbox: removed by its owner, perhaps:\u00a01" in page
    assert "INBOX · UID 1: No longer in the new mailbox" in page


def test_a_wrong_password_is_said_at_its_field_and_nothing_is_read(
    office: WebOffice, ada: Browser, done: Import
) -> None:
    path = f"/imports/{done.id}/verify"
    ada.get(path)
    refused = ada.post(path, source_password="wrong")
    assert refused.status_code == 422
    assert 'id="source_password-error"' in refused.text
    assert office.pages.state.site.reading_jobs.latest(done.id, ReadingKind.VERIFICATION) is None
    empty = ada.post(path)
    assert empty.status_code == 422


def test_one_message_is_found_by_its_message_id(office: WebOffice, ada: Browser, done: Import) -> None:
    path = f"/imports/{done.id}/verify"
    for message_id, said in (
        ("<1@x>", f"Copied by import {done.id}."),
        ("<2@x>", "Neither mailbox lists a message with this Message-ID now."),
    ):
        ada.get(path)
        ada.post(f"{path}/message", message_id=message_id, source_password=RIGHT)
        ended(office, done, ReadingKind.TRACE)
        assert said in ada.get(path).text
    assert ada.post(f"{path}/message", message_id=" ").status_code == 422


def test_stored_passwords_are_used_and_not_asked_for(office: WebOffice, ada: Browser) -> None:
    """As for an import that follows its mailbox, or one that was stopped."""
    ada.start_import()
    [import_] = office.deps.store.imports()
    lease = office.deps.store.acquire(f"import:{import_.id}", "test", timedelta(minutes=1))
    assert lease is not None
    office.deps.store.map_folders(import_.route, {"INBOX": "INBOX"}, lease)  # its first leg began
    path = f"/imports/{import_.id}/verify"
    assert 'name="source_password"' not in ada.get(path).text
    ada.post(path)
    ended(office, import_, ReadingKind.VERIFICATION)
    assert "were read on both sides" in ada.get(path).text


def test_an_import_that_copied_nothing_yet_has_nothing_to_compare(office: WebOffice, ada: Browser) -> None:
    ada.start_import()
    [import_] = office.deps.store.imports()
    path = f"/imports/{import_.id}/verify"
    ada.get(path)
    ada.post(path)
    ended(office, import_, ReadingKind.VERIFICATION)
    assert "there is nothing to compare" in ada.get(path).text


def test_of_one_person_two_jobs_run_and_no_third(
    office: WebOffice, ada: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = Event()

    def slow(*_args: Any, on_folder: Any, **_named: Any) -> Verification:
        on_folder("INBOX")
        assert go_on.wait(PATIENCE_S)
        return Verification()

    monkeypatch.setattr(reading_page, "verify", slow)
    for n in range(MAX_JOBS_PER_PERSON + 1):
        ada.start_import(f"u{n}@old.example")
    imports = office.deps.store.imports()
    answers = []
    for import_ in imports:
        ada.get(f"/imports/{import_.id}/verify")
        answers.append(ada.post(f"/imports/{import_.id}/verify").status_code)
    assert sorted(answers) == [303, 303, 429]
    busy = imports[answers.index(303)]
    page = ada.get(f"/imports/{busy.id}/verify").text
    assert "Both mailboxes are being read." in page
    assert 'http-equiv="refresh"' in page
    go_on.set()
    ended(office, busy, ReadingKind.VERIFICATION)


def test_an_internal_error_is_said_and_logged_without_the_mailboxes(
    office: WebOffice, ada: Browser, done: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: Any, **_named: Any) -> Verification:
        raise KeyError

    monkeypatch.setattr(reading_page, "verify", broken)
    assert "Something went wrong on our side. Nothing was changed." in verified_page(office, ada, done)


def test_jobs_are_limited_by_the_hour(office: WebOffice, ada: Browser, done: Import) -> None:
    path = f"/imports/{done.id}/verify"
    [batch] = office.deps.store.batches(1)
    for _ in range(READINGS.tries):
        consume(office.deps, {f"reading:{batch.owner}": READINGS})
    ada.get(path)
    assert ada.post(path, source_password=RIGHT).status_code == 429


def test_what_belongs_to_somebody_else_does_not_exist(office: WebOffice, done: Import) -> None:
    eve = office.browser()
    eve.sign_in("eve@new.example")
    assert eve.get(f"/imports/{done.id}/verify").status_code == 404
    assert eve.post(f"/imports/{done.id}/verify").status_code == 404
    assert eve.post(f"/imports/{done.id}/verify/message").status_code == 404


# --- The API ------------------------------------------------------------------------------------------


def test_the_api_verifies_and_finds(office: WebOffice) -> None:
    panel = Panel(office)
    id_ = panel.start()["id"]
    handle_ring(office.deps, id_)
    [import_] = office.deps.store.imports()
    assert import_.state is State.COMPLETE
    problem(panel.get(f"/imports/{id_}/verification"), 404, "not_found")
    missing = problem(panel.post(f"/imports/{id_}/verification", {}), 422, "request_invalid")
    assert missing["errors"][0]["rule"] == "password_missing"
    answer = panel.post(f"/imports/{id_}/verification", {**PASSWORDS, "sample": None})
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/api/v1/imports/{id_}/verification"
    ended(office, import_, ReadingKind.VERIFICATION)
    shown = panel.get(f"/imports/{id_}/verification").json()
    assert (shown["state"], shown["result"]["agrees"], shown["result"]["compared"]) == ("done", True, 7)
    panel.post(f"/imports/{id_}/message-trace", {**PASSWORDS, "message_id": "1@x"})
    ended(office, import_, ReadingKind.TRACE)
    [trace] = panel.get(f"/imports/{id_}/message-trace").json()["result"]
    assert trace["outcome"] == "copied"


def test_the_api_says_why_a_job_failed_and_counts_its_passwords(office: WebOffice) -> None:
    panel = Panel(office)
    id_ = panel.start()["id"]
    handle_ring(office.deps, id_)
    [import_] = office.deps.store.imports()
    wrong = {**PASSWORDS, "source_password": "wrong"}
    for _ in range(5):
        assert panel.post(f"/imports/{id_}/verification", wrong).status_code == 202
        ended(office, import_, ReadingKind.VERIFICATION)
        failed = panel.get(f"/imports/{id_}/verification").json()
        assert (failed["state"], failed["reason"]) == ("failed", "login_rejected")
    assert panel.post(f"/imports/{id_}/verification", wrong).status_code == 429
