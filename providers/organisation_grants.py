"""Tokens from an organisation's grant: a service account's (RFC 7523) or an application's (RFC 6749 4.4)."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Final, assert_never

import requests
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from providers.frozen import frozen
from providers.mailbox_access import AccessToken
from providers.oauth import Application
from providers.oauth_access import OrganisationAccess
from providers.oauth_http import OAuthHttp, parse_access_token, run_request
from providers.sign_in_provider import (
    ClientCredentialsGrant,
    OrganisationGrantKind,
    ProviderConfig,
    ServiceAccountGrant,
    SignInProvider,
)
from providers.text import Text
from providers.token_refresh import FreshTokens

_ASSERTION_LIFE_S: Final = 600


class KeyFileUnusable(ValueError):
    """The key of a service account cannot be used. `problem` says why; it quotes nothing of the file."""

    def __init__(self, problem: Text) -> None:
        super().__init__(str(problem))
        self.problem = problem


@frozen
class ServiceAccount:
    """A service account with domain-wide delegation, read from its key file."""

    email: str
    key_id: str
    key: RSAKey = field(repr=False)

    @classmethod
    def load(cls, file: Path, unusable: str) -> ServiceAccount:
        """Read the JSON key. Raises KeyFileUnusable, with the code `unusable` if the file is no such key."""
        try:
            facts = json.loads(file.read_text(encoding="utf-8"))
            email, key_id, pem = (str(facts[n]) for n in ("client_email", "private_key_id", "private_key"))
            key = RSAKey.import_key(pem)
        except OSError as error:
            problem = Text("setting_key_file", file=str(file), reason=error.strerror or str(error))
        except (ValueError, KeyError, TypeError, JoseError):
            problem = Text(unusable)
        else:
            return cls(email, key_id, key)
        raise KeyFileUnusable(problem)


def organisation_access(
    web: OAuthHttp, provider: SignInProvider, grant: OrganisationGrantKind, config: ProviderConfig
) -> OrganisationAccess:
    """Access to the mailboxes of the configured organisation. Raises KeyFileUnusable."""
    domains = config.domains("organisation_domains")
    match grant:
        case ServiceAccountGrant():
            account = ServiceAccount.load(Path(config.text(grant.setting)), grant.unusable_key)
            return OrganisationAccess(
                domains,
                lambda mailbox: FreshTokens(
                    lambda: _service_account_token(
                        web, provider, grant, account, config.text("authority"), mailbox
                    )
                ),
            )
        case ClientCredentialsGrant():
            application = _organisation_application(provider, grant, config)
            tokens = FreshTokens(lambda: _client_credentials_token(web, application, grant))
            return OrganisationAccess(domains, lambda _mailbox: tokens)
        case _:
            assert_never(grant)


def _organisation_application(
    provider: SignInProvider, grant: ClientCredentialsGrant, config: ProviderConfig
) -> Application:
    own = "organisation_" if config.is_set("organisation_client_id") else ""
    return Application(
        provider,
        config.text(f"{own}client_id"),
        config.secret(f"{own}client_secret"),
        tenant=config.text(grant.setting),
        authority=config.text("authority"),
    )


def _client_credentials_token(
    web: OAuthHttp, application: Application, grant: ClientCredentialsGrant
) -> AccessToken:
    """Raises as `run_request`."""
    return parse_access_token(
        run_request(
            lambda: web.session(application.client).fetch_token(
                application.endpoints().token,
                grant_type="client_credentials",
                scope=grant.scope,
                allow_redirects=False,
            ),
            application.provider.name,
            application.provider.explain,
        )
    )


def _service_account_token(
    web: OAuthHttp,
    provider: SignInProvider,
    grant: ServiceAccountGrant,
    account: ServiceAccount,
    authority: str,
    mailbox: str,
) -> AccessToken:
    """Raises as `run_request`."""
    url = provider.endpoints_at(authority).token

    def request() -> Any:
        return web.session().fetch_token(
            url,
            grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer",
            assertion=_assertion(account, url, grant.scope, mailbox),
            auth=_no_client_auth,
            allow_redirects=False,
        )

    return parse_access_token(run_request(request, provider.name, provider.explain))


def _no_client_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """The assertion authenticates the client; send no other credential."""
    return request


def _assertion(account: ServiceAccount, token_url: str, scope: str, mailbox: str) -> str:
    # Created anew for each request: a repeated `jti` is a replay (RFC 7523 section 3). Authlib 1.9's
    # AssertionClient sends the same assertion at each refresh.
    now = int(time.time())
    claims: Mapping[str, Any] = {
        "iss": account.email,
        "sub": mailbox,
        "scope": scope,
        "aud": token_url,
        "iat": now,
        "exp": now + _ASSERTION_LIFE_S,
        "jti": secrets.token_urlsafe(16),
    }
    return jwt.encode({"alg": "RS256", "typ": "JWT", "kid": account.key_id}, dict(claims), account.key)
