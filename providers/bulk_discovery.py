"""Providers of addresses, looked up on the network where the catalog does not know them: each domain once."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Final

from providers.catalog import Catalog
from providers.discovery import Discovery, HttpsFetcher, Prober, Resolver, discover
from providers.provider import Provider

_AT_A_TIME: Final = 12  # domains; each of them asks a handful of servers


class BulkDiscovery:
    """A lookup (`importer.domain.csv_import.import_rows.Lookup`) for one file or one request: what was found
    is kept until it is thrown away. May be used by several threads."""

    def __init__(
        self, catalog: Catalog, *, resolver: Resolver, web: HttpsFetcher, prober: Prober | None = None
    ) -> None:
        self._catalog = catalog
        self._resolver = resolver
        self._web = web
        self._prober = prober
        self._found: dict[str, Future[Discovery]] = {}
        self._lock = Lock()

    def discover(self, address: str) -> Discovery:
        """What is found for the domain of `address`, and why. Takes a few seconds at most; never raises."""
        key = address.rpartition("@")[2].strip().lower()
        with self._lock:
            known = self._found.get(key)
            mine = self._found[key] = known or Future()
        if known is None:
            try:
                mine.set_result(
                    discover(
                        address,
                        catalog=self._catalog,
                        resolver=self._resolver,
                        web=self._web,
                        prober=self._prober,
                    )
                )
            except BaseException as error:
                mine.set_exception(error)
        return mine.result()

    def expect(self, addresses: Iterable[str]) -> None:
        """Looks all of them up at the same time, so that asking for each takes no time."""
        by_domain = {address.rpartition("@")[2].lower(): address for address in addresses}
        unknown = [address for address in by_domain.values() if self._catalog.for_address(address) is None]
        if unknown:
            with ThreadPoolExecutor(min(_AT_A_TIME, len(unknown)), "directory") as pool:
                list(pool.map(self.discover, unknown))

    def for_address(self, address: str) -> Provider | None:
        return self.discover(address).provider

    def for_host(self, host: str) -> Provider | None:
        return self._catalog.for_host(host)

    def why_unknown(self, address: str) -> str:
        """For an address without a provider: why, as a sentence."""
        found = self.discover(address)
        if found.offline:
            return f"The mail server of {found.domain} could not be looked up: there seems to be no network."
        return f"No mail server was found for {found.domain}: neither the domain nor public lists name one."
