"""Compares Mailhaul with other copiers and the raw limit: see README.md in this directory.

python -m benchmarks --work s --delay 0 --delay 40 --runs 3
"""

from __future__ import annotations

import argparse
import signal
import sys
from functools import partial
from itertools import product
from pathlib import Path

from benchmarks.copiers import COPIERS, RAW
from benchmarks.corpora import WORKS
from benchmarks.report import RESULTS, kept, near
from benchmarks.run import LANES_SETTING, Request, measure_case
from benchmarks.table import OURS, case_table, facts_table
from importer.settings import Settings
from tests.rehearsal.ports import RehearsalError

_say = partial(print, flush=True)  # runs take long, so each line is printed immediately


def main() -> int:
    """Runs all requested cases. Returns 1 if Mailhaul failed or its copy was not byte-exact, else 0."""
    arguments = _parser().parse_args()
    wanted = arguments.copiers.split(",") if arguments.copiers else [*_usual(), RAW]
    unknown = [name for name in wanted if name not in (*COPIERS, RAW)]
    if unknown:
        raise SystemExit(f"Unknown copier “{unknown[0]}”; choose from {', '.join((*COPIERS, RAW))}.")
    missing = [name for name in wanted if name != RAW and not COPIERS[name].installed()]
    for name in missing:
        _say(f"{name} is skipped: {COPIERS[name].program} is not on PATH.")
    if LANES_SETTING not in {variable for variable, _, _ in Settings.table()}:
        _say(f"This Mailhaul has no {LANES_SETTING}; it chooses the number of connections itself.")
    ok = True
    lines = product(arguments.delay or [0], arguments.bandwidth or [0.0])
    for work, store, line in product(arguments.work or ["s"], arguments.store or ["maildir"], list(lines)):
        request = Request(
            work=WORKS[work],
            store=store,
            delay_ms=line[0],
            bandwidth_mbit=line[1],
            lanes=arguments.lanes,
            runs=arguments.runs,
            copiers=[name for name in wanted if name not in missing],
            messages=arguments.messages,
            limit_s=arguments.limit_s,
        )
        result = measure_case(request, _say)
        path = result.save(arguments.results)
        table = case_table(result, near(kept(arguments.results), result.case))
        page = f"# {result.case.title}\n\n{table}\n{facts_table([result.machine])}"
        path.with_suffix(".md").write_text(page, encoding="utf-8")
        _say(f"\n{page}\n{path}\n")
        own = result.copiers.get(OURS)
        ok = ok and not (own and (own.failures or any(own.differences)))
    return 0 if ok else 1


def _usual() -> list[str]:
    return [name for name, copier in COPIERS.items() if not copier.on_demand]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    several = "may be given several times"
    parser.add_argument("--work", choices=WORKS, action="append", help=f"what to copy (s); {several}")
    parser.add_argument(
        "--store", choices=("maildir", "mdbox"), action="append", help=f"(maildir); {several}"
    )
    parser.add_argument("--delay", type=int, action="append", metavar="MS", help=f"round trip (0); {several}")
    parser.add_argument(
        "--bandwidth", type=float, action="append", metavar="MBIT", help=f"each way (no limit); {several}"
    )
    parser.add_argument("--runs", type=int, default=3, help="runs of each copier, alternating (%(default)s)")
    parser.add_argument("--copiers", metavar="A,B", help=f"some of {','.join((*COPIERS, RAW))}")
    parser.add_argument("--lanes", type=int, default=5, help="connections to each side (%(default)s)")
    parser.add_argument("--messages", type=int, help="number of messages, for trials")
    parser.add_argument("--limit-s", type=float, default=1800, help="timeout of one copy (%(default)s)")
    parser.add_argument(
        "--results", type=Path, default=RESULTS, help="directory for the results (%(default)s)"
    )
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Terminated."))  # so that the servers are stopped, too
    try:
        sys.exit(main())
    except RehearsalError as error:
        sys.exit(str(error))
