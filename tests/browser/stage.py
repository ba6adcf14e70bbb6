"""A Mailhaul with its pages, between two real mail hosts, and a browser in front of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.rehearsal.applications import application
from tests.rehearsal.authority import authority
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.hosts import RehearsalHost, User, new_user
from tests.rehearsal.installation import Installation
from tests.rehearsal.ports import free_ports, listens, wait_until
from tests.rehearsal.processes import start_group, stop_group
from tests.rehearsal.proxy import CuttingProxy

CHROMIUM: Final = shutil.which("chromium") or "/usr/bin/chromium"
PHONE: Final = {"width": 390, "height": 844}
DESKTOP: Final = {"width": 1280, "height": 900}
PATIENCE_MS: Final = 30_000
"""For pages that are waited for: others may use the machine too."""

expect.set_options(timeout=PATIENCE_MS)


@dataclass(frozen=True)
class Stage:
    """Old and new host, a running installation, and where its pages are."""

    old: RehearsalHost
    new: RehearsalHost
    installation: Installation
    url: str

    def mailboxes(self, name: str) -> tuple[User, User]:
        """An old and a new mailbox, both empty."""
        return new_user(self.old, f"{name}@old.example"), new_user(self.new, f"{name}@new.example")


@contextmanager
def stage(
    root: Path,
    old: RehearsalHost,
    new: RehearsalHost,
    *,
    port: int = 0,
    services: Sequence[str] = ("worker", "web"),
    **settings: str,
) -> Iterator[Stage]:
    """Pages and a worker between those hosts."""
    root.mkdir(parents=True, exist_ok=True)
    port = port or free_ports()[0]
    installation = Installation(
        root,
        {
            "CA_FILE": str(new.ca_file),
            "DESTINATION_SERVER": str(new.imaps),
            "WEB_LISTEN": f"127.0.0.1:{port}",
            "TICK_SECONDS": "1",
            "ALLOWED_NETWORKS": "127.0.0.0/8, ::1/128",
            **settings,
        },
    )
    processes = [
        start_group(
            [*installation.command, name], installation.log_file, environment=installation.environment()
        )
        for name in services
    ]
    try:
        if not wait_until(lambda: listens(port), timeout_s=60):
            raise RuntimeError(f"the pages did not come up:\n{installation.log()}")
        yield Stage(old, new, installation, settings.get("PUBLIC_URL", f"http://127.0.0.1:{port}"))
    finally:
        for process in reversed(processes):
            stop_group(process, patience_s=10)


@contextmanager
def stage_with_sign_in(
    root: Path,
    old: RehearsalHost,
    new: RehearsalHost,
    ca: CertificateAuthority,
    *providers: str,
    services: Sequence[str] = ("web",),
    **settings: str,
) -> Iterator[Stage]:
    """The same, and signing in with those: "openid", "google", "microsoft". Unless it is asked for, no worker
    runs: the servers of Google's and Microsoft's addresses are their own."""
    [port] = free_ports()
    url = f"http://localhost:{port}"
    with authority(ca) as there:
        for provider in providers:
            settings |= application(there, provider, url)
        with stage(root, old, new, port=port, services=services, **settings) as running:
            yield running


@contextmanager
def browser() -> Iterator[Browser]:
    """Debian's Chromium without a window."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            yield started
        finally:
            started.close()


def new_page(
    context_of: Browser, *, size: dict[str, int] = DESKTOP, language: str = "en", dark: bool = False
) -> tuple[BrowserContext, Page]:
    """A page in a fresh context: no cookies, this language, this size."""
    context = context_of.new_context(
        viewport={"width": size["width"], "height": size["height"]},
        locale=language,
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        accept_downloads=True,
        ignore_https_errors=True,  # the rehearsal's own authority
    )
    context.set_default_timeout(PATIENCE_MS)
    return context, context.new_page()


def sign_in(page: Page, url: str, user: User) -> None:
    """From the first page to the form for a new import, in any language."""
    page.goto(url)
    page.fill("#address", user.account.address)
    page.fill("#password", user.password)
    page.click("form[action='/sign-in'] button")
    page.wait_for_url("**/new")


def check_source(page: Page, url: str, user: User) -> None:
    """From the address of an old mailbox to the review, with its server typed in."""
    page.goto(f"{url}/new")
    page.fill("#address", user.account.address)
    page.click("form[action='/new'] button")
    page.wait_for_url("**/new/mailbox")
    give_password(page, user)


def give_password(page: Page, user: User) -> None:
    """From the page that asks for an old mailbox's password to the review."""
    try_password(page, user)
    page.wait_for_url("**/new/review")


def try_password(page: Page, user: User) -> None:
    """Fills in the page that asks for an old mailbox's password, and sends it."""
    page.fill("#password", user.password)
    if not page.is_visible("#server"):
        page.click("details.settings summary")
    page.fill("#server", user.account.endpoint.host)
    page.fill("#port", str(user.account.endpoint.port))
    page.click("form[action='/new/mailbox'] button.primary")


def start(page: Page) -> None:
    """From the review to the progress of the batch."""
    page.click("form[action='/new/start'] button")
    page.wait_for_url("**/batches/*")


def at_rest(page: Page) -> None:
    """Waits until a page that follows imports has loaded itself anew, which it does once when all have ended.

    Whatever a test does before that may meet a document on its way out.
    """
    expect(page.locator("[data-live]")).to_have_count(0)
    page.wait_for_load_state()


def behind(proxy: CuttingProxy, user: User) -> User:
    """The same mailbox, reached through the proxy."""
    return replace(user, account=replace(user.account, endpoint=proxy.endpoint))
