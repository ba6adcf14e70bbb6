"""Signing in with OpenID Connect: who somebody is, and which mail addresses are theirs.

Discovery 1.0, Core 1.0 with the authorisation code flow, PKCE (RFC 7636, S256), state and nonce, and
RP-Initiated Logout 1.0. What OAuth has in common with other providers is in oauth.py.

Invariants
- Nothing of an ID token is believed before its signature is one of the issuer's own.
- No exception of ours holds a code, a token or a secret, nor leads to one that does.
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

from joserfc import jwk, jws, jwt
from joserfc.errors import JoseError

from providers.endpoint import Secret
from providers.errors import LoginRejected, ServerUnavailable
from providers.mailbox_access import Person, Question
from providers.oauth import Application, Endpoints, OAuthHttp, refusal_error, run_request

SCOPE: Final = "openid email"
CLAIM: Final = "email"

_NAME: Final = "The sign-in service"
_KNOWN_FOR_S: Final = 600.0
_CLOCK_SKEW_S: Final = 120
_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
"""Signed with a key that only the issuer has: no "none", and no HMAC with a secret that we have too."""

_NOT_FOR_US: Final = "The answer of the sign-in service is not for this sign-in. Sign in again."


@dataclass(frozen=True, slots=True)
class Registration:
    """What an issuer knows us by. `claim` names what holds the addresses: one, or a list of them; and
    `domains_claim` what holds the domains that somebody administers, "" for none."""

    issuer: str
    client_id: str
    client_secret: Secret
    redirect_uri: str
    claim: str = CLAIM
    scope: str = SCOPE
    domains_claim: str = ""


@dataclass(frozen=True, slots=True)
class _Service:
    """What the issuer's discovery document says (Discovery section 3)."""

    endpoints: Endpoints
    keys: str
    user_info: str
    leave: str
    takes_post: bool
    names_itself: bool  # RFC 9207


@dataclass(slots=True)
class OpenId:
    """Implements `People`. What the issuer says of itself is asked again after ten minutes, its keys at
    each sign-in: they may be changed at any time."""

    web: OAuthHttp
    registration: Registration
    _known: tuple[float, _Service] | None = field(default=None, init=False)

    def begin_sign_in(self) -> Question:
        service = self._service()
        verifier, state, nonce = (secrets.token_urlsafe(32) for _ in range(3))
        url, _ = self._session(service).create_authorization_url(
            service.endpoints.authorize, state=state, code_verifier=verifier, nonce=nonce
        )
        return Question(str(url), state, Secret(verifier), nonce)

    def complete_sign_in(self, asked: Question, answer: Mapping[str, str]) -> Person:
        if not hmac.compare_digest(answer.get("state", "").encode(), asked.state.encode()):
            raise LoginRejected(_NOT_FOR_US)
        service = self._service()
        named = answer.get("iss", "" if service.names_itself else self.registration.issuer)
        if named != self.registration.issuer:
            raise LoginRejected(_NOT_FOR_US, server_text="answer of another issuer")
        if "error" in answer or not answer.get("code"):
            code = re.sub(r"[^a-z_]", "", answer.get("error", "no_code"))  # it came by the browser
            raise refusal_error(code, _NAME, _explain)
        session = self._session(service)
        told = run_request(
            lambda: session.fetch_token(
                service.endpoints.token,
                grant_type="authorization_code",
                code=answer["code"],
                code_verifier=asked.verifier.reveal(),
                allow_redirects=False,
            ),
            _NAME,
            _explain,
        )
        claims = self._verified(str(told.get("id_token", "")), service, asked.nonce)
        ours = self.registration
        wanted = [name for name in (ours.claim, ours.domains_claim) if name]
        if not all(name in claims for name in wanted) and service.user_info and told.get("access_token"):
            claims = self._with_user_info(claims, service, str(told["access_token"]))
        domains = words_in(claims, ours.domains_claim) if ours.domains_claim else ()
        return Person(ours.issuer, claims["sub"], addresses_in(claims, ours.claim), domains)

    def logout_url(self, back: str) -> str:
        leave = self._service().leave
        if not leave:
            return ""
        asked = {"client_id": self.registration.client_id, "post_logout_redirect_uri": back}
        return f"{leave}{'&' if '?' in leave else '?'}{urlencode(asked)}"

    def _verified(self, id_token: str, service: _Service, nonce: str) -> Mapping[str, Any]:
        """The claims, after all checks of Core section 3.1.3.7. Raises LoginRejected, ServerUnavailable."""
        claims = _signed(id_token, self._get(service.keys).get("keys"))
        audience, ours = claims.get("aud"), self.registration.client_id
        audience = audience if isinstance(audience, list) else [audience]
        now = time.time()
        checks = {
            "iss": claims.get("iss") == self.registration.issuer,
            "aud": ours in audience,
            "azp": claims.get("azp", ours if len(audience) == 1 else None) == ours,
            "nonce": claims.get("nonce") == nonce,
            "exp": _moment(claims.get("exp")) > now - _CLOCK_SKEW_S,
            "nbf": _moment(claims.get("nbf")) <= now + _CLOCK_SKEW_S,
            "sub": isinstance(claims.get("sub"), str) and claims["sub"] != "",
        }
        wrong = [name for name, right in checks.items() if not right]
        if wrong:
            raise LoginRejected(_NOT_FOR_US, server_text=f"ID token with a wrong {', '.join(wrong)}")
        return claims

    def _with_user_info(self, claims: Mapping[str, Any], service: _Service, token: str) -> Mapping[str, Any]:
        """Claims that come by UserInfo alone; it has to speak of the same person (Core section 5.3.2)."""
        more = self._get(service.user_info, token)
        if more.get("sub") != claims["sub"]:
            raise LoginRejected(_NOT_FOR_US, server_text="UserInfo of somebody else")
        return {**more, **claims}

    def _service(self) -> _Service:
        known = self._known
        if known is not None and time.monotonic() - known[0] < _KNOWN_FOR_S:
            return known[1]
        told = self._get(f"{self.registration.issuer.rstrip('/')}/.well-known/openid-configuration")
        if told.get("issuer") != self.registration.issuer:
            raise ServerUnavailable(
                f"{_NAME} says that it is another than MAILHAUL_OPENID_ISSUER. Tell the operator."
            )
        methods = told.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        service = _Service(
            Endpoints(_https(told, "authorization_endpoint"), _https(told, "token_endpoint")),
            _https(told, "jwks_uri"),
            _https(told, "userinfo_endpoint", needed=False),
            _https(told, "end_session_endpoint", needed=False),
            "client_secret_basic" not in methods,
            told.get("authorization_response_iss_parameter_supported") is True,
        )
        self._known = time.monotonic(), service
        return service

    def _session(self, service: _Service) -> Any:
        ours = self.registration
        session = self.web.session(
            Application(
                provider="openid",
                name=_NAME,
                client_id=ours.client_id,
                client_secret=ours.client_secret,
                redirect_uri=ours.redirect_uri,
                endpoints=service.endpoints,
                scope=ours.scope,
                mail_scope="",
                issuers=frozenset({ours.issuer}),
                issuers_of=lambda _claims: frozenset({ours.issuer}),
                explain=_explain,
            )
        )
        if not service.takes_post:
            session.token_endpoint_auth_method = "client_secret_basic"  # noqa: S105
        return session

    def _get(self, url: str, token: str = "") -> Mapping[str, Any]:
        def answer() -> Any:
            headers = {"Accept": "application/json"}
            if token:
                headers["Authorization"] = f"Bearer {token}"
            found = self.web.session().get(url, headers=headers, withhold_token=True, allow_redirects=False)
            if found.status_code != 200:
                raise ValueError
            return found.json()

        return run_request(answer, _NAME, _explain)


