"""`make test` runs a sample of each large matrix, `make soak` runs all of it.

The seed of the sample is the commit: the same commit always runs the same tests, and every combination has
its turn within some commits. The header of a run shows the seed; MAILHAUL_TEST_SEED=<seed> replays it.
A test that is named by itself on the command line (`path::name`) runs whether or not the sample holds it.

What is sampled says so itself, in one of three ways:

- `@pytest.mark.sampled(count, of="argument", always=(...))` keeps that many values of one argument, and those
  in `always` beside them. All tests of a module that sample the same argument keep the same values.
- `@pytest.mark.sampled(count)` keeps that many of all the parameter sets of a test.
- `fewer(what, test=..., soak=...)` gives a number: of rounds, of offsets.

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
"""Where a worker of pytest-xdist tells the controller what the sample leaves out."""


def _seed() -> str:
    """The one that was asked for, or the commit, or a fixed one where there is no repository."""
    if asked := os.environ.get("MAILHAUL_TEST_SEED"):
        return asked
    try:
        head = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return WITHOUT_GIT
    return head.stdout.strip() or WITHOUT_GIT


SOAK: Final = os.environ.get("MAILHAUL_TEST_SOAK", "") not in {"", "0"}
SEED: Final = _seed()
os.environ["MAILHAUL_TEST_SEED"] = SEED  # workers of pytest-xdist need not ask git again
_numbers: dict[str, tuple[int, int]] = {}


def chance(what: str) -> random.Random:
    """Random numbers that depend on the seed and on what they are for."""
    return random.Random(f"{SEED} {what}")


def fewer(what: str, *, test: int, soak: int) -> int:
    """`test` of them, or `soak` of them in `make soak`."""
    _numbers[what] = test, soak
    return soak if SOAK else test


# --- Which tests the sample keeps ----------------------------------------------------------------------


def kept(values: Sequence[str], count: int, always: Sequence[str], what: str) -> set[str]:
    """All of `always` and `count` of the others."""
    others = [value for value in values if value not in always]
    return {*always, *chance(what).sample(others, min(count, len(others)))}


def beyond(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Those that the sample leaves out."""
    groups: dict[tuple[str, int, tuple[str, ...]], dict[str, list[pytest.Item]]] = {}
    for item in items:
        for mark in item.iter_markers("sampled"):
            argument = mark.kwargs.get("of")
            if (value := _value(item, argument)) is None:
                continue
            file, test = item.nodeid.partition("::")[0], item.nodeid.partition("[")[0]
            where = f"{file}::{argument}" if argument else test
            key = where, mark.args[0], tuple(mark.kwargs.get("always", ()))
            groups.setdefault(key, defaultdict(list))[value].append(item)
    left = [
        item
        for (where, count, always), by_value in groups.items()
        for value in sorted(by_value.keys() - kept(list(by_value), count, always, where))
        for item in by_value[value]
    ]
    return list(dict.fromkeys(left))


def _value(item: pytest.Item, argument: str | None) -> str | None:
    """What stands for the argument, or for all of them; None where the test does not have it."""
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
        # How long an example takes depends on what else the machine does.
        settings.register_profile(name, max_examples=examples, deadline=None, print_blob=True)
    settings.load_profile("soak" if SOAK else "test")
    if getattr(config.option, "hypothesis_seed", None) is None:
        config.option.hypothesis_seed = str(chance("hypothesis").getrandbits(32))


def pytest_report_header() -> str:
    return f"{'soak' if SOAK else 'sample'}: MAILHAUL_TEST_SEED={SEED}"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if any("::" in asked for asked in config.invocation_params.args if isinstance(asked, str)):
        return
    left = beyond(items)
    config.stash[_LEFT] = [item.nodeid for item in left]
    if not SOAK and left:
        gone = set(left)
        items[:] = [item for item in items if item not in gone]
        config.hook.pytest_deselected(items=left)


_LEFT: Final = pytest.StashKey[list[str]]()


def pytest_sessionfinish(session: pytest.Session) -> None:
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[LEFT_OUT] = session.config.stash.get(_LEFT, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """At the controller: all workers have collected the same."""
    if (left := getattr(node, "workeroutput", {}).get(LEFT_OUT)) is not None:
        node.config.stash[_LEFT] = left


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    left = config.stash.get(_LEFT, [])
    if not left:
        return
    if not SOAK:
        terminalreporter.write_line(f"{len(left)} more tests run in `make soak`.")
        return
    terminalreporter.section(f"{len(left)} tests that the sample of {SEED} leaves out")
    by_test: dict[str, list[str]] = defaultdict(list)
    for nodeid in left:
        test, _, parameters = nodeid.partition("[")
        by_test[test].append(parameters.removesuffix("]"))
    for test, sets in by_test.items():
        terminalreporter.write_line(f"{test}: {len(sets)}: {', '.join(sets)}")
    examples = EXAMPLES["test"], EXAMPLES["soak"]
    for what, (few, many) in {**_numbers, "examples of a property": examples}.items():
        terminalreporter.write_line(f"{what}: {few} of {many}")
