"""Into mailboxes at Google and Microsoft without a password: files, the console, the API and the pages."""

from __future__ import annotations

import json
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
from importer.service.access import owner_consent
from importer.service.access.sealed_grants import open_grants
from importer.service.legs.run_leg import handle_ring
from providers.catalog import Catalog
from providers.endpoint import Endpoint, Secret
from providers.errors import Side
from providers.grants import OAuthGrant, OrganisationGrant, PasswordGrant
from providers.mailbox_access import People, Person, Question
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


def into(server: str = "", *, usual: Endpoint | None = MICROSOFT, can: bool = True, **cells: str) -> Parsed:
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
def test_a_destination_without_a_password_is_good_where_somebody_can_let_us_in(
    server: str, usual: Endpoint | None, provider: str
) -> None:
    parsed = into(server, usual=usual, destination_password=" ")
    assert not parsed.problems
    [found] = parsed.rows
    assert (found.destination_password, found.destination_sign_in) == (None, provider)
    assert found.source_password is not None
    assert not found.source_sign_in


def test_both_sides_may_come_without_a_password() -> None:
    parsed = into(source_password="", source_server="imap.gmail.com", destination_password="")
    [found] = parsed.rows
    assert (found.source_sign_in, found.destination_sign_in) == ("google", "microsoft")


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
def test_what_does_not_open_a_destination_is_told(given: dict[str, Any], column: str, rule: str) -> None:
    [found] = into(**given).problems
    assert (found.column, found.rule) == (column, rule)


def test_an_app_password_opens_google_as_ever() -> None:
    for can in (True, False):
        [found] = into("imap.gmail.com", can=can).rows
        assert found.destination_password == Secret(GOOD.split(",")[-1])
        assert not found.destination_sign_in


# --- The console --------------------------------------------------------------------------------------


def test_the_console_asks_for_no_password_where_it_is_let_in(tmp_path: Path) -> None:
    mailbox = mailbox_options.account(
        "--to",
        "imaps://ada@new.example@outlook.office365.com",
        allow_plaintext=False,
        sign_in=lambda _provider, _mailbox: True,
    )
    everybody, nobody = (lambda _p, _m: True), (lambda _p, _m: False)
    assert mailbox_options.destination_login(mailbox, NO_PASSWORD, everybody, NO_RIGHT) == (None, "microsoft")
    file = tmp_path / "password"
    file.write_text("given")
    from_file = PasswordSource(file, None)
    assert mailbox_options.destination_login(mailbox, from_file, everybody, NO_RIGHT) == (Secret("given"), "")
    assert mailbox_options.destination_login(mailbox, from_file, nobody, NO_RIGHT) == (Secret("given"), "")


# --- The API ------------------------------------------------------------------------------------------


def grants_of(office: WebOffice, import_id: str) -> Any:
    sealed = office.deps.store.grants(ImportId(import_id))
    assert isinstance(sealed, SealedGrants)
    return open_grants(office.deps, ImportId(import_id), sealed)


def ended(office: WebOffice, import_id: str) -> State:
    found = None
    for _ in range(5):
        handle_ring(office.deps, ImportId(import_id))
        found = office.deps.store.import_(ImportId(import_id))
        assert found is not None
        if found.state not in (State.QUEUED, State.RUNNING):
            return found.state
    raise AssertionError(found)


def test_what_an_organisation_allowed_is_for_who_runs_the_installation(tmp_path: Path) -> None:
    office = WebOffice(tmp_path, access=at_microsoft(organisation=True, asks=False))
    office.doors.mailboxes["ada@old.example imap.old.example"] = office.office.old
    panel, admin = Panel(office), Panel(office, "admin", TokenScope.READ, TokenScope.WRITE, TokenScope.ADMIN)
    refused = problem(panel.post("/imports", INTO), 422, "rows_refused")
    assert refused["problems"][0]["column"] == "destination_server"
    problem(panel.post("/check", INTO), 422, "rows_refused")
    looked = admin.post("/check", INTO)
    assert (looked.status_code, looked.json()["ready"]) == (200, True)
    started = admin.post("/imports", INTO).json()["rows"][0]["import"]["id"]
    assert grants_of(office, started).destination == OrganisationGrant("microsoft")
    assert admin.get(f"/imports/{started}/consent").json()["destination"]["awaited"] is False
    assert ended(office, started) is State.COMPLETE
    again = admin.post(f"/imports/{started}/run-again", {"source_password": RIGHT})
    assert again.status_code == 201
    assert ended(office, again.json()["import"]["id"]) is State.COMPLETE
    told = problem(owner(office, admin).post(f"/imports/{started}/undo", {}), 409, "not_possible")
    assert "accepts no passwords" in told["detail"]
    undone = admin.post(f"/imports/{started}/undo", {})
    assert (undone.status_code, undone.json()["totals"]["removed"]) == (200, 6)


def owner(office: WebOffice, admin: Panel) -> Panel:
    """The same client without the right to use what an organisation allowed."""
    return Panel(office, admin.token.name)


