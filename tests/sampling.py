"""`make test` runs a sample of each large test matrix, `make soak` runs all of it.

The commit hash seeds the sample: the same commit always runs the same tests, and every combination is
selected within a number of commits. The header of a run shows the seed; MAILHAUL_TEST_SEED=<seed> replays it.
A test selected on the command line (`path::name`) runs whether or not it is in the sample.

A test declares its sampling in one of three ways:

- `@pytest.mark.sampled(count, of="argument", always=(...))` keeps `count` values of one argument, plus those
  in `always`. All tests of a module that sample the same argument keep the same values.
- `@pytest.mark.sampled(count)` keeps `count` of the parameter sets of a test.
- `fewer(what, test=..., soak=...)` returns a number of rounds, offsets, etc.

Hypothesis profiles scale the number of examples.
"""

from __future__ import annotations

import os
import random
import subprocess
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import settings

ROOT: Final = Path(__file__).parents[1]
WITHOUT_GIT: Final = "mailhaul"
EXAMPLES: Final = {"test": 100, "soak": 1000}
LEFT_OUT: Final = "left out"
"""The key under which a pytest-xdist worker reports the deselected tests to the controller."""


def _seed() -> str:
    """MAILHAUL_TEST_SEED if set, else the commit hash, else a constant outside of a repository."""
    if seed := os.environ.get("MAILHAUL_TEST_SEED"):
        return seed
    try:
        head = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return WITHOUT_GIT
    return head.stdout.strip() or WITHOUT_GIT


SOAK: Final = os.environ.get("MAILHAUL_TEST_SOAK", "") not in {"", "0"}
SEED: Final = _seed()
os.environ["MAILHAUL_TEST_SEED"] = SEED  # spares pytest-xdist workers another call of git
_numbers: dict[str, tuple[int, int]] = {}


def chance(what: str) -> random.Random:
    """A random generator seeded with the seed of the run and the purpose `what`."""
    return random.Random(f"{SEED} {what}")


def fewer(what: str, *, test: int, soak: int) -> int:
    """`soak` in `make soak`, else `test`."""
    _numbers[what] = test, soak
    return soak if SOAK else test


# --- Which tests the sample keeps ----------------------------------------------------------------------


def select(values: Sequence[str], count: int, always: Sequence[str], what: str) -> set[str]:
    """All of `always`, and `count` of the other values."""
    others = [value for value in values if value not in always]
    return {*always, *chance(what).sample(others, min(count, len(others)))}


def deselected(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The items that are not in the sample."""
    groups: dict[tuple[str, int, tuple[str, ...]], dict[str, list[pytest.Item]]] = {}
    for item in items:
        for mark in item.iter_markers("sampled"):
            argument = mark.kwargs.get("of")
            if (value := _value(item, argument)) is None:
                continue
            file, test = item.nodeid.partition("::")[0], item.nodeid.partition("[")[0]
            scope = f"{file}::{argument}" if argument else test
            key = scope, mark.args[0], tuple(mark.kwargs.get("always", ()))
            groups.setdefault(key, defaultdict(list))[value].append(item)
    skipped = [
        item
        for (scope, count, always), by_value in groups.items()
        for value in sorted(by_value.keys() - select(list(by_value), count, always, scope))
        for item in by_value[value]
    ]
    return list(dict.fromkeys(skipped))


def _value(item: pytest.Item, argument: str | None) -> str | None:
    """The parameter's value as text, or the id of the whole set; None if the test lacks the argument."""
    call: Any = getattr(item, "callspec", None)
    if call is None:
        return None
    if argument is None:
        return str(call.id)
    if argument not in call.params:
        return None
    value = call.params[argument]
    return value if isinstance(value, str) else str(call.indices[argument])


# --- Hooks ---------------------------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "sampled(count, *, of, always): `make test` runs a sample of the matrix"
    )
    for name, examples in EXAMPLES.items():
        # The duration of an example depends on the load of the machine.
        settings.register_profile(name, max_examples=examples, deadline=None, print_blob=True)
    settings.load_profile("soak" if SOAK else "test")
    if getattr(config.option, "hypothesis_seed", None) is None:
        config.option.hypothesis_seed = str(chance("hypothesis").getrandbits(32))


def pytest_report_header() -> str:
    return f"{'soak' if SOAK else 'sample'}: MAILHAUL_TEST_SEED={SEED}"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if any("::" in argument for argument in config.invocation_params.args if isinstance(argument, str)):
        return
    skipped = deselected(items)
    config.stash[_SKIPPED] = [item.nodeid for item in skipped]
    if not SOAK and skipped:
        skipped_set = set(skipped)
        items[:] = [item for item in items if item not in skipped_set]
        config.hook.pytest_deselected(items=skipped)


_SKIPPED: Final = pytest.StashKey[list[str]]()


def pytest_sessionfinish(session: pytest.Session) -> None:
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[LEFT_OUT] = session.config.stash.get(_SKIPPED, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Runs in the controller. All workers have collected the same tests."""
    if (skipped := getattr(node, "workeroutput", {}).get(LEFT_OUT)) is not None:
        node.config.stash[_SKIPPED] = skipped


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    skipped = config.stash.get(_SKIPPED, [])
    if not skipped:
        return
    if not SOAK:
        terminalreporter.write_line(f"{len(skipped)} more tests run in `make soak`.")
        return
    terminalreporter.section(f"{len(skipped)} tests that the sample of {SEED} leaves out")
    by_test: dict[str, list[str]] = defaultdict(list)
    for nodeid in skipped:
        test, _, parameters = nodeid.partition("[")
        by_test[test].append(parameters.removesuffix("]"))
    for test, sets in by_test.items():
        terminalreporter.write_line(f"{test}: {len(sets)}: {', '.join(sets)}")
    examples = EXAMPLES["test"], EXAMPLES["soak"]
    for what, (few, many) in {**_numbers, "examples of a property": examples}.items():
        terminalreporter.write_line(f"{what}: {few} of {many}")
