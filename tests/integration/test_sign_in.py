"""Signing in, over HTTP, at an authorisation server that is stricter than Google's and Microsoft's."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from importer.oauth_setup import configured_access
from importer.settings import Settings
from providers import google
from providers.endpoint import Secret
from providers.errors import GrantExpired, LoginRejected, MailError, ServerUnavailable, Throttled
from providers.grants import AccessTokens, OAuthGrant, OwnerCredential
from providers.mailbox_access import Consent, MailboxAccess
from tests.rehearsal.applications import PUBLIC_URL, SECRET, everything_set_up
from tests.rehearsal.authority import Authority

ADA = "ada@old.example"
PROVIDERS = ["google", "microsoft"]


@pytest.fixture
def ways(host: Authority, tmp_path: Path) -> MailboxAccess:
    """Everything set up, with the organisation old.example."""
    return everything_set_up(host, tmp_path / "service-account.json", "old.example")


def consent(host: Authority, ways: MailboxAccess, provider: str, mailbox: str = ADA) -> Consent:
    question = ways.begin_sign_in(provider, mailbox)
    return ways.complete_sign_in(provider, question, host.browse(question.url), mailbox)


def tokens_of(credential: OwnerCredential) -> AccessTokens:
    assert not isinstance(credential, Secret)
    return credential


def problem(call: Callable[[], object], *hidden: Secret) -> MailError:
    """The error that it ends in, after a look for secrets in all that it leads to."""
    with pytest.raises(MailError) as caught:
        call()
    error = caught.value
    assert str(error).endswith("."), str(error)
    chain: BaseException | None = error
    while chain is not None:
        told = "".join(traceback.format_exception(chain)) + repr(vars(chain)) + repr(chain.args)
        assert not any(secret.reveal() in told for secret in (Secret(SECRET), *hidden))
        chain = chain.__cause__ or chain.__context__
    return error


# --- An owner's consent -------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_owner_consents_and_the_tokens_renew_themselves(
    host: Authority, ways: MailboxAccess, provider: str
) -> None:
    given = consent(host, ways, provider)
    assert given.grant.provider == provider
    assert given.addresses == (ADA,)
    kept: list[OAuthGrant] = []
    tokens = tokens_of(ways.credential(given.grant, ADA, kept.append, initial_token=given.token))
    assert tokens.access_token() == given.token.secret
    assert not kept
    second = tokens.access_token(refused=True)
    assert second != given.token.secret
    assert tokens.access_token() == second
    assert [one.refresh_token != given.grant.refresh_token for one in kept] == [True]
    later = tokens_of(ways.credential(kept[-1], ADA, kept.append))
    assert later.access_token() != second
    assert host.count("refresh_token") == 2


def test_the_question_is_asked_as_each_provider_wants_it(ways: MailboxAccess) -> None:
    asked = {p: dict(parse_qsl(urlsplit(ways.begin_sign_in(p, ADA).url).query)) for p in PROVIDERS}
    for provider, query in asked.items():
        assert query["client_id"] == f"mailhaul-{provider}"
        assert query["redirect_uri"] == f"{PUBLIC_URL}/sign-in/{provider}"
        assert (query["response_type"], query["code_challenge_method"]) == ("code", "S256")
        assert query["login_hint"] == ADA
        assert len(query["state"]) >= 32
    assert (asked["google"]["access_type"], asked["google"]["prompt"]) == ("offline", "consent")
    assert asked["google"]["scope"].split() == ["openid", "email", "https://mail.google.com/"]
    assert "offline_access" in asked["microsoft"]["scope"].split()
    assert "https://outlook.office.com/IMAP.AccessAsUser.All" in asked["microsoft"]["scope"].split()


def test_a_refresh_token_that_stays_is_kept(host: Authority, ways: MailboxAccess) -> None:
    host.rules.rotates = False
    given = consent(host, ways, "google")
    kept: list[OAuthGrant] = []
    tokens = tokens_of(ways.credential(given.grant, ADA, kept.append))
    assert tokens.access_token() != tokens.access_token(refused=True)
    assert not kept


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_owner_who_says_no_is_told_how_to_say_yes(
    host: Authority, ways: MailboxAccess, provider: str
) -> None:
    question = ways.begin_sign_in(provider, ADA)
    back = host.browse(question.url, answer="deny")
    error = problem(lambda: ways.complete_sign_in(provider, question, back, ADA))
    assert isinstance(error, LoginRejected)
    assert "open the link again" in str(error)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_somebody_elses_mailbox_is_not_taken_for_the_one_asked_for(
    host: Authority, ways: MailboxAccess, provider: str
) -> None:
    question = ways.begin_sign_in(provider, ADA)
    back = host.browse(question.url, account="eve@old.example")
    error = problem(lambda: ways.complete_sign_in(provider, question, back, ADA))
    assert isinstance(error, LoginRejected)
    assert "signed in" in str(error)
    assert "eve@old.example" in str(error)


def test_the_same_mailbox_may_be_written_otherwise(host: Authority, ways: MailboxAccess) -> None:
    question = ways.begin_sign_in("google", "Ada.Lovelace@googlemail.com")
    back = host.browse(question.url, account="adalovelace@gmail.com")
    given = ways.complete_sign_in("google", question, back, "Ada.Lovelace@googlemail.com")
    assert given.addresses == ("adalovelace@gmail.com",)


@pytest.mark.parametrize(
    ("spoilt", "word"),
    [
        ({"state": "of-another-question"}, "another sign-in"),
        ({"iss": "https://evil.example"}, "another issuer"),
        ({"code": "guessed"}, "Google"),
        ({"code": ""}, "Google"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(
    host: Authority, ways: MailboxAccess, spoilt: dict[str, str], word: str
) -> None:
    question = ways.begin_sign_in("google", ADA)
    back = host.browse(question.url) | spoilt
    error = problem(lambda: ways.complete_sign_in("google", question, back, ADA))
    assert isinstance(error, LoginRejected)
    assert word in str(error)


def test_a_code_is_of_no_use_without_the_verifier_or_the_nonce_of_its_question(
    host: Authority, ways: MailboxAccess
) -> None:
    for other in ({"verifier": Secret("v" * 48)}, {"nonce": "another"}):
        question = ways.begin_sign_in("google", ADA)
        back = host.browse(question.url)
        changed = replace(question, **other)
        assert isinstance(problem(lambda: ways.complete_sign_in("google", changed, back, ADA)), LoginRejected)  # noqa: B023


def test_a_code_counts_once(host: Authority, ways: MailboxAccess) -> None:
    question = ways.begin_sign_in("google", ADA)
    back = host.browse(question.url)
    ways.complete_sign_in("google", question, back, ADA)
    assert isinstance(problem(lambda: ways.complete_sign_in("google", question, back, ADA)), LoginRejected)


def test_mail_that_was_not_ticked_is_told_at_once(host: Authority, ways: MailboxAccess) -> None:
    question = ways.begin_sign_in("google", ADA)
    asked = replace(question, url=question.url.replace("https%3A%2F%2Fmail.google.com%2F", "profile"))
    back = host.browse(asked.url)
    error = problem(lambda: ways.complete_sign_in("google", question, back, ADA))
    assert "permission to read mail was not granted" in str(error)


# --- When it ends -------------------------------------------------------------------------------------


def test_a_consent_that_was_taken_back_ends_in_words_and_is_not_asked_about_again(
    host: Authority, ways: MailboxAccess
) -> None:
    given = consent(host, ways, "google")
    tokens = tokens_of(ways.credential(given.grant, ADA, lambda _grant: None))
    host.withdraw(ADA)
    for _ in range(3):
        error = problem(tokens.access_token, given.grant.refresh_token)
        assert isinstance(error, GrantExpired)
        assert "sign in to Google again" in str(error)
    assert host.count("refresh_token") == 1


def test_a_consent_can_be_given_back_where_the_provider_takes_it(
    host: Authority, ways: MailboxAccess
) -> None:
    given = consent(host, ways, "google")
    assert ways.revoke_consent(given.grant)
    tokens = tokens_of(ways.credential(given.grant, ADA, lambda _grant: None))
    assert isinstance(problem(tokens.access_token), GrantExpired)
    assert not ways.revoke_consent(consent(host, ways, "microsoft").grant)


def test_a_refresh_token_that_was_replaced_ends_the_consent(host: Authority, ways: MailboxAccess) -> None:
    """What the rehearsal is strict about: it shows when two refresh at the same time."""
    given = consent(host, ways, "microsoft")
    kept: list[OAuthGrant] = []
    tokens_of(ways.credential(given.grant, ADA, kept.append)).access_token()
    assert isinstance(
        problem(tokens_of(ways.credential(given.grant, ADA, kept.append)).access_token), GrantExpired
    )
    assert isinstance(
        problem(tokens_of(ways.credential(kept[-1], ADA, kept.append)).access_token), GrantExpired
    )


def test_eight_threads_share_one_refresh(host: Authority, ways: MailboxAccess) -> None:
    given = consent(host, ways, "microsoft")
    kept: list[OAuthGrant] = []
    tokens = tokens_of(ways.credential(given.grant, ADA, kept.append))
    host.as_new()
    host.slow_s = 0.1
    with ThreadPoolExecutor(8) as pool:
        first = {t.reveal() for t in pool.map(lambda _n: tokens.access_token(), range(8))}
        assert (len(first), host.count("refresh_token")) == (1, 1)
        again = {t.reveal() for t in pool.map(lambda _n: tokens.access_token(refused=True), range(8))}
        assert (len(again), host.count("refresh_token")) == (1, 2)
    assert host.at_once() == 1
    assert len(kept) == 2


def test_a_token_is_replaced_before_it_ends(host: Authority, ways: MailboxAccess) -> None:
    host.rules.life_s = 1
    given = consent(host, ways, "google")
    tokens = tokens_of(ways.credential(given.grant, ADA, lambda _grant: None, initial_token=given.token))
    assert tokens.access_token() == given.token.secret
    seen = {tokens.access_token().reveal()}
    while len(seen) < 3:
        token = tokens.access_token()
        seen.add(token.reveal())
        found = host.rules.by_token(token.reveal())
        assert found is not None
        assert not found.is_expired()
    assert host.count("refresh_token") == 2


# --- Trouble ------------------------------------------------------------------------------------------


def said(error: str, description: str = "") -> dict[str, str]:
    return {"error": error} | ({"error_description": description} if description else {})


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind", "word"),
    [
        (503, {}, "<html>", ServerUnavailable, "later"),
        (200, {}, "<html>", ServerUnavailable, "later"),
        (302, {"Location": "https://evil.example/"}, "", ServerUnavailable, "later"),
        (200, {}, {"token_type": "Bearer"}, ServerUnavailable, "later"),
        (400, {}, said("temporarily_unavailable"), ServerUnavailable, "later"),
        (429, {"Retry-After": "120"}, said("slow_down"), Throttled, "pause"),
        (429, {"Retry-After": "9" * 9}, said("slow_down"), Throttled, "pause"),
        (429, {"Retry-After": "9" * 5000}, said("slow_down"), ServerUnavailable, "later"),
        (400, {}, said("invalid_client", "AADSTS7000222: expired"), LoginRejected, "client secret"),
        (400, {}, said("invalid_grant", "AADSTS65001: no consent"), GrantExpired, "administrator"),
        (400, {}, said("invalid_grant", "AADSTS50076: MFA"), GrantExpired, "second factor"),
        (400, {}, said("interaction_required", "AADSTS53003: no"), GrantExpired, "conditional access"),
        (400, {}, said("unheard_of"), LoginRejected, "operator of Mailhaul"),
    ],
)
def test_what_a_provider_answers_in_place_of_a_token(
    host: Authority,
    ways: MailboxAccess,
    status: int,
    headers: dict[str, str],
    body: object,
    kind: type[MailError],
    word: str,
) -> None:
    given = consent(host, ways, "microsoft")
    host.trouble = lambda _form: (status, headers, body)
    tokens = tokens_of(ways.credential(given.grant, ADA, lambda _grant: None))
    error = problem(tokens.access_token, given.grant.refresh_token)
    assert type(error) is kind
    assert word in str(error)
    if isinstance(error, Throttled):
        assert error.until is not None
        asked_s = min(int(headers["Retry-After"]), 86_400)
        assert asked_s - 20 < (error.until - datetime.now(UTC)).total_seconds() <= asked_s
    host.as_new()
    if not isinstance(error, GrantExpired):
        assert tokens.access_token()


def test_a_provider_that_cannot_be_reached_is_waited_for(
    host: Authority, ways: MailboxAccess, tmp_path: Path
) -> None:
    given = consent(host, ways, "google")

    def at(authority: str) -> Settings:
        return Settings.load(
            google_client_id="copier",
            google_client_secret=Secret(SECRET),
            google_authority=authority,
            public_url=PUBLIC_URL,
        )

    tokens = tokens_of(
        configured_access(at("https://localhost:1")).credential(given.grant, ADA, lambda _grant: None)
    )
    assert isinstance(problem(tokens.access_token), ServerUnavailable)
    tokens = tokens_of(configured_access(at(host.google)).credential(given.grant, ADA, lambda _grant: None))
    error = problem(tokens.access_token)
    assert isinstance(error, ServerUnavailable)
    assert "certificate" in str(error)


# --- Organisations ------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_organisation_opens_the_mailboxes_of_its_domains_and_no_others(
    host: Authority, ways: MailboxAccess, provider: str
) -> None:
    assert ways.organisation_grant(provider, "ada@else.example") is None
    assert ways.organisation_grant(provider, "ada@evil-old.example") is None
    grant = ways.organisation_grant(provider, "Ada@Old.Example")
    assert grant is not None
    tokens = tokens_of(ways.credential(grant, ADA, lambda _grant: None))
    assert tokens.access_token() != tokens.access_token(refused=True)
    with pytest.raises(GrantExpired):
        ways.credential(grant, "ada@else.example", lambda _grant: None)


def test_each_assertion_is_new(host: Authority, ways: MailboxAccess) -> None:
    grant = ways.organisation_grant("google", ADA)
    assert grant is not None
    shown = len(host.rules.assertions)
    tokens = tokens_of(ways.credential(grant, ADA, lambda _grant: None))
    for _ in range(3):
        tokens.access_token(refused=True)
    assert len(host.rules.assertions) == shown + 3
    assert {t.scope for t in host.rules.tokens[-3:]} == {google.ORGANISATION_SCOPE}
    assert {t.mailbox for t in host.rules.tokens[-3:]} == {ADA}


def test_one_token_of_microsofts_opens_every_mailbox_there(host: Authority, ways: MailboxAccess) -> None:
    grant = ways.organisation_grant("microsoft", ADA)
    assert grant is not None
    both = [
        tokens_of(ways.credential(grant, mailbox, lambda _grant: None)).access_token()
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
        (said("unauthorized_client", _UNAUTHORIZED), "Domain-wide delegation"),
        (said("invalid_grant", "Invalid email or User ID"), "no such mailbox"),
        (said("invalid_grant", "Invalid JWT Signature."), "create a new key"),
    ],
)
def test_what_an_organisation_has_to_mend_is_told(
    host: Authority, ways: MailboxAccess, told: dict[str, str], word: str
) -> None:
    grant = ways.organisation_grant("google", ADA)
    assert grant is not None
    host.trouble = lambda _form: (400, {}, told)
    tokens = tokens_of(ways.credential(grant, ADA, lambda _grant: None))
    error = problem(tokens.access_token)
    assert type(error) is LoginRejected
    assert word in str(error)
    host.as_new()
    assert tokens.access_token()


def test_a_key_file_that_is_none_is_told_without_being_quoted(tmp_path: Path) -> None:
    for text in (
        "hunter2",
        '{"client_email": "hunter2"}',
        '{"client_email":"a","private_key_id":"b","private_key":"hunter2"}',
    ):
        (tmp_path / "key.json").write_text(text)
        with pytest.raises(ValueError, match="not the JSON key of a service account") as caught:
            google.ServiceAccount.load(tmp_path / "key.json")
        assert "hunter2" not in "".join(traceback.format_exception(caught.value))
