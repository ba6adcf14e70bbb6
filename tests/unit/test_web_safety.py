"""Security of the pages: headers, cookies, logs, guessing, and the OAuth redirect."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from httpx import Response
from starlette.testclient import TestClient

from importer.service.access.login_attempts import PER_HOST
from importer.service.access.rate_limits import consume
from importer.service.imports.submit import new_id
from importer.telemetry import configure
from importer.web.middleware import content_security_policy
from importer.web.pages import consent_page
from importer.web.pages.source_check import CHECKS
from providers.mailbox_access import Question
from tests.unit.test_web import routes
from tests.unit.web_office import RIGHT, Browser, WebOffice


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    configure("json", "debug", stream)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # the log of the test client
    yield stream
    root.handlers[:], root.level = before
    structlog.reset_defaults()


def test_the_token_of_a_consent_link_is_not_logged(
    office: WebOffice, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("an internal error")

    monkeypatch.setattr(consent_page, "find_prompt", fails)
    client = TestClient(office.app, base_url=office.settings.web_origin, raise_server_exceptions=False)
    answer = Browser(client).get("/consent/CANARY-of-a-link")
    assert answer.status_code == 500
    assert "request.failed" in log.getvalue()
    assert "/consent/{token}" in log.getvalue()
    assert "CANARY" not in log.getvalue() + answer.text


# --- Headers and cookies ----------------------------------------------------------------------------


def test_no_page_is_cached_or_contains_inline_scripts_or_styles(office: WebOffice) -> None:
    """Every page has the security headers, and needs no exception from the Content-Security-Policy."""
    ada = office.browser()
    ada.sign_in()
    batch = ada.start_import()
    [import_] = office.deps.store.imports()
    known = {"batch_id": batch.removeprefix("/batches/"), "import_id": import_.id}
    paths = [
        re.sub(r"{(\w+)}", lambda match: known.get(match[1], "nothing"), path)
        for method, path in routes(office)
        if method == "GET" and not path.endswith(("/events", "/check")) and not path.startswith("/static")
    ]
    assert len(paths) >= 15
    for path in [*paths, "/there/is/nothing"]:
        answer = ada.get(path)
        assert answer.headers["content-security-policy"] == content_security_policy(), path
        assert answer.headers["cache-control"] == "no-store", path
        assert answer.headers["x-content-type-options"] == "nosniff", path
        assert answer.headers["referrer-policy"] == "same-origin", path
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", answer.text), (
            path
        )
    assert "unsafe" not in content_security_policy()
    assert "*" not in content_security_policy()


def test_every_cookie_is_restricted_to_this_host_and_hidden_from_scripts(tmp_path: Path) -> None:
    office = WebOffice(tmp_path, {"public_url": "https://mail.example.org"})
    office.office.access.open_at = frozenset({"google"})
    browser = office.browser()
    browser.sign_in()
    answers = [go_to_google(office, browser), browser.post("/language", language="de")]
    cookies = [cookie for answer in answers for cookie in answer.headers.get_list("set-cookie")]
    names = {"__Host-visit", "__Host-asked", "__Host-language"}
    assert {cookie.partition("=")[0] for cookie in cookies} >= names
    for cookie in cookies:
        assert cookie.startswith("__Host-"), cookie
        for word in ("Secure", "HttpOnly", "SameSite=lax", "Path=/"):
            assert word in cookie, cookie
        assert "Domain" not in cookie


def test_a_form_with_an_opaque_origin_is_refused(office: WebOffice) -> None:
    """A sandboxed page, or a page opened from a file, sends the origin “null”."""
    browser = office.browser()
    browser.get("/")
    fields = {"csrf": browser.csrf, "language": "de"}
    assert browser.client.post("/language", data=fields, headers={"Origin": "null"}).status_code == 403
    own = {"Origin": office.settings.web_origin}
    assert browser.client.post("/language", data=fields, headers=own).status_code == 303


def test_a_form_with_thousands_of_fields_is_refused_and_breaks_nothing(office: WebOffice) -> None:
    ada = office.browser()
    ada.sign_in()
    many = {f"f{n}": (None, "x") for n in range(200)}
    answer = ada.client.post("/file", files={"csrf": (None, ada.csrf), **many})
    assert 400 <= answer.status_code < 500
    assert ada.get("/file").status_code == 200


@pytest.mark.parametrize(
    ("name", "content", "accepted"),
    [
        ("move.csv", b"source_address,x\n", True),
        ("Move.TXT", b"source_address,x\n", True),
        ("move", b"source_address,x\n", True),
        ("move.xlsx", b"PK\x03\x04\x14\x00", False),
        ("move.exe", b"source_address,x\n", False),
        ("move.csv", b"PK\x03\x04abc", False),
        ("move.csv", b"\xd0\xcf\x11\xe0abc", False),
    ],
)
def test_only_text_files_are_accepted(office: WebOffice, name: str, content: bytes, accepted: bool) -> None:
    ada = office.browser()
    ada.sign_in()
    answer = ada.client.post("/file", files={"csrf": (None, ada.csrf), "file": (name, content)})
    assert answer.headers.get("location", "") == ("/file/preview" if accepted else "")
    assert accepted or "CSV UTF-8" in answer.text


def test_signing_in_again_ends_the_earlier_session(office: WebOffice) -> None:
    """On a shared computer, the session of the previous user cannot be resumed."""
    browser, earlier = office.browser(), office.browser()
    browser.sign_in()
    earlier.client.cookies.set("visit", browser.client.cookies["visit"], domain="127.0.0.1")
    assert earlier.get("/new").status_code == 200
    fields = {"address": "grace@new.example", "password": RIGHT}
    assert browser.post("/sign-in", **fields).status_code == 303
    assert earlier.get("/new").headers["location"] == "/"


def test_ids_cannot_be_guessed() -> None:
    ids = {new_id() for _ in range(2_000)}
    assert len(ids) == 2_000
    assert all(len(id_) == 12 for id_ in ids)
    for position in range(12):  # some 60 bits: each position is any of 31 characters
        assert len({id_[position] for id_ in ids}) == 31


# --- Rate limits ------------------------------------------------------------------------------------


def test_logins_at_a_source_host_are_limited_over_all_people(office: WebOffice) -> None:
    """The limit holds for many people from many clients, and does not affect other hosts."""
    for _ in range(PER_HOST.tries):
        consume(office.deps, {"login:host:imap.old.example": PER_HOST})
    ada = office.browser()
    ada.sign_in()
    knocks = len(office.doors.knocks)
    ada.post("/new", address="ada@old.example")
    answer = ada.post("/new/mailbox", password=RIGHT, server="imap.old.example")
    assert "Too many attempts" in answer.text
    assert len(office.doors.knocks) == knocks
    answer = ada.post("/new/mailbox", password=RIGHT, server="imap.other.example")
    assert answer.headers["location"] == "/new/review"


def test_checks_of_a_mailbox_are_limited(office: WebOffice) -> None:
    ada = office.browser()
    ada.sign_in()
    ada.post("/new", address="ada@old.example")
    ada.post("/new/mailbox", password=RIGHT, server="imap.old.example")
    page = ada.get("/new/review").text
    [source] = re.findall(r'data-check="([^"]+)"', page)
    [destination] = re.findall(r'name="destination" value="([^"]+)"', page)
    query = {"source": source, "destination": destination}
    assert ada.client.get("/new/check", params=query).status_code == 200
    for _ in range(CHECKS.tries - 1):
        consume(office.deps, {"check:mailbox:ada@new.example imap.new.example": CHECKS})
    assert ada.client.get("/new/check", params=query).status_code == 404
    grace = office.browser()
    grace.sign_in("grace@new.example")
    assert grace.client.get("/new/check", params=query).status_code == 404, "the mailbox is Ada's"


# --- Consent of owners ------------------------------------------------------------------------------


def go_to_google(office: WebOffice, browser: Browser) -> Response:
    """The page that forwards to Google, for ada@gmail.com; `browser` is signed in."""
    browser.get("/new")
    browser.post("/new", address="ada@gmail.com")
    browser.post("/new/consent")
    [destination] = re.findall(r'name="destination" value="([^"]+)"', browser.get("/new/review").text)
    batch = browser.post("/new/start", destination=destination).headers["location"]
    [link] = re.findall(r'href="(/consent/[^"]+)"', browser.get(batch).text)
    browser.get(link)
    return browser.post(link)


@pytest.fixture
def answered(office: WebOffice) -> tuple[Browser, dict[str, str]]:
    """A browser that started a sign-in at Google, and Google's answer."""
    access = office.office.access
    access.open_at = frozenset({"google", "microsoft"})
    questions: list[Question] = []
    original = access.begin_sign_in

    def begin_sign_in(provider: str, mailbox: str) -> Question:
        questions.append(original(provider, mailbox))
        return questions[-1]

    access.begin_sign_in = begin_sign_in  # type: ignore[method-assign]
    browser = office.browser()
    browser.sign_in()
    go_to_google(office, browser)
    return browser, access.sign_in(questions[-1], "ada@gmail.com")


def test_an_answer_is_accepted_once_and_only_in_the_browser_that_started_the_sign_in(
    office: WebOffice, answered: tuple[Browser, dict[str, str]]
) -> None:
    browser, answer = answered
    assert office.browser().client.get("/sign-in/google", params=answer).status_code == 403
    other_state = {**answer, "state": "0" * 16}
    assert browser.client.get("/sign-in/google", params=other_state).status_code == 403
    assert "Thank you" in browser.client.get("/sign-in/google", params=answer).text
    again = browser.client.get("/sign-in/google", params=answer)
    assert "You have already signed in" in again.text


def test_an_answer_is_accepted_only_at_the_redirect_address_of_its_provider(
    answered: tuple[Browser, dict[str, str]],
) -> None:
    """Against mix-up attacks: each provider has its own redirect address (RFC 9700 section 4.4.2)."""
    browser, answer = answered
    assert browser.client.get("/sign-in/microsoft", params=answer).status_code == 403
    assert browser.client.get("/sign-in/google", params=answer).status_code == 200
