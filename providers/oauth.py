"""OAuth for mailboxes: authorize, exchange the code, refresh, revoke.

RFC 6749 with PKCE (RFC 7636, S256), `state` and OpenID Connect's `nonce`; based on Authlib. The facts of a
provider are in its `SignInProvider`; the invariants of requests are those of oauth_http.py.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import requests
from authlib.common.errors import AuthlibBaseError

from providers.endpoint import Secret
from providers.errors import LoginRejected
from providers.frozen import frozen
from providers.grants import OAuthGrant
from providers.id_token import InvalidIdToken, verified_claims
from providers.mailbox_access import AccessToken, Consent, Question
from providers.oauth_http import (
    CONSENT_ERRORS,
    OAuthClient,
    OAuthHttp,
    error_words,
    get_json,
    parse_access_token,
    refusal_error,
    run_request,
)
from providers.sign_in_provider import Endpoints, SignInProvider
from providers.text import Text


@frozen
class Application:
    """Our registration at a provider. `tenant` is its directory, "" for none; `authority` replaces the
    provider's own, "" for that."""

    provider: SignInProvider
    client_id: str
    client_secret: Secret
    redirect_uri: str = ""
    tenant: str = ""
    authority: str = ""

    def endpoints(self, tenant: str = "") -> Endpoints:
        """The endpoints for that directory, by default the application's own."""
        return self.provider.endpoints_at(self.authority, tenant or self.tenant)

    @property
    def client(self) -> OAuthClient:
        return OAuthClient(self.client_id, self.client_secret, self.redirect_uri, self.provider.scope)


def begin_authorization(application: Application, mailbox: str) -> Question:
    """Create the authorization request for the owner of `mailbox`."""
    provider = application.provider
    verifier, state, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    url, _ = (
        OAuthHttp()
        .session(application.client)
        .create_authorization_url(
            application.endpoints().authorize,
            state=state,
            code_verifier=verifier if provider.pkce else None,
            nonce=nonce,
            login_hint=mailbox,
            **provider.authorize_params,
        )
    )
    return Question(str(url), state, Secret(verifier), nonce)


def complete_authorization(
    web: OAuthHttp, application: Application, question: Question, answer: Mapping[str, str], mailbox: str
) -> Consent:
    """Exchange the parameters that the browser returned with for the owner's consent.

    Raises LoginRejected if the consent was denied or is for another mailbox; ServerUnavailable, Throttled.
    """
    provider, endpoints = application.provider, application.endpoints()
    if not secrets.compare_digest(answer.get("state", "").encode(), question.state.encode()):
        raise LoginRejected(Text("login_rejected.other_sign_in"))
    if answer.get("iss") and not _may_be_issuer(application, answer["iss"]):
        raise LoginRejected(Text("login_rejected.other_issuer"))
    if "error" in answer or not answer.get("code"):
        words = error_words(answer.get("error", "no code"), answer.get("error_description"))
        raise refusal_error(words, provider.name, provider.explain)
    verifier = {"code_verifier": question.verifier.reveal()} if provider.pkce else {}
    tokens = run_request(
        lambda: web.session(application.client).fetch_token(
            endpoints.token,
            grant_type="authorization_code",
            code=answer["code"],
            allow_redirects=False,
            **verifier,
        ),
        provider.name,
        provider.explain,
    )
    # Fetched at each sign-in: a provider may change its keys at any time.
    keys = get_json(web, endpoints.keys, provider.name, provider.explain).get("keys")
    claims = _claims(application, str(tokens.get("id_token", "")), keys, question.nonce)
    addresses = provider.addresses_in(claims)
    _check_mailbox(provider, addresses, mailbox)
    _check_scope(provider, tokens)
    if not tokens.get("refresh_token"):
        raise LoginRejected(Text("login_rejected.short_permission", provider=provider.name))
    grant = OAuthGrant(provider.id, Secret(str(tokens["refresh_token"])), provider.tenant_in(claims))
    return Consent(grant, parse_access_token(tokens), addresses)


def refresh_tokens(
    web: OAuthHttp, application: Application, grant: OAuthGrant
) -> tuple[AccessToken, OAuthGrant]:
    """Return a new token and the grant to store, whose refresh token may have changed.

    Raises GrantExpired, LoginRejected if the application is refused, ServerUnavailable, Throttled.
    """
    tokens = run_request(
        lambda: web.session(application.client).refresh_token(
            application.endpoints(grant.tenant).token,
            refresh_token=grant.refresh_token.reveal(),
            scope="",  # the same as granted (RFC 6749 section 6)
            allow_redirects=False,
        ),
        application.provider.name,
        application.provider.explain,
        consent_errors=CONSENT_ERRORS | application.provider.consent_errors,
    )
    token = str(tokens.get("refresh_token") or grant.refresh_token.reveal())
    return parse_access_token(tokens), replace(grant, refresh_token=Secret(token))


def revoke_consent(web: OAuthHttp, application: Application, grant: OAuthGrant) -> bool:
    """Revoke the consent (RFC 7009); False if that is not possible or failed. Never raises.

    At Google this ends every grant of this owner for the application.
    """
    url = application.endpoints().revoke
    if not url:
        return False
    try:
        response = web.session(application.client).revoke_token(
            url,
            token=grant.refresh_token.reveal(),
            token_type_hint="refresh_token",  # noqa: S106
            allow_redirects=False,
        )
    except (requests.RequestException, AuthlibBaseError, ValueError):
        return False
    return bool(response.ok)


def _may_be_issuer(application: Application, issuer: str) -> bool:
    """Whether an authorization response may name this issuer (RFC 9207)."""
    provider = application.provider
    return provider.issuer_depends_on_account or issuer in provider.issuers_at(application.authority)


def _claims(application: Application, id_token: str, keys: object, nonce: str) -> Mapping[str, Any]:
    provider = application.provider
    try:
        return verified_claims(
            id_token,
            keys,
            client_id=application.client_id,
            nonce=nonce,
            issuers_of=lambda claims: provider.issuers_at(application.authority, provider.tenant_in(claims)),
        )
    except InvalidIdToken as error:
        raise LoginRejected(Text("login_rejected.unverified"), server_text=str(error)) from None


def _check_mailbox(provider: SignInProvider, addresses: tuple[str, ...], mailbox: str) -> None:
    spelling = provider.canonical_address
    if not any(spelling(address) == spelling(mailbox) for address in addresses):
        if not addresses:
            raise LoginRejected(
                Text("login_rejected.unknown_account", provider=provider.name, mailbox=mailbox)
            )
        raise LoginRejected(
            Text(
                "login_rejected.other_account",
                provider=provider.name,
                signed_in=addresses[0],
                mailbox=mailbox,
            )
        )


def _check_scope(provider: SignInProvider, tokens: Mapping[str, Any]) -> None:
    granted = tokens.get("scope")  # omitted if identical to the requested scope (RFC 6749 section 5.1)
    required = provider.mail_scope.casefold()
    if isinstance(granted, str) and not any(scope.endswith(required) for scope in granted.casefold().split()):
        raise LoginRejected(Text("login_rejected.no_mail_permission", provider=provider.name))
