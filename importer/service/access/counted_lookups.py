"""Look-ups of mail servers, counted for the person or API client that requests them, in every front end.

A domain counts once while its result is cached; domains of the catalog do not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from importer.service.access.rate_limits import (
    LOOKUPS_PER_PERSON,
    LookupsLimited,
    RateLimited,
    consume,
)
from importer.service.deps import Deps
from providers.bulk_discovery import BulkDiscovery
from providers.discovery import Discovery
from providers.provider import Provider
from providers.text import Text

_KEY: Final = "lookup:person:"


class CountedLookups:
    """Implements `importer.domain.csv_import.import_rows.Lookup` for one request of `asker`.

    `expect`, `discover`, `for_address` and `why_unknown` raise LookupsLimited, before anything is asked.
    """

    def __init__(self, deps: Deps, directory: BulkDiscovery, asker: str) -> None:
        self._deps = deps
        self._directory = directory
        self._asker = asker
        self._counted: set[str] = set()

    def expect(self, addresses: Sequence[str]) -> None:
        for address in addresses:
            self._count(address)
        self._directory.expect(addresses)

    def discover(self, address: str) -> Discovery:
        self._count(address)
        return self._directory.discover(address)

    def for_address(self, address: str) -> Provider | None:
        return self.discover(address).provider

    def for_host(self, host: str) -> Provider | None:
        return self._directory.for_host(host)

    def why_unknown(self, address: str) -> Text:
        self._count(address)
        return self._directory.why_unknown(address)

    def _count(self, address: str) -> None:
        domain = address.rpartition("@")[2].strip().lower()
        if domain in self._counted or self._directory.is_known(address):
            return
        try:
            consume(self._deps, {f"{_KEY}{self._asker}": LOOKUPS_PER_PERSON})
        except RateLimited as limited:
            raise LookupsLimited(limited.seconds) from None
        self._counted.add(domain)
