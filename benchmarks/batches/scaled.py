"""Runs a small part of the day of docs/scale.md, and saves what it took: workers with PostgreSQL and Valkey.

python -m benchmarks.batches.scaled
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks import machine
from benchmarks.batches import works
from benchmarks.batches.copiers import Order, Service, batch_file, new_order, running_workers
from benchmarks.batches.processes import cpu_s, peak_bytes
from benchmarks.copiers import Check
from benchmarks.stage import differences, home_of_case, settle_disk, stage
from tests.rehearsal.postgres import connect

KEPT: Final = Path(__file__).parents[1] / "results" / "scaled" / "two-workers.json"
_LOOK_S: Final = 0.25
_LIMIT_S: Final = 1800.0

_CONNECTIONS: Final = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
_LEGS: Final = "SELECT count(*) FROM leases WHERE name LIKE 'import:%' AND owner IS NOT NULL"
_COMMITS: Final = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
_BYTES: Final = "SELECT pg_database_size(current_database())"


@dataclass(frozen=True, slots=True)
class Measured:
    """Measurements of all workers together, unless noted otherwise."""

    mailboxes: int
    messages: int  # of all mailboxes
    bytes: int
    workers: int
    seconds: float
    cpu_s: float
    worker_peak_bytes: int  # of one
    most_connections: int  # to PostgreSQL
    most_legs: int  # at a time
    commits: int
    database_bytes: int  # growth of the database
    compared: int  # mailboxes whose copy was compared with the source by message
    wrong: int  # differences
    load: float  # load average of the last minute, afterwards
    machine: dict[str, str]


@dataclass(slots=True)
class _Looks:
    """The largest numbers observed."""

    most: dict[str, int] = field(default_factory=dict)

    def note(self, query: str, number: int) -> None:
        self.most[query] = max(number, self.most.get(query, 0))


def main() -> int:
    """Returns 1 if a copy was wrong, else 0."""
    arguments = _parser().parse_args()
    work = works.batch_work("small", arguments.mailboxes, arguments.messages)
    with (
        home_of_case("mailhaul-scaled-") as home,
        stage(home, store="maildir", delay_ms=arguments.delay) as servers,
    ):
        filled = works.fill(servers, work)
        order = new_order(work, servers, filled, home, "run", {}, _LIMIT_S)
        with running_workers(order, arguments.workers) as service:
            figures = _run(order, service)
        compared = [*zip(work.kinds, order.destinations, strict=True)][:: arguments.compare]
        wrong = sum(
            len(differences(filled.read[kind], servers.read(servers.near_destination(login)), Check.ONCE))
            for kind, login in compared
        )
    measured = Measured(
        mailboxes=len(work.kinds),
        messages=work.messages,
        bytes=filled.bytes,
        workers=arguments.workers,
        compared=len(compared),
        wrong=wrong,
        load=round(machine.busy(), 1),
        machine=machine.facts(),
        **figures,
    )
    arguments.results.write_text(json.dumps(asdict(measured), indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(f"{json.dumps(asdict(measured), indent=2)}\n")
    return 1 if wrong else 0


def _run(order: Order, service: Service) -> dict[str, Any]:
    url = service.installation.settings["DATABASE_URL"]
    settle_disk()
    with connect(url) as connection, _looking(url) as looks:

        def number(query: str) -> int:
            row = connection.execute(query.encode()).fetchone()
            return int(row[0]) if row else 0

        before, bytes_before = cpu_s(service.ours), number(_BYTES)
        commits, began = number(_COMMITS), time.monotonic()
        words = ("batch", str(batch_file(order)), "--split", "--wait", "--json", "--allow-plaintext")
        service.installation.run(*words, timeout_s=order.limit_s)
        return {
            "seconds": round(time.monotonic() - began, 2),
            "cpu_s": round(cpu_s(service.ours) - before, 2),
            "worker_peak_bytes": peak_bytes(service.ours),
            "most_connections": looks.most[_CONNECTIONS] - 2,  # without ours
            "most_legs": looks.most[_LEGS],
            "commits": number(_COMMITS) - commits,
            "database_bytes": number(_BYTES) - bytes_before,
        }


@contextmanager
def _looking(url: str) -> Iterator[_Looks]:
    """Polls the database while the block runs."""
    looks, over = _Looks(), threading.Event()

    def look() -> None:
        with connect(url) as connection:
            while not over.wait(_LOOK_S):
                for query in (_CONNECTIONS, _LEGS):
                    row = connection.execute(query.encode()).fetchone()
                    looks.note(query, int(row[0]) if row else 0)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield looks
    finally:
        over.set()
        thread.join()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.batches.scaled", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--mailboxes", type=int, default=200)
    parser.add_argument("--messages", type=int, default=50, help="of each mailbox")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--delay", type=int, default=0, metavar="MS", help="round trip")
    parser.add_argument("--compare", type=int, default=10, metavar="N", help="compare each N-th mailbox (10)")
    parser.add_argument("--results", type=Path, default=KEPT, help="file for the results")
    return parser


if __name__ == "__main__":
    sys.exit(main())
