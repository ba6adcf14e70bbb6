"""A server that takes several messages as one, or none of them (MULTIAPPEND): what was let go of is fetched
again, and by then the old mailbox may hold something else."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.compact.uid_set import Uid
from importer.domain.messages.message_body import whole
from importer.domain.model import ImportId, RefusalCode
from providers.errors import QuotaExceeded
from tests.fakes.mailbox import Fault
from tests.property.test_promise import Content, accounted, contents, faults, fill
from tests.property.world import BODIES, NOTICE, Strike, World, expected, mail

DATE = "02-Feb-1998 10:00:00 +0100"
ONE, TWO, THREE, BAD = (mail(f"number {n}", f"text {n}", f"m{n}") for n in range(4))


def world_of(*bodies: bytes, meanwhile: Callable[[World], None] = lambda _world: None) -> World:
    """A destination that refuses BAD. `meanwhile` happens once, when it does so first."""
    world = World()
    world.destination.all_or_nothing = True
    for body in bodies:
        world.source.create("Work").add((), DATE, body)
    happening = [meanwhile]

    def refuses(body: bytes) -> str | None:
        if body == BAD and happening:
            happening.pop()(world)
        return "it does not like it" if body == BAD else None

    world.destination.refuses = refuses
    return world


def held(world: World) -> list[bytes]:
    return sorted(whole(message.body) for message in world.destination.folders["Work"].messages.values())


def remove(world: World, *uids: int) -> None:
    for uid in uids:
        del world.source.folders["Work"].messages[Uid(uid)]


def become(world: World, uid: int, body: bytes) -> None:
    messages = world.source.folders["Work"].messages
    messages[Uid(uid)] = messages[Uid(uid)]._replace(body=body)


def test_the_others_are_stored_and_the_one_is_told() -> None:
    world = world_of(ONE, BAD, TWO, THREE)
    account = world.run(batch=4).tallies["Work"]
    assert held(world) == sorted([ONE, TWO, THREE])
    assert (account.copied, account.failed, account.confirmed) == (3, 1, 3)
    (refusal,) = world.store.refusals(ImportId("import1"))
    assert (refusal.uid, refusal.code, refusal.subject) == (2, RefusalCode.NOT_TAKEN, "number 3")
    assert refusal.size_bytes == len(BAD)


def test_a_twin_stands_in_for_a_message_that_goes_meanwhile() -> None:
    world = world_of(ONE, ONE, BAD, TWO, meanwhile=lambda world: remove(world, 1))
    account = world.run(batch=4, legs_of=100).tallies["Work"]
    assert held(world) == sorted([ONE, TWO])
    assert (account.copied, account.duplicate, account.skipped_total, account.failed) == (2, 0, 1, 1)


def test_nothing_is_left_to_be_stored() -> None:
    world = world_of(ONE, BAD, meanwhile=lambda world: remove(world, 1, 2))
    assert world.run(batch=4).tallies["Work"].copied == 0
    assert held(world) == []


@pytest.mark.parametrize(("now", "duplicate"), [(THREE, 0), (TWO, 1)])
def test_a_message_that_is_another_one_meanwhile_is_looked_at_anew(now: bytes, duplicate: int) -> None:
    world = world_of(ONE, TWO, BAD, meanwhile=lambda world: become(world, 1, now))
    account = world.run(batch=4).tallies["Work"]
    assert held(world) == sorted({TWO, now})
    assert (account.copied, account.duplicate, account.failed) == (2 - duplicate, duplicate, 1)


@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.AFTER])
def test_the_old_mailbox_may_be_lost_before_they_are_fetched_again(fault: Fault) -> None:
    world = world_of(ONE, BAD, TWO)
    watched = world.run(batch=4, faults=[("append", Fault.BEFORE), ("messages", fault), ("messages", fault)])
    assert held(world) == sorted([ONE, TWO])
    assert watched.tallies["Work"].adds_up


def test_a_full_mailbox_takes_what_fits() -> None:
    world = world_of(ONE, TWO, THREE)
    world.destination.capacity_messages = 2
    with pytest.raises(QuotaExceeded):
        world.run(batch=3)
    assert len(held(world)) == 2
    world.destination.capacity_messages = None
    assert world.run(batch=3).tallies["Work"].copied == 1
    assert held(world) == sorted([ONE, TWO, THREE])


@given(
    source=contents,
    prior=contents,
    refused=st.sets(st.sampled_from(BODIES)),
    broken=faults,
    batch=st.integers(2, 6),
    lanes=st.sampled_from([1, 1, 3]),
)
def test_nothing_lost_nothing_twice_and_what_is_refused_is_told(
    source: Content,
    prior: Content,
    refused: set[bytes],
    broken: Sequence[Strike],
    batch: int,
    lanes: int,
) -> None:
    world = World()
    world.destination.all_or_nothing = True
    fill(world.source, source)
    fill(world.destination, prior)
    world.destination.refuses = lambda body: "it does not like it" if body in refused else None
    there = world.contents(world.destination)
    watched = world.run(batch=batch, lanes=lanes, faults=broken)
    shown = world.contents(world.source)
    assert world.contents(world.destination) == expected(shown, there, [NOTICE, *refused])
    accounted(world, watched)
