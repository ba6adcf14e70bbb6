"""A running installation with pages and two real mail hosts, a browser, and common steps on the pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from providers.endpoint import Endpoint
from tests.rehearsal import relocated
from tests.rehearsal.applications import application
from tests.rehearsal.authority import Authority, authority
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.hosts import RehearsalHost, User, new_user
from tests.rehearsal.installation import CONSOLE, Installation
from tests.rehearsal.ports import PATIENCE_S, free_ports, listens, wait_until
from tests.rehearsal.processes import start_group, stop_group
from tests.rehearsal.proxy import CuttingProxy

CHROMIUM: Final = shutil.which("chromium") or "/usr/bin/chromium"
PHONE: Final = {"width": 390, "height": 844}
DESKTOP: Final = {"width": 1280, "height": 900}
SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
PATIENCE_MS: Final = 1000 * PATIENCE_S
"""The timeout for pages."""

expect.set_options(timeout=PATIENCE_MS)


@dataclass(frozen=True)
class Stage:
    """Old and new host, a running installation, and the URL of its pages."""

    old: RehearsalHost
    new: RehearsalHost
    installation: Installation
    url: str

    def mailboxes(self, name: str) -> tuple[User, User]:
        """Create an empty old and an empty new mailbox."""
        return new_user(self.old, f"{name}@old.example"), new_user(self.new, f"{name}@new.example")


@contextmanager
def stage(
    root: Path,
    old: RehearsalHost,
    new: RehearsalHost,
    *,
    port: int = 0,
    services: Sequence[str] = ("worker", "web"),
    hosts: Mapping[str, Endpoint] = MappingProxyType({}),
    **settings: str,
) -> Iterator[Stage]:
    """Run pages and a worker for these hosts. `hosts` are servers in the place of others, by HOST:PORT."""
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
        command=relocated.command(hosts) if hosts else CONSOLE,
    )
    processes = [
        start_group(
            [*installation.command, name], installation.log_file, environment=installation.environment()
        )
        for name in services
    ]
    try:
        if services and not wait_until(lambda: listens(port)):
            raise RuntimeError(f"the pages did not start:\n{installation.log()}")
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
    hosts: Mapping[str, Endpoint] = MappingProxyType({}),
    running_authority: Authority | None = None,
    **settings: str,
) -> Iterator[Stage]:
    """Run pages with sign-in at these providers: "openid", "google", "microsoft"; the imitation of them is
    `running_authority`, or a new one.

    By default no worker runs, because addresses at Google and Microsoft are served by their real servers.
    """
    [port] = free_ports()
    url = f"http://localhost:{port}"
    with ExitStack() as opened:
        served = running_authority or opened.enter_context(authority(ca))
        for provider in providers:
            settings |= application(served, provider, url)
        with stage(root, old, new, port=port, services=services, hosts=hosts, **settings) as running:
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
    browser_: Browser,
    *,
    size: dict[str, int] = DESKTOP,
    language: str = "en",
    dark: bool = False,
    scripts: bool = True,
) -> tuple[BrowserContext, Page]:
    """A page in a fresh context without cookies, with this language and size."""
    context = browser_.new_context(
        viewport={"width": size["width"], "height": size["height"]},
        locale=language,
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        accept_downloads=True,
        java_script_enabled=scripts,
        ignore_https_errors=True,  # certificates of the test CA
    )
    context.set_default_timeout(PATIENCE_MS)
    return context, context.new_page()


def sign_in(page: Page, url: str, user: User) -> None:
    """Go from the front page to the form for a new import, in any language."""
    page.goto(url)
    page.fill("#address", user.account.address)
    page.fill("#password", user.password)
    page.click("form[action='/sign-in'] button:not(.reveal)")
    page.wait_for_url("**/new")


def check_source(page: Page, url: str, user: User) -> None:
    """Go from the address of an old mailbox to the review, entering its server by hand."""
    page.goto(f"{url}/new")
    enter_old_address(page, user.account.address)
    give_password(page, user)


def enter_old_address(page: Page, address: str) -> None:
    """Go from the address form to the password form, although no server of the address is found."""
    page.fill("#address", address)
    page.click("form[action='/new'] button.primary")
    page.locator("button[name=unknown], #password").first.wait_for()
    if page.locator("button[name=unknown]").count():
        page.click("button[name=unknown]")
    page.wait_for_url("**/new/mailbox")


def give_password(page: Page, user: User) -> None:
    """Go from the password form of an old mailbox to the review."""
    try_password(page, user)
    page.wait_for_url("**/new/review")


def try_password(page: Page, user: User) -> None:
    """Fill in and submit the password form of an old mailbox."""
    page.fill("#password", user.password)
    if not page.is_visible("#server"):
        page.click("details.settings summary")
    page.fill("#server", user.account.endpoint.host)
    page.fill("#port", str(user.account.endpoint.port))
    page.click("form[action='/new/mailbox'] button.primary")


def start(page: Page) -> None:
    """Go from the review to the progress of the batch."""
    page.click("form[action='/new/start'] button")
    page.wait_for_url("**/batches/*")


def at_rest(page: Page) -> None:
    """Wait until a page with live progress has reloaded, which it does once after all imports have ended.

    Earlier actions of a test could hit a document that is being replaced.
    """
    expect(page.locator("[data-live]")).to_have_count(0)
    page.wait_for_load_state()


def behind(proxy: CuttingProxy, user: User) -> User:
    """The same mailbox, accessed through the proxy."""
    return replace(user, account=replace(user.account, endpoint=proxy.endpoint))
