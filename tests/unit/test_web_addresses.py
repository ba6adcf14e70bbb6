"""Addresses that are misspelt, in the wrong form or at the host itself; and the way back after a sign-in."""

from __future__ import annotations

import pytest

from tests.unit.web_office import HOST, RIGHT, Browser, WebOffice


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("ada@gmial.com", "We found no mail server for gmial.com. Did you mean gmail.com?"),
        ("ada@nowhere.example", "We found no mail server for nowhere.example. Check the address."),
        ("ada@gmx", "We found no mail server for gmx. Check the address."),
    ],
)
def test_an_address_without_a_mail_server_is_noticed_before_its_password_is_asked_for(
    ada: Browser, address: str, sentence: str
) -> None:
    answer = ada.post("/new", address=address, unknown="")
    assert answer.status_code == 422
    assert sentence in answer.text
    assert ada.post("/new", address=address, unknown=address).headers["location"] == "/new/mailbox"


def test_another_address_than_the_confirmed_one_is_looked_for_again(ada: Browser) -> None:
    assert ada.post("/new", address="ada@other.example", unknown="ada@nowhere.example").status_code == 422


def test_a_known_provider_needs_no_confirmation(ada: Browser) -> None:
    assert ada.post("/new", address="ada@gmx.de", unknown="").headers["location"] == "/new/mailbox"


def test_an_old_address_at_the_host_of_the_pages_gets_its_server(office: WebOffice, ada: Browser) -> None:
    ada.post("/new", address="ada@new.example", unknown="")
    assert f'value="{HOST.host}"' in ada.get("/new/mailbox").text
    ada.post("/new/mailbox", password=RIGHT)
    answer = ada.post("/new/start", destination=f"ada@new.example {HOST.host}")
    assert "The old and the new mailbox are the same." in answer.text


def test_the_old_address_in_the_first_form_is_noticed_and_its_password_not_sent(office: WebOffice) -> None:
    browser = office.browser()
    answer = browser.sign_in("ada@gmx.de")
    assert answer.status_code == 422
    assert "This is an address at GMX. Sign in with your new address at imap.new.example" in answer.text
    assert office.doors.knocks == []


def test_a_sign_in_returns_to_the_page_that_was_wanted(office: WebOffice, ada: Browser) -> None:
    batch = ada.start_import()
    ada.get("/imports")
    ada.post("/sign-out")
    assert ada.get(batch).headers["location"] == "/"
    assert "you return to the page that you wanted" in ada.get("/").text
    assert ada.sign_in().headers["location"] == batch
    ada.post("/sign-out")
    assert ada.sign_in().headers["location"] == "/new", "once"


def test_a_form_without_a_session_returns_to_its_page(office: WebOffice) -> None:
    browser = office.browser()
    origin = office.settings.web_origin
    browser.client.post("/file/start", headers={"referer": f"{origin}/file/preview?x=1"})
    assert browser.sign_in().headers["location"] == "/file/preview"


@pytest.mark.parametrize("wanted", ["//evil.example/", "https://evil.example/", "/\\evil.example"])
def test_no_sign_in_leads_to_another_site(office: WebOffice, wanted: str) -> None:
    browser = office.browser()
    browser.client.cookies.set("wanted", wanted)
    assert browser.sign_in().headers["location"] == "/new"


@pytest.mark.parametrize("part", ["/batches/x/live", "/batches/x/events", "/new/check"])
def test_parts_of_pages_are_not_returned_to(office: WebOffice, part: str) -> None:
    browser = office.browser()
    browser.get(part)
    assert browser.sign_in().headers["location"] == "/new"
