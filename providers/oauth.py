"""OAuth client for mailbox access: authorize, exchange the code, refresh, revoke.

RFC 6749 with PKCE (RFC 7636, always S256), `state` and OpenID Connect's `nonce`; based on Authlib. Provider
specifics are in google.py and microsoft.py.

Invariants
- No exception raised here contains a code, a token or a secret, or has a context that does: exceptions of
  requests and Authlib hold the whole request, so they are converted to values before ours are raised.
- No request is retried here. A refresh token may be valid only once (RFC 9700 section 4.14.2).
"""

from __future__ import annotations

import secrets
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from requests.adapters import HTTPAdapter

from providers.endpoint import Secret
from providers.errors import GrantExpired, LoginRejected, MailError, ServerUnavailable, Throttled
from providers.grants import OAuthGrant
from providers.id_token import Identity, id_token_identity
from providers.mailbox_access import AccessToken, Consent, Question

_DEFAULT_LIFE_S: Final = 300.0
"""The assumed lifetime of a token without `expires_in`, which RFC 6749 section 5.1 only recommends."""

_CONSENT_NEEDED: Final = frozenset(
    {"invalid_grant", "interaction_required", "login_required", "consent_required"}
)
"""Errors that require a new consent (RFC 6749 section 5.2, OpenID Connect Core section 3.1.2.6)."""

_TEMPORARY: Final = frozenset({"temporarily_unavailable", "server_error", "slow_down"})

_SERVER_TEXT_CHARS: Final = 300

_LONGEST_PAUSE_S: Final = 86_400
"""The limit of a `Retry-After` pause; longer ones are cut."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The URLs of a provider; `keys` are those that sign ID tokens (a JWK set), `revoke` is "" for none.
    `{tenant}` is a placeholder for the directory."""

    authorize: str
    token: str
    keys: str = ""
    revoke: str = ""


@dataclass(frozen=True, slots=True)
class Application:
    """Our registration at a provider, and how to use it.

    `scope` is requested from owners; mail access requires a granted scope that ends in `mail_scope`.
    `authorize_params` are further parameters of the authorization request. If a response names its issuer
    (RFC 9207), it must be one of `issuers`, unless those are unknown beforehand (empty); the issuer of an ID
    token must be one of `issuers_of` its claims. `explain` turns a provider's error ("code: description")
    into advice.
    """

    provider: str
    name: str
    client_id: str
    client_secret: Secret
    redirect_uri: str
    endpoints: Endpoints
    scope: str
    mail_scope: str
    issuers: frozenset[str]
    issuers_of: Callable[[Mapping[str, Any]], frozenset[str]]
    explain: Callable[[str], str]
    tenant: str = ""
    authorize_params: Mapping[str, str] = field(default_factory=dict)

    def endpoint_url(self, url: str, tenant: str = "") -> str:
        """The endpoint URL for that directory, by default the application's own."""
        return url.replace("{tenant}", tenant or self.tenant)


class OAuthHttp:
    """HTTPS access to providers. `ca_file` is trusted in addition to the system's authorities."""

    def __init__(self, ca_file: Path | None = None, timeout_s: float = 20.0) -> None:
        self._timeout_s = timeout_s
        self._tls = ssl.create_default_context()
        if ca_file is not None:
            self._tls.load_verify_locations(ca_file)

    def session(self, application: Application | None = None) -> OAuth2Session:
        """A session for one request, of an application or without one."""
        session = OAuth2Session(
            client_id=application.client_id if application else None,
            client_secret=application.client_secret.reveal() if application else None,
            token_endpoint_auth_method="client_secret_post",  # noqa: S106  # Google and Microsoft accept it
            revocation_endpoint_auth_method="client_secret_post",
            redirect_uri=application.redirect_uri if application else None,
            scope=application.scope if application else None,
            code_challenge_method="S256",
            default_timeout=self._timeout_s,
        )
        session.mount("https://", _TlsContextAdapter(self._tls))
        for hook in ("access_token_response", "refresh_token_response"):
            session.register_compliance_hook(hook, _raise_if_busy)
        return session


# --- Owner consent -------------------------------------------------------------------------------


def begin_authorization(application: Application, mailbox: str) -> Question:
    """Create the authorization request for the owner of `mailbox`."""
    verifier, state, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    url, _ = (
        OAuthHttp()
        .session(application)
        .create_authorization_url(
            application.endpoint_url(application.endpoints.authorize),
            state=state,
            code_verifier=verifier,
            nonce=nonce,
            login_hint=mailbox,
            **application.authorize_params,
        )
    )
    return Question(str(url), state, Secret(verifier), nonce)


