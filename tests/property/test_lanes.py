"""Lanes: how they wait for each other, and how they are numbered."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from types import FrameType
from typing import Any

import pytest

from importer.compact.uid_set import UidSet
from importer.domain.mailbox_content import AppendResult, FolderRef, Message, NotHandedOut, Outgoing
from importer.domain.model import Import, ImportId
from importer.domain.planning.server_limits import BATCH_S
from importer.engine.leg import LegEnd
from importer.engine.leg_context import Lane, TransferLimits
from importer.engine.pipeline import ByteBudget
from importer.service.legs.lane_shares import LaneShares
from tests.fakes.mailbox import Fault, MemoryReader, MemoryWriter
from tests.property.world import DESTINATION, SOURCE, Batches, Watcher, World, expected, mail
from tests.rehearsal.ports import PATIENCE_S, wait_until

DATE = "02-Feb-1998 10:00:00 +0100"


@dataclass(slots=True)
class RecordingWorld(World):
    """Records which lanes are opened. Lanes other than the first open once `may_open` is set."""

    opened: list[int] = field(default_factory=list)
    may_open: threading.Event = field(default_factory=threading.Event)

    def _lane(self, number: int) -> Lane:
        if number:
            self.may_open.wait(PATIENCE_S)
        self.opened.append(number)
        return World._lane(self, number)

    def leg(self, pace: TransferLimits) -> None:
        import_ = Import(ImportId("import1"), SOURCE, DESTINATION, self.clock.now())
        self._leg(import_, Watcher(), pace, 1000)


def test_lane_numbers_are_unique(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same number, the intents of two lanes would replace each other."""

    class Slow(threading.Thread):
        def start(self) -> None:
            super().start()
            time.sleep(0.05)  # the lane is at work before the thread that started it continues

    monkeypatch.setattr(threading, "Thread", Slow)
    world = RecordingWorld()
    world.may_open.set()
    for folder in ("INBOX", "Sent", "Work", "Other"):
        for n in range(20):
            world.source.create(folder).add((), DATE, mail(f"number {n}", "x"))
    world.leg(TransferLimits(batch_messages=1, lanes=4))
    assert sorted(world.opened) == sorted(set(world.opened))


def test_a_failed_lane_that_holds_bytes_does_not_block_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = RecordingWorld()
    for n, size in enumerate((10, 10, 1000, 1000, 1000)):
        world.source.create("INBOX").add((), DATE, mail(f"number {n}", "x" * size))

    def record(*_: Any, **__: Any) -> None:
        world.may_open.set()
        time.sleep(0.1)  # by then the other lane waits for room
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(type(world.store), "record", record)
    errors: list[BaseException] = []

    def run() -> None:
        try:
            world.leg(TransferLimits(batch_messages=1, lanes=2, held_bytes=1800))
        except RuntimeError as error:
            errors.append(error)

    leg = threading.Thread(target=run, daemon=True)
    leg.start()
    leg.join(PATIENCE_S)
    assert [str(error) for error in errors] == ["the disk is full"]


@pytest.mark.parametrize("seed", range(25))
def test_a_share_that_changes_all_the_time_loses_and_doubles_nothing(seed: int) -> None:
    rng = random.Random(seed)
    world = World()
    world.share = lambda: rng.randrange(5)
    bodies = [mail(f"number {n}", f"text {n % 11}") for n in range(40)]
    for n, body in enumerate(bodies):
        world.source.create(("INBOX", "Work", "Work/Old")[n * n % 3]).add((), DATE, body)
    wanted = expected(world.contents(world.source), {})
    world.run(batch=2, legs_of=1000, lanes=4)
    assert world.contents(world.destination) == wanted


def test_a_leg_opens_no_more_lanes_than_its_share_and_more_once_it_grows() -> None:
    world = RecordingWorld()
    world.may_open.set()
    for n in range(60):
        world.source.create("INBOX").add((), DATE, mail(f"number {n}", f"text {n}"))
    world.share = lambda: 1
    world.leg(TransferLimits(batch_messages=1, lanes=4))
    assert world.opened == [0]
    shares = iter([1] * 20)
    world.share = lambda: next(shares, 3)
    for n in range(60):
        world.source.create("INBOX").add((), DATE, mail(f"more {n}", f"text {n}"))
    world.opened.clear()
    left = iter(range(50))

    def fault(operation: str) -> None:
        if operation == "append" and next(left, None) is None:  # lanes that open late are left some work
            wait_until(lambda: len(world.opened) >= 3)

    world.destination.fault = fault
    world.leg(TransferLimits(batch_messages=1, lanes=4))
    assert sorted(world.opened) == [0, 1, 2]


