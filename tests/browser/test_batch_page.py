"""The page of a batch of 25: one to two screens of 800 px at 1280 px, readable at 390 px, nothing cut off."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser

from importer.domain.model import Progress, State
from tests.browser.soundness import sound
from tests.browser.still_pages import still
from tests.unit.batch_office import WRONG_PASSWORD, BatchOffice

SCREEN_PX: Final = 800
TWO_SCREENS: Final = 2 * SCREEN_PX
PHONE_PX: Final = {"mixed": 4_000, "all_stopped": 5_200, "all_wait_for_owners": 5_200}
"""Rows with a button of 44 px for a finger are 160 px high."""

_CUT: Final = """[...document.querySelectorAll(
      ".lines a.route span:not(.visually-hidden), .amount, .pill, .tiles a, .owner .why, h2")]
    .filter((e) => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "inline")
    .map((e) => e.outerHTML.slice(0, 120))"""


def mixed(office: BatchOffice) -> None:
    office.mixed()
    office.set(0, State.INCOMPLETE, progress=Progress("", 3, 3, 300, 301, 1))


def all_stopped(office: BatchOffice) -> None:
    """As after a mistake in a column of the file."""
    for row in range(25):
        office.set(row, State.STOPPED, WRONG_PASSWORD)


def all_wait_for_owners(_office: BatchOffice) -> None:
    pass


def batch_page(root: Path, state: str, language: str) -> str:
    office = BatchOffice(root, google=25 if state == "all_wait_for_owners" else 2)
    {"mixed": mixed, "all_stopped": all_stopped}.get(state, all_wait_for_owners)(office)
    office.admin.draws = True
    return still(office.admin.get(office.path, **{"accept-language": language}).text)


@pytest.mark.parametrize("language", ["en", "de", "fr", "it", "es"])
@pytest.mark.parametrize("state", ["mixed", "all_stopped", "all_wait_for_owners"])
def test_25_rows_are_two_screens(chromium: Browser, tmp_path: Path, state: str, language: str) -> None:
    with ThreadPoolExecutor(1) as apart:  # Playwright has an event loop in this thread
        html = apart.submit(batch_page, tmp_path, state, language).result()
    for width, limit in ((1280, TWO_SCREENS), (390, PHONE_PX[state])):
        page = chromium.new_page(viewport={"width": width, "height": SCREEN_PX}, reduced_motion="reduce")
        page.set_content(html)
        if pictures := os.environ.get("PICTURES"):
            page.screenshot(path=f"{pictures}/batch-{state}-{width}-{language}.png", full_page=True)
        assert page.locator(".lines li").count() == 25
        assert page.evaluate("document.documentElement.scrollHeight") <= limit, width
        assert page.evaluate(_CUT) == []
        sound(page)
        page.close()
