"""Sign-in to the pages at an OpenID provider over HTTPS. Invalid responses are refused."""

from __future__ import annotations

import hmac
import html
import json
import re
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from httpx import Response
from joserfc.jwk import RSAKey

from importer.domain.people.identities import person_at
from importer.oauth_setup import people
from importer.service.access.web_sessions import web_session_id
from importer.settings import Settings
from providers.errors import ServerUnavailable
from tests.rehearsal.applications import application, overlay
from tests.rehearsal.authority import Authority
from tests.unit.web_office import RIGHT, Browser, WebOffice

ADA = "ada@new.example"
GRACE = "grace@new.example"
CLIENT_ID = "mailhaul-openid"
Claims = dict[str, Any]


@pytest.fixture
def issuer(host: Authority) -> Authority:
    return host


def office_at(issuer: Authority, root: Path, **settings: Any) -> WebOffice:
    """An installation whose users sign in at the issuer."""
    overrides = {**overlay(application(issuer, "openid")), "ca_file": issuer.ca_file, **settings}
    made = Settings.load(data=root, **overrides)
    return WebOffice(root, overrides, people(made), made.master)


@pytest.fixture
def office(issuer: Authority, tmp_path: Path) -> WebOffice:
    return office_at(issuer, tmp_path)


def sign_in_url(browser: Browser) -> str:
    """The URL that the sign-in button leads to."""
    browser.get("/")
    page = browser.post("/sign-in/openid")
    assert page.status_code == 200, page.text
    [url] = re.findall(r'<a class="button primary" href="([^"]+)"', page.text)
    return html.unescape(url)


def sign_in(browser: Browser, issuer: Authority, account: str = ADA) -> Response:
    """Sign in at the issuer and return to the pages."""
    answer = issuer.browse(sign_in_url(browser), account=account)
    return return_from_issuer(browser, answer)


def return_from_issuer(browser: Browser, answer: dict[str, str]) -> Response:
    return browser._seen(browser.client.get("/sign-in/openid", params=answer))


def test_a_sign_in_starts_a_new_web_session_with_the_users_mailbox(
    office: WebOffice, issuer: Authority
) -> None:
    browser = office.browser()
    browser.get("/")
    before = browser.client.cookies["visit"]
    assert sign_in(browser, issuer).headers["location"] == "/new"
    assert browser.client.cookies["visit"] != before
    assert ADA in browser.get("/mailboxes").text
    assert "openid" not in browser.client.cookies
    assert office.doors.knocks == []
    web_session = office.deps.store.web_session(
        web_session_id(browser.client.cookies["visit"]), office.deps.clock.now()
    )
    assert web_session is not None
    assert web_session.person == person_at(issuer.openid, ADA)


def test_an_import_requests_the_password_of_the_new_mailbox_once(
    office: WebOffice, issuer: Authority
) -> None:
    browser = office.browser()
    sign_in(browser, issuer)
    browser.get("/new")
    page = browser.start_import()
    assert page == "asked", "the destination is not opened without its password"
    assert browser.post("/mailboxes", address=ADA, password="wrong").status_code == 422
    assert browser.post("/mailboxes", address=ADA, password=RIGHT).headers["location"] == "/new/review"
    [destination] = re.findall(r'name="destination" value="([^"]+)"', browser.get("/new/review").text)
    begun = browser.post("/new/start", destination=destination).headers["location"]
    assert begun.startswith("/batches/")
    assert ADA in browser.get(begun).text


def test_a_mailbox_outside_the_claim_is_refused_as_destination(office: WebOffice, issuer: Authority) -> None:
    browser = office.browser()
    sign_in(browser, issuer)
    browser.get("/new")
    browser.start_import()
    [own] = re.findall(r'name="destination" value="([^"]+)"', browser.get("/new/review").text)
    for other in (GRACE, "ada@other.example"):
        refused = browser.post("/new/start", destination=own.replace(ADA, other))
        assert refused.status_code == 422
        assert "Choose the mailbox" in refused.text
    assert "grace" not in browser.get("/imports").text


def test_a_list_claim_yields_all_valid_mailboxes(issuer: Authority, tmp_path: Path) -> None:
    issuer.rules.claims = lambda claims: (
        claims | {"mail_addresses": [ADA, "sales@new.example", "x", 7, "a b@c"]}
    )
    browser = office_at(issuer, tmp_path, openid_claim="mail_addresses").browser()
    sign_in(browser, issuer)
    page = browser.get("/mailboxes").text
    assert re.findall(r"<li>.*?<span>(\S+@\S+) ", page, re.DOTALL) == [ADA, "sales@new.example"]


