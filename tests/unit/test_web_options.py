"""The options for labels and changed flags, as chosen on the pages and in files; the texts of the check."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from importer.adapters.imap import exchange_folders
from importer.domain.folder_mapping.label_rules import LabelRule
from importer.domain.mailbox_content import Quota
from importer.domain.model import Account, Alert, Import, Problem, State
from importer.domain.planning.time_estimate import Basis, Estimate
from importer.domain.receipts.folder_tally import FolderTally
from importer.domain.reporting.check_warnings import check_warnings
from importer.domain.reporting.mailbox_check import Check, CheckPhase, FolderCheck, LeftOut, SideCheck
from importer.i18n.check_texts import check_json, warning_text
from importer.i18n.translations import LANGUAGES, texts
from importer.service.access.session_data import VerifiedMailbox
from importer.web.pages.source_check import _facts
from importer.web.rendering import fragment
from providers.endpoint import Endpoint
from providers.errors import Side
from providers.text import Text
from tests.fakes.mailbox import MemoryMailbox
from tests.unit.web_office import RIGHT, Browser, WebOffice

FILE = "source_address,source_password,source_server,destination_address,destination_password"


@pytest.fixture
def office(tmp_path: Path) -> WebOffice:
    office = WebOffice(tmp_path)
    old = Account("ada@old.example", "ada@old.example", Endpoint("imap.old.example"))
    mailbox = office.doors.mailboxes[old.key] = MemoryMailbox()
    mailbox.has_labels = True
    return office


def review(browser: Browser, address: str = "ada@old.example") -> str:
    """The review page of a new import."""
    browser.post("/new", address=address)
    browser.post("/new/mailbox", password=RIGHT, server="imap.old.example", port="993")
    return browser.get("/new/review").text


def start(browser: Browser, page: str, **chosen: str) -> None:
    [destination] = re.findall(r'name="destination" value="([^"]+)"', page)
    assert "/batches/" in browser.post("/new/start", destination=destination, **chosen).headers["location"]


def latest(office: WebOffice) -> Import:
    return office.deps.store.imports()[0]


def test_the_label_choice_is_shown_only_for_sources_with_labels(office: WebOffice, ada: Browser) -> None:
    page = review(ada)
    assert re.findall(r'name="labels" value="(\w+)"( checked)?', page) == [
        ("one", " checked"),
        ("keywords", ""),
        ("each", ""),
    ]
    start(ada, page, labels="each", sync_flags="yes")
    assert (latest(office).options.labels, latest(office).options.sync_flags) == (LabelRule.EACH, True)
    page = review(ada, "grace@old.example")
    assert 'name="labels"' not in page
    start(ada, page, labels="nonsense")
    assert (latest(office).options.labels, latest(office).options.sync_flags) == (LabelRule.ONE, False)


@pytest.mark.parametrize(
    ("language", "sentence", "heading"),
    [("en", "3 messages were copied before", "No longer there"), ("de", "bleiben weg", "Nicht mehr da")],
)
def test_mail_that_its_owner_removed_is_told_apart(
    office: WebOffice, ada: Browser, language: str, sentence: str, heading: str
) -> None:
    start(ada, review(ada))
    import_, store = latest(office), office.deps.store
    lease = store.acquire("test", "test", timedelta(minutes=1))
    assert lease is not None
    tallies = [
        FolderTally("INBOX", "INBOX", found=10, present=7, gone=3, confirmed=0, source_recount=10),
        FolderTally("Work", "Work"),
    ]
    store.save_tallies(import_.id, tallies, lease)
    store.update_import(replace(import_, state=State.COMPLETE), lease)
    page = ada.get(f"/imports/{import_.id}", **{"accept-language": language}).text
    assert sentence in page
    assert f"<dt>{heading}</dt><dd>3</dd>" in page
    assert "Still to do" not in page
    assert " 0 of 0" not in page


def test_folders_are_chosen_on_the_page_and_their_problem_stands_beside_the_field(
    office: WebOffice, ada: Browser
) -> None:
    page = review(ada)
    assert re.search(r'name="folders"[^>]* value="all"', page)
    [destination] = re.findall(r'name="destination" value="([^"]+)"', page)
    refused = ada.post("/new/start", destination=destination, folders="INBOX, !", sync_flags="yes")
    assert refused.status_code == 422
    assert "Pattern 2 has no name. Write a folder, such as INBOX or !Work/Old." in refused.text
    assert re.search(r'name="folders"[^>]* value="INBOX, !"', refused.text)
    assert office.deps.store.imports() == []
    start(ada, refused.text, folders='INBOX, !"a, b"')
    assert str(latest(office).options.folders) == 'INBOX, !"a, b"'
    shown = ada.get(f"/imports/{latest(office).id}").text
    ada.post(f"/imports/{latest(office).id}/again")
    ada.post("/new/mailbox", password=RIGHT, server="imap.old.example", port="993")
    assert 'value="INBOX, !&#34;a, b&#34;"' in ada.get("/new/review").text
    assert shown


def test_choices_are_kept_when_the_start_is_refused(office: WebOffice, ada: Browser) -> None:
    review(ada)
    answer = ada.post("/new/start", destination="somebody's", labels="keywords", sync_flags="yes")
    assert answer.status_code == 422
    assert re.search(r'value="keywords" checked', answer.text)
    assert re.search(r'name="sync_flags" value="yes" checked', answer.text)


def test_run_again_preselects_the_earlier_choices(office: WebOffice, ada: Browser) -> None:
    start(ada, review(ada), labels="each", sync_flags="yes")
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
    assert (again.options.labels, again.options.sync_flags) == (LabelRule.ONE, False)


def test_choices_of_a_rerun_do_not_apply_to_another_mailbox(office: WebOffice, ada: Browser) -> None:
    start(ada, review(ada), labels="each", sync_flags="yes")
    ada.get("/imports")
    ada.post(f"/imports/{latest(office).id}/again")
    page = review(ada, "grace@old.example")
    assert not re.search(r'name="sync_flags" value="yes" checked', page)


def test_a_file_has_choices_per_row_and_the_preview_shows_the_label_rules(
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
    choices = {
        i.source.address: (i.options.labels, i.options.sync_flags) for i in office.deps.store.imports()
    }
    assert choices == {
        "ada@gmail.com": (LabelRule.EACH, True),
        "bob@gmail.com": (LabelRule.ONE, False),
        "ada@old.example": (LabelRule.ONE, False),
    }


def test_an_invalid_choice_is_marked_at_its_cell(ada: Browser) -> None:
    ada.get("/file")
    row = f"ada@old.example,x,imap.old.example,ada@new.example,{RIGHT},s3cret-x,often"
    ada.post("/file", rows=f"{FILE},labels,sync_flags\n{row}")
    page = ada.get("/file/preview").text
    assert "This is not one of the choices. Write one, keywords or each." in page
    assert "This is neither yes nor no. Write yes or no." in page
    assert "s3cret-x" not in page


# --- The texts of the check -----------------------------------------------------------------------------

OLD = Account("ada@old.example", "ada@old.example", Endpoint("imap.old.example"))
NEW = Account("ada@new.example", "ada@new.example", Endpoint("imap.new.example"))
T = datetime(2026, 3, 1, tzinfo=UTC)
RESULT = Check(
    SideCheck(OLD, CheckPhase.DONE, None, 2, 7, 5_000_000_000, False, T - timedelta(900), T, False),
    SideCheck(NEW, CheckPhase.DONE, None, 1, 0, quota=Quota(0, 10_000_000_000)),
    (
        FolderCheck("INBOX", "INBOX", (), 7, 0, size_bytes=5_000_000_000, too_large=2, elsewhere=3),
        FolderCheck("Work", "Work", (), 0, None, size_bytes=0),
    ),
    closed=(("Secret", Text("folder_unusable")),),
    left_out=(LeftOut("Calendar", exchange_folders.NO_MAIL),),
    done=True,
    labels=LabelRule.ONE,
)


def check_text(result: Check, language: str = "en") -> str:
    facts = _facts(texts(language), result, VerifiedMailbox(NEW, None))
    return " ".join(re.sub("<[^>]+>", " ", fragment(texts(language), "_check.html", facts=facts)).split())


def test_the_page_shows_all_findings_of_a_check() -> None:
    day = Estimate(timedelta(3), timedelta(3), Basis.DAILY_LIMITS, T + timedelta(3))
    inbox = replace(RESULT.folders[0], beyond_limit=3)
    result = replace(RESULT, folders=(inbox, *RESULT.folders[1:]), estimate=day, max_message_bytes=256 << 20)
    text = check_text(result).replace("\u00a0", " ")
    for sentence in (
        "≈ 5 GB",
        "From about Sep 13, 2023 to about Mar 1, 2026.",
        "Free in the new mailbox: 10 GB.",
        "limits the amount of data per day; the copy will take until about Mar 4, 00:00 UTC.",
        "Will be left out: 2 messages that are larger than the new mailbox accepts",
        "Will be left out: 3 messages that are larger than Mailhaul copies; the limit of 268 MB is its own.",
        "The folder “Secret” cannot be opened, and nothing in it would be copied:",
        "Left out: Calendar (calendars, contacts, notes and similar items are not mail)",
        "3 more in the folders of other labels",
        "Work new folder",
    ):
        assert sentence in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_and_the_api_warn_of_a_check_in_the_words_of_the_console(language: str) -> None:
    result = replace(
        RESULT,
        destination=replace(RESULT.destination, quota=Quota(0, 1000)),
        folders=(replace(RESULT.folders[0], beyond_limit=3, older=2), RESULT.folders[1]),
        unmatched=("Wrok",),
        may_be_renamed=("a.b",),
        alerts=(Alert(Side.SOURCE, "Maintenance on Sunday"),),
    )
    console = [warning_text(texts(language), warning) for warning in check_warnings(result)]
    assert len(console) == 9
    assert check_json(texts(language), result)["warnings"] == console
    page = html.unescape(check_text(result, language))
    assert [sentence for sentence in console if " ".join(sentence.split()) not in page] == []


@pytest.mark.parametrize(
    ("quota", "sentence"),
    [
        (None, "The new mailbox does not report how much space it has left."),
        (
            Quota(0, 1000),
            "(about 5 GB) are to be copied, but the new mailbox has 1 kB free. Get more space there first",
        ),
        (Quota(0, None, 5, 10), "the new mailbox has room for 5 more messages."),
        (Quota(0, 10**12, 5, 6), "the new mailbox has room for 1 more message."),
        (Quota(0, None, 5, 100), "Where each folder goes"),
    ],
)
def test_the_page_shows_free_space_as_far_as_it_is_known(quota: Quota | None, sentence: str) -> None:
    result = replace(RESULT, destination=replace(RESULT.destination, quota=quota))
    assert sentence in check_text(result).replace("\u00a0", " ")


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en"}))
def test_problems_are_shown_in_the_readers_language(language: str) -> None:
    trouble = Problem(Text("host_unknown", host="imap.old.example"))
    result = replace(RESULT, source=SideCheck(OLD, CheckPhase.FAILED, trouble), folders=())
    assert "imap.old.example" in check_text(result, language)
