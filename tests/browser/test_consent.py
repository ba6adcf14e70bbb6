"""A Google mailbox without a password: its owner signs in at the rehearsal's Google, in a real browser.

No worker runs, because the server of a Google address is Google's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.soundness import sound
from tests.browser.stage import Stage, new_page, sign_in, stage_with_sign_in, start
from tests.browser.test_file import bring
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.dovecot import Dovecot

pytestmark = pytest.mark.sampled(1)  # each on the desk or on the phone
ASKED = re.compile("The owner is asked to sign in|Der Inhaber wird gebeten, sich anzumelden")
THANKS = re.compile("Thank you|Danke")
REFUSED = re.compile("You have not signed in|Sie haben sich nicht angemeldet")
ELSEWHERE = re.compile("did not start in this browser|hat nicht in diesem Browser begonnen")


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority, old_host: Dovecot, new_host: Dovecot
) -> Iterator[Stage]:
    """Pages, and a Google whose owners can be asked."""
    root = tmp_path_factory.mktemp("consent")
    with stage_with_sign_in(root, old_host, new_host, ca, "google") as running:
        yield running


@pytest.fixture
def begun(page: Page, site: Stage, name: str) -> Page:
    """Somebody has asked for their Gmail to be moved; gives their page, which waits for the sign-in."""
    _, new = site.mailboxes(name)
    sign_in(page, site.url, new)
    page.fill("#address", f"{name}@gmail.com")
    page.click("form[action='/new'] button")
    page.wait_for_url("**/new/mailbox")
    sound(page)
    page.click("form[action='/new/consent'] button")
    page.wait_for_url("**/new/review")
    sound(page)
    start(page)
    expect(page.locator("a[href^='/consent/']")).to_be_visible()
    sound(page)
    return page


def owner_goes(page: Page) -> None:
    """From our page to the host's own."""
    page.click("a[href^='/consent/']")
    page.wait_for_url("**/consent/*")
    sound(page)
    page.click("form[action^='/consent/'] button")
    page.wait_for_url("**/google/**")
    expect(page.locator("h1")).to_have_text("Mailhaul wants to read your mail")


def test_the_owner_signs_in_and_the_import_goes_on(begun: Page) -> None:
    page = begun
    batch = page.url
    owner_goes(page)
    page.click("button[value=allow]")
    page.wait_for_url("**/sign-in/google**")
    expect(page.locator("h1")).to_have_text(THANKS)
    sound(page)
    answer = page.url
    page.goto(batch)
    expect(page.locator("a[href^='/consent/']")).to_have_count(0)
    page.goto(answer)
    expect(page.locator("h1")).to_have_text(ELSEWHERE)
    sound(page)


def test_a_row_of_a_file_without_a_password_shows_its_link(page: Page, site: Stage, name: str) -> None:
    _, new = site.mailboxes(name)
    sign_in(page, site.url, new)
    columns = ["source_address", "source_password", "source_server", "destination_address"]
    row = {"source_address": f"{name}@gmail.com", "destination_address": new.account.address}
    password = {"destination_password": new.password}
    bring(page, site.url, [*columns, "destination_password"], [row | password])
    expect(page.locator("td.wrong")).to_have_count(0)
    expect(page.locator("table.preview")).to_contain_text(ASKED)
    sound(page)
    page.click("form[action='/file/start'] button")
    page.wait_for_url("**/batches/*")
    batch = page.url
    sound(page)
    owner_goes(page)
    page.click("button[value=allow]")
    expect(page.locator("h1")).to_have_text(THANKS)
    page.goto(batch)
    expect(page.locator("a[href^='/consent/']")).to_have_count(0)


def test_another_mailbox_and_a_no_start_nothing(begun: Page) -> None:
    page = begun
    batch = page.url
    owner_goes(page)
    page.fill("input[name=account]", "eve@gmail.com")
    page.click("button[value=allow]")
    expect(page.locator("h1")).to_have_text(REFUSED)
    sound(page)
    page.goto(batch)
    owner_goes(page)
    page.click("button[value=deny]")
    expect(page.locator("h1")).to_have_text(REFUSED)
    page.goto(batch)
    expect(page.locator("a[href^='/consent/']")).to_be_visible()


def test_an_answer_in_another_browser_is_not_taken(begun: Page, chromium: Browser) -> None:
    """Somebody who lures the owner into their own sign-in, or catches the answer, gets nothing."""
    page = begun
    owner_goes(page)
    with page.expect_request("**/sign-in/google**") as caught:
        page.route("**/sign-in/google**", lambda route: route.abort())
        page.click("button[value=allow]")
    context, other = new_page(chromium)
    other.goto(caught.value.url)
    expect(other.locator("h1")).to_have_text(ELSEWHERE)
    context.close()


def test_the_page_in_between_says_where_it_leads(begun: Page) -> None:
    """As it is seen where a browser does not go on by itself: here, because nothing comes back."""
    page = begun
    page.click("a[href^='/consent/']")
    page.route("**/google/**", lambda route: route.fulfill(status=204))
    page.click("form[action^='/consent/'] button")
    expect(page.locator("a.button.primary")).to_have_attribute("href", re.compile("/google/"))
    sound(page)
