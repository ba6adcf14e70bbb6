"""The list of imports shows what is submitted elsewhere, without a reload."""

from __future__ import annotations

from playwright.sync_api import Browser, Page, expect

from tests.browser.soundness import sound
from tests.browser.stage import Stage, check_source, new_page, sign_in, start
from tests.rehearsal.hosts import User
from tests.rehearsal.sample import sample_mailbox


def submit(browser: Browser, site: Stage, old: User, new: User) -> None:
    """Import `old` into `new` in a window of its own, to its end."""
    context, window = new_page(browser)
    sign_in(window, site.url, new)
    check_source(window, site.url, old)
    start(window)
    expect(window.locator(".pill").first).to_have_text("Complete")
    context.close()


def test_imports_submitted_in_another_window_appear(
    page: Page, site: Stage, name: str, chromium: Browser
) -> None:
    old, new = site.mailboxes(name)
    old.fill(list(sample_mailbox())[:3])
    other, _ = site.mailboxes(f"{name}b")
    other.fill(list(sample_mailbox())[:2])
    sign_in(page, site.url, new)
    page.goto(f"{site.url}/imports")
    expect(page.locator(".empty")).to_be_visible()
    submit(chromium, site, old, new)
    listed = page.locator(".lines .route")
    expect(listed).to_have_count(1)
    page.reload()  # the search is on a page that has something to search
    page.fill("#q", "half a wo")  # survives what comes in
    page.evaluate("window.stillThere = true")
    submit(chromium, site, other, new)
    expect(listed).to_have_count(2)
    expect(listed.first).to_contain_text(other.account.address)
    expect(page.locator(".tiles .good strong")).to_have_text("2")
    expect(page.locator("#q")).to_have_value("half a wo")
    assert page.evaluate("window.stillThere")
    sound(page)
