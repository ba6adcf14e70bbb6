"""Rate limits of the pages, and that they cannot be circumvented."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from starlette.testclient import TestClient

from importer.domain.csv_import import csv_reader, row_parser
from importer.domain.model import Account
from importer.domain.people.api_tokens import TokenScope
from importer.service.access.api_clients import issue_token
from importer.service.access.client_networks import client_network
from importer.service.access.concurrency_limit import MAX_WAITING_PER_KEY, ConcurrencyLimit
from importer.service.access.login_attempts import (
    DELAY,
    PER_ACCOUNT,
    PER_DELAYED_ACCOUNT,
    PER_HOST,
    PER_KNOWN_BROWSER,
    LoginOrigin,
)
from importer.service.access.rate_limits import (
    CONSENT_REQUESTS_PER_PERSON,
    LOOKUPS_PER_PERSON,
    ROWS_PER_PERSON,
    RateLimited,
    consume,
)
from importer.service.access.web_sessions import verify_login
from importer.service.legs.run_leg import handle_ring
from providers.endpoint import Endpoint, Secret
from providers.errors import MailError, Side
from providers.grants import Credential
from tests.fakes.mailbox import MemoryMailbox
from tests.rehearsal.ports import PATIENCE_S, wait_until
from tests.unit.web_office import RIGHT, Browser, Doors, WebOffice

CSV = "source_address,source_password,source_server,destination_address,destination_password\n"


def browser_at(office: WebOffice, address: str) -> Browser:
    origin = office.settings.web_origin
    return Browser(TestClient(office.app, base_url=origin, follow_redirects=False, client=(address, 4711)))


def test_guesses_from_one_client_do_not_lock_the_owner_out(office: WebOffice) -> None:
    guessing = browser_at(office, "192.0.2.1")
    for _ in range(40):
        guessing.sign_in(password="wrong")
    assert browser_at(office, "192.0.2.2").sign_in().status_code == 303


def attack(office: WebOffice, guesses: int = PER_ACCOUNT.tries + 1) -> None:
    """Guesses at ada's mailbox from many networks."""
    for number in range(guesses):
        browser_at(office, f"198.51.{number // 200}.{number % 200}").sign_in(password="wrong")


def test_guesses_from_many_clients_delay_the_owner_and_do_not_lock_her_out(office: WebOffice) -> None:
    attack(office)
    owner = browser_at(office, "192.0.2.2")
    delayed = owner.sign_in()
    assert delayed.status_code == 422
    assert "Wait 10 seconds" in delayed.text
    office.office.clock.sleep(DELAY.total_seconds() + 1)
    assert owner.sign_in().status_code == 303


def test_an_attempt_before_the_delay_is_over_is_refused(office: WebOffice) -> None:
    attack(office)
    owner = browser_at(office, "192.0.2.2")
    knocks = len(office.doors.knocks)
    for _ in range(4):
        assert owner.sign_in().status_code == 422
    assert len(office.doors.knocks) == knocks


def test_delayed_guesses_are_limited_too(office: WebOffice) -> None:
    attack(office)
    knocks = len(office.doors.knocks)
    guessing = [browser_at(office, f"203.0.113.{number}") for number in range(PER_DELAYED_ACCOUNT.tries + 5)]
    for _ in range(2):
        for browser in guessing:
            browser.sign_in(password="wrong")
        office.office.clock.sleep(DELAY.total_seconds() + 1)
    assert len(office.doors.knocks) - knocks == PER_DELAYED_ACCOUNT.tries


def test_strangers_do_not_touch_a_browser_in_which_the_mailbox_has_signed_in(
    office: WebOffice,
) -> None:
    owner = browser_at(office, "192.0.2.2")
    owner.sign_in()
    owner.post("/sign-out")
    attack(office, 100)
    same_office = browser_at(office, "192.0.2.2")
    for number in range(80):
        same_office.sign_in(f"user{number}@new.example", "wrong")
    assert owner.sign_in().status_code == 303


def test_a_known_browser_is_no_way_to_guess(office: WebOffice) -> None:
    browser = office.browser()
    browser.sign_in()
    browser.post("/sign-out")
    knocks = len(office.doors.knocks)
    for _ in range(PER_KNOWN_BROWSER.tries + 5):
        browser.sign_in(password="wrong")
    assert len(office.doors.knocks) - knocks == PER_KNOWN_BROWSER.tries
    other = office.browser()
    other.client.cookies.set("known", browser.client.cookies["known"])
    for number in range(70):  # known for ada's mailbox only
        other.sign_in(f"user{number}@new.example", "wrong")
    assert len(office.doors.knocks) - knocks == PER_KNOWN_BROWSER.tries + 60


