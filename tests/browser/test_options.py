"""The options of an import, for mail with several labels and for changed flags; the check before its start.

The hosts are an imitation of Gmail and real servers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from tests.browser.soundness import sound
from tests.browser.stage import Stage, at_rest, check_source, sign_in, stage
from tests.browser.test_pages import DONE
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.dovecot import Dovecot, DovecotOptions, dovecot
from tests.rehearsal.fill import Stored, connect
from tests.rehearsal.hosts import User, new_user
from tests.rehearsal.imitations.gmail import GmailMailbox
from tests.rehearsal.imitations.server import Imitation
from tests.rehearsal.sample import EMPTY_FOLDERS, sample_mailbox

pytestmark = pytest.mark.sampled(1)  # each on desktop or phone
ONE_COPY = {("INBOX",): 1, ("Work",): 1, ("Work", "Deep"): 1, ("Archive",): 1}
COPY_PER_LABEL = {("INBOX",): 3, ("Work",): 2, ("Work", "Deep"): 1, ("Archive",): 1}
_numbers = iter(range(1, 10_000))


@pytest.fixture
def name() -> str:
    return f"grace{next(_numbers)}"


@pytest.fixture(scope="module")
def from_gmail(
    tmp_path_factory: pytest.TempPathFactory, gmail_host: Imitation, new_host: Dovecot
) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("from-gmail"), gmail_host, new_host) as running:
        yield running


@pytest.fixture(scope="module")
def small_quota(
    tmp_path_factory: pytest.TempPathFactory, old_host: Dovecot, ca: CertificateAuthority
) -> Iterator[Stage]:
    """A new host with less space than the sample mailbox needs."""
    options = DovecotOptions(quota_bytes=150_000)
    with (
        dovecot(tmp_path_factory.mktemp("small-quota"), options, ca=ca) as small,
        stage(tmp_path_factory.mktemp("into-little"), old_host, small, services=("web",)) as running,
    ):
        yield running


def with_labels(host: Imitation, user: User) -> None:
    """Store four messages with seven copies by label."""
    mailbox = host.mailbox(user.account.login)
    assert isinstance(mailbox, GmailMailbox)
    for number, labels in enumerate((["\\Inbox", "Work"], ["\\Inbox", "Work", "Work/Deep"], ["\\Inbox"], [])):
        head = f"Message-ID: <{number}@old.example>\r\nSubject: {number}\r\n\r\n"
        mailbox.put(head.encode() + b"x" * 1000 + b"\r\n", labels)


@pytest.mark.parametrize(
    ("rule", "expected"), [("one", ONE_COPY), ("keywords", ONE_COPY), ("each", COPY_PER_LABEL)]
)
def test_labels_are_copied_and_counted_by_the_chosen_rule(
    page: Page,
    from_gmail: Stage,
    gmail_host: Imitation,
    name: str,
    rule: str,
    expected: dict[tuple[str, ...], int],
) -> None:
    old, new = from_gmail.mailboxes(name)
    with_labels(gmail_host, old)
    sign_in(page, from_gmail.url, new)
    check_source(page, from_gmail.url, old)
    card, choices = page.locator("[data-labels]"), page.locator("input[name=labels]")
    expect(choices).to_have_count(3)
    expect(page.locator("input[name=labels]:checked")).to_have_value("one")
    expect(card.locator(".numbers dd").first).to_have_text("4")
    sound(page)
    page.locator(f".choice:has(input[value={rule}])").click()
    expect(card.locator(".numbers dd").first).to_have_text(str(sum(expected.values())))
    expect(card.locator("details")).to_be_visible(timeout=20_000)
    card.locator("summary").click()
    expect(card.locator("tbody tr", has_text="Work/Deep").locator("td").first).to_have_text("1")
    sound(page)
    page.reload()
    expect(page.locator("input[name=labels]:checked")).to_have_value(rule)
    expect(card.locator(".numbers dd").first).to_have_text(str(sum(expected.values())))
    page.click("form[action='/new/start'] button.primary")
    page.wait_for_url("**/batches/*")
    expect(page.locator(".pill").first).to_have_text(DONE)
    at_rest(page)
    page.locator(".import .button").first.click()
    page.wait_for_url("**/imports/*")
    sound(page)
    expect(page.locator("main")).to_contain_text(re.compile("Mail with several labels|mehreren Labels"))
    copies = new.read()
    assert {path: len(mail) for path, mail in copies.folders.items() if mail} == expected
    keywords = {flag for mail in copies.folders.values() for message in mail for flag in message.flags}
    assert ("work" in keywords) == (rule == "keywords")


def test_a_source_without_labels_has_no_label_choice(page: Page, site: Stage, name: str) -> None:
    old, new = site.mailboxes(name)
    sign_in(page, site.url, new)
    check_source(page, site.url, old)
    expect(page.locator("input[name=labels]")).to_have_count(0)
    expect(page.locator("input[name=sync_flags]")).to_be_hidden()


def test_run_again_copies_changed_flags_if_chosen(page: Page, site: Stage, name: str) -> None:
    old, new = site.mailboxes(name)
    old.fill([Stored(("INBOX",), (), datetime(2020, 1, 1, tzinfo=UTC), b"Subject: 1\r\n\r\ntext\r\n")])
    sign_in(page, site.url, new)
    check_source(page, site.url, old)
    page.click("form[action='/new/start'] button.primary")
    page.wait_for_url("**/batches/*")
    expect(page.locator(".pill").first).to_have_text(DONE)
    at_rest(page)
    client = connect(old.account.endpoint, old.account.login, old.password, old.ca_file)
    client.select("INBOX")
    assert client.store("1", "+FLAGS", "\\Flagged")[0] == "OK"
    client.logout()
    page.locator("a[href$='/again']").first.click()
    page.click("form[action$='/again'] button")
    page.wait_for_url("**/new/mailbox")
    page.fill("#password", old.password)
    page.click("form[action='/new/mailbox'] button.primary")
    page.wait_for_url("**/new/review")
    sync_flags = page.locator("input[name=sync_flags]")
    expect(sync_flags).to_be_visible()
    expect(sync_flags).not_to_be_checked()
    sync_flags.check()
    sound(page)
    page.click("form[action='/new/start'] button.primary")
    page.wait_for_url("**/batches/*")
    expect(page.locator(".pill").first).to_have_text(DONE)
    at_rest(page)
    [copy] = new.read().folders["INBOX",]
    assert "\\flagged" in copy.flags
    page.locator("a[href$='/again']").first.click()
    page.click("form[action$='/again'] button")
    page.fill("#password", old.password)
    page.click("form[action='/new/mailbox'] button.primary")
    expect(sync_flags).to_be_checked()


def test_the_check_shows_what_will_not_fit_and_where_folders_go(
    page: Page, small_quota: Stage, old_host: Dovecot, name: str
) -> None:
    old = new_user(old_host, f"{name}@old.example")
    new = new_user(small_quota.new, f"{name}@new.example")
    old.fill(sample_mailbox(), EMPTY_FOLDERS)
    sign_in(page, small_quota.url, new)
    check_source(page, small_quota.url, old)
    card = page.locator("[data-check]")
    expect(card.locator(".alert.warn").first).to_contain_text(re.compile("It does not fit|Es passt nicht"))
    expect(card).to_contain_text(re.compile(r"\d{4}.*\d{4}"))
    expect(card.locator(".wait-bar")).to_have_count(0)
    card.locator("summary").click()
    sound(page)
    expect(card.locator("tbody tr", has_text="Gesendet")).to_contain_text("Sent")
