"""All providers with a sign-in. A new one is a module with a `PROVIDER`, and a line here."""

from __future__ import annotations

from typing import Final

from providers import google, microsoft, yahoo
from providers.sign_in_provider import SignInProvider

SIGN_IN_PROVIDERS: Final[dict[str, SignInProvider]] = {
    provider.id: provider
    for provider in (
        google.PROVIDER,
        microsoft.PROVIDER,
        yahoo.PROVIDER,
    )
}
"""By id, in the order of the documents. Read where it is needed, never copied: tests add providers."""


def name_of(provider_id: str) -> str:
    """The name of the provider for people; the id of one that is not listed."""
    provider = SIGN_IN_PROVIDERS.get(provider_id)
    return provider.name if provider else provider_id


def names(conjunction: str = "or") -> str:
    """The names of all providers, as in "Google, Microsoft or Example"."""
    *most, last = (provider.name for provider in SIGN_IN_PROVIDERS.values())
    return f"{', '.join(most)} {conjunction} {last}" if most else last
