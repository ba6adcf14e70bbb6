"""Two old mailboxes with some of the same messages and folders go into one new mailbox, over their life.

Imports end or are given up in their middle, workers are killed at any write to the ledger, connections end,
undos are interrupted; the owner of the new mailbox reads, deletes and moves mail, and removes folders; its
server renumbers them. In the end every message is there once unless its owner took it away, and the reports
say what the new mailbox holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final
from unittest import mock

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from importer.domain.messages.message_body import whole
from importer.domain.model import Batch, BatchId, Import, ImportId
from importer.engine import undo_copies
from importer.engine.leg import LegEnd
from importer.engine.leg_context import TransferLimits
from importer.engine.undo_copies import Undoing, undo
from providers.errors import ConnectionLost
from tests.fakes.mailbox import Fault, MemoryWriter
from tests.fakes.store import MemoryStore
from tests.property.test_undo import undo_faults
from tests.property.world import COMMANDS, DESTINATION, Strike, Watcher, World, mail

DATE: Final = "02-Feb-1998 10:00:00 +0100"
FOLDERS: Final = ("INBOX", "Work")
BODIES: Final = [mail(f"number {n}", f"text {n}", f"m{n}") for n in range(4)]
WRITES: Final = (
    *("write", "detach", "detach_all", "outdate_all", "attach", "renumber", "note_unseen", "map_folders"),
    *("set_mailbox_epoch", "note_created", "note_undoing", "undo_copies", "undo_followers", "forget_folder"),
)
MOST_LEGS: Final = 60

first_removals = st.sampled_from((Fault.BEFORE, Fault.DURING, Fault.AFTER)).map(
    lambda lost: [("remove", lost)]
)
Kill = tuple[int, bool]
"""A worker ends at the write with that number, after it or before."""


class Killed(BaseException):
    """The worker is gone."""


class Mortal(MemoryStore):
    """A store whose worker may be killed. It writes nothing more then."""

    def __init__(self) -> None:
        super().__init__()
        self.begin(None)

    def begin(self, kill: Kill | None) -> None:
        """Start another worker."""
        self._left: int | None = kill[0] if kill else None
        self._after = bool(kill and kill[1])
        self._dead = False

    def write_or_die(self, name: str, *arguments: Any, **more: Any) -> None:
        if self._left is not None:
            self._left -= 1
        last = self._left is not None and self._left < 0
        if self._dead or (last and not self._after):
            self._dead = True
            raise Killed
        getattr(MemoryStore, name)(self, *arguments, **more)
        if last:
            self._dead = True
            raise Killed


def _mortal(name: str) -> Any:
    def method(store: Mortal, *arguments: Any, **more: Any) -> None:
        store.write_or_die(name, *arguments, **more)

    return method


for _name in WRITES:
    setattr(Mortal, _name, _mortal(_name))


class SharedLives(RuleBasedStateMachine):
    """`taken` counts what the owner took out of a folder: another old mailbox may bring it, or not."""

    gives_uids = True

    def __init__(self) -> None:
        super().__init__()
        self.store = Mortal()
        first = World(store=self.store)
        self.new = first.destination
        self.new.gives_uids = self.gives_uids
        self.worlds = [first, first.beside("bob@old.example")]
        self.imports: list[Import] = []
        self.taken: Counter[tuple[str, bytes]] = Counter()

    @rule(
        who=st.integers(0, 1),
        folder=st.sampled_from(FOLDERS),
        bodies=st.lists(st.sampled_from(BODIES), min_size=1, max_size=4),
    )
    def mail_arrives_at_an_old_host(self, who: int, folder: str, bodies: Sequence[bytes]) -> None:
        for body in bodies:
            self.worlds[who].source.create(folder).add((), DATE, body)

    @rule(act=st.sampled_from(("delete", "move", "read")), which=st.integers(0, 20))
    def the_owner_acts(self, act: str, which: int) -> None:
        there = [(name, uid) for name, folder in self.new.folders.items() for uid in folder.messages]
        if not there:
            return
        name, uid = there[which % len(there)]
        messages = self.new.folders[name].messages
        if act == "read":
            messages[uid] = messages[uid]._replace(flags=(*messages[uid].flags, "\\Seen"))
            return
        body = whole(messages.pop(uid).body)
        self.taken[name, body] += 1
        if act == "move":
            self.new.create("Kept").add((), DATE, body)

    @rule()
    def another_program_expunges(self) -> None:
        """Its owner has marked nothing as deleted; an interrupted undo may have."""
        for folder in self.new.folders.values():
            for uid in [uid for uid, message in folder.messages.items() if "\\Deleted" in message.flags]:
                del folder.messages[uid]

    @rule(folder=st.sampled_from(FOLDERS[1:]))
    def the_owner_removes_a_folder(self, folder: str) -> None:
        if self.new.folders.pop(folder, None) is not None:
            self.taken.update((folder, body) for body in BODIES)

    @rule(folder=st.sampled_from(FOLDERS))
    def the_new_host_renumbers_a_folder(self, folder: str) -> None:
        if folder in self.new.folders:
            self.new.renumber(folder)

    @rule(
        who=st.integers(0, 1),
        kills=st.lists(st.tuples(st.integers(0, 8), st.booleans()), max_size=1),
        faults=st.lists(st.tuples(st.sampled_from(COMMANDS), st.sampled_from(list(Fault))), max_size=2),
        batch=st.integers(1, 3),
        legs=st.sampled_from((1, MOST_LEGS, MOST_LEGS)),
    )
    def an_import_runs(
        self, who: int, kills: Sequence[Kill], faults: Sequence[Strike], batch: int, legs: int
    ) -> None:
        self.run(who, kills, faults, batch, legs)

    def run(
        self,
        who: int,
        kills: Sequence[Kill] = (),
        faults: Sequence[Strike] = (),
        batch: int = 2,
        legs: int = MOST_LEGS,
    ) -> Watcher:
        """It is given up after so many legs."""
        world, watcher, kills = self.worlds[who], Watcher(), list(kills)
        import_ = Import(
            ImportId(f"import{len(self.imports)}"), world.account, DESTINATION, world.clock.now()
        )
        facts = Batch(BatchId(import_.id), import_.created_at, "", "", (import_.id,))
        self.store.add_batch(facts, [(import_, None)])
        self.imports.append(import_)
        world.source.fault = self.new.fault = _striking(faults)
        for _ in range(legs):
            self.store.begin(kills.pop(0) if kills else None)
            with suppress(Killed):
                if world._leg(import_, watcher, TransferLimits(batch_messages=batch), 99) is LegEnd.DONE:
                    break
            import_ = replace(import_, attempts=import_.attempts + 1)
            world.clock.sleep(0.1)
        self.store.begin(None)
        world.source.fault = self.new.fault = _striking(())
        return watcher

    @rule(
        which=st.integers(0, 3),
        faults=undo_faults | first_removals,
        kill=st.none() | st.tuples(st.integers(0, 5), st.booleans()),
        at_once=st.sampled_from((1, undo_copies.MOST_MESSAGES)),
    )
    def an_import_is_undone(
        self, which: int, faults: Sequence[Strike], kill: Kill | None, at_once: int
    ) -> None:
        """If the connection ends, or the process, nobody repeats it."""
        if not self.imports or not self.gives_uids:
            return
        import_, world = self.imports[which % len(self.imports)], self.worlds[0]
        self.new.fault = _striking(faults)
        lease = world._lease()
        self.store.begin(kill)
        with suppress(ConnectionLost, Killed), mock.patch.object(undo_copies, "MOST_MESSAGES", at_once):
            undo(Undoing(import_, MemoryWriter(self.new), self.store, lease, lambda: None, world.clock))
        self.store.begin(None)
        self.store.release(lease)
        self.new.fault = _striking(())

    @rule(who=st.integers(0, 1))
    def an_import_brings_what_is_missing(self, who: int) -> None:
        source = self.worlds[who].source
        for name, tally in self.run(who).tallies.items():
            folder = self.new.folders.get(name)
            there = Counter(whole(m.body) for m in folder.messages.values()) if folder else Counter()
            sent = [whole(message.body) for message in source.folders[name].messages.values()]
            held = sum(body in there for body in sent)
            assert tally.adds_up
            assert tally.copied + tally.present + tally.duplicate == held
            assert tally.gone + tally.failed == len(sent) - held
            assert all(body in there or self.taken[name, body] for body in sent)
            assert not there or max(there.values()) == 1

    def teardown(self) -> None:
        for who in (0, 1):
            self.an_import_brings_what_is_missing(who)


def _striking(faults: Sequence[Strike]) -> Any:
    """Each fault strikes the next command of its kind, after the one before it."""
    upcoming = list(faults)
    return lambda command: upcoming.pop(0)[1] if upcoming and upcoming[0][0] == command else None


class SharedLivesWithoutUids(SharedLives):
    """The new host has no UIDPLUS, so that nothing can be undone."""

    gives_uids = False


SharedLives.TestCase.settings = settings(stateful_step_count=16)
SharedLivesWithoutUids.TestCase.settings = settings(stateful_step_count=16)
TestSharedLives = SharedLives.TestCase
TestSharedLivesWithoutUids = SharedLivesWithoutUids.TestCase
