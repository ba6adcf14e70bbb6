"""Imports into Microsoft 365, which accepts no passwords: the owner signs in while the import waits.

No worker runs, because the new mailboxes are served by Microsoft's real server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.soundness import sound
from tests.browser.stage import Stage, check_source, stage_with_sign_in, start
from tests.browser.test_openid import go_to_the_issuer
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.dovecot import Dovecot

pytestmark = pytest.mark.sampled(1)  # each on desktop or phone
INTO = re.compile("May we add mail to this mailbox|Dürfen wir diesem Postfach Mails hinzufügen")
AT_MICROSOFT = re.compile("You will sign in at outlook|Sie melden sich bei outlook")
OTHER_MAILBOX = re.compile("That is another mailbox|Das ist ein anderes Postfach")
THANKS = re.compile("Thank you|Danke")


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority, old_host: Dovecot, new_host: Dovecot
) -> Iterator[Stage]:
    """Pages for mailboxes at Microsoft, with sign-in at an OpenID provider."""
    root = tmp_path_factory.mktemp("into-microsoft")
    server = "imaps://outlook.office365.com"
    with stage_with_sign_in(
        root, old_host, new_host, ca, "openid", "microsoft", DESTINATION_SERVER=server
    ) as running:
        yield running


def test_the_owner_of_the_new_mailbox_signs_in_without_a_password(page: Page, site: Stage, name: str) -> None:
    old, new = site.mailboxes(name)
    go_to_the_issuer(page, site.url)
    page.fill("input[name=account]", new.account.address)
    page.click("button[value=allow]")
    page.wait_for_url("**/new")
    check_source(page, site.url, old)
    expect(page.locator(".choice").first).to_contain_text(AT_MICROSOFT)
    sound(page)
    start(page)
    batch = page.url
    expect(page.locator("a[href^='/consent/']")).to_have_count(1)
    sound(page)
    for account, word in (("eve@new.example", OTHER_MAILBOX), (new.account.address, THANKS)):
        page.goto(batch)
        page.click("a[href^='/consent/']")
        expect(page.locator("h1")).to_have_text(INTO)
        expect(page.locator("main")).to_contain_text(old.account.address)
        sound(page)
        page.click("form[action^='/consent/'] button")
        page.wait_for_url("**/microsoft/**")
        page.fill("input[name=account]", account)
        page.click("button[value=allow]")
        expect(page.locator("h1")).to_have_text(word)
        sound(page)
    page.goto(batch)
    expect(page.locator("a[href^='/consent/']")).to_have_count(0)
