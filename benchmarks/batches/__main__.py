"""Copies batches with Mailhaul and with other copiers, several at a time: see benchmarks/README.md.

python -m benchmarks.batches --work small --delay 0 --delay 40
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from functools import partial
from itertools import product
from pathlib import Path

from benchmarks import machine
from benchmarks.batches import works
from benchmarks.batches.copiers import BatchCopier, Order, batch_copiers, count, new_order
from benchmarks.batches.results import KEPT, BatchResult, Copier, counts_table, table
from benchmarks.batches.works import BatchWork, Filled
from benchmarks.results import shown_rate
from benchmarks.stage import differences, home_of_case, stage
from tests.rehearsal.ports import RehearsalError

_say = partial(print, flush=True)
_USUAL = "up,workers-1,workers-2,workers-4,mbsync-4,mbsync-8,doveadm-4,doveadm-8,imapsync-8,raw-8"


def main() -> int:
    """Runs all requested batches. Returns 1 if Mailhaul failed or made a wrong copy, else 0."""
    arguments = _parser().parse_args()
    available = batch_copiers()
    wanted = [name for name in arguments.copiers.split(",") if name]
    if unknown := [name for name in wanted if name not in available]:
        raise SystemExit(f"Unknown copier “{unknown[0]}”; choose from {', '.join(available)}.")
    for name in wanted:
        if not available[name].installed():
            _say(f"{name} is skipped: {available[name].program} is not on PATH.")
    chosen = [available[name] for name in wanted if available[name].installed()]
    ok = True
    for name, delay_ms in product(arguments.work or ["small"], arguments.delay or [0]):
        work = works.batch_work(name, arguments.mailboxes, arguments.messages)
        result = _measure(work, delay_ms, chosen, arguments)
        path = result.save(arguments.results)
        page = f"# {result.title}\n\n{table(result)}\n{counts_table([result])}"
        path.with_suffix(".md").write_text(page, encoding="utf-8")
        _say(f"\n{page}\n{path}\n")
        own = [copier for name, copier in result.copiers.items() if name.startswith(("up", "workers"))]
        ok = ok and not any(copier.failures or any(copier.differences) for copier in own)
    return 0 if ok else 1


def _measure(
    work: BatchWork, delay_ms: int, copiers: Sequence[BatchCopier], arguments: argparse.Namespace
) -> BatchResult:
    settings = dict(word.split("=", 1) for word in arguments.setting)
    with (
        home_of_case("mailhaul-batches-") as home,
        stage(home, store="maildir", delay_ms=delay_ms, counts=bool(arguments.count)) as servers,
    ):
        filled = works.fill(servers, work)
        result = BatchResult(
            work.name,
            len(work.kinds),
            work.messages,
            work.folders,
            filled.bytes,
            delay_ms,
            machine.facts(),
        )
        _say(f"{result.title}: {filled.bytes / 1e6:,.0f} MB, {arguments.runs} runs")
        for kind in arguments.count:
            order = new_order(work, servers, filled, home, f"counted-{kind}", settings, arguments.limit_s)
            result.counts |= count(order, kind)
        for run, copier in product(range(1, arguments.runs + 1), copiers):
            order = new_order(
                work, servers, filled, home, f"{copier.name}-{run}", settings, arguments.limit_s
            )
            _run(order, copier, result.copiers.setdefault(copier.name, Copier()), filled)
        return result


def _run(order: Order, copier: BatchCopier, into: Copier, filled: Filled) -> None:
    """One run, with verification of every copy."""
    try:
        taken = copier.copy(order)
    except (RehearsalError, OSError, AssertionError) as error:
        into.failures.append(str(error))
        _say(f"  {copier.name} FAILED: {error}")
        return
    wrong: list[str] = []
    for kind, login in zip(order.work.kinds, order.destinations, strict=True):
        near = order.stage.near_destination(login)
        wrong += differences(filled.read[kind], order.stage.read(near), copier.check)
    into.runs.append(taken)
    into.differences.append(len(wrong))
    split = ", ".join(f"{part} {seconds:.1f}" for part, seconds in taken.cpu_s.items())
    _say(
        f"  {copier.name:10} {taken.wall_s:7.2f} s {shown_rate(order.work.messages / taken.wall_s):>8}/s, "
        f"CPU {split} s, idle {100 * taken.idle:.0f} %, {taken.peak_bytes / 1e6:.0f} MB  "
        f"[load {machine.busy():.1f}]"
    )
    for line in wrong[:3]:
        _say(f"    {line}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.batches", description=__doc__.partition("\n")[0]
    )
    several = "may be given several times"
    parser.add_argument(
        "--work", choices=works.NAMES, action="append", help=f"what to copy (small); {several}"
    )
    parser.add_argument("--delay", type=int, action="append", metavar="MS", help=f"round trip (0); {several}")
    parser.add_argument("--mailboxes", type=int, help="number of mailboxes (that of the work)")
    parser.add_argument("--messages", type=int, help="messages of a small mailbox (those of the work)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each copier, alternating (%(default)s)")
    parser.add_argument("--copiers", default=_USUAL, metavar="A,B", help="which (%(default)s)")
    parser.add_argument(
        "--setting",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"as LANES=1, for Mailhaul; {several}",
    )
    parser.add_argument(
        "--count",
        choices=("sqlite", "postgresql"),
        action="append",
        default=[],
        help="first count transactions and round trips of one worker; the lines then count for all copiers, "
        "which costs them time",
    )
    parser.add_argument("--limit-s", type=float, default=1800, help="timeout of one run (%(default)s)")
    parser.add_argument("--results", type=Path, default=KEPT, help="directory for the results (%(default)s)")
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Terminated."))  # so that the servers are stopped, too
    try:
        sys.exit(main())
    except RehearsalError as error:
        sys.exit(str(error))
