"""OAuth as an application that owners let into their mailboxes: ask, exchange, refresh, revoke.

RFC 6749 with PKCE (RFC 7636, S256 always), `state` and OpenID Connect's `nonce`; on Authlib. What one
provider has of its own is in google.py and microsoft.py.

Invariants
- No exception of ours holds a code, a token or a secret, nor leads to one that does: what requests and
  Authlib raise holds the whole request, so it ends as a value before ours is raised.
- No request is repeated here. A refresh token may be good only once (RFC 9700 section 4.14.2).
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

_USUAL_LIFE_S: Final = 300.0
"""How long a token counts as good that came without `expires_in`: RFC 6749 section 5.1 only recommends it."""

_OVER: Final = frozenset({"invalid_grant", "interaction_required", "login_required", "consent_required"})
"""The consent has to be given anew (RFC 6749 section 5.2, OpenID Connect Core section 3.1.2.6)."""

_LATER: Final = frozenset({"temporarily_unavailable", "server_error", "slow_down"})

_SERVER_TEXT_CHARS: Final = 300

_LONGEST_PAUSE_S: Final = 86_400
"""A pause that is longer than that is no pause; we ask again."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a provider answers; `revoke` is "" where nothing can be revoked. `{tenant}` stands for the
    directory where there are several."""

    authorize: str
    token: str
    revoke: str = ""


@dataclass(frozen=True, slots=True)
class Application:
    """What a provider knows us by, and how to ask there.

    `scope` is what owners are asked for; without a scope that ends in `mail_scope` no mail is to be had.
    `asks` are further parameters of the question. An answer that names its issuer (RFC 9207) must name one
    of `issuers`, where they are known beforehand; an identity with those claims must be issued by one of
    `issuers_of`. `explain` turns an error as the provider tells it ("code: description") into what to do.
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
        """An endpoint for that directory, or for the application's own."""
        return url.replace("{tenant}", tenant or self.tenant)


class OAuthHttp:
    """How we reach the providers over HTTPS. `ca_file` is trusted beside the system's authorities."""

    def __init__(self, ca_file: Path | None = None, timeout_s: float = 20.0) -> None:
        self._timeout_s = timeout_s
        self._tls = ssl.create_default_context()
        if ca_file is not None:
            self._tls.load_verify_locations(ca_file)

    def session(self, application: Application | None = None) -> OAuth2Session:
        """A session for one request, of an application or of nobody in particular."""
        made = OAuth2Session(
            client_id=application.client_id if application else None,
            client_secret=application.client_secret.reveal() if application else None,
            token_endpoint_auth_method="client_secret_post",  # noqa: S106  # Google and Microsoft take it
            revocation_endpoint_auth_method="client_secret_post",
            redirect_uri=application.redirect_uri if application else None,
            scope=application.scope if application else None,
            code_challenge_method="S256",
            default_timeout=self._timeout_s,
        )
        made.mount("https://", _OurTrust(self._tls))
        for answer in ("access_token_response", "refresh_token_response"):
            made.register_compliance_hook(answer, _unless_busy)
        return made


# --- Asking an owner -----------------------------------------------------------------------------


def begin_authorization(application: Application, mailbox: str) -> Question:
    """Where to send the owner of `mailbox`."""
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
    web: OAuthHttp, application: Application, asked: Question, answer: Mapping[str, str], mailbox: str
) -> Consent:
    """What the owner gave, from the parameters that the browser came back with.

    Raises LoginRejected when it was not given, or for another mailbox; ServerUnavailable.
    """
    if not secrets.compare_digest(answer.get("state", "").encode(), asked.state.encode()):
        raise LoginRejected("This answer belongs to another question. Open the link again.")
    if application.issuers and answer.get("iss", "") not in {"", *application.issuers}:
        raise LoginRejected("This answer comes from somebody else. Open the link again.")
    if "error" in answer or not answer.get("code"):
        words = _words(answer.get("error", "no code"), answer.get("error_description"))
        raise refusal_error(words, application.name, application.explain)
    told = run_request(
        lambda: web.session(application).fetch_token(
            application.endpoint_url(application.endpoints.token),
            grant_type="authorization_code",
            code=answer["code"],
            code_verifier=asked.verifier.reveal(),
            allow_redirects=False,
        ),
        application.name,
        application.explain,
    )
    identity = id_token_identity(
        str(told.get("id_token", "")), application.client_id, asked.nonce, application.issuers_of
    )
    _check_mailbox(application, identity, mailbox)
    _check_scope(application, told)
    if not told.get("refresh_token"):
        raise LoginRejected(
            f"{application.name} gave a permission that ends within the hour. Remove Mailhaul from the"
            f" connected applications of this account at {application.name}, then open the link again."
        )
    grant = OAuthGrant(application.provider, Secret(str(told["refresh_token"])), identity.tenant)
    return Consent(grant, parse_access_token(told), identity.addresses)


def refresh_tokens(
    web: OAuthHttp, application: Application, grant: OAuthGrant
) -> tuple[AccessToken, OAuthGrant]:
    """A new token, and the grant to keep from now on: the refresh token may be another.

    Raises GrantExpired, LoginRejected when it is the application that is refused, ServerUnavailable.
    """
    told = run_request(
        lambda: web.session(application).refresh_token(
            application.endpoint_url(application.endpoints.token, grant.tenant),
            refresh_token=grant.refresh_token.reveal(),
            scope="",  # the same as was given (RFC 6749 section 6)
            allow_redirects=False,
        ),
        application.name,
        application.explain,
        renewing=True,
    )
    kept = str(told.get("refresh_token") or grant.refresh_token.reveal())
    return parse_access_token(told), replace(grant, refresh_token=Secret(kept))


