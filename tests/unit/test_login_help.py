"""The help for logins that a provider rejected, and the console's checks for sign-in without a password."""

from __future__ import annotations

import pytest

from importer.cli.exit_codes import Usage
from importer.cli.mailbox_options import account, sign_in_provider
from importer.domain.csv_import.login_method import SignInMethod
from importer.domain.csv_import.sheet import RowProblem
from importer.domain.model import Account
from importer.i18n.code_texts import render
from importer.i18n.row_problem_texts import row_problem_json
from importer.i18n.translations import texts
from importer.oauth_setup import login_help
from providers import google, microsoft
from providers.catalog import Catalog
from providers.endpoint import Endpoint, Secret
from providers.errors import GrantExpired, LoginRejected
from providers.grants import OAuthGrant, PasswordGrant
from providers.mailbox_access import PasswordsOnly
from providers.text import Text
from tests.english import said

GOOGLE = [
    ("admin_policy_enforced: blocked", "App access control"),
    ("org_internal: only for users of the organisation", "created it"),
    ("access_denied", "choose Allow"),
    ("redirect_uri_mismatch: Bad Request", "redirect address"),
    ("invalid_client: The OAuth client was not found.", "client ID"),
    ("unauthorized_client: Client is unauthorized", "Domain-wide delegation"),
    ("invalid_grant: Invalid email or User ID", "no such mailbox"),
    ("invalid_grant: Invalid JWT Signature.", "create a new key"),
    ("invalid_grant: Token must be a short-lived token (60 minutes) and in a reasonable timeframe", "clock"),
    ("invalid_grant: reauth related error (invalid_rapt)", "limits the duration"),
    ("invalid_grant: Token has been expired or revoked.", "sign in to Google again"),
    ("[ALERT] Application-specific password required: https://support.google.com/", "app password"),
    ("[ALERT] Please log in via your web browser: https://support.google.com/", "confirm that it was you"),
    ("[ALERT] IMAP access is disabled for your domain.", "Admin console"),
]
MICROSOFT = [
    ("invalid_grant: AADSTS65001: The user or administrator has not consented", "Grant admin consent"),
    ("access_denied: AADSTS90094: admin consent is required", "Grant admin consent"),
    ("invalid_grant: AADSTS50076: you must use multi-factor authentication", "second factor"),
    ("invalid_grant: AADSTS50173: fresh auth token is needed", "sign in to Microsoft again"),
    ("invalid_grant: AADSTS700082: The refresh token has expired due to inactivity.", "again"),
    ("access_denied: AADSTS53003: blocked by Conditional Access policies", "conditional access"),
    ("invalid_grant: AADSTS50105: not assigned to a role", "Users and groups"),
    ("invalid_client: AADSTS7000215: Invalid client secret provided.", "new client secret"),
    ("invalid_client: AADSTS7000222: The provided client secret keys are expired.", "new client secret"),
    ("unauthorized_client: AADSTS700016: Application was not found in the directory", "client ID"),
    ("invalid_request: AADSTS90002: Tenant not found.", "tenant"),
    ("invalid_request: AADSTS50011: The redirect URI does not match", "redirect address"),
    ("invalid_grant: AADSTS50020: does not exist in tenant", "account of the organisation"),
    ("invalid_grant: AADSTS50057: The user account is disabled.", "locked or disabled"),
    ("access_denied: The user has denied access", "choose Accept"),
    ("User is authenticated but not connected.", "IMAP is switched on"),
    ("Basic authentication is disabled.", "sign in with Microsoft"),
    ("AUTHENTICATE failed.", "FullAccess"),
]


@pytest.mark.parametrize(("words", "help_"), GOOGLE)
def test_googles_errors_have_help(words: str, help_: str) -> None:
    assert help_ in said(google.PROVIDER.explain(words))


@pytest.mark.parametrize(("words", "help_"), MICROSOFT)
def test_microsofts_errors_have_help(words: str, help_: str) -> None:
    assert help_ in said(microsoft.PROVIDER.explain(words))


def test_error_codes_are_matched_as_a_whole() -> None:
    assert microsoft.PROVIDER.explain("invalid_request: AADSTS500760: something new") is None


