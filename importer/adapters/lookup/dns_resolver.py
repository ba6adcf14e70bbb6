"""Implements `Resolver` (providers/discovery.py) with dnspython and the system's name servers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from providers.discovery import LookupFailed
from providers.text import Text

_MOST_RECORDS: Final = 20
"""Further records are ignored: no real domain has that many."""


class DnsResolver:
    """Queries the name servers of this machine, or `servers`. Each query takes at most `timeout_s`."""

    def __init__(self, *, timeout_s: float = 5.0, servers: Sequence[tuple[str, int]] = ()) -> None:
        self._timeout_s = timeout_s
        self._servers = tuple(servers)

    def mail_exchangers(self, domain: str) -> Sequence[str]:
        records = sorted(self._query(domain, "MX"), key=lambda record: int(record.preference))
        return [record.exchange.to_text(omit_final_dot=True) for record in records[:_MOST_RECORDS]]

    def services(self, name: str) -> Sequence[tuple[str, int]]:
        records = sorted(
            self._query(name, "SRV"), key=lambda record: (int(record.priority), -int(record.weight))
        )
        return [(record.target.to_text(), int(record.port)) for record in records[:_MOST_RECORDS]]

    def _query(self, name: str, kind: str) -> list[Any]:
        import dns.exception
        import dns.nameserver
        import dns.resolver

        try:
            resolver = dns.resolver.Resolver(configure=not self._servers)
            if self._servers:
                resolver.nameservers = [dns.nameserver.Do53Nameserver(*server) for server in self._servers]
            # The name is fully qualified: the search list of this machine is not applied.
            answer = resolver.resolve(name, kind, lifetime=self._timeout_s, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except dns.exception.Timeout:
            raise LookupFailed(Text("lookup.no_name_server")) from None
        except (dns.exception.DNSException, OSError):
            raise LookupFailed(Text("lookup.unknown_name")) from None
        return list(answer)
