"""Sign-in with OpenID Connect: authenticate a person and their mail addresses.

Discovery 1.0, Core 1.0 with the authorisation code flow, PKCE (RFC 7636, S256), state and nonce, and
RP-Initiated Logout 1.0. Requests are made by oauth_http.py, and ID tokens checked by
id_token.py.

Invariants
- No claim of an ID token is used before its signature by the issuer is verified.
- No exception raised here contains a code, a token or a secret, or has a context that does.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from providers.endpoint import Secret
from providers.errors import LoginRejected, ServerUnavailable
from providers.frozen import frozen
from providers.id_token import InvalidIdToken, verified_claims
from providers.mailbox_access import Person, Question
from providers.oauth_http import OAuthClient, OAuthHttp, get_json, refusal_error, run_request
from providers.sign_in_provider import Endpoints
from providers.text import Text

SCOPE: Final = "openid email"
CLAIM: Final = "email"

_NAME: Final = "The sign-in service"
_CACHED_FOR_S: Final = 600.0

_WRONG_RESPONSE: Final = Text("login_rejected.wrong_response")


@frozen
class Registration:
    """Our registration at an issuer.

    `claim` is the name of the claim with the person's address or list of addresses; `domains_claim` that of
    the claim with the domains that the person administers, "" for none. `operator` is the name of a claim and
    the value in it that operators have; ("", "") for none.
    """

    issuer: str
    client_id: str
    client_secret: Secret
    redirect_uri: str
    claim: str = CLAIM
    scope: str = SCOPE
    domains_claim: str = ""
    operator: tuple[str, str] = ("", "")


@frozen
class _Service:
    """The issuer's discovery document (Discovery section 3)."""

    endpoints: Endpoints
    user_info: str
    end_session: str
    supports_post: bool  # client_secret_post
    sends_issuer: bool  # with authorization responses, RFC 9207


