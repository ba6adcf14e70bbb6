"""Microsoft: sign-in, organisations, and the meaning of its error texts.

Endpoints and scopes: https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-auth-code-flow,
https://learn.microsoft.com/en-us/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
(both 2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from providers.sign_in_provider import (
    TENANT,
    ClientCredentialsGrant,
    Endpoints,
    ProviderSetting,
    SettingKind,
    SignInProvider,
    client_id,
    client_secret,
    organisation_domains,
    variable,
)
from providers.text import Text

_ID: Final = "microsoft"
_NAME: Final = "Microsoft"

_AUTHORITY: Final = "https://login.microsoftonline.com"
"""Sovereign clouds have other authorities."""

_MAIL_SCOPE: Final = "https://outlook.office.com/IMAP.AccessAsUser.All"

_AGAIN: Final = "Its owner has to sign in to Microsoft again."
_MAILBOX: Final = (
    "Check that the address is the primary one of the mailbox and was used to sign in, that"
    " IMAP is switched on for the mailbox (Microsoft 365 admin center: Users, the user, Mail, Manage email"
    " apps; Outlook.com: Settings, Mail, Forwarding and IMAP), and, for an organisation's permission, that"
    " the application has FullAccess to the mailbox in Exchange."
)

TEXTS: Final[Mapping[str, str]] = {
    "tenant_microsoft": "common, organizations, consumers, or a directory's ID or domain",
    "directory_microsoft": "a directory's ID or domain",
    "application_microsoft": "an application ID; it or %(variable)s must be set with the directory",
    "admin_consent_microsoft": (
        "An administrator of the organisation has to allow the application first: Microsoft Entra admin"
        " center, Enterprise applications, %(product)s, Permissions, Grant admin consent."
    ),
    "conditional_access_microsoft": (
        "A conditional access policy of the organisation blocks it: its administrator has to exempt the"
        " application, or the network that %(product)s runs on."
    ),
    "second_factor_microsoft": f"{_AGAIN} The organisation requires a second factor or a new password.",
    "not_assigned_microsoft": (
        "The owner is not assigned to the application: an administrator does that in the Microsoft Entra"
        " admin center under Enterprise applications, %(product)s, Users and groups."
    ),
    "client_secret_microsoft": (
        "The operator of %(product)s has to create a new client secret for the Microsoft application and set"
        " it here: the current one is wrong or has expired."
    ),
    "unknown_application_microsoft": (
        "The organisation does not know the application, or has no Exchange Online: its administrator has"
        " to allow the application once, and the operator of %(product)s has to check the client ID and the"
        " directory."
    ),
    "unknown_tenant_microsoft": (
        "There is no directory with that name: the operator of %(product)s has to check the tenant."
    ),
    "redirect_uri_microsoft": (
        "The operator of %(product)s has to enter its exact redirect address in the app registration under"
        " Authentication, Web."
    ),
    "other_directory_microsoft": (
        "This account does not belong to the requested directory: sign in with an account of the"
        " organisation."
    ),
    "account_disabled_microsoft": "The account is locked or disabled: its administrator can say why.",
    "sign_in_again_microsoft": _AGAIN,
    "consent_denied_microsoft": "The permission was not granted: try again and choose Accept.",
    "not_connected_microsoft": f"The sign-in works, but the mailbox does not. {_MAILBOX}",
    "no_passwords_microsoft": (
        "Microsoft accepts no passwords for IMAP: the owner has to sign in with Microsoft."
    ),
    "mailbox_microsoft": _MAILBOX,
}
"""The meaning of an error and the advice, by code."""


def _codes(*numbers: int) -> str:
    return rf"AADSTS(?:{'|'.join(map(str, numbers))})\b"


# https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes (2026-11). Microsoft says
# that the numbers may change; texts without a match are reported as they are.
# IMAP: the responses collected in simonrob/email-oauth2-proxy#74 and #275, imapsync#411, MailKit#2016.
_MEANINGS: Final = (
    (
        _codes(65001, 65004, 90094, 90095, 900941, 900971) + "|consent_required",
        "admin_consent_microsoft",
    ),
    (
        _codes(53000, 53001, 53002, 53003, 53004, 530003, 530021, 50097, 50158, 50005),
        "conditional_access_microsoft",
    ),
    (_codes(50072, 50074, 50076, 50078, 50079, 50055, 50144), "second_factor_microsoft"),
    (_codes(50105), "not_assigned_microsoft"),
    (_codes(7000215, 7000222, 7000216, 700027) + "|^invalid_client", "client_secret_microsoft"),
    (_codes(700016, 7000112, 50001, 500011, 650052), "unknown_application_microsoft"),
    (_codes(90002, 900023, 90013), "unknown_tenant_microsoft"),
    (_codes(50011, 500112, 500113), "redirect_uri_microsoft"),
    (_codes(50020, 50034, 50059, 90072, 51004, 16000), "other_directory_microsoft"),
    (_codes(50053, 50057, 50196), "account_disabled_microsoft"),
    (
        _codes(70008, 700082, 700084, 70043, 50173, 50133, 54005, 70000, 500133) + "|^invalid_grant",
        "sign_in_again_microsoft",
    ),
    (r"^interaction_required|^login_required", "sign_in_again_microsoft"),
    (r"^access_denied", "consent_denied_microsoft"),
    (r"authenticated but not connected", "not_connected_microsoft"),
    (r"basic auth|basicauthblocked|logindisabled", "no_passwords_microsoft"),
    (r"authenticate failed|invalid_token|\"?status\"?: ?\"?40[01]", "mailbox_microsoft"),
    (r"imap.*disabled|protocol disabled", "mailbox_microsoft"),
)


def _is_tenant(value: str, _seen: Mapping[str, Any]) -> bool:
    return re.fullmatch(r"[A-Za-z0-9.-]*", value) is not None


def _has_application(value: str, seen: Mapping[str, Any]) -> bool:
    return bool(value or seen.get("client_id") or not seen.get("organisation_tenant"))


_SETTINGS: Final = (
    client_id(
        _NAME,
        "Application (client) ID of the app registration at Microsoft with which owners sign in.",
        Text("setting_rule.client_id", source="Microsoft Entra admin center"),
    ),
    client_secret(_ID),
    ProviderSetting(
        name="tenant",
        meaning="Who can sign in: common, organizations, consumers, or one directory by ID or domain.",
        rule=Text("tenant_microsoft"),
        default="common",
        shown="common",
        accepts=_is_tenant,
    ),
    ProviderSetting(
        name="organisation_tenant",
        meaning="Directory that permits an application to open its mailboxes (IMAP.AccessAsApp), by ID or"
        " domain.",
        rule=Text("directory_microsoft"),
        accepts=_is_tenant,
    ),
    ProviderSetting(
        name="organisation_client_id",
        meaning="Application (client) ID for that directory.",
        rule=Text("application_microsoft", variable=variable(_ID, "client_id")),
        shown=variable(_ID, "client_id"),
        accepts=_has_application,
    ),
    ProviderSetting(
        name="organisation_client_secret",
        meaning="Client secret of the application for that directory.",
        rule=Text("setting_rule.client_secret", variable=variable(_ID, "organisation_client_id")),
        kind=SettingKind.SECRET,
        shown=variable(_ID, "client_secret"),
        comes_with="organisation_client_id",
    ),
    organisation_domains(_ID, "organisation_tenant"),
    ProviderSetting(
        name="authority",
        meaning="URL at which signing in with Microsoft begins; sovereign clouds have other URLs.",
        rule=Text("setting_rule.url", example=_AUTHORITY),
        kind=SettingKind.URL,
        default=_AUTHORITY,
        shown=_AUTHORITY,
    ),
)

_OWNERS_GUIDE: Final = """\
For mailboxes at Outlook.com, Hotmail, Live and Microsoft 365, old and new ones. No password works there any
more, not even an app password.

