"""Runs one case: for each run and each copier in turn, first copy, second run and check."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import machine
from benchmarks.copiers import COPIERS, RAW, Check, Copier, Login, Route
from benchmarks.corpora import Work, messages
from benchmarks.results import Case, Copied, Result, Taken, shown_rate
from benchmarks.stage import Stage, differences, home_of_case, settle_disk, stage
from benchmarks.timed import CommandFailed, timed
from tests.rehearsal.snapshot import Mailbox

LANES_SETTING = "MAILHAUL_LANES"
RAW_PARTS = {f"{RAW} upload": (False, True), f"{RAW} download": (True, False), f"{RAW} both": (True, True)}
"""Name -> (downloads, uploads)."""

_SHOWN_DIFFERENCES = 3


@dataclass(frozen=True, slots=True)
class Request:
    """The parameters of a measurement. `messages` None means the work's own number. `runs` is the number of
    runs per copier, `bandwidth_mbit` 0 means no limit, `limit_s` is the timeout of one copy.
    """

    work: Work
    store: str
    delay_ms: int
    bandwidth_mbit: float
    lanes: int
    runs: int
    copiers: Sequence[str]
    messages: int | None
    limit_s: float


def measure_case(request: Request, tell: Callable[[str], None]) -> Result:
    """Runs the case; `tell` is called with progress lines. Raises RehearsalError if a server does not
    start."""
    count = request.messages or request.work.messages
    with (
        home_of_case("mailhaul-benchmark-") as home,
        stage(
            home, store=request.store, delay_ms=request.delay_ms, bandwidth_mbit=request.bandwidth_mbit
        ) as servers,
    ):
        return _Bench(request, servers, count, tell).run()


class _Bench:
    def __init__(self, request: Request, servers: Stage, count: int, tell: Callable[[str], None]) -> None:
        self._request = request
        self._stage = servers
        self._count = count
        self._tell = tell
        self._sources: dict[int, tuple[Login, Mailbox]] = {}  # by number of messages
        self._copied: dict[str, Copied] = {}
        self._bytes = 0

    def run(self) -> Result:
        request = self._request
        self._bytes = sum(len(message.content) for message in messages(request.work, self._count))
        case = Case(
            request.work.name,
            self._count,
            self._bytes,
            request.work.folders,
            request.store,
            request.delay_ms,
            request.lanes,
            request.bandwidth_mbit,
        )
        self._tell(f"{case.title}: {self._bytes / 1e6:,.0f} MB, {request.runs} runs")
        for run in range(1, request.runs + 1):
            for name in request.copiers:
                if name == RAW:
                    for part in RAW_PARTS:
                        self._probe(part, run)
                else:
                    self._copy(COPIERS[name], run)
        return Result(case, machine.facts(), self._copied)

    def _source(self, copier: Copier | None) -> tuple[int, Login, Mailbox]:
        count = self._count
        slow = self._request.delay_ms or self._request.bandwidth_mbit
        if copier and copier.waits and slow:
            count = min(count, self._request.work.few)
        if count not in self._sources:
            login = self._stage.fill_source(f"source-{count}", messages(self._request.work, count))
            mailbox = self._stage.read(login)
            if mailbox.count() != count:
                raise CommandFailed(
                    f"The source holds {mailbox.count()} messages after filling it with {count}."
                )
            self._sources[count] = login, mailbox
        return count, *self._sources[count]

    def _copy(self, copier: Copier, run: int) -> None:
        count, near, mailbox = self._source(copier)
        destination = self._stage.new_destination(f"{copier.name}-{run}")
        copied = self._copied.setdefault(copier.name, Copied(count, copier.check.value))
        home = self._fresh_home(destination.user)
        store_config = self._stage.destination.home / "dovecot.conf"
        route = Route(self._stage.far(near), self._stage.far(destination), home, store_config)
        self._stage.forget_index(near)
        try:
            command = copier.command(route)
            first = self._timed(command, home, copier.environment)
            second = self._timed(command, home, copier.environment)
            wrong = differences(mailbox, self._stage.read(destination), copier.check)
        except CommandFailed as error:
            self._note_failure(copier.name, run, error)
            return
        copied.first.append(first)
        copied.second.append(second)
        copied.differences.append(len(wrong))
        self._report(copier.name, count, first, second, wrong)

    def _probe(self, part: str, run: int) -> None:
        downloads, uploads = RAW_PARTS[part]
        count, near, mailbox = self._source(None)
        destination = self._stage.new_destination(f"{part.replace(' ', '-')}-{run}")
        copied = self._copied.setdefault(
            part, Copied(count, Check.UNSUBSCRIBED.value if uploads else "bytes counted")
        )
        home = self._fresh_home(destination.user)
        self._stage.forget_index(near)
        parameters = {
            "work": self._request.work.name,
            "messages": count,
            "lanes": self._request.lanes,
            "source": asdict(self._stage.far(near)) if downloads else None,
            "destination": asdict(self._stage.far(destination)) if uploads else None,
        }
        path = home / "parameters.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(parameters), encoding="utf-8")
        try:
            self._timed((sys.executable, "-m", "benchmarks.raw_limit", str(path)), home)
            last_line = (home / "output.log").read_text(encoding="utf-8").splitlines()[-1]
            copy = self._stage.read(destination) if uploads else mailbox
        except CommandFailed as error:
            self._note_failure(part, run, error)
            return
        first = Taken(**json.loads(last_line))
        wrong = differences(mailbox, copy, Check.UNSUBSCRIBED)
        copied.first.append(first)
        copied.differences.append(len(wrong))
        self._report(part, count, first, None, wrong)

    def _note_failure(self, name: str, run: int, error: CommandFailed) -> None:
        self._copied[name].failures.append(f"run {run}: {error}")
        self._tell(f"  {name} FAILED: {error}")

    def _fresh_home(self, name: str) -> Path:
        home = self._stage.home / name
        home.mkdir()
        return home

    def _timed(
        self, command: Sequence[str], home: Path, environment: Mapping[str, str] | None = None
    ) -> Taken:
        settle_disk()
        lanes = {LANES_SETTING: str(self._request.lanes)}
        return timed(
            command, home, limit_s=self._request.limit_s, environment={**lanes, **(environment or {})}
        )

    def _report(
        self, name: str, count: int, first: Taken, second: Taken | None, wrong: Sequence[str]
    ) -> None:
        again = f", again {second.wall_s:6.2f} s ({second.cpu_s:.2f} s CPU)" if second else ""
        self._tell(
            f"  {name:14} {first.wall_s:7.2f} s {shown_rate(count / first.wall_s):>8}/s, "
            f"{first.cpu_s:5.2f} s CPU, {first.peak_bytes / 1e6:4.0f} MB{again}  [load {machine.busy():.1f}]"
        )
        for line in wrong[:_SHOWN_DIFFERENCES]:
            self._tell(f"    {line}")
        if len(wrong) > _SHOWN_DIFFERENCES:
            self._tell(f"    … {len(wrong)} differences in total")
