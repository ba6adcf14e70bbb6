"""Single scenarios, each on its own: the cases that the properties combine."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from importer.compact.uid_set import Uid, UidSet, UidValidity
from importer.domain.mailbox_content import AppendResult, FolderRef, FolderStatus, Outgoing
from importer.domain.messages.message_body import whole
from importer.domain.model import Import, ImportId, Route
from importer.domain.receipts.folder_tally import FolderTally, RefusalCode
from importer.domain.receipts.receipt import Receipt
from importer.domain.reporting.totals import Totals
from importer.engine.doubts import SAMPLE
from importer.engine.folder_copy import REFUSED_AT_ONCE
from importer.engine.leg import LegEnd
from importer.engine.leg_context import TransferLimits
from importer.ports.mailbox_errors import FolderChanged, FolderUnusable, QuotaExceeded
from providers.endpoint import FolderRole
from providers.errors import ConnectionLost, ServerUnavailable, Side, Throttled
from tests.english import reason_said
from tests.fakes.mailbox import Fault, MemoryMailbox, MemoryReader, MemoryWriter
from tests.fakes.store import MemoryStore
from tests.property.world import BODIES, DESTINATION, SOURCE, Strike, Watcher, World, mail

DATE = "02-Feb-1998 10:00:00 +0100"
ONE, TWO, THREE, FOUR, FIVE, SIX = (mail(f"number {n}", f"text {n}", f"m{n}") for n in range(1, 7))


def world_of(*bodies: bytes, folder: str = "Work") -> World:
    world = World()
    for body in bodies:
        world.source.create(folder).add((), DATE, body)
    return world


def copied_bodies(world: World, folder: str = "Work") -> list[bytes]:
    target = world.destination.folders.get(folder)
    return [whole(message.body) for message in target.messages.values()] if target else []


@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize("command", ["append", "messages", "uids", "status", "sizes", "list", "create"])
@pytest.mark.parametrize("gives_uids", [True, False])
def test_a_connection_lost_at_any_command_costs_nothing(command: str, fault: Fault, gives_uids: bool) -> None:
    world = world_of(ONE, TWO, THREE)
    world.destination.gives_uids = gives_uids
    watched = world.run(batch=2, faults=[(command, fault), (command, fault)])
    assert sorted(copied_bodies(world)) == [ONE, TWO, THREE]
    tally = watched.tallies["Work"]
    # What landed without a reply counts as copied, not as "already there".
    assert (tally.found, tally.copied, tally.confirmed) == (3, 3, 3)


def test_a_late_append_is_awaited() -> None:
    world = world_of(ONE, TWO)
    began = world.clock.now()
    watched = world.run(faults=[("append", Fault.LATE)])
    assert copied_bodies(world) == [ONE, TWO]
    assert watched.tallies["Work"].copied == 2
    assert (world.clock.now() - began).total_seconds() < 5


def test_a_late_append_is_awaited_although_the_one_before_it_is_there() -> None:
    world = world_of(ONE, TWO)
    world.run(batch=1, faults=[("append", Fault.AFTER), ("append", Fault.LATE)])
    assert copied_bodies(world) == [ONE, TWO]


def test_a_lost_append_is_repeated_after_settle_quiet() -> None:
    world = world_of(ONE)
    world.clock.on_sleep = lambda: None
    began = world.clock.now()
    world.run(faults=[("append", Fault.LATE)])
    assert copied_bodies(world) == [ONE]
    assert (world.clock.now() - began).total_seconds() >= 9


def test_without_doubtful_appends_there_is_no_wait() -> None:
    world = world_of(ONE, TWO)
    began = world.clock.now()
    world.run()
    world.run()
    assert world.clock.now() == began


def test_mail_that_vanishes_during_the_copy_is_reported() -> None:
    world = world_of(ONE, TWO, THREE)
    work = world.source.folders["Work"]
    fetched = 0

    def expunge(operation: str) -> None:
        nonlocal fetched
        fetched += operation == "messages"
        if operation == "messages" and fetched == 1:
            for uid in [uid for uid, message in work.messages.items() if message.body == TWO]:
                del work.messages[uid]

    world.source.fault = expunge
    watched = world.run_with_own_faults(batch=2)
    tally = watched.tallies["Work"]
    assert copied_bodies(world) == [ONE, THREE]
    assert tally.adds_up
    assert tally.found == 3
    assert sum(tally.skipped.values()) == 1


def test_a_later_import_does_not_count_what_vanished_during_an_earlier_one() -> None:
    world = world_of(ONE, TWO, THREE, FOUR)
    work = world.source.folders["Work"]

    def expunge_after_the_first_leg() -> None:
        work.messages.pop(Uid(1), None)

    world.clock.on_sleep = expunge_after_the_first_leg
    assert world.run(batch=1, legs_of=2).tallies["Work"].found == 4  # as listed to this import
    for _ in range(2):
        tally = world.run().tallies["Work"]
        assert (tally.found, tally.present, tally.source_recount) == (3, 3, 3)


def test_a_removed_folder_is_recreated_only_for_new_mail() -> None:
    world = world_of(ONE, TWO)
    world.run()
    del world.destination.folders["Work"]
    world.run()
    assert "Work" not in world.destination.folders
    world.source.folders["Work"].add((), DATE, THREE)
    world.run(faults=[("create", Fault.AFTER)])
    assert copied_bodies(world) == [THREE]
    world.run()
    assert copied_bodies(world) == [THREE]


@pytest.mark.parametrize("known", [True, False], ids=["known to both", "new to the other source"])
def test_a_folder_recreated_for_another_source_brings_nothing_back(known: bool) -> None:
    world = world_of(ONE, TWO)
    other = world.beside("bob@old.example")
    other.source.create("Work" if known else "Lists").add((), DATE, THREE)
    world.run()
    other.run()
    world.destination.folders["Kept"] = world.destination.folders.pop("Work")
    other.source.create("Work").add((), DATE, FOUR)
    other.run(faults=[("create", Fault.AFTER)])
    assert copied_bodies(world) == [FOUR]
    watched = world.run()
    assert copied_bodies(world) == [FOUR]
    assert watched.tallies["Work"].adds_up
    world.source.folders["Work"].add((), DATE, FIVE)
    world.run()
    assert copied_bodies(world) == [FOUR, FIVE]


def test_a_folder_recreated_by_others_gets_everything() -> None:
    world = world_of(ONE, TWO)
    world.run()
    del world.destination.folders["Work"]
    world.destination.create("Work").add((), DATE, THREE)
    world.destination.create("Work").add((), DATE, ONE)
    world.run()
    assert sorted(copied_bodies(world)) == [ONE, TWO, THREE]


def test_a_new_folder_with_a_reused_uidvalidity_is_detected() -> None:
    world = world_of(ONE, TWO)
    world.run()
    work = world.destination.folders["Work"]
    work.messages.clear()
    work.uidnext = 1
    world.run()
    assert copied_bodies(world) == [ONE, TWO]


def test_a_new_folder_with_a_reused_uidvalidity_gets_everything_though_it_has_grown() -> None:
    world = world_of(ONE, TWO, THREE, FOUR)
    other = world.beside("bob@old.example")
    other.source.create("Work").add((), DATE, FIVE)
    other.run()
    world.run()
    work = world.destination.folders["Work"]
    work.messages.clear()
    work.uidnext = 1
    for body in BODIES[:4]:
        work.add((), DATE, body)
    watched = world.run()
    assert sorted(copied_bodies(world)) == sorted([*BODIES[:4], ONE, TWO, THREE, FOUR])
    assert (watched.tallies["Work"].copied, watched.tallies["Work"].present) == (4, 0)
    assert other.run().tallies["Work"].copied == 1
    assert copied_bodies(world).count(FIVE) == 1
    world.destination.folders["Work"].messages.clear()  # its owner does
    assert [one.run().tallies["Work"].gone for one in (world, other)] == [4, 1]
    assert copied_bodies(world) == []


def test_a_uidnext_that_is_too_low_brings_nothing_back(monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_of(ONE, TWO, THREE)
    status = MemoryReader.status

    def too_low(session: MemoryReader, folder: str) -> FolderStatus:
        told = status(session, folder)
        return replace(told, uidnext=Uid(2)) if session.side is Side.DESTINATION else told

    monkeypatch.setattr(MemoryReader, "status", too_low)
    world.run(batch=1)
    del world.destination.folders["Work"].messages[Uid(2)]
    world.source.folders["Work"].add((), DATE, FOUR)
    tally = world.run(batch=1).tallies["Work"]
    assert copied_bodies(world) == [ONE, THREE, FOUR]
    assert (tally.copied, tally.present, tally.gone) == (1, 2, 1)


@pytest.mark.parametrize("broken", [[], [("create", Fault.AFTER)], [("append", Fault.AFTER)]])
def test_a_new_mailbox_with_reused_uidvalidities_gets_everything_again(broken: list[Strike]) -> None:
    world = world_of(ONE, TWO)
    for number in range(4):
        world.source.folders["INBOX"].add((), DATE, BODIES[number])
    world.source.create("Notes").add((), DATE, THREE)
    world.run()
    numbers = {name: folder.uidvalidity for name, folder in world.destination.folders.items()}
    world.destination = MemoryMailbox()
    for name in ("INBOX", "Notes"):  # the server creates these for each mailbox
        world.destination.create(name).uidvalidity = numbers[name]
    world.__post_init__()
    world.destination.folders["INBOX"].add((), DATE, FOUR)
    tallies = world.run(faults=broken).tallies
    assert copied_bodies(world) == [ONE, TWO]
    assert copied_bodies(world, "INBOX") == [FOUR, *BODIES[:4]]
    assert copied_bodies(world, "Notes") == [THREE]
    assert [tallies[name].copied for name in ("INBOX", "Work", "Notes")] == [4, 2, 1]
    del world.destination.folders["Work"]  # its owner does
    world.run()
    assert "Work" not in world.destination.folders


def test_a_new_mailbox_gets_everything_again() -> None:
    world = world_of(ONE, TWO)
    world.run()
    world.destination = MemoryMailbox()
    world.destination.renumber("INBOX")
    world.__post_init__()
    world.run(faults=[("create", Fault.AFTER), ("append", Fault.AFTER)])
    assert copied_bodies(world) == [ONE, TWO]


@pytest.mark.parametrize("recreated", [False, True], ids=["gone", "created again for another source"])
@pytest.mark.parametrize("gives_uids", [True, False])
def test_a_lost_append_is_found_in_a_renamed_folder(gives_uids: bool, recreated: bool) -> None:
    world = world_of(ONE, TWO, THREE, FOUR)
    world.destination.gives_uids = gives_uids
    other = world.beside("bob@old.example")
    other.source.create("Work").add((), DATE, FIVE)
    appends = 0

    def lose_the_second_reply(operation: str) -> Fault | None:
        """And everything else in that leg."""
        nonlocal appends
        if appends == 2:
            return Fault.BEFORE
        appends += operation == "append"
        return Fault.AFTER if appends == 2 else None

    def rename_after_the_leg() -> None:
        nonlocal appends
        held = world.store.acquire("mailbox", "owner", timedelta(minutes=1))
        if held is not None:
            world.store.release(held)
        if held is not None and appends == 2:
            appends = 3
            world.destination.folders["Kept"] = world.destination.folders.pop("Work")
            if recreated:
                other.run()
                world.destination.fault = lambda _operation: None

    world.destination.fault = lose_the_second_reply
    world.clock.on_sleep = rename_after_the_leg
    world.run_with_own_faults(batch=2)
    world.run()
    assert copied_bodies(world, "Kept") == [ONE, TWO, THREE, FOUR]
    assert copied_bodies(world) == ([FIVE] if recreated else [])


def test_an_inbox_that_alone_was_renumbered_brings_no_removed_folder_back() -> None:
    world = world_of(ONE, TWO)
    for number, folder in enumerate(("Lists", "Notes")):
        world.source.create(folder).add((), DATE, (THREE, FOUR)[number])
    world.run()
    del world.destination.folders["Work"]
    del world.destination.folders["Notes"]
    world.source.folders["Notes"].add((), DATE, FIVE)
    world.run()
    del world.destination.folders["Notes"]
    world.destination.renumber("INBOX")
    world.run(faults=[("list", Fault.AFTER)])
    assert "Work" not in world.destination.folders
    world.source.folders["Work"].add((), DATE, FIVE)
    world.source.folders["Notes"].add((), DATE, SIX)
    world.run()
    assert copied_bodies(world) == [FIVE]
    assert copied_bodies(world, "Notes") == [SIX]
    assert copied_bodies(world, "Lists") == [THREE]


def test_a_renumbered_destination_folder_gets_nothing_twice() -> None:
    world = world_of(ONE, TWO)
    world.run()
    world.destination.renumber("Work")
    watched = world.run()
    assert copied_bodies(world) == [ONE, TWO]
    assert watched.tallies["Work"].present == 2


def test_a_renumbered_source_folder_brings_nothing_back() -> None:
    world = world_of(ONE, TWO)
    world.run()
    world.source.renumber("Work")
    world.destination.folders["Work"].messages.clear()
    watched = world.run()
    assert copied_bodies(world) == []
    assert (watched.tallies["Work"].present, watched.tallies["Work"].gone) == (0, 2)


def test_merging_two_folders_doubles_nothing() -> None:
    world = world_of(ONE, TWO, folder="Sent")
    world.source.create("Gesendet").add((), DATE, ONE)
    world.source.create("Gesendet").add((), DATE, THREE)
    world.source.folders["Gesendet"].role = FolderRole.SENT  # "Sent" only shares its name with the target
    world.destination.create("Sent")
    watched = world.run(batch=1)
    assert sorted(copied_bodies(world, "Sent")) == [ONE, TWO, THREE]
    assert all(tally.adds_up for tally in watched.tallies.values())


def test_lost_records_are_rebuilt_from_the_destination() -> None:
    world = world_of(*BODIES[:6])
    world.run()
    world.store = type(world.store)()  # an empty database, or an old backup
    watched = world.run()
    assert sorted(copied_bodies(world)) == sorted(BODIES[:6])
    assert watched.tallies["Work"].present == 6


def test_a_message_that_is_listed_but_not_handed_out_is_refused() -> None:
    world = world_of(ONE, TWO, THREE)
    world.source.withholds = lambda body: body == TWO
    watched = world.run()
    tally = watched.tallies["Work"]
    assert (tally.copied, tally.failed, sum(tally.skipped.values())) == (2, 1, 0)
    assert tally.adds_up
    world.source.withholds = lambda _body: False
    world.run()  # the next import tries it again
    assert sorted(copied_bodies(world)) == [ONE, TWO, THREE]


@pytest.mark.parametrize("fault", [Fault.AFTER, Fault.LATE, Fault.DURING])
def test_a_host_that_alters_messages_gets_nothing_twice(fault: Fault) -> None:
    world = world_of(ONE, TWO, THREE)
    world.destination.stores = lambda body: body + b"X-Touched: yes\r\n"
    world.run(batch=3, faults=[("append", fault)])
    assert len(copied_bodies(world)) == 3
    world.run()
    assert len(copied_bodies(world)) == 3


def test_an_unavailable_inbox_does_not_recreate_a_removed_folder() -> None:
    world = world_of(ONE, TWO)
    world.run()
    del world.destination.folders["Work"]
    world.destination.closed.add("INBOX")
    with pytest.raises(ServerUnavailable):
        world.run()
    world.destination.closed.clear()
    world.run()
    assert "Work" not in world.destination.folders


def test_a_source_folder_renamed_during_an_import_stays_in_the_tally() -> None:
    world = world_of(*BODIES[:6])
    gone = False

    def rename(operation: str) -> None:
        nonlocal gone
        if operation == "list" and world.destination.folders.get("Work") and not gone:
            gone = bool(world.destination.folders["Work"].messages)
            if gone:
                world.source.folders["Job"] = world.source.folders.pop("Work")

    world.source.fault = rename
    watched = world.run_with_own_faults(batch=2, legs_of=0)
    assert gone
    assert all(tally.adds_up for tally in watched.tallies.values())
    assert sorted(copied_bodies(world, "Job")) == sorted(BODIES[:6])


def test_a_folder_that_no_longer_opens_keeps_its_copies() -> None:
    world = world_of(*BODIES[:6])
    done = 0

    def close(operation: str) -> None:
        nonlocal done
        done += operation == "append"
        if operation == "list" and done:
            world.source.closed.add("Work")

    world.source.fault = world.destination.fault = close
    watched = world.run_with_own_faults(batch=2, legs_of=0)
    tally = watched.tallies["Work"]
    assert tally.copied == len(copied_bodies(world)) == 4  # one batch, and one in flight
    assert tally.adds_up
    assert [refusal.folder for refusal in world.store.refusals(ImportId("import1"))] == ["Work"]


def test_one_message_that_breaks_every_append_does_not_stop_the_import() -> None:
    world = world_of(*BODIES[:6], ONE)

    def breaks(body: bytes) -> str | None:
        if body == ONE:
            raise ConnectionLost()
        return None

    world.destination.refuses = breaks
    watched = world.run(batch=4)
    assert sorted(copied_bodies(world)) == sorted(BODIES[:6])
    tally = watched.tallies["Work"]
    assert (tally.copied, tally.failed) == (6, 1)
    assert tally.adds_up


@pytest.mark.parametrize("lanes", [2, 4])
def test_several_lanes_share_a_large_folder_and_double_nothing(lanes: int) -> None:
    many = [mail(f"number {n}", f"text {n % 150}", f"m{n % 150}") for n in range(200)]
    same = [mail("twins", f"text {n % 5}") for n in range(50)]
    world = world_of(*many, *same)
    watched = world.run(batch=3, legs_of=1000, lanes=lanes)
    assert sorted(copied_bodies(world)) == sorted({*many, *same})
    tally = watched.tallies["Work"]
    assert tally.adds_up
    assert tally.copied == len({*many, *same})
    assert tally.confirmed == tally.copied


def test_twins_met_by_several_lanes_are_stored_once() -> None:
    world = world_of(*[ONE] * 8)

    def take_a_while(operation: str) -> None:
        if operation == "append":
            time.sleep(0.02)

    world.destination.fault = take_a_while
    watched = world.run_with_own_faults(batch=1, legs_of=1000, lanes=4)
    assert copied_bodies(world) == [ONE]
    tally = watched.tallies["Work"]
    assert (tally.copied, tally.duplicate) == (1, 7)


def test_a_folder_that_fails_at_a_message_with_twins_ends_in_refusals() -> None:
    world = world_of(ONE, ONE, TWO)

    def closes(_body: bytes) -> str | None:
        raise FolderUnusable(side=Side.DESTINATION)

    world.destination.refuses = lambda body: closes(body) if body == ONE else None
    tally = world.run(batch=1, legs_of=1000).tallies["Work"]
    assert (tally.copied, tally.failed) == (0, 3)
    assert tally.adds_up


def test_a_huge_unusable_folder_is_refused_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_of(*(mail(f"number {n}", f"text {n}") for n in range(2 * REFUSED_AT_ONCE + 500)))

    def closes(_body: bytes) -> str | None:
        raise FolderUnusable(side=Side.DESTINATION)

    world.destination.refuses = closes
    refusals_per_record: list[int] = []
    record = MemoryStore.record

    def recorded(store: MemoryStore, *arguments: Any, **more: Any) -> None:
        refusals_per_record.append(len(arguments[3]))
        record(store, *arguments, **more)

    monkeypatch.setattr(MemoryStore, "record", recorded)
    tally = world.run(batch=100, legs_of=1000).tallies["Work"]
    assert (tally.copied, tally.failed) == (0, 2 * REFUSED_AT_ONCE + 500)
    assert tally.adds_up
    assert [number for number in refusals_per_record if number] == [REFUSED_AT_ONCE, REFUSED_AT_ONCE, 500]
    codes = {refusal.code for refusal in world.store.refusals(ImportId("import1"))}
    assert codes == {RefusalCode.FOLDER_UNUSABLE}


def test_receipts_are_read_once_for_each_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_of(ONE, TWO)
    read: list[str] = []
    receipts = MemoryStore.receipts

    def recording(store: MemoryStore, route: Route, folder: str) -> Iterator[Receipt]:
        read.append(folder)
        return receipts(store, route, folder)

    monkeypatch.setattr(MemoryStore, "receipts", recording)
    assert world.run().tallies["Work"].copied == 2
    assert "Work" not in read  # nothing was recorded there before
    world.source.folders["Work"].add((), DATE, BODIES[0])
    assert world.run().tallies["Work"].copied == 1
    assert read.count("Work") == 1


def test_other_lanes_do_the_work_of_lanes_that_cannot_open() -> None:
    world = world_of(*(mail(f"number {n}", f"text {n}") for n in range(30)))
    world.refuse_lanes_above = 1
    watched = world.run(batch=2, legs_of=1000, lanes=6)
    assert watched.tallies["Work"].copied == 30


def test_a_refused_message_is_sent_by_few_legs() -> None:
    """Legs that are too short for a second try do not repeat the first one without end."""
    bodies = [mail(f"number {n}", f"text {n}") for n in range(8)]
    world = world_of(*bodies)
    sent: list[bytes] = []

    def refuses(body: bytes) -> str | None:
        sent.append(body)
        return "it does not like it" if body in bodies[:6] else None

    world.destination.refuses = refuses
    tally = world.run(batch=1, legs_of=0).tallies["Work"]
    assert (tally.copied, tally.failed) == (2, 6)
    codes = {refusal.code for refusal in world.store.refusals(ImportId("import1"))}
    assert codes == {RefusalCode.NOT_TAKEN}
    assert all(sent.count(body) <= 4 for body in bodies[:6])
    assert all(sent.count(body) == 1 for body in bodies[6:])


def test_bare_line_feeds_become_crlf_and_are_copied_once() -> None:
    world = world_of(b"Subject: x\n\na\r\nb\n")
    for _ in range(2):
        tally = world.run().tallies["Work"]
    assert copied_bodies(world) == [b"Subject: x\r\n\r\na\r\nb\r\n"]
    assert (tally.copied, tally.present) == (0, 1)


@pytest.mark.parametrize("stores", [lambda body: body, lambda body: body.replace(b"full", b"FULL")])
def test_a_copy_without_a_uid_is_not_mistaken_for_a_lost_append(
    stores: Callable[[bytes], bytes],
) -> None:
    """Both were in flight together and share their headers."""
    eighty, ninety = BODIES[0], BODIES[1]
    world = world_of(eighty, ninety)
    world.destination.gives_uids = False
    world.destination.stores = stores
    appends = 0

    def second_is_lost(operation: str) -> Fault | None:
        nonlocal appends
        appends += operation == "append"
        return Fault.BEFORE if operation == "append" and appends == 2 else None

    world.destination.fault = second_is_lost
    tally = world.run_with_own_faults(batch=1, legs_of=1000).tallies["Work"]
    assert copied_bodies(world) == [stores(eighty), stores(ninety)]
    assert (tally.copied, tally.confirmed) == (2, 2)


@pytest.mark.parametrize("renumbered", [True, False])
def test_a_lost_reply_is_settled_when_the_source_folder_is_gone_too(renumbered: bool) -> None:
    world = world_of(ONE)
    lost: list[str] = []

    def fail_once(operation: str) -> Fault | None:
        if operation != "append" or lost:
            return None
        lost.append(operation)
        if renumbered:
            world.source.renumber("Work")
        else:
            world.source.folders["Elsewhere"] = world.source.folders.pop("Work")
        world.destination.folders["Work"].add((), DATE, TWO)  # from another sender
        return Fault.BEFORE

    world.destination.fault = fail_once
    world.run_with_own_faults()
    folder = "Work" if renumbered else "Elsewhere"
    assert world.contents(world.destination)[folder][ONE] == 1


def altered(body: bytes) -> bytes:
    return b"X-Touched: yes\r\n" + body


def test_a_host_that_alters_messages_gets_nothing_twice_hours_after_a_lost_reply() -> None:
    world = world_of(ONE, TWO, THREE)
    world.destination.stores = altered
    lost: list[str] = []

    def fail_once(operation: str) -> Fault | None:
        if operation == "status" and lost == ["append"]:
            lost.append("hours later")
            world.clock.sleep(7200)
        if operation != "append" or lost:
            return None
        lost.append(operation)
        return Fault.AFTER

    world.destination.fault = fail_once
    world.run_with_own_faults(batch=3)
    assert copied_bodies(world) == [altered(body) for body in (ONE, TWO, THREE)]


def test_a_host_that_alters_messages_gets_nothing_twice_after_it_was_full() -> None:
    """The mailbox fills up in the middle of a batch; the host does not report what it stored."""
    world = world_of(ONE, TWO, THREE)
    world.destination.stores = altered
    world.destination.capacity_messages = 2
    with pytest.raises(QuotaExceeded):
        world.run(batch=3)
    world.destination.capacity_messages = None
    world.run(batch=3)
    assert sorted(copied_bodies(world)) == sorted(altered(body) for body in (ONE, TWO, THREE))


def test_the_first_error_is_raised_when_settling_fails_too() -> None:
    """Otherwise the host's request is lost: Exchange says how long to wait, and closes the connection."""
    world = world_of(ONE)
    until = world.clock.now() + timedelta(minutes=5)
    refused: list[bytes] = []

    def throttle(body: bytes) -> str | None:
        refused.append(body)
        raise Throttled(until=until, side=Side.DESTINATION)

    world.destination.refuses = lambda body: throttle(body) if body == ONE else None
    world.destination.fault = lambda operation: Fault.BEFORE if operation == "status" and refused else None
    with pytest.raises(Throttled) as raised:
        world.run_with_own_faults()
    assert raised.value.until == until


