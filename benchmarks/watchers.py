"""Measures whether open progress pages slow a copy down: see README.md here.

python -m benchmarks.watchers --watchers 200 --runs 5
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks import machine
from benchmarks.corpora import WORKS, messages
from benchmarks.stage import ROOT, settle_disk
from benchmarks.visitor import Visitor
from benchmarks.watchers_results import KEPT, Run, Watched, table
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.hosts import RehearsalHost, User, new_user, rehearsal_host
from tests.rehearsal.installation import Installation
from tests.rehearsal.ports import RehearsalError, free_ports, listens, wait_until
from tests.rehearsal.processes import start_group, stop_group

_LIMIT_S: Final = 900.0
Events = Callable[[], int]
_say = partial(print, flush=True)


def measure(watchers: int, count: int, runs: int) -> Watched:
    """Alternates `runs` copies with `watchers` and `runs` copies without. Raises RehearsalError."""
    alone: list[Run] = []
    watched: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="mailhaul-watchers-") as home, ExitStack() as running:
        root = Path(home)
        ca = CertificateAuthority(root / "ca")
        source = running.enter_context(rehearsal_host(root / "source", ca=ca))
        destination = running.enter_context(rehearsal_host(root / "destination", ca=ca))
        old = new_user(source, "ada@old.example")
        old.fill(messages(WORKS["s"], count))
        _copy(root / "first", old, destination, 0)  # the first reader creates the source's indexes
        for number in range(runs):
            for results, count_ in ((alone, 0), (watched, watchers)):
                run = _copy(root / f"{number}-{count_}", old, destination, count_)
                _say(f"{count_:4} watchers: {run.summary}  [load {machine.busy():.1f}]")
                results.append(run)
    return Watched(watchers, count, machine.facts(), tuple(alone), tuple(watched))


def _copy(root: Path, old: User, destination: RehearsalHost, watchers: int) -> Run:
    """One copy into a new mailbox by one worker, with one web process running."""
    new = new_user(destination, f"{root.name}@new.example")
    root.mkdir()
    settle_disk()
    with _web(root, destination) as (installation, url, web):
        visitor = Visitor(url)
        batch = visitor.start_import(old, new)
        with _watching(url, visitor.cookies(), batch, watchers) as events:
            before_s = _cpu_s(web.pid)
            worker = installation.start_worker()
            try:
                if not wait_until(lambda: visitor.over(batch), timeout_s=_LIMIT_S, every_s=2.0):
                    raise RehearsalError(f"the copy did not end:\n{installation.log()[-2000:]}")
            finally:
                cpu_s = _cpu_s(web.pid) - before_s
                stop_group(worker, patience_s=10)
        report = visitor.report(batch)
    if report["state"] != "complete":
        raise RehearsalError(f"the copy ended as {report['state']}: {report['problem']}")
    return Run(float(report["duration_s"]), cpu_s, events())


@contextmanager
def _web(
    root: Path, destination: RehearsalHost
) -> Iterator[tuple[Installation, str, subprocess.Popen[bytes]]]:
    """An installation that runs only the web process: (installation, its URL, process)."""
    [port] = free_ports()
    settings = {
        "CA_FILE": str(destination.ca_file),
        "DESTINATION_SERVER": str(destination.imaps),
        "WEB_LISTEN": f"127.0.0.1:{port}",
        "ALLOWED_NETWORKS": "127.0.0.0/8, ::1/128",
    }
    installation = Installation(root, settings)
    web = start_group(
        [*installation.command, "web"], installation.log_file, environment=installation.environment()
    )
    try:
        if not wait_until(lambda: listens(port), timeout_s=20):
            raise RehearsalError(f"the pages did not come up:\n{installation.log()}")
        yield installation, f"http://127.0.0.1:{port}", web
    finally:
        stop_group(web, patience_s=10)


@contextmanager
def _watching(url: str, cookies: str, batch: str, watchers: int) -> Iterator[Events]:
    """Opens event streams, all read by one process. Yields a function that returns the total number of
    events; call it after the block."""
    counts: list[int] = []
    if not watchers:
        yield lambda: 0
        return
    process = subprocess.Popen(  # noqa: S603 - fixed command
        [sys.executable, "-m", "benchmarks.streams", url, batch, str(watchers)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        if process.stdin is None or process.stdout is None:
            raise AssertionError("both are pipes")
        process.stdin.write(f"{cookies}\n")
        process.stdin.flush()
        if process.stdout.readline().strip() != "open":
            raise RehearsalError("the streams did not open")
        yield lambda: counts[0]
        output, _ = process.communicate("end\n", timeout=10)
        counts.append(int(json.loads(output)["events"]))
    finally:
        process.kill()
        process.wait()


def _cpu_s(pid: int) -> float:
    """CPU time of a process so far in seconds, user and system (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Runs the command line shown above. Returns 1 if the watchers slow the copy down too much, else 0."""
    arguments = _parser().parse_args()
    result = measure(arguments.watchers, arguments.messages, arguments.runs)
    if arguments.results is not None:
        result.save(arguments.results)
    _say(f"\n{table([result])}")
    return 1 if result.slower > arguments.most_slower else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.watchers", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--watchers", type=int, default=200, help="open streams (%(default)s)")
    parser.add_argument("--messages", type=int, default=20_000, help="messages of work s (%(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="runs of each kind (%(default)s)")
    parser.add_argument("--most-slower", type=float, default=0.05, help="tolerated slowdown (%(default)s)")
    parser.add_argument(
        "--results", type=Path, default=None, help=f"directory for the results, such as {KEPT}"
    )
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Terminated."))  # so that the servers are stopped, too
    sys.exit(main())
