"""Tables of pages and mails fit the window and show every number, however long addresses and folders are."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser

from importer.adapters.mail.compose import TemplateComposer
from importer.compact.uid_set import Uid, UidValidity
from importer.domain.model import Account, Import, ImportId, State
from importer.domain.people.mail_recipients import MailReader
from importer.domain.receipts.folder_tally import FolderTally, Refusal
from importer.domain.reporting.report import Report
from providers.endpoint import Endpoint
from providers.text import Text
from tests.browser.soundness import sound
from tests.browser.still_pages import still
from tests.unit.web_office import WebOffice

LONG: Final = "Ein-Ordner-mit-sehr-langem-Namen-" * 5 + "ohne-eine-einzige-Leerstelle"
SOURCE: Final = "beatrice.long-surname-with-many-parts-and-more@mail.old.example"
NEW: Final = "beatrice.long-surname-with-many-parts-and-more@mail.new.example"
TALLIES: Final = (
    FolderTally("INBOX", "INBOX", found=1_234_567, copied=1_000_000, present=234_566, failed=1),
    FolderTally(f"INBOX.{LONG}", f"INBOX.{LONG}2", found=90_000, copied=80_000, skipped={"other": 10_000}),
    FolderTally("INBOX.Rechnungen.2024", "Rechnungen.2024", found=12, copied=3, gone=4, duplicate=5),
)
REFUSAL: Final = Refusal(
    ImportId("one"),
    f"INBOX.{LONG}",
    UidValidity(1),
    Uid(7),
    Text("other.words", words="[LIMIT] " + "x" * 120),
    date="Tue, 05 May 2020 00:00:00 +0000",
    subject="W" * 120,
    size_bytes=123_456_789,
)

_HIDDEN: Final = """() => {
    const within = (box) => box.left >= 0 && box.right <= innerWidth + 0.5;
    const shown = (e) => {
      const box = e.getBoundingClientRect();
      const range = document.createRange();
      range.selectNodeContents(e);
      const text = range.getBoundingClientRect();
      return box.width > 0 && box.height > 0 && within(box) && within(text) && text.right <= box.right + 0.5;
    };
    const unseen = (e) => e.closest("svg, .visually-hidden, thead, details:not([open]) > div");
    const brief = (all) => all.map((e) => e.outerHTML.slice(0, 120)).slice(0, 5);
    const cells = [...document.querySelectorAll("td.num, .number, td[align=right], .sum dd")];
    const filled = cells.filter((e) => e.textContent.trim());
    const wide = [...document.querySelectorAll("body *")].filter((e) => !unseen(e))
      .filter((e) => e.getBoundingClientRect().right > innerWidth + 0.5);
    return [filled.length, brief(filled.filter((e) => !shown(e))), brief(wide)];
}"""


def report_page(root: Path, language: str) -> str:
    office = WebOffice(root)
    person = office.browser()
    person.sign_in(NEW)
    batch = person.start_import(SOURCE)
    store = office.office.store
    [import_] = store.imports(limit=1)
    lease = store.acquire(f"import:{import_.id}", "test", timedelta(minutes=1))
    assert lease is not None, batch
    store.save_tallies(import_.id, TALLIES, lease)
    store.record(import_.route, "INBOX", [], [replace(REFUSAL, import_id=import_.id)], lease)
    html = person.get(f"/imports/{import_.id}", **{"accept-language": language}).text
    return still(html)


def mail(language: str) -> str:
    now = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    import_ = Import(
        ImportId("one"),
        Account(SOURCE, SOURCE, Endpoint("imap.old.example")),
        Account(NEW, NEW, Endpoint("imap.new.example")),
        now,
        state=State.INCOMPLETE,
        language=language,
        started_at=now,
        finished_at=now + timedelta(hours=1),
    )
    report = Report(import_, TALLIES, (REFUSAL,))
    composer = TemplateComposer("Mailhaul <m@new.example>", b"key", language)
    [notice] = composer.completion(report, [MailReader(NEW)], now)
    return notice.html


@pytest.mark.parametrize("language", ["de", "fr"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("what", ["page", "mail"])
def test_every_number_is_visible(
    chromium: Browser, tmp_path: Path, what: str, width: int, language: str
) -> None:
    with ThreadPoolExecutor(1) as apart:  # Playwright has an event loop in this thread
        html = apart.submit(report_page, tmp_path, language).result() if what == "page" else mail(language)
    context = chromium.new_context(viewport={"width": width, "height": 844}, reduced_motion="reduce")
    page = context.new_page()
    page.set_content(html)
    if pictures := os.environ.get("PICTURES"):
        page.screenshot(path=f"{pictures}/{what}-{width}-{language}.png", full_page=True)
    cells, hidden, wide = page.evaluate(_HIDDEN)
    assert cells > len(TALLIES) * 4
    assert (hidden, wide) == ([], [])
    if what == "page":
        sound(page)
        assert "INBOX." not in page.inner_text("table")
    context.close()
