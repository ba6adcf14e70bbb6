"""A report's numbers about the new mailbox are those that the mailbox lists, not those of the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from importer.compact.uid_set import Uid, UidSet
from importer.domain.mailbox_content import AppendResult, FolderRef, Outgoing, Stored
from importer.domain.messages.message_body import whole
from importer.domain.model import Import, ImportId, Progress
from importer.domain.receipts.folder_tally import FolderTally, Refusal, RefusalCode
from importer.engine.leg_context import TransferLimits
from importer.ports.mailbox_errors import QuotaExceeded
from providers.errors import Side
from tests.fakes.mailbox import MemoryFolder, MemoryReader, MemoryWriter
from tests.property.world import DESTINATION, SOURCE, Watcher, World, mail

DATE = "02-Feb-1998 10:00:00 +0100"
BODIES = tuple(mail(f"subject {n}", f"text {n}", f"id{n}") for n in range(10))


def world_of(*bodies: bytes, uidplus: bool = True) -> World:
    world = World()
    world.destination.gives_uids = uidplus
    for body in bodies:
        world.source.create("Work").add((), DATE, body)
    return world


def there(world: World) -> MemoryFolder:
    return world.destination.folders["Work"]


def delete(world: World, *bodies: bytes) -> None:
    folder = there(world)
    for uid in [uid for uid, message in folder.messages.items() if whole(message.body) in bodies]:
        del folder.messages[uid]


def run(world: World) -> FolderTally:
    tally = world.run().tallies["Work"]
    assert tally.adds_up
    return tally


def numbers(tally: FolderTally) -> tuple[int, int, int, int]:
    return tally.copied, tally.present, tally.gone, tally.failed


def refusals(world: World) -> list[Refusal]:
    return list(world.store.refusals(ImportId(f"import{world.runs}")))


@contextmanager
def losing(goes: Callable[[bytes], bool]) -> Iterator[None]:
    """The server confirms these messages, with a UID, and does not keep them."""
    stored = MemoryWriter._stored

    def loses(session: MemoryWriter, target: MemoryFolder, message: Outgoing) -> AppendResult:
        result = stored(session, target, message)
        if goes(whole(message.body)) and isinstance(result, Stored):
            del target.messages[max(target.messages)]
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryWriter, "_stored", loses)
        yield


@contextmanager
def showing_after(world: World, seconds: int) -> Iterator[None]:
    """The destination lists no message within that time from now."""
    uids, began = MemoryReader.uids, world.clock.now()

    def late(session: MemoryReader, folder: FolderRef, at_or_above: Uid = Uid(1)) -> UidSet:
        waited = (world.clock.now() - began).total_seconds()
        hidden = session.side is Side.DESTINATION and waited < seconds
        return UidSet() if hidden else uids(session, folder, at_or_above)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryReader, "uids", late)
        yield


@pytest.mark.parametrize("uidplus", [True, False])
def test_copies_that_are_shown_late_are_seen_and_not_made_again(*, uidplus: bool) -> None:
    world = world_of(*BODIES, uidplus=uidplus)
    with showing_after(world, seconds=3):
        tally = run(world)
        assert (tally.copied, tally.confirmed) == (10, 10)
        assert numbers(run(world)) == (0, 10, 0, 0)
    assert len(there(world).messages) == 10


def test_copies_that_are_never_shown_are_waited_for_once_in_a_leg() -> None:
    world = world_of(*BODIES)
    world.source.create("Other").add((), DATE, mail("another", "text", "another"))
    began = world.clock.now()
    with losing(lambda _: True):
        assert world.run(legs_of=100).tallies["Work"].confirmed == 0
    assert world.clock.now() - began == TransferLimits().settle_quiet


@pytest.mark.parametrize("gone", [0, 4, 9])
def test_mail_that_arrives_does_not_stand_in_for_a_copy_removed_meanwhile(gone: int) -> None:
    """Without UIDPLUS: the number of messages is right, and which they are is not."""
    world = world_of(*BODIES, uidplus=False)
    stored = MemoryWriter._stored

    def changes(session: MemoryWriter, target: MemoryFolder, message: Outgoing) -> AppendResult:
        result = stored(session, target, message)
        if whole(message.body) == BODIES[-1]:
            del target.messages[sorted(target.messages)[gone]]
            target.add((), DATE, mail("news", "from elsewhere", "news"))
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryWriter, "_stored", changes)
        tally = run(world)
    assert (tally.copied, tally.confirmed) == (10, 9)
    assert numbers(run(world)) in ((0, 9, 1, 0), (0, 9, 0, 1), (1, 9, 0, 0))


def test_the_uid_of_an_earlier_message_proves_no_copy() -> None:
    world = world_of(BODIES[0])
    run(world)
    world.source.folders["Work"].add((), DATE, BODIES[1])

    def keeps_the_first(_session: MemoryWriter, target: MemoryFolder, _message: Outgoing) -> AppendResult:
        return Stored(min(target.messages))  # as in cyrusimap/cyrus-imapd#3847

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryWriter, "_stored", keeps_the_first)
        tally = run(world)
        assert (tally.copied, tally.present, tally.confirmed) == (1, 1, 0)
    assert (run(world).confirmed, len(there(world).messages)) == (1, 2)


@pytest.mark.parametrize("uidplus", [True, False])
@pytest.mark.parametrize("number", [3, 10])
def test_mail_that_its_owner_deleted_is_not_called_there(number: int, *, uidplus: bool) -> None:
    world = world_of(*BODIES, uidplus=uidplus)
    assert numbers(run(world)) == (10, 0, 0, 0)
    delete(world, *BODIES[:number])
    for _ in range(2):  # the second time both sides are unchanged
        assert numbers(run(world)) == (0, 10 - number, number, 0)
        assert len(there(world).messages) == 10 - number


@pytest.mark.parametrize("uidplus", [True, False])
def test_a_duplicate_of_a_new_copy_is_not_called_gone_because_others_are(*, uidplus: bool) -> None:
    """Found by the drill: the recount did not know the copies that its own import had made."""
    world = world_of(*BODIES[:5], uidplus=uidplus)
    run(world)
    delete(world, BODIES[0])
    for body in (BODIES[6], BODIES[6]):
        world.source.folders["Work"].add((), DATE, body)
    tally = run(world)
    assert (numbers(tally), tally.duplicate) == ((1, 4, 1, 0), 1)
    tally = run(world)
    assert (numbers(tally), tally.duplicate) == ((0, 5, 1, 0), 1)


@pytest.mark.parametrize("uidplus", [True, False])
def test_new_mail_does_not_stand_in_for_a_deleted_copy(*, uidplus: bool) -> None:
    world = world_of(*BODIES, uidplus=uidplus)
    run(world)
    delete(world, BODIES[4])
    there(world).add((), DATE, mail("news", "for the owner", "news"))
    assert numbers(run(world)) == (0, 9, 1, 0)


@pytest.mark.parametrize("uidplus", [True, False])
def test_mail_of_another_source_does_not_stand_in_for_a_deleted_copy(*, uidplus: bool) -> None:
    """Not even if its size is the same."""
    world = world_of(*BODIES, uidplus=uidplus)
    run(world)
    delete(world, BODIES[4])
    other = world.beside("bob@old.example")
    other.source.create("Work").add((), DATE, mail("subject X", "text X", "idX"))
    run(other)
    assert numbers(run(world)) == (0, 9, 1, 0)


def test_another_message_with_the_same_header_could_be_the_copy() -> None:
    world = world_of(*BODIES)
    run(world)
    delete(world, BODIES[4])
    there(world).add((), DATE, mail("subject 4", "TEXT 4", "id4"))
    tally = run(world)
    assert (tally.unchecked, *numbers(tally)) == (1, 0, 10, 0, 0)


def test_a_copy_with_the_same_header_is_not_the_deleted_one() -> None:
    full = [mail("disk", f"{percent}% full", "cron") for percent in (80, 90)]
    world = world_of(*full)
    run(world)
    delete(world, *full)
    there(world).add((), DATE, full[1])
    assert numbers(run(world)) == (0, 1, 1, 0)


@pytest.mark.parametrize("uidplus", [True, False])
def test_mail_that_was_moved_away_and_back_is_there(*, uidplus: bool) -> None:
    world = world_of(*BODIES, uidplus=uidplus)
    run(world)
    delete(world, *BODIES[:2])
    there(world).add((), DATE, BODIES[1])
    assert numbers(run(world)) == (0, 9, 1, 0)


def test_mail_in_a_removed_folder_is_gone() -> None:
    world = world_of(*BODIES)
    run(world)
    del world.destination.folders["Work"]
    for _ in range(2):
        assert numbers(run(world)) == (0, 0, 10, 0)
    world.source.folders["Work"].add((), DATE, mail("new", "new", "new"))
    for copied in (1, 0):
        assert numbers(run(world)) == (copied, 1 - copied, 10, 0)


def test_a_removed_folder_that_is_listed_as_a_parent_of_others_is_gone() -> None:
    world = world_of(*BODIES)
    run(world)
    there(world).messages.clear()
    there(world).selectable = False
    assert (run(world).unchecked, *numbers(run(world))) == (0, 0, 0, 10, 0)


@pytest.mark.parametrize("uidplus", [True, False])
def test_the_duplicate_of_a_deleted_message_is_gone_too(*, uidplus: bool) -> None:
    world = world_of(BODIES[0], BODIES[1], BODIES[0], uidplus=uidplus)
    assert run(world).duplicate == 1
    delete(world, BODIES[0])
    tally = run(world)
    assert (tally.duplicate, *numbers(tally)) == (0, 0, 1, 2, 0)


def test_a_folder_that_cannot_be_opened_could_not_be_checked() -> None:
    world = world_of(*BODIES)
    run(world)
    world.destination.closed.add("Work")
    tally = run(world)
    assert (tally.unchecked, *numbers(tally)) == (10, 0, 10, 0, 0)
    world.destination.closed.clear()
    assert run(world).unchecked == 0


def test_copies_that_were_never_seen_stay_failures_until_they_are() -> None:
    world = world_of(*BODIES)
    with losing(lambda body: body in BODIES[2:]):
        first = run(world)
    assert (first.copied, first.confirmed) == (10, 2)
    for _ in range(2):
        assert numbers(run(world)) == (0, 2, 0, 8)
        assert {(one.code, one.subject) for one in refusals(world)} == {
            (RefusalCode.NEVER_SEEN, f"subject {n}") for n in range(2, 10)
        }
    there(world).add((), DATE, BODIES[5])
    assert numbers(run(world)) == (0, 3, 0, 7)


def test_copies_that_were_never_seen_count_once_in_the_progress() -> None:
    world = world_of(*BODIES)
    with losing(lambda body: body in BODIES[2:]):
        run(world)
    progress = world.run().progress
    assert progress is not None
    assert (progress.messages_done, progress.messages_total) == (10, 10)


def test_copies_that_nothing_proves_are_made_again() -> None:
    world = world_of(*BODIES, uidplus=False)
    with losing(lambda body: body in BODIES[2:]):
        first = run(world)
    assert (first.copied, first.confirmed) == (10, 2)
    assert numbers(run(world)) == (8, 2, 0, 0)
    assert len(there(world).messages) == 10
    assert numbers(run(world)) == (0, 10, 0, 0)


def test_a_run_over_an_unchanged_pair_asks_nothing_more() -> None:
    world = world_of(*BODIES)
    run(world)
    delete(world, *BODIES[:3])
    run(world)
    asked: list[str] = []
    world.source.fault = world.destination.fault = asked.append
    tally = world.run_with_own_faults().tallies["Work"]
    assert numbers(tally) == (0, 7, 3, 0)
    assert set(asked) == {"list", "status"}


# --- An import that stops on its way -----------------------------------------------------------------


def an_import(world: World) -> Import:
    return Import(ImportId("stopped"), SOURCE, DESTINATION, world.clock.now())


def test_a_stopped_import_tells_the_totals_of_the_mailbox() -> None:
    world = world_of(*BODIES)
    for name in ("Later", "Last"):
        for body in BODIES[:5]:
            world.source.create(name).add((), DATE, body)
    world.destination.capacity_messages = 4
    watched = Watcher()
    with pytest.raises(QuotaExceeded):
        world._leg(an_import(world), watched, TransferLimits(batch_messages=2), 99)
    found = {name: tally.found for name, tally in watched.tallies.items()}
    assert found == {"INBOX": 0, "Work": 10, "Later": 5, "Last": 5}
    assert sum(tally.still_to_do for tally in watched.tallies.values()) == 16


def test_progress_does_not_go_back_while_a_leg_comes_to_its_folders() -> None:
    world = world_of(*BODIES)
    for body in BODIES[:6]:
        world.source.create("Later").add((), DATE, body)
    seen: list[Progress] = []

    class Monitor(Watcher):
        def progressed(self, progress: Progress) -> None:
            super().progressed(progress)
            seen.append(progress)

    import_, watched = an_import(world), Monitor()
    for lanes in (2, 2, 1, 1):
        world._leg(import_, watched, TransferLimits(batch_messages=2, lanes=lanes), 3 if lanes == 2 else 9)
        import_ = replace(import_, progress=seen[-1])
    done = [progress.messages_done for progress in seen]
    assert done == sorted(done)
    assert done[-1] == 16


def test_copies_that_the_server_gave_another_message_id_are_not_called_removed() -> None:
    """Without UIDPLUS, and with other fields and another size: Date and Subject alone are left of them."""
    world = world_of(*BODIES, uidplus=False)
    world.destination.stores = lambda body: body.replace(b"Message-ID: <", b"X-By: new\r\nMessage-ID: <new.")
    assert run(world).confirmed == 10
    delete(world, world.destination.stores(BODIES[4]))
    there(world).add((), DATE, mail("from elsewhere", "text", "elsewhere"))
    tally = run(world)
    assert numbers(tally) == (0, 9, 1, 0)
    assert tally.unchecked == 9


ALIKE = (mail("disk", "80% full", "cron"), mail("disk", "90% full", "cron"))


@pytest.mark.parametrize("removed", ALIKE)
def test_a_message_of_equal_header_and_size_does_not_stand_in_for_a_removed_one(removed: bytes) -> None:
    world = world_of(*ALIKE, *BODIES, uidplus=False)
    run(world)
    delete(world, removed)
    for _ in range(2):
        assert numbers(run(world)) == (0, 11, 1, 0)


def test_the_copy_of_another_source_does_not_stand_in_for_a_removed_one() -> None:
    """Both were sent the same message, on different ways."""
    sent = [mail("greetings", "text", "both", f"Received: by {by}") for by in ("one", "the other")]
    one = world_of(sent[0], *BODIES, uidplus=False)
    other = one.beside("bob")
    other.source.create("Work").add((), DATE, sent[1])
    run(one)
    run(other)
    assert sent[1] in {whole(message.body) for message in there(one).messages.values()}
    delete(one, sent[0])
    for _ in range(2):
        assert numbers(run(one)) == (0, 10, 1, 0)