def test_the_owner_of_the_destination_is_asked_and_the_links_are_told(tmp_path: Path) -> None:
    office = WebOffice(tmp_path, access=at_microsoft())
    panel = Panel(office)
    answer = panel.post("/imports", INTO)
    assert answer.status_code == 201, answer.text
    started = answer.json()["rows"][0]["import"]
    assert started["problem"]["side"] == "destination"
    told = panel.get(f"/imports/{started['id']}/consent").json()
    assert told["source"] == {"awaited": False, "link": None, "expires_at": None}
    assert told["destination"]["awaited"] is True
    token = told["destination"]["link"].rpartition("/")[2]
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
    assert ended(office, started["id"]) is State.COMPLETE
    told = problem(panel.post(f"/imports/{started['id']}/undo", {}), 409, "not_possible")
    assert "the owner's consent ended with the import" in told["detail"]


# --- The pages ----------------------------------------------------------------------------------------


class Issuer:
    """Implements `People`: ada signs in."""

    def begin_sign_in(self) -> Question:
        return Question("https://issuer.example/", "state", Secret("verifier"), "nonce")

    def complete_sign_in(self, asked: Question, _answer: object) -> Person:
        assert asked.state == "state"
        return Person("https://issuer.example", "ada", ("ada@new.example",))

    def logout_url(self, _back: str) -> str:
        return ""


def web(tmp_path: Path, access: MemoryAccess, people: People | None = None) -> WebOffice:
    return WebOffice(tmp_path, {"destination_server": MICROSOFT}, people, access=access)


def signed_in(office: WebOffice) -> Browser:
    """Somebody who came from the issuer, with no password."""
    browser = office.browser()
    browser.get("/")
    browser.post("/sign-in/openid")
    assert browser.get("/sign-in/openid?state=state&code=x").status_code == 303
    browser.get("/new")
    return browser


def test_on_the_pages_a_person_signs_in_to_their_new_mailbox_when_the_import_waits(tmp_path: Path) -> None:
    office = web(tmp_path, at_microsoft(), Issuer())
    browser = signed_in(office)
    browser.post("/new", address="ada@old.example")
    browser.post("/new/mailbox", password=RIGHT, server="imap.old.example", port="993")
    review = browser.get("/new/review").text
    assert "You will sign in at outlook.office365.com when you press Import." in review
    assert "Its password is still needed" not in review
    batch = browser.start_import()
    assert batch.startswith("/batches/")
    page = browser.get(batch).text
    assert "/consent/" in page
    [import_] = office.deps.store.imports(limit=5)
    assert owner_consent.pending_sides(office.deps, import_) == (Side.DESTINATION,)
    assert grants_of(office, import_.id).source == PasswordGrant(Secret(RIGHT))


def test_what_an_organisation_allowed_is_for_nobody_on_the_pages(tmp_path: Path) -> None:
    office = web(tmp_path, at_microsoft(organisation=True, asks=False), Issuer())
    browser = signed_in(office)
    assert browser.start_import() == "asked", "for a password"
    browser.post("/file", rows=f"{HEADER}\nada@old.example,{RIGHT},imap.old.example,ada@new.example,\n")
    assert "All in order" not in browser.get("/file/preview").text
    assert browser.post("/file/start").headers["location"] == "/file/preview"
    assert not office.deps.store.imports(limit=5)


def test_in_a_file_rows_without_a_password_wait_for_their_owners(tmp_path: Path) -> None:
    office = web(tmp_path, at_microsoft(), Issuer())
    browser = signed_in(office)
    browser.post("/file", rows=f"{HEADER}\nada@old.example,{RIGHT},imap.old.example,grace@new.example,\n")
    assert "The owner is asked to sign in." in browser.get("/file/preview").text
    batch = browser.post("/file/start").headers["location"]
    assert "/consent/" in browser.get(batch).text
    [import_] = office.deps.store.imports(limit=5)
    assert import_.problem is not None
    assert "grace@new.example" in import_.problem.message


def test_the_page_says_that_a_closed_mailbox_cannot_be_undone(tmp_path: Path) -> None:
    office = web(tmp_path, at_microsoft(), Issuer())
    office.doors.mailboxes["ada@old.example imap.old.example"] = office.office.old
    browser = signed_in(office)
    browser.start_import()
    [import_] = office.deps.store.imports(limit=5)
    token = owner_consent.links(office.deps, [import_])[import_.id][Side.DESTINATION].rpartition("/")[2]
    question = owner_consent.begin(office.deps, token)
    owner_consent.complete(office.deps, question.state, office.access.sign_in(question, "ada@new.example"))
    assert ended(office, import_.id) is State.COMPLETE
    assert browser.post(f"/imports/{import_.id}/undo").headers["location"] == f"/imports/{import_.id}"
    assert "does not accept passwords" in browser.get(f"/imports/{import_.id}").text


def test_links_are_told_as_json_by_side(tmp_path: Path) -> None:
    office = WebOffice(tmp_path, access=at_microsoft())
    Panel(office).post("/imports", INTO)
    links = owner_consent.links(office.deps, office.deps.store.imports(limit=5))
    [by_side] = json.loads(json.dumps(links)).values()
    assert list(by_side) == ["destination"]
