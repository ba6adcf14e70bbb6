"""Builds `MailboxAccess` from the settings: OAuth applications that owners sign in to, and permissions of
organisations. Also explains refused logins, with the owner's steps at that provider."""

from __future__ import annotations

from typing import Final

from importer.domain.model import Account
from importer.settings import Settings, SettingsError
from providers.catalog import Catalog
from providers.endpoint import Secret
from providers.mailbox_access import MailboxAccess, People
from providers.oauth import Application
from providers.oauth_access import OAuthAccess, OrganisationAccess
from providers.oauth_http import OAuthHttp
from providers.openid_connect import OpenId, Registration
from providers.organisation_grants import KeyFileUnusable, organisation_access
from providers.sign_in_provider import OrganisationGrantKind, ProviderConfig, SignInProvider, variable
from providers.sign_in_providers import SIGN_IN_PROVIDERS
from providers.text import Text

SIGN_IN_PATH: Final = "/sign-in/{provider}"
"""Path of the redirect URI, below MAILHAUL_PUBLIC_URL. It must be registered exactly like this at the
provider."""


def login_help(catalog: Catalog, account: Account, words: str, *, by_token: bool) -> Text | None:
    """The account owner's steps after its host refused the login with `words`; None if unknown."""
    host = catalog.for_host(account.endpoint.host) or catalog.for_address(account.address)
    provider = SIGN_IN_PROVIDERS.get((host and host.sign_in) or "")
    explanation = provider.explain(words) if provider is not None else None
    if explanation is not None or by_token:
        return explanation or Text("sign_in_again")
    if provider is not None:
        return Text(provider.refused_login_code)
    return Text("host_steps", provider=host.id) if host is not None and host.login_help else None


def redirect_uri(settings: Settings, provider: str) -> str:
    """The redirect URI of `provider`, below MAILHAUL_PUBLIC_URL."""
    return settings.public_url + SIGN_IN_PATH.format(provider=provider)


def configured_access(settings: Settings) -> MailboxAccess:
    """The configured login methods other than passwords. Raises SettingsError if the service account's key is
    unusable."""
    web = OAuthHttp(settings.ca_file)
    configured = [(provider, settings.of_provider(provider.id)) for provider in SIGN_IN_PROVIDERS.values()]
    organisations = {
        provider.id: _organisation_access(web, provider, provider.organisation, config)
        for provider, config in configured
        if provider.organisation is not None and provider.has_organisation(config)
    }
    return OAuthAccess(
        web,
        {
            provider.id: _application(settings, provider, config)
            for provider, config in configured
            if provider.signs_in_with(config)
        },
        organisations,
    )


def people(settings: Settings) -> People:
    """The OpenID Connect provider at which people sign in to the web pages."""
    return OpenId(
        OAuthHttp(settings.ca_file),
        Registration(
            settings.openid_issuer,
            settings.openid_client_id,
            settings.openid_client_secret or Secret(""),
            redirect_uri(settings, "openid"),
            settings.openid_claim,
            settings.openid_scope,
            settings.openid_domains_claim,
            _operator_claim(settings),
        ),
    )


def _operator_claim(settings: Settings) -> tuple[str, str]:
    name, _, value = settings.openid_operator_claim.partition("=")
    return name, value


def _application(settings: Settings, provider: SignInProvider, config: ProviderConfig) -> Application:
    return Application(
        provider,
        config.text("client_id"),
        config.secret("client_secret"),
        redirect_uri(settings, provider.id),
        config.text("tenant"),
        config.text("authority"),
    )


def _organisation_access(
    web: OAuthHttp, provider: SignInProvider, grant: OrganisationGrantKind, config: ProviderConfig
) -> OrganisationAccess:
    try:
        return organisation_access(web, provider, grant, config)
    except KeyFileUnusable as error:
        name, value = variable(provider.id, grant.setting), config.text(grant.setting)
        problem = Text("setting_unusable", variable=name, value=value, problem=error.problem)
        raise SettingsError(problem) from None
