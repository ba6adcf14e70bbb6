"""What happens to two mailboxes over their life, with imports in between, broken or not.

Between imports mail comes in at the old host; the owner deletes, moves and renames at the new one;
servers renumber their folders. Whatever happens: each new message arrives once, and what the owner removed
stays away.
"""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from importer.domain.messages.message_body import whole
from tests.fakes.mailbox import Fault
from tests.property.world import COMMANDS, Strike, World, mail

FOLDERS = ("INBOX", "Work", "Work/Old")


class Lifetimes(RuleBasedStateMachine):
    """The model: which bodies should stand in which destination folder."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.expected: dict[str, Counter[bytes]] = {name: Counter() for name in FOLDERS}
        self.waiting: dict[str, list[bytes]] = {name: [] for name in FOLDERS}
        self.imported: dict[str, set[bytes]] = {name: set() for name in FOLDERS}
        self.made_anew: set[str] = set()  # folders that somebody else made after the owner removed ours
        self.number = 0

    @initialize()
    def folders(self) -> None:
        for name in FOLDERS:
            self.world.source.create(name)

    @rule(folder=st.sampled_from(FOLDERS), twin=st.booleans())
    def mail_comes_in_at_the_old_host(self, folder: str, twin: bool) -> None:
        self.number += not twin or self.number == 0
        # A twin has the headers of the message before it, and another text.
        self.deliver(folder, mail("disk", f"{'x' if twin else 'y'} {self.number}", f"m{self.number}"))

    def deliver(self, folder: str, body: bytes) -> None:
        self.world.source.create(folder).add(("\\Seen",), "02-Feb-1998 10:00:00 +0100", body)
        self.waiting[folder].append(body)

    @rule(folder=st.sampled_from(FOLDERS))
    def mail_comes_in_at_the_new_host(self, folder: str) -> None:
        self.number += 1
        body = mail("new", f"{self.number}", f"m{self.number}")
        if folder not in self.world.destination.folders and self.imported[folder]:
            self.made_anew.add(folder)
        self.world.destination.create(folder).add((), "02-Feb-1998 10:00:00 +0100", body)
        self.expected[folder][body] += 1

    @rule(folder=st.sampled_from(FOLDERS), which=st.integers(0, 10))
    def the_owner_deletes_a_message_at_the_new_host(self, folder: str, which: int) -> None:
        there = self.world.destination.folders.get(folder)
        if there and there.messages:
            uid = sorted(there.messages)[which % len(there.messages)]
            self.expected[folder][whole(there.messages.pop(uid).body)] -= 1

    @rule(folder=st.sampled_from(FOLDERS), which=st.integers(0, 10))
    def a_message_is_deleted_at_the_old_host(self, folder: str, which: int) -> None:
        here = self.world.source.folders[folder].messages
        if here:
            uid = sorted(here)[which % len(here)]
            body = here.pop(uid).body
            if body in self.waiting[folder] and not any(m.body == body for m in here.values()):
                self.waiting[folder] = [b for b in self.waiting[folder] if b != body]

    @rule(folder=st.sampled_from(FOLDERS[1:]))
    def the_owner_removes_a_folder_at_the_new_host(self, folder: str) -> None:
        if self.world.destination.folders.pop(folder, None):
            self.expected[folder].clear()
            self.made_anew.discard(folder)

    @rule(folder=st.sampled_from(FOLDERS))
    def the_old_host_renumbers_a_folder(self, folder: str) -> None:
        self.world.source.renumber(folder)

    @rule(folder=st.sampled_from(FOLDERS[1:]))
    def the_new_host_renumbers_a_folder(self, folder: str) -> None:
        if folder in self.world.destination.folders:
            self.world.destination.renumber(folder)
            if self.imported[folder]:
                self.made_anew.add(folder)

    @rule(
        faults=st.lists(st.tuples(st.sampled_from(COMMANDS), st.sampled_from(list(Fault))), max_size=3),
        batch=st.integers(1, 4),
        legs_of=st.integers(0, 5),
    )
    def an_import_runs(self, faults: list[Strike], batch: int, legs_of: int) -> None:
        watched = self.world.run(batch=batch, legs_of=legs_of, faults=faults)
        for folder in self.made_anew:
            # Another UIDVALIDITY voids the receipts: what the old host still shows is looked for in the
            # new folder and copied. (A folder restored from a backup looks the same.)
            self.imported[folder].clear()
            held = self.world.source.folders[folder].messages.values()
            self.waiting[folder] = [whole(message.body) for message in held]
        self.made_anew.clear()
        for folder, bodies in self.waiting.items():
            for body in bodies:
                # Copied once, unless the same content was imported into this folder before (then the
                # owner may have removed it since) or stands there.
                if body not in self.imported[folder] and not self.expected[folder][body]:
                    self.expected[folder][body] = 1
                self.imported[folder].add(body)
            bodies.clear()
        for name, account in watched.tallies.items():
            assert account.adds_up
            assert account.found == len(self.world.source.folders[name].messages)
        self.check()

    @rule()
    def the_new_host_renumbers_nothing_and_an_import_finds_nothing(self) -> None:
        if any(self.waiting.values()) or self.made_anew:
            return
        watched = self.world.run()
        assert all(account.copied == 0 for account in watched.tallies.values())
        self.check()

    def check(self) -> None:
        there = self.world.contents(self.world.destination)
        wanted = {name: +bodies for name, bodies in self.expected.items() if +bodies}
        assert there == wanted

    @invariant()
    def the_old_mailbox_keeps_what_was_not_deleted_there(self) -> None:
        for folder, bodies in self.waiting.items():
            held = Counter(m.body for m in self.world.source.folders[folder].messages.values())
            assert all(held[body] for body in bodies)


Lifetimes.TestCase.settings = settings(stateful_step_count=25)
TestLifetimes = Lifetimes.TestCase