@pytest.mark.parametrize("fruitless", [1, 3])
def test_a_message_that_breaks_connections_for_a_while_is_copied_later(fruitless: int) -> None:
    """Three times in a row may be the network, and the other messages need not wait."""
    world = world_of(ONE, TWO, THREE)
    tries: list[int] = []

    def breaks(body: bytes) -> bool:
        if body == TWO:
            tries.append(len(copied_bodies(world)))
        return body == TWO and len(tries) <= fruitless

    world.source.breaks = breaks
    tally = world.run(batch=1).tallies["Work"]
    assert sorted(copied_bodies(world)) == [ONE, TWO, THREE]
    assert (tally.copied, tally.failed, tally.confirmed) == (3, 0, 3)
    assert tries[1:] == [2] * fruitless  # the first leg copied all others


def test_a_message_that_breaks_every_connection_is_finally_refused() -> None:
    world = world_of(ONE, TWO, THREE)
    legs: list[str] = []
    world.source.fault = lambda operation: legs.append(operation) if operation == "list" else None
    world.source.breaks = lambda body: body == TWO
    tally = world.run_with_own_faults(batch=2).tallies["Work"]
    assert (tally.copied, tally.failed) == (2, 1)
    assert tally.adds_up
    assert 3 < len(legs) < 10


