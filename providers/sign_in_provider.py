"""A provider at which the owners of mailboxes sign in with OAuth, as one value.

A provider is one module that exports `PROVIDER`; providers/sign_in_providers.py lists them. Settings,
sign-in, organisation grants, advice and documents are derived from that value. This module imports no network
library.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, field
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from providers.endpoint import Secret
from providers.frozen import frozen
from providers.text import Text

TENANT: Final = "{tenant}"
"""Placeholder in URLs and issuers for the directory of an application or of a signed-in account."""


@frozen
class Endpoints:
    """The URLs of a provider; `keys` are those that sign ID tokens (a JWK set), `revoke` is "" for none."""

    authorize: str
    token: str
    keys: str = ""
    revoke: str = ""


class SettingKind(StrEnum):
    """The type of a setting's value."""

    TEXT = "text"
    URL = "url"  # https, without query and trailing slash
    SECRET = "secret"  # noqa: S105
    FILE = "file"  # of an existing file
    DOMAINS = "domains"


@frozen
class ProviderSetting:
    """A setting of a provider: the variable MAILHAUL_<ID>_<NAME>.

    The sentence of `rule` completes "must be …". `shown` replaces the default in the documents. `comes_with`
    is another setting of the provider: both are set, or neither. `accepts` judges the value; it gets the
    provider's settings above this one by name.
    """

    _: KW_ONLY
    name: str
    meaning: str
    rule: Text
    kind: SettingKind = SettingKind.TEXT
    default: str = ""
    shown: str = "none"
    comes_with: str = ""
    accepts: Callable[[str, Mapping[str, Any]], bool] | None = None


@frozen
class ProviderConfig:
    """The values of a provider's settings, by name."""

    values: Mapping[str, Any] = field(repr=False)

    def is_set(self, name: str) -> bool:
        return bool(self.values.get(name))

    def text(self, name: str) -> str:
        return str(self.values.get(name) or "")

    def secret(self, name: str) -> Secret:
        value = self.values.get(name)
        return value if isinstance(value, Secret) else Secret("")

    def domains(self, name: str) -> frozenset[str]:
        return frozenset(self.values.get(name) or ())


@frozen
class ServiceAccountGrant:
    """An organisation's grant to a service account: one token for each mailbox (RFC 7523).

    The key is in the setting `service_account_file`; `unusable_key` is the code of what to do if it
    is not a key.
    """

    _: KW_ONLY
    scope: str
    unusable_key: str
    setting: str = "service_account_file"


@frozen
class ClientCredentialsGrant:
    """An organisation's grant to an application: one token for all mailboxes (RFC 6749 section 4.4).

    The settings are `organisation_tenant`, and `organisation_client_id` with `organisation_client_secret`
    unless it is the application that owners sign in to.
    """

    _: KW_ONLY
    scope: str
    setting: str = "organisation_tenant"


OrganisationGrantKind = ServiceAccountGrant | ClientCredentialsGrant


def _lower(address: str) -> str:
    return address.strip().lower()  # casefold would equate "ß" and "ss"


