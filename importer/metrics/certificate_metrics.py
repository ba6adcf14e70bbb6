"""Expiry times of the certificates that the installation depends on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from threading import Event, Thread
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric

from importer.ports.certificates import Certificate

LOOK_INTERVAL_S: Final = 3600.0
"""Each check connects to the servers; certificates change every few weeks."""

NEXT_LOOK_S: Final = 300.0
"""After a check that one of the servers did not answer."""


class CertificateMetrics:
    """A collector of values that a thread updates: slow servers must not delay a scrape.

    A server that does not answer keeps its previous value.
    """

    def __init__(self, look: Callable[[], Sequence[Certificate]]) -> None:
        self._look = look
        self._ends_s: dict[str, float] = {}

    def watch(self) -> None:
        """Check periodically in a thread, until the process ends."""
        Thread(target=self._watch, name="certificates", daemon=True).start()

    def look(self) -> bool:
        """Check once. Returns whether every server answered."""
        certificates = self._look()
        self._ends_s |= {c.server.value: c.ends_at.timestamp() for c in certificates if c.ends_at is not None}
        return not any(certificate.problem for certificate in certificates)

    def collect(self) -> Iterable[Metric]:
        ends = GaugeMetricFamily(
            "mailhaul_certificate_expiry_timestamp_seconds",
            "When the certificate of a server expires.",
            labels=("server",),
        )
        for server, end_s in self._ends_s.items():
            ends.add_metric((server,), end_s)
        return (ends,)

    def describe(self) -> Iterable[Metric]:
        """None, so that registration of the collector connects to no server."""
        return ()

    def _watch(self) -> None:
        pause = Event()
        while True:
            pause.wait(LOOK_INTERVAL_S if self.look() else NEXT_LOOK_S)
