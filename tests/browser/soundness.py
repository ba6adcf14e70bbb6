"""What holds on every page and in every state that a test meets.

`make test` runs axe once for each structure of a page, by device and language; `make soak` at every visit.
"""

from __future__ import annotations

from typing import Any, Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error, Page

from tests.sampling import SOAK

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

_STRUCTURE = """JSON.stringify([document.documentElement.lang, innerWidth, document.title !== "", ...new Set(
    [...document.querySelectorAll("*")].map((e) => [
      e.parentElement?.localName, e.localName, ...e.classList, e.getClientRects().length > 0,
      ...[...e.attributes].filter((a) => a.name !== "id" && a.name !== "for").map((a) =>
        /^(role|type|aria-(?!labelledby|describedby|controls)|open|hidden|disabled|checked|lang)/.test(a.name)
          ? `${a.name}=${a.value}` : a.name),
    ].join(" ")).sort())])"""
"""Everything that axe's rules depend on, but for the words: elements, their classes, roles and states."""

_CHECKED: Final[set[str]] = set()
_TRIES: Final = 5


def sound(page: Page) -> None:
    """Everybody can use it, by light and by dark, it fits, and nothing jumped.

    A page that follows an import loads itself anew when the import ends. Then the new one is looked at:
    whatever was found before may come from two documents.
    """
    for _ in range(_TRIES):
        page.wait_for_load_state()
        try:
            page.evaluate("window.looked = true")
            _look(page)
        except (AssertionError, Error):
            if _is_same(page):
                raise
        else:
            if _is_same(page):
                return
    raise AssertionError(f"{page.url} never came to rest")


def _is_same(page: Page) -> bool:
    """Whether the document is the one that `sound` began to look at."""
    page.wait_for_load_state()
    try:
        return page.evaluate("window.looked === true") is True
    except Error:  # it is on its way out at this moment
        return False


def _look(page: Page) -> None:
    shifted = page.evaluate(_SHIFTED)
    assert shifted < _MOST_SHIFTED, f"{page.url} moved by {shifted}"
    structure = page.evaluate(_STRUCTURE)
    if SOAK or structure not in _CHECKED:
        _everybody_can_use(page)
        _CHECKED.add(structure)
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{page.url} is {wide} px too wide"
    small = page.evaluate(_TOO_SMALL)
    assert small == [], f"{page.url}: {small}"


def _everybody_can_use(page: Page) -> None:
    page.emulate_media(color_scheme="light")
    _none(page, Axe().run(page).response["violations"])
    page.emulate_media(color_scheme="dark")
    # The script is there by now, and nothing but colours has changed.
    _none(page, page.evaluate("axe.run({runOnly: ['color-contrast']})")["violations"])


def _none(page: Page, found: list[dict[str, Any]]) -> None:
    told = [(one["id"], [node["html"][:160] for node in one["nodes"]]) for one in found]
    assert told == [], f"{page.url}: {told}"
