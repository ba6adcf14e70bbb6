"""A lookup without a network: a host missing from the catalog is found at its conventional name."""

from __future__ import annotations

from collections.abc import Sequence

from providers.bulk_discovery import BulkDiscovery
from providers.catalog import Catalog
from providers.endpoint import Endpoint
from providers.provider import Provider
from providers.text import Text


class UsualNames:
    """Implements `importer.domain.csv_import.import_rows.Lookup`: imap.old.example serves old.example."""

    def __init__(self) -> None:
        self.catalog = Catalog.load()
        self.expected: list[str] = []

    def expect(self, addresses: Sequence[str]) -> None:
        self.expected += addresses

    def for_address(self, address: str) -> Provider | None:
        provider = self.catalog.for_address(address)
        domain = address.rpartition("@")[2].lower()
        if provider is not None or "." not in domain:
            return provider
        return Provider(f"at-{domain}", domain, (domain,), Endpoint(f"imap.{domain}"))

    def why_unknown(self, address: str) -> Text:
        return self.catalog.why_unknown(address)

    def for_host(self, host: str) -> Provider | None:
        return self.catalog.for_host(host)


class Nothing:
    """A network without any answers, as resolver and HTTPS fetcher of a `BulkDiscovery`."""

    def mail_exchangers(self, _domain: str) -> Sequence[str]:
        return ()

    def services(self, _name: str) -> Sequence[tuple[str, int]]:
        return ()

    def fetch(self, _url: str) -> bytes | None:
        return None


def the_catalog_alone() -> BulkDiscovery:
    """A discovery without a network."""
    return BulkDiscovery(Catalog.load(), resolver=Nothing(), web=Nothing())
