"""Sign-in with Yahoo, at the rehearsal authority. What holds for every provider is in test_sign_in.py."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from joserfc.jwk import ECKey

from importer.adapters.imap.sasl import OAUTHBEARER, mechanism_of
from importer.bootstrap import access_of
from importer.domain.model import Account
from importer.oauth_setup import login_help
from importer.settings import Settings
from providers.catalog import Catalog
from providers.endpoint import Endpoint, Secret
from providers.errors import GrantExpired, LoginRejected
from providers.mailbox_access import MailboxAccess
from providers.yahoo import PROVIDER
from tests.english import said
from tests.rehearsal.applications import application, overlay
from tests.rehearsal.authority import Authority

ADA = "ada@yahoo.com"


@pytest.fixture
def access(host: Authority) -> MailboxAccess:
    return access_of(Settings.load(ca_file=host.ca_file, **overlay(application(host, "yahoo"))))


def test_its_request_has_a_nonce_in_place_of_pkce(host: Authority, access: MailboxAccess) -> None:
    """developer.yahoo.com/oauth2/guide/openid_connect/getting_started.html (2026-11)."""
    question = access.begin_sign_in("yahoo", ADA)
    query = dict(parse_qsl(urlsplit(question.url).query))
    assert urlsplit(question.url).path == "/yahoo/oauth2/request_auth"
    assert query["scope"].split() == ["openid", "email", "mail-w"]
    assert query["nonce"] == question.nonce
    assert not any(name.startswith("code_challenge") for name in query)
    host.rules.claims = lambda claims: claims | {"nonce": "of another sign-in"}
    with pytest.raises(LoginRejected, match="unverified"):
        access.complete_sign_in("yahoo", question, host.browse(question.url), ADA)


def test_id_tokens_are_signed_with_an_elliptic_curve(host: Authority, access: MailboxAccess) -> None:
    """`id_token_signing_alg_values_supported` is ES256 and RS256."""
    key = ECKey.generate_key("P-256", {"use": "sig", "kid": "curve", "alg": "ES256"})
    host.rules.published = [*host.rules.published, key]
    host.rules.signs_with = key
    question = access.begin_sign_in("yahoo", ADA)
    granted = access.complete_sign_in("yahoo", question, host.browse(question.url), ADA)
    assert granted.addresses == (ADA,)
    assert granted.grant.tenant == ""


@pytest.mark.parametrize("code", ["INVALID_REFRESH_TOKEN", "TOKEN_EXPIRED", "ACCOUNT_NOT_AUTHORIZED"])
def test_its_own_codes_end_a_consent(host: Authority, access: MailboxAccess, code: str) -> None:
    question = access.begin_sign_in("yahoo", ADA)
    grant = access.complete_sign_in("yahoo", question, host.browse(question.url), ADA).grant
    tokens = access.credential(grant, ADA, lambda _grant: None)
    assert not isinstance(tokens, Secret)
    host.trouble = lambda _form: (400, {}, {"error": code, "error_description": "no"})
    with pytest.raises(GrantExpired, match=r"grant_expired\.withdrawn .*Yahoo"):
        tokens.access_token()


@pytest.mark.parametrize(
    ("words", "help_"),
    [
        ("access_denied", "choose Agree"),
        ("invalid_scope: invalid scope", "apply for access"),
        ("INVALID_REDIRECT_URI", "redirect address"),
        ("INVALID_CALLBACK: redirect_uri uses an unsupported port", "redirect address"),
        ("unauthorized_client: invalid client id", "client secret of the Yahoo"),
        ("INVALID_CLIENT_SECRET", "client secret of the Yahoo"),
        ("UNDERAGE_USER", "minor"),
        ("invalid_grant: Invalid refresh token", "sign in to Yahoo again"),
        ("AUTHENTICATE Invalid credentials", "app password"),
    ],
)
def test_its_errors_have_advice(words: str, help_: str) -> None:
    assert help_ in said(PROVIDER.explain(words))


def test_its_mailboxes_are_opened_with_app_passwords_too() -> None:
    host = Catalog.load().for_address(ADA)
    assert host is not None
    assert (host.sign_in, host.passwords_unavailable) == ("yahoo", "")
    account = Account(ADA, ADA, Endpoint("export.imap.mail.yahoo.com"))
    assert "app passwords only" in said(login_help(Catalog.load(), account, "no", by_token=False))
    assert "sign in again" in said(login_help(Catalog.load(), account, "no", by_token=True))


def test_the_token_is_sent_as_yahoo_documents_it() -> None:
    """senders.yahooinc.com/developer/documentation, “Client Request” (2026-11)."""
    exchange = mechanism_of(OAUTHBEARER, ADA, Secret("t0ken"), Endpoint("imap.mail.yahoo.com"))
    assert exchange.first == (
        b"n,a=ada@yahoo.com,\x01host=imap.mail.yahoo.com\x01port=993\x01auth=Bearer t0ken\x01\x01"
    )