@dataclass(slots=True)
class OpenId:
    """Implements `People`.

    The discovery document is cached for ten minutes; the keys are fetched at each sign-in, because they may
    change at any time.
    """

    web: OAuthHttp
    registration: Registration
    _cached: tuple[float, _Service] | None = field(default=None, init=False)

    def begin_sign_in(self) -> Question:
        service = self._service()
        verifier, state, nonce = (secrets.token_urlsafe(32) for _ in range(3))
        url, _ = self._session(service).create_authorization_url(
            service.endpoints.authorize, state=state, code_verifier=verifier, nonce=nonce
        )
        return Question(str(url), state, Secret(verifier), nonce)

    def complete_sign_in(self, question: Question, answer: Mapping[str, str]) -> Person:
        if not hmac.compare_digest(answer.get("state", "").encode(), question.state.encode()):
            raise LoginRejected(_WRONG_RESPONSE)
        service = self._service()
        issuer = answer.get("iss", "" if service.sends_issuer else self.registration.issuer)
        if issuer != self.registration.issuer:
            raise LoginRejected(_WRONG_RESPONSE, server_text="response of another issuer")
        if "error" in answer or not answer.get("code"):
            code = re.sub(r"[^a-z_]", "", answer.get("error", "no_code"))  # untrusted: sent by the browser
            raise refusal_error(code, _NAME, _explain)
        session = self._session(service)
        tokens = run_request(
            lambda: session.fetch_token(
                service.endpoints.token,
                grant_type="authorization_code",
                code=answer["code"],
                code_verifier=question.verifier.reveal(),
                allow_redirects=False,
            ),
            _NAME,
            _explain,
        )
        claims = self._verified_claims(str(tokens.get("id_token", "")), service, question.nonce)
        registration = self.registration
        operator_claim, operator_value = registration.operator
        names = (registration.claim, registration.domains_claim, operator_claim)
        needed = [name for name in names if name]
        if not all(name in claims for name in needed) and service.user_info and tokens.get("access_token"):
            claims = self._with_user_info(claims, service, str(tokens["access_token"]))
        domains = texts_in(claims, registration.domains_claim) if registration.domains_claim else ()
        addresses = addresses_in(claims, registration.claim)
        silent = registration.claim == CLAIM and "email_verified" not in claims
        unverified = frozenset(addresses if silent else ())
        is_operator = bool(operator_claim) and operator_value in texts_in(claims, operator_claim)
        return Person(registration.issuer, claims["sub"], addresses, domains, unverified, is_operator)

    def logout_url(self, return_to: str) -> str:
        url = self._service().end_session
        if not url:
            return ""
        query = {"client_id": self.registration.client_id, "post_logout_redirect_uri": return_to}
        return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"

    def _verified_claims(self, id_token: str, service: _Service, nonce: str) -> Mapping[str, Any]:
        """The claims of an ID token. Raises LoginRejected, ServerUnavailable."""
        keys = self._get(service.endpoints.keys).get("keys")
        registration = self.registration
        try:
            return verified_claims(
                id_token,
                keys,
                client_id=registration.client_id,
                nonce=nonce,
                issuers_of=lambda _claims: frozenset({registration.issuer}),
            )
        except InvalidIdToken as error:
            raise LoginRejected(_WRONG_RESPONSE, server_text=str(error)) from None

    def _with_user_info(self, claims: Mapping[str, Any], service: _Service, token: str) -> Mapping[str, Any]:
        """Add the claims from UserInfo, which must be about the same person (Core section 5.3.2)."""
        more = self._get(service.user_info, token)
        if more.get("sub") != claims["sub"]:
            raise LoginRejected(_WRONG_RESPONSE, server_text="UserInfo of another person")
        return {**more, **claims}

    def _service(self) -> _Service:
        cached = self._cached
        if cached is not None and time.monotonic() - cached[0] < _CACHED_FOR_S:
            return cached[1]
        document = self._get(f"{self.registration.issuer.rstrip('/')}/.well-known/openid-configuration")
        if document.get("issuer") != self.registration.issuer:
            raise ServerUnavailable(Text("server_unavailable.sign_in_issuer"))
        methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        service = _Service(
            Endpoints(
                *(
                    _https_url(document, name)
                    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
                )
            ),
            _https_url(document, "userinfo_endpoint", required=False),
            _https_url(document, "end_session_endpoint", required=False),
            "client_secret_basic" not in methods,
            document.get("authorization_response_iss_parameter_supported") is True,
        )
        self._cached = time.monotonic(), service
        return service

    def _session(self, service: _Service) -> Any:
        registration = self.registration
        client = OAuthClient(
            registration.client_id,
            registration.client_secret,
            registration.redirect_uri,
            registration.scope,
            "client_secret_post" if service.supports_post else "client_secret_basic",
        )
        return self.web.session(client)

    def _get(self, url: str, token: str = "") -> Mapping[str, Any]:
        return get_json(self.web, url, _NAME, _explain, token)


def addresses_in(claims: Mapping[str, Any], claim: str) -> tuple[str, ...]:
    """The addresses in a claim, unchanged, without the one that the issuer marks as unverified (Core section
    5.1)."""
    verified = claims.get("email_verified", True) in (True, "true")
    unverified = None if verified else str(claims.get("email")).casefold()
    return tuple(
        dict.fromkeys(
            text for text in texts_in(claims, claim) if "@" in text and text.casefold() != unverified
        )
    )


def texts_in(claims: Mapping[str, Any], claim: str) -> tuple[str, ...]:
    """The strings in a claim, which is a string or a list."""
    value = claims.get(claim)
    return tuple(text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str))


def _https_url(document: Mapping[str, Any], name: str, *, required: bool = True) -> str:
    url = document.get(name)
    if isinstance(url, str) and urlsplit(url).scheme == "https":
        return url
    if required:
        raise ServerUnavailable(Text("server_unavailable.sign_in_incomplete", name=name))
    return ""


def _explain(_words: str) -> None:
    """The error texts of custom issuers are unknown."""
    return
