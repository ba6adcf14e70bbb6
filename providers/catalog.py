"""The catalog of known mail providers: catalog.toml, validated when it is loaded.

A new provider with plain IMAP needs one row in that file and no code.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from functools import cache, lru_cache
from importlib import resources
from typing import Final

from providers.catalog_rows import CatalogError, read_provider, read_texts
from providers.provider import Provider
from providers.text import Text

__all__ = ["Catalog", "CatalogError", "provider_of_host"]

_ROW: Final = "\n[[provider]]\n"

_SIMILAR: Final = 0.85
"""Of `difflib`: one swapped or missing letter of nine."""


class Catalog:
    """Providers by address domain, by server and by mail exchanger."""

    def __init__(self, providers: Iterable[Provider]) -> None:
        """Raises CatalogError if two providers claim the same id, domain, server or mail exchanger."""
        self._providers = tuple(providers)
        self._by_domain: dict[str, Provider] = {}
        self._by_host: dict[str, Provider] = {}
        self._by_mx: dict[str, Provider] = {}
        ids: set[str] = set()
        for provider in self._providers:
            if provider.id in ids:
                raise CatalogError(f"catalog row “{provider.id}”: field “id” is used by an earlier row")
            ids.add(provider.id)
            for domain in provider.domains:
                _claim(self._by_domain, domain, provider, "domains")
            for host in provider.hosts:
                _claim(self._by_host, host, provider, "server")
            for suffix in provider.mx:
                _claim(self._by_mx, suffix, provider, "mx")

    @classmethod
    @cache  # immutable, and used several times by one command
    def load(cls) -> Catalog:
        """Load the catalog that is shipped with Mailhaul. Raises CatalogError."""
        return cls.parse(_shipped_text())

    @classmethod
    def parse(cls, text: str) -> Catalog:
        """Parse TOML in the format described at the top of catalog.toml. Raises CatalogError."""
        try:
            tables = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise CatalogError(f"the catalog is not TOML: {error}") from None
        rows, texts = tables.pop("provider", None), tables.pop("text", {})
        if tables or not isinstance(rows, list) or not isinstance(texts, dict):
            raise CatalogError("the catalog holds [text.…] tables, [[provider]] rows and nothing else")
        steps = read_texts(texts)
        return cls(read_provider(row, number, steps) for number, row in enumerate(rows, start=1))

    def __iter__(self) -> Iterator[Provider]:
        """Iterate over the providers in the order of the rows."""
        return iter(self._providers)

    def __len__(self) -> int:
        return len(self._providers)

    def by_id(self, id_: str) -> Provider | None:
        """The provider of that row."""
        return next((provider for provider in self._providers if provider.id == id_), None)

    def for_domain(self, domain: str) -> Provider | None:
        """The provider with exactly this domain, case-insensitively; subdomains do not match."""
        return self._by_domain.get(domain.casefold())

    def for_address(self, address: str) -> Provider | None:
        """The provider of the address's domain."""
        return self.for_domain(address.rpartition("@")[2])

    def similar_domain(self, domain: str) -> str:
        """The domain of a provider that is spelt almost like this one, such as gmail.com for gmial.com; "" if
        there is none, or if this one is a provider's."""
        name = domain.casefold()
        if name in self._by_domain:
            return ""
        return next(iter(get_close_matches(name, self._by_domain, 1, _SIMILAR)), "")

    def expect(self, addresses: Sequence[str]) -> None:
        """Implements `Lookup.expect`; the catalog needs no prefetching."""

    def why_unknown(self, address: str) -> Text:
        """The reason: `for_address` finds no provider for the address."""
        return Text("server_unknown", domain=address.rpartition("@")[2].lower())

    def for_host(self, host: str) -> Provider | None:
        """The provider with this IMAP server; also works for customers with their own domain."""
        return self._by_host.get(host.casefold().rstrip("."))

    def for_mx(self, exchanger: str) -> tuple[Provider, str] | None:
        """The provider of this mail exchanger, and the suffix that matched.

        Suffixes match at label boundaries (“notgoogle.com” is not Google); the longest one wins.
        """
        labels = exchanger.casefold().rstrip(".").split(".")
        for start in range(len(labels)):
            suffix = ".".join(labels[start:])
            provider = self._by_mx.get(suffix)
            if provider is not None:
                return provider, suffix
        return None


@lru_cache(maxsize=256)
def provider_of_host(host: str) -> Provider | None:
    """`Catalog.load().for_host(host)`, without reading the rows of other hosts: reading all of them takes a
    fifteenth of the start-up of a copy. Raises CatalogError."""
    name = host.casefold().rstrip(".")
    texts, *rows = _shipped_text().split(_ROW)
    rows = [row for row in rows if name in row]
    return Catalog.parse(_ROW.join((texts, *rows))).for_host(name) if rows else None


@cache
def _shipped_text() -> str:
    return resources.files("providers").joinpath("catalog.toml").read_text(encoding="utf-8")


def _claim(owners: dict[str, Provider], key: str, provider: Provider, field: str) -> None:
    owner = owners.setdefault(key, provider)
    if owner is not provider:
        raise CatalogError(
            f"catalog row “{provider.id}”: field “{field}”: {key} already belongs to “{owner.id}”"
        )