def complete_authorization(
    web: OAuthHttp, application: Application, question: Question, answer: Mapping[str, str], mailbox: str
) -> Consent:
    """Exchange the parameters that the browser returned with for the owner's consent.

    Raises LoginRejected if the consent was denied or is for another mailbox; ServerUnavailable, Throttled.
    """
    if not secrets.compare_digest(answer.get("state", "").encode(), question.state.encode()):
        raise LoginRejected("This response belongs to another sign-in. Open the link again.")
    if application.issuers and answer.get("iss", "") not in {"", *application.issuers}:
        raise LoginRejected("This response comes from another issuer. Open the link again.")
    if "error" in answer or not answer.get("code"):
        words = _words(answer.get("error", "no code"), answer.get("error_description"))
        raise refusal_error(words, application.name, application.explain)
    tokens = run_request(
        lambda: web.session(application).fetch_token(
            application.endpoint_url(application.endpoints.token),
            grant_type="authorization_code",
            code=answer["code"],
            code_verifier=question.verifier.reveal(),
            allow_redirects=False,
        ),
        application.name,
        application.explain,
    )
    # Fetched at each sign-in: a provider may change its keys at any time.
    keys_url = application.endpoint_url(application.endpoints.keys)
    identity = id_token_identity(
        str(tokens.get("id_token", "")),
        get_json(web, keys_url, application.name, application.explain).get("keys"),
        application.client_id,
        question.nonce,
        application.issuers_of,
    )
    _check_mailbox(application, identity, mailbox)
    _check_scope(application, tokens)
    if not tokens.get("refresh_token"):
        raise LoginRejected(
            f"{application.name} granted a permission that ends within the hour. Remove Mailhaul from the"
            f" connected applications of this account at {application.name}, then open the link again."
        )
    grant = OAuthGrant(application.provider, Secret(str(tokens["refresh_token"])), identity.tenant)
    return Consent(grant, parse_access_token(tokens), identity.addresses)


def refresh_tokens(
    web: OAuthHttp, application: Application, grant: OAuthGrant
) -> tuple[AccessToken, OAuthGrant]:
    """Return a new token and the grant to store, whose refresh token may have changed.

    Raises GrantExpired, LoginRejected if the application is refused, ServerUnavailable, Throttled.
    """
    tokens = run_request(
        lambda: web.session(application).refresh_token(
            application.endpoint_url(application.endpoints.token, grant.tenant),
            refresh_token=grant.refresh_token.reveal(),
            scope="",  # the same as granted (RFC 6749 section 6)
            allow_redirects=False,
        ),
        application.name,
        application.explain,
        renewing=True,
    )
    token = str(tokens.get("refresh_token") or grant.refresh_token.reveal())
    return parse_access_token(tokens), replace(grant, refresh_token=Secret(token))


def revoke_consent(web: OAuthHttp, application: Application, grant: OAuthGrant) -> bool:
    """Revoke the consent (RFC 7009); False if that is not possible or failed. Never raises.

    At Google this ends every grant of this owner for the application.
    """
    if not application.endpoints.revoke:
        return False
    try:
        response = web.session(application).revoke_token(
            application.endpoints.revoke,
            token=grant.refresh_token.reveal(),
            token_type_hint="refresh_token",  # noqa: S106
            allow_redirects=False,
        )
    except (requests.RequestException, AuthlibBaseError, ValueError):
        return False
    return bool(response.ok)


def _check_mailbox(application: Application, identity: Identity, mailbox: str) -> None:
    if not identity.owns(mailbox):
        signed_in = identity.addresses[0] if identity.addresses else "another account"
        raise LoginRejected(
            f"You signed in to {application.name} as {signed_in}, but the mailbox is {mailbox}. Open the link"
            f" again and sign in as {mailbox}."
        )


def _check_scope(application: Application, tokens: Mapping[str, Any]) -> None:
    granted = tokens.get("scope")  # omitted if identical to the requested scope (RFC 6749 section 5.1)
    required = application.mail_scope.casefold()
    if isinstance(granted, str) and not any(scope.endswith(required) for scope in granted.casefold().split()):
        raise LoginRejected(
            f"The permission to read mail was not granted. Open the link again and select it when"
            f" {application.name} asks."
        )


# --- Requests to a provider ----------------------------------------------------------------------


