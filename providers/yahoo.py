"""Yahoo: sign-in, and the meaning of its error texts.

Endpoints, issuer and signatures: https://api.login.yahoo.com/.well-known/openid-configuration (2026-11); it
announces no PKCE. Sign-in: https://developer.yahoo.com/oauth2/guide/openid_connect/getting_started.html
(2026-11). IMAP with OAUTHBEARER, and the mail scope that Yahoo has to approve:
https://senders.yahooinc.com/developer/documentation (2026-11). Scope: Mozilla ISPDB yahoo.com (2026-03-12).

AOL has the same sign-in, but wants an application of its own (senders.yahooinc.com): it is not this provider.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from providers.sign_in_provider import (
    Endpoints,
    SignInProvider,
    client_id,
    client_secret,
    replacement_authority,
)
from providers.text import Text

_ID: Final = "yahoo"
_NAME: Final = "Yahoo"

_MAIL_SCOPE: Final = "mail-w"
"""Reads and writes; `mail-r` reads only."""

TEXTS: Final[Mapping[str, str]] = {
    "consent_denied_yahoo": "The permission was not granted: try again and choose Agree.",
    "sign_in_again_yahoo": "Its owner has to sign in to Yahoo again and allow %(product)s to use the mail.",
    "scope_not_approved_yahoo": (
        "The operator of %(product)s has to apply for access to mail at"
        " https://senders.yahooinc.com/developer/developer-access-mail-form/, and to select Mail in the"
        " application at Yahoo once that is granted."
    ),
    "redirect_uri_yahoo": (
        "The operator of %(product)s has to enter its exact redirect address in the application at Yahoo."
    ),
    "client_yahoo": (
        "The operator of %(product)s has to check the client ID and the client secret of the Yahoo"
        " application."
    ),
    "minor_yahoo": "Yahoo lets no minor allow this: use an app password.",
    "app_password_yahoo": (
        "Yahoo accepts app passwords only: create one at https://login.yahoo.com/account/security and use it"
        " instead of the account's password, or sign in with Yahoo."
    ),
}
"""The meaning of an error and the advice, by code."""

# https://developer.yahoo.com/oauth2/guide/errors/ and .../openid_connect/troubleshooting.html (2026-11).
# IMAP: the responses in github.com/OfflineIMAP/offlineimap issue 688.
_MEANINGS: Final = (
    (r"^access_denied", "consent_denied_yahoo"),
    (r"^invalid_scope|additional_authorization_required", "scope_not_approved_yahoo"),
    (r"redirect_uri|^invalid_callback", "redirect_uri_yahoo"),
    (r"^invalid_client|^unauthorized_client|^invalid_consumer_key|^deleted_consumer_key", "client_yahoo"),
    (r"^underage_user", "minor_yahoo"),
    (
        r"^invalid_grant|^invalid_refresh_token|^token_expired|^account_not_authorized|^login_required",
        "sign_in_again_yahoo",
    ),
    (r"(?:login|plain|authenticate) invalid credentials", "app_password_yahoo"),
)

_GUIDE: Final = """\
For mailboxes at Yahoo Mail, old and new ones, whose owners give their consent in a browser. Yahoo admits
applications to mail after a review only; until then, and for those who prefer it, an app password works too.

1. Make a Yahoo account for your organisation, and apply for access to mail with
   [Yahoo's form](https://senders.yahooinc.com/developer/developer-access-mail-form/): choose **IMAP**. Yahoo
   sends an agreement to sign, and answers by mail.
2. When it is granted, create an application at [developer.yahoo.com/apps](https://developer.yahoo.com/apps/)
   with that account, as a **confidential client**, with the redirect address
   `https://mailhaul.example.org/sign-in/yahoo`: your `MAILHAUL_PUBLIC_URL`, then `/sign-in/yahoo`, letter by
   letter. Yahoo accepts https only.
3. Under *API Permissions*, select **Mail** with *Read/Write*, and **OpenID Connect Permissions** with
   *Email*. Mailhaul asks for `openid`, `email` and `mail-w`.
4. Set `MAILHAUL_YAHOO_CLIENT_ID`, `MAILHAUL_YAHOO_CLIENT_SECRET` and `MAILHAUL_PUBLIC_URL`, and restart.

Mailboxes at AOL need an application of their own at Yahoo; they are opened with app passwords here.

Sources: senders.yahooinc.com/developer/documentation (IMAP with OAuth; the review; one application for each
of Yahoo and AOL), developer.yahoo.com/oauth2/guide (sign-in, errors),
developer.nylas.com/docs/provider-guides/yahoo-authentication (the steps of the application), all read
2026-11-29. That PKCE is refused to confidential clients: notes of a public project, read 2026-11-29. Mailhaul
was never run against the real Yahoo.
"""

PROVIDER: Final = SignInProvider(
    id=_ID,
    name=_NAME,
    endpoints=Endpoints(
        "https://api.login.yahoo.com/oauth2/request_auth",
        "https://api.login.yahoo.com/oauth2/get_token",
        "https://api.login.yahoo.com/openid/v1/certs",
        "https://api.login.yahoo.com/oauth2/revoke",
    ),
    issuers=("https://api.login.yahoo.com",),
    scope=f"openid email {_MAIL_SCOPE}",
    mail_scope=_MAIL_SCOPE,
    pkce=False,  # refused to confidential clients as "invalid client id"; not in the discovery document
    consent_errors=frozenset({"INVALID_REFRESH_TOKEN", "TOKEN_EXPIRED", "ACCOUNT_NOT_AUTHORIZED"}),
    settings=(
        client_id(
            _NAME,
            "Client ID (consumer key) of the application at Yahoo with which owners of mailboxes sign in.",
            Text("setting_rule.client_id", source="developer.yahoo.com"),
        ),
        client_secret(_ID),
        replacement_authority(_NAME),
    ),
    texts=TEXTS,
    meanings=_MEANINGS,
    refused_login_code="app_password_yahoo",
    guides=(("Sign-in with Yahoo", _GUIDE),),
)
