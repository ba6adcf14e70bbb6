"""Writes docs/benchmarks.md and docs/benchmarks.svg from the results that are kept.

python -m benchmarks.report
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import memory_results, watchers_results
from benchmarks.corpora import WORKS
from benchmarks.plot import svg
from benchmarks.results import Case, Result, load
from benchmarks.stage import ROOT
from benchmarks.table import case_table, facts_table

RESULTS = Path(__file__).parent / "results"
_HEAD = """\
# Benchmarks

Written by `python -m benchmarks.report` from `benchmarks/results/`. What is measured, how to run it, and to
whom it is unfair: [benchmarks/README.md](../benchmarks/README.md). Each table is one run on one machine, the
copiers taking turns; figures are medians. “mailhaul is” says how many times as fast as that row Mailhaul
was. “Round trips” is how many of them the second run, which finds nothing new, waited for. The raw limit is
sockets and nothing else, with as many connections as Mailhaul uses: no copier can be faster through IMAP.

![Messages copied per second](benchmarks.svg)
"""
_MEMORY = """\
## Memory

`python -m benchmarks.memory`: generated messages of 1 to 3 KB, from a source that stores nothing into a
destination that only checks them; once each. CPU is without start-up. The second run finds nothing new.
"""
_WATCHERS = """\
## Watchers

`python -m benchmarks.watchers`: the same copy by one worker beside one web process, in turn without and with
people who watch its progress; medians. “web” is what the web process took of one core meanwhile.
"""


def write(
    results: Sequence[Result],
    folder: Path,
    copied: Sequence[memory_results.Copied] = (),
    watched: Sequence[watchers_results.Watched] = (),
) -> None:
    """Both files into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    ordered = sorted(results, key=lambda result: _order(result.case))
    parts = [_HEAD]
    for result in ordered:
        case = result.case
        size = f"{case.bytes / 1e6:,.0f} MB in {case.folders} folders, {case.lanes} connections each way"
        parts.append(f"## {case.title}\n\n{size}.\n\n{case_table(result, near(ordered, case))}")
    if copied:
        parts.append(f"{_MEMORY}\n{memory_results.table(copied)}")
    if watched:
        parts.append(f"{_WATCHERS}\n{watchers_results.table(watched)}")
    machines = [one.machine for one in ordered]
    machines += [one.machine for one in copied] + [one.machine for one in watched]
    parts.append(f"## Machine\n\n{facts_table(machines)}")
    (folder / "benchmarks.md").write_text("\n".join(parts), encoding="utf-8")
    (folder / "benchmarks.svg").write_text(svg(ordered), encoding="utf-8")


def near(results: Sequence[Result], case: Case) -> Result | None:
    """The same case without delay."""
    for other in results:
        found = other.case
        if found.delay_ms == 0 < case.delay_ms and replace(found, delay_ms=case.delay_ms) == case:
            return other
    return None


def kept(folder: Path) -> list[Result]:
    """The results in `folder`, of whole works only: trials with fewer messages prove nothing."""
    found = [load(path) for path in sorted(folder.glob("*.json"))]
    return [result for result in found if result.case.messages == WORKS[result.case.work].messages]


def _order(case: Case) -> tuple[int, bool, float, int]:
    return list(WORKS).index(case.work), case.store != "maildir", -case.bandwidth_mbit, case.delay_ms


def main() -> None:
    """The command line above."""
    parser = argparse.ArgumentParser(
        prog="report", description="Writes the page and the plot of all results."
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder with the results (%(default)s)")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder to write to (%(default)s)")
    given = parser.parse_args()
    found = kept(given.results)
    if not found:
        raise SystemExit(f"{given.results} holds no result of a whole work; run python -m benchmarks first.")
    write(
        found,
        given.docs,
        memory_results.kept(given.results / "memory"),
        watchers_results.kept(given.results / "watchers"),
    )
    print(f"{given.docs / 'benchmarks.md'} and benchmarks.svg: {len(found)} cases")  # noqa: T201


if __name__ == "__main__":
    main()
