"""Microsoft: sign-in, organisations, and the meaning of its error texts.

Endpoints and scopes: https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-auth-code-flow,
https://learn.microsoft.com/en-us/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
(both 2026-11).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from providers.endpoint import Secret
from providers.mailbox_access import AccessToken
from providers.oauth import Application, Endpoints, OAuthHttp, parse_access_token, run_request
from providers.pattern_table import Meanings, meaning

ID: Final = "microsoft"
NAME: Final = "Microsoft"

AUTHORITY: Final = "https://login.microsoftonline.com"
"""Sovereign clouds have other authorities."""

MAIL_SCOPE: Final = "https://outlook.office.com/IMAP.AccessAsUser.All"
ORGANISATION_SCOPE: Final = "https://outlook.office365.com/.default"


def application(
    client_id: str,
    client_secret: Secret,
    redirect_uri: str,
    *,
    tenant: str = "common",
    authority: str = AUTHORITY,
) -> Application:
    """The application that owners sign in to. `tenant`: "common" for everybody, "organizations" for work
    and school accounts, "consumers" for personal ones, or one directory's id or domain."""
    return Application(
        provider=ID,
        name=NAME,
        client_id=client_id,
        client_secret=client_secret,
        redirect_uri=redirect_uri,
        endpoints=Endpoints(
            f"{authority}/{{tenant}}/oauth2/v2.0/authorize",
            f"{authority}/{{tenant}}/oauth2/v2.0/token",
            f"{authority}/{{tenant}}/discovery/v2.0/keys",
            # No revocation endpoint: owners revoke consents at https://myapps.microsoft.com.
        ),
        scope=f"openid email profile offline_access {MAIL_SCOPE}",
        mail_scope="/IMAP.AccessAsUser.All",  # the resource has several names
        # The issuer names the directory of the account, regardless of the requested directory.
        issuers=frozenset(),
        issuers_of=lambda claims: frozenset({f"{authority}/{claims.get('tid', '')}/v2.0"}),
        explain=explain,
        tenant=tenant,
        authorize_params={"prompt": "select_account"},
    )


# --- An organisation's grant -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Organisation:
    """An application with access to the mailboxes of an organisation, shared ones too: application permission
    IMAP.AccessAsApp with admin consent, and FullAccess to each mailbox (Add-MailboxPermission)."""

    tenant: str
    client_id: str
    client_secret: Secret
    authority: str = AUTHORITY


def organisation_token(web: OAuthHttp, organisation: Organisation) -> AccessToken:
    """A token for every mailbox of the organisation (RFC 6749 section 4.4). Raises as `oauth.run_request`."""
    registration = application(
        organisation.client_id,
        organisation.client_secret,
        "",
        tenant=organisation.tenant,
        authority=organisation.authority,
    )
    return parse_access_token(
        run_request(
            lambda: web.session(registration).fetch_token(
                registration.endpoint_url(registration.endpoints.token),
                grant_type="client_credentials",
                scope=ORGANISATION_SCOPE,
                allow_redirects=False,
            ),
            NAME,
            explain,
        )
    )


# --- Meaning of error texts -------------------------------------------------------------------------


def explain(words: str) -> str:
    """What an error text of Microsoft means and what to do; "" if it is unknown."""
    return meaning(words, _MEANINGS)


def _codes(*numbers: int) -> str:
    return rf"AADSTS(?:{'|'.join(map(str, numbers))})\b"


INSTEAD: Final = "Microsoft accepts no passwords for IMAP: the owner has to sign in with Microsoft."
_AGAIN: Final = "Its owner has to sign in to Microsoft again."
_MAILBOX: Final = (
    "Check that the address is the primary one of the mailbox and was used to sign in, that"
    " IMAP is switched on for the mailbox (Microsoft 365 admin center: Users, the user, Mail, Manage email"
    " apps; Outlook.com: Settings, Mail, Forwarding and IMAP), and, for an organisation's permission, that"
    " the application has FullAccess to the mailbox in Exchange."
)

# https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes (2026-11). Microsoft says
# that the numbers may change; texts without a match are reported as they are.
# IMAP: the responses collected in simonrob/email-oauth2-proxy#74 and #275, imapsync#411, MailKit#2016.
_MEANINGS: Final[Meanings] = tuple(
    (re.compile(pattern, re.IGNORECASE), sentence)
    for pattern, sentence in (
        (
            _codes(65001, 65004, 90094, 90095, 900941, 900971) + "|consent_required",
            "An administrator of the organisation has to allow the application first: Microsoft Entra admin"
            " center, Enterprise applications, Mailhaul, Permissions, Grant admin consent.",
        ),
        (
            _codes(53000, 53001, 53002, 53003, 53004, 530003, 530021, 50097, 50158, 50005),
            "A conditional access policy of the organisation blocks it: its administrator has to exempt"
            " the application, or the network that Mailhaul runs on.",
        ),
        (
            _codes(50072, 50074, 50076, 50078, 50079, 50055, 50144),
            f"{_AGAIN} The organisation requires a second factor or a new password.",
        ),
        (
            _codes(50105),
            "The owner is not assigned to the application: an administrator does that in the Microsoft Entra"
            " admin center under Enterprise applications, Mailhaul, Users and groups.",
        ),
        (
            _codes(7000215, 7000222, 7000216, 700027) + "|^invalid_client",
            "The operator of Mailhaul has to create a new client secret for the Microsoft application and set"
            " it here: the current one is wrong or has expired.",
        ),
        (
            _codes(700016, 7000112, 50001, 500011, 650052),
            "The organisation does not know the application, or has no Exchange Online: its administrator has"
            " to allow the application once, and the operator of Mailhaul has to check the client ID and the"
            " directory.",
        ),
        (
            _codes(90002, 900023, 90013),
            "There is no directory with that name: the operator of Mailhaul has to check the tenant.",
        ),
        (
            _codes(50011, 500112, 500113),
            "The operator of Mailhaul has to enter its exact redirect address in the app registration under"
            " Authentication, Web.",
        ),
        (
            _codes(50020, 50034, 50059, 90072, 51004, 16000),
            "This account does not belong to the requested directory: sign in with an account of the"
            " organisation.",
        ),
        (
            _codes(50053, 50057, 50196),
            "The account is locked or disabled: its administrator can say why.",
        ),
        (
            _codes(70008, 700082, 700084, 70043, 50173, 50133, 54005, 70000, 500133) + "|^invalid_grant",
            _AGAIN,
        ),
        (r"^interaction_required|^login_required", _AGAIN),
        (r"^access_denied", "The permission was not granted: open the link again and choose Accept."),
        (r"authenticated but not connected", f"The sign-in works, but the mailbox does not. {_MAILBOX}"),
        (
            r"basic auth|basicauthblocked|logindisabled",
            INSTEAD,
        ),
        (r"authenticate failed|invalid_token|\"?status\"?: ?\"?40[01]", _MAILBOX),
        (r"imap.*disabled|protocol disabled", _MAILBOX),
    )
)
