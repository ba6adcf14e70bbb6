"""Grants and tokens of the rehearsal authorisation server, built on the server side of Authlib.

It is stricter than any real server, to expose careless clients: PKCE S256 is required, codes and assertions
are accepted once, and the use of a replaced refresh token revokes all tokens of its consent (RFC 9700
section 4.14.2).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from authlib.oauth2.rfc6749 import (
    AuthorizationCodeMixin,
    AuthorizationServer,
    ClientMixin,
    InvalidGrantError,
    OAuth2Request,
    TokenMixin,
    UnauthorizedClientError,
    grants,
)
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7523 import JWTBearerGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oidc.core import OpenIDCode
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from providers.sign_in_provider import ServiceAccountGrant, SignInProvider
from providers.sign_in_providers import SIGN_IN_PROVIDERS

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
Answer = tuple[int, Any, list[tuple[str, str]]]


@dataclass
class Client(ClientMixin):  # type: ignore[misc]
    """A registered application or service account (`key`)."""

    client_id: str
    secret: str = field(default="", repr=False)
    redirect_uri: str = ""
    grant_types: tuple[str, ...] = ("authorization_code", "refresh_token")
    key: RSAKey | None = field(default=None, repr=False)
    domains: frozenset[str] = frozenset()  # a service account may open their mailboxes

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_allowed_scope(self, scope: str | None) -> str:
        return scope or ""

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return bool(redirect_uri) and redirect_uri == self.redirect_uri

    def check_client_secret(self, client_secret: str) -> bool:
        return bool(self.secret) and secrets.compare_digest(client_secret, self.secret)

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        return method == "client_secret_post"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in self.grant_types


@dataclass
class Token(TokenMixin):  # type: ignore[misc]
    """An access token with its refresh token. `family` identifies the consent that both derive from."""

    access_token: str
    refresh_token: str
    client: Client
    mailbox: str  # "" opens every mailbox
    scope: str
    ends_at: float
    family: str
    replaced: bool = False
    revoked: bool = False

    def check_client(self, client: Client) -> bool:
        return self.client.client_id == client.client_id

    def get_scope(self) -> str:
        return self.scope

    def get_expires_in(self) -> int:
        return int(self.ends_at - time.time())

    def is_expired(self) -> bool:
        return time.time() >= self.ends_at

    def is_revoked(self) -> bool:
        return self.revoked

    def get_user(self) -> str:
        return self.mailbox

    def get_client(self) -> Client:
        return self.client


@dataclass
class Code(AuthorizationCodeMixin):  # type: ignore[misc]
    """An authorisation code with its PKCE challenge and nonce."""

    client: Client
    mailbox: str
    redirect_uri: str
    scope: str
    nonce: str
    code_challenge: str
    code_challenge_method: str

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope


class Request(OAuth2Request):  # type: ignore[misc]
    """A request in the form that Authlib expects. `provider` is the provider of the endpoint, if any."""

    provider: SignInProvider | None

    def __init__(self, method: str, uri: str, query: Mapping[str, str], form: Mapping[str, str]) -> None:
        super().__init__(method, uri, headers={})
        self._query = dict(query)
        self._form = dict(form)
        self.payload = BasicOAuth2Payload(self._query | self._form)

    @property
    def args(self) -> dict[str, str]:
        return self._query

    @property
    def form(self) -> dict[str, str]:
        return self._form


class Rules(AuthorizationServer):  # type: ignore[misc]
    """All registered clients and issued tokens, in memory."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.life_s = 3600
        self.rotates = True
        self.key = RSAKey.generate_key(2048, {"use": "sig", "kid": "rehearsal"})
        self.signs_with: RSAKey | ECKey = self.key
        self.published: list[RSAKey | ECKey] = [self.key]
        self.claims: Callable[[dict[str, Any]], dict[str, Any]] = dict  # changes the claims of ID tokens
        self.user_info: dict[str, Any] = {}
        self.clients: dict[str, Client] = {}
        self.tokens: list[Token] = []
        self.codes: dict[str, Code] = {}
        self.assertions: set[str] = set()  # every `jti` received so far
        self.lock = Lock()
        self.register_token_generator("default", self._new_token)
        self.register_grant(_CodeGrant, [_Pkce(required=True), _IdToken()])
        self.register_grant(_RefreshGrant)
        self.register_grant(_ClientGrant)
        self.register_grant(_AssertionGrant)
        self.register_endpoint(_Revocation)
        self.register_endpoint(_Introspection)

    def query_client(self, client_id: str) -> Client | None:
        return self.clients.get(client_id)

    def by_token(self, value: str) -> Token | None:
        return next((t for t in self.tokens if value in (t.access_token, t.refresh_token) and value), None)

    def end(self, family: str) -> None:
        """Revoke a consent and all of its tokens."""
        for token in self.tokens:
            if token.family == family:
                token.revoked = True

    def save_token(self, token: Mapping[str, Any], request: Request) -> None:
        replaced = request.refresh_token
        issued = Token(
            token["access_token"],
            token.get("refresh_token") or (replaced.refresh_token if replaced else ""),
            request.client,
            request.user or "",
            token["scope"],
            time.time() + token["expires_in"],
            replaced.family if replaced else secrets.token_hex(8),
        )
        if not self.rotates and replaced:
            replaced.refresh_token = ""
        self.tokens.append(issued)

    def _new_token(self, *, scope: str | None, include_refresh_token: bool, **_: Any) -> dict[str, Any]:
        token = {
            "token_type": "Bearer",
            "access_token": secrets.token_urlsafe(32),
            "expires_in": self.life_s,
            "scope": scope or "",
        }
        if include_refresh_token and "offline" in (scope or ""):
            token["refresh_token"] = secrets.token_urlsafe(32)
        return token

    def create_oauth2_request(self, request: Request) -> Request:
        return request

    def handle_response(self, status: int, body: Any, headers: list[tuple[str, str]]) -> Answer:
        return status, body, headers

    def send_signal(self, *_args: Any, **_kwargs: Any) -> None:
        """There are no signal handlers."""