1. Open the [Microsoft Entra admin center](https://entra.microsoft.com/): *App registrations*, *New
   registration*. An application lives in a directory: with a personal account that has none, Microsoft
   refuses (“create applications outside of a directory”); signing up for Azure makes one.
2. Choose who may sign in: accounts in any directory **and personal Microsoft accounts**, for everybody
   (then leave `MAILHAUL_MICROSOFT_TENANT` at `common`); any directory, for work and school alone
   (`organizations`); or your own directory alone (its ID or domain).
3. Add the redirect address as platform **Web**: `https://mailhaul.example.org/sign-in/microsoft`, which is
   your `MAILHAUL_PUBLIC_URL` and then `/sign-in/microsoft`, letter by letter.
4. Under *API permissions*, *Add a permission*, *APIs my organization uses* or *Microsoft Graph*, *Delegated
   permissions*: add **IMAP.AccessAsUser.All**, **offline_access**, **openid**, **email** and **profile**.
   Mailhaul asks for `https://outlook.office.com/IMAP.AccessAsUser.All` and these.
5. Under *Certificates & secrets*, create a client secret and copy its **value** at once. It ends after the
   time that you choose: put the day into your calendar.
6. Set `MAILHAUL_MICROSOFT_CLIENT_ID` (the *Application (client) ID*), `MAILHAUL_MICROSOFT_CLIENT_SECRET`
   and `MAILHAUL_PUBLIC_URL`, and restart.

**Work and school: an administrator consents.** Since November 2025 Microsoft's own consent policy, which
directories have unless they made one of their own, lets only an administrator allow an application
IMAP; owners see “Need admin approval”. An administrator of the directory opens this once, signs in and
accepts; from then on its people can sign in:

```text
https://login.microsoftonline.com/<their directory ID>/adminconsent?client_id=<application ID>
```

The ID may also be a domain of the directory. At the end the browser comes to your Mailhaul, which says
“This did not begin in this browser”: the consent is given all the same. In your own directory, *Grant admin
consent* under *API permissions* does it.

**Limits.** In directories with a policy of their own, people cannot consent to an application of an
*unverified publisher* that was registered after 8 November 2020: their administrator has to, or you become
a *verified publisher* (through the Microsoft partner programme, with a domain that belongs to it). An
administrator may also allow no consent at all, have IMAP switched off for the mailbox, or demand conditions
that no server meets. Personal accounts need IMAP switched on in the settings of Outlook.com; no
administrator is asked there.

Sources:
learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
(MicrosoftDocs/office-developer-exchange-docs, stored version read 2026-11-23);
techcommunity.microsoft.com/blog/microsoft-entra-blog “Publisher verification and app consent policies are
now generally available”, 2020-10-07, read 2026-11-23; Microsoft's message MC1163922, 2025-10-02, at
mc.merill.net (administrators' consent for IMAP), read 2026-11-23;
learn.microsoft.com/entra/identity/enterprise-apps/grant-admin-consent (the address to consent at), stored
version read 2026-11-23. That Outlook.com takes no app password either: threads of public projects since
2024-09-16, read 2026-11.
"""

_ORGANISATION_GUIDE: Final = """\
An administrator lets Mailhaul into chosen mailboxes of their directory, shared ones too, without asking
each owner.

1. Register an application as above, for **this directory only**; it needs no redirect address. Create a
   client secret.
2. *API permissions*, *Add a permission*, *APIs my organization uses*, “Office 365 Exchange Online”,
   **Application permissions**, **IMAP.AccessAsApp**. Then *Grant admin consent*.
3. In *Enterprise applications* (not in *App registrations*), open the application and note its **Object
   ID**. The one of the registration is another, and with it every login fails.
4. In Exchange Online PowerShell, as an administrator:

   ```text
   Connect-ExchangeOnline -Organization <directory ID>
   New-ServicePrincipal -AppId <application ID> -ObjectId <object ID of the enterprise application>
   Add-MailboxPermission -Identity ada@old.example -User <object ID> -AccessRights FullAccess
   ```

   The last line once for each mailbox. Older modules call `-ObjectId` `-ServiceId`.
5. See that IMAP is on for these mailboxes: `Set-CASMailbox ada@old.example -ImapEnabled $true`.
6. Set `MAILHAUL_MICROSOFT_ORGANISATION_TENANT`, `MAILHAUL_MICROSOFT_ORGANISATION_DOMAINS`, and, unless it
   is the application that owners sign in to, `MAILHAUL_MICROSOFT_ORGANISATION_CLIENT_ID` and
   `MAILHAUL_MICROSOFT_ORGANISATION_CLIENT_SECRET`. Mailhaul asks for
   `https://outlook.office365.com/.default`.
7. When the import is done, take the permission away: `Remove-MailboxPermission`, and remove the
   application.

“User is authenticated but not connected” means that the token is good and the mailbox is not: steps 3 to 5.
Exchange says the same for a while after many connections; Mailhaul waits and tries again where it worked
before.

Sources: the page of learn.microsoft.com above, section on client credentials, stored version read
2026-11-23; cknotes.com/office365-app-setup-smtp-pop-imap-oauth2-client-credentials, read 2026-11-23;
github.com/simonrob/email-oauth2-proxy issues 74 and 275 (the sentence), github.com/mscdex/node-imap issue
523 (many connections), read 2026-11.
"""

PROVIDER: Final = SignInProvider(
    id=_ID,
    name=_NAME,
    endpoints=Endpoints(
        f"{_AUTHORITY}/{TENANT}/oauth2/v2.0/authorize",
        f"{_AUTHORITY}/{TENANT}/oauth2/v2.0/token",
        f"{_AUTHORITY}/{TENANT}/discovery/v2.0/keys",
        # No revocation endpoint: owners revoke consents at https://myapps.microsoft.com.
    ),
    # The issuer names the directory of the account, regardless of the requested directory.
    issuers=(f"{_AUTHORITY}/{TENANT}/v2.0",),
    scope=f"openid email profile offline_access {_MAIL_SCOPE}",
    mail_scope="/IMAP.AccessAsUser.All",  # the resource has several names
    authorize_params={"prompt": "select_account"},
    # Microsoft vouches for the sign-in name, and sends no email_verified.
    address_claims=("email", "preferred_username", "upn"),
    tenant_claim="tid",
    settings=_SETTINGS,
    organisation=ClientCredentialsGrant(scope="https://outlook.office365.com/.default"),
    texts=TEXTS,
    meanings=_MEANINGS,
    refused_login_code="no_passwords_microsoft",
    guides=(
        ("Sign-in with Microsoft", _OWNERS_GUIDE),
        ("A Microsoft 365 organisation", _ORGANISATION_GUIDE),
    ),
)
