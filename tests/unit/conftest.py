"""The web office of the page tests, and Ada's browser in it. Tests that need another define it themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.web_office import Browser, WebOffice


@pytest.fixture
def office(tmp_path: Path) -> WebOffice:
    """Loaded only by the tests that ask for it: it takes the whole web application along."""
    from tests.unit.web_office import WebOffice  # noqa: PLC0415

    return WebOffice(tmp_path)


@pytest.fixture
def ada(office: WebOffice) -> Browser:
    """Ada's browser, signed in."""
    browser = office.browser()
    browser.sign_in()
    return browser
