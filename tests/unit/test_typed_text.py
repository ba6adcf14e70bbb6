"""A sign-in in between costs nothing that was typed, except passwords."""

from __future__ import annotations

import re

from httpx import Response

from tests.unit.web_office import RIGHT, Browser, WebOffice

SERVER = {"server": "imap.odd.example", "port": "1993", "security": "tls", "login": "ada.old"}


def away_too_long(office: WebOffice, browser: Browser, path: str, page: str, **fields: str) -> Response:
    """Submit the form of `page` after the session has ended, sign in again, and follow."""
    office.office.clock.sleep(13 * 3600)
    known = browser.hidden.get(path, {})
    headers = {"Referer": f"{office.settings.web_origin}{page}"}
    answer = browser.client.post(path, data={**known, "csrf": browser.csrf, **fields}, headers=headers)
    assert answer.headers["location"] == "/"
    front = browser.get("/").text
    assert "were away for too long" in front
    assert RIGHT not in str(dict(browser.client.cookies))
    signed_in = browser.post("/sign-in", address="ada@new.example", password=RIGHT)
    assert signed_in.headers["location"] == page
    return browser.get(page)


def value(page: str, name: str) -> str:
    [text] = re.findall(rf'<input id="{name}"[^>]* value="([^"]*)"', page)
    return str(text)


def test_the_old_address_is_kept(office: WebOffice, ada: Browser) -> None:
    page = away_too_long(office, ada, "/new", "/new", address="ada@old.example").text
    assert value(page, "address") == "ada@old.example"


def test_the_server_settings_are_kept_and_the_password_is_not(office: WebOffice, ada: Browser) -> None:
    ada.post("/new", address="ada@old.example")
    page = away_too_long(office, ada, "/new/mailbox", "/new/mailbox", password="s3cret-old", **SERVER).text
    assert 'name="address" value="ada@old.example"' in page
    for name in ("server", "port", "login"):
        assert value(page, name) == SERVER[name]
    assert "s3cret" not in page
    ada.post("/new/mailbox", password=RIGHT, **SERVER)
    assert office.doors.knocks[-1][0].login == "ada.old"


def test_the_options_of_the_review_are_kept(office: WebOffice, ada: Browser) -> None:
    ada.post("/new", address="ada@old.example")
    ada.post("/new/mailbox", password=RIGHT, **SERVER)
    ada.get("/new/review")
    options = {"folders": "INBOX, Work", "spam_and_trash": "skip"}
    page = away_too_long(office, ada, "/new/start", "/new/review", **options)
    assert page.headers["location"] == "/new"  # the old mailbox is closed again
    assert value(ada.get("/new").text, "address") == "ada@old.example"
    ada.post("/new", address="ada@old.example")
    ada.post("/new/mailbox", password=RIGHT, **SERVER)
    review = ada.get("/new/review").text
    assert value(review, "folders") == "INBOX, Work"
    assert re.search(r'name="spam_and_trash" value="skip" checked', review)


def test_the_page_that_was_wanted_comes_back(office: WebOffice, ada: Browser) -> None:
    ada.start_import()
    [import_] = office.deps.store.imports()
    path = f"/imports/{import_.id}"
    office.office.clock.sleep(13 * 3600)
    assert ada.get(path).headers["location"] == "/"
    assert "were away for too long" in ada.get("/").text
    assert ada.post("/sign-in", address="ada@new.example", password=RIGHT).headers["location"] == path


def test_a_form_of_another_site_leaves_nothing_behind(office: WebOffice) -> None:
    browser = office.browser()
    browser.get("/")
    for csrf in ("", "0" * 32):
        browser.client.post("/new", data={"csrf": csrf, "address": "eve@old.example"})
    browser.sign_in()
    assert value(browser.get("/new").text, "address") == ""


def test_what_is_kept_is_sealed_for_this_installation(office: WebOffice, ada: Browser) -> None:
    away_too_long(office, ada, "/new", "/new", address="ada@old.example")
    [cookie] = [value for name, value in ada.client.cookies.items() if name == "typed"]
    assert "ada@" not in cookie
    for forged in ("", "x", cookie[:-2] + "AA", '["/new", {"address": "eve@old.example"}]'):
        other = office.browser()
        other.sign_in()
        other.client.cookies.set("typed", forged)
        assert value(other.get("/new").text, "address") == ""


def test_the_first_page_may_name_the_old_address_and_saves_one(office: WebOffice) -> None:
    browser = office.browser()
    browser.get("/")
    fields = {"address": "ada@new.example", "password": "wrong", "old_address": "ada@gmx.de"}
    assert value(browser.post("/sign-in", **fields).text, "old_address") == "ada@gmx.de"
    assert browser.post("/sign-in", **fields | {"password": RIGHT}).headers["location"] == "/new"
    assert browser.get("/new").headers["location"] == "/new/mailbox"
    assert 'name="address" value="ada@gmx.de"' in browser.get("/new/mailbox").text


def test_a_misspelt_old_address_on_the_first_page_is_noticed(office: WebOffice) -> None:
    browser = office.browser()
    browser.get("/")
    browser.post("/sign-in", address="ada@new.example", password=RIGHT, old_address="ada@gmial.com")
    page = browser.get("/new")
    assert page.status_code == 422
    assert "Did you mean gmail.com" in page.text
    assert value(page.text, "address") == "ada@gmial.com"
