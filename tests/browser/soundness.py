"""Checks that every page must pass in every state: accessibility, layout shift, width, and target size.

`make test` runs axe once for each structure of a page, by device and language; `make soak` at every call.
"""

from __future__ import annotations

from typing import Any, Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error, Page

from tests.sampling import SOAK

_TOO_SMALL = """[...document.querySelectorAll("button, input:not([type=hidden]), select, summary, .button")]
    .map((e) =>
      [e.outerHTML.slice(0, 99), e.matches("[type=radio],[type=checkbox]") ? e.closest("label") : e])
    .map(([html, e]) =>
      [html, e.getBoundingClientRect(), e.closest(".lines") && innerWidth > 704 ? 24 : 43.5])
    .filter(([, box, least]) => box.width && box.height < least).map(([html]) => html)"""
"""44 px (WCAG 2.5.5), and 24 px (2.5.8) in the rows of a list in a wide window, where there are many."""

_SHIFTED = """() => new Promise((done) => {
    const shifted = (entries) => done(
      entries.filter((e) => !e.hadRecentInput).reduce((sum, e) => sum + e.value, 0));
    const observer = new PerformanceObserver((list) => shifted(list.getEntries()));
    observer.observe({type: "layout-shift", buffered: true});
    setTimeout(() => shifted(observer.takeRecords()), 50);
})"""
_MAX_SHIFT = 0.1
"""The limit for a good cumulative layout shift (https://web.dev/articles/cls, read 2026-11)."""

_CUT = """[...document.querySelectorAll("main :is(td, tbody th, dd, dt, .pill, .amount, button, .button)")]
    .filter((e) => e.getClientRects().length && getComputedStyle(e).display !== "inline")
    .filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.outerHTML.slice(0, 120))"""
"""Content that does not fit into its box: it is cut off, or overlaps the content beside it."""

_BROKEN = """[...document.querySelectorAll("main :is(tbody :is(td, th), dd, .pill, .button, time)")]
    .flatMap((e) => {
      const found = [], walker = document.createTreeWalker(e, NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) {
        for (const word of walker.currentNode.data.matchAll(/[\\p{L}\\d]{2,12}/gu)) {
          const range = document.createRange();
          range.setStart(walker.currentNode, word.index);
          range.setEnd(walker.currentNode, word.index + word[0].length);
          if (new Set([...range.getClientRects()].map((box) => box.top)).size > 1) found.push(word[0]);
        }
      }
      return found;
    })"""
"""Short words and numbers that a line break divides."""

_TOUCHING = """[...document.querySelectorAll("form :is(.field, .choice, fieldset)")]
    .map((e) => [e, e.nextElementSibling])
    .filter(([e, next]) => next?.matches(".field, .choice, fieldset, button"))
    .map(([e, next]) => [e.outerHTML.slice(0, 80), e.getBoundingClientRect(), next.getBoundingClientRect()])
    .filter(([, box, next]) => box.height && next.height)
    .filter(([, box, next]) => next.left < box.right && box.left < next.right && next.top < box.bottom + 4)
    .map(([html]) => html)"""
"""Fields of a form that touch the one below them."""

_STRUCTURE = """JSON.stringify([document.documentElement.lang, innerWidth, document.title !== "", ...new Set(
    [...document.querySelectorAll("*")].map((e) => [
      e.parentElement?.localName, e.localName, ...e.classList, e.getClientRects().length > 0,
      ...[...e.attributes].filter((a) => a.name !== "id" && a.name !== "for").map((a) =>
        /^(role|type|aria-(?!labelledby|describedby|controls)|open|hidden|disabled|checked|lang)/.test(a.name)
          ? `${a.name}=${a.value}` : a.name),
    ].join(" ")).sort())])"""
"""Everything that the rules of axe depend on except the text: elements, their classes, roles and states."""

_CHECKED_STRUCTURES: Final[set[str]] = set()
_ATTEMPTS: Final = 5


def sound(page: Page) -> None:
    """Assert that the page is accessible in light and dark mode, fits the window, and did not shift.

    A page with live progress reloads when its imports end. The check is then repeated on the new document,
    because its first results may come from two documents.
    """
    for _ in range(_ATTEMPTS):
        page.wait_for_load_state()
        try:
            page.evaluate("window.soundnessCheck = true")
            _check(page)
        except (AssertionError, Error):
            if _is_same(page):
                raise
        else:
            if _is_same(page):
                return
    raise AssertionError(f"{page.url} never came to rest")


def nothing_is_cut(page: Page) -> None:
    """Assert that each number, state and button fits into its place, and that no short word is broken."""
    cut = page.evaluate(_CUT)
    assert cut == [], f"{page.url}: {cut}"
    broken = page.evaluate(_BROKEN)
    assert broken == [], f"{page.url}: {broken}"


def _is_same(page: Page) -> bool:
    """Whether the document is still the one that `sound` marked."""
    page.wait_for_load_state()
    try:
        return page.evaluate("window.soundnessCheck === true") is True
    except Error:  # the document is being replaced
        return False


def _check(page: Page) -> None:
    shifted = page.evaluate(_SHIFTED)
    assert shifted < _MAX_SHIFT, f"{page.url} moved by {shifted}"
    structure = page.evaluate(_STRUCTURE)
    if SOAK or structure not in _CHECKED_STRUCTURES:
        _assert_accessible(page)
        _CHECKED_STRUCTURES.add(structure)
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{page.url} is {wide} px too wide"
    touching = page.evaluate(_TOUCHING)
    assert touching == [], f"{page.url}: {touching}"
    small = page.evaluate(_TOO_SMALL)
    assert small == [], f"{page.url}: {small}"


def _assert_accessible(page: Page) -> None:
    page.emulate_media(color_scheme="light")
    _assert_no_violations(page, Axe().run(page).response["violations"])
    page.emulate_media(color_scheme="dark")
    # The axe script is already loaded, and only the colours have changed.
    _assert_no_violations(page, page.evaluate("axe.run({runOnly: ['color-contrast']})")["violations"])


def _assert_no_violations(page: Page, violations: list[dict[str, Any]]) -> None:
    summary = [(rule["id"], [node["html"][:160] for node in rule["nodes"]]) for rule in violations]
    assert summary == [], f"{page.url}: {summary}"
