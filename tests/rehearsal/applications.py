"""Mailhaul as an application of the rehearsal's authority, and the settings that go with it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from importer.oauth_setup import configured_access
from importer.settings import Settings
from providers.mailbox_access import MailboxAccess
from tests.rehearsal.authority import Authority

SECRET: Final = "0pen-s3same"
PUBLIC_URL: Final = "http://localhost:8000"


def application(
    host: Authority, provider: str, public_url: str = PUBLIC_URL, *, secret: str = SECRET
) -> dict[str, str]:
    """Registers `mailhaul-google`, `mailhaul-microsoft` or `mailhaul-openid`, for pages at that URL.
    Returns the settings for it, as variables without MAILHAUL_; all but the public URL are the provider's.
    """
    name = f"mailhaul-{provider}"
    host.add_application(name, secret, f"{public_url}/sign-in/{provider}")
    at = {"google": host.google, "microsoft": host.microsoft, "openid": host.openid}[provider]
    own = {
        "ISSUER" if provider == "openid" else "AUTHORITY": at,
        "CLIENT_ID": name,
        "CLIENT_SECRET": secret,
    }
    return {"PUBLIC_URL": public_url} | {f"{provider.upper()}_{key}": value for key, value in own.items()}


def overlay(settings: dict[str, str]) -> dict[str, object]:
    """Those settings as `Settings.load` takes them."""
    return {name.lower(): value for name, value in settings.items()}


def everything_set_up(host: Authority, key_file: Path, domain: str) -> MailboxAccess:
    """Owners can sign in at Google and at Microsoft, and the organisation of that domain lets us in at both.
    `key_file` becomes the service account's key."""
    host.add_service_account(key_file, domain)
    return configured_access(
        Settings.load(
            **overlay(application(host, "google") | application(host, "microsoft")),
            ca_file=host.ca_file,
            google_service_account_file=key_file,
            google_organisation_domains=domain,
            microsoft_organisation_tenant="organizations",
            microsoft_organisation_domains=domain,
        )
    )
