"""A server that accepts several messages together or none of them (MULTIAPPEND): bodies that were released
are fetched again, and by then the old mailbox may hold something else."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.compact.uid_set import Uid
from importer.domain.messages.message_body import whole
from importer.domain.model import ImportId
from importer.domain.receipts.folder_tally import RefusalCode
from importer.ports.mailbox_errors import QuotaExceeded
from tests.fakes.mailbox import Fault
from tests.property.test_promise import Content, check_tallies, contents, faults, fill
from tests.property.world import BODIES, NOTICE, Strike, World, expected, mail

DATE = "02-Feb-1998 10:00:00 +0100"
ONE, TWO, THREE, BAD = (mail(f"number {n}", f"text {n}", f"m{n}") for n in range(4))


def world_of(*bodies: bytes, meanwhile: Callable[[World], None] = lambda _world: None) -> World:
    """A destination that refuses BAD. `meanwhile` is called once, at the first refusal."""
    world = World()
    world.destination.all_or_nothing = True
    for body in bodies:
        world.source.create("Work").add((), DATE, body)
    pending = [meanwhile]

    def refuses(body: bytes) -> str | None:
        if body == BAD and pending:
            pending.pop()(world)
        return "it does not like it" if body == BAD else None

    world.destination.refuses = refuses
    return world


def copied_bodies(world: World) -> list[bytes]:
    return sorted(whole(message.body) for message in world.destination.folders["Work"].messages.values())


def remove(world: World, *uids: int) -> None:
    for uid in uids:
        del world.source.folders["Work"].messages[Uid(uid)]


def replace_body(world: World, uid: int, body: bytes) -> None:
    messages = world.source.folders["Work"].messages
    messages[Uid(uid)] = messages[Uid(uid)]._replace(body=body)


def test_one_message_is_refused_and_the_others_are_stored() -> None:
    world = world_of(ONE, BAD, TWO, THREE)
    tally = world.run(batch=4).tallies["Work"]
    assert copied_bodies(world) == sorted([ONE, TWO, THREE])
    assert (tally.copied, tally.failed, tally.confirmed) == (3, 1, 3)
    (refusal,) = world.store.refusals(ImportId("import1"))
    assert (refusal.uid, refusal.code, refusal.subject) == (2, RefusalCode.NOT_TAKEN, "number 3")
    assert refusal.size_bytes == len(BAD)


def test_what_is_stored_of_a_refused_batch_is_not_sent_again() -> None:
    world = world_of(ONE, TWO, ONE, BAD, THREE)
    world.destination.stores_part = True
    tally = world.run(batch=5).tallies["Work"]
    assert copied_bodies(world) == sorted([ONE, TWO, THREE])
    assert (tally.copied, tally.duplicate, tally.failed, tally.confirmed) == (3, 1, 1, 3)


@pytest.mark.parametrize("uidplus", [True, False])
def test_what_is_stored_of_a_refused_batch_is_recognised_although_it_was_altered(*, uidplus: bool) -> None:
    world = world_of(ONE, TWO, BAD, THREE)
    world.destination.gives_uids = uidplus
    world.destination.stores_part = True
    world.destination.stores = lambda body: b"X-Stored: here\r\n" + body
    tally = world.run(batch=4).tallies["Work"]
    assert copied_bodies(world) == sorted(b"X-Stored: here\r\n" + body for body in (ONE, TWO, THREE))
    assert (tally.copied, tally.failed, tally.confirmed) == (3, 1, 3)


def test_of_two_altered_messages_with_one_header_none_is_taken_for_the_other() -> None:
    """A message that is copied twice is better than one that is lost."""
    namesake = mail("number 0", "other text", "m0")
    world = world_of(ONE, BAD, namesake)
    world.destination.stores_part = True
    world.destination.stores = lambda body: b"X-Stored: here\r\n" + body
    world.run(batch=4)
    stored = copied_bodies(world)
    assert {body.removeprefix(b"X-Stored: here\r\n") for body in stored} == {ONE, namesake}


def test_a_twin_replaces_a_message_removed_in_between() -> None:
    world = world_of(ONE, ONE, BAD, TWO, meanwhile=lambda world: remove(world, 1))
    tally = world.run(batch=4, legs_of=100).tallies["Work"]
    assert copied_bodies(world) == sorted([ONE, TWO])
    assert (tally.copied, tally.duplicate, tally.skipped_total, tally.failed) == (2, 0, 1, 1)


def test_nothing_is_left_to_store() -> None:
    world = world_of(ONE, BAD, meanwhile=lambda world: remove(world, 1, 2))
    assert world.run(batch=4).tallies["Work"].copied == 0
    assert copied_bodies(world) == []


@pytest.mark.parametrize(("now", "duplicate"), [(THREE, 0), (TWO, 1)])
def test_a_message_that_changed_in_between_is_decided_again(now: bytes, duplicate: int) -> None:
    world = world_of(ONE, TWO, BAD, meanwhile=lambda world: replace_body(world, 1, now))
    tally = world.run(batch=4).tallies["Work"]
    assert copied_bodies(world) == sorted({TWO, now})
    assert (tally.copied, tally.duplicate, tally.failed) == (2 - duplicate, duplicate, 1)


@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.AFTER])
def test_the_source_connection_may_be_lost_before_the_second_fetch(fault: Fault) -> None:
    world = world_of(ONE, BAD, TWO)
    watched = world.run(batch=4, faults=[("append", Fault.BEFORE), ("messages", fault), ("messages", fault)])
    assert copied_bodies(world) == sorted([ONE, TWO])
    assert watched.tallies["Work"].adds_up


def test_a_full_mailbox_stores_what_fits() -> None:
    world = world_of(ONE, TWO, THREE)
    world.destination.capacity_messages = 2
    with pytest.raises(QuotaExceeded):
        world.run(batch=3)
    assert len(copied_bodies(world)) == 2
    world.destination.capacity_messages = None
    assert world.run(batch=3).tallies["Work"].copied == 1
    assert copied_bodies(world) == sorted([ONE, TWO, THREE])


@given(
    source=contents,
    prior=contents,
    refused=st.sets(st.sampled_from(BODIES)),
    broken=faults,
    batch=st.integers(2, 6),
    lanes=st.sampled_from([1, 1, 3]),
    stores_part=st.booleans(),
)
def test_nothing_is_lost_or_doubled_and_refusals_are_reported(
    source: Content,
    prior: Content,
    refused: set[bytes],
    broken: Sequence[Strike],
    batch: int,
    lanes: int,
    *,
    stores_part: bool,
) -> None:
    world = World()
    world.destination.all_or_nothing = True
    world.destination.stores_part = stores_part
    fill(world.source, source)
    fill(world.destination, prior)
    world.destination.refuses = lambda body: "it does not like it" if body in refused else None
    prior_contents = world.contents(world.destination)
    watched = world.run(batch=batch, lanes=lanes, faults=broken)
    shown = world.contents(world.source)
    assert world.contents(world.destination) == expected(shown, prior_contents, [NOTICE, *refused])
    check_tallies(world, watched)
