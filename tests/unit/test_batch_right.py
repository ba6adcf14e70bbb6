"""The batch right: administrators import into the mailboxes of their domains without passwords."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from importer.domain.csv_import.csv_cells import Refused
from importer.domain.csv_import.import_rows import Parsed, Row
from importer.domain.csv_import.row_parser import parse
from importer.domain.model import Account, ImportId, State
from importer.domain.people.actor import Actor
from importer.domain.people.api_tokens import TokenScope
from importer.domain.people.batch_right import NO_RIGHT, BatchRight, administered, right_of_console
from importer.i18n.code_texts import advice
from importer.i18n.translations import texts
from importer.ports.vault import VaultError
from importer.service.access.batch_rights import session_batch_right
from importer.service.access.sealed_grants import grant_context, open_grants
from importer.service.access.session_data import SessionData, VerifiedMailbox
from importer.service.imports.submit import RowOutcome, submit
from importer.service.imports.undo_import import undo
from importer.service.legs.run_leg import handle_ring
from importer.settings import Settings, SettingsError
from providers.catalog import Catalog
from providers.endpoint import Endpoint, Secret
from providers.errors import MasterRefused, Side
from providers.grants import MasterGrant, MasterLogin, PasswordGrant, dump, load
from providers.master_user import MasterUser, domain_name, plain_domain
from tests.unit.test_api import Panel, problem
from tests.unit.test_service import DATE, DESTINATION, SOURCE, Office
from tests.unit.web_office import HOST, RIGHT, Browser, WebOffice

PASSWORD = "m4ster-canary"
MASTER = MasterUser(HOST, "overseer", Secret(PASSWORD))
LOGIN = MasterLogin("overseer", Secret(PASSWORD))
OURS = BatchRight(HOST, frozenset({"new.example"}))
HEAD = (
    "source_address,source_password,source_server,destination_address,destination_password,"
    "destination_server\n"
)


def mailbox(address: str = "grace@new.example", login: str = "", server: Endpoint = HOST) -> Account:
    return Account(address, login or address, server)


# --- Coverage ---------------------------------------------------------------------------------------

COVERED = ("grace@new.example", "Grace@NEW.Example", "grace+news@new.example", "o'neil@new.example")

NOT_COVERED = {
    "another domain": (mailbox("ada@other.example"), "batch_right_missing"),
    "a subdomain": (mailbox("ada@mail.new.example"), "batch_right_missing"),
    "the domain above": (mailbox("ada@example.example"), "batch_right_missing"),
    "a longer label": (mailbox("ada@evilnew.example"), "batch_right_missing"),
    "a longer name": (mailbox("ada@new.example.other.example"), "batch_right_missing"),
    "a dot at the end": (mailbox("ada@new.example."), "master_address"),
    "two addresses in one": (mailbox("root@other.example@new.example"), "master_address"),
    "a route": (mailbox("root%other.example@new.example"), "master_address"),
    "a character that hosts translate": (mailbox("root#other.example@new.example"), "master_address"),
    "a path": (mailbox("root/other.example@new.example"), "master_address"),
    "a separator": (mailbox("root*overseer@new.example"), "master_address"),
    "letters of another script": (mailbox("grаce@new.example"), "master_address"),
    "a domain in another script": (mailbox("ada@nеw.example"), "master_address"),
    "a domain that folds to ours": (mailbox("ada@ｎｅｗ.example"), "master_address"),
    "another login": (mailbox(login="root@new.example"), "master_login"),
    "a login without its domain": (mailbox(login="grace"), "master_login"),
    "a login that folds to the address": (
        mailbox("mark@new.example", "mar\u212a@new.example"),
        "master_login",
    ),
    "another host": (mailbox(server=Endpoint("imap.evil.example")), "master_elsewhere"),
    "another port": (mailbox(server=Endpoint(HOST.host, 10993)), "master_elsewhere"),
}


@pytest.mark.parametrize("address", COVERED)
def test_a_domain_covers_its_addresses_in_any_spelling(address: str) -> None:
    assert OURS.grant(mailbox(address)) == MasterGrant("new.example")
    assert MASTER.login_for(OURS.grant(mailbox(address)), address, address, HOST) == LOGIN


@pytest.mark.parametrize(("account", "rule"), NOT_COVERED.values(), ids=NOT_COVERED)
def test_neither_the_right_nor_the_master_user_covers_other_mailboxes(account: Account, rule: str) -> None:
    with pytest.raises(Refused) as refused:
        OURS.grant(account)
    assert refused.value.rule == rule
    # Even a sealed grant does not open such a mailbox.
    with pytest.raises(MasterRefused):
        MASTER.login_for(MasterGrant("new.example"), account.address, account.login, account.endpoint)


def test_the_console_has_the_right_for_all_domains_of_the_destination_host() -> None:
    console = right_of_console(MASTER)
    assert console.covers(mailbox("ada@whatever.example"))
    for account, rule in NOT_COVERED.values():
        assert console.covers(account) == (rule == "batch_right_missing")
    assert not right_of_console(None).covers(mailbox())


def test_without_a_right_the_password_is_missing() -> None:
    for nothing in (NO_RIGHT, BatchRight(HOST), BatchRight(None, frozenset({"new.example"}))):
        with pytest.raises(Refused, match="password_missing"):
            nothing.grant(mailbox())


def test_domains_come_from_settings_and_from_claims() -> None:
    settings = {"ada@new.example": frozenset({"new.example"})}
    assert administered(settings, ["ADA@New.Example"], []) == {"new.example"}
    assert administered(settings, ["grace@new.example"], []) == frozenset()
    claims = ["New.example", "nеw.example", "*", "", "a b", ".example", "x@new.example"]
    assert administered({}, ["ada@new.example"], claims) == {"new.example"}
    assert administered(settings, ["ada@new.example"], ["other.example"]) == {"new.example", "other.example"}


def test_domain_names_are_ascii_and_fully_qualified() -> None:
    assert domain_name("XN--bcher-kva.example") == "xn--bcher-kva.example"
    for wrong in (
        "bücher.example",
        "example",
        "",
        "-a.example",
        "a-.example",
        "a..example",
        "a.example.",
        "*.a.b",
    ):
        assert domain_name(wrong) is None, wrong
    assert domain_name("\u212a.example") is None, "KELVIN SIGN, whose lower case is k"
    assert plain_domain("ada@xn--bcher-kva.example") == "xn--bcher-kva.example"
    assert plain_domain("@new.example") is None
    for local in (".", "..", ".ada", "ada.", "a..b"):
        assert plain_domain(f"{local}@new.example") is None, local
    assert plain_domain("a.b-c+d_e'f@new.example") == "new.example"


def test_the_grant_holds_its_domain_and_no_master_credentials() -> None:
    text = dump(MasterGrant("new.example"))
    assert load(text) == MasterGrant("new.example")
    assert "overseer" not in text.reveal()
    assert PASSWORD not in repr(MASTER) + repr(LOGIN)


# --- Settings ---------------------------------------------------------------------------------------


def loaded(root: Path, **overlay: Any) -> Settings:
    return Settings.load(data=root, **overlay)


def test_the_settings_define_a_master_user(tmp_path: Path) -> None:
    settings = {"destination_server": HOST, "destination_master_user": "overseer"}
    assert loaded(tmp_path, destination_server=HOST).master is None
    assert loaded(tmp_path, **settings, destination_master_password=PASSWORD).master == MASTER


@pytest.mark.parametrize(
    "changes",
    [
        {"destination_server": None},
        {"destination_master_password": None},
        {"destination_master_user": None},
        {"destination_master_user": "over seer"},
        {"destination_master_separator": "**"},
        {"destination_master_separator": "."},
        {"batch_right": "ada@new.example"},
        {"batch_right": "ada@new.example:"},
        {"batch_right": "new.example: new.example"},
        {"batch_right": "ada@new.example: bücher.example"},
        {"batch_right": "ada@new.example: *"},
        {"openid_domains_claim": "domains"},
    ],
)
def test_inconsistent_settings_are_reported(tmp_path: Path, changes: dict[str, object]) -> None:
    good: dict[str, object] = {
        "destination_server": HOST,
        "destination_master_user": "overseer",
        "destination_master_password": PASSWORD,
        "batch_right": "ada@new.example: new.example",
    }
    loaded(tmp_path, **good)
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, **good | changes)
    assert PASSWORD not in str(caught.value)


# --- Rows -------------------------------------------------------------------------------------------


def read(line: str, right: BatchRight = OURS) -> Parsed:
    return parse((HEAD + line).encode(), catalog=Catalog.load(), destination=HOST, right=right)


def test_a_row_needs_no_password_where_the_right_covers_it() -> None:
    parsed = read("ada@old.example,secret,imap.old.example,grace@new.example,,\n")
    [row] = parsed.rows
    assert parsed.problems == ()
    assert row.by_master
    [row] = read("ada@old.example,secret,imap.old.example,grace@new.example,own,\n").rows
    assert row.destination_password == Secret("own")
    assert not row.by_master


@pytest.mark.parametrize(
    ("cells", "rule"),
    [
        ("grace@other.example,,", "batch_right_missing"),
        ("grace@mail.new.example,,", "batch_right_missing"),
        ("grace@new.example,,imap.evil.example", "master_elsewhere"),
        ("grace@new.example,,imaps://imap.new.example:10993", "master_elsewhere"),
        ("grace@new.example,,imaps://root%40new.example@imap.new.example", "master_login"),
        ("root%other.example@new.example,,", "master_address"),
    ],
)
def test_an_uncovered_mailbox_is_reported_at_its_cell_with_line_rule_and_fix(cells: str, rule: str) -> None:
    parsed = read(f"ada@old.example,secret,imap.old.example,{cells}\n")
    [problem_] = parsed.problems
    assert (problem_.line, problem_.column, problem_.rule) == (2, "destination_password", rule)
    assert "password" in advice(problem_.text, texts("en"))
    assert parsed.rows == ()
    [plain] = read(f"ada@old.example,secret,imap.old.example,{cells}\n", NO_RIGHT).problems
    assert (plain.column, plain.rule) == ("destination_password", "password_missing")


# --- Submission, legs, undo, run again --------------------------------------------------------------


@pytest.fixture
def office() -> Office:
    office_ = Office()
    office_.deps = replace(office_.deps, master_user=MASTER)
    office_.new.master = LOGIN
    return office_


def a_row(source_password: Secret = Secret("secret")) -> Row:  # noqa: B008
    return Row(1, SOURCE, source_password, DESTINATION, None)


def test_an_import_by_the_master_user_is_copied_undone_and_run_again(office: Office) -> None:
    [submitted] = submit(office.deps, Actor(right=OURS), [a_row()]).rows
    sealed = office.store.grants(submitted.import_.id)
    assert sealed is not None
    stored = office.deps.vault.open(sealed.destination, grant_context(submitted.import_.id, Side.DESTINATION))
    assert "overseer" not in stored.reveal()
    assert PASSWORD not in stored.reveal()
    done = office.work(submitted.import_.id)
    assert done.state is State.COMPLETE
    assert office.new.message_count == 6
    assert submit(office.deps, Actor(right=OURS), [a_row()]).rows[0].outcome is RowOutcome.DONE
    office.old.folders["INBOX"].add((), DATE, b"Subject: more\r\n\r\nmore\r\n")
    [again] = submit(office.deps, Actor(right=OURS), [a_row()], again=True).rows
    assert office.work(again.import_.id).state is State.COMPLETE
    assert office.new.message_count == 7
    assert undo(office.deps, office.import_(again.import_.id), LOGIN).totals.removed == 1


def test_submit_checks_the_right(office: Office) -> None:
    for right in (NO_RIGHT, BatchRight(HOST, frozenset({"other.example"}))):
        with pytest.raises(Refused):
            submit(office.deps, Actor(right=right), [a_row()])
    assert list(office.store.imports(limit=10)) == []
    [submitted] = submit(office.deps, Actor(right=OURS), [a_row()]).rows
    for row in (a_row(), a_row(Secret("another"))):
        with pytest.raises(Refused):
            submit(office.deps, Actor(), [row])
    office.work(submitted.import_.id)
    with pytest.raises(Refused):
        submit(office.deps, Actor(), [a_row()])


def test_a_changed_master_password_is_used_by_the_next_leg(office: Office) -> None:
    [submitted] = submit(office.deps, Actor(right=OURS), [a_row()]).rows
    office.new.master = MasterLogin("overseer", Secret("new"))
    changed = replace(MASTER, password=Secret("new"))
    assert office.work(submitted.import_.id, master_user=changed).state is State.COMPLETE


@pytest.mark.parametrize(
    "master",
    [
        None,
        replace(MASTER, server=Endpoint("imap.elsewhere.example")),
        replace(MASTER, password=Secret("old")),
    ],
    ids=["gone", "of another host", "with another password"],
)
def test_a_master_user_without_access_stops_the_import(office: Office, master: MasterUser | None) -> None:
    [submitted] = submit(office.deps, Actor(right=OURS), [a_row()]).rows
    stopped = office.work(submitted.import_.id, master_user=master)
    assert stopped.state is State.STOPPED
    assert stopped.problem is not None
    assert (stopped.problem.code, stopped.problem.side) == ("master_refused", Side.DESTINATION)


def test_a_grant_does_not_open_a_tampered_destination(office: Office) -> None:
    """The grant is limited to its domain, server and login, even if the stored row was changed."""
    for changes in (
        {"address": "ada@other.example", "login": "ada@other.example"},
        {"login": "root@new.example"},
        {"endpoint": Endpoint("imap.evil.example")},
    ):
        [submitted] = submit(office.deps, Actor(right=OURS), [a_row()]).rows
        id_: ImportId = submitted.import_.id
        tampered = replace(submitted.import_, destination=replace(DESTINATION, **changes))
        with office.store._lock:
            office.store._imports[id_] = tampered
        office.sessions.mailboxes[tampered.destination.key] = office.new
        handle_ring(office.deps, id_)
        stopped = office.import_(id_)
        assert stopped.problem is not None, changes
        assert stopped.problem.code == "master_refused"
    assert office.new.message_count == 0


def test_a_master_grant_never_opens_a_source(office: Office) -> None:
    [submitted] = submit(office.deps, Actor(right=OURS), [a_row()]).rows
    sealed = office.store.grants(submitted.import_.id)
    assert sealed is not None
    vault = office.deps.vault
    forged = vault.seal(dump(MasterGrant("old.example")), grant_context(submitted.import_.id, Side.SOURCE))
    with pytest.raises(VaultError, match="grant_unusable"):
        open_grants(office.deps, submitted.import_.id, replace(sealed, source=forged))


def test_the_owners_password_replaces_the_master_user_and_vice_versa(office: Office) -> None:
    [submitted] = submit(office.deps, Actor(right=OURS), [a_row()]).rows
    own = replace(a_row(), destination_password=Secret("secret"))
    for row, kind in ((own, PasswordGrant), (a_row(), MasterGrant)):
        assert submit(office.deps, Actor(right=OURS), [row]).rows[0].outcome is RowOutcome.PASSWORD_UPDATED
        sealed = office.store.grants(submitted.import_.id)
        assert sealed is not None
        assert isinstance(open_grants(office.deps, submitted.import_.id, sealed).destination, kind)


# --- The pages --------------------------------------------------------------------------------------

ROWS = "ada@old.example,right,imap.old.example,{},,\n"
ADMINISTRATORS = {"ada@new.example": frozenset({"new.example", "more.example"})}


@pytest.fixture
def web(tmp_path: Path) -> WebOffice:
    web_ = WebOffice(tmp_path, master=MASTER, administrators=dict(ADMINISTRATORS))
    web_.doors.master = LOGIN
    return web_


def upload_rows(browser: Browser, *addresses: str) -> str:
    """The preview of an uploaded file with those destination addresses, without passwords."""
    browser.get("/file")
    browser.post("/file", rows=HEAD + "".join(ROWS.format(address) for address in addresses))
    return browser.get("/file/preview").text


def test_an_administrator_uploads_a_file_without_destination_passwords(web: WebOffice) -> None:
    ada = web.browser()
    ada.sign_in("Ada@new.example")
    assert "You administer more.example, new.example" in ada.get("/file").text
    page = upload_rows(ada, "grace@new.example", "grace@more.example")
    assert "2 mailboxes, all in order" in page
    assert page.count("you administer this domain") == 2
    begun = ada.post("/file/start").headers["location"]
    assert begun.startswith("/batches/")
    for import_ in web.deps.store.imports(limit=10):
        handle_ring(web.deps, import_.id)
        assert web.deps.store.import_(import_.id).state is State.COMPLETE  # type: ignore[union-attr]
    assert {a.login for a, side in web.doors.knocks if side is Side.DESTINATION} == {
        "Ada@new.example",
        "grace@new.example",
        "grace@more.example",
    }


def test_only_an_administrator_undoes_without_a_password(web: WebOffice) -> None:
    ada, eve = web.browser(), web.browser()
    ada.sign_in()
    upload_rows(ada, "grace@new.example")
    ada.post("/file/start")
    [import_] = web.deps.store.imports(limit=10)
    handle_ring(web.deps, import_.id)
    eve.sign_in("eve@new.example")
    assert eve.post(f"/imports/{import_.id}/undo").status_code == 404
    assert ada.post(f"/imports/{import_.id}/undo").headers["location"] == f"/imports/{import_.id}"
    web.administrators.clear()
    assert ada.post(f"/imports/{import_.id}/undo").headers["location"] == "/mailboxes"


@pytest.mark.parametrize(
    "address", ["grace@other.example", "grace@mail.new.example", "root%other.example@new.example"]
)
def test_an_administrator_opens_no_other_domain(web: WebOffice, address: str) -> None:
    ada = web.browser()
    ada.sign_in()
    assert "1 problem must be fixed first" in upload_rows(ada, "grace@new.example", address)
    assert ada.post("/file/start").headers["location"] == "/file/preview"
    assert [import_.destination.address for import_ in web.deps.store.imports(limit=10)] == [
        "grace@new.example"
    ]


def test_users_without_the_right_need_the_password(web: WebOffice) -> None:
    grace = web.browser()
    grace.sign_in("grace@new.example")
    assert "administer" not in grace.get("/file").text
    assert "The password is missing" in upload_rows(grace, "grace@new.example")
    assert grace.post("/file/start").headers["location"] == "/file/preview"


def test_a_revoked_right_is_gone_at_the_next_request(web: WebOffice) -> None:
    ada = web.browser()
    ada.sign_in()
    assert "all in order" in upload_rows(ada, "grace@new.example")
    web.administrators.clear()
    assert ada.post("/file/start").headers["location"] == "/file/preview"


def test_the_form_for_one_mailbox_accepts_attached_mailboxes_only(web: WebOffice) -> None:
    ada = web.browser()
    ada.sign_in()
    ada.start_import()
    ada.post("/new", address="b@old.example")
    ada.post("/new/mailbox", password=RIGHT, server="imap.old.example", port="993")
    refused = ada.post("/new/start", destination=mailbox().key)
    assert refused.status_code == 422
    assert "Choose the mailbox" in refused.text


def test_an_import_by_the_right_is_run_again_without_the_password(web: WebOffice) -> None:
    ada = web.browser()
    ada.sign_in()
    upload_rows(ada, "grace@new.example", "eve@new.example")
    ada.post("/file/start")
    imports = list(web.deps.store.imports(limit=10))
    for import_ in imports:
        handle_ring(web.deps, import_.id)
    [grace] = [import_ for import_ in imports if import_.destination == mailbox()]
    ada.post(f"/imports/{grace.id}/again")
    ada.get("/new/mailbox")
    ada.post("/new/mailbox", password=RIGHT, server="imap.old.example", port="993")
    assert "You administer this domain" in ada.get("/new/review").text
    check = {"source": SOURCE.key, "destination": mailbox().key}
    assert '"look": "failed"' not in ada.client.get("/new/check", params=check).text
    assert ada.client.get("/new/check", params=check | {"destination": "x"}).status_code == 404
    refused = ada.post("/new/start", destination=mailbox("eve@new.example").key)
    assert refused.status_code == 422, "only the mailbox of the repeated import is allowed"
    location = ada.post("/new/start", destination=mailbox().key).headers["location"]
    assert "grace@new.example" in ada.get(location).text
    [owner] = {batch.owner for batch in web.deps.store.batches()}
    latest = web.deps.store.latest_import(grace.route, owner)
    assert latest is not None
    handle_ring(web.deps, latest.id)
    assert (latest.id != grace.id, latest.submitter) == (True, "ada@new.example")
    assert web.deps.store.import_(latest.id).state is State.COMPLETE  # type: ignore[union-attr]


def test_run_again_needs_the_password_once_the_right_is_gone(web: WebOffice) -> None:
    ada = web.browser()
    ada.sign_in()
    upload_rows(ada, "grace@new.example")
    ada.post("/file/start")
    [import_] = web.deps.store.imports(limit=10)
    handle_ring(web.deps, import_.id)
    ada.post(f"/imports/{import_.id}/again")
    ada.get("/new/mailbox")
    ada.post("/new/mailbox", password=RIGHT, server="imap.old.example", port="993")
    web.administrators.clear()
    page = ada.get("/new/review").text
    assert "As in the earlier import." in page
    assert "You administer this domain" not in page
    started = ada.post("/new/start", destination=mailbox().key)
    assert started.status_code == 422
    assert "Enter the password of this mailbox" in started.text
    check = {"source": SOURCE.key, "destination": mailbox().key}
    assert ada.client.get("/new/check", params=check).status_code == 404


def test_only_mailboxes_at_the_destination_host_give_the_right(web: WebOffice) -> None:
    def right(account: Account) -> BatchRight:
        return session_batch_right(web.deps, SessionData((VerifiedMailbox(account, Secret(RIGHT)),)))

    ada = mailbox("ada@new.example")
    assert right(ada).covers(mailbox())
    assert right(replace(ada, endpoint=Endpoint("imap.evil.example"))).domains == frozenset()
    assert right(replace(ada, login="eve@new.example")).domains == frozenset(), (
        "the login was verified, not the address"
    )


# --- The API ----------------------------------------------------------------------------------------

CELLS = {
    "source_address": "ada@old.example",
    "source_password": RIGHT,
    "source_server": "imap.old.example",
    "destination_address": "grace@new.example",
}
BATCH = (TokenScope.READ, TokenScope.WRITE, TokenScope.BATCH)


def test_a_token_with_the_right_starts_checks_undoes_and_runs_again(web: WebOffice) -> None:
    panel = Panel(web, "panel", *BATCH, domains={"new.example"})
    answer = panel.post("/batches", {"rows": [CELLS]})
    assert answer.status_code == 201, answer.text
    id_ = answer.json()["rows"][0]["import"]["id"]
    handle_ring(web.deps, ImportId(id_))
    assert panel.get(f"/imports/{id_}").json()["state"] == "complete"
    assert panel.post("/check", CELLS).json()["done"]
    again = panel.post(f"/imports/{id_}/run-again", {"source_password": RIGHT})
    assert again.status_code == 201, again.text
    handle_ring(web.deps, ImportId(again.json()["import"]["id"]))
    assert panel.post(f"/imports/{id_}/undo", {}).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"destination_address": "grace@other.example"},
        {"destination_address": "grace@mail.new.example"},
        {"destination_server": "imap.evil.example"},
        {"destination_server": "imaps://root%40new.example@imap.new.example"},
    ],
)
def test_a_token_with_the_right_opens_nothing_beyond_it(web: WebOffice, changes: dict[str, str]) -> None:
    panel = Panel(web, "panel", *BATCH, domains={"new.example"})
    for path, body in (("/imports", CELLS | changes), ("/check", CELLS | changes)):
        details = problem(panel.post(path, body), 422, "rows_refused")
        assert details["problems"][0]["column"] == "destination_password"
    assert [side for _, side in web.doors.knocks] == []


def test_tokens_without_the_right_need_the_password_everywhere(web: WebOffice) -> None:
    with_it = Panel(web, "panel", *BATCH, domains={"new.example"})
    id_ = with_it.post("/imports", CELLS).json()["rows"][0]["import"]["id"]
    handle_ring(web.deps, ImportId(id_))
    for domains in ({"new.example"}, set()):
        panel = Panel(web, "panel", TokenScope.READ, TokenScope.WRITE, domains=domains)
        problem(panel.post("/imports", CELLS), 422, "rows_refused")
        problem(panel.post(f"/imports/{id_}/undo", {}), 422, "request_invalid")
        problem(panel.post(f"/imports/{id_}/run-again", {"source_password": RIGHT}), 422, "request_invalid")
    unbound = Panel(web, "unbound", *BATCH)
    problem(unbound.post("/imports", CELLS), 422, "rows_refused")
    assert Panel(web, "admin", TokenScope.ADMIN).post("/imports", CELLS).status_code in (200, 201)


def test_without_a_master_user_there_is_no_right(tmp_path: Path) -> None:
    web = WebOffice(tmp_path, administrators=dict(ADMINISTRATORS))
    ada = web.browser()
    ada.sign_in()
    assert "The password is missing" in upload_rows(ada, "grace@new.example")
    for panel in (
        Panel(web, "panel", *BATCH, domains={"new.example"}),
        Panel(web, "admin", TokenScope.ADMIN),
    ):
        problem(panel.post("/imports", CELLS), 422, "rows_refused")
