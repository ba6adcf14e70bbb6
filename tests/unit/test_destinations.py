"""Destinations at Google and Microsoft without a password: files, console, API and pages."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from importer.cli import mailbox_options
from importer.cli.options import PasswordSource
from importer.domain.csv_import.import_rows import Parsed
from importer.domain.csv_import.row_parser import parse
from importer.domain.model import ImportId, State
from importer.domain.people.api_tokens import TokenScope
from importer.domain.people.batch_right import NO_RIGHT
from importer.ports.store import SealedGrants
from importer.service.access import consent_requests, owner_consent
from importer.service.access.sealed_grants import open_grants
from importer.service.legs.run_leg import handle_ring
from providers.catalog import Catalog
from providers.endpoint import Endpoint, Secret
from providers.errors import Side
from providers.grants import OAuthGrant, OrganisationGrant, PasswordGrant
from providers.mailbox_access import People, Person, Question
from tests.english import said
from tests.fakes.mailbox_access import MemoryAccess
from tests.unit.test_api import Panel, problem
from tests.unit.test_rows import GOOD, HEADER, NEW, row
from tests.unit.web_office import RIGHT, Browser, WebOffice

NO_PASSWORD = PasswordSource(None, None)
MICROSOFT = Endpoint("outlook.office365.com")
COLUMNS = f"{HEADER},destination_server"
INTO = {
    "source_address": "ada@old.example",
    "source_password": RIGHT,
    "source_server": "imap.old.example",
    "destination_address": "ada@new.example",
    "destination_server": "outlook.office365.com",
}


def at_microsoft(*, organisation: bool = False, asks: bool = True) -> MemoryAccess:
    domains = {"microsoft": frozenset({"new.example"})} if organisation else {}
    return MemoryAccess(frozenset({"microsoft"} if asks else ()), domains)


# --- Files --------------------------------------------------------------------------------------------


def parse_row(
    server: str = "", *, usual: Endpoint | None = MICROSOFT, can: bool = True, **cells: str
) -> Parsed:
    text = row(**{"source_server": "imap.old.example"} | cells).rstrip("\r\n") + f",{server}"
    return parse(
        f"{COLUMNS}\n{text}\n".encode(),
        catalog=Catalog.load(),
        destination=usual,
        sign_in=lambda provider, _mailbox: can and provider in ("google", "microsoft"),
    )


@pytest.mark.parametrize(
    ("server", "usual", "provider"),
    [
        ("", MICROSOFT, "microsoft"),
        ("outlook.office365.com", NEW, "microsoft"),
        ("imap.gmail.com", None, "google"),
    ],
)
def test_a_destination_without_a_password_is_valid_if_its_owner_can_sign_in(
    server: str, usual: Endpoint | None, provider: str
) -> None:
    parsed = parse_row(server, usual=usual, destination_password=" ")
    assert not parsed.problems
    [row_] = parsed.rows
    assert (row_.destination_password, row_.destination_sign_in) == (None, provider)
    assert row_.source_password is not None
    assert not row_.source_sign_in


def test_both_sides_may_be_without_a_password() -> None:
    parsed = parse_row(source_password="", source_server="imap.gmail.com", destination_password="")
    [row_] = parsed.rows
    assert (row_.source_sign_in, row_.destination_sign_in) == ("google", "microsoft")


@pytest.mark.parametrize(
    ("given", "column", "rule"),
    [
        ({"destination_password": "x"}, "destination_password", "password_not_taken"),
        ({"destination_password": "", "can": False}, "destination_server", "provider_unavailable"),
        ({"destination_password": "x", "can": False}, "destination_server", "provider_unavailable"),
        ({"destination_password": "", "usual": NEW}, "destination_password", "password_missing"),
        (
            {"destination_password": "", "server": "imaps://board@new.example@outlook.office365.com"},
            "destination_server",
            "login_elsewhere",
        ),
    ],
)
def test_invalid_destination_credentials_are_reported(given: dict[str, Any], column: str, rule: str) -> None:
    [problem_] = parse_row(**given).problems
    assert (problem_.column, problem_.rule) == (column, rule)


def test_an_app_password_opens_google() -> None:
    for can in (True, False):
        [row_] = parse_row("imap.gmail.com", can=can).rows
        assert row_.destination_password == Secret(GOOD.split(",")[-1])
        assert not row_.destination_sign_in


# --- The console --------------------------------------------------------------------------------------


def test_the_console_needs_no_password_if_sign_in_is_possible(tmp_path: Path) -> None:
    mailbox = mailbox_options.account(
        "--to",
        "imaps://ada@new.example@outlook.office365.com",
        allow_plaintext=False,
        sign_in=lambda _provider, _mailbox: True,
    )
    always, never = (lambda _p, _m: True), (lambda _p, _m: False)
    assert mailbox_options.destination_login(mailbox, NO_PASSWORD, always, NO_RIGHT) == (None, "microsoft")
    file = tmp_path / "password"
    file.write_text("given")
    from_file = PasswordSource(file, None)
    assert mailbox_options.destination_login(mailbox, from_file, always, NO_RIGHT) == (Secret("given"), "")
    assert mailbox_options.destination_login(mailbox, from_file, never, NO_RIGHT) == (Secret("given"), "")


# --- The API ------------------------------------------------------------------------------------------


def grants_of(office: WebOffice, import_id: str) -> Any:
    sealed = office.deps.store.grants(ImportId(import_id))
    assert isinstance(sealed, SealedGrants)
    return open_grants(office.deps, ImportId(import_id), sealed)


def state_after_legs(office: WebOffice, import_id: str) -> State:
    import_ = None
    for _ in range(5):
        handle_ring(office.deps, ImportId(import_id))
        import_ = office.deps.store.import_(ImportId(import_id))
        assert import_ is not None
        if import_.state not in (State.QUEUED, State.RUNNING):
            return import_.state
    raise AssertionError(import_)


def test_organisation_access_is_for_administrators(tmp_path: Path) -> None:
    office = WebOffice(tmp_path, access=at_microsoft(organisation=True, asks=False))
    office.doors.mailboxes["ada@old.example imap.old.example"] = office.office.old
    panel, admin = Panel(office), Panel(office, "admin", TokenScope.READ, TokenScope.WRITE, TokenScope.ADMIN)
    refused = problem(panel.post("/imports", INTO), 422, "rows_refused")
    assert refused["problems"][0]["column"] == "destination_server"
    problem(panel.post("/check", INTO), 422, "rows_refused")
    checked = admin.post("/check", INTO)
    assert (checked.status_code, checked.json()["ready"]) == (200, True)
    started = admin.post("/imports", INTO).json()["rows"][0]["import"]["id"]
    assert grants_of(office, started).destination == OrganisationGrant("microsoft")
    assert admin.get(f"/imports/{started}/consent").json()["destination"]["awaited"] is False
    assert state_after_legs(office, started) is State.COMPLETE
    again = admin.post(f"/imports/{started}/run-again", {"source_password": RIGHT})
    assert again.status_code == 201
    assert state_after_legs(office, again.json()["import"]["id"]) is State.COMPLETE
    refusal = problem(owner(office, admin).post(f"/imports/{started}/undo", {}), 409, "not_possible")
    assert "does not accept passwords" in refusal["detail"]
    undone = admin.post(f"/imports/{started}/undo", {})
    assert (undone.status_code, undone.json()["totals"]["removed"]) == (200, 6)


def owner(office: WebOffice, admin: Panel) -> Panel:
    """The same client without the right to use organisation access."""
    return Panel(office, admin.token.name)


def test_the_destination_owner_is_invited_and_the_api_returns_the_link(tmp_path: Path) -> None:
    office = WebOffice(tmp_path, access=at_microsoft())
    panel = Panel(office)
    answer = panel.post("/imports", INTO)
    assert answer.status_code == 201, answer.text
    started = answer.json()["rows"][0]["import"]
    assert started["problem"]["side"] == "destination"
    consent = panel.get(f"/imports/{started['id']}/consent").json()
    assert consent["source"] == {"awaited": False, "link": None, "expires_at": None}
    assert consent["destination"]["awaited"] is True
    token = consent["destination"]["link"].rpartition("/")[2]
    browser = office.browser()
    page = browser.get(f"/consent/{token}").text
    assert "May we add mail to this mailbox?" in page
    assert "Sign in there as ada@new.example" in page
    assert "may read" not in page
    question = owner_consent.begin(office.deps, token)
    owner_consent.complete(office.deps, question.state, office.access.sign_in(question, "ada@new.example"))
    assert browser.get(f"/consent/{token}").status_code == 404
    assert panel.get(f"/imports/{started['id']}/consent").json()["destination"]["awaited"] is False
    assert isinstance(grants_of(office, started["id"]).destination, OAuthGrant)
    assert state_after_legs(office, started["id"]) is State.COMPLETE
    refusal = problem(panel.post(f"/imports/{started['id']}/undo", {}), 409, "not_possible")
    assert "the permission given by the owner ended with the import" in refusal["detail"]


# --- The pages ----------------------------------------------------------------------------------------


class Issuer:
    """Implements `People`: the signed-in person is ada."""

    def begin_sign_in(self) -> Question:
        return Question("https://issuer.example/", "state", Secret("verifier"), "nonce")

    def complete_sign_in(self, question: Question, _answer: object) -> Person:
        assert question.state == "state"
        return Person("https://issuer.example", "ada", ("ada@new.example",))

    def logout_url(self, _back: str) -> str:
        return ""


def web(tmp_path: Path, access: MemoryAccess, people: People | None = None) -> WebOffice:
    return WebOffice(tmp_path, {"destination_server": MICROSOFT}, people, access=access)


def signed_in(office: WebOffice) -> Browser:
    """The browser of a person who signed in with the issuer, without a mailbox password."""
    browser = office.browser()
    browser.get("/")
    browser.post("/sign-in/openid")
    assert browser.get("/sign-in/openid?state=state&code=x").status_code == 303
    browser.get("/new")
    return browser


def start_by_link(browser: Browser) -> str:
    """Start an import whose destination is somebody else's; return the path of its batch."""
    browser.post("/new", address="ada@old.example")
    browser.post("/new/mailbox", password=RIGHT, server="imap.old.example", port="993")
    [destination] = re.findall(r'name="destination" value="([^"]+)"', browser.get("/new/review").text)
    return str(browser.post("/new/start", destination=destination, by="link").headers["location"])


