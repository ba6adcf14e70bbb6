"""Google: sign-in, organisations, and the meaning of its error texts.

Endpoints and scopes: https://developers.google.com/identity/protocols/oauth2/web-server (2026-11),
https://accounts.google.com/.well-known/openid-configuration (`jwks_uri`),
https://developers.google.com/identity/protocols/oauth2/service-account (2026-11) and
https://developers.google.com/workspace/gmail/imap/xoauth2-protocol (2026-11).
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import requests
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from providers.endpoint import Secret
from providers.mailbox_access import AccessToken
from providers.oauth import Application, Endpoints, OAuthHttp, parse_access_token, run_request
from providers.pattern_table import Meanings, meaning

ID: Final = "google"
NAME: Final = "Google"

MAIL_SCOPE: Final = "https://mail.google.com/"
"""The only scope that IMAP accepts from an owner."""

ORGANISATION_SCOPE: Final = "https://www.googleapis.com/auth/gmail.imap_admin"
"""For service accounts. With it, IMAP shows every label and message, regardless of the owner's settings
"Show in IMAP" and "Folder size limits" (xoauth2-protocol, "Google Workspace Domain-Wide Delegation")."""

_ENDPOINTS: Final = Endpoints(
    "https://accounts.google.com/o/oauth2/v2/auth",
    "https://oauth2.googleapis.com/token",
    "https://www.googleapis.com/oauth2/v3/certs",
    "https://oauth2.googleapis.com/revoke",
)
_ISSUERS: Final = frozenset({"https://accounts.google.com", "accounts.google.com"})
_ASSERTION_LIFE_S: Final = 600


def application(
    client_id: str, client_secret: Secret, redirect_uri: str, *, authority: str = ""
) -> Application:
    """The application that owners sign in to. `authority` replaces Google in tests."""
    issuers = frozenset({authority}) if authority else _ISSUERS
    return Application(
        provider=ID,
        name=NAME,
        client_id=client_id,
        client_secret=client_secret,
        redirect_uri=redirect_uri,
        endpoints=_endpoints(authority),
        scope=f"openid email {MAIL_SCOPE}",
        mail_scope=MAIL_SCOPE.removeprefix("https:"),
        issuers=issuers,
        issuers_of=lambda _claims: issuers,
        explain=explain,
        # Without both, Google issues a refresh token only for the first consent of an owner.
        authorize_params={"access_type": "offline", "prompt": "consent"},
    )


def _endpoints(authority: str) -> Endpoints:
    if not authority:
        return _ENDPOINTS
    return Endpoints(
        f"{authority}/o/oauth2/v2/auth",
        f"{authority}/token",
        f"{authority}/oauth2/v3/certs",
        f"{authority}/revoke",
    )


# --- An organisation's grant -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A service account with domain-wide delegation, read from its key file."""

    email: str
    key_id: str
    token_url: str
    key: RSAKey = field(repr=False)

    @classmethod
    def load(cls, file: Path, *, authority: str = "") -> ServiceAccount:
        """Raises ValueError with a sentence that describes the problem and quotes nothing of the file."""
        try:
            facts = json.loads(file.read_text(encoding="utf-8"))
            email, key_id, pem = (str(facts[n]) for n in ("client_email", "private_key_id", "private_key"))
            key = RSAKey.import_key(pem)
        except OSError as error:
            problem = f"it cannot be read ({error.strerror})"
        except (ValueError, KeyError, TypeError, JoseError):
            problem = "it is not the JSON key of a service account; make one in the Google Cloud console"
        else:
            return cls(email, key_id, _endpoints(authority).token, key)
        raise ValueError(problem)


def organisation_token(web: OAuthHttp, account: ServiceAccount, mailbox: str) -> AccessToken:
    """A token for any mailbox of the organisation (RFC 7523). Raises as `oauth.run_request`."""

    def request() -> Any:
        return web.session().fetch_token(
            account.token_url,
            grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer",
            assertion=_assertion(account, mailbox),
            auth=_no_client_auth,
            allow_redirects=False,
        )

    return parse_access_token(run_request(request, NAME, explain))


