"""`python -m tests.screenshots`: pictures of each page into docs/screenshots, between two real mail hosts."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page

from tests.browser.stage import DESKTOP, PHONE, Stage, browser, check_source, new_page, sign_in, stage
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.hosts import User, rehearsal_host
from tests.rehearsal.sample import EMPTY_FOLDERS, sample_mailbox

OUT: Final = Path(__file__).parents[1] / "docs" / "screenshots"
LOOKS: Final = (
    ("desktop-en", "en", DESKTOP, False),
    ("desktop-dark-fr", "fr", DESKTOP, True),
    ("phone-de", "de", PHONE, False),
)
BAD_FILE: Final = """\
source_address,source_password,source_server,destination_address,destination_password
ada@old.example,correct horse,imap.old.example,ada@new.example,battery staple
grace,secret,imap.old.example,grace@new.example,
ada@old.example,correct horse,imap.old.example,ada@new.example,battery staple
"""


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    with ExitStack() as running:
        root = Path(running.enter_context(tempfile.TemporaryDirectory()))
        ca = CertificateAuthority(root / "ca")
        old = running.enter_context(rehearsal_host(root / "old", ca=ca))
        new = running.enter_context(rehearsal_host(root / "new", ca=ca))
        ferry = running.enter_context(stage(root / "ferry", old, new))
        chromium = running.enter_context(browser())
        for number, (name, language, size, dark) in enumerate(LOOKS):
            people = ferry.mailboxes("ada" if not number else f"ada{number}")
            people[0].fill(sample_mailbox(), EMPTY_FOLDERS)
            _pictures(ferry, chromium, people, name, language, size, dark=dark)


def _pictures(
    ferry: Stage,
    chromium: Browser,
    people: tuple[User, User],
    name: str,
    language: str,
    size: dict[str, int],
    *,
    dark: bool,
) -> None:
    old, new = people
    context, page = new_page(chromium, size=size, language=language, dark=dark)
    take = _taker(page, name)
    page.goto(ferry.url)
    take("1-first-page")
    sign_in(page, ferry.url, new)
    take("2-old-address")
    page.fill("#address", "ada@icloud.com")
    page.click("form[action='/new'] button")
    page.wait_for_url("**/new/mailbox")
    take("3-password")
    check_source(page, ferry.url, old)
    page.locator("[data-check] details").wait_for(timeout=30_000)
    take("4-ready")
    page.click("form[action='/new/start'] button")
    page.wait_for_url("**/batches/*")
    page.wait_for_timeout(400)
    take("5-progress")
    page.locator(".pill.good").wait_for(timeout=60_000)
    page.goto(f"{ferry.url}/imports")
    take("6-imports")
    page.locator(".lines a").first.click()
    page.wait_for_url("**/imports/*")
    take("7-report")
    page.goto(f"{ferry.url}/file")
    take("8-file")
    page.set_input_files("#file", {"name": "umzug.csv", "mimeType": "text/csv", "buffer": BAD_FILE.encode()})
    page.click("form[action='/file'] button.primary")
    page.wait_for_url("**/preview")
    take("9-preview")
    context.close()


def _taker(page: Page, name: str) -> Callable[[str], object]:
    return lambda what: page.screenshot(path=str(OUT / f"{name}-{what}.png"), full_page=True)


if __name__ == "__main__":
    main()
