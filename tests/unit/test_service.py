"""The use cases over ports in memory: what happens between a submission, legs, ends and mails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet

from importer.adapters.fernet_vault import FernetVault
from importer.adapters.mail.compose import TemplateComposer
from importer.domain.csv_import.import_rows import Row
from importer.domain.folder_mapping.label_rules import LabelRule
from importer.domain.model import Account, Batch, FolderTally, Import, ImportId, Progress, State
from importer.domain.reporting.report import ExitCode, exit_code
from importer.ports.leases import Lease, LeaseLost
from importer.ports.mailbox import LabelView
from importer.ports.notices import MailOutcome, Notice
from importer.ports.process import OwnDiskFull
from importer.ports.store import SealedGrants
from importer.service.deps import Deps, OutgoingMail
from importer.service.imports.foreground_copy import copy
from importer.service.imports.submit import RowOutcome, submit
from importer.service.legs.connections import ConnectionPairs
from importer.service.legs.host_limits import HostLimits
from importer.service.legs.progress_recorder import ProgressRecorder
from importer.service.legs.run_leg import DISK_FULL_WAIT, handle_ring
from importer.service.tick import Tick
from providers.endpoint import Endpoint, Secret
from providers.errors import ConnectionLost, LoginRejected, ServerUnavailable, Side, Throttled
from providers.grants import Credential
from tests.fakes.mailbox import MemoryMailbox, MemorySession, MemorySessions
from tests.fakes.mailbox_access import MemoryAccess
from tests.fakes.queue import MemoryQueue
from tests.fakes.store import MemoryStore

SOURCE = Account("ada@old.example", "ada@old.example", Endpoint("imap.old.example"))
DESTINATION = Account("ada@new.example", "ada@new.example", Endpoint("imap.new.example"))
DATE = "01-Jan-2020 00:00:00 +0000"
MINUTE = timedelta(minutes=1)
RIGHT = "secret"


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 2, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class Mailer:
    """Takes every mail."""

    def send(self, _notice: Notice) -> tuple[MailOutcome, str]:
        return MailOutcome.SENT, ""


class Sessions(MemorySessions):
    """Sessions in memory; `meanwhile` happens once, as the next one is opened, and `trouble` at each."""

    meanwhile: Callable[[], object] | None = None
    trouble: Exception | None = None

    def open(
        self, account: Account, credential: Credential, side: Side, labels: LabelView | None = None
    ) -> MemorySession:
        happens, self.meanwhile = self.meanwhile, None
        if happens is not None:
            happens()
        if self.trouble is not None:
            raise self.trouble
        return super().open(account, credential, side)


@dataclass
class Office:
    """One installation with two mailboxes; the old one holds six messages."""

    old: MemoryMailbox = field(default_factory=MemoryMailbox)
    new: MemoryMailbox = field(default_factory=MemoryMailbox)
    store: MemoryStore = field(default_factory=MemoryStore)
    clock: Clock = field(default_factory=Clock)
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    access: MemoryAccess = field(default_factory=MemoryAccess)

    def __post_init__(self) -> None:
        for n in range(6):
            self.old.folders["INBOX"].add((), DATE, b"Subject: %d\r\n\r\ntext\r\n" % n)
        self.sessions = Sessions({SOURCE.key: self.old, DESTINATION.key: self.new})
        self.deps = Deps(
            store=self.store,
            sessions=self.sessions,
            queue=self.queue,
            vault=FernetVault([Secret(Fernet.generate_key().decode())]),
            outgoing_mail=OutgoingMail(TemplateComposer("mailhaul@new.example", b"k" * 32), Mailer()),
            clock=self.clock,
            is_notice=lambda _header: False,
            lease_owner="worker",
            access=self.access,
            public_url="https://haul.example",
        )

    def submit(self, password: str = RIGHT) -> tuple[RowOutcome, ImportId]:
        [placed] = submit(self.deps, [a_row(password)]).rows
        return placed.outcome, placed.import_.id

    def work(self, import_id: ImportId, legs: int = 1, **changes: Any) -> Import:
        """So many legs, each as soon as it is due."""
        for _ in range(legs):
            import_ = self.import_(import_id)
            if import_.not_before is not None:
                self.clock.time = max(self.clock.time, import_.not_before)
            handle_ring(replace(self.deps, **changes), import_id)
        return self.import_(import_id)

    def import_(self, import_id: ImportId) -> Import:
        found = self.store.import_(import_id)
        assert found is not None
        return found


def a_row(password: str = RIGHT, source: Account = SOURCE, line: int = 1) -> Row:
    return Row(line, source, Secret(password), DESTINATION, Secret("secret"))


@pytest.fixture
def office() -> Office:
    return Office()


# --- Passwords that are corrected -----------------------------------------------------------------


def test_a_password_corrected_while_the_wrong_one_is_refused_goes_on(office: Office) -> None:
    _, import_id = office.submit("wrong")
    fates: list[RowOutcome] = []
    office.sessions.meanwhile = lambda: fates.append(office.submit("secret")[0])
    office.work(import_id)
    assert fates == [RowOutcome.PASSWORD_UPDATED]
    assert office.import_(import_id).state is State.RUNNING
    assert office.queue.take()[-1] == import_id
    assert not office.store.notices()
    assert office.work(import_id).state is State.COMPLETE
    assert office.new.message_count == 6


def test_a_password_corrected_during_a_leg_counts_as_the_one_that_was_used_last(office: Office) -> None:
    _, import_id = office.submit("wrong")
    office.sessions.meanwhile = lambda: office.submit("secret")
    assert office.work(import_id, legs=2).state is State.COMPLETE
    assert office.submit("secret") == (RowOutcome.DONE, import_id)


@pytest.mark.parametrize("has_labels", [True, False])
def test_another_rule_for_labels_is_another_import_where_there_are_labels(
    office: Office, has_labels: bool
) -> None:
    office.old.has_labels = has_labels
    first = office.work(office.submit()[1])
    assert (first.state, first.has_labels) == (State.COMPLETE, has_labels)
    assert office.submit()[0] is RowOutcome.DONE
    [placed] = submit(office.deps, [replace(a_row(), labels=LabelRule.EACH)]).rows
    assert placed.outcome is (RowOutcome.STARTED if has_labels else RowOutcome.DONE)


def test_a_wrong_password_stops_the_import_at_once(office: Office) -> None:
    _, import_id = office.submit("wrong")
    stopped = office.work(import_id)
    assert stopped.state is State.STOPPED
    assert exit_code(stopped) is ExitCode.LOGIN
    assert office.store.grants(import_id) is None
    assert office.submit("secret")[0] is RowOutcome.STARTED


def test_a_password_that_comes_as_the_import_ends_starts_a_new_one(office: Office) -> None:
    class EndsJustNow(MemoryStore):
        def replace_grants(
            self, import_id: ImportId, sealed: SealedGrants, password_fingerprint: str
        ) -> bool:
            handle_ring(office.deps, import_id)
            return super().replace_grants(import_id, sealed, password_fingerprint)

    office = Office(store=EndsJustNow())
    _, first = office.submit()
    fate, second = office.submit("another")
    assert fate is RowOutcome.STARTED
    assert second != first
    assert office.store.grants(first) is None


def test_a_new_password_ends_the_waiting(office: Office) -> None:
    _, import_id = office.submit("wrong")
    office.sessions.trouble = ServerUnavailable("away")
    assert office.work(import_id).state is State.WAITING
    office.sessions.trouble = None
    office.submit("secret")
    handle_ring(office.deps, import_id)
    assert office.import_(import_id).state is State.COMPLETE


def test_a_host_that_refuses_what_it_took_before_is_asked_again_a_few_times(office: Office) -> None:
    _, import_id = office.submit()
    with_survey = replace(office.import_(import_id).progress, folders_total=1)
    lease = office.store.acquire(f"import:{import_id}", "before", office.clock.now(), MINUTE)
    assert lease is not None
    office.store.set_progress(import_id, with_survey, lease)
    office.store.release(lease)
    office.sessions.trouble = LoginRejected("not now", side=Side.SOURCE)
    waits = []
    for _ in range(3):
        waiting = office.work(import_id)
        assert waiting.state is State.WAITING
        assert waiting.not_before is not None
        waits.append((waiting.not_before - office.clock.now()) / MINUTE)
    assert waits == [1, 5, 15]
    assert office.work(import_id).state is State.STOPPED


def test_a_refusal_after_a_long_outage_is_not_the_end(office: Office) -> None:
    _, import_id = office.submit()
    lease = office.store.acquire(f"import:{import_id}", "before", office.clock.now(), MINUTE)
    assert lease is not None
    office.store.set_progress(import_id, Progress(folders_total=1), lease)
    office.store.release(lease)
    office.sessions.trouble = ConnectionLost("gone")
    office.work(import_id, legs=6)
    office.sessions.trouble = LoginRejected("not now", side=Side.SOURCE)
    assert office.work(import_id).state is State.WAITING
    assert office.work(import_id).state is State.STOPPED


# --- Two at once ----------------------------------------------------------------------------------


def test_a_double_click_starts_one_import(office: Office) -> None:
    clicks: list[tuple[RowOutcome, ImportId]] = []

    class Clicked(MemoryStore):
        def add_batch(self, batch: Batch, imports: Sequence[tuple[Import, SealedGrants | None]]) -> None:
            if not clicks:
                clicks.append((RowOutcome.DONE, ImportId("under way")))
                clicks.append(office.submit())
            super().add_batch(batch, imports)

    office = Office(store=Clicked())
    fate, import_id = office.submit()
    assert (fate, import_id) == (RowOutcome.UNDER_WAY, clicks[-1][1])
    assert clicks[-1][0] is RowOutcome.STARTED
    assert len(office.store.imports()) == 1


def test_an_import_can_be_submitted_while_a_copy_of_its_mailbox_runs(office: Office) -> None:
    _, queued = office.submit()
    office.sessions.trouble = Throttled("later", until=office.clock.now() + 60 * MINUTE)
    copy(office.deps, a_row())
    office.sessions.trouble = None
    assert office.submit() == (RowOutcome.UNDER_WAY, queued)


# --- Our own disk ---------------------------------------------------------------------------------


def test_an_import_waits_for_room_on_our_own_disk_as_long_as_it_takes(office: Office) -> None:
    _, import_id = office.submit()
    office.sessions.trouble = OwnDiskFull("No space left on device")
    for _ in range(50):
        waiting = office.work(import_id)
        assert waiting.problem is not None
        assert (waiting.state, waiting.problem.code, waiting.problem.side) == (
            State.WAITING,
            "disk_full",
            None,
        )
        assert "Mailhaul's own disk is full (No space left on device)" in waiting.problem.message
        assert waiting.attempts == 0
        assert waiting.not_before == office.clock.now() + DISK_FULL_WAIT
        office.clock.sleep(DISK_FULL_WAIT.total_seconds())
    office.sessions.trouble = None
    assert office.work(import_id).state is State.COMPLETE


def test_a_store_that_takes_nothing_ends_the_leg_and_not_the_worker(office: Office) -> None:
    class Full(MemoryStore):
        room = True

        def update_import(self, changed: Import, lease: Lease | None = None) -> None:
            if not self.room:
                raise OwnDiskFull("database or disk is full")
            super().update_import(changed, lease)

    store = Full()
    office = Office(store=store)
    _, import_id = office.submit()
    store.room = False
    handle_ring(office.deps, import_id)
    store.room = True
    assert office.work(import_id).state is State.COMPLETE


# --- The foreground copy --------------------------------------------------------------------------


def test_a_copy_that_would_wait_for_long_ends_with_its_reason_and_nobody_is_written_to(
    office: Office,
) -> None:
    office.sessions.trouble = Throttled(
        "The server asks for a pause.", until=office.clock.now() + 60 * MINUTE
    )
    ended = copy(office.deps, a_row())
    assert ended.state is State.STOPPED
    assert ended.problem is not None
    assert ended.problem.code == "throttled"
    assert "run it again later" in ended.problem.message
    assert exit_code(ended) is ExitCode.WAITING
    office.sessions.trouble = None
    office.clock.sleep(2 * 3600)
    Tick(office.deps)()
    assert office.queue.take() == []
    handle_ring(office.deps, ended.id)
    assert office.import_(ended.id) == ended
    assert not office.store.notices()


def test_a_copy_behind_another_import_of_the_mailbox_says_so(office: Office) -> None:
    office.store.acquire(f"mailbox:{DESTINATION.key}", "other", office.clock.now(), 60 * MINUTE)
    ended = copy(office.deps, a_row())
    assert ended.problem is not None
    assert (ended.state, ended.problem.code) == (State.STOPPED, "destination_busy")


def test_no_worker_takes_up_a_copy_that_has_just_begun(office: Office) -> None:
    class WorkedOn(MemoryStore):
        def add_batch(self, batch: Batch, imports: Sequence[tuple[Import, SealedGrants | None]]) -> None:
            super().add_batch(batch, imports)
            Tick(replace(office.deps, lease_owner="another"))()
            for import_, _ in imports:
                handle_ring(replace(office.deps, lease_owner="another"), import_.id)

    office = Office(store=WorkedOn())
    assert copy(office.deps, a_row()).state is State.COMPLETE
    assert office.queue.take() == []


def test_a_copy_that_was_broken_off_is_ended_by_the_next_one(office: Office) -> None:
    class Killed(Exception):
        pass

    def breaks_off(_progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy(office.deps, a_row(), on_progress=breaks_off)
    [broken] = office.store.imports()
    assert broken.state is State.STOPPED
    assert broken.problem is not None
    assert broken.problem.code == "interrupted"

    def dies(*_facts: object) -> None:
        raise Killed

    office.sessions.trouble = ConnectionLost("gone")
    with pytest.raises(Killed):
        copy(office.deps, a_row(), on_wait=dies)
    office.sessions.trouble = None
    assert copy(office.deps, a_row()).state is State.COMPLETE
    assert [i.state for i in office.store.imports()] == [State.COMPLETE, State.STOPPED, State.STOPPED]


# --- Faults of our own ----------------------------------------------------------------------------


def test_an_import_ends_also_when_its_mail_cannot_be_written(office: Office) -> None:
    class Speechless(TemplateComposer):
        def completion(self, *_facts: object) -> Sequence[Notice]:
            raise RuntimeError("no such template")

        def batch_summary(self, *_facts: object) -> Sequence[Notice]:
            raise RuntimeError("no such template")

    _, import_id = office.submit()
    done = office.work(
        import_id, outgoing_mail=OutgoingMail(Speechless("mailhaul@new.example", b"k"), Mailer())
    )
    assert done.state is State.COMPLETE
    assert not office.store.notices()


def test_an_import_ends_also_when_its_batch_cannot_be_summed_up() -> None:
    class Forgetful(MemoryStore):
        def batch(self, *_facts: object) -> Batch | None:
            raise RuntimeError("database is locked")

    office = Office(store=Forgetful())
    _, import_id = office.submit()
    assert office.work(import_id).state is State.COMPLETE
    assert office.queue.mail_rings == 1


def test_a_fault_of_our_own_after_an_outage_is_the_first_of_its_kind(office: Office) -> None:
    _, import_id = office.submit()
    office.sessions.trouble = ServerUnavailable("away")
    office.work(import_id, legs=4)
    office.sessions.trouble = RuntimeError("database is locked")
    assert office.work(import_id, legs=3).state is State.WAITING
    assert office.work(import_id).state is State.FAILED


def test_a_server_that_is_away_for_a_mailbox_that_never_opened_is_told_in_time(office: Office) -> None:
    _, import_id = office.submit()
    office.sessions.trouble = ServerUnavailable("away")
    began = office.clock.now()
    assert office.work(import_id, legs=6).state is State.STOPPED
    assert office.clock.now() - began < 30 * MINUTE


# --- Leases ---------------------------------------------------------------------------------------


def test_who_lost_the_import_overwrites_no_account_and_no_progress(office: Office) -> None:
    _, import_id = office.submit()
    name = f"import:{import_id}"
    lost = office.store.acquire(name, "frozen", office.clock.now(), MINUTE)
    assert lost is not None
    frozen = ProgressRecorder(office.store, import_id, lost, office.clock)
    frozen.progressed(Progress("INBOX", messages_done=1))
    frozen.tally_changed(FolderTally("INBOX", "INBOX", copied=1))
    office.clock.sleep(61)
    held = office.store.acquire(name, "other", office.clock.now(), MINUTE)
    assert held is not None
    observer = ProgressRecorder(office.store, import_id, held, office.clock)
    observer.progressed(Progress("INBOX", messages_done=5))
    observer.tally_changed(FolderTally("INBOX", "INBOX", copied=5))
    observer.flush()
    with pytest.raises(LeaseLost):
        frozen.flush()
    assert office.import_(import_id).progress.messages_done == 5
    assert [a.copied for a in office.store.tallies(import_id)] == [5]


def test_all_connections_of_a_leg_are_closed_also_when_one_cannot_be_opened(office: Office) -> None:
    closed: list[str] = []

    class Session(MemorySession):
        def close(self) -> None:
            closed.append(self.side.value)

    class Narrow:
        destinations = 0

        def open(
            self, _account: Account, _credential: Credential, side: Side, _labels: LabelView | None = None
        ) -> MemorySession:
            if side is Side.DESTINATION:
                self.destinations += 1
                if self.destinations > 1:
                    raise Throttled("too many connections", side=side)
            return Session(MemoryMailbox(), side)

    _, import_id = office.submit()
    host_limits = HostLimits(office.deps, office.import_(import_id), "leg")
    with ConnectionPairs(
        Narrow(), (SOURCE, Secret("a")), (DESTINATION, Secret("b")), host_limits, LabelView()
    ) as lanes:
        first = lanes.open(0)
        assert (first.number, first.source.side, first.destination.side) == (0, Side.SOURCE, Side.DESTINATION)
        with pytest.raises(Throttled):
            lanes.open(1)
    assert sorted(closed) == ["destination", "source", "source"]


# --- The tick -------------------------------------------------------------------------------------


def test_a_backlog_is_not_rung_for_at_every_tick(office: Office) -> None:
    _, import_id = office.submit()
    office.queue.take()
    tick = Tick(office.deps)
    for _ in range(5):
        tick()
        office.clock.sleep(15)
    assert office.queue.take() == [import_id, import_id]


def test_a_summary_that_was_lost_is_posted_within_a_day_and_only_for_a_submitter(office: Office) -> None:
    other = Account("grace@old.example", "grace@old.example", Endpoint("imap.old.example"))
    office.sessions = Sessions(
        {SOURCE.key: office.old, other.key: MemoryMailbox(), DESTINATION.key: office.new}
    )
    office.deps = replace(office.deps, sessions=office.sessions)
    rows = [a_row(), a_row(source=other, line=2)]
    tick = Tick(office.deps)
    for submitter, late, summaries in (
        ("", timedelta(0), 0),
        ("admin@new.example", timedelta(days=2), 0),
        ("admin@new.example", MINUTE, 1),
    ):
        submission = submit(office.deps, rows, submitter=submitter, again=True)
        assert submission.batch is not None
        for import_ in submission.started:
            office.work(import_.id, outgoing_mail=None)  # this worker posts nothing
        assert not office.store.notices(f"batch:{submission.batch.id}:")
        office.clock.sleep(late.total_seconds())
        tick()
        assert len(office.store.notices(f"batch:{submission.batch.id}:")) == summaries
