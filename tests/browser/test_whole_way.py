"""The whole way, form to report and file to batch: with the keyboard alone, and without JavaScript."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.soundness import sound
from tests.browser.stage import Stage, at_rest, new_page
from tests.browser.test_file import upload
from tests.rehearsal.hosts import User
from tests.rehearsal.sample import sample_mailbox

pytestmark = pytest.mark.sampled(1)  # each on desktop or phone
DONE = re.compile("Complete|Vollständig")
STOPPED = re.compile("Stopped|Gestoppt")
COLUMNS = [
    "source_address",
    "source_password",
    "source_server",
    "destination_address",
    "destination_password",
]
_MAX_TABS = 80


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the focus is on an element of the selector, and assert that the focus is visible."""
    page.locator(selector).first.wait_for()
    page.wait_for_load_state()  # before, there may be no active element, or autofocus may move it
    for _ in range(_MAX_TABS):
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none", selector
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the keyboard does not reach {selector} on {page.url}")


def type_into(page: Page, selector: str, text: str) -> None:
    tab_to(page, selector)
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type(text)


def press(page: Page, selector: str, key: str = "Enter") -> None:
    tab_to(page, selector)
    page.keyboard.press(key)


def row(old: User, new: User, password: str) -> dict[str, str]:
    return {
        "source_address": old.account.address,
        "source_password": password,
        "source_server": str(old.account.endpoint),
        "destination_address": new.account.address,
        "destination_password": new.password,
    }


def mailboxes(site: Stage, name: str) -> tuple[User, User, User, User]:
    old, new = site.mailboxes(name)
    other, other_new = site.mailboxes(f"{name}b")
    for user in (old, other):
        user.fill(list(sample_mailbox())[:3])
    return old, new, other, other_new


def test_the_keyboard_is_enough_from_the_form_to_the_report(page: Page, site: Stage, name: str) -> None:
    old, new, _, _ = mailboxes(site, name)
    page.goto(site.url)
    type_into(page, "#address", new.account.address)
    type_into(page, "#password", new.password)
    page.keyboard.press("Enter")
    page.wait_for_url("**/new")
    type_into(page, "#address", old.account.address)
    page.keyboard.press("Enter")
    press(page, "button[name=unknown]")
    page.wait_for_url("**/new/mailbox")
    type_into(page, "#password", old.password)
    if not page.is_visible("#server"):
        press(page, "details.settings summary")
    type_into(page, "#server", old.account.endpoint.host)
    type_into(page, "#port", str(old.account.endpoint.port))
    page.keyboard.press("Enter")
    page.wait_for_url("**/new/review")
    press(page, "form[action='/new/start'] summary")
    sound(page)
    press(page, "form[action='/new/start'] > button")
    page.wait_for_url("**/batches/*")
    expect(page.locator(".pill").first).to_have_text(DONE)
    at_rest(page)
    press(page, ".import a.button")
    page.wait_for_url("**/imports/*")
    press(page, "summary.danger", "Space")
    press(page, "form[action$='/undo'] button")
    expect(page.locator(".alert.good")).to_be_visible(timeout=60_000)
    sound(page)


def test_the_keyboard_is_enough_for_a_batch(page: Page, site: Stage, name: str) -> None:
    old, new, other, other_new = mailboxes(site, name)
    page.goto(site.url)
    type_into(page, "#address", new.account.address)
    type_into(page, "#password", new.password)
    page.keyboard.press("Enter")
    page.wait_for_url("**/new")
    upload(page, site.url, COLUMNS, [row(old, new, old.password), row(other, other_new, "wrong")])
    press(page, "form[action='/file/start'] button")
    page.wait_for_url("**/batches/*")
    sound(page)
    expect(page.locator(".pill", has_text=STOPPED)).to_have_count(1)
    expect(page.locator(".pill", has_text=DONE)).to_have_count(1)
    at_rest(page)
    reason = page.locator("details.why")
    press(page, "details.why summary")
    expect(reason).to_have_attribute("open", "")
    expect(reason).to_contain_text(re.compile("password|Passwort"))
    sound(page)
    press(page, ".row .menu summary")
    with page.expect_download():
        press(page, "a[href$='results.csv']")
    press(page, "details.menu summary")
    page.keyboard.press("Escape")
    type_into(page, "#q", other.account.address)
    page.keyboard.press("Enter")
    expect(page.locator(".lines li")).to_have_count(1)
    sound(page)
    press(page, "a[href$='/again']")
    page.wait_for_url("**/again")
    type_into(page, "#password", other.password)
    type_into(page, "#destination_password", other_new.password)
    page.keyboard.press("Enter")
    page.wait_for_url("**/batches/*")
    expect(page.locator(".pill").first).to_have_text(DONE)


def test_the_whole_way_works_without_a_script(chromium: Browser, site: Stage, name: str) -> None:
    """Pages with progress renew themselves."""
    old, new, other, other_new = mailboxes(site, name)
    context, page = new_page(chromium, scripts=False)
    page.goto(site.url)
    page.fill("#address", new.account.address)
    page.fill("#password", new.password)
    page.click("form[action='/sign-in'] button")
    page.wait_for_url("**/new")
    page.fill("#address", old.account.address)
    page.click("form[action='/new'] button.primary")
    page.click("button[name=unknown]")
    page.fill("#password", old.password)
    if not page.is_visible("#server"):
        page.click("details.settings summary")
    page.fill("#server", old.account.endpoint.host)
    page.fill("#port", str(old.account.endpoint.port))
    page.click("form[action='/new/mailbox'] button.primary")
    page.wait_for_url("**/new/review")
    page.click("form[action='/new/start'] > button")
    page.wait_for_url("**/batches/*")
    expect(page.locator(".pill").first).to_have_text(DONE)
    page.click(".import a.button")
    page.wait_for_url("**/imports/*")
    expect(page.locator(".sum .first dd")).to_have_text("3")

    third, third_new = site.mailboxes(f"{name}c")
    rows = [row(third, third_new, third.password), row(other, other_new, "wrong")]
    upload(page, site.url, COLUMNS, rows)
    page.click("form[action='/file/start'] button")
    page.wait_for_url("**/batches/*")
    expect(page.locator(".pill", has_text=STOPPED)).to_have_count(1)
    expect(page.locator(".pill", has_text=DONE)).to_have_count(1)
    expect(page.locator("meta[http-equiv=refresh]")).to_have_count(0)
    page.click("details.why summary")
    expect(page.locator("details.why")).to_contain_text("password")
    page.fill("#q", other.account.address)
    page.click(".filter button")
    expect(page.locator(".lines li")).to_have_count(1)
    page.click(".tiles a.bad")
    expect(page.locator(".lines li")).to_have_count(1)
    page.goto(f"{site.url}/imports?q={other.account.address}")
    expect(page.locator(".lines li")).to_have_count(1)
    context.close()
