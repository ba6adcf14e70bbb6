"""A Google mailbox without a password: its owner signs in at the rehearsal's Google, in a real browser.

No worker runs, because the server of a Google address is Google's own.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.stage import Stage, new_page, sign_in, stage
from tests.browser.test_pages import sound
from tests.rehearsal.authority import authority
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.ports import free_ports

SECRET = "0pen-s3same"


@pytest.fixture
def begun(
    tmp_path: Path, ca: CertificateAuthority, old_host: Dovecot, new_host: Dovecot, chromium: Browser
) -> object:
    """Somebody has asked for their Gmail to be moved; gives their page, which waits for the sign-in."""
    [port] = free_ports()
    url = f"http://localhost:{port}"
    with authority(ca) as google:
        google.add_application("ferry", SECRET, f"{url}/sign-in/google")
        settings = {
            "GOOGLE_CLIENT_ID": "ferry",
            "GOOGLE_CLIENT_SECRET": SECRET,
            "GOOGLE_AUTHORITY": google.google,
            "PUBLIC_URL": url,
        }
        with stage(tmp_path, old_host, new_host, port=port, services=("web",), **settings) as ferry:
            _, new = ferry.mailboxes(f"ada{port}")
            context, page = new_page(chromium)
            sign_in(page, ferry.url, new)
            page.fill("#address", "ada@gmail.com")
            page.click("form[action='/new'] button")
            page.wait_for_url("**/new/mailbox")
            sound(page)
            page.click("form[action='/new/consent'] button")
            page.wait_for_url("**/new/review")
            sound(page)
            page.click("form[action='/new/start'] button")
            page.wait_for_url("**/batches/*")
            expect(page.locator("a[href^='/consent/']")).to_be_visible()
            sound(page)
            yield page, ferry
            context.close()


def owner_goes(page: Page) -> None:
    """From our page to the host's own."""
    page.click("a[href^='/consent/']")
    page.wait_for_url("**/consent/*")
    sound(page)
    page.click("form[action^='/consent/'] button")
    page.wait_for_url("**/google/**")
    expect(page.locator("h1")).to_have_text("Mailferry wants to read your mail")


def test_the_owner_signs_in_and_the_import_goes_on(begun: tuple[Page, Stage]) -> None:
    page, _ = begun
    batch = page.url
    owner_goes(page)
    page.click("button[value=allow]")
    page.wait_for_url("**/sign-in/google**")
    expect(page.locator("h1")).to_have_text("Thank you")
    sound(page)
    answer = page.url
    page.goto(batch)
    expect(page.locator("a[href^='/consent/']")).to_have_count(0)
    page.goto(answer)
    expect(page.locator("h1")).to_have_text("This did not begin in this browser")


def test_another_mailbox_and_a_no_start_nothing(begun: tuple[Page, Stage]) -> None:
    page, _ = begun
    batch = page.url
    owner_goes(page)
    page.fill("input[name=account]", "eve@gmail.com")
    page.click("button[value=allow]")
    expect(page.locator("h1")).to_have_text("You have not signed in")
    sound(page)
    page.goto(batch)
    owner_goes(page)
    page.click("button[value=deny]")
    expect(page.locator("h1")).to_have_text("You have not signed in")
    page.goto(batch)
    expect(page.locator("a[href^='/consent/']")).to_be_visible()


def test_an_answer_in_another_browser_is_not_taken(begun: tuple[Page, Stage], chromium: Browser) -> None:
    """Somebody who lures the owner into their own sign-in, or catches the answer, gets nothing."""
    page, _ = begun
    owner_goes(page)
    with page.expect_request("**/sign-in/google**") as caught:
        page.route("**/sign-in/google**", lambda route: route.abort())
        page.click("button[value=allow]")
    context, other = new_page(chromium)
    other.goto(caught.value.url)
    expect(other.locator("h1")).to_have_text("This did not begin in this browser")
    context.close()
