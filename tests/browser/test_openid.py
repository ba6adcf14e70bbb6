"""Sign-in at an OpenID provider in a real browser, followed by an import."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.soundness import sound
from tests.browser.stage import Stage, at_rest, check_source, stage_with_sign_in, start
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.checker import compare
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.sample import sample_mailbox

pytestmark = pytest.mark.sampled(1)  # each on desktop or phone
DONE = re.compile("Complete|Vollständig")


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority, old_host: Dovecot, new_host: Dovecot
) -> Iterator[Stage]:
    """Pages and a worker, with sign-in at an OpenID provider."""
    root, services = tmp_path_factory.mktemp("openid"), ("worker", "web")
    with stage_with_sign_in(root, old_host, new_host, ca, "openid", services=services) as running:
        yield running


def go_to_the_issuer(page: Page, url: str) -> None:
    page.goto(url)
    sound(page)
    page.click("form[action='/sign-in/openid'] button")
    page.wait_for_url("**/openid/auth**")


def test_a_person_signs_in_with_openid_and_moves_a_mailbox(page: Page, site: Stage, name: str) -> None:
    old, new = site.mailboxes(name)
    mail = list(sample_mailbox())[:8]
    old.fill(mail)
    go_to_the_issuer(page, site.url)
    page.fill("input[name=account]", new.account.address)
    page.click("button[value=allow]")
    page.wait_for_url("**/new")
    sound(page)
    page.goto(f"{site.url}/mailboxes")
    expect(page.locator(".list")).to_contain_text(new.account.address)
    sound(page)
    check_source(page, site.url, old)
    sound(page)
    page.click("form[action='/new/start'] button")
    expect(page.locator("#password")).to_be_focused()  # of the new mailbox, needed once
    sound(page)
    page.fill("#password", new.password)
    page.click("form[action='/mailboxes'] button.primary")
    page.wait_for_url("**/new/review")
    start(page)
    expect(page.locator(".pill").first).to_have_text(DONE)
    at_rest(page)
    assert not compare(old.read(), new.read())


def test_a_denied_sign_in_is_reported_and_can_be_repeated(page: Page, site: Stage) -> None:
    go_to_the_issuer(page, site.url)
    page.click("button[value=deny]")
    page.wait_for_url("**/sign-in/openid**")
    expect(page.locator("[role=alert]")).to_be_visible()
    sound(page)
    page.goto(page.url)  # the answer is sent again
    expect(page.locator("[role=alert]")).to_be_visible()
    expect(page.locator("form[action='/sign-in/openid'] button")).to_be_visible()


def test_the_forwarding_page_shows_its_target(page: Page, site: Stage) -> None:
    """The page as seen if the browser does not forward automatically: here, the target sends no page."""
    page.goto(site.url)
    page.route("**/openid/auth**", lambda route: route.fulfill(status=204))
    page.click("form[action='/sign-in/openid'] button")
    expect(page.locator("a.button.primary")).to_have_attribute("href", re.compile("/openid/auth"))
    sound(page)