# --- What the destination refuses or chokes on -----------------------------------------------------------


def one_leg(world: World, *, batch: int = 4, attempts: int = 0) -> FolderTally:
    """The tally of "Work" after one leg that has to do everything."""
    import_ = Import(ImportId("import1"), SOURCE, DESTINATION, world.clock.now(), attempts=attempts)
    watcher = Watcher()
    assert world._leg(import_, watcher, TransferLimits(batch_messages=batch), 1000) is LegEnd.DONE
    return watcher.tallies["Work"]


def chokes(world: World, poison: set[bytes], words: str = "") -> list[bytes]:
    """The destination ends the connection at these bodies; the bodies that it was sent."""
    sent: list[bytes] = []

    def breaks(body: bytes) -> str | None:
        sent.append(body)
        if body in poison:
            raise ConnectionLost(side=Side.DESTINATION, announced=bool(words), server_text=words)
        return None

    world.destination.refuses = lambda body: breaks(body) if body.startswith(b"From: ") else None
    return sent


@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize("words", ["a literal holds a forbidden character", ""])
def test_what_ends_the_connection_is_singled_out(words: str, lanes: int) -> None:
    """One lane needs one leg. If others store all the rest before, nothing proves that the line works, and
    the next leg decides."""
    many = [mail(f"number {n}", f"text {n}", f"m{n}") for n in range(30)]
    world = world_of(*many)
    world.source.create("Later").add((), DATE, ONE)
    sent = chokes(world, {many[3], many[17]}, words)
    tally = one_leg(world) if lanes == 1 else world.run(batch=4, legs_of=1000, lanes=lanes).tallies["Work"]
    assert (tally.copied, tally.failed, tally.confirmed) == (28, 2, 28)
    assert copied_bodies(world, "Later") == [ONE]
    refusals = list(world.store.refusals(ImportId("import1")))
    assert {refusal.code for refusal in refusals} == {RefusalCode.BREAKS_CONNECTION}
    assert all(
        words in reason_said(refusal.reason) and refusal.subject and refusal.size_bytes
        for refusal in refusals
    )
    assert max(sent.count(many[3]), sent.count(many[17])) <= (4 if words else 6) * (1 if lanes == 1 else 2)


