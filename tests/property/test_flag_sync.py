"""Flags over the life of a mailbox: both owners change them, imports run in between, connections break.

The oracle remembers which flags the owner of the destination ever changed there, and which ones imports set;
it knows nothing of how imports decide.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from importer.compact.uid_set import Uid
from importer.domain.folder_mapping.folder_patterns import read_patterns
from importer.domain.import_options import ImportOptions
from tests.fakes.mailbox import Fault, MemoryMailbox
from tests.property.world import World, mail

MESSAGES = 5
FLAGS = ("\\Seen", "\\Flagged", "$Label1")
COMMANDS = ("flags", "change_flags", "status", "uids", "list")
Flip = tuple[str, int, str]
"""Side, message number, flag."""

flips = st.tuples(
    st.sampled_from(("source", "destination")), st.integers(1, MESSAGES), st.sampled_from(FLAGS)
)
strikes = st.tuples(st.sampled_from(COMMANDS), st.sampled_from([Fault.BEFORE, Fault.DURING, Fault.AFTER]))


def flip(mailbox: MemoryMailbox, number: int, flag: str) -> None:
    messages = mailbox.folders["INBOX"].messages
    message = messages[Uid(number)]
    flags = tuple(kept for kept in message.flags if kept != flag)
    messages[Uid(number)] = message._replace(flags=flags if flag in message.flags else (*flags, flag))


def flag_states(mailbox: MemoryMailbox) -> dict[tuple[int, str], bool]:
    """Flags by body: an append that is repeated over several lanes may change the order."""
    flags_of = {message.body: message.flags for message in mailbox.folders["INBOX"].messages.values()}
    return {(n, flag): flag in flags_of[mail("m", str(n))] for n in range(1, MESSAGES + 1) for flag in FLAGS}


@given(
    rounds=st.lists(st.tuples(st.lists(flips, max_size=6), st.lists(strikes, max_size=3)), max_size=5),
    keeps_modseqs=st.booleans(),
)
@example(  # both owners read it, then the source's owner marks it unread
    rounds=[([("destination", 1, "\\Seen"), ("source", 1, "\\Seen")], []), ([("source", 1, "\\Seen")], [])],
    keeps_modseqs=True,
)
@example(  # interrupted after the change: the next leg must not take it for the owner's
    rounds=[([("source", 1, "\\Seen")], [("change_flags", Fault.AFTER)]), ([("source", 1, "\\Seen")], [])],
    keeps_modseqs=True,
)
def test_flags_follow_the_source_unless_the_owner_changed_them(
    rounds: list[tuple[list[Flip], list[tuple[str, Fault]]]], keeps_modseqs: bool
) -> None:
    world = World(options=ImportOptions(sync_flags=True))
    world.source.keeps_modseqs = keeps_modseqs
    for number in range(1, MESSAGES + 1):
        world.source.folders["INBOX"].add((), "02-Feb-2003 04:05:06 +0000", mail("m", str(number)))
    world.run()
    touched: set[tuple[int, str]] = set()  # ever changed by the destination's owner
    set_by_import = flag_states(world.destination)
    for changes, faults in rounds:
        for whose, number, flag in changes:
            flip(getattr(world, whose), number, flag)
            if whose == "destination":
                touched.add((number, flag))
        before = flag_states(world.destination)
        watched = world.run(faults=faults)
        after, wanted = flag_states(world.destination), flag_states(world.source)
        for at in before:
            if at not in touched:
                assert after[at] == wanted[at], f"{at} does not follow"
            elif before[at] != set_by_import[at]:
                assert after[at] == before[at], f"{at} was changed by its owner"
        set_by_import |= {at: after[at] for at in after if after[at] != before[at]}
        if not faults:
            changed = {number for number, flag in before if before[number, flag] != after[number, flag]}
            assert watched.tallies["INBOX"].flags_updated == len(changed)


def test_without_the_option_copied_flags_do_not_change() -> None:
    world = World()
    world.source.folders["INBOX"].add((), "02-Feb-2003 04:05:06 +0000", mail("m", "1"))
    world.run()
    flip(world.source, 1, "\\Seen")
    world.run()
    assert world.destination.folders["INBOX"].messages[Uid(1)].flags == ()


def test_a_folder_without_changes_is_not_read() -> None:
    world = World(options=ImportOptions(sync_flags=True))
    world.source.folders["INBOX"].add((), "02-Feb-2003 04:05:06 +0000", mail("m", "1"))
    commands: list[str] = []
    world.run()
    world.source.fault = world.destination.fault = commands.append
    world.run_with_own_faults()
    assert not {"flags", "uids", "messages"} & set(commands)
    flip(world.source, 1, "\\Seen")
    world.run_with_own_faults()
    assert "flags" in commands
    assert world.destination.folders["INBOX"].messages[Uid(1)].flags == ("\\Seen",)


def _leave_out(world: World) -> None:
    world.options = ImportOptions(sync_flags=True, folders=read_patterns("INBOX"))


def _rename(world: World) -> None:
    world.destination.folders["Kept"] = world.destination.folders.pop("Work")


def _refuse(world: World) -> None:
    world.destination.refuses_flags = True


def _put_right(world: World) -> None:
    world.options = ImportOptions(sync_flags=True)
    world.destination.refuses_flags = False
    if "Kept" in world.destination.folders:
        world.destination.folders["Work"] = world.destination.folders.pop("Kept")


@pytest.mark.parametrize("meanwhile", [_leave_out, _rename, _refuse])
def test_a_change_that_one_import_could_not_carry_over_is_left_to_the_next(
    meanwhile: Callable[[World], None],
) -> None:
    world = World(options=ImportOptions(sync_flags=True))
    world.source.create("Work").add((), "02-Feb-2003 04:05:06 +0000", mail("m", "1"))
    world.run()
    messages = world.source.folders["Work"].messages
    messages[Uid(1)] = messages[Uid(1)]._replace(flags=("\\Seen",))
    meanwhile(world)
    for _ in range(2):
        assert world.run().tallies["Work"].flags_updated == 0
    _put_right(world)
    assert world.run().tallies["Work"].flags_updated == 1
    assert world.destination.folders["Work"].messages[Uid(1)].flags == ("\\Seen",)


def test_a_flag_that_the_owner_sets_after_the_server_refused_it_is_the_owners() -> None:
    world = World(options=ImportOptions(sync_flags=True))
    world.source.folders["INBOX"].add((), "02-Feb-2003 04:05:06 +0000", mail("m", "1"))
    world.run()
    flip(world.source, 1, "\\Seen")
    world.destination.refuses_flags = True
    world.run()
    flip(world.destination, 1, "\\Seen")
    world.destination.refuses_flags = False
    world.run()
    flip(world.source, 1, "\\Seen")
    world.run()
    assert world.destination.folders["INBOX"].messages[Uid(1)].flags == ("\\Seen",)
