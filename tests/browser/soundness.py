"""What holds on every page and in every state that a test meets."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_TOO_SMALL = """[...document.querySelectorAll("button, input:not([type=hidden]), select, summary, .button")]
    .map((e) =>
      [e.outerHTML.slice(0, 99), e.matches("[type=radio],[type=checkbox]") ? e.closest("label") : e])
    .map(([html, e]) => [html, e.getBoundingClientRect()])
    .filter(([, box]) => box.width && box.height < 43.5).map(([html]) => html)"""


def sound(page: Page) -> None:
    """Everybody can use it, by light and by dark, and it fits."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page).response["violations"]
        told = [(one["id"], [node["html"][:160] for node in one["nodes"]]) for one in found]
        assert told == [], f"{page.url}, {scheme}: {told}"
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{page.url} is {wide} px too wide"
    small = page.evaluate(_TOO_SMALL)
    assert small == [], f"{page.url}: {small}"
