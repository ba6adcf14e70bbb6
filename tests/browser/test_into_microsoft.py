"""Into Microsoft 365, which takes no passwords: its owner signs in there when the import waits for it.

No worker runs, because the server of the new mailboxes is Microsoft's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.soundness import sound
from tests.browser.stage import Stage, check_source, stage, start
from tests.browser.test_openid import go_to_the_issuer
from tests.rehearsal.authority import authority
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.ports import free_ports

SECRET = "0pen-s3same"
INTO = re.compile("May we put mail into this mailbox|Dürfen wir Mails in dieses Postfach legen")
AT_MICROSOFT = re.compile("You sign in at outlook|Sie melden sich bei outlook")
REFUSED = re.compile("You have not signed in|Sie haben sich nicht angemeldet")
THANKS = re.compile("Thank you|Danke")


@pytest.fixture(scope="module")
def ferry(
    tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority, old_host: Dovecot, new_host: Dovecot
) -> Iterator[Stage]:
    """Pages for mailboxes at Microsoft, whose people sign in elsewhere."""
    [port] = free_ports()
    url = f"http://localhost:{port}"
    with authority(ca) as server:
        server.add_application("ferry", SECRET, f"{url}/sign-in/openid")
        server.add_application("ferry-microsoft", SECRET, f"{url}/sign-in/microsoft")
        settings = {
            "DESTINATION_SERVER": "imaps://outlook.office365.com",
            "OPENID_ISSUER": server.openid,
            "OPENID_CLIENT_ID": "ferry",
            "OPENID_CLIENT_SECRET": SECRET,
            "MICROSOFT_CLIENT_ID": "ferry-microsoft",
            "MICROSOFT_CLIENT_SECRET": SECRET,
            "MICROSOFT_AUTHORITY": server.microsoft,
            "PUBLIC_URL": url,
        }
        root = tmp_path_factory.mktemp("into-microsoft")
        with stage(root, old_host, new_host, port=port, services=("web",), **settings) as running:
            yield running


def test_the_owner_of_the_new_mailbox_signs_in_and_gives_no_password(
    page: Page, ferry: Stage, name: str
) -> None:
    old, new = ferry.mailboxes(name)
    go_to_the_issuer(page, ferry.url)
    page.fill("input[name=account]", new.account.address)
    page.click("button[value=allow]")
    page.wait_for_url("**/new")
    check_source(page, ferry.url, old)
    expect(page.locator(".choice").first).to_contain_text(AT_MICROSOFT)
    sound(page)
    start(page)
    batch = page.url
    expect(page.locator("a[href^='/consent/']")).to_have_count(1)
    sound(page)
    for account, word in (("eve@new.example", REFUSED), (new.account.address, THANKS)):
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
