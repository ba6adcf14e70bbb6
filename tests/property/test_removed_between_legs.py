"""The owner of the new mailbox removes, moves and gets mail between two legs of one import: what a leg saw
there is gone since, and stays away."""

from __future__ import annotations

from collections.abc import Callable
from unittest import mock

import pytest

from importer.domain.mailbox_content import Message
from importer.domain.messages.message_body import whole
from importer.domain.model import Import
from importer.engine.leg import LegEnd
from importer.engine.leg_context import TransferLimits
from tests.fakes.mailbox import Fault, MemoryMailbox
from tests.property.test_promise import check_tallies
from tests.property.world import Watcher, World, mail

DATE = "02-Feb-2003 04:05:06 +0000"
INBOX = 4
"""Messages in the INBOX, the largest folder, which is copied first."""


def _take_out(new: MemoryMailbox) -> Message:
    messages = new.folders["INBOX"].messages
    return messages.pop(min(messages))


def _remove(new: MemoryMailbox) -> None:
    _take_out(new)


def _remove_and_get_mail(new: MemoryMailbox) -> None:
    _remove(new)
    for number in range(2):
        new.folders["INBOX"].add((), DATE, mail("news", str(number), f"news{number}"))


def _move_away(new: MemoryMailbox) -> None:
    message = _take_out(new)
    new.create("Kept").add(message.flags, DATE, whole(message.body))


def _move_away_and_back(new: MemoryMailbox) -> None:
    message = _take_out(new)
    new.folders["INBOX"].add(message.flags, DATE, whole(message.body))


@pytest.mark.parametrize("uidplus", [True, False])
@pytest.mark.parametrize(
    ("acts", "gone"), [(_remove, 1), (_remove_and_get_mail, 1), (_move_away, 1), (_move_away_and_back, 0)]
)
@pytest.mark.parametrize("times", [1, 2])
def test_what_a_leg_saw_is_gone_and_stays_away(
    acts: Callable[[MemoryMailbox], None], gone: int, times: int, *, uidplus: bool
) -> None:
    world = World()
    world.destination.gives_uids = uidplus
    for name, messages in (("INBOX", INBOX), ("Work", 3), ("Travel", 3), ("Later", 3), ("Lists", 3)):
        for number in range(messages):
            world.source.create(name).add((), DATE, mail(name, str(number), f"{name}{number}"))
    left = [acts] * times
    run_leg = World._leg

    def leg(self: World, import_: Import, watcher: Watcher, limits: TransferLimits, legs_of: int) -> LegEnd:
        end = run_leg(self, import_, watcher, limits, legs_of)
        seen = watcher.tallies["INBOX"]
        if end is LegEnd.AGAIN and left and seen.confirmed and seen.confirmed == seen.copied:
            left.pop()(world.destination)
        return end

    with mock.patch.object(World, "_leg", leg):
        tally = world.run(batch=1, legs_of=5).tallies["INBOX"]
    held = list(world.destination.folders["INBOX"].messages)
    assert not left
    assert tally.confirmed == tally.copied
    for _ in range(2):
        watched = world.run()
        tally = watched.tallies["INBOX"]
        assert (tally.copied, tally.present, tally.gone) == (0, INBOX - gone * times, gone * times)
        check_tallies(world, watched)
    assert list(world.destination.folders["INBOX"].messages) == held


@pytest.mark.parametrize("how", [Fault.BEFORE, Fault.DURING, Fault.AFTER])
def test_a_folder_that_is_renamed_while_an_append_has_no_answer_is_copied_to_its_end(how: Fault) -> None:
    world, struck, messages = World(), list[str](), 6
    for number in range(messages):
        world.source.create("Work").add((), DATE, mail("Work", str(number), f"work{number}"))

    def strike(operation: str) -> Fault | None:
        """The second append and whatever follows it fail, until the folder is renamed."""
        if "Kept" in world.destination.folders or (operation != "append" and len(struck) < 2):
            return None
        struck.append(operation)
        if len(struck) == 2:
            return how
        if operation != "append":
            world.destination.folders["Kept"] = world.destination.folders.pop("Work")
            return Fault.BEFORE
        return None

    world.destination.fault = strike
    tally = world.run_with_own_faults(legs_of=100).tallies["Work"]
    held = [whole(m.body) for folder in world.destination.folders.values() for m in folder.messages.values()]
    assert "Kept" in world.destination.folders
    assert (tally.copied, tally.failed) == (messages, 0)
    assert sorted(held) == sorted(whole(m.body) for m in world.source.folders["Work"].messages.values())
