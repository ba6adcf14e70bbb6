"""`python -m tests.drill --seed 7 --minutes 10`: runs one drill and prints its result as a table row."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.drill.drill import Result, run_drill
from tests.drill.plan import make_plan

_SHOWN = 40


def main() -> int:
    parser = argparse.ArgumentParser(prog="drill", description="Random imports under random faults.")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--store", choices=("maildir", "mdbox"), default="maildir")
    parser.add_argument("--without", default="", help="capabilities to hide, separated by commas")
    parser.add_argument("--keep", action="store_true", help="keep the logs although nothing is wrong")
    options = parser.parse_args()
    without = tuple(name for name in options.without.upper().split(",") if name)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # end every started process
        signal.signal(number, lambda *_: sys.exit(130))
    root = Path(tempfile.mkdtemp(prefix="mailhaul-drill-"))
    plan = make_plan(options.seed, options.minutes * 60)
    print(f"seed {options.seed}: {len(plan.actions)} actions, {len(plan.routes)} routes; logs in {root}")
    result = run_drill(
        root, plan, store=options.store, without=without, say=lambda text: print(text, flush=True)
    )
    repeat = (
        f"make drill SEED={options.seed} MINUTES={options.minutes:g} STORE={options.store}"
        f" WITHOUT={options.without}"
    )
    show(result, repeat)
    if result.sound and not options.keep:
        shutil.rmtree(root, ignore_errors=True)
    return 0 if result.sound else 1


def show(result: Result, repeat: str) -> None:
    """Print the result; for a failed drill, also the command that repeats it, and its log."""
    if not result.sound:
        print("\n--- what happened")
        print(*result.log, sep="\n")
        print("\n--- what is wrong")
        for some in (
            result.findings,
            result.reports,
            result.mails_twice,
            result.mails_missing,
            result.unfinished,
        ):
            print(*some[:_SHOWN], sep="\n")
            if len(some) > _SHOWN:
                print(f"... and {len(some) - _SHOWN} more")
        print("\n--- the history of the messages concerned")
        for digest, lines in result.histories.items():
            print(digest[:12], *lines, sep="\n  ")
        print(f"\nrepeat with: {repeat}")
    faults = ("lost", "doubled", "altered", "undead", "misplaced")
    heads = (
        "imports",
        "messages",
        *faults,
        "excused",
        "reports",
        "mails twice",
        "mails missing",
        "unfinished",
    )
    numbers = (
        result.imports,
        result.messages,
        *map(result.number, faults),
        result.excused.total(),
        len(result.reports),
        len(result.mails_twice),
        len(result.mails_missing),
        len(result.unfinished),
    )
    print("\n| " + " | ".join(heads) + " |")
    print("| " + " | ".join(map(str, numbers)) + " |")
    print("excused:", ", ".join(f"{reason}: {number}" for reason, number in result.excused.items()) or "none")


if __name__ == "__main__":
    sys.exit(main())
