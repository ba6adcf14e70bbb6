"""The copiers of a batch: Mailhaul's `up` and its workers, several concurrent processes of other copiers, and
the raw limit."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.batches import raw
from benchmarks.batches.processes import Machine, cpu_s, peak_bytes
from benchmarks.batches.results import Run
from benchmarks.batches.works import BatchWork, Filled
from benchmarks.copiers import COPIERS, Check, Login, Route
from benchmarks.stage import ROOT, Stage, settle_disk
from tests.rehearsal.installation import CONSOLE, Installation
from tests.rehearsal.ports import RehearsalError, wait_until
from tests.rehearsal.postgres import fresh_database, postgres_server
from tests.rehearsal.processes import start_group, stop_group
from tests.rehearsal.valkey import valkey

_START_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Order:
    """A batch to copy: far logins of both sides, row by row; `home` is empty."""

    work: BatchWork
    stage: Stage
    sources: Sequence[Login]
    destinations: Sequence[Login]
    home: Path
    settings: Mapping[str, str]
    limit_s: float


def new_order(
    work: BatchWork,
    stage: Stage,
    filled: Filled,
    home: Path,
    name: str,
    settings: dict[str, str],
    limit_s: float,
) -> Order:
    """New destinations, and sources without indexes."""
    destinations = [stage.new_destination(f"{name}-{row}") for row in range(len(work.kinds))]
    for login in filled.logins:
        stage.forget_index(login)
    (home / name).mkdir()
    return Order(
        work,
        stage,
        [stage.far(login) for login in filled.logins],
        [stage.far(login) for login in destinations],
        home / name,
        settings,
        limit_s,
    )


@dataclass(frozen=True, slots=True)
class BatchCopier:
    """A copier. `copy` raises RehearsalError; `check` defines a correct copy."""

    name: str
    check: Check
    copy: Callable[[Order], Run]
    program: str = sys.executable

    def installed(self) -> bool:
        return shutil.which(self.program) is not None


# --- Mailhaul --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Service:
    """A running installation: the process ids of Mailhaul and of the database."""

    installation: Installation
    ours: list[int] = field(default_factory=list)
    database: list[int] = field(default_factory=list)

    def cpu_s(self) -> dict[str, float]:
        """Its CPU time in seconds so far."""
        return {"ours": cpu_s(self.ours), "database": cpu_s(self.database)}


def _up(order: Order) -> Run:
    return _submitted(order, lambda one: _running(one, (*CONSOLE, "up")))


def _workers(number: int) -> Callable[[Order], Run]:
    return lambda order: _submitted(order, lambda one: running_workers(one, number))


def _submitted(order: Order, start: Callable[[Order], AbstractContextManager[Service]]) -> Run:
    """Submits the batch to a running service, and waits for the end of the batch."""
    with start(order) as service:
        file = batch_file(order)
        command = [*CONSOLE, "batch", str(file), "--split", "--wait", "--json", "--allow-plaintext"]
        settle_disk()
        before = {**_cpu_beside(order.stage), **service.cpu_s()}
        machine, began, own = Machine.now(), time.monotonic(), os.times()
        result = subprocess.run(  # noqa: S603 - fixed command
            command,
            env=service.installation.environment(),
            capture_output=True,
            text=True,
            timeout=order.limit_s,
            check=False,
            cwd=ROOT,
        )
        wall_s, idle, after = time.monotonic() - began, Machine.now().idle_since(machine), os.times()
        if result.returncode != 0:
            raise RehearsalError(
                f"the batch ended with {result.returncode}: {result.stderr[-600:]}"
                f"\n{result.stdout[-600:]}\n{service.installation.log()[-1500:]}"
            )
        console_s = after.children_user + after.children_system - own.children_user - own.children_system
        now = {**_cpu_beside(order.stage), **service.cpu_s()}
        now["ours"] += console_s
        split = {part: now[part] - before[part] for part in now}
        return Run(wall_s, split, peak_bytes(service.ours), idle)


def _cpu_beside(stage: Stage) -> dict[str, float]:
    """The CPU time in seconds of the servers and of the simulated line, so far."""
    return {
        "source": cpu_s([stage.source.pid]),
        "destination": cpu_s([stage.destination.pid]),
        "line": cpu_s(stage.line_pids),
    }


@contextmanager
def _running(order: Order, command: Sequence[str]) -> Iterator[Service]:
    """A service on SQLite with the embedded queue."""
    installation = Installation(order.home, _settings(order))
    process = start_group(command, installation.log_file, folder=ROOT, environment=installation.environment())
    try:
        _await_workers(installation, 1)
        yield Service(installation, [process.pid])
    finally:
        stop_group(process, patience_s=30)


@contextmanager
def running_workers(
    order: Order, number: int, command: Sequence[str] = (*CONSOLE, "worker")
) -> Iterator[Service]:
    """Workers that share PostgreSQL and Valkey."""
    order.home.joinpath("queue").mkdir()
    with ExitStack() as running:
        server = running.enter_context(postgres_server(order.home))
        queue = running.enter_context(valkey(order.home / "queue"))
        url = fresh_database(server.url)
        installation = Installation(
            order.home, {**_settings(order), "DATABASE_URL": url, "REDIS_URL": queue.url}
        )
        installation.run("migrate")
        processes = []
        for _ in range(number):
            process = start_group(
                command, installation.log_file, folder=ROOT, environment=installation.environment()
            )
            running.callback(stop_group, process, patience_s=30)
            processes.append(process.pid)
        _await_workers(installation, number)
        yield Service(installation, processes, [server.pid])


def _await_workers(installation: Installation, number: int) -> None:
    if not wait_until(lambda: installation.log().count("worker.started") >= number, timeout_s=_START_S):
        raise RehearsalError(f"the workers did not start:\n{installation.log()[-2000:]}")


def _settings(order: Order) -> dict[str, str]:
    return {"ALLOW_PLAINTEXT": "true", "ALLOWED_NETWORKS": "127.0.0.0/8", **order.settings}


def batch_file(order: Order) -> Path:
    path = order.home / "people.csv"
    path.touch(mode=0o600)
    heads = ",".join(
        f"{side}_{cell}" for side in ("source", "destination") for cell in ("address", "password", "server")
    )
    rows = [
        ",".join(
            cell
            for login in (old, new)
            for cell in (
                f"{login.user}@example.org",
                login.password,
                f"imap://{login.user}@127.0.0.1:{login.port}",
            )
        )
        for old, new in zip(order.sources, order.destinations, strict=True)
    ]
    path.write_text("\n".join([heads, *rows]) + "\n", encoding="utf-8")
    return path


def count(order: Order, kind: str) -> dict[str, dict[str, int]]:
    """The operations of one worker for the batch, on "sqlite" or "postgresql", over counting lines."""
    before = order.stage.turns()
    counts = order.home / "counts.json"
    command = (sys.executable, "-m", "benchmarks.batches.counted_worker", str(counts))
    running = _running(order, command) if kind == "sqlite" else running_workers(order, 1, command)
    with running as service:
        service.installation.run(
            "batch",
            str(batch_file(order)),
            *("--split", "--wait", "--json", "--allow-plaintext"),
            timeout_s=order.limit_s,
        )
    found = json.loads(counts.read_text(encoding="utf-8"))
    found.pop("statements_by")
    after = order.stage.turns()
    lines = {
        side: {
            "connections": after[side][0] - before[side][0],
            "turns": after[side][1] - before[side][1],
        }
        for side in after
    }
    return {kind: found, **lines}


# --- Others ----------------------------------------------------------------------------------------------


def _several(name: str, at_a_time: int) -> Callable[[Order], Run]:
    """Runs the command of `benchmarks.copiers` for each mailbox, a fixed number concurrently."""

    def copy(order: Order) -> Run:
        commands = []
        for row, (old, new) in enumerate(zip(order.sources, order.destinations, strict=True)):
            home = order.home / str(row)
            home.mkdir()
            config = order.stage.destination.home / "dovecot.conf"
            commands.append((COPIERS[name].command(Route(old, new, home, config)), home))

        def run(one: tuple[Sequence[str], Path]) -> None:
            command, home = one
            result = subprocess.run(  # noqa: S603 - fixed commands
                command,
                env={**os.environ, "HOME": str(home)},
                cwd=home,
                capture_output=True,
                timeout=order.limit_s,
                check=False,
            )
            if result.returncode != 0:
                raise RehearsalError(f"{name} ended with {result.returncode}: {result.stderr[-300:]!r}")

        return _timed(order, lambda pool: list(pool.map(run, commands)), at_a_time)

    return copy


def _timed(order: Order, work: Callable[[ThreadPoolExecutor], object], at_a_time: int) -> Run:
    settle_disk()
    before, machine, own = _cpu_beside(order.stage), Machine.now(), os.times()
    began = time.monotonic()
    with ThreadPoolExecutor(at_a_time) as pool:
        work(pool)
    wall_s, idle, after = time.monotonic() - began, Machine.now().idle_since(machine), os.times()
    ours = sum(after[:4]) - sum(own[:4])
    split = {part: seconds - before[part] for part, seconds in _cpu_beside(order.stage).items()}
    split["ours"] = ours
    return Run(wall_s, split, 0, idle)


def _raw(at_a_time: int) -> Callable[[Order], Run]:
    def copy(order: Order) -> Run:
        with raw.prepared(order.work, order.sources, order.destinations) as pairs:
            return _timed(order, lambda pool: list(pool.map(raw.run, pairs)), at_a_time)

    return copy


def batch_copiers() -> dict[str, BatchCopier]:
    """All copiers by name."""
    several = [
        BatchCopier(f"{name}-{number}", COPIERS[name].check, _several(name, number), COPIERS[name].program)
        for name in ("mbsync", "doveadm", "imapsync")
        for number in (4, 8)
    ]
    found = (
        BatchCopier("up", Check.ONCE, _up),
        *(BatchCopier(f"workers-{number}", Check.ONCE, _workers(number)) for number in (1, 2, 4)),
        *several,
        BatchCopier("raw-8", Check.UNSUBSCRIBED, _raw(8)),
    )
    return {copier.name: copier for copier in found}
