"""Requests to authorisation servers, and the meaning of their answers.

Invariants
- No exception raised here contains a code, a token or a secret, or has a context that does: exceptions of
  requests and Authlib hold the whole request, so they are converted to values before ours are raised.
- No request is retried here. A refresh token may be valid only once (RFC 9700 section 4.14.2).
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from requests.adapters import HTTPAdapter

from providers.endpoint import Secret
from providers.errors import GrantExpired, LoginRejected, MailError, ServerUnavailable, Throttled
from providers.frozen import frozen
from providers.mailbox_access import AccessToken
from providers.text import Explain, Text

_DEFAULT_LIFE_S: Final = 300.0
"""The assumed lifetime of a token without `expires_in`, which RFC 6749 section 5.1 only recommends."""

CONSENT_ERRORS: Final = frozenset(
    {"invalid_grant", "interaction_required", "login_required", "consent_required"}
)
"""Errors that require a new consent (RFC 6749 section 5.2, OpenID Connect Core section 3.1.2.6)."""

_TEMPORARY: Final = frozenset({"temporarily_unavailable", "server_error", "slow_down"})

_SERVER_TEXT_CHARS: Final = 300

_LONGEST_PAUSE_S: Final = 86_400
"""The limit of a `Retry-After` pause; longer ones are cut."""


@frozen
class OAuthClient:
    """Our registration at an authorisation server, as requests state it.

    `auth_method` is how the secret is sent (RFC 7591 section 2).
    """

    client_id: str
    client_secret: Secret
    redirect_uri: str
    scope: str
    auth_method: str = "client_secret_post"


class OAuthHttp:
    """HTTPS access to providers. `ca_file` is trusted in addition to the system's authorities."""

    def __init__(self, ca_file: Path | None = None, timeout_s: float = 20.0) -> None:
        self._timeout_s = timeout_s
        self._tls = ssl.create_default_context()
        if ca_file is not None:
            self._tls.load_verify_locations(ca_file)

    def session(self, client: OAuthClient | None = None) -> OAuth2Session:
        """A session for one request, of a client or without one."""
        session = OAuth2Session(
            client_id=client.client_id if client else None,
            client_secret=client.client_secret.reveal() if client else None,
            token_endpoint_auth_method=client.auth_method if client else None,
            revocation_endpoint_auth_method=client.auth_method if client else None,
            redirect_uri=client.redirect_uri if client else None,
            scope=client.scope if client else None,
            code_challenge_method="S256",
            default_timeout=self._timeout_s,
        )
        session.mount("https://", _TlsContextAdapter(self._tls))
        for hook in ("access_token_response", "refresh_token_response"):
            session.register_compliance_hook(hook, _raise_if_busy)
        return session


def run_request(
    request: Callable[[], Any],
    name: str,
    explain: Explain,
    *,
    consent_errors: frozenset[str] = frozenset(),
) -> Mapping[str, Any]:
    """Run one request and return its result.

    Raises LoginRejected, or GrantExpired for errors with a code in `consent_errors`; Throttled and
    ServerUnavailable. The exceptions have no context that holds a secret.
    """
    result = _result_or_error(request, name, explain, consent_errors)
    if isinstance(result, MailError):
        raise result  # outside any `except`, so that its context does not contain the request
    return result


def get_json(web: OAuthHttp, url: str, name: str, explain: Explain, token: str = "") -> Mapping[str, Any]:
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
    words: str, name: str, explain: Explain, consent_errors: frozenset[str] = frozenset()
) -> MailError:
    """Convert an error of the provider; `words` begin with its code (RFC 6749 section 5.2)."""
    code, server_text = words.partition(":")[0], words[:_SERVER_TEXT_CHARS]
    if code in _TEMPORARY:
        return ServerUnavailable(Text("server_unavailable.sign_in", host=name), server_text=server_text)
    steps = explain(words)
    if code in consent_errors:
        text = Text("grant_expired.withdrawn", steps=steps, provider=name)
        return GrantExpired(text, server_text=server_text)
    return LoginRejected(Text("login_rejected.denied", steps=steps, provider=name), server_text=server_text)


def parse_access_token(tokens: Mapping[str, Any]) -> AccessToken:
    """The access token of a token response. Raises ServerUnavailable if there is none."""
    value = tokens.get("access_token")
    if not isinstance(value, str) or not value:
        raise ServerUnavailable(Text("server_unavailable.no_token"))
    try:
        life_s = float(tokens.get("expires_in") or _DEFAULT_LIFE_S)
    except (TypeError, ValueError):
        life_s = _DEFAULT_LIFE_S
    return AccessToken(Secret(value), time.monotonic() + life_s, life_s)


def _result_or_error(
    request: Callable[[], Any], name: str, explain: Explain, consent_errors: frozenset[str]
) -> Mapping[str, Any] | MailError:
    try:
        return dict(request())
    except _Busy as busy:
        return _busy(name, busy)
    except AuthlibBaseError as error:
        words = error_words(error.error, error.description)
        return refusal_error(words, name, explain, consent_errors)
    except requests.exceptions.SSLError:
        return ServerUnavailable(Text("server_unavailable.sign_in_certificate", host=name))
    except (requests.RequestException, OSError):
        return ServerUnavailable(Text("server_unavailable.sign_in_unreachable", host=name))
    except (ValueError, TypeError):
        return ServerUnavailable(Text("server_unavailable.sign_in_invalid", host=name))


def error_words(error: object, description: object) -> str:
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
            Text("throttled", host=name),
            until=until,
            server_text=server_text,
        )
    return ServerUnavailable(Text("server_unavailable.sign_in", host=name), server_text=server_text)


class _TlsContextAdapter(HTTPAdapter):
    """TLS with our own context, because requests trusts certifi's list only."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._tls)