def test_rows_of_strangers_with_wrong_passwords_do_not_count_against_the_owner(office: WebOffice) -> None:
    for number in range(PER_ACCOUNT.tries):
        mallory = browser_at(office, f"198.51.100.{number}")
        mallory.sign_in(f"mallory{number}@new.example")
        mallory.post("/file", rows=CSV + f"m{number}@old.example,x,imap.old.example,ada@new.example,wrong\n")
        assert mallory.post("/file/start").status_code == 303
    assert browser_at(office, "192.0.2.2").sign_in().status_code == 303


def test_all_addresses_of_one_ipv6_network_are_one_client(office: WebOffice) -> None:
    for number in range(70):
        browser_at(office, f"2001:db8:1:2::{number:x}").sign_in(f"user{number}@new.example", "wrong")
    assert len(office.doors.knocks) == 60
    assert browser_at(office, "2001:db8:1:3::1").sign_in().status_code == 303


def test_guesses_at_many_mailboxes_from_many_clients_lock_no_other_mailbox_out(
    office: WebOffice,
) -> None:
    for number in range(PER_HOST.tries + 60):
        browser_at(office, f"198.51.{number // 200}.{number % 200}").sign_in(
            f"u{number}@new.example", "wrong"
        )
    assert len(office.doors.knocks) == PER_HOST.tries + 60
    assert browser_at(office, "192.0.2.2").sign_in().status_code == 303


@pytest.mark.parametrize(("side", "limit"), [(Side.SOURCE, PER_HOST.tries), (Side.DESTINATION, 400)])
def test_only_source_hosts_have_a_limit_for_all_their_mailboxes(
    office: WebOffice, side: Side, limit: int
) -> None:
    def try_one(number: int) -> bool:
        address = f"user{number}@new.example"
        account = Account(address, address, Endpoint("imap.new.example"))
        client = f"198.51.{number // 200}.{number % 200}"
        try:
            verify_login(office.deps, account, Secret("wrong"), side, LoginOrigin(client))
        except RateLimited:
            return False
        except MailError:
            return True
        raise AssertionError

    assert sum(try_one(number) for number in range(400)) == limit


