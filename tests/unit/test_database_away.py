"""While the database is away, pages and API answer 503 with Retry-After, and the console says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from importer.adapters.store.revision import is_current
from importer.bootstrap import standalone
from importer.inspection import readiness_faults
from importer.ports.process import DatabaseUnavailable
from importer.readiness import remembered_faults
from importer.settings import Settings
from tests.fakes.store import MemoryStore
from tests.unit.web_office import Browser, WebOffice

NO_SERVER = "postgresql://mailhaul@127.0.0.1:1/mailhaul"


@pytest.fixture
def ada(office: WebOffice) -> Browser:
    browser = office.browser()
    browser.sign_in("ada@new.example")
    return browser


def take_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise DatabaseUnavailable("connection refused")

    for name in ("imports", "import_", "batches", "batch", "web_session", "client_by_token"):
        monkeypatch.setattr(MemoryStore, name, fail, raising=False)


@pytest.mark.parametrize("path", ["/imports", "/imports/unknown", "/batches/unknown"])
def test_pages_say_that_the_service_is_away_for_a_moment(
    office: WebOffice, ada: Browser, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    take_away(monkeypatch)
    answer = ada.get(path)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "30"
    assert "Not available at the moment" in answer.text
    assert "connection refused" not in answer.text


def test_a_process_lives_while_its_database_is_away(
    office: WebOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_away(monkeypatch)
    client = office.browser().client
    assert client.get("/healthz").text == "ok"
    assert client.get("/health").text == "ok"


def test_readiness_names_the_parts_and_keeps_the_reasons_to_the_log(office: WebOffice) -> None:
    faults = {"database": "The database cannot be reached (db.internal refused)."}
    office.pages.state.faults = remembered_faults(lambda: faults)
    answer = office.browser().client.get("/readyz")
    assert (answer.status_code, answer.text) == (503, "not ready: database")
    assert answer.headers["retry-after"] == "30"
    office.pages.state.faults = remembered_faults(dict)
    assert office.browser().client.get("/readyz").status_code == 200


def test_readiness_is_looked_at_once_for_many_requests() -> None:
    looks = iter([{"queue": "first look"}])
    readiness = remembered_faults(lambda: next(looks))
    assert [readiness() for _ in range(50)] == [{"queue": "first look"}] * 50


def test_a_database_that_does_not_answer_is_no_database_with_another_schema() -> None:
    with pytest.raises(DatabaseUnavailable, match=r"database_unavailable .*Connection refused"):
        is_current(NO_SERVER)


def test_the_console_says_that_the_database_is_away(tmp_path: Path) -> None:
    settings = Settings.load(data=tmp_path, database_url=NO_SERVER)
    with pytest.raises(DatabaseUnavailable) as raised, standalone(settings):
        raise AssertionError("the store opened")
    assert "migrate" not in str(raised.value)


def test_faults_of_a_fresh_installation_without_a_database_server(tmp_path: Path) -> None:
    faults = readiness_faults(Settings.load(data=tmp_path, database_url=NO_SERVER))
    assert set(faults) == {"database", "queue"}