def test_a_lone_message_that_ends_the_connection_is_refused_by_the_next_leg() -> None:
    world = world_of(ONE)
    chokes(world, {ONE})
    with pytest.raises(AssertionError):
        one_leg(world)
    assert not list(world.store.refusals(ImportId("import1")))  # perhaps it is the line
    assert one_leg(world, attempts=1).failed == 1


def test_a_server_that_ends_the_connection_at_everything_refuses_no_mailbox() -> None:
    many = [mail(f"number {n}", f"text {n}", f"m{n}") for n in range(30)]
    world = world_of(*many)
    chokes(world, set(many), "out of order")
    with pytest.raises(AssertionError):
        one_leg(world)
    assert len(list(world.store.refusals(ImportId("import1")))) <= 5


def test_a_passing_refusal_is_no_verdict() -> None:
    many = [mail(f"number {n}", f"text {n}", f"m{n}") for n in range(9)]
    world = world_of(*many)
    refused: list[bytes] = []

    def once(body: bytes) -> str | None:
        if body in many[2:5] and body not in refused:
            refused.append(body)
            return "what is that?"
        return "never" if body == many[7] else None

    world.destination.refuses = once
    tally = one_leg(world)
    assert (tally.copied, tally.failed) == (8, 1)


def test_confirmed_refusals_are_believed_for_the_others() -> None:
    many = [mail(f"bad {n}", f"text {n}", f"m{n}") for n in range(100)]
    world = world_of(ONE, *many)
    tried: list[bytes] = []

    def refuses(body: bytes) -> str | None:
        tried.append(body)
        return "invalid header" if body in many else None

    world.destination.refuses = refuses
    tally = one_leg(world, batch=50)
    assert (tally.copied, tally.failed) == (1, 100)
    assert len(tried) <= 101 + SAMPLE + 5


