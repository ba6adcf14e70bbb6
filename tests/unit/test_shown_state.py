"""A button starts what its page shows: two tabs, the back button, and imports that are run again."""

from __future__ import annotations

import re

from importer.domain.model import Import
from tests.unit.web_office import RIGHT, Browser, WebOffice

FILE = "source_address,source_password,source_server,destination_address,destination_password\n"
ROW = "{}@old.example,x,imap.old.example,ada@new.example," + RIGHT + "\n"
OUT_OF_DATE = "This page was out of date"


def second_tab(browser: Browser) -> Browser:
    """Another tab of the same browser: the same cookies, pages of its own."""
    return Browser(browser.client, browser.csrf)


def check_source(tab: Browser, address: str) -> str:
    """Check an old mailbox; return the review page."""
    tab.post("/new", address=address)
    tab.post("/new/mailbox", password=RIGHT, server="imap.old.example", port="993")
    return tab.get("/new/review").text


def destinations(page: str) -> dict[str, bool]:
    """The choices of the review page by address -> whether it is selected."""
    choices = re.findall(r'name="destination" value="([^"]+)" required( checked)?>\s*<span>([^ <]+)', page)
    return {address: bool(checked) for _, checked, address in choices}


def key_of(page: str, address: str) -> str:
    match = re.search(rf'name="destination" value="([^"]+)"[^>]*>\s*<span>{address}', page)
    assert match is not None
    return match[1]


def imports(office: WebOffice) -> list[Import]:
    return list(office.deps.store.imports())


def test_the_password_page_checks_the_mailbox_that_it_shows(office: WebOffice, ada: Browser) -> None:
    other = second_tab(ada)
    ada.post("/new", address="anna@old.example")
    other.post("/new", address="peter@old.example")
    ada.post("/new/mailbox", password=RIGHT, server="imap.old.example", port="993")
    account, _ = office.doors.knocks[-1]
    assert account.address == "anna@old.example"
    assert "<span>anna@old.example</span>" in ada.get("/new/review").text


def test_a_review_that_another_tab_has_changed_starts_nothing(office: WebOffice, ada: Browser) -> None:
    other = second_tab(ada)
    page = check_source(ada, "anna@old.example")
    check_source(other, "peter@old.example")
    answer = ada.post("/new/start", destination=key_of(page, "ada@new.example"))
    assert answer.status_code == 409
    assert OUT_OF_DATE in answer.text
    assert "peter@old.example" in answer.text
    assert imports(office) == []
    assert (
        "/batches/" in ada.post("/new/start", destination=key_of(page, "ada@new.example")).headers["location"]
    )
    assert {import_.source.address for import_ in imports(office)} == {
        "anna@old.example",
        "peter@old.example",
    }


def test_a_review_whose_draft_another_tab_has_started_says_so(office: WebOffice, ada: Browser) -> None:
    other = second_tab(ada)
    page = check_source(ada, "anna@old.example")
    other.get("/new/review")
    other.post("/new/start", destination=key_of(page, "ada@new.example"))
    answer = ada.post("/new/start", destination=key_of(page, "ada@new.example"))
    assert answer.status_code == 409
    assert "This page is out of date" in answer.text
    assert len(imports(office)) == 1


def test_a_preview_starts_no_other_file(office: WebOffice, ada: Browser) -> None:
    other = second_tab(ada)
    ada.post("/file", rows=FILE + ROW.format("anna"))
    other.post("/file", rows=FILE + ROW.format("peter"))
    answer = ada.post("/file/start")
    assert answer.status_code == 409
    assert OUT_OF_DATE in answer.text
    assert imports(office) == []
    ada.post("/file/start")
    assert [import_.source.address for import_ in imports(office)] == ["peter@old.example"]


def test_a_form_without_its_fingerprint_starts_nothing(office: WebOffice, ada: Browser) -> None:
    page = check_source(ada, "anna@old.example")
    answer = ada.post("/new/start", destination=key_of(page, "ada@new.example"), shown="0" * 32)
    assert answer.status_code == 409
    assert imports(office) == []


def ended_import_into_tom(office: WebOffice, lena: Browser) -> Import:
    """An import of lena's into another mailbox of hers, which the next session does not hold."""
    lena.sign_in("lena@new.example")
    lena.get("/mailboxes")
    lena.post("/mailboxes", address="tom@new.example", password=RIGHT)
    page = check_source(lena, "tom@old.example")
    lena.post("/new/start", destination=key_of(page, "tom@new.example"))
    [import_] = imports(office)
    lena.get("/imports")
    lena.post(f"/imports/{import_.id}/cancel")
    lena.post("/sign-out")
    lena.sign_in("lena@new.example")
    return import_


def test_run_again_keeps_its_destination_and_asks_for_its_password(office: WebOffice) -> None:
    lena = office.browser()
    import_ = ended_import_into_tom(office, lena)
    lena.get("/imports")
    lena.post(f"/imports/{import_.id}/again")
    lena.post("/new/mailbox", password=RIGHT, server="imap.old.example", port="993")
    page = lena.get("/new/review").text
    assert destinations(page) == {"lena@new.example": False, "tom@new.example": True}
    asked = lena.post("/new/start", destination=key_of(page, "tom@new.example"))
    assert "Enter the password of this mailbox" in asked.text
    assert 'value="tom@new.example"' in asked.text
    lena.post("/mailboxes", address="tom@new.example", password=RIGHT)
    page = lena.get("/new/review").text
    assert destinations(page)["tom@new.example"]
    lena.post("/new/start", destination=key_of(page, "tom@new.example"))
    assert {i.destination.address for i in imports(office)} == {"tom@new.example"}
    assert len(imports(office)) == 2


def test_run_again_in_one_tab_is_not_mixed_up_with_another_tab(office: WebOffice) -> None:
    lena = office.browser()
    import_ = ended_import_into_tom(office, lena)
    lena.get("/imports")
    lena.post(f"/imports/{import_.id}/again")
    other = second_tab(lena)
    other.post("/new", address="grace@old.example")
    lena.post("/new/mailbox", password=RIGHT, server="imap.old.example", port="993")
    page = lena.get("/new/review").text
    assert destinations(page)["tom@new.example"]
    assert "grace@old.example" not in page


def test_a_rerun_of_anothers_import_is_refused(office: WebOffice, ada: Browser) -> None:
    lena = office.browser()
    import_ = ended_import_into_tom(office, lena)
    ada.post("/new", address="ada@old.example")
    answer = ada.post("/new/mailbox", password=RIGHT, server="imap.old.example", again=import_.id)
    assert answer.status_code == 409