def _gives_refresh_token(request: Request) -> bool:
    """Whether the owner's consent yields a refresh token without the scope `offline_access`."""
    parameters = request.payload.data
    match request.provider and request.provider.id:
        case "google":
            return (parameters.get("access_type"), parameters.get("prompt")) == ("offline", "consent")
        case None | "microsoft":
            return False
    return True


class _Pkce(CodeChallenge):  # type: ignore[misc]
    """Requires S256; refuses PKCE at providers without it."""

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        provider = grant.request.provider
        given = grant.request.payload.data.get("code_challenge_method", "")
        if given != ("S256" if provider is None or provider.pkce else ""):
            raise UnauthorizedClientError("invalid client id", redirect_uri=redirect_uri)
        super().validate_code_challenge(grant, redirect_uri)


class _CodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_post",)

    def save_authorization_code(self, code: str, request: Request) -> None:
        parameters = request.payload.data
        scope = parameters["scope"]
        if _gives_refresh_token(request):
            scope += " offline_access"
        self.server.codes[code] = Code(
            request.client,
            request.user,
            parameters["redirect_uri"],
            scope,
            parameters.get("nonce", ""),
            parameters.get("code_challenge", ""),
            parameters.get("code_challenge_method", ""),
        )

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        stored: Code | None = self.server.codes.get(code)
        return stored if stored and stored.client.client_id == client.client_id else None

    def delete_authorization_code(self, authorization_code: Code) -> None:
        self.server.codes = {k: v for k, v in self.server.codes.items() if v is not authorization_code}

    def authenticate_user(self, authorization_code: Code) -> str:
        return authorization_code.mailbox