@pytest.mark.parametrize(
    ("client", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8::1:0:0:1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_client_networks(client: str, network: str) -> None:
    assert client_network(client) == network


def test_a_whole_office_signs_in_from_one_address(office: WebOffice) -> None:
    for number in range(80):
        assert browser_at(office, "192.0.2.1").sign_in(f"user{number}@new.example").status_code == 303


def test_a_file_cannot_be_used_to_guess_passwords(office: WebOffice) -> None:
    """A worker would try each of them, and the page would show which one is right."""
    browser = office.browser()
    browser.sign_in()
    guesses = [f"a{n}@old.example,x,imap.old.example,grace@new.example,guess{n}\n" for n in range(20)]
    browser.post("/file", rows=CSV + "".join(guesses))
    answer = browser.post("/file/start")
    assert answer.status_code == 422
    assert "Too many attempts" in answer.text
    assert not office.deps.store.batches()


def test_files_cannot_be_used_to_try_many_mailboxes(office: WebOffice) -> None:
    browser = office.browser()
    browser.sign_in()
    started = 0
    for file in range(8):
        rows = [
            f"a{file}{n}@old.example,x,imap.old.example,b{file}{n}@new.example,y\n" for n in range(10, 35)
        ]
        browser.post("/file", rows=CSV + "".join(rows))
        started += browser.post("/file/start").status_code == 303
    assert started == ROWS_PER_PERSON.tries // 50


def test_rows_into_a_verified_mailbox_do_not_count_as_guesses(office: WebOffice) -> None:
    browser = office.browser()
    browser.sign_in()
    for _ in range(3):
        rows = [f"a{n}@old.example,x,imap.old.example,ada@new.example,{RIGHT}\n" for n in range(25)]
        browser.post("/file", rows=CSV + "".join(rows))
        assert browser.post("/file/start").status_code in {200, 303}
    assert len(office.deps.store.imports(limit=100)) == 25


def test_the_number_of_consent_requests_is_limited_per_person(office: WebOffice) -> None:
    office.office.access.open_at = frozenset({"google"})
    browser = office.browser()
    browser.sign_in()
    for _ in range(CONSENT_REQUESTS_PER_PERSON.tries - 2):
        consume(
            office.deps,
            {"asked:person:mailbox:ada@new.example imap.new.example": CONSENT_REQUESTS_PER_PERSON},
        )
    for number in range(5):
        browser.post("/new", address=f"user{number}@gmail.com")
        browser.post("/new/consent")
        browser.post("/new/start", destination="ada@new.example imap.new.example")
        browser.post("/new/remove", key=f"user{number}@gmail.com imap.gmail.com")
    assert len(office.deps.store.imports(limit=1000)) == 2


def test_organisation_wide_grants_are_not_used_for_the_pages(office: WebOffice) -> None:
    """Such a grant opens every mailbox of the organisation: on the pages, each owner must sign in."""
    office.office.access.organisations = {"google": frozenset({"gmail.com"})}
    browser = office.browser()
    browser.sign_in()
    for opened in (False, True):
        office.office.access.open_at = frozenset({"google"}) if opened else frozenset()
        browser.post("/new", address="somebody@gmail.com")
        browser.post("/new/consent")
        browser.post("/new/start", destination="ada@new.example imap.new.example")
        row = "somebody@gmail.com,,,ada@new.example,right\n"
        browser.post("/file", rows=CSV + row)
        browser.post("/file/start")
        for import_ in office.deps.store.imports():
            handle_ring(office.deps, import_.id)
            after = office.deps.store.import_(import_.id)
            assert after is not None
            assert after.problem is not None
            assert after.problem.code == "consent_needed"
    assert len(office.deps.store.imports()) == 1
    assert not office.doors.knocks[1:]


class Tarpit(Doors):
    """The host “imap.slow.example” does not respond until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0
        self.released = Event()

    def admit(self, account: Account, credential: Credential, side: Side) -> MemoryMailbox:
        if account.endpoint.host == "imap.slow.example":
            self.waiting += 1
            self.released.wait(PATIENCE_S)
        return super().admit(account, credential, side)


def test_a_slow_host_does_not_block_the_pages_of_other_people(office: WebOffice) -> None:
    slow = Tarpit()
    office.pages.state.site = replace(
        office.pages.state.site,
        deps=replace(office.deps, sessions=slow),
    )
    mallory = office.browser()
    mallory.sign_in("mallory@new.example")
    mallory.post("/new", address="mallory@old.example")

    def knock(_: int) -> int:
        return mallory.post("/new/mailbox", password=RIGHT, server="imap.slow.example").status_code

    with ThreadPoolExecutor(60) as pool:
        knocks = [pool.submit(knock, n) for n in range(60)]
        try:
            assert wait_until(lambda: sum(k.done() for k in knocks) == 60 - MAX_WAITING_PER_KEY)
            assert {k.result() for k in knocks if k.done()} == {422}
            assert wait_until(lambda: slow.waiting == MAX_WAITING_PER_KEY)
            assert office.browser().sign_in("grace@new.example").status_code == 303
        finally:
            slow.released.set()
    assert sum(k.result() == 303 for k in knocks) == MAX_WAITING_PER_KEY


def test_slots_are_limited_in_total_and_per_key() -> None:
    limit = ConcurrencyLimit(max_total=2, max_per_key=1)
    with limit.slot("ada"), limit.slot("grace"):
        for key in ("ada", "mallory"):
            with pytest.raises(RateLimited), limit.slot(key):
                raise AssertionError("no slot was free")
    with limit.slot("ada"), limit.slot("mallory"):
        pass


def file_of(domains: int, start: int = 0) -> str:
    """A file whose rows need a look-up each."""
    header = "source_address,source_password,source_server,destination_address,destination_password\n"
    return header + "".join(f"a@d{n}.example,x,,a{n}@new.example,y\n" for n in range(start, start + domains))


def test_look_ups_of_form_file_and_api_count_against_one_allowance(office: WebOffice) -> None:
    browser = office.browser()
    browser.sign_in()
    for start in range(0, LOOKUPS_PER_PERSON.tries, 25):
        browser.post("/file", rows=file_of(25, start))
        assert browser.get("/file/preview").status_code == 200
        assert browser.get("/file/preview").status_code == 200, "what is cached does not count"
    browser.post("/file", rows=file_of(1, start=1000))
    for answer in (
        browser.post("/new", address="ada@unknown.example"),
        browser.get("/file/preview"),
        browser.get("/file/annotated.csv"),
        browser.post("/file/start"),
    ):
        assert answer.status_code == 422
        assert "Too many domains were looked up" in answer.text
    assert browser.post("/new", address="ada@gmail.com").status_code == 303, "the catalog needs no look-up"
    other = office.browser()
    other.sign_in("grace@new.example")
    assert other.post("/new", address="ada@unknown.example").status_code == 303


def test_look_ups_of_an_api_client_are_counted_at_each_of_its_doors(office: WebOffice) -> None:
    token = issue_token(office.deps, "panel", [TokenScope.READ, TokenScope.WRITE])
    headers = {"Authorization": f"Bearer {token.secret.reveal()}"}
    panel = TestClient(office.app, base_url=office.settings.web_origin, headers=headers)
    csv = {"Content-Type": "text/csv"}
    for start in range(0, LOOKUPS_PER_PERSON.tries, 25):
        answer = panel.post("/api/v1/batches/csv", content=file_of(25, start), headers=csv)
        assert answer.status_code == 422
    row = {"source_address": "a@else.example", "destination_address": "a@new.example"}
    for answer in (
        panel.post("/api/v1/batches/csv", content=file_of(1, 1000), headers=csv),
        panel.post("/api/v1/detect", json={"address": "a@else.example"}),
        panel.post("/api/v1/check", json=row),
        panel.post("/api/v1/imports", json=row),
    ):
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests"), answer.text
        assert "domains" in answer.json()["detail"]


def test_a_file_with_too_many_rows_is_refused_before_anything_is_looked_up(office: WebOffice) -> None:
    browser = office.browser()
    browser.sign_in()
    browser.post("/file", rows=file_of(1000))
    page = browser.get("/file/preview").text
    assert "The file has 1,000 rows; the limit is 100." in page
    assert "1 problem must be fixed" in page
    assert page.count('<th scope="row"') == 25
    assert (
        office.deps.store.count(
            "lookup:person:mailbox:ada@new.example imap.new.example",
            office.deps.clock.now(),
            timedelta(hours=1),
        )
        == 1
    )


def test_each_page_reads_its_file_once_and_shows_a_bounded_number_of_problems(
    office: WebOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []

    def read_once(*words: Any, **options: Any) -> Any:
        reads.append(words)
        return csv_reader.read(*words, **options)

    monkeypatch.setattr(row_parser, "read", read_once)
    browser = office.browser()
    browser.sign_in()
    browser.post("/file", rows=file_of(0) + "x,,y,z,\n" * 25)
    for path in ("/file/correct", "/file/start"):
        reads.clear()
        form = {**browser.hidden.get(path, {}), "csrf": browser.csrf}
        assert browser.client.post(path, data=form).status_code == 303  # not followed
        assert len(reads) == 1, path
    reads.clear()
    assert browser.get("/file/annotated.csv").status_code == 200
    assert len(reads) == 1
    reads.clear()
    page = browser.get("/file/preview").text
    assert len(reads) == 1
    assert "125 problems must be fixed" in page
    assert "75 more problems are not shown" in page


def test_an_api_client_is_refunded_only_its_own_attempts(office: WebOffice) -> None:
    """Its attempts count for the mailbox; the limit per network client concerns the pages only."""
    for number in range(3):
        office.browser().sign_in(f"user{number}@new.example", "wrong")
    token = issue_token(office.deps, "panel", [TokenScope.WRITE]).secret.reveal()
    row = {
        "source_address": "ada@old.example",
        "source_password": RIGHT,
        "source_server": "imap.old.example",
        "destination_address": "ada@new.example",
        "destination_password": RIGHT,
    }
    panel = TestClient(office.app, base_url=office.settings.web_origin)
    answer = panel.post("/api/v1/check", json=row, headers={"Authorization": f"Bearer {token}"})
    assert answer.json()["source"]["look"] == "done", answer.text
    count = office.deps.store.count("login:client:testclient", office.deps.clock.now(), timedelta(hours=1))
    assert count == 3 + 1
