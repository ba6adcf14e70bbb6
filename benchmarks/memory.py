"""Does the memory of `mailhaul copy` grow with the mailbox? Copies generated mailboxes: see README.md here.

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
    """A process of `benchmarks.generated`, on `port`."""

    def __init__(self, *words: str) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - the words are ours
            [sys.executable, "-m", "benchmarks.generated", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.port = int(self._line())

    def told(self) -> dict[str, int]:
        """What stands there now (`generated.Mailbox.told`)."""
        if self._process.stdin is not None:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        found: dict[str, int] = json.loads(self._line())
        return found

    def end(self) -> None:
        """It is gone afterwards."""
        self._process.kill()
        self._process.communicate()

    def _line(self) -> str:
        return self._process.stdout.readline() if self._process.stdout is not None else ""


@contextmanager
def serving(work: Work) -> Iterator[tuple[Server, Server]]:
    """Source and destination for `work`, until the end of the block."""
    words = ("--messages", str(work.messages), "--folders", str(work.folders), "--gap", str(work.gap))
    servers: list[Server] = []
    try:
        servers.append(Server(*words))
        servers.append(Server(*words) if work.present else Server("--folders", "0"))
        yield servers[0], servers[1]
    finally:
        for server in servers:
            server.end()


def measure(work: Work, empty: Taken | None = None) -> Copied:
    """One work. Raises CommandFailed. `empty` is taken from this run when it is None."""
    home = Path(tempfile.mkdtemp(prefix="mailhaul-memory-"))
    try:
        with serving(work) as (source, destination):
            logins = [Login(server.port, "user", "password") for server in (source, destination)]
            command = COPIERS[OURS].command(Route(logins[0], logins[1], home, home))
            first = timed(command, home, limit_s=_LIMIT_S)
            second = timed(command, home, limit_s=_LIMIT_S)
            there = destination.told()
    finally:
        shutil.rmtree(home, ignore_errors=True)
    right = 0 if work.present else work.messages
    wrong = abs(there["messages"] - work.messages) + abs(there["right"] - right) + there["wrong"]
    return Copied(work, machine.facts(), empty or first, first, second, wrong)


def main() -> int:
    """The command line above: 0, or 1 when a copy was wrong or failed."""
    given = _parser().parse_args()
    empty = measure(Work(0, given.folders)).first
    results = []
    for messages in given.messages or [10_000]:
        work = Work(messages, given.folders, given.gap, given.present)
        try:
            result = measure(work, empty)
        except CommandFailed as error:
            _say(f"{work.title} FAILED: {error}")
            return 1
        _say(f"{' | '.join(row(result))}  [load {machine.busy():.1f}]")
        if given.results is not None:
            result.save(given.results)
        results.append(result)
    _say(f"\n{table(results)}")
    return 1 if any(one.wrong for one in results) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.memory", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--messages", type=int, action="append", help="(10000); may be given several times")
    parser.add_argument("--folders", type=int, default=10, help="(%(default)s)")
    parser.add_argument("--gap", type=int, default=0, help="every so many UIDs one is missing; 0: none")
    parser.add_argument("--present", action="store_true", help="all of it stands at the destination before")
    parser.add_argument("--results", type=Path, default=None, help=f"where to keep them, such as {KEPT}")
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Ended before it was done."))  # servers end as well
    sys.exit(main())
