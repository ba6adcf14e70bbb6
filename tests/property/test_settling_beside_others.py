"""Doubtful appends beside another old mailbox, and a kill while one is settled."""

from __future__ import annotations

from typing import Any

import pytest

from importer.domain.messages.message_body import whole
from importer.domain.model import Import, ImportId
from importer.engine.leg import LegEnd
from importer.engine.leg_context import TransferLimits
from tests.fakes.mailbox import Fault
from tests.fakes.store import MemoryStore
from tests.property.test_what_is_there import BODIES, DATE, there, world_of
from tests.property.world import DESTINATION, Watcher, World


def one_leg(world: World, import_id: str = "import1", **facts: Any) -> LegEnd:
    import_ = Import(ImportId(import_id), world.account, DESTINATION, world.clock.now(), **facts)
    return world._leg(import_, Watcher(), TransferLimits(batch_messages=20), 1000)


def test_a_copy_from_another_old_mailbox_is_not_a_lost_append_of_ours() -> None:
    """An undo of one import would remove mail of both."""
    world = world_of(BODIES[0])
    other = world.beside("bob@old.example")
    other.source.create("Work").add((), DATE, BODIES[0])
    lost: list[str] = []

    def ends(operation: str) -> Fault | None:
        lost.extend([operation] if operation == "append" else [])
        return Fault.BEFORE if lost else None

    world.destination.fault = ends
    one_leg(other, "import of bob")
    world.run()
    other.run()
    copied = [
        receipt
        for route in world.store.routes_into(DESTINATION)
        for receipt in world.store.receipts(route, "Work")
        if receipt.outcome == "copied"
    ]
    assert len(copied) == 1


def test_a_lost_append_that_another_old_mailbox_found_there_counts_as_copied() -> None:
    """The other one's receipt names its UID; an undo of our import has to find the copy."""
    world = world_of(BODIES[0])
    other = world.beside("bob@old.example")
    other.source.create("Work").add((), DATE, BODIES[0])
    lost: list[str] = []

    def ends(operation: str) -> Fault | None:
        is_first = operation == "append" and not lost
        lost.extend([operation] if is_first else [])
        return Fault.AFTER if is_first else Fault.BEFORE if lost else None

    world.destination.fault = ends
    one_leg(world)
    world.destination.fault = lambda _operation: None
    assert other.run().tallies["Work"].present == 1
    assert world.run().tallies["Work"].copied == 1


class Killed(BaseException):
    pass


class DiesAfterReceipts(MemoryStore):
    dies = False

    def record(self, *arguments: Any, **options: Any) -> None:
        super().record(*arguments, **options)
        if self.dies and arguments[2]:
            raise Killed


def test_a_kill_after_an_append_in_a_renamed_folder_was_settled_brings_nothing_back() -> None:
    world = World(store=DiesAfterReceipts())
    assert isinstance(world.store, DiesAfterReceipts)
    for body in BODIES[:2]:
        world.source.create("Work").add((), DATE, body)
    other = world.beside("bob@old.example")
    other.source.create("Work").add((), DATE, BODIES[5])
    lost: list[str] = []

    def ends(operation: str) -> Fault | None:
        if operation == "append" and not lost:
            lost.append(operation)
            return Fault.AFTER
        return Fault.BEFORE if lost else None

    world.destination.fault = ends
    one_leg(world)
    world.destination.fault = lambda _operation: None
    world.destination.folders["Kept"] = world.destination.folders.pop("Work")  # its owner renames it
    other.run()  # and it is created for another old mailbox
    world.store.dies = True
    with pytest.raises(Killed):
        one_leg(world)
    world.store.dies = False
    world.run()
    assert [whole(m.body) for m in there(world).messages.values()] == [BODIES[5]]
