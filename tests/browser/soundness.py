"""What holds on every page and in every state that a test meets."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_TOO_SMALL = """[...document.querySelectorAll("button, input:not([type=hidden]), select, summary, .button")]
    .map((e) =>
      [e.outerHTML.slice(0, 99), e.matches("[type=radio],[type=checkbox]") ? e.closest("label") : e])
    .map(([html, e]) => [html, e.getBoundingClientRect()])
    .filter(([, box]) => box.width && box.height < 43.5).map(([html]) => html)"""

_SHIFTED = """() => new Promise((done) => {
    new PerformanceObserver((list) => done(list.getEntries().filter((e) => !e.hadRecentInput)
      .reduce((sum, e) => sum + e.value, 0))).observe({type: "layout-shift", buffered: true});
    setTimeout(() => done(0), 50);
})"""
_MOST_SHIFTED = 0.1
"""What counts as good (https://web.dev/articles/cls, read 2026-11): who was about to press still hits."""


def sound(page: Page) -> None:
    """Everybody can use it, by light and by dark, it fits, and nothing jumped."""
    shifted = page.evaluate(_SHIFTED)
    assert shifted < _MOST_SHIFTED, f"{page.url} moved by {shifted}"
    page.emulate_media(color_scheme="light")
    _none(page, Axe().run(page).response["violations"])
    page.emulate_media(color_scheme="dark")
    # The script is there by now, and nothing but colours has changed.
    _none(page, page.evaluate("axe.run({runOnly: ['color-contrast']})")["violations"])
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{page.url} is {wide} px too wide"
    small = page.evaluate(_TOO_SMALL)
    assert small == [], f"{page.url}: {small}"


def _none(page: Page, found: list[dict[str, Any]]) -> None:
    told = [(one["id"], [node["html"][:160] for node in one["nodes"]]) for one in found]
    assert told == [], f"{page.url}: {told}"
