"""A Google mailbox without a password: its owner signs in at an imitation of Google, in a real browser.

No worker runs, because Google addresses are served by Google's real server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.soundness import sound
from tests.browser.stage import Stage, enter_old_address, new_page, sign_in, stage_with_sign_in, start
from tests.browser.test_file import upload
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.dovecot import Dovecot

pytestmark = pytest.mark.sampled(1)  # each on desktop or phone
CONSENT_NEEDED = re.compile("The owner has to sign in|Der Inhaber muss sich anmelden")
THANKS = re.compile("Thank you|Danke")
OTHER_MAILBOX = re.compile("That is another mailbox|Das ist ein anderes Postfach")
DECLINED = re.compile("You did not give permission|Sie haben keine Erlaubnis gegeben")
ALREADY = re.compile("You have already signed in|Sie haben sich schon angemeldet")
ELSEWHERE = re.compile("did not start in this browser|hat nicht in diesem Browser begonnen")


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority, old_host: Dovecot, new_host: Dovecot
) -> Iterator[Stage]:
    """Pages with sign-in at the imitation of Google."""
    root = tmp_path_factory.mktemp("consent")
    with stage_with_sign_in(root, old_host, new_host, ca, "google") as running:
        yield running


@pytest.fixture
def waiting_batch(page: Page, site: Stage, name: str) -> Page:
    """The page of a batch with a Gmail mailbox that waits for its owner to sign in."""
    _, new = site.mailboxes(name)
    sign_in(page, site.url, new)
    enter_old_address(page, f"{name}@gmail.com")
    sound(page)
    page.click("form[action='/new/consent'] button")
    page.wait_for_url("**/new/review")
    sound(page)
    start(page)
    expect(page.locator("a[href^='/consent/']")).to_be_visible()
    sound(page)
    return page


def go_to_provider(page: Page) -> None:
    """Go from the page of the batch to the sign-in page of the provider."""
    page.click("a[href^='/consent/']")
    page.wait_for_url("**/consent/*")
    sound(page)
    page.click("form[action^='/consent/'] button")
    page.wait_for_url("**/google/**")
    expect(page.locator("h1")).to_have_text("Mailhaul wants to read your mail")


def test_the_owner_signs_in_and_the_import_continues(waiting_batch: Page) -> None:
    page = waiting_batch
    batch = page.url
    go_to_provider(page)
    page.click("button[value=allow]")
    page.wait_for_url("**/sign-in/google**")
    expect(page.locator("h1")).to_have_text(THANKS)
    sound(page)
    answer = page.url
    page.goto(batch)
    expect(page.locator("a[href^='/consent/']")).to_have_count(0)
    page.goto(answer)
    expect(page.locator("h1")).to_have_text(ALREADY)
    sound(page)


def test_a_row_of_a_file_without_a_password_shows_its_link(page: Page, site: Stage, name: str) -> None:
    _, new = site.mailboxes(name)
    sign_in(page, site.url, new)
    columns = ["source_address", "source_password", "source_server", "destination_address"]
    row = {"source_address": f"{name}@gmail.com", "destination_address": new.account.address}
    password = {"destination_password": new.password}
    upload(page, site.url, [*columns, "destination_password"], [row | password])
    expect(page.locator("td.wrong")).to_have_count(0)
    expect(page.locator("table.preview")).to_contain_text(CONSENT_NEEDED)
    sound(page)
    page.click("form[action='/file/start'] button")
    page.wait_for_url("**/batches/*")
    batch = page.url
    sound(page)
    go_to_provider(page)
    page.click("button[value=allow]")
    expect(page.locator("h1")).to_have_text(THANKS)
    page.goto(batch)
    expect(page.locator("a[href^='/consent/']")).to_have_count(0)


def test_consent_for_another_mailbox_and_a_denial_start_nothing(waiting_batch: Page) -> None:
    page = waiting_batch
    batch = page.url
    go_to_provider(page)
    page.fill("input[name=account]", "eve@gmail.com")
    page.click("button[value=allow]")
    expect(page.locator("h1")).to_have_text(OTHER_MAILBOX)
    expect(page.locator("main")).to_contain_text("eve@gmail.com")
    sound(page)
    page.click("main form button")
    page.wait_for_url("**/google/**")
    page.click("button[value=deny]")
    expect(page.locator("h1")).to_have_text(DECLINED)
    sound(page)
    page.goto(batch)
    expect(page.locator("a[href^='/consent/']")).to_be_visible()


def test_an_answer_in_another_browser_is_rejected(waiting_batch: Page, chromium: Browser) -> None:
    """An attacker who lures the owner into their own sign-in, or intercepts the answer, gains nothing."""
    page = waiting_batch
    go_to_provider(page)
    with page.expect_request("**/sign-in/google**") as caught:
        page.route("**/sign-in/google**", lambda route: route.abort())
        page.click("button[value=allow]")
    context, other = new_page(chromium)
    other.goto(caught.value.url)
    expect(other.locator("h1")).to_have_text(ELSEWHERE)
    context.close()


def test_the_forwarding_page_shows_its_target(waiting_batch: Page) -> None:
    """The page as seen if the browser does not forward automatically: here, the target sends no page."""
    page = waiting_batch
    page.click("a[href^='/consent/']")
    page.route("**/google/**", lambda route: route.fulfill(status=204))
    page.click("form[action^='/consent/'] button")
    expect(page.locator("a.button.primary")).to_have_attribute("href", re.compile("/google/"))
    sound(page)
