"""Google: sign-in, organisations, and the meaning of its error texts.

Endpoints and scopes: https://developers.google.com/identity/protocols/oauth2/web-server (2026-11),
https://accounts.google.com/.well-known/openid-configuration (`jwks_uri`),
https://developers.google.com/identity/protocols/oauth2/service-account (2026-11) and
https://developers.google.com/workspace/gmail/imap/xoauth2-protocol (2026-11).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from providers.sign_in_provider import (
    Endpoints,
    ProviderSetting,
    ServiceAccountGrant,
    SettingKind,
    SignInProvider,
    client_id,
    client_secret,
    organisation_domains,
    replacement_authority,
)
from providers.text import Text

_ID: Final = "google"
_NAME: Final = "Google"

_MAIL_SCOPE: Final = "https://mail.google.com/"
"""The only scope that IMAP accepts from an owner."""

_ORGANISATION_SCOPE: Final = "https://www.googleapis.com/auth/gmail.imap_admin"
"""For service accounts. With it, IMAP shows every label and message, regardless of the owner's settings
"Show in IMAP" and "Folder size limits" (xoauth2-protocol, "Google Workspace Domain-Wide Delegation")."""

_MAIL_DOMAINS: Final = frozenset({"gmail.com", "googlemail.com"})

_AGAIN: Final = "Its owner has to sign in to Google again and allow %(product)s to read the mail."

TEXTS: Final[Mapping[str, str]] = {
    "administrator_blocks_google": (
        "The administrator of this Google Workspace does not allow applications to read mail. Ask them to"
        " trust %(product)s in the Admin console under Security, API controls, App access control."
    ),
    "internal_application_google": (
        "This application is restricted to the organisation that created it: sign in with an account there."
    ),
    "consent_denied_google": "The permission was not granted: try again and choose Allow.",
    "redirect_uri_google": (
        "The operator of %(product)s has to add its exact redirect address to the OAuth client in the Google"
        " Cloud console."
    ),
    "client_google": (
        "The operator of %(product)s has to check the client ID and the client secret of the Google"
        " application."
    ),
    "delegation_google": (
        "An administrator has to allow the service account's client ID in the Admin console under Security,"
        f" API controls, Domain-wide delegation, with the scope {_ORGANISATION_SCOPE}. It takes effect"
        " within a day, usually within minutes."
    ),
    "no_mailbox_google": "There is no such mailbox in this organisation: check the address.",
    "service_account_key_google": (
        "The key of the service account is no longer valid: create a new key in the Google Cloud console."
    ),
    "service_account_file_google": (
        "The file is not the JSON key of a service account: create one in the Google Cloud console."
    ),
    "clock_google": "The clock of the machine that %(product)s runs on is wrong: correct it.",
    "session_length_google": f"The organisation limits the duration of sign-ins. {_AGAIN}",
    "sign_in_again_google": _AGAIN,
    "app_password_google": (
        "Google accepts app passwords only: create one at https://myaccount.google.com/apppasswords and use"
        " it instead of the account's password, or sign in with Google."
    ),
    "confirmation_google": (
        "Google requires a confirmation: sign in at https://mail.google.com in a browser, confirm that it"
        " was you, then start again."
    ),
    "imap_off_google": (
        "Switch IMAP on in Gmail under Settings, Forwarding and POP/IMAP. In an organisation, the"
        " administrator does it in the Admin console under Apps, Gmail, End User Access."
    ),
}
"""The meaning of an error and the advice, by code."""

# OAuth: the pages above, and https://developers.google.com/identity/protocols/oauth2/web-server#authorization-errors
# IMAP: https://support.google.com/mail/answer/7126229 and the responses collected in imapsync's FAQ.Gmail.
_MEANINGS: Final = (
    (
        r"^admin_policy_enforced|access_denied.*(?:admin|policy|organi[sz]ation)",
        "administrator_blocks_google",
    ),
    (r"^org_internal", "internal_application_google"),
    (r"^access_denied", "consent_denied_google"),
    (r"^redirect_uri_mismatch", "redirect_uri_google"),
    (r"^invalid_client|^deleted_client", "client_google"),
    (r"^unauthorized_client|^access_denied.*delegat", "delegation_google"),
    (
        r"invalid_grant.*(?:invalid email|user id|account not found|not a valid email)",
        "no_mailbox_google",
    ),
    (r"invalid_grant.*jwt signature", "service_account_key_google"),
    (r"invalid_grant.*(?:short-lived|timeframe|iat|reasonable)", "clock_google"),
    (r"invalid_grant.*(?:session|reauth|rapt)|invalid_rapt", "session_length_google"),
    (r"^invalid_grant|^interaction_required|^login_required", "sign_in_again_google"),
    (r"application-specific password|app password", "app_password_google"),
    (r"web browser|weblogin|webalert", "confirmation_google"),
    (
        r"not enabled for imap|imap access is disabled|imap is disabled|domain policy",
        "imap_off_google",
    ),
)

_SETTINGS: Final = (
    client_id(
        _NAME,
        "Client ID of the OAuth application at Google with which owners of mailboxes sign in.",
        Text("setting_rule.client_id", source="Google Cloud console"),
    ),
    client_secret(_ID),
    ProviderSetting(
        name="service_account_file",
        meaning="JSON key file of a service account with domain-wide delegation, for an organisation's"
        " mailboxes.",
        rule=Text("setting_rule.file"),
        kind=SettingKind.FILE,
    ),
    organisation_domains(_ID, "service_account_file"),
    replacement_authority(_NAME),
)


def _canonical(address: str) -> str:
    """Google ignores dots and treats its two domains as one
    (https://support.google.com/mail/answer/7436150 and /answer/10313, 2026-11)."""
    local, _, domain = address.strip().lower().rpartition("@")
    return f"{local.replace('.', '')}@gmail.com" if domain in _MAIL_DOMAINS else f"{local}@{domain}"


_OWNERS_GUIDE: Final = """\
For mailboxes at Gmail and Google Workspace, old and new ones, whose owners give their consent in a browser.
Until it is set up, and for those who prefer it, an app password works too.

1. Open the [Google Cloud console](https://console.cloud.google.com/) and make a project.
2. Under *APIs & Services*, *Library*, switch on the **Gmail API**: it is what the permission below belongs
   to.
3. Under *Google Auth Platform* (formerly *OAuth consent screen*), fill in *Branding*: name, support
   address, the domain of `MAILHAUL_PUBLIC_URL`, and the addresses of your home page and privacy policy.
4. Under *Audience*, choose **Internal** when all mailboxes belong to your own Workspace organisation: then
   there is no verification and no limit of users. Otherwise choose **External**.
5. Under *Data access*, add the scopes `openid`, `.../auth/userinfo.email` and `https://mail.google.com/`,
   all that Mailhaul asks for. The last is the only one that IMAP takes from an owner, and it is a
   *restricted* scope: Google counts any use of IMAP among those. A requested scope that is not listed here
   brings the warning page back.
6. Under *Clients*, create an OAuth client of the type **Web application** with the redirect address
   `https://mailhaul.example.org/sign-in/google`: your `MAILHAUL_PUBLIC_URL`, then `/sign-in/google`, letter
   by letter. Copy the **client secret** at once: it is shown only now. If it is lost, add a new one to the
   client.
7. Set `MAILHAUL_GOOGLE_CLIENT_ID`, `MAILHAUL_GOOGLE_CLIENT_SECRET` and `MAILHAUL_PUBLIC_URL`, and restart.

**Before it is verified**, an external application shows a warning page and is limited to 100 users over its
whole life. While its publishing status is *Testing*, only the test users that you list get in, and their
consent ends after 7 days; with *In production* it does not. Consent also ends when its owner withdraws it,
changes the password (for mail scopes), or does not use it for six months. The import then waits for its
owner, and says so. In a Workspace organisation that is not yours, its administrator may have to trust the
application first: Admin console, *Security*, *Access and data control*, *API controls*, *App access
control*.

**Verification** of a restricted scope takes several weeks by Google's own estimate. Google asks for a
verified domain, a privacy policy that keeps to its *Limited Use* rules, a video of the sign-in, and a
security assessment (CASA) by an assessor that Google names, every year. For a few people, or for one
organisation, choose *Internal*, the permission of the organisation below, or app passwords.

Sources: support.google.com/cloud/answer/13463817 (verification, its kinds and times; internal applications)
and answer/13464325 (restricted scopes), answer/15549257 (clients and their secrets), answer/7454865 (the
warning page), read 2026-11-23; support.google.com/cloud/answer/15549945 (audience, test users) as quoted
publicly, read 2026-11-23; developers.google.com/identity/protocols/oauth2#expiration (when a consent ends)
as quoted by support.nylas.com/hc/en-us/articles/4420247611153, read 2026-11-23;
developers.google.com/workspace/gmail/imap/xoauth2-protocol (the scopes), 2026-11. Names in the console
change often.
"""

_ORGANISATION_GUIDE: Final = """\
An administrator lets Mailhaul into the mailboxes of their own domains, once and without asking each owner.
It never works for addresses at gmail.com.

1. In the [Google Cloud console](https://console.cloud.google.com/), in any project, switch on the **Gmail
   API**, then create a **service account** under *IAM & Admin*. It needs no role.
2. Create a key for it in JSON form, and note its **client ID**, a number. If the console says “Service
   account key creation is disabled”, an *Organization policy administrator* has to lift
   `iam.disableServiceAccountKeyCreation`, or `iam.managed.disableServiceAccountKeyCreation`, for this
   project; many organisations have it from the start.
3. In the [Admin console](https://admin.google.com/), as a super administrator: *Security*, *Access and data
   control*, *API controls*, *Manage domain-wide delegation*, *Add new*. Enter the client ID and the scope
   `https://www.googleapis.com/auth/gmail.imap_admin`, and authorise. It may take a while to work
   everywhere.
4. There too, see that IMAP is on for these people: *Apps*, *Google Workspace*, *Gmail*, *End User Access*,
   *POP and IMAP access*. Where it is off, Google answers “IMAP access is disabled for your domain”.
5. Set `MAILHAUL_GOOGLE_SERVICE_ACCOUNT_FILE` to the key file, readable by Mailhaul only, and
   `MAILHAUL_GOOGLE_ORGANISATION_DOMAINS` to your domains. Mailhaul opens no other domain with that
   permission.
6. When the import is done, remove the client ID from the list again, and delete the key.

With this scope all labels and messages are shown, whatever each owner chose under “Show in IMAP”. It opens
new mailboxes too: Google names it as the one to use in place of `https://mail.google.com/`, which reads and
writes.

Sources: support.google.com/a/answer/162106 (domain-wide delegation),
developers.google.com/cloud-search/docs/guides/delegation (the steps in the Admin console), both read
2026-11-23; support.google.com/a/answer/14437356 (best practices);
cloud.google.com/iam/docs/troubleshoot-org-policies (keys), read 2026-11-23;
developers.google.com/workspace/gmail/imap/xoauth2-protocol (the scope), stored version read 2026-11-23.
"""

PROVIDER: Final = SignInProvider(
    id=_ID,
    name=_NAME,
    endpoints=Endpoints(
        "https://accounts.google.com/o/oauth2/v2/auth",
        "https://oauth2.googleapis.com/token",
        "https://www.googleapis.com/oauth2/v3/certs",
        "https://oauth2.googleapis.com/revoke",
    ),
    issuers=("https://accounts.google.com", "accounts.google.com"),
    scope=f"openid email {_MAIL_SCOPE}",
    mail_scope=_MAIL_SCOPE.removeprefix("https:"),
    # Without both, Google issues a refresh token only for the first consent of an owner.
    authorize_params={"access_type": "offline", "prompt": "consent"},
    canonical_address=_canonical,
    settings=_SETTINGS,
    organisation=ServiceAccountGrant(
        scope=_ORGANISATION_SCOPE,
        unusable_key="service_account_file_google",
    ),
    texts=TEXTS,
    meanings=_MEANINGS,
    refused_login_code="app_password_google",
    guides=(
        ("Sign-in with Google", _OWNERS_GUIDE),
        ("A Google Workspace organisation", _ORGANISATION_GUIDE),
    ),
)
