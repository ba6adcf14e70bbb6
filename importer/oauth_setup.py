"""Builds `MailboxAccess` from the settings: OAuth applications that owners sign in to, and permissions of
organisations. Also explains refused logins: what the owner has to do at that provider."""

from __future__ import annotations

from typing import Final

from importer.domain.model import Account
from importer.settings import Settings, SettingsError
from providers import google, microsoft
from providers.catalog import Catalog
from providers.endpoint import Secret
from providers.mailbox_access import MailboxAccess, People
from providers.oauth import Application, OAuthHttp
from providers.oauth_access import OAuthAccess, OrganisationAccess
from providers.openid_connect import OpenId, Registration
from providers.token_refresh import FreshTokens

SIGN_IN_PATH: Final = "/sign-in/{provider}"
"""Path of the redirect URI, below MAILHAUL_PUBLIC_URL. It must be registered exactly like this at the
provider."""

_EXPLAIN: Final = {google.ID: google.explain, microsoft.ID: microsoft.explain}
_PASSWORD_HELP: Final = {google.ID: google.INSTEAD, microsoft.ID: microsoft.INSTEAD}
_SIGN_IN_AGAIN: Final = (
    "Have the owner sign in again; if that does not help, contact the operator of Mailhaul."
)


def login_help(catalog: Catalog, account: Account, words: str, *, by_token: bool) -> str:
    """What the owner of the account has to do after its host refused the login with `words`."""
    provider = catalog.for_host(account.endpoint.host) or catalog.for_address(account.address)
    sign_in = provider.sign_in if provider is not None else None
    explanation = _EXPLAIN[sign_in](words) if sign_in in _EXPLAIN else ""
    if explanation or by_token:
        return explanation or _SIGN_IN_AGAIN
    return _PASSWORD_HELP.get(sign_in or "") or (provider.login_help if provider else "")


def redirect_uri(settings: Settings, provider: str) -> str:
    """The redirect URI of `provider`, below MAILHAUL_PUBLIC_URL."""
    return settings.public_url + SIGN_IN_PATH.format(provider=provider)


def configured_access(settings: Settings) -> MailboxAccess:
    """The configured login methods other than passwords. Raises SettingsError if the service account's key is
    unusable."""
    web = OAuthHttp(settings.ca_file)
    organisations = {google.ID: _google_organisation(settings, web)}
    organisations[microsoft.ID] = _microsoft_organisation(settings, web)
    return OAuthAccess(
        web,
        {app.provider: app for app in (_google(settings), _microsoft(settings)) if app is not None},
        {provider: access for provider, access in organisations.items() if access is not None},
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
        ),
    )


def _google(settings: Settings) -> Application | None:
    if not settings.google_client_id or settings.google_client_secret is None:
        return None
    return google.application(
        settings.google_client_id,
        settings.google_client_secret,
        redirect_uri(settings, google.ID),
        authority=settings.google_authority,
    )


def _microsoft(settings: Settings) -> Application | None:
    if not settings.microsoft_client_id or settings.microsoft_client_secret is None:
        return None
    return microsoft.application(
        settings.microsoft_client_id,
        settings.microsoft_client_secret,
        redirect_uri(settings, microsoft.ID),
        tenant=settings.microsoft_tenant,
        authority=settings.microsoft_authority,
    )


def _google_organisation(settings: Settings, web: OAuthHttp) -> OrganisationAccess | None:
    file = settings.google_service_account_file
    if file is None:
        return None
    try:
        account = google.ServiceAccount.load(file, authority=settings.google_authority)
    except ValueError as error:
        raise SettingsError([f"MAILHAUL_GOOGLE_SERVICE_ACCOUNT_FILE is “{file}”: {error}."]) from None
    return OrganisationAccess(
        settings.google_organisation_domains,
        lambda mailbox: FreshTokens(lambda: google.organisation_token(web, account, mailbox)),
    )


def _microsoft_organisation(settings: Settings, web: OAuthHttp) -> OrganisationAccess | None:
    if not settings.microsoft_organisation_tenant:
        return None
    client_id = settings.microsoft_organisation_client_id
    organisation = microsoft.Organisation(
        settings.microsoft_organisation_tenant,
        client_id or settings.microsoft_client_id,
        (settings.microsoft_organisation_client_secret if client_id else settings.microsoft_client_secret)
        or Secret(""),
        settings.microsoft_authority,
    )
    # One token grants access to every mailbox of the organisation.
    tokens = FreshTokens(lambda: microsoft.organisation_token(web, organisation))
    return OrganisationAccess(settings.microsoft_organisation_domains, lambda _mailbox: tokens)
