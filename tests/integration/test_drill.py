"""A short chaos drill: a few imports, a dozen random faults, and the oracle (`tests/drill`, `make drill`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.drill.__main__ import show
from tests.drill.drill import run_drill
from tests.drill.plan import SMALL, make_plan

SECONDS = 12
SETUPS = (
    ("maildir", ()),
    ("mdbox", ()),
    ("maildir", ("UIDPLUS",)),
    ("mdbox", ("MULTIAPPEND", "LITERAL+")),
)


@pytest.mark.timeout(1500)  # the waits alone may take as long on a busy machine
@pytest.mark.sampled(1)
@pytest.mark.parametrize("seed", range(1, 9))
def test_a_short_drill_is_sound(tmp_path: Path, request: pytest.FixtureRequest, seed: int) -> None:
    store, without = SETUPS[seed % len(SETUPS)]
    result = run_drill(tmp_path, make_plan(seed, SECONDS, SMALL), store=store, without=without)
    show(result, f"python -m pytest -n 0 '{request.node.nodeid}'")
    assert result.sound
    assert result.imports > 0
