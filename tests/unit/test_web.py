"""The pages over in-memory ports: sign-in, access control, forms and contents."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from markupsafe import escape
from starlette.routing import Mount

from importer.domain.model import State
from importer.service.access.web_sessions import web_session_id
from importer.service.legs.run_leg import handle_ring
from importer.settings import Settings, SettingsError
from importer.web.app import create_app
from importer.web.middleware import MAX_BODY_BYTES
from providers.catalog import Catalog
from providers.errors import Side
from tests.lookups import the_catalog_alone
from tests.unit.web_office import HOST, RIGHT, Browser, WebOffice

CSV = "source_address,source_password,source_server,destination_address,destination_password\n"


def routes(office: WebOffice) -> list[tuple[str, str]]:
    """The (method, path) pairs of all pages."""
    pages = []
    for route in _flat(office.pages.routes):
        pages += [(method, route.path) for method in sorted(route.methods or ())]
    return pages


def _flat(routes_: list[Any]) -> list[APIRoute]:
    flat = []
    for route in routes_:
        if isinstance(route, Mount):  # the API, see test_api.py
            continue
        if isinstance(route, APIRoute):
            flat.append(route)
        else:
            flat += _flat(getattr(getattr(route, "original_router", route), "routes", []))
    return flat


# --- Signing in -------------------------------------------------------------------------------------


def test_a_verified_mailbox_login_begins_a_session_with_a_new_token(office: WebOffice) -> None:
    browser = office.browser()
    browser.get("/")
    before = browser.client.cookies["visit"]
    answer = browser.post("/sign-in", address="ada@new.example", password=RIGHT)
    after = browser.client.cookies["visit"]
    assert answer.headers["location"] == "/new"
    assert before != after
    assert browser.get("/new").status_code == 200
    [(account, side)] = office.doors.knocks
    assert (account.endpoint, side) == (HOST, Side.DESTINATION)


def test_every_input_of_the_forms_has_valid_attributes(office: WebOffice) -> None:
    browser = office.browser()
    pages = [
        browser.get("/"),
        browser.post("/sign-in", address="ada@new.example", password="wrong"),
        browser.post("/sign-in", address="", password=""),
    ]
    browser.sign_in()
    pages += [browser.get("/new"), browser.post("/new", address="nobody")]
    browser.post("/new", address="ada@old.example")
    pages.append(browser.get("/new/mailbox"))
    for page in pages:
        inputs = re.findall(r"<input\b[^>]*>", page.text)
        assert len(inputs) >= 2  # the CSRF token and a field
        for tag in inputs:
            assert re.fullmatch(r'<input(\s+[a-z-]+(="[^"]*")?(?=[\s>]))+\s*>', tag), tag


def test_a_planted_token_is_not_accepted_and_not_adopted(office: WebOffice) -> None:
    browser = office.browser()
    browser.client.cookies.set("visit", "planted", domain="127.0.0.1")
    browser.sign_in()
    assert browser.client.cookies["visit"] != "planted"
    stranger = office.browser()
    stranger.client.cookies.set("visit", "planted", domain="127.0.0.1")
    assert stranger.get("/new").headers["location"] == "/"


def test_the_store_holds_no_token_and_no_password(office: WebOffice, ada: Browser) -> None:
    token = ada.client.cookies["visit"]
    session = office.deps.store.web_session(web_session_id(token), office.deps.clock.now())
    assert session is not None
    assert token not in repr(session)
    assert RIGHT.encode() not in session.sealed


def test_a_wrong_password_gets_the_same_message_for_every_address_and_is_rate_limited(
    office: WebOffice,
) -> None:
    browser = office.browser()
    answers = [browser.sign_in(password="wrong") for _ in range(6)]
    assert {answer.status_code for answer in answers} == {422}
    assert "do not match" in answers[0].text
    assert "Too many attempts" in answers[5].text
    assert len(office.doors.knocks) == 5
    assert "Too many attempts" in browser.sign_in().text, "not even with the right password"
    assert browser.sign_in("grace@new.example").status_code == 303


def test_one_client_cannot_try_many_addresses(office: WebOffice) -> None:
    browser = office.browser()
    for number in range(70):
        browser.sign_in(f"user{number}@new.example", "wrong")
    assert len(office.doors.knocks) == 60


def test_signing_out_ends_the_session_in_all_browsers(office: WebOffice, ada: Browser) -> None:
    other = office.browser()
    other.client.cookies.set("visit", ada.client.cookies["visit"], domain="127.0.0.1")
    assert other.get("/new").status_code == 200
    ada.post("/sign-out")
    assert other.get("/new").headers["location"] == "/"


def test_a_session_expires(office: WebOffice, ada: Browser) -> None:
    office.office.clock.sleep(13 * 3600)
    assert ada.get("/new").headers["location"] == "/"


def test_the_pages_require_a_destination_server(office: WebOffice, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="setting_destination_missing"):
        create_app(office.deps, Settings.load(data=tmp_path), the_catalog_alone)


# --- Access control ---------------------------------------------------------------------------------


def test_every_page_with_an_id_is_only_for_its_owner(office: WebOffice, ada: Browser) -> None:
    """For another person and without a session, every page responds the same to Ada's ids and to unknown ids,
    and shows nothing of hers."""
    batch = ada.start_import().removeprefix("/batches/")
    [import_id] = office.deps.store.batch(batch).imports  # type: ignore[union-attr, arg-type]
    grace, signed_out = office.browser(), office.browser()
    grace.sign_in("grace@new.example")
    signed_out.get("/")
    tried = 0
    for method, path in routes(office):
        # Consent links work for everyone who has them.
        if "{" not in path or path.startswith(("/static", "/consent", "/sign-in")):
            continue
        tried += 1
        existing = path.replace("{batch_id}", batch).replace("{import_id}", import_id)
        unknown = path.replace("{batch_id}", "x" * 12).replace("{import_id}", "x" * 12)
        for browser, status in ((grace, 404), (signed_out, 303)):
            request = browser.get if method == "GET" else browser.post
            first, second = request(existing), request(unknown)
            assert first.status_code == second.status_code == status, (method, path)
            assert "ada@" not in first.text
    assert tried >= 9
    assert "ada@" not in grace.get("/imports").text
    state = office.deps.store.import_(import_id)
    assert state is not None
    assert state.requested is None


def test_only_an_attached_mailbox_can_be_the_destination(office: WebOffice, ada: Browser) -> None:
    ada.post("/new", address="ada@old.example")
    ada.post("/new/mailbox", password=RIGHT)
    answer = ada.post("/new/start", destination="grace@new.example imap.new.example")
    assert answer.status_code == 422
    assert not office.deps.store.batches()


def test_a_file_cannot_name_another_destination_host(office: WebOffice, ada: Browser) -> None:
    rows = (
        CSV.replace("\n", ",destination_server\n")
        + "a@old.example,x,imap.old.example,b@else.example,y,imap.else.example\n"
    )
    ada.post("/file", rows=rows)
    assert "must be at imap.new.example" in ada.get("/file/preview").text
    assert ada.post("/file/start").headers["location"] == "/file/preview"
    assert not office.deps.store.batches()


def test_servers_named_by_users_are_restricted_to_public_addresses(office: WebOffice, ada: Browser) -> None:
    ada.start_import()
    [(account, _)] = [knock for knock in office.doors.knocks if knock[1] is Side.SOURCE]
    assert account.public_only
    [import_] = office.deps.store.imports()
    assert import_.source.public_only
    assert not import_.destination.public_only


# --- Forms ------------------------------------------------------------------------------------------


def test_forms_from_other_origins_are_refused(office: WebOffice, ada: Browser) -> None:
    posts = [path for method, path in routes(office) if method == "POST"]
    assert len(posts) >= 12
    for path in posts:
        refused = 404 if path.startswith("/operator") else 403  # for her there are no operators' pages
        assert ada.client.post(path, data={}).status_code == refused, path
        assert ada.client.post(path, data={"csrf": "0" * 32}).status_code == refused, path
        foreign = {"Origin": "https://elsewhere.example"}
        answer = ada.client.post(path, data={"csrf": ada.csrf}, headers=foreign)
        assert answer.status_code == 403, path
        cross = {"Sec-Fetch-Site": "cross-site"}
        assert ada.client.post(path, data={"csrf": ada.csrf}, headers=cross).status_code == 403, path


def test_a_csrf_token_is_valid_in_one_browser_only(office: WebOffice, ada: Browser) -> None:
    grace = office.browser()
    grace.sign_in("grace@new.example")
    assert ada.csrf != grace.csrf
    assert ada.client.post("/new", data={"csrf": grace.csrf, "address": "x@old.example"}).status_code == 403


def test_a_body_beyond_the_limit_is_refused_with_and_without_content_length(ada: Browser) -> None:
    long = b"csrf=" + ada.csrf.encode() + b"&rows=" + b"x" * MAX_BODY_BYTES
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert ada.client.post("/file", content=long, headers=headers).status_code == 413
    pieces = (long[n : n + 1000] for n in range(0, len(long), 1000))
    assert ada.client.post("/file", content=pieces, headers=headers).status_code == 413


def test_every_response_has_security_headers_and_no_inline_scripts_or_styles(
    office: WebOffice, ada: Browser
) -> None:
    for path in ("/", "/new", "/imports", "/nothing", "/static/x/app.css", "/batches/none"):
        answer = ada.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "style=" not in answer.text
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=", answer.text)
    assert ada.get("/new").headers["cache-control"] == "no-store"


def test_behind_tls_cookies_are_restricted_to_this_host_and_tls(tmp_path: Path) -> None:
    office = WebOffice(tmp_path, {"public_url": "https://mail.example.org"})
    answer = office.browser().get("/")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-visit=")
    for word in ("Secure", "HttpOnly", "SameSite=lax", "Path=/"):
        assert word in cookie
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    subdomains = WebOffice(tmp_path, {"public_url": "https://mail.example.org", "hsts_subdomains": True})
    header = subdomains.browser().get("/").headers["strict-transport-security"]
    assert header == "max-age=31536000; includeSubDomains"


def test_static_files_are_immutable_under_their_digest(ada: Browser) -> None:
    page = ada.get("/new").text
    for path in re.findall(r'"(/static/[^"]+)"', page):
        answer = ada.get(path)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    assert ada.get("/static/x/app.css").headers["cache-control"] == "no-cache"
    assert ada.get("/static/x/..%2fapp.py").status_code == 404


# --- Contents ---------------------------------------------------------------------------------------


def test_the_language_follows_the_browser_until_one_is_chosen(office: WebOffice) -> None:
    browser = office.browser()
    german = browser.get("/", **{"Accept-Language": "de-CH"}).text
    assert '<html lang="de-CH">' in german
    assert browser.post("/language", language="it").headers["location"] == "/"
    assert '<html lang="it">' in browser.get("/", **{"Accept-Language": "de"}).text
    assert browser.post("/language", language="../x").status_code == 303
    assert '<html lang="it">' in browser.get("/").text


def test_the_language_form_redirects_to_this_site_only(office: WebOffice) -> None:
    browser = office.browser()
    browser.get("/")
    for referer in ("https://elsewhere.example/x", "http://127.0.0.1:8025//elsewhere.example", "nonsense"):
        answer = browser.client.post("/language", data={"csrf": browser.csrf}, headers={"Referer": referer})
        assert answer.headers["location"] == "/", referer


def test_passwords_are_never_sent_back(office: WebOffice, ada: Browser) -> None:
    secret = "pa55-word-of-somebody"
    ada.post("/new", address="ada@old.example")
    assert secret not in ada.post("/new/mailbox", password=secret, server="imap.old.example").text
    ada.post("/file", rows=CSV + f"ada@old.example,{secret},,ada@new.example,{secret}\n{secret},x,,y,z\n")
    assert secret not in ada.get("/file/preview").text
    annotated = ada.get("/file/annotated.csv")
    assert secret not in annotated.text
    assert "problem" in annotated.text


def test_a_good_file_starts_its_rows_and_the_same_file_again_starts_nothing(
    office: WebOffice, ada: Browser
) -> None:
    rows = CSV + "a@old.example,right,imap.old.example,a@new.example,right\n"
    rows += "b@old.example,right,imap.old.example,b@new.example,right\n"
    ada.post("/file", rows=rows)
    assert "2 mailboxes, all in order" in ada.get("/file/preview").text
    path = ada.post("/file/start").headers["location"]
    page = ada.get(path).text
    assert "a@old.example" in page
    assert "b@new.example" in page.replace("<wbr>", "")
    ada.post("/file", rows=rows)
    assert "2 are already in progress" in ada.post("/file/start").text


def test_a_complete_import_has_a_report_as_page_json_and_csv(office: WebOffice, ada: Browser) -> None:
    path = ada.start_import()
    [import_] = office.deps.store.imports()
    handle_ring(office.deps, import_.id)
    after = office.deps.store.import_(import_.id)
    assert after is not None
    assert after.state is State.COMPLETE
    assert "Complete" in ada.get(path).text
    assert "nothing to copy" in ada.get(f"/imports/{import_.id}").text
    assert ada.get(f"/imports/{import_.id}/report.json").json()["state"] == "complete"
    assert "subject" in ada.get(f"/imports/{import_.id}/report.csv").text
    live = ada.get(f"/imports/{import_.id}/live").json()
    assert live["over"]
    assert f"state-{import_.id}" in live["parts"]


def test_pause_resume_and_cancel_do_what_they_say(office: WebOffice, ada: Browser) -> None:
    ada.start_import()
    [import_] = office.deps.store.imports()
    for action, state in (("pause", State.PAUSED), ("resume", State.QUEUED), ("cancel", State.CANCELLED)):
        assert ada.post(f"/imports/{import_.id}/{action}").status_code == 303
        now = office.deps.store.import_(import_.id)
        assert now is not None
        assert now.state is state
    ada.post(f"/imports/{import_.id}/again")
    assert "ada@old.example" in ada.get("/new/mailbox").text


def test_another_persons_import_of_the_same_route_is_not_changed(office: WebOffice, ada: Browser) -> None:
    """Grace shares the new mailbox and gets an import of her own."""
    ada.start_import("shared@old.example")
    [before] = office.deps.store.imports()
    grace = office.browser()
    grace.sign_in("grace@new.example")
    grace.post("/mailboxes", address="ada@new.example", password=RIGHT)
    grace.get("/new")  # the token of the session is new
    grace.post("/new", address="shared@old.example")
    grace.post("/new/mailbox", password=RIGHT, server="imap.old.example")
    answer = grace.post("/new/start", destination="ada@new.example imap.new.example")
    [after, own] = sorted(office.deps.store.imports(), key=lambda import_: import_.id != before.id)
    assert after == before
    assert answer.headers["location"] == f"/batches/{own.batch_id}"
    assert grace.get(f"/imports/{own.id}").status_code == 200


def test_unavailable_providers_are_explained_in_the_readers_language(ada: Browser) -> None:
    closed = next(p for p in Catalog.load() if p.unavailable_text and p.domains and not p.sign_in)
    ada.post("/language", language="de")
    page = ada.post("/new", address=f"somebody@{closed.domains[0]}")
    assert page.status_code == 422
    assert escape(closed.unavailable_in("de")) in page.text
