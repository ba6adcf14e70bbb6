"""Metrics of state that all processes share: each scrape queries the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric

from importer.metrics.families import age_s, gauge
from importer.metrics.host_metrics import host_metrics
from importer.ports.notices import MailState
from importer.ports.process import InstallationFault
from importer.ports.store import Store
from importer.remembered import Remembered

STORE_REMEMBERED_S: Final = 5.0
"""Several scrapers cause a single query."""


class StoreMetrics:
    """A collector that queries the store at a scrape, at most every STORE_REMEMBERED_S. Thread-safe.

    While the database is unavailable, `mailhaul_database_up` is 0 and the other metrics are absent.
    """

    def __init__(self, store: Store, silence_allowed: timedelta, now: Callable[[], datetime]) -> None:
        self._store = store
        self._silence_allowed = silence_allowed
        self._now = now
        self._metrics = Remembered(lambda: tuple(self._asked(self._now())), STORE_REMEMBERED_S)

    def collect(self) -> Iterable[Metric]:
        return self._metrics()

    def describe(self) -> Iterable[Metric]:
        """None, so that registration of the collector makes no query."""
        return ()

    def _asked(self, now: datetime) -> Iterator[Metric]:
        up = "Whether the database answers."
        try:
            metrics = [*self._of_store(self._store, now)]
        except InstallationFault:
            yield gauge("mailhaul_database_up", up, 0)
            return
        yield gauge("mailhaul_database_up", up, 1)
        yield from metrics

    def _of_store(self, store: Store, now: datetime) -> Iterator[Metric]:
        counts = GaugeMetricFamily(
            "mailhaul_imports", "Imports by state and problem.", labels=("state", "problem")
        )
        for count in store.import_counts():
            counts.add_metric((count.state.value, count.problem), count.imports)
        yield counts
        depth = store.queue_depth(now)
        yield gauge("mailhaul_imports_due", "Imports that are due and that no worker holds.", depth.due)
        yield gauge("mailhaul_oldest_due_age_seconds", "For how long.", age_s(depth.oldest_since, now))
        yield gauge("mailhaul_maintenance", "Whether imports are held.", store.maintenance() is not None)
        reports = [now - worker.last_report_at for worker in store.workers()]
        silent = sum(silence >= self._silence_allowed for silence in reports)
        yield gauge("mailhaul_workers", "Workers that report.", len(reports) - silent)
        yield gauge("mailhaul_silent_workers", "Workers that stopped reporting without ending.", silent)
        unsent = store.unsent()
        mails = GaugeMetricFamily("mailhaul_mails_unsent", "Mails that were not sent.", labels=("state",))
        for state in (MailState.PENDING, MailState.SENDING, MailState.REFUSED):
            mails.add_metric((state.value,), sum(notice.state is state for notice in unsent))
        yield mails
        oldest = min((n.created_at for n in unsent if n.state is MailState.PENDING), default=None)
        yield gauge("mailhaul_oldest_mail_age_seconds", "Of those to be sent.", age_s(oldest, now))
        calls = store.pending_calls()
        yield gauge("mailhaul_webhook_calls_pending", "Webhook calls that were not answered yet.", calls.due)
        age = age_s(calls.oldest_since, now)
        yield gauge("mailhaul_oldest_webhook_call_age_seconds", "Of the oldest of them.", age)
        yield from host_metrics(store, now)