def test_a_recount_that_could_not_look_says_so() -> None:
    world = world_of(ONE, TWO)
    opened = world.destination.closed
    store = world.destination.stores

    def stores(body: bytes) -> bytes:
        if body == TWO:
            opened.add("Work")  # nothing else in it can be seen from now on
        return store(body)

    world.destination.stores = stores
    tally = one_leg(world)
    assert (tally.copied, tally.confirmed, tally.source_recount) == (2, None, 2)
    assert Totals.of([tally]).unchecked == 2


def test_a_recount_that_sees_too_little_looks_again() -> None:
    world = world_of(ONE, TWO)
    uids = MemoryReader.uids
    looks: list[str] = []

    def at_first(session: MemoryReader, folder: FolderRef, at_or_above: Uid = Uid(1)) -> UidSet:
        if session.side is Side.DESTINATION and folder.name == "Work":
            looks.append(folder.name)
            if len(looks) == 1:
                raise FolderUnusable(side=Side.DESTINATION)
        return uids(session, folder, at_or_above)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryReader, "uids", at_first)
        assert one_leg(world).confirmed == 2


def test_a_folder_that_is_refused_after_all_names_each_message() -> None:
    world = world_of(ONE, TWO)
    world.destination.refuses = lambda name: None if name.startswith(b"From") else "no such names"
    tally = one_leg(world)
    assert tally.failed == 2
    for refusal in world.store.refusals(ImportId("import1")):
        assert refusal.subject
        assert refusal.date
        assert refusal.size_bytes == len(ONE)


