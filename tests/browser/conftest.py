"""One stage and one browser for all tests of the pages."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.stage import DESKTOP, PHONE, Stage, browser, new_page, stage
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.dovecot import Dovecot, DovecotOptions, dovecot

MAX_MAIL_BYTES = 300_000
"""The largest message that the new host takes."""

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Ends with its module: Playwright keeps an event loop running, beside which nothing else can run one."""
    with browser() as started:
        yield started


@pytest.fixture(scope="session")
def site(
    tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority, old_host: Dovecot
) -> Iterator[Stage]:
    """Pages and a worker between two real mail hosts."""
    options = DovecotOptions(max_mail_bytes=MAX_MAIL_BYTES)
    with (
        dovecot(tmp_path_factory.mktemp("strict-host"), options, ca=ca) as new,
        stage(tmp_path_factory.mktemp("site"), old_host, new) as running,
    ):
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


@pytest.fixture
def name() -> str:
    """What a test calls its mailboxes: nobody else's."""
    return f"ada{next(_numbers)}"
