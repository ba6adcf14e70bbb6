"""Metrics by mail host: imports that wait, connections in use, pauses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric

from importer.domain.planning.host_allowance import host_of_budget, is_of_whole_host
from importer.ports.store import Store

MOST_HOSTS: Final = 50
"""Limit of hosts per metric: users name the hosts, and each adds a time series. The rest counts as the host
`other`."""

OTHER: Final = "other"


def host_metrics(store: Store, now: datetime) -> Iterator[Metric]:
    waits: Counter[tuple[str, ...]] = Counter()
    for wait in store.waits():
        waits[wait.host, wait.problem] += wait.imports
    yield _by_host("mailhaul_imports_waiting", "Imports that wait, by host and problem.", waits, "problem")
    slots = Counter[tuple[str, ...]](
        {(host_of_budget(n),): used for n, used in store.used_slots(now).items() if is_of_whole_host(n)}
    )
    yield _by_host("mailhaul_host_connections", "Connections to a host that are in use.", slots)
    pauses = Counter[tuple[str, ...]]((host_of_budget(b.name),) for b in store.backoffs(now))
    yield _by_host("mailhaul_host_pauses", "Pauses of a host or of accounts there.", pauses)


def _by_host(name: str, meaning: str, counts: Mapping[tuple[str, ...], int], *labels: str) -> Metric:
    """A gauge of numbers by (host, *labels)."""
    of_hosts: Counter[str] = Counter()
    for (host, *_), number in counts.items():
        of_hosts[host] += number
    shown = {host for host, _ in of_hosts.most_common(MOST_HOSTS)}
    summed: Counter[tuple[str, ...]] = Counter()
    for (host, *rest), number in counts.items():
        summed[(host if host in shown else OTHER, *rest)] += number
    gauge = GaugeMetricFamily(name, meaning, labels=("host", *labels))
    for values, number in sorted(summed.items()):
        gauge.add_metric(values, number)
    return gauge
