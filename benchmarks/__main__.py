"""Measures Mailhaul beside other copiers and the raw limit: see README.md in this directory.

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
from benchmarks.run import LANES_SETTING, Asked, measure_case
from benchmarks.table import OURS, case_table, facts_table
from importer.settings import Settings
from tests.rehearsal.ports import RehearsalError

_say = partial(print, flush=True)  # a run takes long: each line is to be seen when it comes


def main() -> int:
    """Runs every case asked for. 0, or 1 when Mailhaul failed or its copy was not the same to the byte."""
    given = _parser().parse_args()
    wanted = given.copiers.split(",") if given.copiers else [*_usual(), RAW]
    unknown = [name for name in wanted if name not in (*COPIERS, RAW)]
    if unknown:
        raise SystemExit(f"There is no copier “{unknown[0]}”; choose from {', '.join((*COPIERS, RAW))}.")
    missing = [name for name in wanted if name != RAW and not COPIERS[name].installed()]
    for name in missing:
        _say(f"{name} is left out: {COPIERS[name].program} is not on PATH.")
    if LANES_SETTING not in {variable for variable, _, _ in Settings.table()}:
        _say(f"This Mailhaul has no {LANES_SETTING}; it uses as many connections as it thinks right.")
    good = True
    lines = product(given.delay or [0], given.bandwidth or [0.0])
    for work, store, line in product(given.work or ["s"], given.store or ["maildir"], list(lines)):
        asked = Asked(
            work=WORKS[work],
            store=store,
            delay_ms=line[0],
            bandwidth_mbit=line[1],
            lanes=given.lanes,
            runs=given.runs,
            copiers=[name for name in wanted if name not in missing],
            messages=given.messages,
            limit_s=given.limit_s,
        )
        result = measure_case(asked, _say)
        path = result.save(given.results)
        table = case_table(result, near(kept(given.results), result.case))
        page = f"# {result.case.title}\n\n{table}\n{facts_table([result.machine])}"
        path.with_suffix(".md").write_text(page, encoding="utf-8")
        _say(f"\n{page}\n{path}\n")
        ours = result.copiers.get(OURS)
        good = good and not (ours and (ours.failures or any(ours.differences)))
    return 0 if good else 1


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
    parser.add_argument("--runs", type=int, default=3, help="of each copier, taking turns (%(default)s)")
    parser.add_argument("--copiers", metavar="A,B", help=f"of {','.join((*COPIERS, RAW))}")
    parser.add_argument("--lanes", type=int, default=5, help="connections on either side (%(default)s)")
    parser.add_argument("--messages", type=int, help="instead of the work's number, for trying things out")
    parser.add_argument("--limit-s", type=float, default=1800, help="longest time for one copy (%(default)s)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where they are kept (%(default)s)")
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Ended before it was done."))  # servers end as well
    try:
        sys.exit(main())
    except RehearsalError as error:
        sys.exit(str(error))