@pytest.mark.parametrize("lanes", [1, 3])
def test_small_folders_are_listed_together_before_and_after_they_are_copied(lanes: int) -> None:
    world = RecordingWorld()
    world.may_open.set()
    folders = 13
    for n in range(folders):
        for m in range(3):
            world.source.create(f"Folder {n}").add((), DATE, mail(f"number {n} {m}", f"text {n} {m}"))
    asked: dict[str, Counter[str]] = {"source": Counter(), "destination": Counter()}
    world.source.fault = lambda operation: asked["source"].update([operation])
    world.destination.fault = lambda operation: asked["destination"].update([operation])
    world.leg(TransferLimits(batch_messages=100, lanes=lanes))
    assert world.contents(world.destination) == world.contents(world.source)
    for side in asked.values():
        assert side["uids"] <= 1, "INBOX, which is empty and alone"
        assert side["uids_of"] <= lanes
    assert asked["source"]["messages"] == asked["destination"]["append"] == folders
    assert asked["source"]["sizes_of"] == asked["destination"]["open_each"] == 1
    assert asked["source"]["sizes"] == 0
    opened_alone = asked["destination"]["status"] - len(world.destination.folders)  # those are the survey's
    assert opened_alone <= 2, "the same"


@pytest.mark.parametrize(
    ("messages", "held_bytes", "room"), [(2, 10_000, True), (1, 10_000, True), (1, 1, False)]
)
def test_the_next_small_folder_is_fetched_while_the_outcome_of_one_is_awaited(
    monkeypatch: pytest.MonkeyPatch, messages: int, held_bytes: int, room: bool
) -> None:
    """Not if there is no room: a message that was sent alone is held until its outcome is known."""
    world = RecordingWorld()
    for n in range(10):
        for m in range(messages):
            world.source.create(f"Folder {n}").add((), DATE, mail(f"number {n} {m}", f"text {n} {m}"))
    fetched: list[str] = []
    changed = threading.Condition()
    waited_in_vain: list[str] = []
    read, begin_append = MemoryReader.messages, MemoryWriter.begin_append

    def reading(session: MemoryReader, folder: FolderRef, uids: UidSet) -> Iterator[Message | NotHandedOut]:
        yield from read(session, folder, uids)
        with changed:
            fetched.append(folder.name)
            changed.notify_all()

    def sending(
        session: MemoryWriter, folder: FolderRef, outgoing: Sequence[Outgoing]
    ) -> Callable[[], Sequence[AppendResult] | None]:
        results, before = begin_append(session, folder, outgoing), len(fetched)

        def waiting() -> Sequence[AppendResult] | None:
            with changed:
                is_last = before == 10
                timeout_s = PATIENCE_S if room else 0.01
                if not is_last and not changed.wait_for(lambda: len(fetched) > before, timeout_s):
                    waited_in_vain.append(folder.name)
            return results()

        return waiting

    monkeypatch.setattr(MemoryReader, "messages", reading)
    monkeypatch.setattr(MemoryWriter, "begin_append", sending)
    world.leg(TransferLimits(batch_messages=100, lanes=1, held_bytes=held_bytes))
    assert world.contents(world.destination) == world.contents(world.source)
    assert sorted(fetched) == sorted(f"Folder {n}" for n in range(10))
    assert len(waited_in_vain) == (0 if room else 9)


@pytest.mark.parametrize("seed", range(25))
def test_small_folders_that_are_begun_ahead_lose_and_double_nothing(seed: int) -> None:
    """Connections end, mail arrives, lanes come and go, and there is room for few messages."""
    rng = random.Random(seed)
    world = World()
    world.share = lambda: rng.randrange(1, 4)
    for n in range(60):
        body = mail(f"number {n}", f"text {n % 17}", extra="X: " + "x" * rng.randrange(400))
        world.source.create(f"Folder {n * n % 12}").add((), DATE, body)
    late = iter([mail(f"late {n}", "text") for n in range(3)])

    def fault(operation: str) -> Fault | None:
        if rng.random() < 0.02 and (body := next(late, None)) is not None:
            world.source.folders[f"Folder {rng.choice([0, 1, 4, 9])}"].add((), DATE, body)
        return rng.choice(list(Fault)) if operation != "list" and rng.random() < 0.02 else None

    world.source.fault = world.destination.fault = fault
    watcher = world.run_with_own_faults(batch=8, legs_of=1000, lanes=3)
    world.source.fault = world.destination.fault = lambda _operation: None
    world.run(batch=8, legs_of=1000)  # what has arrived after the last recount
    assert world.contents(world.destination) == expected(world.contents(world.source), {})
    assert all(tally.adds_up for tally in watcher.tallies.values())


