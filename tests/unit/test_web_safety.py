"""What the pages keep to themselves, whatever goes wrong and whoever asks."""

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

from importer.service.access.rate_limits import PER_HOST, consume
from importer.service.imports.submit import new_id
from importer.telemetry import configure
from importer.web.middleware import CONTENT_SECURITY_POLICY
from importer.web.pages import consent_page
from importer.web.pages.source_check import CHECKS
from providers.mailbox_access import Question
from tests.unit.test_web import routes
from tests.unit.web_office import RIGHT, Browser, WebOffice


@pytest.fixture
def office(tmp_path: Path) -> WebOffice:
    return WebOffice(tmp_path)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    configure("json", "debug", stream)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # the browser's own
    yield stream
    root.handlers[:], root.level = before
    structlog.reset_defaults()


def test_a_link_that_lets_somebody_in_is_in_no_log(
    office: WebOffice, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("a fault of our own")

    monkeypatch.setattr(consent_page, "find_prompt", fails)
    client = TestClient(office.app, base_url=office.settings.web_origin, raise_server_exceptions=False)
    answer = Browser(client).get("/consent/CANARY-of-a-link")
    assert answer.status_code == 500
    assert "request.failed" in log.getvalue()
    assert "/consent/{token}" in log.getvalue()
    assert "CANARY" not in log.getvalue() + answer.text


# --- What every answer wears ------------------------------------------------------------------------


def test_no_page_is_kept_by_anybody_or_needs_anything_inline(office: WebOffice) -> None:
    """Each of them, in the language of the policy: nothing but what comes from ourselves."""
    ada = office.browser()
    ada.sign_in()
    batch = ada.start_import()
    [import_] = office.deps.store.imports()
    known = {"batch_id": batch.removeprefix("/batches/"), "import_id": import_.id}
    paths = [
        re.sub(r"{(\w+)}", lambda found: known.get(found[1], "nothing"), path)
        for method, path in routes(office)
        if method == "GET" and not path.endswith(("/events", "/check")) and not path.startswith("/static")
    ]
    assert len(paths) >= 15
    for path in [*paths, "/there/is/nothing"]:
        answer = ada.get(path)
        assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY, path
        assert answer.headers["cache-control"] == "no-store", path
        assert answer.headers["x-content-type-options"] == "nosniff", path
        assert answer.headers["referrer-policy"] == "same-origin", path
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", answer.text), (
            path
        )
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "*" not in CONTENT_SECURITY_POLICY


def test_every_cookie_is_for_this_host_and_no_script(tmp_path: Path) -> None:
    office = WebOffice(tmp_path, {"public_url": "https://mail.example.org"})
    office.office.access.open_at = frozenset({"google"})
    browser = office.browser()
    browser.sign_in()
    found = [asked_by_google(office, browser), browser.post("/language", language="de")]
    told = [cookie for answer in found for cookie in answer.headers.get_list("set-cookie")]
    assert {cookie.partition("=")[0] for cookie in told} >= {"__Host-visit", "__Host-asked", "language"}
    for cookie in told:
        for word in ("Secure", "HttpOnly", "SameSite=lax", "Path=/"):
            assert word in cookie, cookie
        assert "Domain" not in cookie


def test_a_form_from_nowhere_is_not_ours(office: WebOffice) -> None:
    """A page in a sandbox, or one opened from a file, says “null”."""
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


def test_signing_in_again_ends_the_earlier_visit(office: WebOffice) -> None:
    """On a shared machine nobody comes back to who was there before."""
    browser, earlier = office.browser(), office.browser()
    browser.sign_in()
    earlier.client.cookies.set("visit", browser.client.cookies["visit"], domain="127.0.0.1")
    assert earlier.get("/new").status_code == 200
    fields = {"address": "grace@new.example", "password": RIGHT}
    assert browser.post("/sign-in", **fields).status_code == 303
    assert earlier.get("/new").headers["location"] == "/"


