"""Lanes among themselves: who waits for whom, and who is called what."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from importer.compact.uid_set import UidSet
from importer.domain.model import FolderRef, Import, ImportId, Message, NotHandedOut
from importer.engine.leg_context import Lane, TransferLimits
from tests.fakes.mailbox import MemorySession
from tests.property.world import DESTINATION, SOURCE, Watcher, World, mail

DATE = "02-Feb-1998 10:00:00 +0100"


@dataclass(slots=True)
class Lines(World):
    """Knows which lanes were opened; those beyond the first open when they may."""

    opened: list[int] = field(default_factory=list)
    may_open: threading.Event = field(default_factory=threading.Event)

    def _lane(self, number: int) -> Lane:
        if number:
            self.may_open.wait(5)
        self.opened.append(number)
        return World._lane(self, number)

    def leg(self, pace: TransferLimits) -> None:
        import_ = Import(ImportId("import1"), SOURCE, DESTINATION, self.clock.now())
        self._leg(import_, Watcher(), pace, 1000)


def test_no_two_lanes_have_the_same_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their intents would replace one another's."""

    class Slow(threading.Thread):
        def start(self) -> None:
            super().start()
            time.sleep(0.05)  # the lane is at work before its starter goes on

    monkeypatch.setattr(threading, "Thread", Slow)
    world = Lines()
    world.may_open.set()
    for folder in ("INBOX", "Sent", "Work", "Other"):
        for n in range(20):
            world.source.create(folder).add((), DATE, mail(f"number {n}", "x"))
    world.leg(TransferLimits(batch_messages=1, lanes=4))
    assert sorted(world.opened) == sorted(set(world.opened))


def test_a_lane_that_fails_with_its_hands_full_keeps_no_other_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = Lines()
    for n, size in enumerate((10, 10, 1000, 1000, 1000)):
        world.source.create("INBOX").add((), DATE, mail(f"number {n}", "x" * size))

    def record(*_: Any, **__: Any) -> None:
        world.may_open.set()
        time.sleep(0.1)  # the other lane waits for room by then
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(type(world.store), "record", record)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            world.leg(TransferLimits(batch_messages=1, lanes=2, held_bytes=1800))
        except RuntimeError as error:
            failed.append(error)

    leg = threading.Thread(target=run, daemon=True)
    leg.start()
    leg.join(5)
    assert [str(error) for error in failed] == ["the disk is full"]


def test_a_twin_of_what_is_being_stored_is_not_fetched_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is met while nobody knows what becomes of the first one; then its bytes are known."""
    world = World()
    for text in ("one", "one", "other", "one"):
        world.source.create("INBOX").add((), DATE, mail(text, text))
    fetched: list[int] = []
    messages = MemorySession.messages

    def noting(session: MemorySession, folder: FolderRef, uids: UidSet) -> Iterator[Message | NotHandedOut]:
        fetched.extend(uids)
        return messages(session, folder, uids)

    monkeypatch.setattr(MemorySession, "messages", noting)
    account = world.run(batch=1, legs_of=1000).tallies["INBOX"]
    assert (account.found, account.copied, account.duplicate) == (4, 2, 2)
    assert sorted(fetched) == [1, 2, 3, 4]
