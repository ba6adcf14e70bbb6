"""Files as spreadsheets leave them: each has its right outcome on the pages and at the console."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from importer.cli import batch_commands
from importer.domain.csv_import.import_rows import Parsed
from importer.domain.csv_import.row_parser import parse
from importer.domain.csv_import.sheet import RowProblem
from importer.i18n.row_problem_texts import cell_problem_text
from importer.i18n.translations import LANGUAGES, texts
from importer.settings import Settings
from providers.bulk_discovery import BulkDiscovery
from providers.endpoint import Endpoint
from tests.fakes.mailbox_access import MemoryAccess
from tests.lookups import UsualNames
from tests.recorded import Recorded
from tests.unit.field_files import FOLDER, HOST, OUTCOMES, content
from tests.unit.test_console import Console
from tests.unit.web_office import Browser, WebOffice

ENGLISH_WORDS = re.compile(
    r"\b(the|this|that|is|are|was|line|column|spreadsheet|address|missing|changed|may have)\b", re.IGNORECASE
)


def parsed(name: str) -> Parsed:
    return parse(
        content(name),
        catalog=UsualNames(),
        destination=Endpoint(HOST),
        max_rows=None,
        sign_in=lambda provider, _mailbox: provider in ("google", "microsoft"),
    )


def places(problems: tuple[RowProblem, ...]) -> tuple[tuple[int, str, str], ...]:
    return tuple((problem.line, problem.column, problem.text.code) for problem in problems)


def finding() -> BulkDiscovery:
    """Finds the server of firma.example."""
    return Recorded(srv={"_imaps._tcp.firma.example": [("imap.firma.example", 993)]}).directory()


@pytest.fixture
def office(tmp_path: Path) -> WebOffice:
    access = MemoryAccess(frozenset({"google", "microsoft"}))
    office = WebOffice(tmp_path, overlay={"destination_server": Endpoint(HOST)}, access=access)
    office.pages.state.site = replace(office.pages.state.site, lookups=finding)
    return office


@pytest.fixture
def chef(office: WebOffice) -> Browser:
    browser = office.browser()
    browser.sign_in("chef@neuhost.example")
    return browser


@pytest.fixture
def mailhaul(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Console:
    for variable, _, _ in Settings.table():
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("MAILHAUL_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("MAILHAUL_DESTINATION_SERVER", f"imaps://{HOST}")
    monkeypatch.setenv("MAILHAUL_PUBLIC_URL", "https://haul.example")
    for provider in ("GOOGLE", "MICROSOFT"):
        monkeypatch.setenv(f"MAILHAUL_{provider}_CLIENT_ID", "haul")
        monkeypatch.setenv(f"MAILHAUL_{provider}_CLIENT_SECRET", "0pen-s3same")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(batch_commands, "directory", lambda _settings: finding())
    return Console(monkeypatch, capfd)


def upload(browser: Browser, name: str) -> str:
    """The page after the upload."""
    file = {"csrf": (None, browser.csrf), "file": (f"{name}.csv", content(name))}
    answer = browser.client.post("/file", files=file)
    return answer.text if answer.status_code != 303 else browser.get("/file/preview").text


def shown(page: str) -> str:
    """The text of a page."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_every_file_has_an_outcome() -> None:
    assert {path.stem for path in FOLDER.glob("*.csv")} == set(OUTCOMES)


@pytest.mark.parametrize("name", OUTCOMES)
def test_a_file_is_read_with_its_problems_and_notes(name: str) -> None:
    found, outcome = parsed(name), OUTCOMES[name]
    assert places(found.problems) == outcome.problems
    assert places(found.notes) == outcome.notes
    assert len(found.good_rows) == outcome.rows


@pytest.mark.parametrize("language", ["de", "fr"])
@pytest.mark.parametrize("name", OUTCOMES)
def test_the_page_shows_the_outcome_in_the_readers_language(
    office: WebOffice, chef: Browser, name: str, language: str
) -> None:
    chef.post("/language", language=language)
    chef.get("/file")
    page = upload(chef, name)
    text, found, outcome = shown(page), parsed(name), OUTCOMES[name]
    for problem in (*found.problems, *found.notes):
        assert " ".join(cell_problem_text(texts(language), problem.text).split()) in text
    elsewhere = name.startswith("U13")
    assert page.count('class="noted"') == len({note[:2] for note in outcome.notes if note[1] != "Name"})
    assert ('action="/file/start"' in page) == (outcome.rows > 0 and not elsewhere)
    assert ("chef@neuhost.example" in text) or outcome.refused
    for record in found.sheet.records:
        for column, cell in (record.cells or {}).items():
            if column.endswith("password") and len(cell.strip()) > 4:
                assert cell not in text
    if outcome.rows and not elsewhere:
        assert str(outcome.rows) in text
        chef.post("/file/start")
        started = office.deps.store.imports(limit=100)
        assert len(started) == outcome.rows
        assert max(Counter(import_.batch_id for import_ in started).values()) <= 25


@pytest.mark.parametrize("name", OUTCOMES)
def test_the_console_shows_the_outcome(mailhaul: Console, name: str) -> None:
    outcome = OUTCOMES[name]
    words = ("batch", str(FOLDER / f"{name}.csv"), "--split", "--language", "de")
    code, output = mailhaul(*words)
    said = " ".join(output.split())
    found = parsed(name)
    for problem in (*found.problems, *found.notes):
        assert cell_problem_text(texts("de"), problem.text) in said
        assert not problem.line or f"Zeile {problem.line}" in said
    assert code == (2 if outcome.problems else 0), output
    if outcome.problems:
        assert "Nichts wurde gestartet" in said
        assert ("--skip-bad-rows" in said) == (outcome.rows > 0)
        code, output = mailhaul(*words, "--skip-bad-rows")
        assert code == 2
    assert output.count("  gestartet\n") == outcome.rows


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != "en"])
def test_no_problem_or_note_of_these_files_has_english_words(language: str) -> None:
    for name in OUTCOMES:
        found = parsed(name)
        for problem in (*found.problems, *found.notes):
            said = cell_problem_text(texts(language), problem.text)
            assert not ENGLISH_WORDS.findall(re.sub(r"“[^”]*”|«[^»]*»", "", said)), said