def test_mail_that_arrives_while_others_wait_for_their_recount_is_copied() -> None:
    world = RecordingWorld()
    for n in range(5):
        world.source.create(f"Folder {n}").add((), DATE, mail(f"number {n}", "text"))

    def arrive(operation: str) -> None:
        if operation == "uids_of" and "late" not in arrived:
            arrived.append("late")
            world.source.folders["Folder 1"].add((), DATE, mail("late", "late"))

    arrived: list[str] = []
    world.source.fault = arrive
    world.leg(TransferLimits(batch_messages=100, lanes=1))
    assert arrived
    assert world.contents(world.destination) == world.contents(world.source)


def test_one_leg_gets_all_connections_of_a_process_and_many_get_one_each() -> None:
    shares = LaneShares(5)
    with ExitStack() as legs:
        found = [shares()]
        for _ in range(7):
            legs.enter_context(shares.leg())
            found.append(shares())
    assert found == [5, 5, 2, 1, 1, 1, 1, 1]
    assert shares() == 5


def test_many_legs_of_a_process_hold_no_more_bytes_than_a_few() -> None:
    shares = LaneShares(5)
    budget = ByteBudget(partial(shares.bytes_of, 20))
    with ExitStack() as legs:
        for _ in range(4):
            legs.enter_context(shares.leg())
        assert budget.acquire(15, wait=True)
        assert budget.acquire(5, wait=False)
        for _ in range(4):
            legs.enter_context(shares.leg())
        budget.release(5)
        assert not budget.acquire(5, wait=False)  # 8 legs may hold 10 each, and it holds 15
        budget.release(15)
        assert budget.acquire(15, wait=True)  # alone it always fits


