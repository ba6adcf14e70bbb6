"""Checks of the certificates that the installation depends on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from importer import bootstrap
from importer.doctor.finding import Finding, Health
from importer.doctor.own_store import CLOCK
from importer.ports.certificates import CertifiedServer
from importer.settings import Settings

SOON: Final = timedelta(days=21)
"""Automatic renewals happen a month before the end: one that has not, is broken."""


def check_certificates(settings: Settings) -> Iterator[Finding]:
    """Certificates that expire soon. Those that are refused today are reported with their servers."""
    now = CLOCK.now()
    certificates = bootstrap.certificates(settings)
    seen = [(c.address, c.ends_at - now) for c in certificates if c.ends_at is not None]
    soon = [(address, left) for address, left in seen if left < SOON]
    unknown = [c for c in certificates if c.problem and c.server is CertifiedServer.PAGES]
    for address, left in soon:
        message = f"The certificate of {address} expires in {left.days} day(s)."
        fix = "Renew it and reload the server. If it renews itself, look why that failed."
        yield Finding("certificates", Health.WARNING, message, fix)
    for certificate in unknown:
        message = f"The certificate of {certificate.address} cannot be checked: {certificate.problem}."
        fix = "Check MAILHAUL_PUBLIC_URL and the proxy, or whether this machine may connect to it."
        yield Finding("certificates", Health.WARNING, message, fix)
    if not soon and not unknown:
        first = min((left for _, left in seen), default=None)
        until = "" if first is None else f"; the first expires in {first.days} days"
        yield Finding("certificates", Health.OK, f"{len(seen)} certificate(s) checked{until}.")
