"""Checks of the certificates that the installation depends on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from importer import inspection
from importer.doctor.finding import Finding, Health
from importer.doctor.own_store import CLOCK
from importer.ports.certificates import CertifiedServer
from importer.settings import Settings
from providers.text import Text

SOON: Final = timedelta(days=21)
"""Automatic renewals happen a month before expiry: a certificate with less time left was not renewed."""


def check_certificates(settings: Settings) -> Iterator[Finding]:
    """Findings about certificates that expire soon. Certificates that are refused now are reported with their
    servers."""
    now = CLOCK.now()
    certificates = inspection.certificates(settings)
    seen = [(c.address, c.ends_at - now) for c in certificates if c.ends_at is not None]
    soon = [(address, left) for address, left in seen if left < SOON]
    unknown = [c for c in certificates if c.problem and c.server is CertifiedServer.PAGES]
    for address, left in soon:
        text = Text("doctor.certificate_ends", number=left.days, server=address)
        yield Finding("certificates", Health.WARNING, text)
    for certificate in unknown:
        text = Text("doctor.certificate_unknown", server=certificate.address, reason=certificate.problem)
        yield Finding("certificates", Health.WARNING, text)
    if not soon and not unknown:
        yield Finding("certificates", Health.OK, _lasting([left for _, left in seen]))


def _lasting(left: Sequence[timedelta]) -> Text:
    if not left:
        return Text("doctor.certificates_none")
    return Text("doctor.certificates_last", number=min(left).days)
