"""The operators' pages fit a phone and a desktop in every language, and pass axe in light and dark."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from importer.domain.planning.host_allowance import Backoff
from providers.text import Text
from tests.browser.soundness import nothing_is_cut, sound
from tests.browser.stage import DESKTOP, PHONE
from tests.browser.still_pages import still
from tests.unit.operator_office import filled
from tests.unit.test_audit_details import record_samples
from tests.unit.test_service import MINUTE

ACTIVITY = ("activity", "/activity")


def pages(root: Path, language: str) -> dict[str, str]:
    """Each page by name, with a pause of a host and events with every detail; and their own activity."""
    office, operator, imports = filled(root)
    operator.draws = True
    record_samples(office.deps)
    until = office.deps.clock.now() + 5 * MINUTE
    pause = Backoff("host imap.old.example", until, Text("throttled.logins", host="imap.old.example"))
    office.deps.store.back_off(pause)
    paths = {
        "board": "",
        "imports": "/imports",
        "wrong": "/imports?older=soon&host=imap.old.example",
        "import": f"/imports/{imports['waiting'].id}",
        "confirm": "/changes?action=cancel&every=yes",
        "nothing": "/changes?action=resume",
        "hosts": "/hosts",
        "audit": "/audit",
    }
    return {
        name: still(operator.get(path, **{"accept-language": language}).text)
        for name, path in [*((name, f"/operator{path}") for name, path in paths.items()), ACTIVITY]
    }


@pytest.mark.parametrize("language", ["en", "de", "fr", "it", "es"])
def test_the_pages_fit_and_are_accessible(chromium: Browser, tmp_path: Path, language: str) -> None:
    with ThreadPoolExecutor(1) as apart:  # Playwright has an event loop in this thread
        found = apart.submit(pages, tmp_path, language).result()
    for size in (DESKTOP, PHONE):
        page = chromium.new_page(
            viewport={"width": size["width"], "height": size["height"]}, reduced_motion="reduce"
        )
        for name, html in found.items():
            page.set_content(html)
            if pictures := os.environ.get("PICTURES"):
                page.emulate_media(color_scheme="dark" if language in ("de", "it") else "light")
                page.screenshot(
                    path=f"{pictures}/operator-{name}-{size['width']}-{language}.png", full_page=True
                )
            sound(page)
            nothing_is_cut(page)
        page.close()