def _no_client_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """The assertion authenticates the client; send no other credential."""
    return request


def _assertion(account: ServiceAccount, mailbox: str) -> str:
    # Created anew for each request: a repeated `jti` is a replay (RFC 7523 section 3). Authlib 1.9's
    # AssertionClient sends the same assertion at each refresh.
    now = int(time.time())
    claims: Mapping[str, Any] = {
        "iss": account.email,
        "sub": mailbox,
        "scope": ORGANISATION_SCOPE,
        "aud": account.token_url,
        "iat": now,
        "exp": now + _ASSERTION_LIFE_S,
        "jti": secrets.token_urlsafe(16),
    }
    return jwt.encode({"alg": "RS256", "typ": "JWT", "kid": account.key_id}, dict(claims), account.key)


# --- Meaning of error texts -------------------------------------------------------------------------


def explain(words: str) -> str:
    """What an error text of Google means and what to do; "" if it is unknown."""
    return meaning(words, _MEANINGS)


INSTEAD: Final = (
    "Google accepts app passwords only: create one at https://myaccount.google.com/apppasswords and use it"
    " instead of the account's password, or sign in with Google."
)
_AGAIN: Final = "Its owner has to sign in to Google again and allow Mailhaul to read the mail."

# OAuth: the pages above, and https://developers.google.com/identity/protocols/oauth2/web-server#authorization-errors
# IMAP: https://support.google.com/mail/answer/7126229 and the responses collected in imapsync's FAQ.Gmail.
_MEANINGS: Final[Meanings] = tuple(
    (re.compile(pattern, re.IGNORECASE), sentence)
    for pattern, sentence in (
        (
            r"^admin_policy_enforced|access_denied.*(?:admin|policy|organi[sz]ation)",
            "The administrator of this Google Workspace does not allow applications to read mail. Ask them to"
            " trust Mailhaul in the Admin console under Security, API controls, App access control.",
        ),
        (
            r"^org_internal",
            "This application is restricted to the organisation that created it: sign in with an account"
            " there.",
        ),
        (r"^access_denied", "The permission was not granted: open the link again and choose Allow."),
        (
            r"^redirect_uri_mismatch",
            "The operator of Mailhaul has to add its exact redirect address to the OAuth client in the Google"
            " Cloud console.",
        ),
        (
            r"^invalid_client|^deleted_client",
            "The operator of Mailhaul has to check the client ID and the client secret of the Google"
            " application.",
        ),
        (
            r"^unauthorized_client|^access_denied.*delegat",
            "An administrator has to allow the service account's client ID in the Admin console under"
            f" Security, API controls, Domain-wide delegation, with the scope {ORGANISATION_SCOPE}. It takes"
            " effect within a day, usually within minutes.",
        ),
        (
            r"invalid_grant.*(?:invalid email|user id|account not found|not a valid email)",
            "There is no such mailbox in this organisation: check the address.",
        ),
        (
            r"invalid_grant.*jwt signature",
            "The key of the service account is no longer valid: create a new key in the Google Cloud"
            " console.",
        ),
        (
            r"invalid_grant.*(?:short-lived|timeframe|iat|reasonable)",
            "The clock of the machine that Mailhaul runs on is wrong: correct it.",
        ),
        (
            r"invalid_grant.*(?:session|reauth|rapt)|invalid_rapt",
            f"The organisation limits the duration of sign-ins. {_AGAIN}",
        ),
        (r"^invalid_grant|^interaction_required|^login_required", _AGAIN),
        (
            r"application-specific password|app password",
            INSTEAD,
        ),
        (
            r"web browser|weblogin|webalert",
            "Google requires a confirmation: sign in at https://mail.google.com in a browser, confirm that it"
            " was you, then start again.",
        ),
        (
            r"not enabled for imap|imap access is disabled|imap is disabled|domain policy",
            "Switch IMAP on in Gmail under Settings, Forwarding and POP/IMAP. In an organisation, the"
            " administrator does it in the Admin console under Apps, Gmail, End User Access.",
        ),
    )
)
