"""How many pages a person goes through to the progress, with imitations of Google and of Gmail.

docs/usage/web.md compares them with those of other importers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.soundness import sound
from tests.browser.stage import (
    Stage,
    enter_old_address,
    give_password,
    new_page,
    sign_in,
    stage_with_sign_in,
    start,
)
from tests.browser.test_file import upload
from tests.rehearsal.authority import authority
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.imitations.gmail import Gmail
from tests.rehearsal.imitations.server import Imitation, imitation

pytestmark = pytest.mark.sampled(1)
DONE = re.compile("Complete|Vollständig")
STOPPED = re.compile("Stopped|Gestoppt")
LETTERS = 3
DOCUMENT = Path(__file__).parents[2] / "docs" / "usage" / "web.md"


def documented(case: str) -> int:
    """The number of pages that the documentation states for Mailhaul."""
    [row] = re.findall(rf"^\| {case} \| (\d+):", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    return int(row)


@pytest.fixture(scope="module")
def gmail_and_site(
    tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority, old_host: Dovecot, new_host: Dovecot
) -> Iterator[tuple[Imitation, Stage]]:
    """An imitation of Gmail that accepts the tokens of an imitation of Google, and pages that use both."""
    root = tmp_path_factory.mktemp("on-the-way")
    with authority(ca) as google:

        def accepts_token(name: str, value: str) -> bool:
            token = google.rules.by_token(value)
            return token is not None and token.mailbox == name

        with (
            imitation(Gmail(), root, ca, accepts_token, certificate_for="imap.gmail.com") as gmail,
            stage_with_sign_in(
                root,
                old_host,
                new_host,
                ca,
                "google",
                services=("worker", "web"),
                hosts={"imap.gmail.com:993": gmail.imaps},
                running_authority=google,
            ) as site,
        ):
            yield gmail, site


class Way:
    """The documents that the browser shows: each GET or form that is answered with a page."""

    def __init__(self, page: Page, url: str) -> None:
        self.paths: list[str] = []
        page.on("response", lambda response: self._seen(response, url))

    def _seen(self, response: object, url: str) -> None:
        request = response.request  # type: ignore[attr-defined]
        if request.resource_type == "document" and response.status < 300:  # type: ignore[attr-defined]
            path = str(request.url).removeprefix(url).partition("?")[0]
            self.paths.append(re.sub(r"(batches|imports)/[a-z0-9]{12}", r"\1/…", path))

    def seen(self) -> int:
        """The pages that somebody saw before the progress: not those that only forward."""
        before = self.paths[: self.paths.index("/batches/…")]
        return sum(path != "/new/sign-in" for path in before)


def mailbox_at(gmail: Imitation, name: str) -> str:
    """A Gmail mailbox with LETTERS messages; its address."""
    address = f"{name}@gmail.com"
    gmail.add_user(address, "only by token")
    mailbox = gmail.mailbox(address)
    for n in range(LETTERS):
        content = b"Message-ID: <%d@x>\r\nSubject: %d\r\n\r\ntext\r\n" % (n, n)
        mailbox.append(mailbox.folders["INBOX"], (), "02-Feb-2003 04:05:06 +0000", content)
    return address


def test_gmail_takes_three_pages_after_the_sign_in(
    page: Page, gmail_and_site: tuple[Imitation, Stage], name: str
) -> None:
    gmail, site = gmail_and_site
    address, (_, new) = mailbox_at(gmail, name), site.mailboxes(name)
    sign_in(page, site.url, new)
    way = Way(page, site.url)
    page.fill("#address", address)
    page.click("form[action='/new'] button.primary")
    page.wait_for_url("**/new/mailbox")
    button = page.locator("form[action='/new/sign-in'] button")
    expect(button).to_be_focused()
    sound(page)
    page.keyboard.press("Enter")
    page.wait_for_url("**/google/**")
    page.click("button[value=allow]")
    page.wait_for_url("**/new/review")
    card = page.locator("[data-check]")
    expect(card.locator("dd").first).to_have_text(str(LETTERS))
    expect(card.locator(".wait-bar")).to_have_count(0)
    sound(page)
    start(page)
    expect(page.locator("a[href^='/consent/']")).to_have_count(0)
    expect(page.locator(".pill").first).to_have_text(DONE)
    assert sum(map(len, new.read().folders.values())) == LETTERS
    own = [path for path in way.paths if path.startswith("/")]
    assert own[:4] == [
        "/new/mailbox",
        "/new/sign-in",
        "/new/review",
        "/batches/…",
    ]  # the second only forwards


def test_from_the_address_gmail_takes_two_pages(
    page: Page, gmail_and_site: tuple[Imitation, Stage], name: str
) -> None:
    """The sign-in is a button beside the address, as at Fastmail."""
    gmail, site = gmail_and_site
    address, (_, new) = mailbox_at(gmail, name), site.mailboxes(name)
    sign_in(page, site.url, new)
    button = page.locator("button[formaction='/new/sign-in']")
    sound(page)
    page.fill("#address", "nobody")
    page.evaluate("document.querySelector('main form').noValidate = true")
    button.click()
    expect(page.locator("#address-error")).to_be_visible()
    sound(page)
    way = Way(page, site.url)
    page.fill("#address", address)
    button.click()
    page.wait_for_url("**/google/**")
    page.click("button[value=allow]")
    page.wait_for_url("**/new/review")
    start(page)
    own = [path for path in way.paths if path.startswith("/")]
    assert own[:3] == ["/new/sign-in", "/new/review", "/batches/…"]  # the first only forwards
    assert documented("Gmail") == 1 + way.seen()  # before them: the address


def test_with_the_old_address_on_the_first_page_three_pages_are_enough(
    page: Page, gmail_and_site: tuple[Imitation, Stage], name: str
) -> None:
    """Signing in at the new host, signing in at Google, the review: others take as many without the first."""
    gmail, site = gmail_and_site
    address, (_, new) = mailbox_at(gmail, name), site.mailboxes(name)
    way = Way(page, site.url)
    page.goto(site.url)
    page.fill("#address", new.account.address)
    page.fill("#password", new.password)
    page.fill("#old_address", address)
    sound(page)
    page.keyboard.press("Enter")
    page.wait_for_url("**/new/mailbox")
    expect(page.locator("form[action='/new/sign-in'] button")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/google/**")
    page.click("button[value=allow]")
    page.wait_for_url("**/new/review")
    start(page)
    own = [path for path in way.paths if path.startswith("/")]
    own.remove("/new/sign-in")  # only forwards
    assert own[:4] == ["/", "/new/mailbox", "/new/review", "/batches/…"]


def test_a_host_with_passwords_takes_three_pages(
    page: Page, gmail_and_site: tuple[Imitation, Stage], name: str
) -> None:
    _, site = gmail_and_site
    old, new = site.mailboxes(name)
    sign_in(page, site.url, new)
    enter_old_address(page, old.account.address)
    way = Way(page, site.url)
    give_password(page, old)
    start(page)
    expect(page.locator(".pill").first).to_have_text(DONE)
    assert way.paths[:2] == ["/new/review", "/batches/…"]
    assert documented("a host with passwords") == 2 + way.seen()  # before them: the address, the password


def test_after_a_wrong_password_one_page_leads_on_and_25_rows_take_two(
    page: Page, gmail_and_site: tuple[Imitation, Stage], name: str
) -> None:
    """The file is one page, its preview the other."""
    _, site = gmail_and_site
    old, new = site.mailboxes(name)
    sign_in(page, site.url, new)
    way = Way(page, site.url)
    columns = ["source_address", "source_password", "source_server", "destination_address"]
    row = {
        "source_address": old.account.address,
        "source_password": "wrong",
        "source_server": str(old.account.endpoint).removeprefix("imaps://"),
        "destination_address": new.account.address,
        "destination_password": new.password,
    }
    upload(page, site.url, [*columns, "destination_password"], [row])
    page.click("form[action='/file/start'] button")
    page.wait_for_url("**/batches/*")
    assert way.paths[:3] == ["/file", "/file/preview", "/batches/…"]
    assert documented("25 mailboxes") == way.seen()
    expect(page.locator(".pill").first).to_have_text(STOPPED)
    expect(page.locator("[data-live]")).to_have_count(0)
    way = Way(page, site.url)
    page.locator("a[href$='/again']").first.click()
    page.wait_for_url("**/again")
    sound(page)
    page.fill("#password", old.password)
    page.keyboard.press("Enter")
    page.wait_for_url("**/batches/*")
    expect(page.locator(".pill").first).to_have_text(DONE)
    assert way.paths[:2] == ["/imports/…/again", "/batches/…"]
    assert documented("a wrong password later") == way.seen()


def test_gmail_works_without_a_script(
    chromium: Browser, gmail_and_site: tuple[Imitation, Stage], name: str
) -> None:
    gmail, site = gmail_and_site
    address, (_, new) = mailbox_at(gmail, name), site.mailboxes(name)
    context, page = new_page(chromium, scripts=False)
    sign_in(page, site.url, new)
    expect(page.locator(".reveal")).to_have_count(0)
    page.fill("#address", address)
    page.click("form[action='/new'] button.primary")
    page.click("form[action='/new/sign-in'] button")
    page.wait_for_url("**/google/**")
    page.click("button[value=deny]")
    page.click("main form button")
    page.wait_for_url("**/google/**")
    page.click("button[value=allow]")
    page.wait_for_url("**/new/review")
    start(page)
    context.close()
