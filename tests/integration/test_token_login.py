"""Logging in with access tokens at a real Dovecot, which introspects each at the authorisation server."""

from __future__ import annotations

import imaplib
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from secrets import token_urlsafe

import pytest

from importer.adapters.imap.factory import ImapSessions
from importer.adapters.imap.imapclient_adapter import Client, Timeouts
from importer.adapters.imap.open_connection import tls_context
from importer.adapters.imap.reader import ImapReader
from importer.adapters.imap.sasl import OAUTHBEARER, XOAUTH2, mechanism_of
from importer.bootstrap import standalone
from importer.domain.csv_import.import_rows import Row
from importer.domain.model import Account, State
from importer.domain.people.actor import Actor
from importer.engine.leg_context import TransferLimits
from importer.oauth_setup import login_help
from importer.ports.mailbox import LabelView, MailboxReader, MailboxWriter
from importer.ports.work_limit import WorkLimit
from importer.service.imports.finish import report_of
from importer.service.imports.foreground_copy import copy
from importer.settings import Settings
from providers.catalog import Catalog
from providers.endpoint import Endpoint, Secret
from providers.errors import GrantExpired, LoginRejected, MailError, ServerUnavailable, Side
from providers.grants import AccessTokens, Credential, OAuthGrant
from providers.mailbox_access import MailboxAccess
from providers.sign_in_providers import SIGN_IN_PROVIDERS
from providers.text import Text
from tests.english import said
from tests.rehearsal.applications import everything_set_up
from tests.rehearsal.authority import Authority
from tests.rehearsal.checker import compare
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.fill import INBOX, Stored
from tests.rehearsal.hosts import User, new_user
from tests.rehearsal.proxy import cutting_proxy
from tests.rehearsal.scripted import CAPABILITIES, scripted_server, usual_answer

ADA = "ada@old.example"
ONE, TWO = Secret(token_urlsafe()), Secret(token_urlsafe())  # so that no line of the source contains them


