"""Sign-in over HTTP at an authorisation server that is stricter than Google's and Microsoft's."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from joserfc.jwk import RSAKey

from importer.oauth_setup import configured_access
from importer.settings import Settings
from providers.endpoint import Secret
from providers.errors import GrantExpired, LoginRejected, MailError, ServerUnavailable, Throttled
from providers.grants import AccessTokens, OAuthGrant, OwnerCredential
from providers.mailbox_access import Consent, MailboxAccess
from providers.organisation_grants import ServiceAccount
from providers.sign_in_providers import SIGN_IN_PROVIDERS
from tests.english import said
from tests.rehearsal.applications import PUBLIC_URL, SECRET, everything_set_up
from tests.rehearsal.authority import Authority

ADA = "ada@old.example"
PROVIDERS = list(SIGN_IN_PROVIDERS)
WITH_ORGANISATIONS = [p.id for p in SIGN_IN_PROVIDERS.values() if p.organisation]


@pytest.fixture
def access(host: Authority, tmp_path: Path) -> MailboxAccess:
    """Access with everything set up, including the organisation old.example."""
    return everything_set_up(host, tmp_path / "service-account.json", "old.example")


def consent(host: Authority, access: MailboxAccess, provider: str, mailbox: str = ADA) -> Consent:
    question = access.begin_sign_in(provider, mailbox)
    return access.complete_sign_in(provider, question, host.browse(question.url), mailbox)


def tokens_of(credential: OwnerCredential) -> AccessTokens:
    assert not isinstance(credential, Secret)
    return credential


def problem(call: Callable[[], object], *hidden: Secret) -> MailError:
    """The error that the call raises, after checking that it does not lead to a secret."""
    with pytest.raises(MailError) as caught:
        call()
    error = caught.value
    assert said(error).endswith("."), said(error)
    chain: BaseException | None = error
    while chain is not None:
        report = "".join(traceback.format_exception(chain)) + repr(vars(chain)) + repr(chain.args)
        assert not any(secret.reveal() in report for secret in (Secret(SECRET), *hidden))
        chain = chain.__cause__ or chain.__context__
    return error


# --- An owner's consent -------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_owner_consents_and_the_tokens_are_renewed_automatically(
    host: Authority, access: MailboxAccess, provider: str
) -> None:
    granted = consent(host, access, provider)
    assert granted.grant.provider == provider
    assert granted.addresses == (ADA,)
    saved: list[OAuthGrant] = []
    tokens = tokens_of(access.credential(granted.grant, ADA, saved.append, initial_token=granted.token))
    assert tokens.access_token() == granted.token.secret
    assert not saved
    second = tokens.access_token(refused=True)
    assert second != granted.token.secret
    assert tokens.access_token() == second
    assert [grant.refresh_token != granted.grant.refresh_token for grant in saved] == [True]
    later = tokens_of(access.credential(saved[-1], ADA, saved.append))
    assert later.access_token() != second
    assert host.count("refresh_token") == 2


def test_the_sign_in_url_has_the_parameters_of_each_provider(access: MailboxAccess) -> None:
    queries = {p: dict(parse_qsl(urlsplit(access.begin_sign_in(p, ADA).url).query)) for p in PROVIDERS}
    for provider, query in queries.items():
        assert query["client_id"] == f"mailhaul-{provider}"
        assert query["redirect_uri"] == f"{PUBLIC_URL}/sign-in/{provider}"
        assert query["response_type"] == "code"
        assert query.get("code_challenge_method") == ("S256" if SIGN_IN_PROVIDERS[provider].pkce else None)
        assert query["login_hint"] == ADA
        assert len(query["state"]) >= 32
    assert (queries["google"]["access_type"], queries["google"]["prompt"]) == ("offline", "consent")
    assert queries["google"]["scope"].split() == ["openid", "email", "https://mail.google.com/"]
    assert "offline_access" in queries["microsoft"]["scope"].split()
    assert "https://outlook.office.com/IMAP.AccessAsUser.All" in queries["microsoft"]["scope"].split()


def test_a_refresh_token_that_does_not_rotate_is_not_saved_again(
    host: Authority, access: MailboxAccess
) -> None:
    host.rules.rotates = False
    granted = consent(host, access, "google")
    saved: list[OAuthGrant] = []
    tokens = tokens_of(access.credential(granted.grant, ADA, saved.append))
    assert tokens.access_token() != tokens.access_token(refused=True)
    assert not saved


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_denied_consent_explains_how_to_grant_it(
    host: Authority, access: MailboxAccess, provider: str
) -> None:
    question = access.begin_sign_in(provider, ADA)
    back = host.browse(question.url, answer="deny")
    error = problem(lambda: access.complete_sign_in(provider, question, back, ADA))
    assert isinstance(error, LoginRejected)
    assert "try again" in said(error)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_sign_in_to_another_mailbox_is_refused(
    host: Authority, access: MailboxAccess, provider: str
) -> None:
    question = access.begin_sign_in(provider, ADA)
    back = host.browse(question.url, account="eve@old.example")
    error = problem(lambda: access.complete_sign_in(provider, question, back, ADA))
    assert isinstance(error, LoginRejected)
    assert "signed in" in said(error)
    assert "eve@old.example" in said(error)


def test_another_spelling_of_the_same_mailbox_is_accepted(host: Authority, access: MailboxAccess) -> None:
    question = access.begin_sign_in("google", "Ada.Lovelace@googlemail.com")
    back = host.browse(question.url, account="adalovelace@gmail.com")
    granted = access.complete_sign_in("google", question, back, "Ada.Lovelace@googlemail.com")
    assert granted.addresses == ("adalovelace@gmail.com",)


@pytest.mark.parametrize(
    ("spoilt", "word"),
    [
        ({"state": "of-another-question"}, "another sign-in"),
        ({"iss": "https://evil.example"}, "another issuer"),
        ({"code": "guessed"}, "Google"),
        ({"code": ""}, "Google"),
    ],
)
def test_a_mismatched_sign_in_response_is_refused(
    host: Authority, access: MailboxAccess, spoilt: dict[str, str], word: str
) -> None:
    question = access.begin_sign_in("google", ADA)
    back = host.browse(question.url) | spoilt
    error = problem(lambda: access.complete_sign_in("google", question, back, ADA))
    assert isinstance(error, LoginRejected)
    assert word in said(error)


def test_a_code_requires_the_verifier_and_the_nonce_of_its_question(
    host: Authority, access: MailboxAccess
) -> None:
    for other in ({"verifier": Secret("v" * 48)}, {"nonce": "another"}):
        question = access.begin_sign_in("google", ADA)
        back = host.browse(question.url)
        changed = replace(question, **other)
        error = problem(lambda: access.complete_sign_in("google", changed, back, ADA))  # noqa: B023
        assert isinstance(error, LoginRejected)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_id_token_signed_with_another_key_is_refused(
    host: Authority, access: MailboxAccess, provider: str
) -> None:
    host.rules.signs_with = RSAKey.generate_key(2048, {"use": "sig", "kid": "rehearsal"})
    error = problem(lambda: consent(host, access, provider))
    assert type(error) is LoginRejected


def test_a_code_works_once(host: Authority, access: MailboxAccess) -> None:
    question = access.begin_sign_in("google", ADA)
    back = host.browse(question.url)
    access.complete_sign_in("google", question, back, ADA)
    assert isinstance(problem(lambda: access.complete_sign_in("google", question, back, ADA)), LoginRejected)


def test_a_missing_mail_permission_is_reported_immediately(host: Authority, access: MailboxAccess) -> None:
    question = access.begin_sign_in("google", ADA)
    changed = replace(question, url=question.url.replace("https%3A%2F%2Fmail.google.com%2F", "profile"))
    back = host.browse(changed.url)
    error = problem(lambda: access.complete_sign_in("google", question, back, ADA))
    assert "permission to read mail was not granted" in said(error)


# --- The end of a consent -----------------------------------------------------------------------------


def test_a_withdrawn_consent_is_reported_and_not_requested_again(
    host: Authority, access: MailboxAccess
) -> None:
    granted = consent(host, access, "google")
    tokens = tokens_of(access.credential(granted.grant, ADA, lambda _grant: None))
    host.withdraw(ADA)
    for _ in range(3):
        error = problem(tokens.access_token, granted.grant.refresh_token)
        assert isinstance(error, GrantExpired)
        assert "sign in to Google again" in said(error)
    assert host.count("refresh_token") == 1


def test_a_consent_can_be_revoked_where_the_provider_supports_it(
    host: Authority, access: MailboxAccess
) -> None:
    granted = consent(host, access, "google")
    assert access.revoke_consent(granted.grant)
    tokens = tokens_of(access.credential(granted.grant, ADA, lambda _grant: None))
    assert isinstance(problem(tokens.access_token), GrantExpired)
    assert not access.revoke_consent(consent(host, access, "microsoft").grant)


def test_reusing_a_replaced_refresh_token_ends_the_consent(host: Authority, access: MailboxAccess) -> None:
    """The authority is strict about this, which reveals concurrent refreshes."""
    granted = consent(host, access, "microsoft")
    saved: list[OAuthGrant] = []
    tokens_of(access.credential(granted.grant, ADA, saved.append)).access_token()
    assert isinstance(
        problem(tokens_of(access.credential(granted.grant, ADA, saved.append)).access_token), GrantExpired
    )
    assert isinstance(
        problem(tokens_of(access.credential(saved[-1], ADA, saved.append)).access_token), GrantExpired
    )


def test_eight_threads_share_one_refresh(host: Authority, access: MailboxAccess) -> None:
    granted = consent(host, access, "microsoft")
    saved: list[OAuthGrant] = []
    tokens = tokens_of(access.credential(granted.grant, ADA, saved.append))
    host.as_new()
    host.slow_s = 0.1
    with ThreadPoolExecutor(8) as pool:
        first = {t.reveal() for t in pool.map(lambda _n: tokens.access_token(), range(8))}
        assert (len(first), host.count("refresh_token")) == (1, 1)
        again = {t.reveal() for t in pool.map(lambda _n: tokens.access_token(refused=True), range(8))}
        assert (len(again), host.count("refresh_token")) == (1, 2)
    assert host.at_once() == 1
    assert len(saved) == 2


def test_a_token_is_replaced_before_it_expires(host: Authority, access: MailboxAccess) -> None:
    host.rules.life_s = 5  # replaced a second before its end: a busy machine answers within that
    granted = consent(host, access, "google")
    tokens = tokens_of(
        access.credential(granted.grant, ADA, lambda _grant: None, initial_token=granted.token)
    )
    assert tokens.access_token() == granted.token.secret
    seen = {tokens.access_token().reveal()}
    while len(seen) < 3:
        token = tokens.access_token()
        seen.add(token.reveal())
        issued = host.rules.by_token(token.reveal())
        assert issued is not None
        assert not issued.is_expired()
    assert host.count("refresh_token") == 2


# --- Errors -------------------------------------------------------------------------------------------


def error_body(error: str, description: str = "") -> dict[str, str]:
    return {"error": error} | ({"error_description": description} if description else {})


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind", "word"),
    [
        (503, {}, "<html>", ServerUnavailable, "at the moment"),
        (200, {}, "<html>", ServerUnavailable, "invalid response"),
        (302, {"Location": "https://evil.example/"}, "", ServerUnavailable, "invalid response"),
        (200, {}, {"token_type": "Bearer"}, ServerUnavailable, "no access token"),
        (400, {}, error_body("temporarily_unavailable"), ServerUnavailable, "at the moment"),
        (429, {"Retry-After": "120"}, error_body("slow_down"), Throttled, "slow down"),
        (429, {"Retry-After": "9" * 9}, error_body("slow_down"), Throttled, "slow down"),
        (429, {"Retry-After": "9" * 5000}, error_body("slow_down"), ServerUnavailable, "at the moment"),
        (400, {}, error_body("invalid_client", "AADSTS7000222: expired"), LoginRejected, "client secret"),
        (400, {}, error_body("invalid_grant", "AADSTS65001: no consent"), GrantExpired, "administrator"),
        (400, {}, error_body("invalid_grant", "AADSTS50076: MFA"), GrantExpired, "second factor"),
        (400, {}, error_body("interaction_required", "AADSTS53003: no"), GrantExpired, "conditional access"),
        (400, {}, error_body("unheard_of"), LoginRejected, "operator of this service"),
    ],
)
def test_each_provider_error_raises_its_exception(
    host: Authority,
    access: MailboxAccess,
    status: int,
    headers: dict[str, str],
    body: object,
    kind: type[MailError],
    word: str,
) -> None:
    granted = consent(host, access, "microsoft")
    host.trouble = lambda _form: (status, headers, body)
    tokens = tokens_of(access.credential(granted.grant, ADA, lambda _grant: None))
    error = problem(tokens.access_token, granted.grant.refresh_token)
    assert type(error) is kind
    assert word in said(error)
    if isinstance(error, Throttled):
        assert error.until is not None
        requested_s = min(int(headers["Retry-After"]), 86_400)
        assert requested_s - 20 < (error.until - datetime.now(UTC)).total_seconds() <= requested_s
    host.as_new()
    if not isinstance(error, GrantExpired):
        assert tokens.access_token()


def test_an_unreachable_provider_is_unavailable(
    host: Authority, access: MailboxAccess, tmp_path: Path
) -> None:
    granted = consent(host, access, "google")

    def at(authority: str) -> Settings:
        return Settings.load(
            google_client_id="copier",
            google_client_secret=Secret(SECRET),
            google_authority=authority,
            public_url=PUBLIC_URL,
        )

    tokens = tokens_of(
        configured_access(at("https://localhost:1")).credential(granted.grant, ADA, lambda _grant: None)
    )
    assert isinstance(problem(tokens.access_token), ServerUnavailable)
    tokens = tokens_of(
        configured_access(at(host.at("google"))).credential(granted.grant, ADA, lambda _grant: None)
    )
    error = problem(tokens.access_token)
    assert isinstance(error, ServerUnavailable)
    assert "certificate" in said(error)


# --- Organisations ------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", WITH_ORGANISATIONS)
def test_an_organisation_grant_covers_only_mailboxes_of_its_domains(
    host: Authority, access: MailboxAccess, provider: str
) -> None:
    assert access.organisation_grant(provider, "ada@else.example") is None
    assert access.organisation_grant(provider, "ada@evil-old.example") is None
    grant = access.organisation_grant(provider, "Ada@Old.Example")
    assert grant is not None
    tokens = tokens_of(access.credential(grant, ADA, lambda _grant: None))
    assert tokens.access_token() != tokens.access_token(refused=True)
    with pytest.raises(GrantExpired):
        access.credential(grant, "ada@else.example", lambda _grant: None)


def test_each_assertion_is_new(host: Authority, access: MailboxAccess) -> None:
    grant = access.organisation_grant("google", ADA)
    assert grant is not None
    count_before = len(host.rules.assertions)
    tokens = tokens_of(access.credential(grant, ADA, lambda _grant: None))
    for _ in range(3):
        tokens.access_token(refused=True)
    assert len(host.rules.assertions) == count_before + 3
    assert {t.scope for t in host.rules.tokens[-3:]} == {"https://www.googleapis.com/auth/gmail.imap_admin"}
    assert {t.mailbox for t in host.rules.tokens[-3:]} == {ADA}


def test_one_microsoft_token_opens_every_mailbox_of_the_organisation(
    host: Authority, access: MailboxAccess
) -> None:
    grant = access.organisation_grant("microsoft", ADA)
    assert grant is not None
    both = [
        tokens_of(access.credential(grant, mailbox, lambda _grant: None)).access_token()
        for mailbox in (ADA, "eve@old.example")
    ]
    assert both[0] == both[1]
    assert host.count("client_credentials") == 1


_UNAUTHORIZED = (
    "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of"
    " the scopes requested."
)


@pytest.mark.parametrize(
    ("told", "word"),
    [
        (error_body("unauthorized_client", _UNAUTHORIZED), "Domain-wide delegation"),
        (error_body("invalid_grant", "Invalid email or User ID"), "no such mailbox"),
        (error_body("invalid_grant", "Invalid JWT Signature."), "create a new key"),
    ],
)
def test_an_organisation_error_explains_the_fix(
    host: Authority, access: MailboxAccess, told: dict[str, str], word: str
) -> None:
    grant = access.organisation_grant("google", ADA)
    assert grant is not None
    host.trouble = lambda _form: (400, {}, told)
    tokens = tokens_of(access.credential(grant, ADA, lambda _grant: None))
    error = problem(tokens.access_token)
    assert type(error) is LoginRejected
    assert word in said(error)
    host.as_new()
    assert tokens.access_token()


def test_an_invalid_key_file_is_reported_without_being_quoted(tmp_path: Path) -> None:
    for text in (
        "hunter2",
        '{"client_email": "hunter2"}',
        '{"client_email":"a","private_key_id":"b","private_key":"hunter2"}',
    ):
        (tmp_path / "key.json").write_text(text)
        with pytest.raises(ValueError, match="not the JSON key of a service account") as caught:
            ServiceAccount.load(tmp_path / "key.json", "not the JSON key of a service account")
        assert "hunter2" not in "".join(traceback.format_exception(caught.value))
