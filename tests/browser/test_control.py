"""The states of an import on the pages: paused, resumed, cancelled, waiting, stopped, finished with gaps."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import MAX_MAIL_BYTES
from tests.browser.soundness import sound
from tests.browser.stage import (
    Stage,
    at_rest,
    behind,
    check_source,
    enter_old_address,
    give_password,
    sign_in,
    start,
    try_password,
)
from tests.rehearsal.checker import compare
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.fill import INBOX, Stored
from tests.rehearsal.hosts import new_user
from tests.rehearsal.imitations.exchange import BACKOFF
from tests.rehearsal.imitations.server import Imitation
from tests.rehearsal.proxy import CuttingProxy, cutting_proxy
from tests.rehearsal.sample import EMPTY_FOLDERS, FOLDER_MAP, sample_mailbox

pytestmark = pytest.mark.sampled(1)  # each on desktop or phone
SLOW_BYTES_PER_S = 40_000
PAUSE_S = 25
COPYING = re.compile("Copying|Wird kopiert")
PAUSED = re.compile("Paused|Pausiert")
WAITING = re.compile("^(Waiting|Wartet)$")
DONE = re.compile("Complete|Vollständig")
CANCELLED = re.compile("Cancelled|Abgebrochen")
STOPPED = re.compile("Stopped|Gestoppt")
GAPS = re.compile("Finished with gaps|Lücken")


@pytest.fixture
def proxy(old_host: Dovecot) -> Iterator[CuttingProxy]:
    """A proxy to the old host, whose speed the test controls."""
    with cutting_proxy(old_host.imaps) as running:
        yield running


def test_an_import_is_paused_resumed_cancelled_and_run_again(
    page: Page, site: Stage, proxy: CuttingProxy, name: str
) -> None:
    direct, new = site.mailboxes(name)
    direct.fill(sample_mailbox(), EMPTY_FOLDERS)
    old = behind(proxy, direct)
    sign_in(page, site.url, new)
    check_source(page, site.url, old)
    expect(page.locator("[data-check] details")).to_be_visible(timeout=20_000)
    proxy.narrow(SLOW_BYTES_PER_S)
    start(page)
    pill = page.locator(".pill").first
    expect(pill).to_have_text(COPYING)
    sound(page)
    page.click("form[action$='/pause'] button")
    expect(pill).to_have_text(PAUSED)
    sound(page)
    copied = sum(map(len, new.read().folders.values()))
    assert copied < 119, "the import was paused before its end"
    page.click("form[action$='/resume'] button")
    expect(pill).to_have_text(COPYING)
    page.locator("summary.danger").click()
    sound(page)
    page.click("form[action$='/cancel'] button")
    expect(pill).to_have_text(CANCELLED)
    at_rest(page)
    sound(page)
    assert copied <= sum(map(len, new.read().folders.values())) < 119
    proxy.bytes_per_s = None
    page.click("a[href$='/again']")
    page.wait_for_url("**/again")
    sound(page)
    page.fill("#password", direct.password)
    page.click("form[action$='/again/start'] button:not(.reveal)")
    page.wait_for_url("**/batches/*")
    expect(page.locator(".pill").first).to_have_text(DONE)
    at_rest(page)
    assert not compare(direct.read(), new.read(), folder_map=FOLDER_MAP)


def test_throttling_by_a_host_is_respected_and_the_page_shows_the_end_of_the_wait(
    page: Page, site: Stage, exchange_host: Imitation, name: str
) -> None:
    old, new = new_user(exchange_host, f"{name}@busy.example"), site.mailboxes(name)[1]
    mailbox = exchange_host.mailbox(old.account.login)
    for n in range(3):
        mailbox.append(mailbox.folders["INBOX"], (), "02-Feb-2003 04:05:06 +0000", b"Subject: %d\r\n\r\n" % n)
    sign_in(page, site.url, new)
    check_source(page, site.url, old)
    expect(page.locator("[data-check] details")).to_be_visible(timeout=20_000)  # the check is done
    exchange_host.says("UID FETCH", f"BAD {BACKOFF.replace('299961', str(1000 * PAUSE_S))}")
    start(page)
    pill, why = page.locator(".pill").first, page.locator(".why")
    expect(pill).to_have_text(WAITING)
    expect(why).to_contain_text(re.compile("asked us to slow down|bittet um eine Pause"))
    until = datetime.fromisoformat(page.locator(".why time").get_attribute("datetime") or "")
    assert 0 < (until - datetime.now(UTC)).total_seconds() <= PAUSE_S + 1
    expect(page.locator("form[action$='/resume']")).to_have_count(0)  # no early retry
    sound(page)
    expect(pill).to_have_text(DONE)


def test_a_report_with_gaps_lists_each_message_with_the_reason(page: Page, site: Stage, name: str) -> None:
    old, new = site.mailboxes(name)
    body = b"".join(b"%064d\r\n" % n for n in range(MAX_MAIL_BYTES // 60))
    large = b"Subject: The plans of the house\r\nDate: Mon, 3 Feb 2003 04:05:06 +0000\r\n\r\n" + body
    moment = datetime(2003, 2, 3, 4, 5, 6, tzinfo=UTC)
    old.fill([*list(sample_mailbox())[:5], Stored(INBOX, (), moment, large)])
    sign_in(page, site.url, new)
    check_source(page, site.url, old)
    start(page)
    expect(page.locator(".pill").first).to_have_text(GAPS)
    at_rest(page)
    sound(page)
    page.locator(".import .button").first.click()
    page.wait_for_url("**/imports/*")
    refused = page.locator("[aria-labelledby=refused-1] tbody tr")
    expect(refused).to_have_count(1)
    expect(refused).to_contain_text("The plans of the house")
    sound(page)
    for extension in ("csv", "json"):
        with page.expect_download() as download:
            page.click(f"a[href$='report.{extension}']")
        report = download.value.path().read_text(encoding="utf-8-sig")
        assert "The plans of the house" in report
    assert json.loads(report)["totals"]["failed"] + json.loads(report)["totals"]["skipped"] == 1


def test_problems_that_need_the_user_show_how_to_fix_them(page: Page, site: Stage, name: str) -> None:
    """A wrong password when it is entered, and a password that was changed before the import started."""
    old, new = site.mailboxes(name)
    old.fill(list(sample_mailbox())[:3])
    sign_in(page, site.url, new)
    page.goto(f"{site.url}/new")
    enter_old_address(page, old.account.address)
    try_password(page, replace(old, password="not the password"))
    expect(page.locator("[role=alert]")).to_be_visible()
    sound(page)
    give_password(page, old)
    sound(page)
    site.old.add_user(old.account.login, "another password")
    start(page)
    expect(page.locator(".pill").first).to_have_text(STOPPED)
    at_rest(page)
    expect(page.locator(".why")).to_contain_text(re.compile("password|Passwort"))
    sound(page)
