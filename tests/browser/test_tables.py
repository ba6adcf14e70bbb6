"""Tables of pages and mails fit the window and show every number, however long addresses and folders are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser

from importer.compact.uid_set import Uid, UidValidity
from importer.domain.model import ImportId
from importer.domain.receipts.folder_tally import Refusal
from providers.text import Text
from tests.browser.soundness import sound
from tests.browser.stage import new_page
from tests.browser.still_pages import still
from tests.mail_samples import LONG, LONG_ADDRESS, TALLIES
from tests.unit.web_office import WebOffice

SOURCE, NEW = LONG_ADDRESS.format("old"), LONG_ADDRESS.format("new")
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

HIDDEN: Final = """() => {
    const within = (box) => box.left >= 0 && box.right <= innerWidth + 0.5;
    const shown = (e) => {
      const box = e.getBoundingClientRect();
      const range = document.createRange();
      range.selectNodeContents(e);
      const text = range.getBoundingClientRect();
      return box.width > 0 && box.height > 0 && within(box) && within(text) && text.right <= box.right + 0.5;
    };
    const unseen = (e) => e.closest(
      "svg, .visually-hidden, thead, details:not([open]) > div, .folder > span");
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
    person.draws = True
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


@pytest.mark.parametrize("language", ["de", "fr"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_number_is_visible(chromium: Browser, tmp_path: Path, width: int, language: str) -> None:
    with ThreadPoolExecutor(1) as apart:  # Playwright has an event loop in this thread
        html = apart.submit(report_page, tmp_path, language).result()
    context, page = new_page(chromium, size={"width": width, "height": 844})
    page.set_content(html)
    cells, hidden, wide = page.evaluate(HIDDEN)
    assert cells > len(TALLIES) * 4
    assert (hidden, wide) == ([], [])
    sound(page)
    assert "INBOX." not in page.inner_text("table")
    context.close()
