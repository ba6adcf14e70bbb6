"""Measures one person's import and the pages while another person's imports run at hostile servers.

python -m benchmarks.under_attack --runs 3
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final
from unittest.mock import patch

import requests

from benchmarks import machine
from benchmarks.corpora import WORKS, messages
from benchmarks.visitor import Visitor
from importer.bootstrap import queued
from importer.domain.csv_import.import_rows import Row
from importer.domain.people.actor import Actor
from importer.service.imports.submit import submit
from importer.settings import Settings
from providers.endpoint import Secret
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.hostile import hostile_server
from tests.rehearsal.hosts import RehearsalHost, User, new_user, rehearsal_host
from tests.rehearsal.installation import Installation
from tests.rehearsal.memory import MIB, memory_bytes
from tests.rehearsal.ports import RehearsalError, free_ports, listens, wait_until
from tests.rehearsal.processes import start_group, stop_group

ATTACKS: Final = ("endless-list", "list-drip", "huge-status", "silent-login")
PAGES: Final = ("/", "/health", "/new", "/imports")
_LIMIT_S: Final = 900.0
_say = partial(print, flush=True)


@dataclass
class Measured:
    """One run: the duration of the import and of each page request in seconds, and peaks of memory."""

    seconds: float
    pages_s: list[float] = field(default_factory=list)
    web_bytes: int = 0
    worker_bytes: int = 0

    @property
    def p95_s(self) -> float:
        return statistics.quantiles(self.pages_s, n=20)[-1]

    @property
    def summary(self) -> str:
        return (
            f"import {self.seconds:5.1f} s, pages {self.p95_s * 1000:4.0f} ms at the 95th percentile of"
            f" {len(self.pages_s)}, web {self.web_bytes / MIB:.0f} MiB,"
            f" worker {self.worker_bytes / MIB:.0f} MiB"
        )


def measure(count: int, runs: int) -> tuple[list[Measured], list[Measured]]:
    """`runs` imports alone and `runs` under attack, alternating."""
    alone: list[Measured] = []
    attacked: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="mailhaul-attack-") as home, ExitStack() as running:
        root = Path(home)
        ca = CertificateAuthority(root / "ca")
        source = running.enter_context(rehearsal_host(root / "source", ca=ca))
        destination = running.enter_context(rehearsal_host(root / "destination", ca=ca))
        old = new_user(source, "grace@old.example")
        old.fill(messages(WORKS["s"], count))
        for number in range(runs):
            for results, attacks in ((alone, ()), (attacked, ATTACKS)):
                run = _run(root / f"{number}-{len(attacks)}", old, destination, attacks)
                _say(f"{'attacked' if attacks else 'alone':8}: {run.summary}  [load {machine.busy():.1f}]")
                results.append(run)
    return alone, attacked


def _run(root: Path, old: User, destination: RehearsalHost, attacks: Sequence[str]) -> Measured:
    root.mkdir()
    new = new_user(destination, f"grace{root.name}@new.example")
    with _installation(root, destination) as (installation, url, web, worker), ExitStack() as servers:
        if attacks:
            _attack(root, installation, old, destination, attacks, servers)
        visitor = Visitor(url)
        began = time.monotonic()
        batch = visitor.start_import(old, new)
        with _looking(url, visitor.cookies()) as pages_s:
            if not wait_until(lambda: visitor.over(batch), timeout_s=_LIMIT_S, every_s=0.2):
                raise RehearsalError(f"the import did not end:\n{installation.log()[-2000:]}")
            seconds = time.monotonic() - began
        report = visitor.report(batch)
        if report["state"] != "complete":
            raise RehearsalError(f"the import ended as {report['state']}: {report['problem']}")
        peaks = memory_bytes(web, "VmHWM"), memory_bytes(worker, "VmHWM")
    return Measured(seconds, pages_s, *peaks)


def _attack(
    root: Path,
    installation: Installation,
    old: User,
    destination: RehearsalHost,
    attacks: Sequence[str],
    servers: ExitStack,
) -> None:
    """Starts one import of Mallory's per attack, and waits until their servers get requests."""
    rows, running = [], []
    for line, name in enumerate(attacks):
        server = servers.enter_context(hostile_server(name))
        running.append(server)
        target = new_user(destination, f"mallory{line}{root.name}@new.example")
        account = replace(old.account, endpoint=server.endpoint)
        rows.append(Row(line, account, Secret("x"), target.account, Secret(target.password)))
    with patch.dict(os.environ, installation.environment()), queued(Settings.load()) as deps:
        submit(deps, Actor(owner="mailbox:mallory"), rows)
    if not wait_until(lambda: all(server.commands for server in running), timeout_s=60):
        raise RehearsalError(f"the hostile servers are not asked:\n{installation.log()[-2000:]}")


@contextmanager
def _installation(root: Path, destination: RehearsalHost) -> Iterator[tuple[Installation, str, int, int]]:
    """An installation with one web process and one worker: (installation, URL, web's and worker's pid)."""
    [port] = free_ports()
    settings = {
        "CA_FILE": str(destination.ca_file),
        "DESTINATION_SERVER": str(destination.imaps),
        "WEB_LISTEN": f"127.0.0.1:{port}",
        "ALLOWED_NETWORKS": "127.0.0.0/8, ::1/128",
        "ALLOW_PLAINTEXT": "true",
    }
    installation = Installation(root, settings)
    web = start_group(
        [*installation.command, "web"], installation.log_file, environment=installation.environment()
    )
    worker = installation.start_worker()
    try:
        if not wait_until(lambda: listens(port) and "worker.started" in installation.log(), timeout_s=60):
            raise RehearsalError(f"the installation did not come up:\n{installation.log()}")
        yield installation, f"http://127.0.0.1:{port}", web.pid, worker.pid
    finally:
        stop_group(worker, patience_s=40)
        stop_group(web, patience_s=20)


@contextmanager
def _looking(url: str, cookies: str) -> Iterator[list[float]]:
    """Requests PAGES in turn, ten per second, until the block ends. Yields the duration of each in
    seconds."""
    took: list[float] = []
    over = threading.Event()

    def look() -> None:
        session = requests.Session()
        session.trust_env = False
        while not over.wait(0.1):
            page = PAGES[len(took) % len(PAGES)]
            began = time.monotonic()
            response = session.get(url + page, headers={"Cookie": cookies}, allow_redirects=False, timeout=60)
            took.append(time.monotonic() - began)
            if response.status_code not in (200, 303):
                raise RehearsalError(f"{page} returned {response.status_code}")

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield took
    finally:
        over.set()
        thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    alone, attacked = measure(given.messages, given.runs)
    before = statistics.median(run.seconds for run in alone)
    during = statistics.median(run.seconds for run in attacked)
    _say(f"median: {before:.1f} s alone, {during:.1f} s under attack: {during / before:.2f} times as long")


if __name__ == "__main__":
    main()
