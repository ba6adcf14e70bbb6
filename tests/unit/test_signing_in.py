"""What providers' refusals mean, and who may go in without a password from the console."""

from __future__ import annotations

import pytest

from importer.cli.exit_codes import Usage
from importer.cli.mailbox_options import account, sign_in_provider
from importer.domain.csv_import.login_method import SignInMethod
from importer.domain.model import Account
from importer.oauth_setup import login_help
from providers import google, microsoft
from providers.catalog import Catalog
from providers.endpoint import Endpoint, Secret
from providers.errors import GrantExpired, LoginRejected
from providers.grants import OAuthGrant, PasswordGrant
from providers.id_token import Identity
from providers.mailbox_access import PasswordsOnly

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
def test_what_google_says_ends_in_what_to_do(words: str, help_: str) -> None:
    assert help_ in google.explain(words)


@pytest.mark.parametrize(("words", "help_"), MICROSOFT)
def test_what_microsoft_says_ends_in_what_to_do(words: str, help_: str) -> None:
    assert help_ in microsoft.explain(words)


def test_a_code_is_not_taken_for_one_that_it_begins_with() -> None:
    assert microsoft.explain("invalid_request: AADSTS500760: something new") == ""


@pytest.mark.parametrize(
    ("mailbox", "host", "words", "by_token", "help_"),
    [
        ("ada@gmail.com", "imap.gmail.com", "Invalid credentials (Failure)", False, "app password"),
        ("ada@gmail.com", "imap.gmail.com", "Invalid credentials (Failure)", True, "sign in again"),
        ("ada@old.example", "outlook.office365.com", "LOGINDISABLED", False, "sign in with Microsoft"),
        ("ada@old.example", "imap.old.example", "no", True, "sign in again"),
    ],
)
def test_who_is_refused_is_helped_for_that_host_and_that_login(
    mailbox: str, host: str, words: str, by_token: bool, help_: str
) -> None:
    where = Account(mailbox, mailbox, Endpoint(host))
    assert help_ in login_help(Catalog.load(), where, words, by_token=by_token)


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
def test_which_addresses_are_one_mailbox(one: str, other: str, same: bool) -> None:
    assert Identity((one,)).owns(other) == same
    assert Identity((other,)).owns(one) == same


def test_where_nothing_is_set_up_passwords_go_on() -> None:
    ways = PasswordsOnly()
    assert ways.credential(PasswordGrant(Secret("s")), "ada@old.example", lambda _grant: None) == Secret("s")
    assert not ways.can_sign_in("google")
    with pytest.raises(GrantExpired, match="not set up"):
        ways.credential(OAuthGrant("google", Secret("r")), "ada@gmail.com", lambda _grant: None)
    with pytest.raises(LoginRejected, match="not set up"):
        ways.begin_sign_in("microsoft", "ada@outlook.com")


def everybody(_provider: str, _mailbox: str) -> bool:
    return True


def nobody(_provider: str, _mailbox: str) -> bool:
    return False


@pytest.mark.parametrize(
    ("url", "rule", "provider"),
    [
        ("imaps://ada@old.example@imap.gmail.com", everybody, "google"),
        ("imaps://ada@old.example@outlook.office365.com", everybody, "microsoft"),
        ("imaps://ada@old.example@imap.gmail.com", nobody, ""),
        ("imaps://ada@old.example@imap.evil.example", everybody, ""),  # its tokens go to no other host
    ],
)
def test_an_organisation_is_asked_for_its_own_servers_only(
    url: str, rule: SignInMethod, provider: str
) -> None:
    if provider or "gmail" not in url:
        found = account("--from", url, allow_plaintext=False, sign_in=rule)
        assert sign_in_provider(found, rule) == provider


def test_microsoft_needs_no_password_only_where_its_organisation_lets_us_in() -> None:
    url = "imaps://ada@old.example@outlook.office365.com"
    with pytest.raises(Usage, match="Microsoft"):
        account("--from", url, allow_plaintext=False)
    assert account("--from", url, allow_plaintext=False, sign_in=everybody).address == "ada@old.example"
