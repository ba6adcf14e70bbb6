"""What can be chosen for an import: what becomes of mail with several labels, and flags that changed since;
and what the check says before it starts. Between hosts that speak like Gmail, and real ones."""

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

pytestmark = pytest.mark.sampled(1)  # each on the desk or on the phone
ONCE = {("INBOX",): 1, ("Work",): 1, ("Work", "Deep"): 1, ("Archive",): 1}
FOR_EACH = {("INBOX",): 3, ("Work",): 2, ("Work", "Deep"): 1, ("Archive",): 1}
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
def into_little_space(
    tmp_path_factory: pytest.TempPathFactory, old_host: Dovecot, ca: CertificateAuthority
) -> Iterator[Stage]:
    """Less than the sample mailbox needs."""
    options = DovecotOptions(quota_bytes=150_000)
    with (
        dovecot(tmp_path_factory.mktemp("small-quota"), options, ca=ca) as small,
        stage(tmp_path_factory.mktemp("into-little"), old_host, small, services=("web",)) as running,
    ):
        yield running


def with_labels(host: Imitation, user: User) -> None:
    """Four messages, seven labels and places."""
    mailbox = host.mailbox(user.account.login)
    assert isinstance(mailbox, GmailMailbox)
    for number, labels in enumerate((["\\Inbox", "Work"], ["\\Inbox", "Work", "Work/Deep"], ["\\Inbox"], [])):
        head = f"Message-ID: <{number}@old.example>\r\nSubject: {number}\r\n\r\n"
        mailbox.put(head.encode() + b"x" * 1000 + b"\r\n", labels)


@pytest.mark.parametrize(("rule", "wanted"), [("one", ONCE), ("keywords", ONCE), ("each", FOR_EACH)])
def test_labels_become_what_was_chosen_and_the_check_counts_so(
    page: Page,
    from_gmail: Stage,
    gmail_host: Imitation,
    name: str,
    rule: str,
    wanted: dict[tuple[str, ...], int],
) -> None:
    old, new = from_gmail.mailboxes(name)
    with_labels(gmail_host, old)
    sign_in(page, from_gmail.url, new)
    check_source(page, from_gmail.url, old)
    card, choices = page.locator("[data-labels]"), page.locator("input[name=labels]")
    expect(choices).to_have_count(3)
    expect(page.locator("input[name=labels]:checked")).to_have_value("one")
    expect(card.locator(".numbers dd").first).to_have_text("4", timeout=20_000)
    sound(page)
    page.locator(f".choice:has(input[value={rule}])").click()
    expect(card.locator(".numbers dd").first).to_have_text(str(sum(wanted.values())), timeout=20_000)
    expect(card.locator("details")).to_be_visible(timeout=20_000)
    card.locator("summary").click()
    expect(card.locator("tbody tr", has_text="Work/Deep").locator("td").first).to_have_text("1")
    sound(page)
    page.reload()
    expect(page.locator("input[name=labels]:checked")).to_have_value(rule)
    expect(card.locator(".numbers dd").first).to_have_text(str(sum(wanted.values())))
    page.click("form[action='/new/start'] button.primary")
    page.wait_for_url("**/batches/*")
    expect(page.locator(".pill").first).to_have_text(DONE, timeout=60_000)
    at_rest(page)
    page.locator(".import .button").first.click()
    page.wait_for_url("**/imports/*")
    sound(page)
    expect(page.locator("main")).to_contain_text(re.compile("Mail with several labels|mehreren Labels"))
    there = new.read()
    assert {path: len(mail) for path, mail in there.folders.items() if mail} == wanted
    keywords = {flag for mail in there.folders.values() for one in mail for flag in one.flags}
    assert ("work" in keywords) == (rule == "keywords")


def test_who_has_folders_is_not_asked_about_labels(page: Page, site: Stage, name: str) -> None:
    old, new = site.mailboxes(name)
    sign_in(page, site.url, new)
    check_source(page, site.url, old)
    expect(page.locator("input[name=labels]")).to_have_count(0)
    expect(page.locator("input[name=sync_flags]")).to_be_hidden()


def test_run_again_brings_what_was_read_since_when_it_is_wanted(page: Page, site: Stage, name: str) -> None:
    old, new = site.mailboxes(name)
    old.fill([Stored(("INBOX",), (), datetime(2020, 1, 1, tzinfo=UTC), b"Subject: 1\r\n\r\ntext\r\n")])
    sign_in(page, site.url, new)
    check_source(page, site.url, old)
    page.click("form[action='/new/start'] button.primary")
    page.wait_for_url("**/batches/*")
    expect(page.locator(".pill").first).to_have_text(DONE, timeout=60_000)
    at_rest(page)
    client = connect(old.account.endpoint, old.account.login, old.password, old.ca_file)
    client.select("INBOX")
    assert client.store("1", "+FLAGS", "\\Flagged")[0] == "OK"
    client.logout()
    page.locator("form[action$='/again'] button").first.click()
    page.wait_for_url("**/new/mailbox")
    page.fill("#password", old.password)
    page.click("form[action='/new/mailbox'] button.primary")
    page.wait_for_url("**/new/review")
    wish = page.locator("input[name=sync_flags]")
    expect(wish).to_be_visible()
    expect(wish).not_to_be_checked()
    wish.check()
    sound(page)
    page.click("form[action='/new/start'] button.primary")
    page.wait_for_url("**/batches/*")
    expect(page.locator(".pill").first).to_have_text(DONE, timeout=60_000)
    at_rest(page)
    [copy] = new.read().folders["INBOX",]
    assert "\\flagged" in copy.flags
    page.locator("form[action$='/again'] button").first.click()
    page.fill("#password", old.password)
    page.click("form[action='/new/mailbox'] button.primary")
    expect(wish).to_be_checked()


def test_the_check_says_what_will_not_fit_and_where_folders_go(
    page: Page, into_little_space: Stage, old_host: Dovecot, name: str
) -> None:
    old = new_user(old_host, f"{name}@old.example")
    new = new_user(into_little_space.new, f"{name}@new.example")
    old.fill(sample_mailbox(), EMPTY_FOLDERS)
    sign_in(page, into_little_space.url, new)
    check_source(page, into_little_space.url, old)
    card = page.locator("[data-check]")
    expect(card.locator(".alert.warn").first).to_contain_text(
        re.compile("Not enough space|Nicht genug Platz"), timeout=20_000
    )
    expect(card).to_contain_text(re.compile(r"\d{4}.*\d{4}"))
    expect(card.locator(".wait-bar")).to_have_count(0)
    card.locator("summary").click()
    sound(page)
    expect(card.locator("tbody tr", has_text="Gesendet")).to_contain_text("Sent")
