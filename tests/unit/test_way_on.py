"""The button that runs an ended import again is called by what it does first."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from importer.compact.uid_set import UidValidity
from importer.domain.model import Problem, State
from importer.domain.receipts.folder_tally import Refusal, RefusalCode
from providers.text import Text
from tests.unit.batch_office import BatchOffice
from tests.unit.web_office import Browser, WebOffice


@pytest.mark.parametrize(
    ("state", "code", "name"),
    [
        (State.COMPLETE, "", "Fetch new mail"),
        (State.INCOMPLETE, "", "Continue the import"),  # nothing failed: its sentence says to start it again
        (State.STOPPED, "login_rejected", "Enter the password again"),
        (State.STOPPED, "login_rejected.app_password", "Enter the password again"),
        (State.STOPPED, "login_rejected.imap_off", "Continue the import"),
        (State.STOPPED, "login_rejected.no_passwords", "Continue the import"),
        (State.STOPPED, "login_rejected.token", "Sign in again"),
        (State.CANCELLED, "pause_forgotten", "Enter the password again"),
        (State.STOPPED, "grant_expired", "Sign in again"),
        (State.STOPPED, "destination_full", "Continue the import"),
        (State.CANCELLED, "", "Continue the import"),
    ],
)
def test_the_way_on_after_the_end(
    office: WebOffice, ada: Browser, state: State, code: str, name: str
) -> None:
    ada.start_import()
    [import_] = office.deps.store.imports()
    lease = office.deps.store.acquire("test", "test", timedelta(minutes=1))
    assert lease is not None
    problem = Problem(Text(code)) if code else None
    office.deps.store.update_import(replace(import_, state=state, problem=problem), lease)
    page = ada.get(f"/imports/{import_.id}").text
    assert f'href="/imports/{import_.id}/again">{name}</a>' in page
    assert f"{name}</h1>" in ada.get(f"/imports/{import_.id}/again").text


@pytest.mark.parametrize(
    ("refused", "way", "name"),
    [
        (None, "again", "Continue the import"),
        (RefusalCode.PARTLY_SHOWN, "again", "Continue the import"),
        (RefusalCode.FOLDER_UNUSABLE, "again?only=failed", "Try again what was not copied"),
    ],
)
def test_the_row_the_page_and_the_heading_after_gaps_agree(
    tmp_path: Path, refused: RefusalCode | None, way: str, name: str
) -> None:
    office = BatchOffice(tmp_path, rows=2, google=0)
    import_ = office.set(0, State.INCOMPLETE)
    if refused is not None:
        store = office.web.deps.store
        lease = store.acquire(f"import:{import_.id}", "test", timedelta(minutes=1))
        assert lease is not None
        refusal = Refusal(import_.id, "Work", UidValidity(1), None, Text("partly_shown"), code=refused)
        store.record(import_.route, "Work", [], [refusal], lease)
    link = f'href="/imports/{import_.id}/{way}">{name}<'
    assert link in office.admin.get(office.path).text
    assert link in office.admin.get(f"/imports/{import_.id}").text
    assert f"{name}</h1>" in office.admin.get(f"/imports/{import_.id}/{way}").text