def addresses_in(claims: Mapping[str, Any], claim: str) -> tuple[str, ...]:
    """The addresses that a claim holds, as they are written there; without one of which the issuer says
    that nobody has verified it (Core section 5.1)."""
    verified = claims.get("email_verified", True) in (True, "true")
    unverified = None if verified else str(claims.get("email")).casefold()
    return tuple(
        dict.fromkeys(one for one in words_in(claims, claim) if "@" in one and one.casefold() != unverified)
    )


def words_in(claims: Mapping[str, Any], claim: str) -> tuple[str, ...]:
    """The texts that a claim holds: one, or a list of them."""
    told = claims.get(claim)
    return tuple(one for one in (told if isinstance(told, list) else [told]) if isinstance(one, str))


def _signed(id_token: str, keys: object) -> Mapping[str, Any]:
    """The claims of a token that one of `keys` (RFC 7517) has signed."""
    try:
        header = jws.extract_compact(id_token.encode()).headers()
    except (JoseError, ValueError):
        raise LoginRejected(_NOT_FOR_US) from None
    for told in keys if isinstance(keys, list) else []:
        if not isinstance(told, dict) or told.get("use", "sig") != "sig" or told.get("kty") == "oct":
            continue
        if "kid" in header and told.get("kid", header["kid"]) != header["kid"]:
            continue
        claims = _opened(id_token, told)
        if claims is not None:
            return claims
    raise LoginRejected(_NOT_FOR_US, server_text="ID token without a signature of the issuer")


def _opened(id_token: str, key: Mapping[str, Any]) -> Mapping[str, Any] | None:
    try:
        return jwt.decode(id_token, jwk.import_key(dict(key)), algorithms=_ALGORITHMS).claims
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def _moment(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _https(told: Mapping[str, Any], name: str, *, needed: bool = True) -> str:
    url = told.get(name)
    if isinstance(url, str) and urlsplit(url).scheme == "https":
        return url
    if needed:
        raise ServerUnavailable(f"{_NAME} does not say where its {name} is. Tell the operator.")
    return ""


def _explain(_words: str) -> str:
    """Nothing is known of what an issuer of its own says."""
    return ""
