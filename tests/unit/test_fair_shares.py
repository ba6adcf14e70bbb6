"""Who gets the next worker thread, and who gives one up."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from importer.domain.planning.fair_shares import (
    FEW_IMPORTS,
    gives_up_a_leg,
    gives_up_for_urgent,
    has_few,
    next_owner,
)


def test_the_owner_with_the_fewest_legs_is_next_and_of_several_the_one_who_waited_longest() -> None:
    assert next_owner(["ada", "grace"], {"ada": 1}, {}) == "grace"
    assert next_owner(["ada", "grace"], {"ada": 1, "grace": 1}, {"ada": 1, "grace": 2}) == "ada"
    assert next_owner(["ada", "grace"], {}, {"ada": 7}) == "grace"
    assert next_owner(["ada"], {"ada": 9}, {"ada": 9}) == "ada"


def test_an_owner_gives_up_a_leg_only_to_one_who_has_fewer_afterwards() -> None:
    assert gives_up_a_leg("ada", ["grace"], {"ada": 4})
    assert gives_up_a_leg("ada", ["grace"], {"ada": 2})
    assert not gives_up_a_leg("ada", ["grace"], {"ada": 1}), "a single leg is nobody's to take"
    assert not gives_up_a_leg("ada", ["grace"], {"ada": 2, "grace": 1})
    assert not gives_up_a_leg("ada", ["ada"], {"ada": 4}), "alone, an owner may use every thread"
    assert not gives_up_a_leg("ada", [], {"ada": 4})


@given(st.lists(st.sampled_from(["ada", "grace", "mallory"]), min_size=1, max_size=12))
def test_giving_up_ends_with_equal_shares(held: list[str]) -> None:
    running = Counter(held)
    owners = ["ada", "grace", "mallory"]
    for _ in range(50):
        giving = [owner for owner in owners if gives_up_a_leg(owner, owners, running)]
        if not giving:
            break
        running[giving[0]] -= 1
        running[next_owner(owners, running, {})] += 1
    assert max(running[o] for o in owners) - min(running[o] for o in owners) <= 1


def test_urgent_owners_come_first_and_among_themselves_in_turn() -> None:
    assert next_owner(["ada", "grace"], {}, {"grace": 3}, ["grace"]) == "grace"
    assert next_owner(["ada", "grace"], {"grace": 2}, {}, ["grace"]) == "grace"
    assert next_owner(["ada", "grace"], {"grace": 2}, {}, ["ada", "grace"]) == "ada"


def test_few_counts_what_runs_too() -> None:
    assert has_few(FEW_IMPORTS, 0)
    assert not has_few(FEW_IMPORTS, 1)


def test_for_each_urgent_owner_one_of_the_largest_gives_up_a_leg_and_not_always_the_same() -> None:
    running = {"ada": 1, "grace": 1, "mallory": 4, "small": 1}
    assert gives_up_for_urgent(running, ["small"], [], 0) == set()
    assert gives_up_for_urgent(running, ["small"], ["visitor"], 0) == {"mallory"}
    assert gives_up_for_urgent(running, ["small"], list("abcdef"), 0) == {"ada", "grace", "mallory"}
    even = {f"owner{n}": 1 for n in range(40)}
    chosen = {owner for round_ in range(20) for owner in gives_up_for_urgent(even, [], ["visitor"], round_)}
    assert len(chosen) > 5
    assert gives_up_for_urgent(even, [*even], ["visitor"], 0) == set()
