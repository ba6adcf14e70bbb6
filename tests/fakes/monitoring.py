"""Workers and the maintenance mode in dictionaries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from importer.ports.monitoring import Maintenance, WorkerProcess
from tests.fakes.leases import MemoryLeases


class MemoryWorkers(MemoryLeases):
    """The workers of `importer.ports.monitoring.Monitoring`, and the maintenance mode. Thread-safe."""

    def __init__(self) -> None:
        super().__init__()
        self._workers: dict[str, WorkerProcess] = {}
        self._maintenance: Maintenance | None = None

    def maintenance(self) -> Maintenance | None:
        with self._lock:
            return self._maintenance

    def set_maintenance(self, new: Maintenance | None) -> None:
        with self._lock:
            self._maintenance = new

    def running_legs(self) -> int:
        with self._lock:
            return sum(name.startswith("import:") and self._is_held(name) for name in self._holds)

    def report_worker(self, name: str, version: str, started_at: datetime, now: datetime) -> None:
        with self._lock:
            by_store = self.lease_clock()
            ahead_s = (now - by_store).total_seconds()
            self._workers[name] = WorkerProcess(name, version, started_at, by_store, ahead_s)

    def forget_worker(self, name: str) -> None:
        with self._lock:
            self._workers.pop(name, None)

    def forget_workers_silent_since(self, before: datetime) -> None:
        with self._lock:
            self._workers = {n: w for n, w in self._workers.items() if w.last_report_at >= before}

    def workers(self) -> Sequence[WorkerProcess]:
        with self._lock:
            return [self._workers[name] for name in sorted(self._workers)]