@pytest.fixture(scope="module")
def access(running_authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> MailboxAccess:
    key_file = tmp_path_factory.mktemp("keys") / "service-account.json"
    return everything_set_up(running_authority, key_file, "old.example")


@dataclass
class SignedIn:
    """The tokens of an owner's consent, and the grants that were saved."""

    tokens: AccessTokens
    saved: list[OAuthGrant] = field(default_factory=list)


def sign_in(host: Authority, access: MailboxAccess, mailbox: str, provider: str = "google") -> SignedIn:
    question = access.begin_sign_in(provider, mailbox)
    consent = access.complete_sign_in(provider, question, host.browse(question.url), mailbox)
    saved: list[OAuthGrant] = []
    credential = access.credential(consent.grant, mailbox, saved.append, initial_token=consent.token)
    assert not isinstance(credential, Secret)
    return SignedIn(credential, saved)


def sessions(ca_file: Path | None) -> ImapSessions:
    catalog = Catalog.load()

    def help_(account: Account, words: str, *, by_token: bool) -> Text | None:
        return login_help(catalog, account, words, by_token=by_token)

    return ImapSessions(ca_file=ca_file, timeouts=Timeouts(connect_s=5, io_s=20), login_help=help_)


def opened(mail_host: Dovecot, credential: Credential, mailbox: str = ADA) -> ImapReader:
    return sessions(mail_host.ca_file).open_source(mail_host.account(mailbox), credential)


def problem(call: Callable[[], object], *hidden: Secret) -> MailError:
    """The error that the call raises, after checking that it does not lead to the tokens."""
    with pytest.raises(MailError) as caught:
        call()
    error = caught.value
    assert error.side is Side.SOURCE
    assert said(error).endswith(".")
    report = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    for secret in hidden:
        assert secret.reveal() not in report + repr(vars(error)) + repr(error.args)
    return error


@dataclass
class Fixed:
    """Returns the given tokens in order, and records each `refused`."""

    values: list[Secret]
    refusals: list[bool] = field(default_factory=list)

    def access_token(self, *, refused: bool = False) -> Secret:
        self.refusals.append(refused)
        return self.values[min(len(self.refusals), len(self.values)) - 1]


# --- Successful logins --------------------------------------------------------------------------------


@pytest.mark.parametrize("mechanism", [XOAUTH2, OAUTHBEARER])
def test_both_mechanisms_log_in_and_report_the_reason_of_a_refusal(
    host: Authority, access: MailboxAccess, mail_host: Dovecot, mechanism: str
) -> None:
    token = sign_in(host, access, ADA).tokens.access_token()
    for secret, lets_in in ((token, True), (Secret("wr0ng"), False)):
        client = Client(mail_host.imaps, tls_context(mail_host.ca_file), Timeouts())
        exchange = mechanism_of(mechanism, ADA, secret, mail_host.imaps)
        if lets_in:
            client.authenticate(mechanism, exchange)
            assert "UIDPLUS" in client.fresh_capabilities()
            client.logout()
        else:
            with pytest.raises(imaplib.IMAP4.error):
                client.authenticate(mechanism, exchange)
            assert "{" in exchange.server_reason
            client.close_abruptly()


@pytest.mark.parametrize("provider", SIGN_IN_PROVIDERS)
def test_an_owners_consent_opens_the_mailbox(
    host: Authority, access: MailboxAccess, mail_host: Dovecot, provider: str
) -> None:
    session = opened(mail_host, sign_in(host, access, ADA, provider).tokens)
    assert session.status("INBOX").messages == 0
    session.close()
    assert host.count("refresh_token") == 0


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize("provider", ["google", "microsoft"])
def test_an_organisation_grant_opens_the_mailbox(
    access: MailboxAccess, mail_host: Dovecot, provider: str
) -> None:
    grant = access.organisation_grant(provider, ADA)
    assert grant is not None
    session = opened(mail_host, access.credential(grant, ADA, lambda _grant: None))
    assert session.status("INBOX").messages == 0
    session.close()


def test_a_refused_token_is_replaced_once_and_then_logs_in(
    host: Authority, access: MailboxAccess, mail_host: Dovecot
) -> None:
    owner = sign_in(host, access, ADA)
    stale = host.rules.by_token(owner.tokens.access_token().reveal())
    assert stale is not None
    stale.ends_at = 0
    opened(mail_host, owner.tokens).close()
    assert host.count("refresh_token") == 1
    assert len(owner.saved) == 1


# --- Failures -----------------------------------------------------------------------------------------


def test_a_token_for_another_mailbox_is_refused_with_advice(
    host: Authority, access: MailboxAccess, mail_host: Dovecot
) -> None:
    owner = sign_in(host, access, "eve@old.example")
    token = owner.tokens.access_token()
    error = problem(lambda: opened(mail_host, owner.tokens), token)
    assert type(error) is LoginRejected
    assert "sign in again" in said(error)
    assert error.server_text
    assert host.count("refresh_token") == 1


def test_a_withdrawn_consent_is_reported_at_the_next_login(
    host: Authority, access: MailboxAccess, mail_host: Dovecot
) -> None:
    owner = sign_in(host, access, ADA)
    token = owner.tokens.access_token()
    host.withdraw(ADA)
    error = problem(lambda: opened(mail_host, owner.tokens), token)
    assert type(error) is GrantExpired
    assert "sign in to Google again" in said(error)


def test_an_authorisation_server_that_is_down_is_unavailable(
    host: Authority, access: MailboxAccess, mail_host: Dovecot
) -> None:
    host.rules.life_s = 0
    owner = sign_in(host, access, ADA)
    host.trouble = lambda _form: (503, {}, "")
    assert type(problem(lambda: opened(mail_host, owner.tokens))) is ServerUnavailable


def test_each_token_is_sent_once_and_only_one_replacement_is_tried() -> None:
    challenge = b"+ eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIn0=\r\n"  # as Google sends it for XOAUTH2

    def answer(command: str) -> bytes | None:
        if command == "CAPABILITY":
            return usual_answer(command, CAPABILITIES.replace("AUTH=PLAIN", "AUTH=XOAUTH2"))
        if command == "AUTHENTICATE XOAUTH2":
            return b"+ \r\n"
        if command == "CREDENTIALS":  # the token, and then the empty line after the challenge
            refused = server.commands.count("CREDENTIALS") % 2 == 0
            return (
                b"TAG NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)\r\n" if refused else challenge
            )
        return None

    tokens = Fixed([ONE, TWO])
    with scripted_server(answer) as server:
        account = Account("ada@gmail.com", "ada@gmail.com", server.endpoint)
        error = problem(
            lambda: sessions(None).open_source(account, tokens),
            Secret("t0k3n-one"),
            Secret("t0k3n-two"),
        )
    assert type(error) is LoginRejected
    assert "Invalid credentials" in error.server_text
    assert '"status":"400"' in error.server_text
    assert tokens.refusals == [False, True]


REFUSALS = [
    ("ada@gmail.com", b"NO [ALERT] Your account is not enabled for IMAP use. (Failure)", "IMAP on in Gmail"),
    ("ada@gmail.com", b"NO [WEBALERT https://old.example/x] Web login required.", "confirm that it was you"),
    ("ada@outlook.com", b"BAD User is authenticated but not connected.", "IMAP is switched on"),
    ("ada@outlook.com", b"NO AUTHENTICATE failed.", "FullAccess"),
]


@pytest.mark.parametrize(("mailbox", "reply", "word"), REFUSALS)
def test_each_refusal_explains_what_to_do(mailbox: str, reply: bytes, word: str) -> None:
    def answer(command: str) -> bytes | None:
        if command == "CAPABILITY":
            return usual_answer(command, CAPABILITIES.replace("AUTH=PLAIN", "AUTH=XOAUTH2"))
        if command == "AUTHENTICATE XOAUTH2":
            return b"+ \r\n"
        return b"TAG " + reply + b"\r\n" if command == "CREDENTIALS" else None

    with scripted_server(answer) as server:
        account = Account(mailbox, mailbox, server.endpoint)
        error = problem(lambda: sessions(None).open_source(account, Fixed([ONE])), ONE)
    assert type(error) is LoginRejected
    assert word in said(error)


def test_an_exchange_login_that_opens_no_mailbox_is_reported() -> None:
    def answer(command: str) -> bytes | None:
        if command == "CAPABILITY":
            return usual_answer(command, CAPABILITIES.replace("AUTH=PLAIN", "AUTH=XOAUTH2"))
        if command == "AUTHENTICATE XOAUTH2":
            return b"+ \r\n"
        if command == "CREDENTIALS":
            return b"TAG OK AUTHENTICATE completed.\r\n"
        return b"TAG BAD User is authenticated but not connected.\r\n"

    def list_folders(endpoint: Endpoint) -> None:
        account = Account("ada@outlook.com", "ada@outlook.com", endpoint)
        session = sessions(None).open_source(account, Fixed([ONE]))
        try:
            session.folders()
        finally:
            session.close()

    with scripted_server(answer) as server:
        error = problem(lambda: list_folders(server.endpoint), ONE)
    assert type(error) is LoginRejected
    assert "belongs to another mailbox" in said(error)


def test_a_host_that_accepts_only_passwords_is_reported() -> None:
    with scripted_server() as server:
        account = Account(ADA, ADA, server.endpoint)
        error = problem(lambda: sessions(None).open_source(account, Fixed([ONE])), ONE)
    assert type(error) is LoginRejected
    assert "passwords only" in said(error)


def test_microsoft_without_passwords_suggests_signing_in() -> None:
    def answer(command: str) -> bytes | None:
        capabilities = CAPABILITIES.replace("AUTH=PLAIN", "AUTH=XOAUTH2 LOGINDISABLED")
        return usual_answer(command, capabilities) if command == "CAPABILITY" else None

    with scripted_server(answer) as server:
        account = Account("ada@outlook.com", "ada@outlook.com", server.endpoint)
        error = problem(lambda: sessions(None).open_source(account, ONE), ONE)
    assert type(error) is LoginRejected
    assert "sign in with Microsoft" in said(error)


# --- Foreground copies --------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", ["google", "microsoft"])
@pytest.mark.usefixtures("host")
def test_a_copy_uses_the_grant_of_an_organisation(
    access: MailboxAccess, mail_host: Dovecot, provider: str, tmp_path: Path
) -> None:
    old = new_user(mail_host, f"ada.{provider}@old.example")
    new = new_user(mail_host, f"grace.{provider}@new.example")
    old.fill([Stored(INBOX, (), datetime(2020, 1, 1, tzinfo=UTC), b"Subject: one\r\n\r\none\r\n")])
    row = Row(1, old.account, None, new.account, Secret(new.password), provider)
    with standalone(Settings.load(data=tmp_path, ca_file=mail_host.ca_file)) as deps:
        assert copy(replace(deps, access=access), Actor(organisation=True), row).state is State.COMPLETE
        with pytest.raises(GrantExpired, match=r"grant_expired\.needs_owner"):
            copy(deps, Actor(organisation=True), row)
    assert compare(old.read(), new.read()) == []


# --- Tokens that expire during a session --------------------------------------------------------------


def test_reconnecting_sessions_use_a_fresh_token(
    host: Authority, access: MailboxAccess, mail_host: Dovecot
) -> None:
    owner = sign_in(host, access, ADA)
    with cutting_proxy(mail_host.imaps) as proxy:
        account = replace(mail_host.account(ADA), endpoint=proxy.endpoint)
        made = sessions(mail_host.ca_file)
        with ThreadPoolExecutor(8) as pool:
            opened_sessions = list(pool.map(lambda _n: made.open_source(account, owner.tokens), range(8)))
            for token in host.rules.tokens:
                token.ends_at = 0
            host.slow_s = 0.1
            proxy.cut()
            assert {s.messages for s in pool.map(lambda each: each.status("INBOX"), opened_sessions)} == {0}
        for session in opened_sessions:
            session.close()
    assert host.count("refresh_token") == 1
    assert host.at_once() == 1


class _ByToken:
    """A session factory that opens each mailbox with the tokens of its side."""

    def __init__(self, inner: ImapSessions, source: AccessTokens, destination: AccessTokens) -> None:
        self._inner = inner
        self._source = source
        self._destination = destination

    def open_source(
        self,
        account: Account,
        _credential: Credential,
        labels: LabelView | None = None,
        limit: WorkLimit | None = None,
    ) -> MailboxReader:
        return self._inner.open_source(account, self._source, labels, limit)

    def open_destination(
        self, account: Account, _credential: Credential, limit: WorkLimit | None = None
    ) -> MailboxWriter:
        return self._inner.open_destination(account, self._destination, limit)


def test_five_second_tokens_last_through_a_copy_of_two_thousand_messages(
    host: Authority,
    access: MailboxAccess,
    mail_host: Dovecot,
    tmp_path: Path,
) -> None:
    old, new = (new_user(mail_host, name) for name in ("ada2000@old.example", "grace2000@new.example"))
    date = datetime(2020, 1, 1, tzinfo=UTC)
    old.fill(
        Stored(INBOX if n % 2 else ("Box",), (), date, b"Subject: number %d\r\n\r\n%s\r\n" % (n, b"x" * 1500))
        for n in range(2000)
    )
    host.rules.life_s, host.slow_s = 5, 0.05
    owners = (
        sign_in(host, access, old.account.address),
        sign_in(host, access, new.account.address, "microsoft"),
    )
    over = threading.Event()
    with (
        cutting_proxy(mail_host.imaps) as source,
        cutting_proxy(mail_host.imaps) as destination,
        standalone(Settings.load(data=tmp_path, ca_file=mail_host.ca_file, settle_quiet_seconds=0)) as deps,
    ):

        def interrupt() -> None:
            """Cut connections, so that sessions have to log in again with valid tokens."""
            cuts = 0
            while not over.wait(2.0):
                (destination if cuts % 3 == 2 else source).cut()
                cuts += 1

        source.bytes_per_s = 130_000
        own = replace(
            deps,
            sessions=_ByToken(sessions(mail_host.ca_file), owners[0].tokens, owners[1].tokens),
            transfer_limits=TransferLimits(batch_messages=50, lanes=2, settle_quiet=timedelta(0)),
        )
        row = Row(1, _at(old, source.endpoint), Secret(""), _at(new, destination.endpoint), Secret(""))
        began = datetime.now(UTC)
        threading.Thread(target=interrupt, daemon=True).start()
        try:
            ended = copy(own, Actor(organisation=True), row)
        finally:
            over.set()
        took = datetime.now(UTC) - began
        report = report_of(own, ended)
    assert ended.state is State.COMPLETE, ended.problem
    assert compare(old.read(), new.read()) == []
    assert report.totals.copied == 2000
    refreshes = host.count("refresh_token")
    print(
        f"2,000 messages in {took.total_seconds():.1f} s, {source.connections}+{destination.connections}"
        f" connections, {refreshes} refreshes"
    )
    assert took > timedelta(seconds=10)
    assert refreshes >= 4
    assert refreshes == len(owners[0].saved) + len(owners[1].saved)  # none was lost or duplicated
    for path in ("/google/", "/microsoft/"):  # single-flight: no owner's token is fetched twice concurrently
        spans = sorted((r.began_at_s, r.ended_at_s) for r in host.requests if path in r.path)
        assert all(this[1] <= next_[0] for this, next_ in pairwise(spans))


def _at(user: User, endpoint: Endpoint) -> Account:
    return replace(user.account, endpoint=endpoint)
