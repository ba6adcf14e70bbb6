"""One signed-in person tries to have the host write to strangers: by completion mails, and by invitations."""

from __future__ import annotations

from pathlib import Path

import pytest

from importer.domain.import_state import ENDED
from importer.service.legs.run_leg import handle_ring
from providers.errors import LoginRejected
from tests.unit.web_office import Browser, WebOffice

HEAD = "source_address,source_password,source_server,destination_address,destination_password\n"
ROWS = 25


@pytest.fixture
def office(tmp_path: Path) -> WebOffice:
    return WebOffice(tmp_path)


def mallory(office: WebOffice) -> Browser:
    browser = office.browser()
    browser.sign_in("mallory@new.example")
    return browser


def submit(browser: Browser, rows: list[str]) -> None:
    browser.post("/file", rows=HEAD + "".join(rows))
    assert browser.post("/file/start").status_code == 303


def work(office: WebOffice) -> None:
    for import_ in office.deps.store.imports(limit=1000):
        for _ in range(3):
            handle_ring(office.deps, import_.id)
        after = office.deps.store.import_(import_.id)
        assert after is not None
        assert after.state in ENDED or after.problem is not None


def written_to(office: WebOffice) -> set[str]:
    return {notice.recipient for notice in office.deps.store.notices()}


@pytest.mark.parametrize("password", ["right", "wrong"])
def test_rows_that_name_strangers_have_mails_sent_to_their_submitter_only(
    office: WebOffice, password: str
) -> None:
    """Mallory's own server accepts any login (`right`), or answers with words of hers (`wrong`)."""
    browser = mallory(office)
    rows = [
        f"ceo{n}@third-party.example,{password},imaps://any{n}@imap.evil.example,mallory@new.example,right\n"
        for n in range(ROWS)
    ]
    submit(browser, rows)
    work(office)
    assert written_to(office) <= {"mallory@new.example"}


def test_words_of_a_hostile_server_reach_its_submitter_without_links(
    office: WebOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = mallory(office)
    words = "call +1-900-EVIL https://evil.example/pay now"

    def refuse(*_facts: object, **_more: object) -> None:
        raise LoginRejected(server_text=words)

    submit(browser, ["ceo@third-party.example,x,imaps://any@imap.evil.example,mallory@new.example,right\n"])
    monkeypatch.setattr(office.doors, "admit", refuse)
    work(office)
    notices = office.deps.store.notices()
    assert written_to(office) == {"mallory@new.example"}
    assert not any("evil.example" in part for n in notices for part in (n.subject, n.text, n.html))


def test_strangers_are_not_asked_to_sign_in(office: WebOffice) -> None:
    office.office.access.open_at = frozenset({"google"})
    browser = mallory(office)
    for start in range(0, 50, ROWS):
        rows = [f"target{n}@gmail.com,,,mallory@new.example,right\n" for n in range(start, start + ROWS)]
        submit(browser, rows)
    work(office)
    assert len(office.deps.store.imports(limit=1000)) == 50
    assert not written_to(office)
    assert (
        "/consent/" in browser.get("/imports").text
        or "/consent/" in browser.get(f"/batches/{office.deps.store.batches()[0].id}").text
    )  # the links are hers to pass on