@pytest.mark.parametrize(
    ("mailbox", "host", "words", "by_token", "help_"),
    [
        ("ada@gmail.com", "imap.gmail.com", "Invalid credentials (Failure)", False, "app password"),
        ("ada@gmail.com", "imap.gmail.com", "Invalid credentials (Failure)", True, "sign in again"),
        ("ada@old.example", "outlook.office365.com", "LOGINDISABLED", False, "sign in with Microsoft"),
        ("ada@old.example", "imap.old.example", "no", True, "sign in again"),
    ],
)
def test_login_help_depends_on_the_host_and_the_credential(
    mailbox: str, host: str, words: str, by_token: bool, help_: str
) -> None:
    account_ = Account(mailbox, mailbox, Endpoint(host))
    assert help_ in said(login_help(Catalog.load(), account_, words, by_token=by_token))


def test_the_steps_of_a_host_name_the_page_where_they_are_done() -> None:
    steps = Text("host_steps", provider="posteo")
    assert "(https://posteo.de/en/help/app-passwords)." in render(steps, texts("en"))


def test_the_texts_of_the_catalog_of_hosts_have_the_typography_of_the_language() -> None:
    """No-break spaces in French, no ß in Switzerland; as the texts of the other catalogs."""
    steps = Text("host_steps", provider="posteo")
    assert "\u202f; votre mot de passe" in render(steps, texts("fr"))
    assert "ß" not in "".join(
        render(Text("host_steps", provider=host.id), texts("de-CH")) for host in Catalog.load()
    )
    closed = row_problem_json(texts("fr"), RowProblem(2, "", Text("provider_unavailable", provider="proton")))
    assert " ;" not in str(closed["message"])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Ada@Old.example", "ada@old.example", True),
        ("a.d.a@gmail.com", "ada@googlemail.com", True),
        ("a.da@old.example", "ada@old.example", False),
        ("ada@old.example", "ada@evil-old.example", False),
        ("ada@gmail.com", "ada+1@gmail.com", False),
    ],
)
def test_only_equivalent_addresses_have_one_canonical_form(one: str, other: str, same: bool) -> None:
    spelling = google.PROVIDER.canonical_address
    assert (spelling(one) == spelling(other)) == same


def test_without_sign_in_only_passwords_work() -> None:
    access = PasswordsOnly()
    assert access.credential(PasswordGrant(Secret("s")), "ada@old.example", lambda _grant: None) == Secret(
        "s"
    )
    assert not access.can_sign_in("google")
    with pytest.raises(GrantExpired, match="not_set_up"):
        access.credential(OAuthGrant("google", Secret("r")), "ada@gmail.com", lambda _grant: None)
    with pytest.raises(LoginRejected, match="not_set_up"):
        access.begin_sign_in("microsoft", "ada@outlook.com")


def always(_provider: str, _mailbox: str) -> bool:
    return True


def never(_provider: str, _mailbox: str) -> bool:
    return False


@pytest.mark.parametrize(
    ("url", "rule", "provider"),
    [
        ("imaps://ada@old.example@imap.gmail.com", always, "google"),
        ("imaps://ada@old.example@outlook.office365.com", always, "microsoft"),
        ("imaps://ada@old.example@imap.gmail.com", never, ""),
        (
            "imaps://ada@old.example@imap.evil.example",
            always,
            "",
        ),  # tokens are sent to the provider's hosts only
    ],
)
def test_sign_in_is_offered_for_the_providers_own_servers_only(
    url: str, rule: SignInMethod, provider: str
) -> None:
    if provider or "gmail" not in url:
        account_ = account("--from", url, allow_plaintext=False, sign_in=rule)
        assert sign_in_provider(account_, rule) == provider


def test_microsoft_needs_sign_in_or_organisation_access() -> None:
    url = "imaps://ada@old.example@outlook.office365.com"
    with pytest.raises(Usage, match="Microsoft"):
        account("--from", url, allow_plaintext=False)
    assert account("--from", url, allow_plaintext=False, sign_in=always).address == "ada@old.example"