def test_on_the_pages_a_link_goes_to_the_owner_where_it_is_somebody_else(tmp_path: Path) -> None:
    office = web(tmp_path, at_microsoft(), Issuer())
    browser = signed_in(office)
    batch = start_by_link(browser)
    assert batch.startswith("/batches/")
    page = browser.get(batch).text
    assert "/consent/" in page
    [import_] = office.deps.store.imports(limit=5)
    assert consent_requests.pending_sides(office.deps, import_) == (Side.DESTINATION,)
    assert grants_of(office, import_.id).source == PasswordGrant(Secret(RIGHT))


def test_the_pages_do_not_use_organisation_access(tmp_path: Path) -> None:
    office = web(tmp_path, at_microsoft(organisation=True, asks=False), Issuer())
    browser = signed_in(office)
    assert browser.start_import() == "asked", "a password is requested"
    browser.post("/file", rows=f"{HEADER}\nada@old.example,{RIGHT},imap.old.example,ada@new.example,\n")
    assert "All in order" not in browser.get("/file/preview").text
    assert browser.post("/file/start").headers["location"] == "/file/preview"
    assert not office.deps.store.imports(limit=5)


def test_rows_of_a_file_without_a_password_wait_for_their_owners(tmp_path: Path) -> None:
    office = web(tmp_path, at_microsoft(), Issuer())
    browser = signed_in(office)
    browser.post("/file", rows=f"{HEADER}\nada@old.example,{RIGHT},imap.old.example,grace@new.example,\n")
    assert "The owner has to sign in: you get a link to pass on." in browser.get("/file/preview").text
    batch = browser.post("/file/start").headers["location"]
    assert "/consent/" in browser.get(batch).text
    [import_] = office.deps.store.imports(limit=5)
    assert import_.problem is not None
    assert "grace@new.example" in said(import_.problem)


def test_the_page_says_that_undo_needs_access_to_the_mailbox(tmp_path: Path) -> None:
    office = web(tmp_path, at_microsoft(), Issuer())
    office.doors.mailboxes["ada@old.example imap.old.example"] = office.office.old
    browser = signed_in(office)
    start_by_link(browser)
    [import_] = office.deps.store.imports(limit=5)
    token = consent_requests.links(office.deps, [import_])[import_.id][Side.DESTINATION].rpartition("/")[2]
    question = owner_consent.begin(office.deps, token)
    owner_consent.complete(office.deps, question.state, office.access.sign_in(question, "ada@new.example"))
    assert state_after_legs(office, import_.id) is State.COMPLETE
    assert browser.post(f"/imports/{import_.id}/undo").headers["location"] == f"/imports/{import_.id}"
    assert "does not accept passwords" in browser.get(f"/imports/{import_.id}").text


def test_links_are_serialised_to_json_by_side(tmp_path: Path) -> None:
    office = WebOffice(tmp_path, access=at_microsoft())
    Panel(office).post("/imports", INTO)
    links = consent_requests.links(office.deps, office.deps.store.imports(limit=5))
    [by_side] = json.loads(json.dumps(links)).values()
    assert list(by_side) == ["destination"]