@pytest.mark.parametrize(
    ("takes", "expected"),
    [
        (lambda name: b"." not in name, "a_b"),
        (lambda name: name.isascii() and name.replace(b"/", b"").replace(b" ", b"").isalnum(), "Folder"),
    ],
)
def test_a_refused_folder_name_has_a_last_resort(takes: Callable[[bytes], bool], expected: str) -> None:
    world = World()
    world.source.create("a.b").add((), DATE, ONE)
    world.destination.refuses = lambda name: None if name.startswith(b"From") or takes(name) else "refused"
    world.run()
    assert copied_bodies(world, expected) == [ONE]
    assert world.run().tallies["a.b"].present == 1


def test_a_uidvalidity_that_comes_with_the_first_message_is_no_other_folder() -> None:
    world = world_of(ONE, TWO)
    append = MemoryWriter.append

    def renumbers(
        session: MemoryWriter, folder: FolderRef, messages: Sequence[Outgoing]
    ) -> Sequence[AppendResult]:
        target = world.destination.folders["Work"]
        first = not target.messages
        results = append(session, folder, messages)
        if first:
            target.uidvalidity = UidValidity(4711)
            raise FolderChanged(side=Side.DESTINATION)
        return results

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryWriter, "append", renumbers)
        tally = one_leg(world, batch=1)
    assert (tally.copied, tally.present, tally.confirmed) == (2, 0, 2)