def run_request(
    request: Callable[[], Any], name: str, explain: Callable[[str], str], *, renewing: bool = False
) -> Mapping[str, Any]:
    """Run one request and return its result.

    Raises LoginRejected, or GrantExpired if `renewing` an expired consent; Throttled and ServerUnavailable.
    The exceptions have no context that holds a secret.
    """
    result = _result_or_error(request, name, explain, renewing)
    if isinstance(result, MailError):
        raise result  # outside any `except`, so that its context does not contain the request
    return result


def get_json(
    web: OAuthHttp, url: str, name: str, explain: Callable[[str], str], token: str = ""
) -> Mapping[str, Any]:
    """Fetch a JSON object, with a bearer token if there is one. Raises as `run_request`."""

    def fetch() -> Any:
        headers = {"Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        response = web.session().get(url, headers=headers, withhold_token=True, allow_redirects=False)
        if response.status_code != 200:
            raise ValueError
        return response.json()

    return run_request(fetch, name, explain)


def refusal_error(
    words: str, name: str, explain: Callable[[str], str], *, renewing: bool = False
) -> MailError:
    """Convert an error of the provider; `words` begin with its code (RFC 6749 section 5.2)."""
    code, server_text = words.partition(":")[0], words[:_SERVER_TEXT_CHARS]
    if code in _TEMPORARY:
        return ServerUnavailable(
            f"{name} cannot grant access at the moment. Mailhaul tries again later.", server_text=server_text
        )
    advice = explain(words)
    if renewing and code in _CONSENT_NEEDED:
        sentence = f"The permission at {name} was withdrawn or has expired."
        return GrantExpired(f"{sentence} {advice or 'Sign in there again.'}", server_text=server_text)
    sentence = f"{name} denies access."
    return LoginRejected(
        f"{sentence} {advice or 'Try again, or contact the operator of Mailhaul.'}", server_text=server_text
    )


def parse_access_token(tokens: Mapping[str, Any]) -> AccessToken:
    """The access token of a token response. Raises ServerUnavailable if there is none."""
    value = tokens.get("access_token")
    if not isinstance(value, str) or not value:
        raise ServerUnavailable(
            "The response to our sign-in contains no access token. Mailhaul tries again later."
        )
    try:
        life_s = float(tokens.get("expires_in") or _DEFAULT_LIFE_S)
    except (TypeError, ValueError):
        life_s = _DEFAULT_LIFE_S
    return AccessToken(Secret(value), time.monotonic() + life_s, life_s)


def _result_or_error(
    request: Callable[[], Any], name: str, explain: Callable[[str], str], renewing: bool
) -> Mapping[str, Any] | MailError:
    try:
        return dict(request())
    except _Busy as busy:
        return _busy(name, busy)
    except AuthlibBaseError as error:
        words = _words(error.error, error.description)
        return refusal_error(words, name, explain, renewing=renewing)
    except requests.exceptions.SSLError:
        return ServerUnavailable(
            f"The certificate of {name} is not trusted here. Contact the operator of Mailhaul."
        )
    except (requests.RequestException, OSError):
        return ServerUnavailable(
            f"{name} cannot be reached to renew the permission. Mailhaul tries again later."
        )
    except (ValueError, TypeError):
        return ServerUnavailable(f"{name} sent an invalid response. Mailhaul tries again later.")


def _words(error: object, description: object) -> str:
    text = f"{error}: {description}" if description else str(error)
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


class _Busy(Exception):
    """HTTP status 429 or 5xx; `pause_s` is the Retry-After in seconds, if it was a number."""

    def __init__(self, status: int, pause_s: int | None) -> None:
        super().__init__(status)
        self.status = status
        self.pause_s = pause_s


def _raise_if_busy(response: requests.Response) -> requests.Response:
    if response.status_code == 429 or response.status_code >= 500:
        pause = response.headers.get("Retry-After", "")
        seconds = int(pause) if pause.isdecimal() and len(pause) < 10 else None
        raise _Busy(response.status_code, None if seconds is None else min(seconds, _LONGEST_PAUSE_S))
    return response


def _busy(name: str, busy: _Busy) -> MailError:
    server_text = f"HTTP {busy.status}"
    if busy.status == 429 and busy.pause_s is not None:
        until = datetime.now(UTC) + timedelta(seconds=busy.pause_s)
        return Throttled(
            f"{name} requests a pause. Mailhaul resumes automatically afterwards.",
            until=until,
            server_text=server_text,
        )
    return ServerUnavailable(
        f"{name} cannot grant access at the moment. Mailhaul tries again later.", server_text=server_text
    )


class _TlsContextAdapter(HTTPAdapter):
    """TLS with our own context, because requests trusts certifi's list only."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._tls)