@pytest.mark.parametrize("by_user_info", [False, True], ids=["ID token", "UserInfo"])
def test_a_domains_claim_grants_the_batch_right_for_these_domains_only(
    issuer: Authority, tmp_path: Path, by_user_info: bool
) -> None:
    extra_claims = {"mail_domains": ["New.example", "*", 7, "mail.other.example"]}
    if by_user_info:
        issuer.rules.user_info = extra_claims
    else:
        issuer.rules.claims = lambda claims: claims | extra_claims
    settings = {"destination_server": "imap.new.example", "destination_master_user": "overseer"}
    settings |= {"destination_master_password": "m4ster", "openid_domains_claim": "mail_domains"}
    office = office_at(issuer, tmp_path, **settings)
    browser = office.browser()
    sign_in(browser, issuer)
    assert "You administer mail.other.example, new.example" in browser.get("/file").text
    head = "source_address,source_password,source_server,destination_address,destination_password\n"
    for address, message in ((GRACE, "all in order"), ("ada@other.example", "omit the password only for")):
        browser.post("/file", rows=f"{head}ada@old.example,x,imap.old.example,{address},\n")
        assert message in browser.get("/file/preview").text, address


@pytest.mark.parametrize("verified", [True, None])
def test_an_address_gives_the_batch_right_only_if_the_issuer_says_that_it_is_verified(
    issuer: Authority, tmp_path: Path, verified: bool | None
) -> None:
    if verified is None:
        issuer.rules.claims = lambda claims: {k: v for k, v in claims.items() if k != "email_verified"}
    settings = {"destination_server": "imap.new.example", "destination_master_user": "overseer"}
    settings |= {"destination_master_password": "m4ster", "batch_right": f"{ADA}: new.example"}
    office = office_at(issuer, tmp_path, **settings)
    office.deps = replace(office.deps, administrators=office.settings.batch_right)
    office.pages.state.site = replace(office.pages.state.site, deps=office.deps)
    browser = office.browser()
    assert sign_in(browser, issuer).status_code == 303
    assert ("You administer new.example" in browser.get("/file").text) is (verified is True)


@pytest.mark.parametrize("by_user_info", [False, True], ids=["ID token", "UserInfo"])
@pytest.mark.parametrize(
    ("groups", "status"),
    [(["staff", "mail-operators"], 200), (["staff"], 404), ("mail-operators-2", 404), (None, 404)],
)
def test_the_issuers_claim_makes_an_operator(
    issuer: Authority, tmp_path: Path, groups: list[str] | str | None, status: int, by_user_info: bool
) -> None:
    extra_claims = {} if groups is None else {"groups": groups}
    if by_user_info:
        issuer.rules.user_info = extra_claims
    else:
        issuer.rules.claims = lambda claims: claims | extra_claims
    browser = office_at(issuer, tmp_path, openid_operator_claim="groups=mail-operators").browser()
    assert sign_in(browser, issuer).status_code == 303
    assert browser.get("/operator").status_code == status


def test_a_userinfo_claim_is_accepted_only_for_the_same_subject(issuer: Authority, tmp_path: Path) -> None:
    office = office_at(issuer, tmp_path, openid_claim="mail_addresses")
    issuer.rules.user_info = {"mail_addresses": [GRACE]}
    assert sign_in(office.browser(), issuer).status_code == 303
    issuer.rules.user_info = {"mail_addresses": [GRACE], "sub": "somebody else"}
    assert sign_in(office.browser(), issuer).status_code == 403


def test_two_users_do_not_see_each_others_batches(office: WebOffice, issuer: Authority) -> None:
    ada, grace = office.browser(), office.browser()
    sign_in(ada, issuer)
    ada.get("/mailboxes")
    ada.post("/mailboxes", address=ADA, password=RIGHT)
    ada.get("/new")  # the token of the session is new
    begun = ada.start_import()
    sign_in(grace, issuer, GRACE)
    assert ada.get(begun).status_code == 200
    assert grace.get(begun).status_code == 404