def revoke_consent(web: OAuthHttp, application: Application, grant: OAuthGrant) -> bool:
    """Gives the consent back (RFC 7009); False where that is not possible or did not work. Never raises.

    At Google it ends every grant that this owner gave to the application.
    """
    if not application.endpoints.revoke:
        return False
    try:
        answer = web.session(application).revoke_token(
            application.endpoints.revoke,
            token=grant.refresh_token.reveal(),
            token_type_hint="refresh_token",  # noqa: S106
            allow_redirects=False,
        )
    except (requests.RequestException, AuthlibBaseError, ValueError):
        return False
    return bool(answer.ok)


def _check_mailbox(application: Application, identity: Identity, mailbox: str) -> None:
    if not identity.owns(mailbox):
        signed_in = identity.addresses[0] if identity.addresses else "another account"
        raise LoginRejected(
            f"You signed in to {application.name} as {signed_in}, but the mailbox is {mailbox}. Open the link"
            f" again and sign in as {mailbox}."
        )


def _check_scope(application: Application, told: Mapping[str, Any]) -> None:
    granted = told.get("scope")  # left out when it is what was asked for (RFC 6749 section 5.1)
    wanted = application.mail_scope.casefold()
    if isinstance(granted, str) and not any(one.endswith(wanted) for one in granted.casefold().split()):
        raise LoginRejected(
            f"The permission to read mail was not given. Open the link again and tick it when"
            f" {application.name} asks."
        )


# --- Talking to a provider -----------------------------------------------------------------------


def run_request(
    request: Callable[[], Any], name: str, explain: Callable[[str], str], *, renewing: bool = False
) -> Mapping[str, Any]:
    """Runs one token request; what it brought. Raises LoginRejected (GrantExpired when `renewing` what is
    over), Throttled and ServerUnavailable, and leads to nothing that holds a secret."""
    found = _asked(request, name, explain, renewing)
    if isinstance(found, MailError):
        raise found  # outside any `except`: no context leads to the request
    return found


def refusal_error(
    words: str, name: str, explain: Callable[[str], str], *, renewing: bool = False
) -> MailError:
    """What an error of the provider means; `words` begin with its code (RFC 6749 section 5.2)."""
    code, told = words.partition(":")[0], words[:_SERVER_TEXT_CHARS]
    if code in _LATER:
        return ServerUnavailable(
            f"{name} cannot give us access at the moment. Mailhaul tries again later.", server_text=told
        )
    help_ = explain(words)
    if renewing and code in _OVER:
        sentence = f"The permission at {name} is withdrawn or has run out."
        return GrantExpired(f"{sentence} {help_ or 'Sign in there again.'}", server_text=told)
    sentence = f"{name} does not give us access."
    return LoginRejected(
        f"{sentence} {help_ or 'Try again, or ask whoever runs Mailhaul.'}", server_text=told
    )


def parse_access_token(told: Mapping[str, Any]) -> AccessToken:
    """The token in an answer. Raises ServerUnavailable when there is none."""
    value = told.get("access_token")
    if not isinstance(value, str) or not value:
        raise ServerUnavailable("The answer to our sign-in holds no permission. Mailhaul tries again later.")
    try:
        life_s = float(told.get("expires_in") or _USUAL_LIFE_S)
    except (TypeError, ValueError):
        life_s = _USUAL_LIFE_S
    return AccessToken(Secret(value), time.monotonic() + life_s, life_s)


def _asked(
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
        return ServerUnavailable(f"The certificate of {name} cannot be trusted from here. Tell the operator.")
    except (requests.RequestException, OSError):
        return ServerUnavailable(
            f"{name} cannot be reached to renew the permission. Mailhaul tries again later."
        )
    except (ValueError, TypeError):
        return ServerUnavailable(f"What {name} answered makes no sense. Mailhaul tries again later.")


def _words(error: object, description: object) -> str:
    told = f"{error}: {description}" if description else str(error)
    return " ".join("".join(c if c.isprintable() else " " for c in told).split())


class _Busy(Exception):
    """429 or 5xx; `pause_s` is the Retry-After, if it was a number."""

    def __init__(self, status: int, pause_s: int | None) -> None:
        super().__init__(status)
        self.status = status
        self.pause_s = pause_s


def _unless_busy(answer: requests.Response) -> requests.Response:
    if answer.status_code == 429 or answer.status_code >= 500:
        pause = answer.headers.get("Retry-After", "")
        seconds = int(pause) if pause.isdecimal() and len(pause) < 10 else None
        raise _Busy(answer.status_code, None if seconds is None else min(seconds, _LONGEST_PAUSE_S))
    return answer


def _busy(name: str, busy: _Busy) -> MailError:
    told = f"HTTP {busy.status}"
    if busy.status == 429 and busy.pause_s is not None:
        until = datetime.now(UTC) + timedelta(seconds=busy.pause_s)
        return Throttled(
            f"{name} asks for a pause. Mailhaul goes on by itself after it.", until=until, server_text=told
        )
    return ServerUnavailable(
        f"{name} cannot give us access at the moment. Mailhaul tries again later.", server_text=told
    )


class _OurTrust(HTTPAdapter):
    """TLS with our own context: requests otherwise trusts certifi's list and nothing beside it."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._tls)
