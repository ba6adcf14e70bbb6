"""Several people submit the same routes, with right and wrong passwords, in any order and with any delays.

Whoever knows both passwords gets an import that starts at once and ends complete, whatever the others do, and
each message arrives once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from importer.domain.import_state import ENDED
from importer.domain.messages.message_body import whole
from importer.domain.model import Account, ImportId, State
from importer.domain.people.actor import Actor
from importer.service.imports.control import pause, resume
from importer.service.imports.submit import RowOutcome, submit
from importer.service.imports.undo_import import UndoRefused, undo
from providers.endpoint import Endpoint, Secret
from providers.errors import ConnectionLost, LoginRejected, Side
from tests.fakes.mailbox import MemoryMailbox
from tests.fakes.mailbox_access import MemoryAccess
from tests.sampling import fewer
from tests.unit.test_service import DATE, DESTINATION, SOURCE, Office, Sessions, a_row

OTHER_SOURCE = Account("ada@other.example", "ada@other.example", Endpoint("imap.other.example"))
SOURCES = (SOURCE, OTHER_SOURCE)
OWNERS = ("", "mallory", "eve")
MESSAGES = 4


@dataclass(frozen=True)
class Submitted:
    """A row of `owner`, with the right passwords or wrong ones."""

    owner: str
    source: int
    knows_source: bool
    knows_destination: bool
    needs_consent: bool


@dataclass(frozen=True)
class Handled:
    """Something happens to the import with that number, if there is one."""

    what: str
    number: int


STEPS = st.one_of(
    st.builds(Submitted, st.sampled_from(OWNERS), st.integers(0, 1), *[st.booleans()] * 3),
    st.builds(
        Handled,
        st.sampled_from(("pause", "resume", "work", "work a little", "work while away", "undo")),
        st.integers(0, 5),
    ),
)


class Street:
    """Two old mailboxes and one new one, and the people who claim them."""

    def __init__(self) -> None:
        self.office = Office(access=MemoryAccess(frozenset({"google"})))
        other = MemoryMailbox()
        self.office.old.folders["INBOX"].messages.clear()
        for name, mailbox in (("first", self.office.old), ("second", other)):
            for n in range(MESSAGES):
                body = f"Subject: {name} {n}\r\n\r\ntext\r\n".encode()
                mailbox.folders["INBOX"].add((), DATE, body)
        mailboxes = {SOURCE.key: self.office.old, OTHER_SOURCE.key: other, DESTINATION.key: self.office.new}
        self.office.sessions = Sessions(mailboxes)
        self.office.deps = replace(self.office.deps, sessions=self.office.sessions)
        self.imports: list[ImportId] = []

    def submit(self, step: Submitted) -> tuple[RowOutcome, ImportId]:
        right, wrong = Secret("secret"), Secret("garbage")
        row = replace(
            a_row(source=SOURCES[step.source]),
            source_password=right if step.knows_source else wrong,
            destination_password=right if step.knows_destination else wrong,
        )
        if step.needs_consent:
            row = replace(row, source_password=None, source_sign_in="google")
        [submitted] = submit(self.office.deps, Actor(owner=step.owner), [row]).rows
        if submitted.import_.id not in self.imports:
            self.imports.append(submitted.import_.id)
        return submitted.outcome, submitted.import_.id

    def handle(self, step: Handled) -> None:
        if step.number >= len(self.imports):
            return
        office, id_ = self.office, self.imports[step.number]
        match step.what:
            case "pause":
                pause(office.deps, id_)
            case "resume":
                resume(office.deps, id_)
            case "work":
                office.work(id_)
            case "work a little":
                before = office.new.message_count
                few = replace(office.deps.transfer_limits, lanes=1, batch_messages=1)
                office.work(id_, transfer_limits=few, stopping=lambda: office.new.message_count > before)
            case "work while away":
                office.sessions.trouble = ConnectionLost(side=Side.SOURCE)
                office.work(id_)
                office.sessions.trouble = None
            case "undo" if office.import_(id_).state in ENDED:
                for secret in (Secret("garbage"), Secret("secret")):
                    with suppress(LoginRejected, UndoRefused):
                        undo(office.deps, office.import_(id_), secret)


@settings(max_examples=fewer("route owners", test=12, soak=300))
@given(st.lists(STEPS, min_size=4, max_size=20), st.integers(0, 1))
def test_an_import_with_both_passwords_starts_and_completes_whatever_others_have_submitted(
    steps: Sequence[Submitted | Handled], source: int
) -> None:
    street = Street()
    office = street.office
    for step in steps:
        if isinstance(step, Submitted):
            street.submit(step)
        else:
            street.handle(step)
    earlier = {import_.id: import_ for import_ in office.store.imports(limit=100)}
    outcome, own = street.submit(Submitted("grace", source, True, True, False))
    assert (outcome, own in earlier) == (RowOutcome.STARTED, False)
    assert {i.id: i for i in office.store.imports(limit=100) if i.id != own} == earlier
    assert office.work(own).state is State.COMPLETE
    [tally] = office.store.tallies(own)
    assert (tally.found, tally.failed) == (MESSAGES, 0)
    for import_id in street.imports:  # the others go on
        resume(office.deps, import_id)
        for _ in range(40):
            if office.import_(import_id).state in ENDED:
                break
            office.work(import_id)
    there = Counter(whole(message.body) for message in office.new.folders["INBOX"].messages.values())
    old = office.sessions.mailboxes[SOURCES[source].key].folders["INBOX"].messages
    expected = {whole(message.body) for message in old.values()}
    assert expected <= there.keys()
    assert max(there.values()) == 1
    for import_ in office.store.imports(limit=100):
        copies = office.store.copies(import_.route, import_.id)
        copied = sum(len(copy.receipt.source_uids) for copy in copies)
        for tally in office.store.tallies(import_.id):
            assert tally.copied == copied or office.store.undo_report(import_.id) is not None
