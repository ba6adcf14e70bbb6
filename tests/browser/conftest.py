"""One stage and one browser for all tests of the pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.stage import DESKTOP, PHONE, Stage, browser, new_page, stage
from tests.rehearsal.dovecot import Dovecot


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="session")
def ferry(tmp_path_factory: pytest.TempPathFactory, old_host: Dovecot, new_host: Dovecot) -> Iterator[Stage]:
    """Pages and a worker between two real mail hosts."""
    with stage(tmp_path_factory.mktemp("ferry"), old_host, new_host) as running:
        yield running


@pytest.fixture(params=["en-desktop", "de-phone"])
def page(request: pytest.FixtureRequest, chromium: Browser) -> Iterator[Page]:
    """A fresh browser: English on a desk, German on a phone."""
    language, _, device = request.param.partition("-")
    size = PHONE if device == "phone" else DESKTOP
    context, opened = new_page(chromium, size=size, language=language, dark=device == "phone")
    faults: list[str] = []
    opened.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    opened.on("pageerror", lambda error: faults.append(str(error)))
    yield opened
    context.close()
    # An answer of 4xx to a form is told on the console, and is meant.
    assert [fault for fault in faults if "Failed to load resource" not in fault] == []