@frozen
class SignInProvider:
    """All facts about a provider with a sign-in.

    `id` is that of `Provider.sign_in` in the catalog, of the settings and of the redirect URI; it never
    changes.

    Sign-in: `scope` is requested from owners; mail access requires a granted scope that ends in `mail_scope`.
    `authorize_params` are further parameters of the authorization request. Without `pkce`, the nonce alone
    binds the code to the sign-in (RFC 9700 section 2.1.1 permits that to confidential clients).
    `consent_errors` are codes of the provider's own for a refresh token that has ended.

    ID tokens: their issuer is one of `issuers`. `address_claims` name the claims with the account's address,
    the most reliable first; `email` counts unless `email_verified` is false. `tenant_claim` names the
    account's directory. `canonical_address` maps all spellings of a mailbox to one.

    Advice: `texts` are what an error means and what to do, by code; `meanings` are pairs of a regular
    expression and a code, and the first match counts. `refused_login_code` is the code of the advice for
    refused passwords. `guides` are the operator's set-up as (heading, Markdown).
    """

    _: KW_ONLY
    id: str
    name: str
    endpoints: Endpoints
    issuers: tuple[str, ...]
    scope: str
    mail_scope: str
    settings: tuple[ProviderSetting, ...]
    consent_errors: frozenset[str] = frozenset()
    authorize_params: Mapping[str, str] = field(default_factory=dict)
    pkce: bool = True
    address_claims: tuple[str, ...] = ("email",)
    tenant_claim: str = ""
    canonical_address: Callable[[str], str] = _lower
    organisation: OrganisationGrantKind | None = None
    texts: Mapping[str, str]
    meanings: tuple[tuple[str, str], ...]
    refused_login_code: str
    guides: tuple[tuple[str, str], ...]

    def code_of(self, words: str) -> str:
        """The code of an error text of this provider; "" if it is unknown."""
        # Compiled when needed, and cached by `re`: every process loads this module, few explain errors.
        matches = (code for pattern, code in self.meanings if re.search(pattern, words, re.IGNORECASE))
        return next(matches, "")

    def explain(self, words: str) -> Text | None:
        """The meaning of an error text of this provider, with the advice; None if it is unknown."""
        code = self.code_of(words)
        return Text(code) if code else None

    def endpoints_at(self, authority: str, tenant: str = "") -> Endpoints:
        """The endpoints for a directory, with `authority` in place of scheme and host unless it is ""."""
        urls = (self.endpoints.authorize, self.endpoints.token, self.endpoints.keys, self.endpoints.revoke)
        return Endpoints(*(_relocated(url, authority).replace(TENANT, tenant) for url in urls))

    def issuers_at(self, authority: str, tenant: str = "") -> frozenset[str]:
        """The issuers of ID tokens for accounts of a directory, with `authority` as in `endpoints_at`."""
        urls = (_relocated(issuer, authority) for issuer in self.issuers)
        return frozenset(url.replace(TENANT, tenant) for url in urls if url)

    def addresses_in(self, claims: Mapping[str, Any]) -> tuple[str, ...]:
        """The addresses of the signed-in account, the most reliable first."""
        refused = {"email"} if claims.get("email_verified") is False else set()
        values = (claims.get(name) for name in self.address_claims if name not in refused)
        return tuple(dict.fromkeys(value for value in values if isinstance(value, str) and "@" in value))

    def tenant_in(self, claims: Mapping[str, Any]) -> str:
        """The directory of the signed-in account, "" for none."""
        return str(claims.get(self.tenant_claim, "")) if self.tenant_claim else ""

    @property
    def issuer_depends_on_account(self) -> bool:
        """Whether the issuer is unknown until an account has signed in."""
        return any(TENANT in issuer for issuer in self.issuers)

    def signs_in_with(self, config: ProviderConfig) -> bool:
        """Whether the application that owners sign in to is configured."""
        return config.is_set("client_id") and config.is_set("client_secret")

    def has_organisation(self, config: ProviderConfig) -> bool:
        """Whether an organisation's permission for its mailboxes is configured."""
        return self.organisation is not None and config.is_set(self.organisation.setting)


def _relocated(url: str, authority: str) -> str:
    """`url` at another authority; "" for an issuer that is no URL."""
    if not authority or not url:
        return url
    parts = urlsplit(url)
    return f"{authority}{parts.path}" if parts.scheme else ""


# --- Settings that providers have in common -------------------------------------------------------


def client_id(provider: str, meaning: str, rule: Text) -> ProviderSetting:
    """The application that owners sign in to at the provider of that name."""
    return ProviderSetting(
        name="client_id", meaning=meaning, rule=rule, shown=f"none; signing in with {provider} is off"
    )


def client_secret(provider_id: str) -> ProviderSetting:
    """The secret of the application of `client_id`."""
    return ProviderSetting(
        name="client_secret",
        meaning="Client secret of that application.",
        rule=Text("setting_rule.client_secret", variable=variable(provider_id, "client_id")),
        kind=SettingKind.SECRET,
        comes_with="client_id",
    )


def organisation_domains(provider_id: str, comes_with: str) -> ProviderSetting:
    """The domains of an organisation's permission, which the setting `comes_with` configures."""
    return ProviderSetting(
        name="organisation_domains",
        meaning="The only domains whose mailboxes may be opened with that permission, separated by commas.",
        rule=Text("setting_rule.domains", variable=variable(provider_id, comes_with)),
        kind=SettingKind.DOMAINS,
        comes_with=comes_with,
    )


def replacement_authority(provider: str) -> ProviderSetting:
    """A replacement for the provider, for tests."""
    return ProviderSetting(
        name="authority",
        meaning=f"URL that replaces {provider} for signing in, for tests.",
        rule=Text("setting_rule.url", example="https://HOST:PORT/PATH"),
        kind=SettingKind.URL,
        shown=provider,
    )


def variable(provider_id: str, name: str) -> str:
    """The environment variable of a provider's setting."""
    return f"MAILHAUL_{provider_id}_{name}".upper()
