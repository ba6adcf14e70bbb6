"""Every mail in every language fits a phone and a mail program's pane, shows its numbers, and is readable in
light and dark."""

from __future__ import annotations

import os
from typing import Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from importer.i18n.translations import LANGUAGES
from tests.browser.stage import SCHEMES, new_page
from tests.browser.test_tables import HIDDEN
from tests.mail_samples import mails

WIDTHS: Final = (390, 600)
WCAG: Final = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
"""Landmarks and the like are for pages."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_mail_fits_and_is_readable(chromium: Browser, language: str) -> None:
    context, page = new_page(chromium)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        for name, html in mails(language).items():
            page.set_content(html)
            _, hidden, wide = page.evaluate(HIDDEN)
            assert (name, hidden, wide) == (name, [], [])
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                if pictures := os.environ.get("PICTURES"):
                    page.screenshot(path=f"{pictures}/{name}-{width}-{scheme}-{language}.png", full_page=True)
                if width == WIDTHS[0]:
                    found = Axe().run(page, options=WCAG).response["violations"]
                    assert (name, [rule["id"] for rule in found]) == (name, [])
    context.close()
