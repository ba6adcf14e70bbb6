"""Facts about the host of a mailbox, from the catalog and the settings."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from importer.domain.model import Account
from importer.domain.people.mail_recipients import is_host_of_domain
from importer.domain.planning.host_allowance import Allowance
from importer.settings import Settings
from importer.settings.value_types import DailyLimit
from providers.catalog import provider_of_host
from providers.provider import ProviderLimits


def allowance(settings: Settings, account: Account) -> Allowance:
    """Limits of the account's host: those in the catalog, capped or replaced by the settings."""
    provider = provider_of_host(account.endpoint.host)
    limits = provider.limits if provider else ProviderLimits()
    catalogued = DailyLimit(limits.download_bytes_per_day, limits.upload_bytes_per_day)
    daily = settings.daily_limits.get(provider.id, catalogued) if provider else catalogued
    return Allowance(
        host=provider.name if provider else account.endpoint.host,
        account_connections=min(settings.account_connections, limits.connections or sys.maxsize),
        host_connections=settings.connections_by_host.get(
            account.endpoint.host.casefold().rstrip("."), settings.host_connections
        ),
        daily_down_bytes=daily.down_bytes,
        daily_up_bytes=daily.up_bytes,
    )


def is_proven(settings: Settings, account: Account) -> bool:
    """Whether a login at the account's host proves that its address belongs to the person."""
    if account.endpoint == settings.destination_server:
        return account.login.lower() == account.address.lower()
    provider = provider_of_host(account.endpoint.host)
    if provider is not None:
        return provider.login_name(account.address).lower() == account.login.lower()
    return is_host_of_domain(account)


def known_mx(host: str) -> Sequence[str]:
    """The known mail exchangers of the host's provider."""
    provider = provider_of_host(host)
    return () if provider is None else provider.mx
