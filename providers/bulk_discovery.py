"""Discover the providers of many addresses, each domain once."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Final

from providers.catalog import Catalog
from providers.discovery import Discovery, HttpsFetcher, Prober, Resolver, discover
from providers.provider import Provider
from providers.text import Text

_MAX_PARALLEL: Final = 12  # domains; each queries a handful of servers


class BulkDiscovery:
    """Implements `importer.domain.csv_import.import_rows.Lookup` for one file or one request. Thread-safe.

    Results are cached for the lifetime of the object.
    """

    def __init__(
        self, catalog: Catalog, *, resolver: Resolver, web: HttpsFetcher, prober: Prober | None = None
    ) -> None:
        self._catalog = catalog
        self._resolver = resolver
        self._web = web
        self._prober = prober
        self._discoveries: dict[str, Future[Discovery]] = {}
        self._lock = Lock()

    def discover(self, address: str) -> Discovery:
        """Discover the provider of the domain of `address`. Takes a few seconds at most; never raises."""
        key = address.rpartition("@")[2].strip().lower()
        with self._lock:
            existing = self._discoveries.get(key)
            future = self._discoveries[key] = existing or Future()
        if existing is None:
            try:
                future.set_result(
                    discover(
                        address,
                        catalog=self._catalog,
                        resolver=self._resolver,
                        web=self._web,
                        prober=self._prober,
                    )
                )
            except BaseException as error:
                future.set_exception(error)
        return future.result()

    def is_known(self, address: str) -> bool:
        """Whether `discover` answers without a look-up: from the catalog, or from an earlier one."""
        if self._catalog.for_address(address) is not None:
            return True
        with self._lock:
            return address.rpartition("@")[2].strip().lower() in self._discoveries

    def expect(self, addresses: Iterable[str]) -> None:
        """Discover all addresses concurrently, so that later calls for each return immediately."""
        by_domain = {address.rpartition("@")[2].lower(): address for address in addresses}
        unknown = [address for address in by_domain.values() if self._catalog.for_address(address) is None]
        if unknown:
            with ThreadPoolExecutor(min(_MAX_PARALLEL, len(unknown)), "directory") as pool:
                list(pool.map(self.discover, unknown))

    def for_address(self, address: str) -> Provider | None:
        return self.discover(address).provider

    def for_host(self, host: str) -> Provider | None:
        return self._catalog.for_host(host)

    def why_unknown(self, address: str) -> Text:
        """The reason why an address has no provider."""
        discovery = self.discover(address)
        code = "server_unknown.offline" if discovery.offline else "server_unknown.unlisted"
        return Text(code, domain=discovery.domain)
