"""Imports into Microsoft 365, which accepts no passwords: its owner signs in before the import starts.

Imitations of Microsoft's sign-in and of Exchange Online take the places of the real ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.soundness import sound
from tests.browser.stage import Stage, check_source, new_page, stage_with_sign_in, start
from tests.browser.test_openid import go_to_the_issuer
from tests.browser.test_pages_on_the_way import DONE, Way
from tests.rehearsal.authority import authority
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.hosts import User
from tests.rehearsal.imitations.exchange import Exchange
from tests.rehearsal.imitations.server import Imitation, imitation
from tests.rehearsal.sample import sample_mailbox

pytestmark = pytest.mark.sampled(1)  # each on desktop or phone
INTO = re.compile("May we add mail to this mailbox|Dürfen wir diesem Postfach Mails hinzufügen")
FIRST = re.compile("You sign in at outlook|Sie melden sich zuerst bei outlook")
SIGNED_IN = re.compile("Signed in at outlook|Angemeldet bei outlook")
OTHER_MAILBOX = re.compile("That is another mailbox|Das ist ein anderes Postfach")
THANKS = re.compile("Thank you|Danke")
SERVER = "outlook.office365.com"


@pytest.fixture(scope="module")
def exchange_and_site(
    tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority, old_host: Dovecot, new_host: Dovecot
) -> Iterator[tuple[Imitation, Stage]]:
    """Pages for mailboxes at Microsoft, with sign-in at an OpenID provider, and Microsoft's host."""
    root = tmp_path_factory.mktemp("into-microsoft")
    with authority(ca) as served:

        def accepts_token(name: str, value: str) -> bool:
            token = served.rules.by_token(value)
            return token is not None and token.mailbox == name

        with (
            imitation(Exchange(passwords=False), root, ca, accepts_token, certificate_for=SERVER) as exchange,
            stage_with_sign_in(
                root,
                old_host,
                new_host,
                ca,
                "openid",
                "microsoft",
                services=("worker", "web"),
                hosts={f"{SERVER}:993": exchange.imaps},
                running_authority=served,
                DESTINATION_SERVER=f"imaps://{SERVER}",
            ) as running,
        ):
            yield exchange, running


def mailboxes(exchange: Imitation, site: Stage, name: str) -> tuple[User, str]:
    """An old mailbox, and the address of an empty one at Microsoft."""
    old, new = site.mailboxes(name)
    exchange.add_user(new.account.address, "only by token")
    return old, new.account.address


def open_both(page: Page, site: Stage, old: User, new: str) -> None:
    """Sign in to the pages as the owner of the new mailbox, and open the old one."""
    go_to_the_issuer(page, site.url)
    page.fill("input[name=account]", new)
    page.click("button[value=allow]")
    page.wait_for_url("**/new")
    check_source(page, site.url, old)


def at_microsoft(page: Page, account: str) -> None:
    page.wait_for_url("**/microsoft/**")
    page.fill("input[name=account]", account)
    page.click("button[value=allow]")


def test_the_owner_signs_in_before_the_start_and_sees_both_sides(
    page: Page, exchange_and_site: tuple[Imitation, Stage], name: str
) -> None:
    """From the review to the progress: the review again. Before, it was the progress, a consent page and a
    page of thanks, and nothing was checked."""
    exchange, site = exchange_and_site
    old, new = mailboxes(exchange, site, name)
    old.fill(list(sample_mailbox())[:3])
    open_both(page, site, old, new)
    expect(page.locator(".choice").first).to_contain_text(FIRST)
    sound(page)
    way = Way(page, site.url)
    button = page.locator("form[action='/new/start'] button.primary")
    button.click()
    at_microsoft(page, "eve@new.example")
    expect(page.locator("h1")).to_have_text(OTHER_MAILBOX)
    sound(page)
    page.click("main form button.primary")
    at_microsoft(page, new)
    page.wait_for_url("**/new/review?*")
    expect(page.locator(".choice").first).to_contain_text(SIGNED_IN)
    expect(page.locator("[data-check] dd").first).to_have_text("3")
    expect(page.locator("[data-check] .wait-bar")).to_have_count(0)
    expect(page.locator("[data-check] .alert.bad")).to_have_count(0)
    sound(page)
    start(page)
    expect(page.locator("a[href^='/consent/']")).to_have_count(0)
    expect(page.locator(".pill").first).to_have_text(DONE)
    assert sum(len(folder.letters) for folder in exchange.mailbox(new).folders.values()) == 3
    own = [path for path in way.paths if path.startswith("/")]
    forwards = {"/new/start", "/new/destination/sign-in"}
    assert [path for path in own if path not in forwards][:2] == ["/new/review", "/batches/…"], way.paths


def test_the_owner_signs_in_first_without_a_script(
    chromium: Browser, exchange_and_site: tuple[Imitation, Stage], name: str
) -> None:
    exchange, site = exchange_and_site
    old, new = mailboxes(exchange, site, name)
    context, page = new_page(chromium, scripts=False)
    page.goto(site.url)
    page.click("form[action='/sign-in/openid'] button")
    page.fill("input[name=account]", new)
    page.click("button[value=allow]")
    page.wait_for_url("**/new")
    check_source(page, site.url, old)
    page.click("form[action='/new/start'] button.primary")
    at_microsoft(page, new)
    page.wait_for_url("**/new/review?*")
    start(page)
    expect(page.locator("a[href^='/consent/']")).to_have_count(0)
    context.close()


def test_an_owner_who_is_somebody_else_gets_a_link(
    page: Page, exchange_and_site: tuple[Imitation, Stage], name: str
) -> None:
    exchange, site = exchange_and_site
    old, new = mailboxes(exchange, site, name)
    open_both(page, site, old, new)
    page.click("button[name=by]")
    page.wait_for_url("**/batches/*")
    batch = page.url
    expect(page.locator("a[href^='/consent/']")).to_have_count(1)
    sound(page)
    for account, word in (("eve@new.example", OTHER_MAILBOX), (new, THANKS)):
        page.goto(batch)
        page.click("a[href^='/consent/']")
        expect(page.locator("h1")).to_have_text(INTO)
        expect(page.locator("main")).to_contain_text(old.account.address)
        sound(page)
        page.click("form[action^='/consent/'] button")
        at_microsoft(page, account)
        expect(page.locator("h1")).to_have_text(word)
        sound(page)
    page.goto(batch)
    expect(page.locator("a[href^='/consent/']")).to_have_count(0)
