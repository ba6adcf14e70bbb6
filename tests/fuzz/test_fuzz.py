"""Readers of foreign input at random: `make test` a few hundred inputs each, `make soak` many more."""

from __future__ import annotations

import random
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.mutation import mutated
from tests.fuzz.targets import TARGETS, Target
from tests.sampling import chance, fewer

INPUTS: Final = fewer("fuzzed inputs of all readers", test=5_000, soak=500_000)
EXAMPLES: Final = fewer("fuzzed inputs of Hypothesis for a reader", test=10, soak=1000)

every_target = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)


@every_target
def test_mutated_seeds_break_no_promise(target: Target) -> None:
    seeds = target.seeds()
    for seed in seeds:
        target.run(seed)
    rng: random.Random = chance(f"fuzz {target.name}")
    for _ in range(max(5, INPUTS * target.share // 1000)):
        data = mutated(seeds, target.tokens, rng)
        try:
            target.run(data)
        except BaseException as error:
            error.add_note(f"{target.name}: {data.hex()}")
            raise


@every_target
def test_inputs_of_hypothesis_break_no_promise(target: Target) -> None:
    pieces = st.binary(max_size=20) | st.sampled_from([*target.tokens, *target.seeds()])

    @settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(pieces, max_size=5).map(b"".join))
    def feed(data: bytes) -> None:
        target.run(data)

    feed()


def test_shares_add_up() -> None:
    assert sum(target.share for target in TARGETS) == 1000
    assert len({target.name for target in TARGETS}) == len(TARGETS)