class _IdToken(OpenIDCode):  # type: ignore[misc]
    """The claims of a provider's ID tokens; the OpenID issuer's claims are the standard ones."""

    def exists_nonce(self, _nonce: str, _request: Request) -> bool:
        return False

    def encode_id_token(self, _token: Mapping[str, Any], request: Request) -> str:
        rules: Rules = request.rules
        now = int(time.time())
        code: Code = request.authorization_code
        claims = {
            "iss": request.issuer,
            "aud": code.client.client_id,
            "iat": now,
            "exp": now + 600,
            "nonce": code.nonce,
            "sub": code.mailbox,
        }
        provider = request.provider
        claims |= dict.fromkeys(provider.address_claims if provider else ("email",), code.mailbox)
        claims |= {provider.tenant_claim: request.tenant} if provider and provider.tenant_claim else {}
        if claims.keys() & {"email"} and not (provider and provider.tenant_claim):
            claims["email_verified"] = True  # not sent by Microsoft
        return jwt.encode(
            {"alg": rules.signs_with.alg or "RS256", "kid": rules.signs_with.kid},
            rules.claims(claims),
            rules.signs_with,
        )


class _RefreshGrant(grants.RefreshTokenGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_post",)

    @property
    def INCLUDE_NEW_REFRESH_TOKEN(self) -> bool:  # noqa: N802
        return bool(self.server.rotates)

    def authenticate_refresh_token(self, refresh_token: str) -> Token | None:
        token: Token | None = self.server.by_token(refresh_token)
        if token is not None and token.replaced:
            self.server.end(token.family)
        return None if token is None or token.revoked else token

    def authenticate_user(self, refresh_token: Token) -> str:
        return refresh_token.mailbox

    def revoke_old_credential(self, refresh_token: Token) -> None:
        refresh_token.replaced = bool(self.server.rotates)


class _ClientGrant(grants.ClientCredentialsGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_post",)


class _AssertionGrant(JWTBearerGrant):  # type: ignore[misc]
    def resolve_issuer_client(self, issuer: str) -> Client | None:
        client: Client | None = self.server.query_client(issuer)
        return client

    def resolve_client_public_key(self, client: Client) -> RSAKey | None:
        return client.key

    def get_audiences(self) -> list[str]:
        return [
            provider.endpoints_at(f"{self.server.url}/{provider.id}").token
            for provider in SIGN_IN_PROVIDERS.values()
            if isinstance(provider.organisation, ServiceAccountGrant)
        ]

    def process_assertion_claims(self, assertion: str) -> Any:
        claims = super().process_assertion_claims(assertion)
        if not claims.get("jti") or claims["jti"] in self.server.assertions:
            raise InvalidGrantError(description="Invalid JWT: this assertion was shown before.")
        if not 0 < claims["exp"] - claims["iat"] <= 3600:
            raise InvalidGrantError(
                description="Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable"
                " timeframe."
            )
        self.server.assertions.add(claims["jti"])
        self.request.scope = claims["scope"]
        self.request.payload.data["scope"] = claims["scope"]
        return claims

    def authenticate_user(self, subject: str) -> str | None:
        return subject if "@" in subject else None

    def has_granted_permission(self, client: Client, user: str) -> bool:
        if user.rpartition("@")[2] not in client.domains:
            raise InvalidGrantError(description="Invalid email or User ID")
        return True


class _Revocation(RevocationEndpoint):  # type: ignore[misc]
    CLIENT_AUTH_METHODS = ("client_secret_post",)

    def query_token(self, token_string: str, _hint: str | None) -> Token | None:
        token: Token | None = self.server.by_token(token_string)
        return token

    def revoke_token(self, token: Token, _request: Request) -> None:
        self.server.end(token.family)


class _Introspection(IntrospectionEndpoint):  # type: ignore[misc]
    """Used by the IMAP server. It runs on the same machine and needs no credentials."""

    def authenticate_endpoint_client(self, _request: Request) -> None:
        return None

    def check_permission(self, *_args: Any) -> bool:
        return True

    def query_token(self, token_string: str, _hint: str | None) -> Token | None:
        return next((t for t in self.server.tokens if t.access_token == token_string), None)

    def create_introspection_payload(self, token: Token | None) -> dict[str, Any]:
        # Dovecot reports a response without the configured attributes as an internal error.
        payload: dict[str, Any] = super().create_introspection_payload(token)
        return {"username": "nobody", "opens": "nothing"} | payload

    def introspect_token(self, token: Token) -> dict[str, Any]:
        return {
            "active": True,
            "client_id": token.client.client_id,
            "scope": token.scope,
            "username": token.mailbox or "nobody",
            "opens": "one-mailbox" if token.mailbox else "every-mailbox",
        }
