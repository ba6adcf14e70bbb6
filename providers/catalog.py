"""The mail hosts that we know: catalog.toml, checked when it is loaded.

A new host that is reached by plain IMAP is one row there and nothing here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib import resources

from providers.catalog_rows import CatalogError, read_provider, read_texts
from providers.provider import Provider

__all__ = ["Catalog", "CatalogError"]


class Catalog:
    """Providers by address domain, by server and by mail exchanger."""

    def __init__(self, providers: Iterable[Provider]) -> None:
        """Raises CatalogError when two providers claim one id, domain, server or mail exchanger."""
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
            for ending in provider.mx:
                _claim(self._by_mx, ending, provider, "mx")

    @classmethod
    @cache  # it never changes, and a command asks for it several times
    def load(cls) -> Catalog:
        """The catalog that comes with Mailhaul. Raises CatalogError."""
        return cls.parse(resources.files("providers").joinpath("catalog.toml").read_text(encoding="utf-8"))

    @classmethod
    def parse(cls, text: str) -> Catalog:
        """From TOML, as the head of catalog.toml explains it. Raises CatalogError."""
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

    def expect(self, addresses: Sequence[str]) -> None:
        """Nothing to do: what is known is known."""

    def why_unknown(self, address: str) -> str:
        """For an address that `for_address` does not know, a sentence that says so."""
        return f"The mail server of {address.rpartition('@')[2]} is not one that Mailhaul knows."

    def for_host(self, host: str) -> Provider | None:
        """The provider whose IMAP server this is, also for customers who bring a domain of their own."""
        return self._by_host.get(host.casefold().rstrip("."))

    def for_mx(self, exchanger: str) -> tuple[Provider, str] | None:
        """The provider that takes mail at this exchanger, and the ending that says so.

        Endings count on the boundary of a label (“notgoogle.com” is not Google); the longest one wins.
        """
        labels = exchanger.casefold().rstrip(".").split(".")
        for start in range(len(labels)):
            ending = ".".join(labels[start:])
            provider = self._by_mx.get(ending)
            if provider is not None:
                return provider, ending
        return None


def _claim(owners: dict[str, Provider], key: str, provider: Provider, field: str) -> None:
    owner = owners.setdefault(key, provider)
    if owner is not provider:
        raise CatalogError(
            f"catalog row “{provider.id}”: field “{field}”: {key} belongs to “{owner.id}” already"
        )
