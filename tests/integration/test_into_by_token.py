"""Copies into mailboxes that accept tokens: with an organisation's permission or their owners' consent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from importer.bootstrap import standalone
from importer.domain.csv_import.import_rows import Row
from importer.domain.import_state import ENDED
from importer.domain.model import Import, ImportId, State
from importer.domain.people.actor import Actor
from importer.domain.reporting.mailbox_check import CheckPhase
from importer.engine.leg_context import TransferLimits
from importer.service.access import consent_requests, owner_consent
from importer.service.access.sealed_grants import row_credentials
from importer.service.deps import Deps
from importer.service.imports.check_mailboxes import check
from importer.service.imports.finish import report_of
from importer.service.imports.foreground_copy import copy
from importer.service.imports.submit import submit
from importer.service.imports.undo_import import UndoRefused, undo, undo_credential
from importer.service.legs.run_leg import handle_ring
from importer.settings import Settings
from providers.endpoint import Secret
from providers.errors import LoginRejected, Side
from providers.mailbox_access import MailboxAccess
from providers.provider import PasswordKind, Provider
from tests.rehearsal.applications import PUBLIC_URL, everything_set_up
from tests.rehearsal.authority import Authority
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.checker import compare
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.fill import INBOX, Stored
from tests.rehearsal.hosts import User, new_user
from tests.rehearsal.imitations.exchange import Exchange
from tests.rehearsal.imitations.gmail import Gmail
from tests.rehearsal.imitations.server import Imitation, imitation
from tests.rehearsal.imitations.talk import Dialect
from tests.rehearsal.proxy import cutting_proxy

DATE = datetime(2020, 1, 1, tzinfo=UTC)
MAIL = [
    Stored(
        INBOX if n % 2 else ("Box",),
        ("\\Flagged",) if n % 3 == 0 else (),
        DATE,
        b"Subject: %d\r\n\r\n%d\r\n" % (n, n),
    )
    for n in range(12)
]
HOSTS = {
    "google": Provider("google", "Google", (), None, sign_in="google"),
    "microsoft": Provider(
        "microsoft", "Microsoft", (), None, password=PasswordKind.NONE, sign_in="microsoft"
    ),
}


@pytest.fixture(scope="module")
def access(running_authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> MailboxAccess:
    """Owners can sign in at both providers; organisation grants cover new.example."""
    key_file = tmp_path_factory.mktemp("keys") / "service-account.json"
    return everything_set_up(running_authority, key_file, "new.example")


@pytest.fixture
def deps(access: MailboxAccess, mail_host: Dovecot, tmp_path: Path) -> Iterator[Deps]:
    settings = Settings.load(data=tmp_path, ca_file=mail_host.ca_file, settle_quiet_seconds=0)
    with standalone(settings) as made:
        yield replace(made, access=access, public_url=PUBLIC_URL)


def filled(host: Dovecot, name: str) -> User:
    user = new_user(host, name)
    user.fill(MAIL)
    return user


def run_legs(
    deps: Deps, import_id: ImportId, until: Callable[[Import], bool] = lambda i: i.state in ENDED
) -> Import:
    """Run legs until the condition holds, and return the import."""
    for _ in range(60):
        handle_ring(deps, import_id)
        import_ = deps.store.import_(import_id)
        assert import_ is not None
        if until(import_):
            return import_
        deps.clock.sleep(0.05)
    raise AssertionError(import_)


def waits_for_owner(import_: Import) -> bool:
    return import_.problem is not None and import_.problem.code == "consent_needed"


def submitted(deps: Deps, row: Row) -> Import:
    [placed] = submit(deps, Actor(), [row]).rows
    import_ = deps.store.import_(placed.import_.id)
    assert import_ is not None
    assert waits_for_owner(import_)
    return import_


def sign_in_owner(deps: Deps, host: Authority, import_: Import, side: Side, account: str = "") -> None:
    """The owner opens the link of that side and agrees."""
    token = consent_requests.links(deps, [import_])[import_.id][side].rpartition("/")[2]
    question = owner_consent.begin(deps, token)
    owner_consent.complete(deps, question.state, host.browse(question.url, account=account))


def open_consents(host: Authority, mailbox: str) -> int:
    """How many consents of the owner are still valid at Google, which supports revocation."""
    tokens = [t for t in host.rules.tokens if (t.mailbox, t.client.client_id) == (mailbox, "mailhaul-google")]
    return len({t.family for t in tokens} - {t.family for t in tokens if t.revoked})


# --- With an organisation's permission ------------------------------------------------------------------


@pytest.mark.parametrize("provider", list(HOSTS))
@pytest.mark.usefixtures("host")
def test_an_organisation_grant_opens_a_destination_for_check_copy_and_undo(
    deps: Deps, mail_host: Dovecot, provider: str
) -> None:
    old = filled(mail_host, f"ada.{provider}@old.example")
    new = new_user(mail_host, f"ada.{provider}@new.example")
    row = Row(1, old.account, Secret(old.password), new.account, None, "", provider)
    opened = row_credentials(deps, Actor(organisation=True), row)
    *_, result = check(deps, (old.account, opened.source), (new.account, opened.destination))
    assert (result.done, result.destination.look) == (True, CheckPhase.DONE)
    ended = copy(deps, Actor(organisation=True), row)
    assert ended.state is State.COMPLETE
    assert compare(old.read(), new.read()) == []
    credential = undo_credential(deps, ended, HOSTS[provider], organisation=True)
    assert credential is not None
    assert undo(deps, ended, credential).totals.removed == len(MAIL)


@contextmanager
def running_imitation(
    dialect: Dialect, host: Authority, ca: CertificateAuthority, root: Path
) -> Iterator[Imitation]:
    def opens(name: str, token: str) -> bool:
        return any(
            issued.access_token == token and issued.mailbox in ("", name) and not issued.is_expired()
            for issued in host.rules.tokens
        )

    with imitation(dialect, root, ca, opens) as server:
        yield server


@pytest.mark.parametrize(
    ("dialect", "provider"), [(Exchange(passwords=False), "microsoft"), (Gmail(), "google")]
)
def test_copies_into_exchange_and_gmail(
    deps: Deps,
    host: Authority,
    mail_host: Dovecot,
    ca: CertificateAuthority,
    tmp_path: Path,
    dialect: Dialect,
    provider: str,
) -> None:
    old = filled(mail_host, f"ada.{dialect.name.partition('.')[0].lower()}@old.example")
    with running_imitation(dialect, host, ca, tmp_path) as server:
        new = new_user(server, "grace@new.example")
        row = Row(1, old.account, Secret(old.password), new.account, None, "", provider)
        ended = copy(deps, Actor(organisation=True), row)
        report = report_of(deps, ended)
        folders = server.mailbox(new.account.login).folders
        letters = [letter for name in ("INBOX", "Box") for letter in folders[name].letters.values()]
    assert ended.state is State.COMPLETE, ended.problem
    assert report.totals.copied == len(MAIL)
    assert len(letters) == len(MAIL)
    for letter in letters:
        number = int(letter.content.split(b"\r\n")[-2])
        assert ("\\Flagged" in letter.flags) == (number % 3 == 0), letter


# --- With its owner's consent ---------------------------------------------------------------------------


def test_five_second_tokens_and_two_second_legs_at_the_destination(
    deps: Deps, host: Authority, mail_host: Dovecot
) -> None:
    """Each leg uses the refresh token that the previous leg stored: an older token is refused."""
    old, new = new_user(mail_host, "ada5@old.example"), new_user(mail_host, "grace5@team.example")
    old.fill(
        Stored(INBOX, (), DATE, b"Subject: number %d\r\n\r\n%s\r\n" % (n, b"x" * 1500)) for n in range(600)
    )
    host.rules.life_s = 5
    pace = TransferLimits(batch_messages=10, lanes=2, settle_quiet=timedelta(0))
    deps = replace(deps, deadlines=replace(deps.deadlines, leg=timedelta(seconds=2)), transfer_limits=pace)
    with cutting_proxy(mail_host.imaps) as slow:
        slow.bytes_per_s = 40_000
        into = replace(new.account, endpoint=slow.endpoint)
        row = Row(1, old.account, Secret(old.password), into, None, "", "microsoft")
        import_ = submitted(deps, row)
        sign_in_owner(deps, host, import_, Side.DESTINATION)
        ended = run_legs(deps, import_.id)
    assert ended.state is State.COMPLETE, ended.problem
    assert compare(old.read(), new.read()) == []
    assert report_of(deps, ended).totals.copied == 600
    assert host.count("refresh_token") >= 3
    tokens = [token for token in host.rules.tokens if token.mailbox == new.account.address]
    assert sum(not token.replaced for token in tokens) == 1, "one consent, renewed repeatedly"


@pytest.mark.parametrize("first", Side)
def test_two_owners_sign_in_one_after_the_other(
    deps: Deps, host: Authority, mail_host: Dovecot, first: Side
) -> None:
    old = filled(mail_host, f"ada.{first}@old.example")
    new = new_user(mail_host, f"ada.{first}@team.example")
    import_ = submitted(deps, Row(1, old.account, None, new.account, None, "microsoft", "google"))
    addresses = {side: import_.account(side).address for side in Side}
    then = next(side for side in Side if side is not first)
    with pytest.raises(LoginRejected, match=f"mailbox={addresses[first]}"):
        sign_in_owner(deps, host, import_, first, account=addresses[then])
    assert consent_requests.pending_sides(deps, import_) == tuple(Side)
    sign_in_owner(deps, host, import_, first)
    waiting = run_legs(deps, import_.id, waits_for_owner)
    assert waiting.problem is not None
    assert waiting.problem.side is then
    assert new.read().count() == 0
    sign_in_owner(deps, host, waiting, then)
    ended = run_legs(deps, import_.id)
    assert ended.state is State.COMPLETE, ended.problem
    assert compare(old.read(), new.read()) == []
    assert open_consents(host, addresses[Side.DESTINATION]) == 0, "revoked at Google"
    assert deps.store.grants(import_.id) is None


def test_a_consent_is_revoked_when_the_other_owner_never_signs_in(
    deps: Deps, host: Authority, mail_host: Dovecot
) -> None:
    old, new = filled(mail_host, "late@old.example"), new_user(mail_host, "early@team.example")
    in_time = timedelta(seconds=10)  # enough for a sign-in on a busy machine
    deps = replace(deps, deadlines=replace(deps.deadlines, consent=in_time))
    import_ = submitted(deps, Row(1, old.account, None, new.account, None, "microsoft", "google"))
    sign_in_owner(deps, host, import_, Side.DESTINATION)
    assert open_consents(host, new.account.address) == 1
    deps.clock.sleep(in_time.total_seconds())
    ended = run_legs(deps, import_.id)
    assert ended.problem is not None
    assert (ended.state, ended.problem.code, ended.problem.side) == (
        State.STOPPED,
        "consent_expired",
        Side.SOURCE,
    )
    assert open_consents(host, new.account.address) == 0
    assert new.read().count() == 0


def test_a_consent_withdrawn_at_the_destination_stops_the_import_and_a_new_import_completes(
    deps: Deps, host: Authority, mail_host: Dovecot
) -> None:
    old, new = filled(mail_host, "ada.back@old.example"), new_user(mail_host, "grace.back@team.example")
    row = Row(1, old.account, Secret(old.password), new.account, None, "", "google")
    import_ = submitted(deps, row)
    sign_in_owner(deps, host, import_, Side.DESTINATION)
    host.withdraw(new.account.address)
    ended = run_legs(deps, import_.id)
    assert ended.problem is not None
    assert (ended.state, ended.problem.code, ended.problem.side) == (
        State.STOPPED,
        "grant_expired",
        Side.DESTINATION,
    )
    again = submitted(deps, row)
    sign_in_owner(deps, host, again, Side.DESTINATION)
    assert run_legs(deps, again.id).state is State.COMPLETE
    assert compare(old.read(), new.read()) == []


def test_an_undo_reports_that_the_owners_consent_has_ended(
    deps: Deps, host: Authority, mail_host: Dovecot
) -> None:
    old, new = filled(mail_host, "ada.undo@old.example"), new_user(mail_host, "grace.undo@team.example")
    import_ = submitted(deps, Row(1, old.account, Secret(old.password), new.account, None, "", "microsoft"))
    sign_in_owner(deps, host, import_, Side.DESTINATION)
    ended = run_legs(deps, import_.id)
    assert ended.state is State.COMPLETE
    with pytest.raises(UndoRefused, match="undo_closed"):
        undo_credential(deps, ended, HOSTS["microsoft"], organisation=True)
    assert undo_credential(deps, ended, HOSTS["google"], organisation=True) is None, (
        "an app password opens it"
    )
    assert undo(deps, ended, Secret(new.password)).totals.removed == len(MAIL)
