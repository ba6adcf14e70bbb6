"""Two mailboxes over their life, with imports in between, interrupted or not.

Between imports mail arrives at the old host; the owner deletes messages and folders at the new one; servers
renumber their folders. Each new message must be copied exactly once, and what the owner removed must not
return.
"""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from importer.domain.messages.message_body import whole
from importer.domain.messages.message_identity import first_field
from tests.fakes.mailbox import Fault
from tests.property.world import COMMANDS, Strike, World, mail

FOLDERS = ("INBOX", "Work", "Work/Old")


def message_id(body: bytes) -> bytes | None:
    return first_field(body, b"Message-ID")


class Lifetimes(RuleBasedStateMachine):
    """The model: the bodies that each destination folder should hold."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.expected: dict[str, Counter[bytes]] = {name: Counter() for name in FOLDERS}
        self.pending: dict[str, list[bytes]] = {name: [] for name in FOLDERS}
        self.imported: dict[str, set[bytes]] = {name: set() for name in FOLDERS}
        self.brought: dict[str, set[bytes]] = {
            name: set() for name in FOLDERS
        }  # also before it was renumbered
        self.former: dict[str, set[bytes]] = {
            name: set() for name in FOLDERS
        }  # since which none was imported
        self.recreated: set[str] = set()  # folders recreated by others after the owner removed ours
        self.number = 0

    @initialize()
    def folders(self) -> None:
        for name in FOLDERS:
            self.world.source.create(name)

    @rule(folder=st.sampled_from(FOLDERS), twin=st.booleans())
    def mail_arrives_at_the_old_host(self, folder: str, twin: bool) -> None:
        self.number += not twin or self.number == 0
        # A twin has the headers of the previous message and a different text.
        self.deliver(folder, mail("disk", f"{'x' if twin else 'y'} {self.number}", f"m{self.number}"))

    def deliver(self, folder: str, body: bytes) -> None:
        self.world.source.create(folder).add(("\\Seen",), "02-Feb-1998 10:00:00 +0100", body)
        self.pending[folder].append(body)

    @rule(folder=st.sampled_from(FOLDERS))
    def mail_arrives_at_the_new_host(self, folder: str) -> None:
        self.number += 1
        body = mail("new", f"{self.number}", f"m{self.number}")
        if folder not in self.world.destination.folders and self.imported[folder]:
            self.recreated.add(folder)
        self.world.destination.create(folder).add((), "02-Feb-1998 10:00:00 +0100", body)
        self.expected[folder][body] += 1

    @rule(folder=st.sampled_from(FOLDERS), which=st.integers(0, 10))
    def the_owner_deletes_a_message_at_the_new_host(self, folder: str, which: int) -> None:
        target = self.world.destination.folders.get(folder)
        if target and target.messages:
            uid = sorted(target.messages)[which % len(target.messages)]
            self.expected[folder][whole(target.messages.pop(uid).body)] -= 1

    @rule(folder=st.sampled_from(FOLDERS), which=st.integers(0, 10))
    def a_message_is_deleted_at_the_old_host(self, folder: str, which: int) -> None:
        messages = self.world.source.folders[folder].messages
        if messages:
            uid = sorted(messages)[which % len(messages)]
            body = messages.pop(uid).body
            if body in self.pending[folder] and not any(m.body == body for m in messages.values()):
                self.pending[folder] = [b for b in self.pending[folder] if b != body]

    @rule(folder=st.sampled_from(FOLDERS[1:]))
    def the_owner_removes_a_folder_at_the_new_host(self, folder: str) -> None:
        if self.world.destination.folders.pop(folder, None):
            self.expected[folder].clear()
            self.recreated.discard(folder)
            # Nothing was imported since it was renumbered: what was imported before stays away with it.
            self.imported[folder] |= self.former[folder]

    @rule(folder=st.sampled_from(FOLDERS))
    def the_old_host_renumbers_a_folder(self, folder: str) -> None:
        self.world.source.renumber(folder)

    @rule(folder=st.sampled_from(FOLDERS[1:]))
    def the_new_host_renumbers_a_folder(self, folder: str) -> None:
        if folder in self.world.destination.folders:
            self.world.destination.renumber(folder)
            if self.imported[folder]:
                self.recreated.add(folder)

    @rule(
        faults=st.lists(st.tuples(st.sampled_from(COMMANDS), st.sampled_from(list(Fault))), max_size=3),
        batch=st.integers(1, 4),
        legs_of=st.integers(0, 5),
    )
    def an_import_runs(self, faults: list[Strike], batch: int, legs_of: int) -> None:
        watched = self.world.run(batch=batch, legs_of=legs_of, faults=faults)
        for folder in self.recreated:
            # Another UIDVALIDITY invalidates the receipts: messages that the old host still lists are
            # copied unless the new folder has them. (A folder restored from a backup looks the same.)
            self.former[folder] = self.imported[folder]
            self.imported[folder] = set()
            held = self.world.source.folders[folder].messages.values()
            self.pending[folder] = [whole(message.body) for message in held]
        self.recreated.clear()
        for folder, bodies in self.pending.items():
            refused = [body for body in bodies if self.may_be_there(folder, body)]
            for body in bodies:
                # Copied once, unless the same content was imported into this folder before (the owner may
                # have removed it since) or the folder has it already.
                if body in refused:
                    continue
                if body not in self.imported[folder] and not self.expected[folder][body]:
                    self.expected[folder][body] = 1
                self.imported[folder].add(body)
                self.former[folder] = set()
            self.brought[folder] |= self.imported[folder]
            bodies[:] = refused
        for name, tally in watched.tallies.items():
            assert tally.adds_up
            assert tally.found == len(self.world.source.folders[name].messages)
        self.check()

    def may_be_there(self, folder: str, body: bytes) -> bool:
        """Whether a message that was brought before the folder was renumbered may be there in another form:
        one with its Message-ID is, which no import has brought."""
        if body not in self.brought[folder] - self.imported[folder] or self.expected[folder][body]:
            return False
        others = (other for other in +self.expected[folder] if other not in self.brought[folder])
        return any(message_id(other) == message_id(body) for other in others)

    @rule()
    def an_import_without_changes_copies_nothing(self) -> None:
        if any(self.pending.values()) or self.recreated:
            return
        watched = self.world.run()
        assert all(tally.copied == 0 for tally in watched.tallies.values())
        self.check()

    def check(self) -> None:
        actual = self.world.contents(self.world.destination)
        wanted = {name: +bodies for name, bodies in self.expected.items() if +bodies}
        assert actual == wanted

    @invariant()
    def the_old_mailbox_keeps_what_was_not_deleted(self) -> None:
        for folder, bodies in self.pending.items():
            held = Counter(m.body for m in self.world.source.folders[folder].messages.values())
            assert all(held[body] for body in bodies)


Lifetimes.TestCase.settings = settings(stateful_step_count=25)
TestLifetimes = Lifetimes.TestCase


def test_messages_that_may_be_there_are_decided_in_legs_of_any_length() -> None:
    """Each leg ended before the messages that waited were decided, without end."""
    life = Lifetimes()
    life.folders()
    life.mail_arrives_at_the_new_host(folder="Work")
    life.mail_arrives_at_the_old_host(folder="Work", twin=True)
    life.an_import_runs(faults=[], batch=1, legs_of=0)
    life.the_new_host_renumbers_a_folder(folder="Work")
    life.the_owner_deletes_a_message_at_the_new_host(folder="Work", which=1)
    life.an_import_runs(faults=[], batch=1, legs_of=0)
    assert life.pending["Work"]  # it was refused, and is again until the other message is gone
    life.the_owner_deletes_a_message_at_the_new_host(folder="Work", which=0)
    life.an_import_runs(faults=[], batch=1, legs_of=0)
    assert not life.pending["Work"]


def test_mail_of_a_removed_folder_stays_away_although_the_folder_was_renumbered_before() -> None:
    """The last receipt into it tells which folder it was; nothing was imported since it was renumbered."""
    life = Lifetimes()
    life.folders()
    life.mail_arrives_at_the_old_host(folder="Work", twin=True)
    life.an_import_runs(faults=[], batch=1, legs_of=0)
    life.the_new_host_renumbers_a_folder(folder="Work")
    life.a_message_is_deleted_at_the_old_host(folder="Work", which=0)
    life.an_import_runs(faults=[], batch=1, legs_of=0)
    life.the_owner_removes_a_folder_at_the_new_host(folder="Work")
    life.mail_arrives_at_the_old_host(folder="Work", twin=True)
    life.an_import_runs(faults=[], batch=1, legs_of=0)
    assert not life.world.contents(life.world.destination)
