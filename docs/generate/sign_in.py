"""docs/usage/oauth.md: only the table of providers is generated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from docs.generate.markdown import anchor, between_markers, table
from providers.catalog import Catalog
from providers.provider import PasswordKind
from providers.sign_in_provider import SignInProvider, variable
from providers.sign_in_providers import SIGN_IN_PROVIDERS

PAGE: Final = Path(__file__).parents[1] / "usage" / "oauth.md"


def render() -> str:
    """The whole page."""
    return between_markers(PAGE.read_text(encoding="utf-8"), {"providers": _providers(Catalog.load())})


def _providers(catalog: Catalog) -> Iterator[str]:
    heads = (
        "provider",
        "mailboxes",
        "owners sign in",
        "an organisation allows it",
        "an app password works too",
    )
    yield from table(heads, (_row(provider, catalog) for provider in SIGN_IN_PROVIDERS.values()))


def _row(provider: SignInProvider, catalog: Catalog) -> tuple[str, ...]:
    hosts = [host for host in catalog if host.sign_in == provider.id]
    by_password = [host for host in hosts if host.password is not PasswordKind.NONE]
    organisation = provider.organisation
    return (
        f"[{provider.name}](../providers.md#{anchor(provider.guides[0][0])})",
        ", ".join(f"{host.name} (`{host.endpoint.host}`)" for host in hosts if host.endpoint),
        f"`{variable(provider.id, 'client_id')}`",
        f"`{variable(provider.id, organisation.setting)}`" if organisation else "no",
        "yes" if by_password else "no",
    )
