"""The mail hosts that we know: catalog.toml, checked when it is loaded.

A new host that is reached by plain IMAP is one row there and nothing here.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from typing import Any, Final

from providers.model import Endpoint, LoginForm, Provider


class CatalogError(ValueError):
    """A row of the catalog is wrong; the message names the row and the field."""


class Catalog:
    """Providers by address domain and by server."""

    def __init__(self, providers: Iterable[Provider]) -> None:
        """Raises CatalogError when two providers claim one id, domain or server."""
        self._providers = tuple(providers)
        self._by_domain: dict[str, Provider] = {}
        self._by_host: dict[str, Provider] = {}
        ids: set[str] = set()
        for provider in self._providers:
            if provider.id in ids:
                raise CatalogError(f"catalog row “{provider.id}”: field “id” is used by an earlier row")
            ids.add(provider.id)
            for domain in provider.domains:
                _claim(self._by_domain, domain.casefold(), provider, "domains")
            if provider.endpoint is not None:
                _claim(self._by_host, provider.endpoint.host.casefold(), provider, "server")

    @classmethod
    def load(cls) -> Catalog:
        """The catalog that comes with Mailferry. Raises CatalogError."""
        return cls.parse(resources.files("providers").joinpath("catalog.toml").read_text(encoding="utf-8"))

    @classmethod
    def parse(cls, text: str) -> Catalog:
        """From TOML: `[[provider]]` tables as the head of catalog.toml explains them. Raises CatalogError."""
        try:
            tables = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise CatalogError(f"the catalog is not TOML: {error}") from None
        rows = tables.pop("provider", None)
        if tables or not isinstance(rows, list):
            raise CatalogError("the catalog holds [[provider]] rows and nothing else")
        return cls(_provider(row, number) for number, row in enumerate(rows, start=1))

    def __iter__(self) -> Iterator[Provider]:
        """In the order of the rows."""
        return iter(self._providers)

    def __len__(self) -> int:
        return len(self._providers)

    def for_domain(self, domain: str) -> Provider | None:
        """The provider whose own domain this is: exactly, in any case; subdomains do not count."""
        return self._by_domain.get(domain.casefold())

    def for_address(self, address: str) -> Provider | None:
        """The provider that gives out addresses like this one."""
        return self.for_domain(address.rpartition("@")[2])

    def for_host(self, host: str) -> Provider | None:
        """The provider whose IMAP server this is, also for customers who bring a domain of their own."""
        return self._by_host.get(host.casefold().rstrip("."))


# --- Reading one row ------------------------------------------------------------------------------

_ID: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_DOMAIN: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_DATED: Final = re.compile(r".* \d{4}-\d{2}(-\d{2})?")
_FIELDS: Final = frozenset(
    {"id", "name", "domains", "server", "login_form", "login_help", "unavailable", "source"}
)


def _claim(owners: dict[str, Provider], key: str, provider: Provider, field: str) -> None:
    owner = owners.setdefault(key, provider)
    if owner is not provider:
        raise CatalogError(
            f"catalog row “{provider.id}”: field “{field}”: {key} belongs to “{owner.id}” already"
        )


def _provider(row: object, number: int) -> Provider:
    if not isinstance(row, Mapping):
        raise CatalogError(f"catalog row {number} is not a table")
    label = f"“{row['id']}”" if isinstance(row.get("id"), str) else str(number)

    def wrong(field: str, what: str) -> CatalogError:
        return CatalogError(f"catalog row {label}: field “{field}” {what}")

    def text(field: str, *, required: bool = False) -> str:
        value: Any = row.get(field, "")
        if not isinstance(value, str):
            raise wrong(field, "is not a text")
        if required and not value.strip():
            raise wrong(field, "is missing or empty")
        return value.strip()

    for field in row:
        if field not in _FIELDS:
            raise wrong(field, f"is unknown; the fields are {', '.join(sorted(_FIELDS))}")
    if not _ID.fullmatch(text("id", required=True)):
        raise wrong("id", "holds something other than small letters, digits and single hyphens")
    unavailable = text("unavailable")
    server = text("server", required=not unavailable)
    try:
        endpoint = Endpoint.parse(server) if server else None
    except ValueError as error:
        raise wrong("server", f"is wrong: {error}") from None
    domains = row.get("domains")
    if not isinstance(domains, list):
        raise wrong("domains", "is not a list of domains")
    for domain in domains:
        if not isinstance(domain, str) or not _DOMAIN.fullmatch(domain):
            raise wrong("domains", f"holds {domain!r}, which is not a domain in small letters")
    try:
        login_form = LoginForm(text("login_form") or LoginForm.ADDRESS)
    except ValueError:
        raise wrong("login_form", f"is none of {', '.join(LoginForm)}") from None
    if not _DATED.fullmatch(text("source", required=True)):
        raise wrong("source", "does not end with a date such as 2026-03 or 2026-03-12")
    return Provider(
        id=text("id"),
        name=text("name", required=True),
        domains=tuple(domains),
        endpoint=endpoint,
        login_form=login_form,
        login_help=text("login_help", required=not unavailable),
        unavailable=unavailable,
        source=text("source"),
    )