def test_what_is_named_by_its_id_cannot_be_guessed() -> None:
    made = {new_id() for _ in range(2_000)}
    assert len(made) == 2_000
    assert all(len(one) == 12 for one in made)
    for place in range(12):  # some 60 bits: each place is any of 31 letters
        assert len({one[place] for one in made}) == 31


# --- No way to find out passwords -------------------------------------------------------------------


def test_a_host_that_strangers_name_is_not_asked_for_ever_whoever_asks(office: WebOffice) -> None:
    """Many people from many places: the host is spared all the same, and no other host is."""
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


def test_a_mailbox_is_not_looked_into_for_ever(office: WebOffice) -> None:
    ada = office.browser()
    ada.sign_in()
    ada.post("/new", address="ada@old.example")
    ada.post("/new/mailbox", password=RIGHT, server="imap.old.example")
    page = ada.get("/new/review").text
    [source] = re.findall(r'data-check="([^"]+)"', page)
    [destination] = re.findall(r'name="destination" value="([^"]+)"', page)
    asked = {"source": source, "destination": destination}
    assert ada.client.get("/new/check", params=asked).status_code == 200
    for _ in range(CHECKS.tries - 1):
        consume(office.deps, {"check:mailbox:ada@new.example imap.new.example": CHECKS})
    assert ada.client.get("/new/check", params=asked).status_code == 404
    grace = office.browser()
    grace.sign_in("grace@new.example")
    assert grace.client.get("/new/check", params=asked).status_code == 404, "it is Ada's"


# --- Owners who sign in -----------------------------------------------------------------------------


def asked_by_google(office: WebOffice, browser: Browser) -> Response:
    """The page on the way to Google, for ada@gmail.com; `browser` is signed in."""
    browser.get("/new")
    browser.post("/new", address="ada@gmail.com")
    browser.post("/new/consent")
    [destination] = re.findall(r'name="destination" value="([^"]+)"', browser.get("/new/review").text)
    batch = browser.post("/new/start", destination=destination).headers["location"]
    [link] = re.findall(r'href="(/consent/[^"]+)"', browser.get(batch).text)
    browser.get(link)
    return browser.post(link)


@pytest.fixture
def asked(office: WebOffice) -> tuple[Browser, dict[str, str]]:
    """A browser that Google was asked from, and what Google answers."""
    access = office.office.access
    access.open_at = frozenset({"google", "microsoft"})
    questions: list[Question] = []
    plain = access.begin_sign_in

    def begin_sign_in(provider: str, mailbox: str) -> Question:
        questions.append(plain(provider, mailbox))
        return questions[-1]

    access.begin_sign_in = begin_sign_in  # type: ignore[method-assign]
    browser = office.browser()
    browser.sign_in()
    asked_by_google(office, browser)
    return browser, access.sign_in(questions[-1], "ada@gmail.com")


def test_an_answer_is_taken_once_and_in_the_browser_that_asked(
    office: WebOffice, asked: tuple[Browser, dict[str, str]]
) -> None:
    browser, answer = asked
    assert office.browser().client.get("/sign-in/google", params=answer).status_code == 403
    other_state = {**answer, "state": "0" * 16}
    assert browser.client.get("/sign-in/google", params=other_state).status_code == 403
    assert browser.client.get("/sign-in/google", params=answer).status_code == 200
    assert browser.client.get("/sign-in/google", params=answer).status_code == 403


def test_an_answer_counts_only_where_that_provider_was_to_send_it(
    asked: tuple[Browser, dict[str, str]],
) -> None:
    """Against mix-ups: each provider has a redirect address of its own (RFC 9700 section 4.4.2)."""
    browser, answer = asked
    assert browser.client.get("/sign-in/microsoft", params=answer).status_code == 403
    assert browser.client.get("/sign-in/google", params=answer).status_code == 200
