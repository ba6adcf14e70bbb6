"""What becomes of labels and of later flags, as pages and files choose it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from importer.adapters.memory.mailbox import MemoryMailbox
from importer.domain.labels import LabelRule
from importer.domain.model import Account, Import
from providers.model import Endpoint
from tests.unit.web_office import RIGHT, Browser, WebOffice

FILE = "source_address,source_password,source_server,destination_address,destination_password"


@pytest.fixture
def office(tmp_path: Path) -> WebOffice:
    made = WebOffice(tmp_path)
    old = Account("ada@old.example", "ada@old.example", Endpoint("imap.old.example"))
    mailbox = made.doors.mailboxes[old.key] = MemoryMailbox()
    mailbox.has_labels = True
    return made


@pytest.fixture
def ada(office: WebOffice) -> Browser:
    browser = office.browser()
    browser.sign_in()
    return browser


def reviewed(browser: Browser, address: str = "ada@old.example") -> str:
    """The page before the start."""
    browser.post("/new", address=address)
    browser.post("/new/mailbox", password=RIGHT, server="imap.old.example", port="993")
    return browser.get("/new/review").text


def start(browser: Browser, page: str, **chosen: str) -> None:
    [destination] = re.findall(r'name="destination" value="([^"]+)"', page)
    assert "/batches/" in browser.post("/new/start", destination=destination, **chosen).headers["location"]


def latest(office: WebOffice) -> Import:
    return office.deps.store.imports()[0]


def test_labels_are_asked_about_where_there_are_some(office: WebOffice, ada: Browser) -> None:
    page = reviewed(ada)
    assert re.findall(r'name="labels" value="(\w+)"( checked)?', page) == [
        ("one", " checked"),
        ("keywords", ""),
        ("each", ""),
    ]
    start(ada, page, labels="each", sync_flags="yes")
    assert (latest(office).labels, latest(office).sync_flags) == (LabelRule.EACH, True)
    page = reviewed(ada, "grace@old.example")
    assert 'name="labels"' not in page
    start(ada, page, labels="nonsense")
    assert (latest(office).labels, latest(office).sync_flags) == (LabelRule.ONE, False)


def test_a_choice_stays_when_the_start_is_refused(office: WebOffice, ada: Browser) -> None:
    reviewed(ada)
    answer = ada.post("/new/start", destination="somebody's", labels="keywords", sync_flags="yes")
    assert answer.status_code == 422
    assert re.search(r'value="keywords" checked', answer.text)
    assert re.search(r'name="sync_flags" value="yes" checked', answer.text)


def test_run_again_is_as_it_was_and_may_be_otherwise(office: WebOffice, ada: Browser) -> None:
    start(ada, reviewed(ada), labels="each", sync_flags="yes")
    first = latest(office)
    ada.post(f"/imports/{first.id}/cancel")
    ada.get("/imports")
    assert ada.post(f"/imports/{first.id}/again").headers["location"] == "/new/mailbox"
    ada.post("/new/mailbox", password=RIGHT, server="imap.old.example", port="993")
    page = ada.get("/new/review").text
    assert re.search(r'value="each" checked', page)
    assert re.search(r'name="sync_flags" value="yes" checked', page)
    start(ada, page, labels="one")
    again = latest(office)
    assert again.id != first.id
    assert (again.labels, again.sync_flags) == (LabelRule.ONE, False)


def test_another_mailbox_is_not_chosen_for_beforehand(office: WebOffice, ada: Browser) -> None:
    start(ada, reviewed(ada), labels="each", sync_flags="yes")
    ada.get("/imports")
    ada.post(f"/imports/{latest(office).id}/again")
    page = reviewed(ada, "grace@old.example")
    assert not re.search(r'name="sync_flags" value="yes" checked', page)


def test_a_file_chooses_by_row_and_the_preview_says_what_becomes_of_labels(
    office: WebOffice, ada: Browser
) -> None:
    rows = [
        f"{FILE},labels,sync_flags",
        f"ada@gmail.com,x,,ada@new.example,{RIGHT},each,yes",
        f"bob@gmail.com,x,,ada@new.example,{RIGHT},,",
        f"ada@old.example,x,imap.old.example,ada@new.example,{RIGHT},,",
    ]
    ada.get("/file")
    ada.post("/file", rows="\n".join(rows))
    page = ada.get("/file/preview").text
    assert re.search(r"in line 2:\s+A copy for each label", page)
    assert re.search(r"in line 3:\s+One copy", page)
    assert "in line 4" not in page
    ada.post("/file/start")
    found = {i.source.address: (i.labels, i.sync_flags) for i in office.deps.store.imports()}
    assert found == {
        "ada@gmail.com": (LabelRule.EACH, True),
        "bob@gmail.com": (LabelRule.ONE, False),
        "ada@old.example": (LabelRule.ONE, False),
    }


def test_a_choice_that_is_none_is_marked_at_its_cell(ada: Browser) -> None:
    ada.get("/file")
    row = f"ada@old.example,x,imap.old.example,ada@new.example,{RIGHT},s3cret-x,often"
    ada.post("/file", rows=f"{FILE},labels,sync_flags\n{row}")
    page = ada.get("/file/preview").text
    assert "This is none of the choices for labels." in page
    assert "This is neither yes nor no." in page
    assert "s3cret-x" not in page
