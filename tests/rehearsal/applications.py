"""Mailhaul as a client of the rehearsal authorisation server, and the matching settings."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from importer.oauth_setup import configured_access
from importer.settings import Settings
from providers.mailbox_access import MailboxAccess
from providers.sign_in_providers import SIGN_IN_PROVIDERS
from tests.rehearsal.authority import Authority

SECRET: Final = "0pen-s3same"
PUBLIC_URL: Final = "http://localhost:8000"


def application(
    host: Authority, provider: str, public_url: str = PUBLIC_URL, *, secret: str = SECRET
) -> dict[str, str]:
    """Register `mailhaul-<provider>` for pages at `public_url`, at a provider or at "openid".

    Returns the settings for it, as variables without the MAILHAUL_ prefix. All except PUBLIC_URL have the
    provider's prefix.
    """
    name = f"mailhaul-{provider}"
    host.add_application(name, secret, f"{public_url}/sign-in/{provider}")
    provider_settings = {
        "ISSUER" if provider == "openid" else "AUTHORITY": host.at(provider),
        "CLIENT_ID": name,
        "CLIENT_SECRET": secret,
    }
    return {"PUBLIC_URL": public_url} | {
        f"{provider.upper()}_{key}": value for key, value in provider_settings.items()
    }


def overlay(settings: dict[str, str]) -> dict[str, object]:
    """Convert those variables to keyword arguments of `Settings.load`."""
    return {name.lower(): value for name, value in settings.items()}


def everything_set_up(host: Authority, key_file: Path, domain: str) -> MailboxAccess:
    """Mailbox access with sign-in and organisation access to `domain`, at every provider that has it.

    The service account's key is written to `key_file`.
    """
    host.add_service_account(key_file, domain)
    return configured_access(
        Settings.load(
            **overlay({k: v for p in SIGN_IN_PROVIDERS for k, v in application(host, p).items()}),
            ca_file=host.ca_file,
            google_service_account_file=key_file,
            google_organisation_domains=domain,
            microsoft_organisation_tenant="organizations",
            microsoft_organisation_domains=domain,
        )
    )