def test_a_twin_of_a_message_in_flight_is_fetched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is met while the outcome of the first copy is open; once that is known, so is its content."""
    world = World()
    for text in ("one", "one", "other", "one"):
        world.source.create("INBOX").add((), DATE, mail(text, text))
    fetched: list[int] = []
    messages = MemoryReader.messages

    def recording(session: MemoryReader, folder: FolderRef, uids: UidSet) -> Iterator[Message | NotHandedOut]:
        fetched.extend(uids)
        return messages(session, folder, uids)

    monkeypatch.setattr(MemoryReader, "messages", recording)
    tally = world.run(batch=1, legs_of=1000).tallies["INBOX"]
    assert (tally.found, tally.copied, tally.duplicate) == (4, 2, 2)
    assert sorted(fetched) == [1, 2, 3, 4]


def test_no_append_is_begun_once_the_leg_is_called_off() -> None:
    """A pause is noticed while a batch is on its way: nothing is sent after it."""
    budget = Batches(99)
    world = World(budget=budget)
    for number in range(40):
        world.source.folders["INBOX"].add((), "", b"Subject: %d\r\n\r\ntext" % number)

    def call_off(_body: bytes) -> None:
        budget.called_off = True

    world.destination.refuses = call_off
    import_ = Import(ImportId("import1"), SOURCE, DESTINATION, world.clock.now())
    assert world._leg(import_, Watcher(), TransferLimits(batch_messages=2), 0) is LegEnd.AGAIN
    assert len(world.destination.folders["INBOX"].messages) == 2


def long_folder(budget: Batches, messages: int) -> World:
    """A folder of that many messages, and a leg with this budget."""
    world = World(budget=budget)
    for number in range(messages):
        world.source.folders["INBOX"].add((), "", b"Subject: %d\r\n\r\ntext" % number)
    return world


def one_leg(world: World, batch_messages: int) -> LegEnd:
    import_ = Import(ImportId("import1"), SOURCE, DESTINATION, world.clock.now())
    return world._leg(import_, Watcher(), TransferLimits(batch_messages=batch_messages), 0)


def stored(world: World) -> int:
    return len(world.destination.folders["INBOX"].messages)


def test_once_the_time_is_over_what_was_read_is_stored_and_no_more_is_read() -> None:
    world = long_folder(budget := Batches(99), 40)

    def take_long(_body: bytes) -> None:
        budget.over = True

    world.destination.refuses = take_long
    assert one_leg(world, batch_messages=4) is LegEnd.AGAIN
    assert stored(world) == 8, "one batch was on its way, and one was read meanwhile"
    budget.over = False
    world.destination.refuses = lambda _body: None
    assert one_leg(world, batch_messages=4) is LegEnd.DONE
    assert stored(world) == 40


def test_each_leg_copies_something_however_long_it_took_to_begin() -> None:
    world = long_folder(Batches(99, over=True), 12)
    ends = [one_leg(world, batch_messages=4) for _ in range(4)]
    assert ends[-1] is LegEnd.DONE
    assert stored(world) == 12


@pytest.mark.parametrize("lanes", [1, 3])
def test_pairs_that_each_leg_looks_at_again_do_not_end_a_leg_that_was_late(lanes: int) -> None:
    """The largest folder has a message that the destination refuses, and therefore no checkpoint."""
    world = long_folder(Batches(9999, over=True), 6)
    for folder in ("Sent", "Work"):
        for number in range(4):
            world.source.create(folder).add((), DATE, mail(f"{folder} {number}", "text"))
    world.destination.refuses = lambda body: "no" if body.startswith(b"Subject: 5") else None
    world.run(batch=2, lanes=lanes)
    assert {name: len(folder.messages) for name, folder in world.destination.folders.items()} == {
        "INBOX": 5,
        "Sent": 4,
        "Work": 4,
    }


def test_a_batch_that_takes_long_has_fewer_messages_once_the_time_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = long_folder(Batches(99, over=True), 40)
    messages = MemoryReader.messages

    def slow(session: MemoryReader, folder: FolderRef, uids: UidSet) -> Iterator[Message | NotHandedOut]:
        for message in messages(session, folder, uids):
            world.clock.sleep(BATCH_S / 4)
            yield message

    monkeypatch.setattr(MemoryReader, "messages", slow)
    assert one_leg(world, batch_messages=40) is LegEnd.AGAIN
    assert stored(world) == 5
    for _ in range(40):
        if one_leg(world, batch_messages=40) is LegEnd.DONE:
            break
    assert stored(world) == 40


def test_on_a_slow_line_batches_have_fewer_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    world = long_folder(Batches(99), 400)
    asked: list[int] = []
    messages = MemoryReader.messages

    def slow(session: MemoryReader, folder: FolderRef, uids: UidSet) -> Iterator[Message | NotHandedOut]:
        asked.append(len(uids))
        world.clock.sleep(len(uids) * BATCH_S / 20)
        return messages(session, folder, uids)

    monkeypatch.setattr(MemoryReader, "messages", slow)
    assert one_leg(world, batch_messages=100) is LegEnd.DONE
    assert stored(world) == 400
    assert asked[0] == 100
    assert max(asked[1:]) <= 40, asked


def test_a_lane_that_leaves_a_pair_undone_wakes_those_that_wait_for_it() -> None:
    """Mail arrives before the recount, and then the time is over: the leg ends, and the next one goes on."""
    budget = Batches(99)
    world = RecordingWorld(budget=budget)
    for number in range(4):
        world.source.folders["INBOX"].add((), DATE, mail(f"number {number}", f"text {number}"))

    def fault(operation: str) -> None:
        if operation == "append":
            world.may_open.set()
            time.sleep(0.05)  # the other lane opens meanwhile
        if operation == "uids" and len(world.destination.folders["INBOX"].messages) == 4:
            if not budget.over:
                world.source.folders["INBOX"].add((), DATE, mail("late", "late"))
            budget.over = True
            time.sleep(0.2)  # by now the other lane waits

    world.source.fault = world.destination.fault = fault
    ends: list[LegEnd] = []
    import_ = Import(ImportId("import1"), SOURCE, DESTINATION, world.clock.now())
    pace = TransferLimits(batch_messages=1, lanes=2)
    leg = threading.Thread(target=lambda: ends.append(world._leg(import_, Watcher(), pace, 0)), daemon=True)
    leg.start()
    leg.join(PATIENCE_S)
    assert ends == [LegEnd.AGAIN]


class SetBack(Batches):
    """The clock is set back as soon as the time was over."""

    def is_over(self) -> bool:
        over, self.over = self.over, False
        return over


def test_a_clock_that_is_set_back_keeps_no_leg_waiting() -> None:
    """The time is over when a pair with late mail is to be copied once more, and then it is not."""
    world = World(budget=(budget := SetBack(99)))
    world.source.folders["INBOX"].add((), DATE, mail("first", "text"))

    def fault(operation: str) -> None:
        if operation == "uids" and len(world.destination.folders["INBOX"].messages) == 1 and not budget.over:
            world.source.folders["INBOX"].add((), DATE, mail("late", "late"))
            budget.over = True

    world.source.fault = world.destination.fault = fault
    ends: list[LegEnd] = []
    leg = threading.Thread(target=lambda: ends.append(one_leg(world, 1)), daemon=True)
    leg.start()
    leg.join(60)
    assert ends == [LegEnd.AGAIN]


def test_the_choice_of_the_next_folder_takes_the_same_steps_in_a_large_mailbox() -> None:
    def steps(folders: int) -> float:
        """Calls of functions that schedule lanes, for each folder."""
        world, calls = World(), 0
        for number in range(folders):
            world.source.create(f"List {number}").add((), DATE, mail(f"number {number}", f"text {number}"))

        def count(frame: FrameType, kind: str, _argument: object) -> None:
            nonlocal calls
            calls += kind == "call" and "/engine/lane" in frame.f_code.co_filename

        before = sys.getprofile()
        sys.setprofile(count)
        try:
            world.run(batch=100, legs_of=9999)
        finally:
            sys.setprofile(before)
        return calls / folders

    few, many = steps(50), steps(250)
    assert many < 1.5 * few
