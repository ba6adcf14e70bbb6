"""One batch with rows of every kind: plain, with an organisation's grant, with owner consent, throttled,
with a wrong password, and with a server that does not speak IMAP."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from importer.bootstrap import queued
from importer.domain.csv_import.row_parser import parse
from importer.domain.import_filter import ImportFilter
from importer.domain.import_state import ENDED
from importer.domain.model import BatchId, Import
from importer.domain.people.actor import Actor
from importer.service.access import owner_consent
from importer.service.access.sealed_grants import sign_in_method
from importer.service.deps import Deps
from importer.service.imports.submit import RowOutcome, submit
from importer.settings import Settings
from providers.endpoint import Endpoint
from providers.errors import LoginRejected
from providers.provider import PasswordKind, Provider
from tests.conftest import MakeUser
from tests.lookups import UsualNames
from tests.rehearsal.applications import PUBLIC_URL, SECRET, application
from tests.rehearsal.authority import Authority
from tests.rehearsal.authority_rules import JWT_BEARER
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.checker import compare
from tests.rehearsal.dovecot import Dovecot, DovecotOptions, dovecot
from tests.rehearsal.hosts import User, new_user
from tests.rehearsal.imitations.exchange import Exchange
from tests.rehearsal.imitations.server import Imitation, imitation
from tests.rehearsal.installation import Installation
from tests.rehearsal.ports import wait_until
from tests.rehearsal.sample import FOLDER_MAP, sample_mailbox
from tests.rehearsal.smtp import SmtpCatcher
from tests.rehearsal.valkey import Valkey

MAIL = tuple(sample_mailbox())[::5]
DATE = "02-Feb-2003 04:05:06 +0000"
PAUSE_S = 3
PATIENCE_S = 180
ADMIN = "admin@new.example"


class Owners(UsualNames):
    """Addresses of org.example are at Google and those of team.example at Microsoft, both in one Dovecot."""

    def __init__(self, server: Endpoint) -> None:
        super().__init__()
        self._server = server

    def for_address(self, address: str) -> Provider | None:
        match address.rpartition("@")[2]:
            case "org.example":
                return Provider("google", "Google", (), self._server, sign_in="google")
            case "team.example":
                none = PasswordKind.NONE
                return Provider(
                    "microsoft", "Microsoft", (), self._server, password=none, sign_in="microsoft"
                )
        return super().for_address(address)


@pytest.fixture
def token_host(tmp_path: Path, ca: CertificateAuthority, running_authority: Authority) -> Iterator[Dovecot]:
    """A mail host that accepts the tokens that `running_authority` issues."""
    options = DovecotOptions(
        separator=".",
        prefix="INBOX.",
        special_use=False,
        introspection_url=running_authority.introspection_url,
    )
    with dovecot(tmp_path / "token-host", options, ca=ca) as server:
        yield server


@pytest.fixture
def throttling(tmp_path: Path, ca: CertificateAuthority) -> Iterator[list[Imitation]]:
    """Three servers that imitate Exchange. Each requests a backoff at the first FETCH."""
    pause = f"BAD Request is throttled. Suggested Backoff Time: {PAUSE_S * 1000} milliseconds"
    with ExitStack() as running:
        servers = [running.enter_context(imitation(Exchange(), tmp_path, ca)) for _ in range(3)]
        for server in servers:
            server.says("UID FETCH", pause)
        yield servers


@pytest.fixture
def installation(
    tmp_path: Path,
    ca: CertificateAuthority,
    smtp: SmtpCatcher,
    valkey_server: Valkey,
    running_authority: Authority,
) -> Installation:
    key_file = tmp_path / "service-account.json"
    running_authority.add_service_account(key_file, "org.example")
    return Installation(
        tmp_path,
        {
            "CA_FILE": str(ca.ca_file),
            "SMTP_URL": smtp.url,
            "MAIL_FROM": "mailhaul@new.example",
            "REDIS_URL": valkey_server.url,
            "ALLOWED_NETWORKS": "127.0.0.0/8,::1/128",
            "TICK_SECONDS": "1",
            "SETTLE_QUIET_SECONDS": "1",
            "LOG_FORMAT": "json",
            "GOOGLE_SERVICE_ACCOUNT_FILE": str(key_file),
            "GOOGLE_ORGANISATION_DOMAINS": "org.example",
            "GOOGLE_AUTHORITY": running_authority.at("google"),
            **application(running_authority, "microsoft"),
        },
    )


@contextmanager
def opened(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deps]:
    """The dependencies of the installation, as a separate front end opens them."""
    with monkeypatch.context() as here:
        for name, value in installation.environment().items():
            if name.startswith("MAILHAUL_"):
                here.setenv(name, value)
        with queued(Settings.load()) as deps:
            yield deps


@dataclass
class Rows:
    """The lines of a batch, and its routes by kind."""

    lines: list[str]
    routes: dict[str, list[tuple[User, User]]]

    def add(self, kind: str, old: User, new: User, *, password: str, server: object = "") -> None:
        self.routes.setdefault(kind, []).append((old, new))
        cells = (old.account.address, password, str(server), new.account.address, new.password)
        self.lines.append(",".join((*cells, str(new.account.endpoint))))

    def addresses(self, kind: str) -> set[str]:
        return {old.account.address for old, _ in self.routes[kind]}


@pytest.fixture
def rows(
    old_host: Dovecot,
    new_host: Dovecot,
    token_host: Dovecot,
    throttling: list[Imitation],
    make_user: MakeUser,
    smtp: SmtpCatcher,
) -> Rows:
    """A batch of 25 rows."""
    made = Rows([], {})

    def filled(user: User) -> User:
        user.fill(MAIL)
        return user

    for _ in range(10):
        old = filled(make_user(old_host))
        made.add("plain", old, make_user(new_host), password=old.password, server=old.account.endpoint)
    for kind, domain in (("google", "org.example"), ("microsoft", "team.example")):
        for n in range(5):
            old = filled(new_user(token_host, f"ada{n}@{domain}"))
            made.add(kind, old, make_user(new_host), password="")
    for host in throttling:
        old = make_user(host)
        held = host.mailbox(old.account.login)
        for n in range(7):
            held.append(held.folders["INBOX"], (), DATE, b"Subject: %d\r\n\r\n%d\r\n" % (n, n))
        made.add("throttled", old, make_user(new_host), password=old.password, server=old.account.endpoint)
    old = filled(make_user(old_host))
    made.add("wrong", old, make_user(new_host), password="not-this-one", server=old.account.endpoint)
    nowhere = f"imaps://localhost:{smtp.url.rpartition(':')[2]}"  # a mail server that speaks SMTP
    made.add("no imap", make_user(old_host), make_user(new_host), password="any", server=nowhere)
    return made


def submitted(deps: Deps, rows: Rows, token_host: Dovecot) -> BatchId:
    head = (
        "source_address,source_password,source_server,destination_address,destination_password,"
        "destination_server"
    )
    parsed = parse(
        "\n".join([head, *rows.lines]).encode(),
        catalog=Owners(token_host.imaps),
        destination=None,
        sign_in=sign_in_method(deps.access, organisation=True),
    )
    assert [str(problem) for problem in parsed.problems] == []
    submission = submit(deps, Actor(notify=ADMIN, organisation=True), parsed.rows, name="all.csv")
    assert [row.outcome for row in submission.rows] == [RowOutcome.STARTED] * 25
    assert submission.batch is not None
    return submission.batch.id


def imports_of(deps: Deps, batch_id: BatchId) -> list[Import]:
    return list(deps.store.imports(ImportFilter(batch_id=batch_id)))


def waiting(imports: Sequence[Import]) -> list[Import]:
    return [import_ for import_ in imports if import_.state not in ENDED]


def consent_token_in(smtp: SmtpCatcher, address: str) -> str:
    """The token in the mail that asks the owner to sign in."""
    [mail] = smtp.to(address)
    text = mail.message.get_body(("plain",))
    assert text is not None
    [token] = re.findall(rf"{PUBLIC_URL}/consent/(\S+)", text.get_content())
    return str(token)


def legs(installation: Installation) -> dict[str, list[tuple[datetime, datetime, str | None]]]:
    """The start, end and problem of each leg, by import."""
    legs_by_import: dict[str, list[tuple[datetime, datetime, str | None]]] = {}
    for line in installation.log().splitlines():
        if '"leg.finished"' in line:
            event = json.loads(line)
            ended = datetime.fromisoformat(event["timestamp"]).replace(tzinfo=UTC)
            began = ended - timedelta(seconds=event["seconds"])
            legs_by_import.setdefault(event["import_id"], []).append((began, ended, event["problem"]))
    return legs_by_import


def test_rows_of_every_kind_end_as_expected_and_nothing_is_lost(
    installation: Installation,
    rows: Rows,
    token_host: Dovecot,
    running_authority: Authority,
    smtp: SmtpCatcher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with opened(installation, monkeypatch) as deps:
        batch_id = submitted(deps, rows, token_host)
        owners = rows.addresses("microsoft")
        with installation.worker(), installation.worker():
            # All other imports end before the owners sign in.
            assert wait_until(
                lambda: len(waiting(imports_of(deps, batch_id))) == 5, timeout_s=PATIENCE_S, every_s=0.2
            ), [(i.source.address, i.state, i.problem) for i in waiting(imports_of(deps, batch_id))]
            pending = waiting(imports_of(deps, batch_id))
            assert {entry.source.address for entry in pending} == owners
            assert {entry.problem.code for entry in pending if entry.problem} == {"consent_needed"}
            assert wait_until(lambda: bool(smtp.to(ADMIN)), timeout_s=PATIENCE_S)  # the summary so far
            listed = installation.json("show", batch_id)
            links = {entry["source"]["address"]: entry["consent_links"].get("source") for entry in listed}
            assert {address for address, link in links.items() if link} == owners
            tokens = {address: consent_token_in(smtp, address) for address in owners}
            stored_bytes = stored(installation)
            assert not [token for token in tokens.values() if token.encode() in stored_bytes]
            assert all(links[address].endswith(token) for address, token in tokens.items())

            first, *_ = sorted(owners)
            with pytest.raises(LoginRejected, match=f"mailbox={first}"):
                answered(deps, running_authority, tokens[first], account="grace@team.example")
            for token in tokens.values():
                answered(deps, running_authority, token)
            assert wait_until(
                lambda: not waiting(imports_of(deps, batch_id)), timeout_s=PATIENCE_S, every_s=0.2
            )
            assert wait_until(lambda: len(smtp.to(ADMIN)) > 1, timeout_s=PATIENCE_S)
        report = installation.json("report", batch_id, ends=3)

    ended = {entry["source"]["address"]: entry for entry in report["imports"]}
    for kind in ("plain", "google", "microsoft", "throttled"):
        for old, new in rows.routes[kind]:
            entry = ended[old.account.address]
            assert (entry["state"], entry["totals"]["adds_up"]) == ("complete", True), entry["verdict"]
            if kind == "throttled":
                assert entry["totals"]["copied"] == new.read().count() == 7
            else:
                assert compare(old.read(), new.read(), folder_map=FOLDER_MAP) == []
    why = {kind: ended[next(iter(rows.addresses(kind)))] for kind in ("wrong", "no imap")}
    assert {kind: (entry["state"], entry["problem"]["code"]) for kind, entry in why.items()} == {
        "wrong": ("stopped", "login_rejected"),
        "no imap": ("stopped", "not_an_imap_server"),
    }
    assert "password" in why["wrong"]["verdict"]
    assert report["states"] == {"complete": 23, "stopped": 2}
    assert report["totals"]["adds_up"]
    summaries = [mail.message.get_body(("plain",)) for mail in smtp.to(ADMIN)]
    so_far, final = (" ".join(body.get_content().split()) for body in summaries if body is not None)
    assert "18 of 25 mailboxes complete" in so_far
    assert "one more mail" in so_far
    assert "23 of 25 mailboxes complete" in final

    pauses = [entry for entry in legs(installation).values() if any(p == "throttled" for *_, p in entry)]
    assert len(pauses) == 3
    for import_legs in pauses:
        for (began, _, problem), (next_began, _, _) in pairwise(import_legs):
            if problem == "throttled":  # the backoff begins in the leg: its line in the log may be late
                assert timedelta(seconds=PAUSE_S) <= next_began - began

    assert running_authority.count(JWT_BEARER) >= 5
    assert running_authority.count("authorization_code") == 6
    logged = [json.loads(line) for line in installation.log().splitlines() if line.startswith("{")]
    assert len({line["worker"] for line in logged}) == 2
    assert all(line["host"] and line["version"] for line in logged)
    about_legs = [line for line in logged if line["event"] in ("leg.started", "leg.finished", "import.ended")]
    assert len({line["owner"] for line in about_legs}) == 1
    assert not [line for line in logged if "@" in line.get("owner", "")]
    everything = installation.log() + "".join(installation.transcript)
    assert SECRET not in everything
    refresh_tokens = [str(t.refresh_token) for t in running_authority.rules.tokens if t.refresh_token]
    assert len(refresh_tokens) >= 5
    stored_bytes = stored(installation)
    assert not [token for token in refresh_tokens if token in everything or token.encode() in stored_bytes]
    assert "not-this-one" not in everything


def stored(installation: Installation) -> bytes:
    """The contents of the database files."""
    return b"".join(file.read_bytes() for file in sorted(installation.data.glob("mailhaul.db*")))


def answered(deps: Deps, host: Authority, token: str, account: str = "") -> Any:
    """The owner opens the link and signs in."""
    question = owner_consent.begin(deps, token)
    return owner_consent.complete(deps, question.state, host.browse(question.url, account=account))
