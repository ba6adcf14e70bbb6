"""Web sessions: idle limit, renewal, ending others, the only way in, and who counts as one person."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner

from importer.bootstrap import standalone
from importer.cli.command_table import console
from importer.domain.import_filter import ImportFilter
from importer.domain.model import Account, BatchId
from importer.domain.people.identities import PersonId
from importer.service.access.web_sessions import begin_session, find_session, sessions_of
from importer.settings import Settings
from importer.web import event_streams
from importer.web.pages import import_pages
from providers.endpoint import Endpoint
from tests.rehearsal.ports import PATIENCE_S
from tests.unit.test_destinations import Issuer
from tests.unit.test_live import guest_of
from tests.unit.web_office import HOST, RIGHT, WebOffice


def test_an_unused_session_ends_and_a_used_one_does_not(office: WebOffice) -> None:
    used, unused = office.browser(), office.browser()
    used.sign_in()
    unused.sign_in()
    for _ in range(4):
        office.office.clock.sleep(40 * 60)
        assert used.get("/new").status_code == 200
    assert unused.get("/new").headers["location"] == "/"


def test_an_open_page_alone_does_not_keep_a_session(office: WebOffice) -> None:
    browser = office.browser()
    browser.sign_in()
    batch = browser.start_import()
    for _ in range(4):
        office.office.clock.sleep(40 * 60)
        browser.get(f"{batch}/live")
    assert browser.get("/new").headers["location"] == "/"


def test_adding_a_mailbox_renews_the_token_and_keeps_the_draft(office: WebOffice) -> None:
    browser = office.browser()
    browser.sign_in()
    browser.post("/new", address="ada@old.example")
    before = browser.client.cookies["visit"]
    browser.get("/mailboxes")
    browser.post("/mailboxes", address="bob@new.example", password=RIGHT)
    after = browser.client.cookies["visit"]
    assert after != before
    assert find_session(office.deps, before) is None
    assert "bob@new.example" in browser.get("/mailboxes").text
    assert "ada@old.example" in browser.get("/new/mailbox").text


def test_a_person_ends_the_sessions_of_all_other_browsers(office: WebOffice) -> None:
    here, there, eve = office.browser(), office.browser(), office.browser()
    for browser, address in ((here, "ada@new.example"), (there, "ada@new.example"), (eve, "eve@new.example")):
        browser.sign_in(address)
    assert here.get("/activity").text.count("last used") == 2
    here.post("/activity/end-others")
    assert there.get("/new").headers["location"] == "/"
    assert here.get("/new").status_code == eve.get("/new").status_code == 200


def test_a_stream_ends_with_its_session(office: WebOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_streams, "SESSION_CHECKED_EVERY_S", 0.0)
    browser = office.browser()
    browser.sign_in()
    batch = BatchId(browser.start_import().removeprefix("/batches/"))
    guest = guest_of(office, browser, office.pages.state.site.feed)
    [import_] = office.deps.store.imports(ImportFilter(batch_id=batch))

    async def last_part() -> bytes:
        stream = import_pages._stream(guest, import_.id)
        part = await anext(stream)
        browser.post("/sign-out")
        return b"".join([part, *[more async for more in stream]])

    assert b"over" not in asyncio.run(asyncio.wait_for(last_part(), PATIENCE_S))


def test_the_operator_lists_and_ends_sessions(tmp_path: Path) -> None:
    data = ["--data", str(tmp_path)]
    with standalone(Settings.load(data=tmp_path)) as deps:
        begin_session(deps, PersonId("mailbox:ada@new.example"), (), client="192.0.2.7")
        shown = CliRunner().invoke(console, ["session", "list", *data]).output
        assert "mailbox:ada@new.example" in shown
        assert "192.0.2.7" in shown
        assert CliRunner().invoke(console, ["session", "end", "mailbox:eve", *data]).exit_code != 0
        ended = CliRunner().invoke(console, ["session", "end", "mailbox:ada@new.example", *data])
        assert ended.output.endswith("Ended 1 session.\n")
        assert not sessions_of(deps)
        assert "sessions.end" in CliRunner().invoke(console, ["audit", *data]).output


def test_openid_connect_can_be_the_only_way_in(tmp_path: Path) -> None:
    office = WebOffice(
        tmp_path,
        {
            "password_sign_in": False,
            "openid_issuer": "https://issuer.example",
            "openid_client_id": "id",
            "openid_client_secret": "secret",
            "public_url": "https://mailhaul.example.org",
        },
        people=Issuer(),
    )
    browser = office.browser()
    assert 'name="password"' not in browser.get("/").text
    assert browser.post("/sign-in", address="ada@new.example", password=RIGHT).status_code == 403
    assert not office.doors.knocks


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Ada", "ada", True),
        ("ÉMILE", "émile", True),
        ("\u212aate", "kate", False),  # KELVIN SIGN
        ("\u212bke", "åke", False),  # ANGSTROM SIGN
        ("strasse", "straße", False),
        ("ﬁona", "fiona", False),
        ("İda", "ida", False),
    ],
)
def test_letters_that_only_look_alike_are_different_people(one: str, other: str, *, same: bool) -> None:
    keys = {
        Account(f"{name}@new.example", f"{name}@new.example", Endpoint(HOST.host)).key
        for name in (one, other)
    }
    assert len(keys) == (1 if same else 2)
