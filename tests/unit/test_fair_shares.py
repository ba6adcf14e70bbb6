"""The import that gets the next worker thread, and the import that gives one up."""

from __future__ import annotations

from collections import Counter, UserDict
from collections.abc import ItemsView

from hypothesis import given
from hypothesis import strategies as st

from importer.domain.planning.fair_shares import (
    FEW_IMPORTS,
    SMALL_FIRST,
    LegQueue,
    Share,
    crowding_host,
    gives_up_a_leg,
    gives_up_for_urgent,
    is_for_the_longest_waiting,
    next_share,
)

ADA, GRACE = Share("ada", "old.example"), Share("grace", "old.example")
ELSEWHERE = Share("ada", "elsewhere.example")


def test_the_owner_with_the_fewest_legs_is_next_and_of_several_the_one_who_waited_longest() -> None:
    assert next_share([ADA, GRACE], [ADA], {}) == GRACE
    assert next_share([ADA, GRACE], [ADA, GRACE], {ADA: 1, GRACE: 2}) == ADA
    assert next_share([ADA, GRACE], [], {ADA: 7}) == GRACE
    assert next_share([ADA], [ADA] * 9, {ADA: 9}) == ADA


def test_of_several_owners_and_of_one_the_host_with_the_fewest_legs_is_next() -> None:
    assert next_share([ADA, ELSEWHERE], [ADA], {}) == ELSEWHERE
    assert next_share([ADA, ELSEWHERE], [ELSEWHERE], {}) == ADA
    assert next_share([GRACE, ELSEWHERE], [ADA, ELSEWHERE], {}) == GRACE, "owners come before hosts"
    one, other = Share("mallory", "old.example"), Share("eve", "elsewhere.example")
    assert next_share([one, other], [ADA], {other: 5}) == other


def test_hosts_of_one_owner_take_turns() -> None:
    turns: list[Share] = []
    for number in range(4):
        turns.append(next_share([ADA, ELSEWHERE], [], {share: n for n, share in enumerate(turns)}))
        assert len(turns) == number + 1
    assert turns == [ELSEWHERE, ADA, ELSEWHERE, ADA]


def test_a_host_with_more_than_half_of_the_legs_ends_one_for_a_host_that_has_none() -> None:
    assert crowding_host(["new"], {"old": 3, "other": 2}) == "old"
    assert crowding_host(["new"], {"old": 2, "other": 2}) is None
    assert crowding_host(["new"], {"old": 1}) is None, "its only leg goes on"
    assert crowding_host(["old"], {"old": 9}) is None, "alone, a host may use every thread"
    assert crowding_host(["other"], {"old": 9, "other": 1}) is None
    assert crowding_host(["new"], {}) is None


def test_some_turns_of_each_owner_go_to_the_import_that_has_waited_longest() -> None:
    for owner in ("", "ada", "grace"):
        turns = sum(is_for_the_longest_waiting(owner, turn) for turn in range(1000))
        assert 0.7 < turns * SMALL_FIRST / 1000 < 1.3


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
        waiting = [Share(owner, "old.example") for owner in owners]
        legs = [Share(owner, "old.example") for owner in running.elements()]
        running[next_share(waiting, legs, {}).owner] += 1
    assert max(running[o] for o in owners) - min(running[o] for o in owners) <= 1


def test_urgent_owners_come_first_and_among_themselves_in_turn() -> None:
    assert next_share([ADA, GRACE], [], {GRACE: 3}, ["grace"]) == GRACE
    assert next_share([ADA, GRACE], [GRACE, GRACE], {}, ["grace"]) == GRACE
    assert next_share([ADA, GRACE], [GRACE, GRACE], {}, ["ada", "grace"]) == ADA


def test_few_counts_all_hosts_of_an_owner_and_what_runs_too() -> None:
    due = {ADA: 1, ELSEWHERE: FEW_IMPORTS - 1, GRACE: FEW_IMPORTS - 1}
    queue = LegQueue({}, due, frozenset({ADA, GRACE}))
    assert queue.of_few(["ada", "grace", "idle"], {"grace": 1}) == {"ada", "grace", "idle"}
    assert queue.of_few(["ada", "grace", "idle"], {"ada": 1, "grace": 2}) == {"idle"}
    assert queue.urgent({"grace": 2}) == {"ada"}


def test_a_queue_is_counted_by_owner_once() -> None:
    passes = 0

    class Due(UserDict[Share, int]):
        def items(self) -> ItemsView[Share, int]:
            nonlocal passes
            passes += 1
            return super().items()

    queue = LegQueue({}, Due({ADA: 1, GRACE: 1}), frozenset({GRACE}))
    assert queue.of_few(["ada"], {}) == {"ada"}
    assert queue.urgent({}) == queue.urgent({"grace": 1}) == {"grace"}
    assert passes == 1


def test_for_each_urgent_owner_one_of_the_largest_gives_up_a_leg_and_not_always_the_same() -> None:
    running = {"ada": 1, "grace": 1, "mallory": 4, "small": 1}
    assert gives_up_for_urgent(running, ["small"], [], 0) == set()
    assert gives_up_for_urgent(running, ["small"], ["visitor"], 0) == {"mallory"}
    assert gives_up_for_urgent(running, ["small"], list("abcdef"), 0) == {"ada", "grace", "mallory"}
    even = {f"owner{n}": 1 for n in range(40)}
    chosen = {owner for round_ in range(20) for owner in gives_up_for_urgent(even, [], ["visitor"], round_)}
    assert len(chosen) > 5
    assert gives_up_for_urgent(even, [*even], ["visitor"], 0) == set()
