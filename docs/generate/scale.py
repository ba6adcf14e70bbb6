"""docs/scale.md: the resources for a large day, computed from the measured figures in `FIGURES`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, Final

from docs.generate.markdown import table

_DAY_S: Final = 86_400
_HOUR_S: Final = 3_600


@dataclass(frozen=True, slots=True)
class Figures:
    """The day, and the measurements. Change a figure here, then run `make document`."""

    # The day
    mailboxes: int = 10_000
    mailbox_bytes: int = 2_000_000_000
    mailbox_messages: int = 25_000
    bytes_an_hour: int = 1_000_000_000  # bandwidth that hosts allow one mailbox: an assumption

    # Measured in 2026-11 (docs/benchmarks.md, benchmarks/results, an operator's trial on 2 cores)
    cpu_s_a_gigabyte: float = 13.0  # messages of 103 kB, TLS on both sides
    cpu_us_a_message: float = 461.0  # messages of 81 kB, 40 ms away, without TLS
    idle_mb: float = 88.0  # resident memory of a worker
    import_mb: float = 12.0  # that each import under way adds
    web_mb: float = 118.0
    transactions_a_second: float = 1.0  # of one import under way, progress and leases
    receipt_bytes: int = 14  # in the database, of one message
    mail_bytes: int = 7_000  # in the database, of one mail sent
    store_messages_a_second: float = 3_243.0  # maximum of one Dovecot with maildir, 81 kB, 2 cores
    database_connections: int = 7  # opened by one worker process for 25 imports, four at a time

    # Settings and defaults
    threads: int = 32  # MAILHAUL_WORKER_THREADS of this plan
    default_threads: int = 8
    database_connections_most: int = 32  # of one process (importer/adapters/store/sql_engine.py)
    host_connections: int = 64  # MAILHAUL_HOST_CONNECTIONS
    postgresql_connections: int = 100  # max_connections, PostgreSQL's default


FIGURES: Final = Figures()
MEASURED: Final = Path(__file__).parents[2] / "benchmarks/results/scaled/two-workers.json"
"""Written by `python -m benchmarks.batches.scaled`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The resources for the day."""

    figures: Figures
    threads: int

    @property
    def bytes_a_second(self) -> float:
        return self.figures.mailboxes * self.figures.mailbox_bytes / _DAY_S

    @property
    def messages_a_second(self) -> float:
        return self.figures.mailboxes * self.figures.mailbox_messages / _DAY_S

    @property
    def at_a_time(self) -> int:
        """Imports that have to run concurrently, because hosts slow each one down."""
        hours = self.figures.mailbox_bytes / self.figures.bytes_an_hour
        return ceil(self.figures.mailboxes * hours * _HOUR_S / _DAY_S)

    @property
    def processes(self) -> int:
        return ceil(self.at_a_time / self.threads)

    @property
    def cores(self) -> float:
        day_s = self.figures.mailboxes * self.figures.mailbox_bytes / 1e9 * self.figures.cpu_s_a_gigabyte
        return day_s / _DAY_S

    @property
    def memory_gb(self) -> float:
        return self.processes * (self.figures.idle_mb + self.threads * self.figures.import_mb) / 1000

    @property
    def mail_connections(self) -> int:
        """Connections to each side: a process shares as many lanes among its imports as it has threads."""
        return self.processes * self.threads

    @property
    def database_connections(self) -> tuple[int, int]:
        """The usual and the maximum number of connections."""
        each = max(self.figures.database_connections, self.threads // 4)
        return self.processes * each, self.processes * self.figures.database_connections_most

    @property
    def transactions_a_second(self) -> float:
        return self.at_a_time * self.figures.transactions_a_second

    @property
    def database_gb_a_day(self) -> float:
        f = self.figures
        return f.mailboxes * (f.mailbox_messages * f.receipt_bytes + f.mail_bytes) / 1e9


def render() -> str:
    """The whole page."""
    return "\n".join(_lines(FIGURES)) + "\n"


def _lines(f: Figures) -> Iterator[str]:
    plan, usual = Plan(f, f.threads), Plan(f, f.default_threads)
    gigabit = plan.bytes_a_second * 8 / 1e9
    few, most = plan.database_connections
    stores = ceil(plan.messages_a_second / f.store_messages_a_second)
    yield from (
        f"# {f.mailboxes:,} mailboxes of {f.mailbox_bytes / 1e9:g} GB a day",
        "",
        "Made by `make document` from the figures in `docs/generate/scale.py`, each with its source. The day was computed and",
        "not run: nothing here was tried at this size. [A small part of it](#a-small-part-of-it-measured) was measured.",
        "",
        "## The day",
        "",
        f"{f.mailboxes:,} mailboxes with {f.mailbox_messages:,} messages each are {plan.bytes_a_second / 1e6:,.0f} MB and",
        f"{plan.messages_a_second:,.0f} messages a second, without a pause. Hosts slow each mailbox down; at"
        f" {f.bytes_an_hour / 1e9:g} GB an hour",
        f"each, {plan.at_a_time} imports have to run at a time. That is an assumption: with hosts that give half as much, twice"
        " as many run.",
        "",
        "| | figure | from |",
        "|---|---|---|",
        f"| line, in and out each | {gigabit:.1f} Gbit/s | bytes of the day |",
        f"| processor, all workers | {plan.cores:.1f} cores | {f.cpu_s_a_gigabyte:g} s per GB with TLS on both sides; without"
        f" TLS {f.cpu_us_a_message:.0f} µs a message, {f.mailboxes * f.mailbox_messages * f.cpu_us_a_message / 1e6 / _DAY_S:.1f} cores |",
        f"| worker processes | {plan.processes} with `MAILHAUL_WORKER_THREADS={f.threads}` ({usual.processes} with"
        f" {f.default_threads}) | {plan.at_a_time} imports |",
        f"| memory of the workers | {plan.memory_gb:.0f} GB ({usual.memory_gb:.0f} GB) | {f.idle_mb:.0f} MB and {f.import_mb:.0f} MB"
        " an import |",
        f"| pages | 2 processes, {2 * f.web_mb:.0f} MB | |",
        f"| connections to the own destination | {plan.mail_connections} | one lane an import while all threads are busy |",
        f"| connections to PostgreSQL | {few} usual, {most} at most | {f.database_connections_most} a process at most |",
        f"| transactions a second | {plan.transactions_a_second:,.0f} | {f.transactions_a_second:g} an import and second |",
        f"| growth of the database | {plan.database_gb_a_day:.1f} GB a day | {f.receipt_bytes} bytes a message,"
        f" {f.mail_bytes / 1000:g} kB a mail; swept by [its lifetimes](trust.md#data-place-lifetime-and-readers) |",
        "| queue | below 1 MB | an id for each import that is due |",
        "",
        "## The first three bottlenecks",
        "",
    )
    yield from table(
        ("bottleneck", "limit", "remedy and its cost"),
        (
            (
                "1. The own destination",
                f"{plan.messages_a_second:,.0f} messages a second are appended. One Dovecot with maildir on two cores took"
                f" {f.store_messages_a_second:,.0f} at most, from sockets without a copier. `MAILHAUL_HOST_CONNECTIONS` ="
                f" {f.host_connections} holds all workers together at {f.host_connections} connections.",
                f"`MAILHAUL_HOST_CONNECTIONS={round(plan.mail_connections * 4 / 3, -2):.0f}` (a quarter is kept for the first"
                f" lanes of others), and {stores + 1} stores of that size or one with faster disks and mdbox, which took five times as"
                " many small messages.",
            ),
            (
                "2. The database's connections",
                f"PostgreSQL's `max_connections` = {f.postgresql_connections} is passed at"
                f" {f.postgresql_connections // max(f.database_connections, f.threads // 4)} processes.",
                f"`max_connections = {round(most * 1.2, -2):.0f}`, at some 10 MB each; or a pooler in front in session mode. Then"
                f" come {plan.transactions_a_second:,.0f} transactions a second, which need a disk that syncs in a"
                " millisecond.",
            ),
            (
                "3. The line",
                f"{gigabit:.1f} Gbit/s each way: more than one port of a gigabit.",
                "Workers on several machines, each with its own address: hosts that limit by address then slow less, too. Nothing"
                " has to be changed: workers share the database and the queue only.",
            ),
        ),
    )
    yield from (
        "",
        "Processors and memory come after these. Fewer imports at a time need less of everything: a plan over two days halves",
        "the table.",
        "",
        "## A start",
        "",
        f"Four machines with 4 cores, 8 GB and a line of 1 Gbit/s for workers ({ceil(plan.processes / 4)} processes each), one with"
        " 4 cores, 16 GB and NVMe",
        "for PostgreSQL and Valkey, two small ones for pages behind a proxy. Watch"
        " [the metrics](metrics.md): `mailhaul_imports_due` says",
        "whether there are enough workers, `mailhaul_imports_waiting` which host slows them, `mailhaul_host_connections` how near",
        "the destination is to its limit.",
    )
    yield from _measured(f, json.loads(MEASURED.read_text(encoding="utf-8")))


def _measured(f: Figures, run: dict[str, Any]) -> Iterator[str]:
    """The measurements of a small part of the day, beside the computed figures."""
    facts, legs = run["machine"], run["most_legs"]
    each_s, of_a_worker = run["seconds"] / run["messages"], ceil(legs / run["workers"])
    yield from (
        "",
        "## A small part of it, measured",
        "",
        f"`python -m benchmarks.batches.scaled` copied {run['mailboxes']} mailboxes of {run['messages'] // run['mailboxes']} messages in"
        f" 13 folders each ({run['bytes'] / 1e6:.0f} MB)",
        f"through {run['workers']} workers with PostgreSQL and Valkey, without TLS, in {run['seconds']:.0f} s:"
        f" {1 / each_s:.0f} messages a second. All imports ended complete; of the",
        f"{run['compared']} copies that were compared, {run['wrong']} messages differed. {facts['measured']}, {facts['processor']} for everything, which had other work, too: a load of"
        f" {run['load']:g}.",
        "",
    )
    yield from table(
        ("", "by the figures above", "measured"),
        (
            (
                "processor, all workers",
                f"{run['messages'] * f.cpu_us_a_message / 1e6:.1f} s",
                f"{run['cpu_s']:.1f} s",
            ),
            (
                f"memory of a worker, {of_a_worker} imports at a time",
                f"{f.idle_mb + of_a_worker * f.import_mb:.0f} MB",
                f"{run['worker_peak_bytes'] / 1e6:.0f} MB at most",
            ),
            (
                "connections to PostgreSQL, with those of the console",
                f"{run['workers'] * f.database_connections} usual",
                f"{run['most_connections']} at most",
            ),
            (
                f"transactions a second, {legs} imports at a time",
                f"{legs * f.transactions_a_second:.0f}",
                f"{run['commits'] / run['seconds']:.0f}",
            ),
            (
                "growth of the database",
                f"{f.receipt_bytes} bytes a message",
                f"{run['database_bytes'] / run['messages']:.0f} bytes a message,"
                f" {run['database_bytes'] / run['mailboxes'] / 1000:.0f} kB a mailbox",
            ),
        ),
    )
    yield from (
        "",
        "Mailboxes this small are the worst case: of the processor, the transactions and the growth nearly all is for logging in,",
        f"for folders and for reports, once a mailbox, and hardly anything for messages. Taken as such, a mailbox costs"
        f" {run['cpu_s'] / run['mailboxes']:.2f} s of",
        f"processor and {run['commits'] / run['mailboxes']:.0f} transactions, and those of the day"
        f" {f.mailboxes * run['cpu_s'] / run['mailboxes'] / _DAY_S:.2f} cores and"
        f" {f.mailboxes * run['database_bytes'] / run['mailboxes'] / 1e9:.1f} GB more than the table says.",
    )
