"""Gmail's labels as folders: the engine with the real adapter, from a server that imitates Gmail."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from importer.adapters.imap.factory import ImapSessions
from importer.adapters.imap.imapclient_adapter import Timeouts
from importer.domain.folder_mapping.label_rules import LabelRule
from importer.domain.import_options import ImportOptions
from importer.domain.messages.message_body import whole
from importer.domain.model import Account, Import, ImportId
from importer.domain.receipts.folder_tally import FolderTally, RefusalCode
from importer.engine.leg import LegEnd, run_leg
from importer.engine.leg_context import Lane, Leg, TransferLimits
from importer.ports.mailbox import LabelView
from importer.service.legs.connections import previous_placements
from providers.endpoint import Endpoint, FolderRole, Secret
from providers.errors import ConnectionLost, MailHidden
from tests.conftest import MakeUser
from tests.english import reason_said
from tests.fakes.mailbox import Fault, MemoryMailbox, MemoryWriter
from tests.fakes.store import MemoryStore
from tests.property.world import Batches, TestClock, Watcher
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.hosts import User
from tests.rehearsal.imitations.gmail import GERMAN, Gmail, GmailMailbox, GmailSettings
from tests.rehearsal.imitations.server import Imitation, imitation

DESTINATION = Account("grace@new.example", "grace@new.example", Endpoint("mail.new.example"))


def mail(number: int) -> bytes:
    return b"Message-ID: <%d@old.example>\r\nSubject: %d\r\n\r\ntext %d\r\n" % (number, number, number)


@dataclass
class Move:
    """A Gmail account, a new mailbox in memory, and the state kept between imports."""

    server: Imitation
    user: User
    destination: MemoryMailbox = field(default_factory=MemoryMailbox)
    store: MemoryStore = field(default_factory=MemoryStore)
    clock: TestClock = field(default_factory=TestClock)
    imports: int = 0

    @property
    def old(self) -> GmailMailbox:
        mailbox = self.server.mailbox(self.user.account.login)
        assert isinstance(mailbox, GmailMailbox)
        return mailbox

    def run(
        self, rule: LabelRule = LabelRule.ONE, *, lanes: int = 1, batches: int = 10_000
    ) -> dict[str, FolderTally]:
        """Run one import to its end and return the tallies of its folders."""
        self.imports += 1
        import_ = Import(
            ImportId(f"import{self.imports}"),
            self.user.account,
            DESTINATION,
            self.clock.now(),
            options=ImportOptions(labels=rule),
        )
        watcher = Watcher()
        while (
            self._leg(import_, watcher, TransferLimits(lanes=lanes, batch_messages=100), batches)
            is LegEnd.AGAIN
        ):
            pass
        assert all(tally.adds_up for tally in watcher.tallies.values())
        self.refusals = list(self.store.refusals(import_.id))
        return watcher.tallies

    def _leg(self, import_: Import, watcher: Watcher, pace: TransferLimits, batches: int) -> LegEnd:
        sessions = ImapSessions(ca_file=self.user.ca_file, timeouts=Timeouts(io_s=20))
        view = LabelView(import_.options.labels, partial(previous_placements, self.store, import_.route))
        opened = []

        def lane(number: int) -> Lane:
            source = sessions.open_source(self.user.account, Secret(self.user.password), view)
            opened.append(source)
            return Lane(number, source, MemoryWriter(self.destination))

        lease = self.store.acquire("mailbox", "test", timedelta(minutes=1))
        assert lease is not None
        try:
            return run_leg(
                Leg(
                    import_,
                    lane(0),
                    lane,
                    self.store,
                    lease,
                    Batches(batches),
                    watcher,
                    self.clock,
                    lambda _header: False,
                    pace,
                )
            )
        finally:
            self.store.release(lease)
            for session in opened:
                session.close()

    def subjects(self) -> dict[str, list[str]]:
        """The subjects in each folder of the destination."""
        return {
            name: [_subject(whole(message.body)) for message in folder.messages.values()]
            for name, folder in self.destination.folders.items()
            if folder.messages
        }


def _subject(body: bytes) -> str:
    return body.split(b"Subject: ")[1].split(b"\r\n")[0].decode()


@pytest.fixture
def move(gmail_host: Imitation, make_user: MakeUser) -> Move:
    made = Move(gmail_host, make_user(gmail_host))
    for name, role in (
        ("Sent", FolderRole.SENT),
        ("Drafts", FolderRole.DRAFTS),
        ("Archive", FolderRole.ARCHIVE),
    ):
        made.destination.create(name).role = role
    return made


def test_each_message_is_copied_once_into_the_folder_of_its_most_specific_label(move: Move) -> None:
    for number, labels in enumerate(
        [
            ("\\Inbox",),
            ("\\Inbox", "Work"),
            ("Work", "Work/Clients/Ada", "Zoo"),
            ("zebra", "Apple"),
            ("\\Sent",),
            ("\\Sent", "\\Inbox"),
            (),
            ("\\Important", "\\Starred"),
            ("Gr&APYA3w-e",),
            ("\\foo",),
        ]
    ):
        move.old.put(mail(number), labels)
    move.old.put(mail(10), ("\\Draft",), flags=("\\Draft",))
    move.old.spam.add(move.old.put(mail(11)))
    tallies = move.run()
    assert move.subjects() == {
        "INBOX": ["0", "5"],
        "Work": ["1"],
        "Work/Clients/Ada": ["2"],
        "Apple": ["3"],
        "Sent": ["4"],
        "Archive": ["6", "7", "11"],
        "Größe": ["8"],
        "\\foo": ["9"],
        "Drafts": ["10"],
        "[Gmail]/Spam": ["11"],
    }
    assert tallies["Zoo"].elsewhere == 1
    assert (tallies["Work"].found, tallies["Work"].elsewhere) == (1, 1)
    assert (tallies["INBOX"].found, tallies["INBOX"].elsewhere) == (2, 1)
    assert not {"[Gmail]/Starred", "[Gmail]/Important", "[Gmail]/Chats"} & tallies.keys()
    assert not move.refusals
    flags = {_subject(whole(m.body)): m.flags for m in move.destination.folders["Archive"].messages.values()}
    assert "\\Flagged" in flags["7"]
    assert max(move.server.bodies[letter.number] for letter in move.old.all.letters.values()) <= 2


def test_the_next_import_copies_only_new_mail(move: Move) -> None:
    for number in range(20):
        move.old.put(mail(number), ("Work",) if number % 2 else ("\\Inbox", "Private"))
    move.run()
    before, bodies = move.subjects(), move.server.bodies.total()
    tallies = move.run()
    assert sum(tally.copied for tally in tallies.values()) == 0
    assert sum(tally.present for tally in tallies.values()) == 20
    move.old.put(mail(20), ("Work",))
    tallies = move.run()
    assert tallies["Work"].copied == 1
    assert move.server.bodies.total() == bodies + 1
    assert move.subjects() == before | {"Work": [*before["Work"], "20"]}


def test_label_changes_between_imports_copy_nothing_again(move: Move) -> None:
    letters = [move.old.put(mail(number), ("Work",)) for number in range(4)]
    move.run()
    before, bodies = move.subjects(), move.server.bodies.total()
    move.old.label(letters[0], "Work/Ada")  # a more specific label
    move.old.unlabel(letters[1], "Work")  # archived
    move.old.unlabel(letters[2], "Work")  # another label
    move.old.label(letters[2], "Private")
    tallies = move.run()
    assert move.subjects() == before
    assert move.server.bodies.total() == bodies
    assert tallies["Work"].present == 4
    assert (tallies["Work/Ada"].elsewhere, tallies["Private"].elsewhere) == (1, 1)
    for letter in letters:  # a label that is deleted
        for label in list(letter.labels):
            move.old.unlabel(letter, label)
    move.old.delete("Work")
    tallies = move.run()
    assert move.subjects() == before
    assert tallies["Work"].present == 4


def test_a_label_change_while_an_append_is_in_doubt_makes_no_second_copy(move: Move) -> None:
    letter = move.old.put(mail(1), ("Work",))
    # The reply is lost, and the server out of reach from then on: the leg cannot settle the append itself.
    faults = iter([Fault.AFTER])
    appended = False

    def ends(operation: str) -> Fault | None:
        nonlocal appended
        appended = appended or operation == "append"
        return next(faults, Fault.BEFORE) if appended else None

    move.destination.fault = ends
    with pytest.raises(ConnectionLost):
        move.run()
    move.destination.fault = lambda _operation: None
    move.old.unlabel(letter, "Work")
    move.old.label(letter, "Private")
    move.run()
    assert move.subjects() == {"Work": ["1"]}


def test_moves_between_labels_are_detected_although_the_counts_are_equal(move: Move) -> None:
    letters = [move.old.put(mail(number), ("Work",) if number != 1 else ("Play",)) for number in range(3)]
    move.run(LabelRule.EACH)
    move.old.unlabel(letters[0], "Work")
    move.old.label(letters[1], "Work")
    tallies = move.run(LabelRule.EACH)
    assert move.subjects()["Work"] == ["0", "2", "1"]
    assert (tallies["Work"].present, tallies["Work"].copied) == (1, 1)


def test_the_keywords_rule_makes_one_copy_with_the_other_labels_as_keywords(move: Move) -> None:
    move.old.put(mail(1), ("Work/Ada", "To do (soon)", "Gr&APYA3w-e", "\\Inbox"), flags=("\\Seen",))
    move.old.put(mail(2), ("\\Inbox", "\\Starred"))
    move.run(LabelRule.KEYWORDS)
    flags = {
        name: [set(m.flags) for m in folder.messages.values()]
        for name, folder in move.destination.folders.items()
        if folder.messages
    }
    assert flags == {
        "Work/Ada": [{"\\Seen", "to_do__soon_", "gr&apya3w-e"}],
        "INBOX": [{"\\Flagged"}],
    }


def test_the_each_rule_makes_one_copy_per_label(move: Move) -> None:
    move.old.put(mail(1), ("Work", "Private", "\\Inbox"))
    move.old.put(mail(2))
    tallies = move.run(LabelRule.EACH)
    assert move.subjects() == {"INBOX": ["1"], "Work": ["1"], "Private": ["1"], "Archive": ["2"]}
    assert not any(tally.elsewhere for tally in tallies.values())
    move.run(LabelRule.ONE)  # another rule at the next import removes and adds nothing
    assert move.subjects() == {"INBOX": ["1"], "Work": ["1"], "Private": ["1"], "Archive": ["2"]}


def test_a_localised_all_mail_and_hidden_labels_are_copied(
    tmp_path: Path, ca: CertificateAuthority, make_user: MakeUser
) -> None:
    settings = GmailSettings(names=GERMAN, parent="[Google Mail]", hidden=frozenset({"Work"}))
    with imitation(Gmail(settings), tmp_path, ca) as server:
        move = Move(server, make_user(server))
        move.destination.create("Archive").role = FolderRole.ARCHIVE
        move.old.put(mail(1))
        move.old.put(mail(2), ("Work",))
        move.old.put(mail(3), ("\\Draft",))
        move.run()
        assert move.subjects() == {"Archive": ["1"], "Work": ["2"], "[Google Mail]/Entwürfe": ["3"]}


def test_hidden_all_mail_stops_the_import_before_anything_is_copied(
    tmp_path: Path, ca: CertificateAuthority, make_user: MakeUser
) -> None:
    settings = GmailSettings(hidden=frozenset({"[Gmail]/All Mail"}))
    with imitation(Gmail(settings), tmp_path, ca) as server:
        move = Move(server, make_user(server))
        move.old.put(mail(1), ("\\Inbox",))
        with pytest.raises(MailHidden, match=r"mail_hidden\.all_mail"):
            move.run()
        assert move.subjects() == {}


def test_a_folder_limit_that_hides_mail_stops_the_import(
    tmp_path: Path, ca: CertificateAuthority, make_user: MakeUser
) -> None:
    with imitation(Gmail(GmailSettings(folder_limit=1000)), tmp_path, ca) as server:
        move = Move(server, make_user(server))
        for number in range(1010):
            move.old.put(mail(number), ("Old",) if number < 10 else ())
        with pytest.raises(MailHidden, match=r"mail_hidden.folder_limit .*number=1000"):
            move.run()
        assert move.subjects() == {}


def test_a_possible_folder_limit_is_reported(
    tmp_path: Path, ca: CertificateAuthority, make_user: MakeUser
) -> None:
    with imitation(Gmail(GmailSettings(folder_limit=1000)), tmp_path, ca) as server:
        move = Move(server, make_user(server))
        for number in range(1010):
            move.old.put(mail(number))
        tallies = move.run()
        assert sum(tally.copied for tally in tallies.values()) == 1000
        (refusal,) = move.refusals
        assert (refusal.folder, refusal.partly) == ("[Gmail]/All Mail", True)
        assert reason_said(refusal.reason).startswith("Gmail shows exactly 1,000 messages")
        move.run()
        assert len(move.refusals) == 1


@dataclass
class Forgetful(Gmail):
    """Leaves messages out of the answers about labels, the first `times`."""

    omits: Collection[int] = ()
    times: int = 1

    def answered(self, uids: list[int], requested: Sequence[str]) -> list[int]:
        if "X-GM-LABELS" not in requested or not self.times:
            return uids
        self.times -= 1
        return [uid for uid in uids if uid not in self.omits]


@pytest.mark.parametrize(("times", "folders"), [(1, {"Work", "Archive"}), (99, {"Archive"})])
@pytest.mark.parametrize("rule", [LabelRule.ONE, LabelRule.EACH])
def test_messages_whose_labels_are_left_out_of_an_answer_are_copied(
    times: int,
    folders: set[str],
    rule: LabelRule,
    tmp_path: Path,
    ca: CertificateAuthority,
    make_user: MakeUser,
) -> None:
    with imitation(Forgetful(omits=(2, 4), times=times), tmp_path, ca) as server:
        move = Move(server, make_user(server))
        move.destination.create("Archive").role = FolderRole.ARCHIVE
        for number in range(1, 6):
            move.old.put(mail(number), ("Work",) if number == 2 else ())
        tallies = move.run(rule)
        assert sum(tally.copied for tally in tallies.values()) == 5
        assert move.subjects().keys() == folders
        assert sorted(subject for names in move.subjects().values() for subject in names) == list("12345")
        again = move.run(rule)
        assert sum(tally.present for tally in again.values()) == 5
        assert not any(tally.copied for tally in again.values())


def test_messages_that_all_mail_counts_and_does_not_list_are_refused_by_number(
    tmp_path: Path, ca: CertificateAuthority, make_user: MakeUser
) -> None:
    @dataclass
    class Silent(Gmail):
        """FETCH and SEARCH leave one message out."""

        def answered(self, uids: list[int], requested: Sequence[str]) -> list[int]:
            return [uid for uid in uids if uid != 2]

        def searched(self, uids: list[int]) -> list[int]:
            return [uid for uid in uids if uid != 2]

    with imitation(Silent(), tmp_path, ca) as server:
        move = Move(server, make_user(server))
        for number in range(1, 6):
            move.old.put(mail(number))
        tally = move.run()["[Gmail]/All Mail"]
        assert (tally.found, tally.copied, tally.failed) == (5, 4, 1)
        assert [(refusal.code, refusal.count) for refusal in move.refusals] == [(RefusalCode.UNLISTED, 1)]


def test_mail_that_arrives_during_the_copy_is_copied_too(move: Move) -> None:
    for number in range(5):
        move.old.put(mail(number), ("Work",))
    arriving = iter([5])

    def stores(body: bytes) -> bytes:
        for number in arriving:
            move.old.put(mail(number), ("Work", "\\Inbox"))
        return body

    move.destination.stores = stores
    tallies = move.run()
    assert move.subjects() == {"Work": ["0", "1", "2", "3", "4", "5"]}
    assert tallies["Work"].source_recount == 6


def test_mail_deleted_during_the_copy_is_not_a_failure(move: Move) -> None:
    letters = [move.old.put(mail(number), ("Work",)) for number in range(300)]

    def stores(body: bytes) -> bytes:
        uid = move.old.all.uid_of(letters[299])
        if uid is not None:
            move.old.expunge(move.old.all, [uid])
        return body

    move.destination.stores = stores
    tallies = move.run()
    assert tallies["Work"].failed == 0
    assert tallies["Work"].source_recount == 299


def test_five_thousand_messages_with_overlapping_labels_are_fetched_once_each(move: Move) -> None:
    draw = random.Random(7)
    labels = ["\\Inbox", "\\Sent", "\\Important", *(f"Label {n}" for n in range(12)), "Label 1/Deep"]
    letters = [
        move.old.put(mail(n), draw.sample(labels, draw.choice((0, 1, 1, 2, 3, 5)))) for n in range(5000)
    ]
    tallies = move.run(lanes=3)
    assert not move.refusals  # as many as a folder limit allows, and without a gap: nothing is hidden
    assert {move.server.bodies[letter.number] for letter in letters} == {1}
    assert sum(map(len, move.subjects().values())) == 5000
    assert sum(tally.copied for tally in tallies.values()) == 5000
    with_label = Counter(label for letter in letters for label in letter.labels)
    for label in labels[3:]:
        assert tallies[label].found + tallies[label].elsewhere == with_label[label]
    assert tallies["INBOX"].found + tallies["INBOX"].elsewhere == with_label["\\Inbox"]
    assert move.run()["Label 1"].copied == 0
    assert {move.server.bodies[letter.number] for letter in letters} == {1}
