"""Fixtures of the browser tests: one running installation, and one browser per module."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.stage import DESKTOP, PHONE, Stage, browser, new_page, stage
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.dovecot import Dovecot, DovecotOptions, dovecot

MAX_MAIL_BYTES = 300_000
"""The largest message that the new host accepts."""

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Per module: Playwright keeps an event loop running, and no other loop can run in the same thread."""
    with browser() as started:
        yield started


@pytest.fixture(scope="session")
def site(
    tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority, old_host: Dovecot
) -> Iterator[Stage]:
    """Pages and a worker, with two real mail hosts."""
    options = DovecotOptions(max_mail_bytes=MAX_MAIL_BYTES)
    with (
        dovecot(tmp_path_factory.mktemp("strict-host"), options, ca=ca) as new,
        stage(tmp_path_factory.mktemp("site"), old_host, new) as running,
    ):
        yield running


@pytest.fixture(params=["en-desktop", "de-phone"])
def page(request: pytest.FixtureRequest, chromium: Browser) -> Iterator[Page]:
    """A page in a fresh browser context: English on a desktop, German on a phone.

    The teardown fails on errors in the browser console and on exceptions in scripts.
    """
    language, _, device = request.param.partition("-")
    size = PHONE if device == "phone" else DESKTOP
    context, opened = new_page(chromium, size=size, language=language, dark=device == "phone")
    errors: list[str] = []
    opened.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    # The console also reports the 4xx responses to forms, which are expected.
    assert [error for error in errors if "Failed to load resource" not in error] == []


@pytest.fixture
def name() -> str:
    """A unique name for the mailboxes of a test."""
    return f"ada{next(_numbers)}"
