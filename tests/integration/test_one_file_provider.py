"""A provider with a sign-in is one value: settings, sign-in, tokens, login and advice follow from it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

import providers
from docs.generate import mail_hosts, sign_in
from importer.adapters.imap.imapclient_adapter import Client, Timeouts
from importer.adapters.imap.open_connection import tls_context
from importer.adapters.imap.sasl import OAUTHBEARER, XOAUTH2, mechanism_of
from importer.bootstrap import access_of
from importer.domain.model import Account
from importer.oauth_setup import login_help
from importer.settings import Settings, SettingsError
from providers.catalog import Catalog
from providers.endpoint import Endpoint, Secret
from providers.errors import GrantExpired, LoginRejected
from providers.grants import AccessTokens, OAuthGrant
from providers.mailbox_access import MailboxAccess, PasswordsOnly
from providers.provider import Provider
from providers.sign_in_provider import (
    Endpoints,
    ProviderSetting,
    ServiceAccountGrant,
    SignInProvider,
    client_id,
    client_secret,
    replacement_authority,
)
from providers.sign_in_providers import SIGN_IN_PROVIDERS, names
from providers.text import Text
from tests.english import said
from tests.rehearsal.applications import application
from tests.rehearsal.authority import TENANT, Authority
from tests.rehearsal.dovecot import Dovecot

ADA = "ada@old.example"

POSTHORN = SignInProvider(
    id="posthorn",
    name="Posthorn",
    endpoints=Endpoints(
        "https://sign-in.posthorn.example/{tenant}/ask",
        "https://api.posthorn.example/{tenant}/exchange",
        "https://api.posthorn.example/signing-keys",
        "https://api.posthorn.example/end",
    ),
    issuers=("https://sign-in.posthorn.example/{tenant}",),
    scope="openid whole-mailbox",
    mail_scope="whole-mailbox",
    authorize_params={"screen": "short"},
    consent_errors=frozenset({"POST_IS_LATE"}),
    pkce=False,
    address_claims=("mailbox",),
    tenant_claim="office",
    canonical_address=lambda address: address.lower().replace("+", ""),
    settings=(
        client_id("Posthorn", "Client ID at Posthorn.", Text("setting_rule.client_id", source="the counter")),
        client_secret("posthorn"),
        ProviderSetting(
            name="tenant",
            meaning="Office.",
            rule=Text("office_posthorn"),
            default="common",
            accepts=lambda value, _seen: value.islower(),
        ),
        replacement_authority("Posthorn"),
    ),
    texts={
        "office_posthorn": "an office in small letters",
        "closed_posthorn": "The counter is closed: come back in the morning.",
        "stamp_posthorn": "Posthorn takes no passwords: put a stamp on it.",
    },
    meanings=((r"counter closed", "closed_posthorn"), (r"^invalid_grant|^POST_IS_LATE", "stamp_posthorn")),
    refused_login_code="stamp_posthorn",
    guides=(("Sign-in with Posthorn", "Ask at the counter for `whole-mailbox`."),),
)


@pytest.fixture(autouse=True)
def _listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIGN_IN_PROVIDERS, "posthorn", POSTHORN)


@pytest.fixture
def access(host: Authority, monkeypatch: pytest.MonkeyPatch) -> MailboxAccess:
    """Access as an operator configures it: by environment variables."""
    variables = application(host, "posthorn") | {"POSTHORN_TENANT": "organizations"}
    for name, value in variables.items():
        monkeypatch.setenv(f"MAILHAUL_{name}", value)
    return access_of(Settings.load(ca_file=host.ca_file))


def sign_in_tokens(host: Authority, access: MailboxAccess, saved: list[OAuthGrant]) -> AccessTokens:
    question = access.begin_sign_in("posthorn", ADA)
    consent = access.complete_sign_in("posthorn", question, host.browse(question.url), ADA)
    assert consent.grant.tenant == TENANT
    tokens = access.credential(consent.grant, ADA, saved.append, initial_token=consent.token)
    assert not isinstance(tokens, Secret)
    return tokens


def test_its_settings_are_read_and_validated(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        "MAILHAUL_POSTHORN_CLIENT_ID",
        "none; signing in with Posthorn is off",
        "Client ID at Posthorn.",
    ) in (Settings.table())
    assert isinstance(access_of(Settings.load()), PasswordsOnly)
    monkeypatch.setenv("MAILHAUL_POSTHORN_CLIENT_ID", "x")
    monkeypatch.setenv("MAILHAUL_POSTHORN_TENANT", "LOUD")
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    assert [problem.params["variable"] for problem in caught.value.problems] == [
        "MAILHAUL_POSTHORN_CLIENT_SECRET",
        "MAILHAUL_POSTHORN_TENANT",
        "MAILHAUL_PUBLIC_URL",
    ]


def test_its_owners_sign_in_and_their_tokens_open_the_mailbox(
    host: Authority, access: MailboxAccess, mail_host: Dovecot
) -> None:
    question = access.begin_sign_in("posthorn", ADA)
    assert question.url.startswith(f"{host.at('posthorn')}/organizations/ask?")
    assert "screen=short" in question.url
    assert "code_challenge" not in question.url
    saved: list[OAuthGrant] = []
    tokens = sign_in_tokens(host, access, saved)
    for mechanism in (XOAUTH2, OAUTHBEARER):
        token = tokens.access_token(refused=True)
        client = Client(mail_host.imaps, tls_context(mail_host.ca_file), Timeouts())
        client.authenticate(mechanism, mechanism_of(mechanism, ADA, token, mail_host.imaps))
        client.logout()
    assert len(saved) == 1  # the first mechanism used the token of the consent
    assert {request.path for request in host.requests[-1:]} == {f"/posthorn/{TENANT}/exchange"}


def test_its_claims_say_whose_mailbox_it_is(host: Authority, access: MailboxAccess) -> None:
    host.rules.claims = lambda claims: claims | {"mailbox": "A.D.A+@Old.example", "email": ADA}
    with pytest.raises(LoginRejected, match=r"provider=Posthorn, signed_in=A\.D\.A\+@Old\.example"):
        sign_in_tokens(host, access, [])
    host.rules.claims = lambda claims: claims | {"mailbox": "A+da@Old.example"}
    assert sign_in_tokens(host, access, []).access_token()
    host.rules.claims = lambda claims: claims | {"office": "elsewhere"}
    with pytest.raises(LoginRejected, match="unverified"):
        sign_in_tokens(host, access, [])


def test_its_consents_are_revoked_and_its_errors_explained(host: Authority, access: MailboxAccess) -> None:
    question = access.begin_sign_in("posthorn", ADA)
    grant = access.complete_sign_in("posthorn", question, host.browse(question.url), ADA).grant
    for end in (lambda: setattr(host, "trouble", late), lambda: access.revoke_consent(grant)):
        tokens = access.credential(grant, ADA, lambda _grant: None)
        assert not isinstance(tokens, Secret)
        end()
        with pytest.raises(GrantExpired) as caught:
            tokens.access_token()
        assert "put a stamp on it" in said(caught.value)
        host.as_new()


def late(_form: object) -> tuple[int, dict[str, str], dict[str, str]]:
    return 400, {}, {"error": "POST_IS_LATE"}


def test_refused_logins_at_its_hosts_are_explained() -> None:
    imap = Endpoint("imap.posthorn.example")
    catalog = Catalog([Provider("horn", "Posthorn", ("posthorn.example",), imap, sign_in="posthorn")])
    account = Account("ada@posthorn.example", "ada@posthorn.example", imap)
    assert "in the morning" in said(login_help(catalog, account, "NO counter closed", by_token=True))
    assert "put a stamp on it" in said(login_help(catalog, account, "NO", by_token=False))


def test_the_texts_for_people_name_it() -> None:
    assert names() == f"{', '.join(p.name for p in list(SIGN_IN_PROVIDERS.values())[:-1])} or Posthorn"
    with pytest.raises(LoginRejected, match="provider=Posthorn"):
        PasswordsOnly().begin_sign_in("posthorn", ADA)
    assert "## Sign-in with Posthorn\n\nAsk at the counter" in mail_hosts.render()
    assert "| [Posthorn](../providers.md#sign-in-with-posthorn) | " in sign_in.render()


def test_every_module_with_a_provider_is_listed() -> None:
    folder = Path(providers.__file__).parent
    modules = [path.stem for path in folder.glob("*.py") if "\nPROVIDER:" in path.read_text(encoding="utf-8")]
    listed = {provider.id for provider in SIGN_IN_PROVIDERS.values()} - {"posthorn"}
    assert {import_module(f"providers.{module}").PROVIDER.id for module in modules} == listed


def test_every_catalogued_sign_in_is_listed() -> None:
    assert {provider.sign_in for provider in Catalog.load()} <= {None, *SIGN_IN_PROVIDERS}


@pytest.mark.parametrize("provider", SIGN_IN_PROVIDERS.values(), ids=SIGN_IN_PROVIDERS)
def test_each_code_has_a_text_and_each_text_a_use(provider: SignInProvider) -> None:
    used = {code for _, code in provider.meanings} | {provider.refused_login_code}
    used |= {setting.rule.code for setting in provider.settings if setting.rule.code in provider.texts}
    if isinstance(provider.organisation, ServiceAccountGrant):
        used.add(provider.organisation.unusable_key)
    assert used == set(provider.texts)
    assert all(code.endswith(f"_{provider.id}") for code in provider.texts)
