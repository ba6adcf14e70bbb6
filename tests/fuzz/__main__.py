"""Fuzz the readers: `python -m tests.fuzz --inputs 10000000 [--seconds S] [--target NAME] [--seed N]`.

Each input gets one second, the process 1.5 GiB of memory. A defect is reported once for the place where it
was raised, with its input in hexadecimal; the run goes on. Exit code 1 if there was any.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.fuzz.mutation import MAX_INPUT_BYTES, mutated
from tests.fuzz.targets import TARGETS, Target

_MEMORY_BYTES: Final = 3 << 29
_INPUT_S: Final = 1.0
_CHUNK: Final = 1000  # inputs between looks at the clock


class TooSlow(Exception):
    """One input took more than `_INPUT_S` seconds of processor time."""


class Run:
    """Counts inputs and defects."""

    def __init__(self) -> None:
        self.inputs: Counter[str] = Counter()
        self.defects: dict[str, str] = {}
        self.slowest: dict[str, float] = {}

    def try_(self, target: Target, data: bytes) -> None:
        began = time.process_time()
        try:
            with _limited():
                target.run(data)
        except Exception as error:  # every exception that a target lets through is a defect
            place = traceback.extract_tb(error.__traceback__)[-1]
            key = (
                f"{target.name}: {type(error).__name__} at {place.filename.rpartition('/')[2]}:{place.lineno}"
            )
            if key not in self.defects:
                self.defects[key] = data.hex()
                print(f"DEFECT {key}\n  {ascii(str(error))[:300]}\n  {data.hex()[:4000]}", flush=True)
        self.inputs[target.name] += 1
        took_s = time.process_time() - began
        self.slowest[target.name] = max(took_s, self.slowest.get(target.name, 0.0))


@contextmanager
def _limited() -> Iterator[None]:
    signal.setitimer(signal.ITIMER_VIRTUAL, _INPUT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _on_alarm(_number: int, _frame: FrameType | None) -> None:
    raise TooSlow


def hypothesis_inputs(run: Run, target: Target, count: int) -> None:
    """Inputs that Hypothesis makes: bytes, and seeds with bytes inserted."""
    seeds = st.sampled_from(target.seeds())
    inputs = st.binary(max_size=200) | st.builds(
        lambda seed, at, piece: seed[: at % (len(seed) + 1)] + piece + seed[at % (len(seed) + 1) :],
        seeds,
        st.integers(0, MAX_INPUT_BYTES),
        st.binary(max_size=30) | st.text(max_size=10).map(lambda text: text.encode()),
    )

    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(inputs)
    def feed(data: bytes) -> None:
        run.try_(target, data)

    feed()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="of all targets together")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="end after this time in any case")
    parser.add_argument("--target", choices=[target.name for target in TARGETS], help="only this one")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--counts", type=Path, help="a file for the numbers as JSON, written every minute")
    asked = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 32) if asked.seed is None else asked.seed
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    signal.signal(signal.SIGVTALRM, _on_alarm)
    rng, run = random.Random(seed), Run()
    targets = [target for target in TARGETS if asked.target in (None, target.name)]
    seeds = {target.name: target.seeds() for target in targets}
    began = noted = time.monotonic()

    def note() -> None:
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        facts = {
            "seed": seed,
            "inputs": sum(run.inputs.values()),
            "seconds": round(time.monotonic() - began),
            "peak_mib": peak_mib,
            "per_target": dict(run.inputs),
            "slowest_ms": {name: round(took_s * 1000, 1) for name, took_s in run.slowest.items()},
            "defects": list(run.defects),
        }
        text = json.dumps(facts, indent=1)
        if asked.counts:
            asked.counts.write_text(text, encoding="utf-8")
        else:
            print(text, flush=True)

    for target in targets:
        hypothesis_inputs(run, target, max(1, min(1000, asked.inputs * target.share // 200_000)))
    weights = [target.share for target in targets]
    while (left := asked.inputs - sum(run.inputs.values())) > 0 and time.monotonic() - began < asked.seconds:
        for target in rng.choices(targets, weights, k=min(_CHUNK, left)):
            run.try_(target, mutated(seeds[target.name], target.tokens, rng))
        if asked.counts and time.monotonic() - noted > 60:
            noted = time.monotonic()
            note()
    note()
    return 1 if run.defects else 0


if __name__ == "__main__":
    sys.exit(main())
