"""A Mailhaul within the test process: the real engine, store and sessions, with a fast clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from importer.adapters.imap.factory import ImapSessions
from importer.adapters.imap.imapclient_adapter import Timeouts
from importer.bootstrap import standalone
from importer.domain.csv_import.import_rows import Row
from importer.domain.model import Import, State
from importer.domain.people.actor import Actor
from importer.domain.reporting.report import Report
from importer.engine.leg_context import TransferLimits
from importer.service.deps import Deadlines, Deps
from importer.service.imports.finish import report_of
from importer.service.imports.foreground_copy import copy
from importer.settings import Settings
from providers.endpoint import Endpoint, Secret
from tests.rehearsal.hosts import User

_SLEEP_S = 0.02


class HastyClock:
    """Sleeps for at most 20 ms, then advances by the requested time.

    `settle` waits for conditions that a real sleep would have covered.
    """

    def __init__(self, settle: Callable[[], None]) -> None:
        self._settle = settle
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def elapsed_s(self) -> float:
        return time.monotonic() + self._ahead.total_seconds()

    def sleep(self, seconds: float) -> None:
        self._settle()
        time.sleep(min(seconds, _SLEEP_S))
        self._ahead += timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Copier:
    """Copies mailboxes. All copies share one database."""

    deps: Deps
    ca_file: Path

    def copy(
        self,
        old: User,
        new: User,
        *,
        source: Endpoint | None = None,
        destination: Endpoint | None = None,
        settle: Callable[[], None] = lambda: None,
        pace: TransferLimits | None = None,
        io_s: float = 20.0,
        runs: int = 6,
        leg: timedelta = timedelta(days=1),
    ) -> Import:
        """Run the copy, and repeat it while it ends as STOPPED, at most `runs` times, doubling the length of
        legs: on a busy machine a short leg may end before its login.

        `source` and `destination` are endpoints of proxies. `settle` is called instead of waiting.
        """
        clock = HastyClock(settle)
        deps = replace(
            self.deps,
            clock=clock,
            sessions=ImapSessions(
                ca_file=self.ca_file,
                timeouts=Timeouts(connect_s=min(5.0, 2 * io_s), io_s=io_s),
                now=clock.now,
            ),
            transfer_limits=pace or TransferLimits(),
            deadlines=Deadlines(lease=timedelta(days=1)),
        )
        row = Row(
            1,
            replace(old.account, endpoint=source or old.account.endpoint),
            Secret(old.password),
            replace(new.account, endpoint=destination or new.account.endpoint),
            Secret(new.password),
        )
        for run in range(runs):
            deadlines = replace(deps.deadlines, leg=leg * 2**run)
            ended = copy(replace(deps, deadlines=deadlines), Actor(), row)
            if ended.state is not State.STOPPED:
                break
            settle()
        return ended

    def report(self, import_: Import) -> Report:
        """The report of the import."""
        return report_of(self.deps, import_)


@contextmanager
def copier(root: Path, ca_file: Path) -> Iterator[Copier]:
    """A Mailhaul with its own database in `root`."""
    with standalone(Settings.load(data=root / "data", ca_file=ca_file)) as deps:
        yield Copier(deps, ca_file)
