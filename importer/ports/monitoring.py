"""Figures for operators: running workers, and amounts of waiting work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from importer.domain.import_filter import EVERY_IMPORT, ImportFilter
from importer.domain.model import State
from importer.ports.certificates import Certificate
from providers.frozen import frozen

if TYPE_CHECKING:
    from importer.ports.store import Store


@frozen
class WorkerProcess:
    """A worker as it last reported. `name` is the owner of its leases, HOST:PID:TOKEN."""

    name: str
    version: str
    started_at: datetime  # by the worker's own clock
    last_report_at: datetime  # by the clock of the database
    clock_ahead_s: float
    """The lead of the worker's clock over the database's; negative if it is behind."""


@frozen
class QueueDepth:
    """An amount of waiting work: due imports that no worker holds, or other work. `oldest_since` is None if
    there is none."""

    due: int
    oldest_since: datetime | None


@frozen
class ImportCount:
    """A number of imports in one state with one problem ("" without a problem)."""

    state: State
    problem: str
    imports: int


@frozen
class WaitCount:
    """A number of waiting imports with one problem at one host ("" if the problem is of no host)."""

    host: str
    problem: str
    imports: int


MAINTENANCE: Final = "maintenance"
"""The code of its text, and its name among the pauses."""


@frozen
class Maintenance:
    """Maintenance that is in force: submissions are accepted and held. `note` is shown wherever maintenance
    is announced; `by` is the name of an audit actor."""

    since: datetime
    note: str
    by: str


class Monitoring(Protocol):
    """Workers and amounts of work. Times are compared by the database's clock, which all workers share."""

    def report_worker(self, name: str, version: str, started_at: datetime, now: datetime) -> None:
        """Note that the worker runs; `now` is the time by its own clock."""
        ...

    def forget_worker(self, name: str) -> None:
        """Remove the record of a worker that shuts down regularly."""
        ...

    def forget_workers_silent_since(self, before: datetime) -> None: ...

    def workers(self) -> Sequence[WorkerProcess]:
        """Running workers, and workers that ended without `forget_worker`; by name."""
        ...

    def queue_depth(self, now: datetime) -> QueueDepth: ...

    def imports_by_host(self) -> Mapping[tuple[str, State], int]:
        """The number of imports that have not ended, by server and state; each counts at both."""
        ...

    def maintenance(self) -> Maintenance | None:
        """The maintenance in force; None if there is none. It survives restarts."""
        ...

    def set_maintenance(self, maintenance: Maintenance | None) -> None:
        """Begin maintenance, in place of an earlier one; None ends it."""
        ...

    def running_legs(self) -> int:
        """The imports that a worker holds now."""
        ...

    def import_counts(self, chosen: ImportFilter = EVERY_IMPORT) -> Sequence[ImportCount]:
        """By state and problem; only the imports that the filter selects."""
        ...

    def waits(self) -> Sequence[WaitCount]: ...

    def pending_calls(self) -> QueueDepth:
        """The webhook calls without an answer yet; `oldest_since` is the time of the oldest."""
        ...


@frozen
class Observed:
    """Sources of the metrics about the whole installation, which each process reports."""

    store: Store
    silence_allowed: timedelta  # for which a worker may go without a report
    faults: Callable[[], Mapping[str, str]]  # a sentence for each part that fails, by its name
    certificates: Callable[[], Sequence[Certificate]]
    now: Callable[[], datetime]