WRONG: dict[str, Callable[[Claims], Claims]] = {
    "another nonce": lambda claims: claims | {"nonce": "another"},
    "no nonce": lambda claims: {k: v for k, v in claims.items() if k != "nonce"},
    "another audience": lambda claims: claims | {"aud": "another"},
    "two audiences, and nobody says whose": lambda claims: claims | {"aud": [CLIENT_ID, "another"]},
    "another party": lambda claims: claims | {"aud": [CLIENT_ID, "another"], "azp": "another"},
    "expired": lambda claims: claims | {"exp": time.time() - 600},
    "no end": lambda claims: {k: v for k, v in claims.items() if k != "exp"},
    "not yet": lambda claims: claims | {"nbf": time.time() + 600},
    "another issuer": lambda claims: claims | {"iss": "https://login.other.example"},
    "nobody": lambda claims: {k: v for k, v in claims.items() if k != "sub"},
    "address not verified": lambda claims: claims | {"email_verified": False},
    "no address": lambda claims: {k: v for k, v in claims.items() if k != "email"},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_an_invalid_id_token_is_refused(
    office: WebOffice, issuer: Authority, wrong: Callable[[Claims], Claims]
) -> None:
    issuer.rules.claims = wrong
    browser = office.browser()
    assert sign_in(browser, issuer).status_code == 403
    assert browser.get("/new").headers["location"] == "/"


def test_a_signature_with_another_key_is_refused(office: WebOffice, issuer: Authority) -> None:
    issuer.rules.signs_with = RSAKey.generate_key(2048, {"use": "sig", "kid": "rehearsal"})
    assert sign_in(office.browser(), issuer).status_code == 403


def base64url(claims: Claims) -> str:
    return urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("algorithm", ["HS256", "none"])
def test_a_forged_id_token_is_refused(office: WebOffice, issuer: Authority, algorithm: str) -> None:
    """Signed with the issuer's public key as if it were a shared secret, or not signed at all."""

    def forged(form: Any) -> tuple[int, dict[str, str], Any]:
        code = issuer.rules.codes[form["code"]]
        claims = {"iss": issuer.openid, "aud": CLIENT_ID, "exp": time.time() + 600, "nonce": code.nonce}
        claims |= {"sub": GRACE, "email": GRACE}
        signed = f"{base64url({'alg': algorithm, 'kid': 'rehearsal'})}.{base64url(claims)}"
        public = issuer.rules.key.as_pem(private=False)
        seal = hmac.digest(public, signed.encode(), "sha256") if algorithm == "HS256" else b""
        token = f"{signed}.{urlsafe_b64encode(seal).rstrip(b'=').decode()}"
        return 200, {}, {"access_token": "x", "token_type": "Bearer", "id_token": token}

    issuer.trouble = forged
    assert sign_in(office.browser(), issuer).status_code == 403


def test_new_keys_of_the_issuer_are_accepted_immediately(office: WebOffice, issuer: Authority) -> None:
    assert sign_in(office.browser(), issuer).status_code == 303
    new = RSAKey.generate_key(2048, {"use": "sig", "kid": "new"})
    issuer.rules.signs_with, issuer.rules.published = new, [issuer.rules.key, new]
    assert sign_in(office.browser(), issuer).status_code == 303


def test_a_sign_in_response_works_once_and_only_in_its_browser(office: WebOffice, issuer: Authority) -> None:
    ada, eve = office.browser(), office.browser()
    answer = issuer.browse(sign_in_url(ada), account=ADA)
    sign_in_url(eve)
    assert return_from_issuer(eve, answer).status_code == 403
    cookie, token = ada.client.cookies["openid"], ada.client.cookies["visit"]
    eve.client.cookies.clear()
    eve.client.cookies.set("openid", cookie)
    assert return_from_issuer(eve, answer).status_code == 403, "sealed for another browser"
    assert return_from_issuer(ada, answer).status_code == 303
    ada.client.cookies.clear()
    ada.client.cookies.set("openid", cookie)
    ada.client.cookies.set("visit", token)
    exchanged = issuer.count("authorization_code")
    assert return_from_issuer(ada, answer).status_code == 403, "already used"
    assert issuer.count("authorization_code") == exchanged, "no request reaches the issuer"


def test_a_late_response_or_one_of_another_issuer_is_refused(office: WebOffice, issuer: Authority) -> None:
    browser = office.browser()
    answer = issuer.browse(sign_in_url(browser), account=ADA)
    assert return_from_issuer(browser, answer | {"iss": "https://login.other.example"}).status_code == 403
    answer = issuer.browse(sign_in_url(browser), account=ADA)
    office.office.clock.sleep(601)
    assert return_from_issuer(browser, answer).status_code == 403


def test_a_denied_sign_in_is_reported(office: WebOffice, issuer: Authority) -> None:
    browser = office.browser()
    denied = return_from_issuer(browser, issuer.browse(sign_in_url(browser), answer="deny"))
    assert denied.status_code == 403
    assert "The sign-in failed" in denied.text


def test_signing_out_ends_the_session_at_the_issuer_too(office: WebOffice, issuer: Authority) -> None:
    browser = office.browser()
    sign_in(browser, issuer)
    browser.get("/new")
    page = browser.post("/sign-out")
    assert f"{issuer.openid}/end?client_id={CLIENT_ID}&amp;post_logout_redirect_uri=" in page.text
    assert browser.get("/new").headers["location"] == "/"


def test_an_unreachable_or_misnamed_issuer_does_not_block_the_pages(
    issuer: Authority, tmp_path: Path
) -> None:
    office = office_at(issuer, tmp_path, openid_issuer=f"{issuer.url}/nobody")
    browser = office.browser()
    browser.get("/")
    assert browser.post("/sign-in/openid").status_code == 503
    assert browser.sign_in().status_code == 303, "the sign-in with a mailbox still works"
    with_a_slash = office_at(issuer, tmp_path, openid_issuer=f"{issuer.openid}/").people
    assert with_a_slash is not None
    with pytest.raises(ServerUnavailable, match="sign_in_issuer"):
        with_a_slash.begin_sign_in()
