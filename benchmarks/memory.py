"""Measures whether the memory of `mailhaul copy` grows with the size of the mailbox: see README.md here.

python -m benchmarks.memory --messages 10000 --messages 1000000
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks import machine
from benchmarks.copiers import COPIERS, Login, Route
from benchmarks.memory_results import KEPT, Copied, Work, row, table
from benchmarks.results import Taken
from benchmarks.stage import ROOT
from benchmarks.table import OURS
from benchmarks.timed import CommandFailed, timed

_LIMIT_S: Final = 7200.0
_say = partial(print, flush=True)


class Server:
    """A process of `benchmarks.generated` on `port`."""

    def __init__(self, *options: str) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - fixed command
            [sys.executable, "-m", "benchmarks.generated", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.port = int(self._line())

    def counts(self) -> dict[str, int]:
        """The current counts (`generated.Mailbox.counts`)."""
        if self._process.stdin is not None:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        counts: dict[str, int] = json.loads(self._line())
        return counts

    def end(self) -> None:
        """Kills the server."""
        self._process.kill()
        self._process.communicate()

    def _line(self) -> str:
        return self._process.stdout.readline() if self._process.stdout is not None else ""


@contextmanager
def serving(work: Work) -> Iterator[tuple[Server, Server]]:
    """Source and destination servers for `work`, which run until the block ends."""
    options = ("--messages", str(work.messages), "--folders", str(work.folders), "--gap", str(work.gap))
    servers: list[Server] = []
    try:
        servers.append(Server(*options))
        servers.append(Server(*options) if work.present else Server("--folders", "0"))
        yield servers[0], servers[1]
    finally:
        for server in servers:
            server.end()


def measure(work: Work, empty: Taken | None = None) -> Copied:
    """Measures one work. If `empty` is None, the first run is used for it. Raises CommandFailed."""
    home = Path(tempfile.mkdtemp(prefix="mailhaul-memory-"))
    try:
        with serving(work) as (source, destination):
            logins = [Login(server.port, "user", "password") for server in (source, destination)]
            command = COPIERS[OURS].command(Route(logins[0], logins[1], home, home))
            first = timed(command, home, limit_s=_LIMIT_S)
            second = timed(command, home, limit_s=_LIMIT_S)
            counts = destination.counts()
    finally:
        shutil.rmtree(home, ignore_errors=True)
    expected = 0 if work.present else work.messages
    wrong = abs(counts["messages"] - work.messages) + abs(counts["right"] - expected) + counts["wrong"]
    return Copied(work, machine.facts(), empty or first, first, second, wrong)


def main() -> int:
    """Runs the command line shown above. Returns 1 if a copy was wrong or failed, else 0."""
    arguments = _parser().parse_args()
    empty = measure(Work(0, arguments.folders)).first
    results = []
    for messages in arguments.messages or [10_000]:
        work = Work(messages, arguments.folders, arguments.gap, arguments.present)
        try:
            result = measure(work, empty)
        except CommandFailed as error:
            _say(f"{work.title} FAILED: {error}")
            return 1
        _say(f"{' | '.join(row(result))}  [load {machine.busy():.1f}]")
        if arguments.results is not None:
            result.save(arguments.results)
        results.append(result)
    _say(f"\n{table(results)}")
    return 1 if any(result.wrong for result in results) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.memory", description=__doc__.partition("\n")[0]
    )
    parser.add_argument(
        "--messages", type=int, action="append", help="number of messages (10000); may be given several times"
    )
    parser.add_argument("--folders", type=int, default=10, help="number of folders (%(default)s)")
    parser.add_argument("--gap", type=int, default=0, help="every N-th UID is missing; 0: none")
    parser.add_argument(
        "--present", action="store_true", help="the destination contains all messages already"
    )
    parser.add_argument(
        "--results", type=Path, default=None, help=f"directory for the results, such as {KEPT}"
    )
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Terminated."))  # so that the servers are stopped, too
    sys.exit(main())