# --- Answers that do not agree ------------------------------------------------------------------------


def test_messages_that_the_source_counts_and_does_not_list_are_refused_by_number() -> None:
    world = world_of(ONE, TWO)
    world.source.unlisted["Work"] = 3
    for run in (1, 2):  # the second has nothing new to copy, and still is not complete
        tally = world.run().tallies["Work"]
        assert (tally.found, tally.failed, tally.source_recount, tally.adds_up) == (5, 3, 5, True)
        (refusal,) = world.store.refusals(ImportId(f"import{run}"))
        assert (refusal.code, refusal.count, refusal.uid) == (RefusalCode.UNLISTED, 3, None)


def test_mail_in_the_new_mailbox_that_cannot_be_read_is_neither_doubled_nor_called_present() -> None:
    world = world_of(ONE, TWO)
    world.destination.create("Work").add((), DATE, ONE)
    world.destination.unreadable = lambda body: "broken" if body == ONE else None
    tally = world.run().tallies["Work"]
    assert copied_bodies(world) == [ONE, TWO]
    assert (tally.found, tally.copied, tally.present, tally.failed) == (2, 1, 0, 1)
    (refusal,) = world.store.refusals(ImportId("import1"))
    assert refusal.code is RefusalCode.NOT_COMPARED


def test_mail_in_the_new_mailbox_of_which_nothing_is_known_stops_its_folder_alone() -> None:
    world = world_of(ONE, TWO)
    world.source.create("Other").add((), DATE, THREE)
    world.destination.create("Work").add((), DATE, ONE)
    world.destination.withholds = lambda body: body == ONE
    tallies = world.run().tallies
    assert copied_bodies(world) == [ONE]
    assert (tallies["Work"].copied, tallies["Work"].failed, tallies["Other"].copied) == (0, 2, 1)


def test_a_folder_that_the_new_mailbox_does_not_list_in_full_gets_nothing_twice() -> None:
    world = world_of(ONE, TWO)
    world.destination.create("Work").add((), DATE, ONE)
    world.destination.unlisted["Work"] = 1
    tally = world.run().tallies["Work"]
    assert copied_bodies(world) == [ONE]
    assert (tally.found, tally.copied, tally.failed) == (2, 0, 2)
    world.destination.unlisted.clear()
    assert world.run().tallies["Work"].copied == 1
    assert copied_bodies(world) == [ONE, TWO]


@pytest.mark.parametrize("new", [(TWO, THREE), (THREE,), (ONE, TWO, THREE)])
def test_a_source_renumbered_under_the_same_uidvalidity_is_copied_by_content(new: tuple[bytes, ...]) -> None:
    world = world_of(
        mail("gone", "gone", "gone"), ONE, TWO, *(mail("gone", f"{n}", f"g{n}") for n in "12345")
    )
    world.run()
    folder = world.source.folders["Work"]
    folder.messages.clear()
    folder.uidnext = 1
    for body in new:
        folder.add((), DATE, body)
    tally = world.run().tallies["Work"]
    assert sorted(copied_bodies(world)).count(THREE) == 1
    assert len(copied_bodies(world)) == 9
    assert (tally.copied, tally.present, tally.found) == (1, len(new) - 1, len(new))
    again = world.run().tallies["Work"]
    assert (again.copied, again.present) == (0, len(new))


# --- UIDVALIDITYs that change -------------------------------------------------------------------------


def renumbering(mailbox: MemoryMailbox, commands: Sequence[str]) -> Callable[[str], None]:
    """A fault that gives “Work” another UIDVALIDITY and other UIDs before each of these commands."""

    def strike(operation: str) -> None:
        if operation in commands and "Work" in mailbox.folders:
            mailbox.renumber("Work")

    return strike


NUL = mail("damaged", "before\0after", "damaged")


def damages(body: bytes) -> bytes:
    """As GNU mailutils does: what follows a NUL is lost."""
    return body.partition(b"\0")[0]


@pytest.mark.parametrize("gives_uids", [True, False])
def test_an_append_without_a_reply_is_found_in_a_folder_that_was_renumbered_since(gives_uids: bool) -> None:
    world = world_of(ONE, TWO, NUL)
    world.destination.create("Work").add((), DATE, THREE)
    world.destination.stores = damages
    world.destination.gives_uids = gives_uids
    commands: list[str] = []

    def strike(operation: str) -> Fault | None:
        commands.append(operation)
        if commands.count("append") == 1 and commands[-2:-1] == ["append"]:
            world.destination.renumber("Work")
        return Fault.AFTER if commands.count("append") == 1 and operation == "append" else None

    world.destination.fault = strike
    tally = world.run_with_own_faults(batch=3).tallies["Work"]
    assert Counter(copied_bodies(world)) == Counter([ONE, TWO, THREE, damages(NUL)])
    assert (tally.copied, tally.failed, tally.adds_up) == (2, 1, True)
    world.destination.renumber("Work")
    again = world.run().tallies["Work"]
    assert Counter(copied_bodies(world)) == Counter([ONE, TWO, THREE, damages(NUL)])
    assert (again.copied, again.present, again.failed) == (0, 2, 1)


@pytest.mark.parametrize("other", [(), (THREE,)])
def test_a_message_that_a_renumbered_folder_holds_in_another_form_is_not_sent_again(
    other: tuple[bytes, ...],
) -> None:
    world = world_of(ONE, NUL)
    for body in other:
        world.destination.create("Work").add((), DATE, body)
    world.destination.stores = damages
    world.run()
    world.destination.renumber("Work")
    tally = world.run().tallies["Work"]
    assert Counter(copied_bodies(world)) == Counter([*other, ONE, damages(NUL)])
    assert (tally.copied, tally.present, tally.failed, tally.adds_up) == (0, 1, 1, True)
    (refusal,) = world.store.refusals(ImportId("import2"))
    assert (refusal.code, refusal.subject) == (RefusalCode.NOT_COMPARED, "damaged")


def test_what_is_not_in_a_renumbered_folder_is_copied_into_it() -> None:
    world = world_of(ONE, NUL)
    world.destination.stores = damages
    world.run()
    world.destination.renumber("Work")
    work = world.destination.folders["Work"]
    work.messages = {uid: m for uid, m in work.messages.items() if whole(m.body) == ONE}
    tally = world.run().tallies["Work"]
    assert copied_bodies(world) == [ONE, damages(NUL)]
    assert (tally.copied, tally.present, tally.failed) == (1, 1, 0)


@pytest.mark.parametrize(
    "commands", [("uids",), ("sizes", "sizes_of"), ("messages",), ("status", "uids", "messages")]
)
def test_a_source_folder_that_is_renumbered_at_each_look_is_refused_in_one_leg(
    commands: tuple[str, ...],
) -> None:
    world = world_of(ONE, TWO)
    world.source.create("Other").add((), DATE, THREE)
    world.source.fault = renumbering(world.source, commands)
    tally = one_leg(world)
    assert copied_bodies(world, "Other") == [THREE]
    assert copied_bodies(world) in ([], [ONE, TWO])
    assert tally.adds_up
    assert tally.source_recount is None
    assert any("anew" in reason_said(refusal.reason) for refusal in world.store.refusals(ImportId("import1")))


@pytest.mark.parametrize("command", ["uids", "append", "headers", "messages"])
def test_a_destination_folder_that_is_renumbered_at_each_look_gets_nothing_twice(command: str) -> None:
    world = world_of(ONE, TWO, NUL)
    world.destination.create("Work").add((), DATE, THREE)
    world.destination.stores = damages
    world.destination.fault = renumbering(world.destination, (command,))
    for _ in range(2):
        tally = world.run_with_own_faults(batch=1).tallies["Work"]
        assert tally.adds_up
        counts = Counter(copied_bodies(world))
        assert set(counts.values()) == {1}
    world.destination.fault = lambda _operation: None
    world.run()
    counts = Counter(copied_bodies(world))
    assert counts[ONE] == counts[TWO] == counts[THREE] == 1
    assert counts[damages(NUL)] <= 1


def test_a_folder_that_was_removed_and_created_again_is_not_taken_for_the_one_that_was_empty() -> None:
    world = world_of(ONE, TWO)
    appends = 0

    def recreates(operation: str) -> None:
        nonlocal appends
        appends += operation == "append"
        if operation == "append" and appends == 2:
            world.destination.folders["Work"].messages.clear()
            world.destination.folders["Work"].add((), DATE, THREE)
            world.destination.renumber("Work")

    world.destination.fault = recreates
    tally = world.run_with_own_faults(batch=1).tallies["Work"]
    assert sorted(copied_bodies(world)) == [ONE, TWO, THREE]
    assert (tally.copied, tally.confirmed) == (2, 2)


def test_messages_stored_before_an_empty_folder_got_its_uidvalidity_count_as_copied() -> None:
    world = world_of(ONE, TWO, NUL)
    world.destination.stores = damages
    world.destination.gives_uids = False
    appends = 0

    def renumbers(operation: str) -> None:
        nonlocal appends
        appends += operation == "append"
        if operation == "append" and appends == 3:
            world.destination.renumber("Work")

    world.destination.fault = renumbers
    tally = world.run_with_own_faults(batch=1).tallies["Work"]
    assert sorted(copied_bodies(world)) == sorted([ONE, TWO, damages(NUL)])
    assert (tally.copied, tally.present, tally.failed, tally.confirmed) == (3, 0, 0, 3)
