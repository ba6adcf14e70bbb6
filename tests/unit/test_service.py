"""The use cases with in-memory ports: submission, legs, the end of imports and mails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet

from importer.adapters.ed25519_signer import Ed25519Signer
from importer.adapters.fernet_vault import FernetVault
from importer.adapters.mail.compose import TemplateComposer
from importer.domain.csv_import.import_rows import Row
from importer.domain.folder_mapping.label_rules import LabelRule
from importer.domain.model import Account, Batch, Import, ImportId, Progress, State
from importer.domain.people.actor import Actor
from importer.domain.planning.retry_limits import DATABASE_LOST_WAIT, DISK_FULL_WAIT, KEY_MISSING_WAIT
from importer.domain.receipts.folder_tally import FolderTally
from importer.domain.reporting.report import ExitCode, exit_code
from importer.ports.leases import Lease, LeaseLost
from importer.ports.mailbox import LabelView
from importer.ports.notices import MailOutcome, Notice
from importer.ports.process import DatabaseUnavailable, OwnDiskFull
from importer.ports.store import SealedGrants
from importer.service.access.sealed_grants import open_grants, seal_grant
from importer.service.deps import Deps, OutgoingMail
from importer.service.imports.foreground_copy import copy
from importer.service.imports.submit import RowOutcome, SubmittedRow, submit
from importer.service.legs.connections import ConnectionPairs
from importer.service.legs.host_limits import HostLimits
from importer.service.legs.progress_recorder import ProgressRecorder
from importer.service.legs.run_leg import handle_ring
from importer.service.tick import Tick
from providers.endpoint import Endpoint, Secret
from providers.errors import (
    CertificateRefused,
    ConnectionLost,
    EncryptionUnavailable,
    HostUnknown,
    LoginRejected,
    MailError,
    MasterRefused,
    NotAnImapServer,
    ServerUnavailable,
    Side,
    Throttled,
)
from providers.grants import Credential, OAuthGrant, PasswordGrant
from providers.text import Text
from tests.english import said
from tests.fakes.mailbox import MemoryMailbox, MemoryReader, MemorySessions
from tests.fakes.mailbox_access import MemoryAccess
from tests.fakes.queue import MemoryQueue
from tests.fakes.store import MemoryStore

SOURCE = Account("ada@old.example", "ada@old.example", Endpoint("imap.old.example"))
DESTINATION = Account("ada@new.example", "ada@new.example", Endpoint("imap.new.example"))
DATE = "01-Jan-2020 00:00:00 +0000"
MINUTE = timedelta(minutes=1)
RIGHT = "secret"


class Clock:
    """A clock that advances only in `sleep`."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 2, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def elapsed_s(self) -> float:
        return self.time.timestamp()

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class Mailer:
    """Accepts every mail."""

    def send(self, _notice: Notice) -> tuple[MailOutcome, str]:
        return MailOutcome.SENT, ""


class Sessions(MemorySessions):
    """In-memory sessions. The next login calls `on_next_open` once; `trouble`, if set, is raised by each."""

    on_next_open: Callable[[], object] | None = None
    trouble: Exception | None = None

    def admit(self, account: Account, credential: Credential, side: Side) -> MemoryMailbox:
        happens, self.on_next_open = self.on_next_open, None
        if happens is not None:
            happens()
        if self.trouble is not None:
            raise self.trouble
        return super().admit(account, credential, side)


@dataclass
class Office:
    """An installation with two mailboxes. The source (`old`) holds six messages."""

    old: MemoryMailbox = field(default_factory=MemoryMailbox)
    new: MemoryMailbox = field(default_factory=MemoryMailbox)
    store: MemoryStore = field(default_factory=MemoryStore)
    clock: Clock = field(default_factory=Clock)
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    access: MemoryAccess = field(default_factory=MemoryAccess)

    def __post_init__(self) -> None:
        self.store.lease_clock = self.clock.now
        for n in range(6):
            self.old.folders["INBOX"].add((), DATE, b"Subject: %d\r\n\r\ntext\r\n" % n)
        self.sessions = Sessions({SOURCE.key: self.old, DESTINATION.key: self.new})
        self.deps = Deps(
            store=self.store,
            sessions=self.sessions,
            queue=self.queue,
            vault=FernetVault([Secret(Fernet.generate_key().decode())]),
            signer=Ed25519Signer([Secret("any")]),
            outgoing_mail=OutgoingMail(TemplateComposer("mailhaul@new.example", b"k" * 32), Mailer()),
            clock=self.clock,
            is_notice=lambda _header: False,
            lease_owner="worker",
            access=self.access,
            public_url="https://haul.example",
        )

    def submit(self, password: str = RIGHT) -> tuple[RowOutcome, ImportId]:
        [submitted] = submit(self.deps, Actor(), [a_row(password)]).rows
        return submitted.outcome, submitted.import_.id

    def work(self, import_id: ImportId, legs: int = 1, **changes: Any) -> Import:
        """Run `legs` legs, each as soon as it is due."""
        for _ in range(legs):
            import_ = self.import_(import_id)
            if import_.not_before is not None:
                self.clock.time = max(self.clock.time, import_.not_before)
            handle_ring(replace(self.deps, **changes), import_id)
        return self.import_(import_id)

    def import_(self, import_id: ImportId) -> Import:
        stored = self.store.import_(import_id)
        assert stored is not None
        return stored


def a_row(password: str = RIGHT, source: Account = SOURCE, line: int = 1) -> Row:
    return Row(line, source, Secret(password), DESTINATION, Secret("secret"))


@pytest.fixture
def office() -> Office:
    return Office()


# --- Corrected passwords --------------------------------------------------------------------------


def test_a_password_corrected_during_a_failing_login_is_used_next(office: Office) -> None:
    _, import_id = office.submit("wrong")
    outcomes: list[RowOutcome] = []
    office.sessions.on_next_open = lambda: outcomes.append(office.submit("secret")[0])
    office.work(import_id)
    assert outcomes == [RowOutcome.PASSWORD_UPDATED]
    assert office.import_(import_id).state is State.RUNNING
    assert office.queue.take()[-1] == import_id
    assert not office.store.notices()
    assert office.work(import_id).state is State.COMPLETE
    assert office.new.message_count == 6


def test_a_password_corrected_during_a_leg_becomes_the_last_used_password(office: Office) -> None:
    _, import_id = office.submit("wrong")
    office.sessions.on_next_open = lambda: office.submit("secret")
    assert office.work(import_id, legs=2).state is State.COMPLETE
    assert office.submit("secret") == (RowOutcome.DONE, import_id)


@pytest.mark.parametrize("has_labels", [True, False])
def test_another_label_rule_is_another_import_if_there_are_labels(office: Office, has_labels: bool) -> None:
    office.old.has_labels = has_labels
    first = office.work(office.submit()[1])
    assert (first.state, first.has_labels) == (State.COMPLETE, has_labels)
    assert office.submit()[0] is RowOutcome.DONE
    [submitted] = submit(office.deps, Actor(), [replace(a_row(), choices={"labels": LabelRule.EACH})]).rows
    assert submitted.outcome is (RowOutcome.STARTED if has_labels else RowOutcome.DONE)


def test_a_wrong_password_stops_the_import_immediately(office: Office) -> None:
    _, import_id = office.submit("wrong")
    stopped = office.work(import_id)
    assert stopped.state is State.STOPPED
    assert exit_code(stopped) is ExitCode.LOGIN
    assert office.store.grants(import_id) is None
    assert office.submit("secret")[0] is RowOutcome.STARTED


def test_a_password_submitted_at_the_end_of_an_import_starts_a_new_one(office: Office) -> None:
    class EndsJustNow(MemoryStore):
        def replace_grants(
            self, import_id: ImportId, sealed: Mapping[Side, bytes], password_fingerprint: str
        ) -> bool:
            handle_ring(office.deps, import_id)
            return super().replace_grants(import_id, sealed, password_fingerprint)

    office = Office(store=EndsJustNow())
    _, first = office.submit()
    outcome, second = office.submit("another")
    assert outcome is RowOutcome.STARTED
    assert second != first
    assert office.store.grants(first) is None


def test_a_new_password_of_one_side_leaves_a_token_that_is_renewed_meanwhile(office: Office) -> None:
    """By a worker, which may get another refresh token with each access token, or by `keys rotate`."""
    token, renewed = (OAuthGrant("google", Secret(text)) for text in ("first", "renewed"))

    class RenewsJustThen(MemoryStore):
        def grants(self, import_id: ImportId) -> SealedGrants | None:
            found = super().grants(import_id)
            lease = self.acquire(f"import:{import_id}", "worker", MINUTE)
            assert lease is not None
            self.keep_grant(import_id, Side.SOURCE, sealed(import_id, renewed), lease)
            self.release(lease)
            return found

    def sealed(import_id: ImportId, grant: OAuthGrant) -> bytes:
        return seal_grant(office.deps, import_id, Side.SOURCE, grant)

    def submitted(password: str, grant: OAuthGrant | None) -> SubmittedRow:
        row = replace(a_row(password), source_password=None, source_sign_in="google", source_grant=grant)
        row = replace(row, destination_password=Secret(password))
        return submit(office.deps, Actor(), [row]).rows[0]

    office = Office(store=RenewsJustThen(), access=MemoryAccess(frozenset({"google"})))
    import_id = submitted("wrong", token).import_.id
    assert submitted("right", None).outcome is RowOutcome.PASSWORD_UPDATED
    stored = MemoryStore.grants(office.store, import_id)
    assert stored is not None
    opened = open_grants(office.deps, import_id, stored)
    assert (opened.source, opened.destination) == (renewed, PasswordGrant(Secret("right")))


def test_a_new_password_ends_the_wait(office: Office) -> None:
    _, import_id = office.submit("wrong")
    office.sessions.trouble = ServerUnavailable()
    assert office.work(import_id).state is State.WAITING
    office.sessions.trouble = None
    office.submit("secret")
    handle_ring(office.deps, import_id)
    assert office.import_(import_id).state is State.COMPLETE


def test_a_previously_accepted_login_is_retried_a_few_times(office: Office) -> None:
    _, import_id = office.submit()
    with_survey = replace(office.import_(import_id).progress, folders_total=1)
    lease = office.store.acquire(f"import:{import_id}", "before", MINUTE)
    assert lease is not None
    office.store.save_tallies(import_id, [], lease, progress=with_survey)
    office.store.note_proven(import_id, office.import_(import_id).password_fingerprint, lease)
    office.store.release(lease)
    office.sessions.trouble = LoginRejected(side=Side.SOURCE)
    waits = []
    for _ in range(3):
        waiting = office.work(import_id)
        assert waiting.state is State.WAITING
        assert waiting.not_before is not None
        waits.append((waiting.not_before - office.clock.now()) / MINUTE)
    assert waits == [1, 5, 15]
    assert office.work(import_id).state is State.STOPPED


def test_a_rejected_login_after_a_long_outage_is_retried(office: Office) -> None:
    _, import_id = office.submit()
    lease = office.store.acquire(f"import:{import_id}", "before", MINUTE)
    assert lease is not None
    office.store.save_tallies(import_id, [], lease, progress=Progress(folders_total=1))
    office.store.note_proven(import_id, office.import_(import_id).password_fingerprint, lease)
    office.store.release(lease)
    office.sessions.trouble = ConnectionLost()
    office.work(import_id, legs=6)
    office.sessions.trouble = LoginRejected(side=Side.SOURCE)
    assert office.work(import_id).state is State.WAITING
    assert office.work(import_id).state is State.STOPPED


# --- Concurrent submissions -----------------------------------------------------------------------


def test_a_double_click_starts_one_import(office: Office) -> None:
    clicks: list[tuple[RowOutcome, ImportId]] = []

    class ClickedTwice(MemoryStore):
        def add_batch(self, batch: Batch, imports: Sequence[tuple[Import, SealedGrants | None]]) -> None:
            if not clicks:
                clicks.append((RowOutcome.DONE, ImportId("under way")))
                clicks.append(office.submit())
            super().add_batch(batch, imports)

    office = Office(store=ClickedTwice())
    outcome, import_id = office.submit()
    assert (outcome, import_id) == (RowOutcome.UNDER_WAY, clicks[-1][1])
    assert clicks[-1][0] is RowOutcome.STARTED
    assert len(office.store.imports()) == 1


def test_an_import_can_be_submitted_while_a_copy_of_its_mailbox_runs(office: Office) -> None:
    _, queued = office.submit()
    office.sessions.trouble = Throttled(until=office.clock.now() + 60 * MINUTE)
    copy(office.deps, Actor(), a_row())
    office.sessions.trouble = None
    assert office.submit() == (RowOutcome.UNDER_WAY, queued)


# --- Full disk ------------------------------------------------------------------------------------


def test_an_import_waits_for_disk_space_without_a_limit(office: Office) -> None:
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
        assert "run out of disk space" in said(waiting.problem)
        assert waiting.attempts == 0
        assert waiting.not_before == office.clock.now() + DISK_FULL_WAIT
        office.clock.sleep(DISK_FULL_WAIT.total_seconds())
    office.sessions.trouble = None
    assert office.work(import_id).state is State.COMPLETE


def test_a_full_database_disk_ends_the_leg_and_not_the_worker(office: Office) -> None:
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


def test_a_lost_database_is_no_defect_and_counts_as_no_attempt(office: Office) -> None:
    _, import_id = office.submit()
    office.sessions.trouble = DatabaseUnavailable("server closed the connection unexpectedly")
    for _ in range(10):
        waiting = office.work(import_id)
        assert waiting.problem is not None
        assert (waiting.state, waiting.problem.code) == (State.WAITING, "database_unavailable")
        assert waiting.attempts == 0
        office.clock.sleep(DATABASE_LOST_WAIT.total_seconds())
    office.sessions.trouble = None
    assert office.work(import_id).state is State.COMPLETE


def test_passwords_that_no_key_opens_wait_for_the_key(office: Office) -> None:
    """A worker that was not restarted after a rotation must not end what the owner has to start again."""
    _, import_id = office.submit()
    wrong = FernetVault([Secret(Fernet.generate_key().decode())])
    for _ in range(50):
        waiting = office.work(import_id, vault=wrong)
        assert waiting.problem is not None
        assert (waiting.state, waiting.problem.code) == (State.WAITING, "key_missing")
        assert (waiting.attempts, waiting.not_before) == (0, office.clock.now() + KEY_MISSING_WAIT)
        assert office.store.grants(import_id) is not None
    assert not office.store.notices()
    assert office.work(import_id).state is State.COMPLETE


def test_a_leg_whose_database_stays_away_ends_without_an_error(office: Office) -> None:
    class Away(MemoryStore):
        responds = True

        def update_import(self, changed: Import, lease: Lease | None = None) -> None:
            if not self.responds:
                raise DatabaseUnavailable("connection refused")
            super().update_import(changed, lease)

    store = Away()
    office = Office(store=store)
    _, import_id = office.submit()
    store.responds = False
    handle_ring(office.deps, import_id)
    store.responds = True
    assert office.work(import_id).state is State.COMPLETE


# --- The foreground copy --------------------------------------------------------------------------


def test_a_foreground_copy_ends_instead_of_a_long_wait_and_sends_no_mail(
    office: Office,
) -> None:
    office.sessions.trouble = Throttled(until=office.clock.now() + 60 * MINUTE)
    ended = copy(office.deps, Actor(), a_row())
    assert ended.state is State.STOPPED
    assert ended.problem is not None
    assert ended.problem.code == "throttled"
    assert "run it again later" in said(ended.problem)
    assert exit_code(ended) is ExitCode.WAITING
    office.sessions.trouble = None
    office.clock.sleep(2 * 3600)
    Tick(office.deps)()
    assert office.queue.take() == []
    handle_ring(office.deps, ended.id)
    assert office.import_(ended.id) == ended
    assert not office.store.notices()


def test_a_foreground_copy_counts_its_wait_for_a_silent_server(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pauses between legs are of seconds, and each leg waits for minutes."""
    logins: list[Side] = []

    def silence(_account: Account, _credential: Credential, side: Side) -> MemoryMailbox:
        logins.append(side)
        office.clock.sleep(90)
        raise ConnectionLost(Text("connection_lost.silent", host="imap.old.example"), side=side)

    monkeypatch.setattr(office.sessions, "admit", silence)
    ended = copy(office.deps, Actor(), a_row())
    assert ended.state is State.STOPPED
    assert sorted(logins) == sorted(Side)  # of one leg
    assert ended.problem is not None
    assert "stopped responding" in said(ended.problem)


def test_a_foreground_copy_reports_a_busy_destination(office: Office) -> None:
    office.store.acquire(f"mailbox:{DESTINATION.key}", "other", 60 * MINUTE)
    ended = copy(office.deps, Actor(), a_row())
    assert ended.problem is not None
    assert (ended.state, ended.problem.code) == (State.STOPPED, "destination_busy")


def test_workers_do_not_run_a_new_foreground_copy(office: Office) -> None:
    class WorkedOn(MemoryStore):
        def add_batch(self, batch: Batch, imports: Sequence[tuple[Import, SealedGrants | None]]) -> None:
            super().add_batch(batch, imports)
            Tick(replace(office.deps, lease_owner="another"))()
            for import_, _ in imports:
                handle_ring(replace(office.deps, lease_owner="another"), import_.id)

    office = Office(store=WorkedOn())
    assert copy(office.deps, Actor(), a_row()).state is State.COMPLETE
    assert office.queue.take() == []


def test_an_interrupted_foreground_copy_is_ended_by_the_next_one(office: Office) -> None:
    class Killed(Exception):
        pass

    def interrupt(_progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy(office.deps, Actor(), a_row(), on_progress=interrupt)
    [interrupted] = office.store.imports()
    assert interrupted.state is State.STOPPED
    assert interrupted.problem is not None
    assert interrupted.problem.code == "interrupted"

    def kill(*_facts: object) -> None:
        raise Killed

    office.sessions.trouble = ConnectionLost()
    with pytest.raises(Killed):
        copy(office.deps, Actor(), a_row(), on_wait=kill)
    office.sessions.trouble = None
    assert copy(office.deps, Actor(), a_row()).state is State.COMPLETE
    assert [i.state for i in office.store.imports()] == [State.COMPLETE, State.STOPPED, State.STOPPED]


# --- Internal errors ------------------------------------------------------------------------------


def test_an_import_ends_even_if_its_mail_cannot_be_composed(office: Office) -> None:
    class FailingComposer(TemplateComposer):
        def completion(self, *_facts: object, **_named: object) -> Sequence[Notice]:
            raise RuntimeError("no such template")

        def batch_summary(self, *_facts: object, **_named: object) -> Sequence[Notice]:
            raise RuntimeError("no such template")

    _, import_id = office.submit()
    done = office.work(
        import_id, outgoing_mail=OutgoingMail(FailingComposer("mailhaul@new.example", b"k"), Mailer())
    )
    assert done.state is State.COMPLETE
    assert not office.store.notices()


def test_an_import_ends_even_if_its_batch_summary_fails() -> None:
    class FailingBatchStore(MemoryStore):
        def batch(self, *_facts: object) -> Batch | None:
            raise RuntimeError("database is locked")

    office = Office(store=FailingBatchStore())
    _, import_id = office.submit()
    assert office.work(import_id).state is State.COMPLETE
    assert office.queue.mail_rings == 1


def test_internal_errors_are_counted_separately_from_outages(office: Office) -> None:
    _, import_id = office.submit()
    office.sessions.trouble = ServerUnavailable()
    office.work(import_id, legs=4)
    office.sessions.trouble = RuntimeError("database is locked")
    assert office.work(import_id, legs=3).state is State.WAITING
    assert office.work(import_id).state is State.FAILED


def test_an_unreachable_server_of_a_new_import_stops_it_within_30_minutes(office: Office) -> None:
    _, import_id = office.submit()
    office.sessions.trouble = ServerUnavailable()
    began = office.clock.now()
    assert office.work(import_id, legs=6).state is State.STOPPED
    assert office.clock.now() - began < 30 * MINUTE


# --- The operator's own mail host -------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble", [ServerUnavailable, CertificateRefused, HostUnknown, NotAnImapServer, EncryptionUnavailable]
)
def test_a_fault_of_the_own_mail_host_ends_no_import_however_long_it_takes(
    office: Office, trouble: type[MailError]
) -> None:
    _, import_id = office.submit()
    office.sessions.trouble = trouble(side=Side.DESTINATION)
    began = office.clock.now()
    while office.clock.now() - began < timedelta(days=3):
        waiting = office.work(import_id, own_host=DESTINATION.endpoint)
        assert waiting.problem is not None
        assert (waiting.state, waiting.problem.code) == (State.WAITING, trouble.code)
        assert waiting.not_before is not None
        assert waiting.not_before - office.clock.now() <= 5 * MINUTE
        assert waiting.attempts == 0
    assert not office.store.notices()
    office.sessions.trouble = None
    assert office.work(import_id, own_host=DESTINATION.endpoint).state is State.COMPLETE


def test_a_master_user_that_opened_the_mailbox_before_is_the_operators_matter_for_a_day(
    office: Office,
) -> None:
    _, import_id = office.submit()
    office.sessions.trouble = MasterRefused(side=Side.DESTINATION)
    lease = office.store.acquire(f"import:{import_id}", "worker", MINUTE)
    assert lease is not None
    office.store.note_proven(import_id, office.import_(import_id).password_fingerprint, lease)
    office.store.release(lease)
    began = office.clock.now()
    while office.work(import_id, own_host=DESTINATION.endpoint).state is State.WAITING:
        assert office.clock.now() - began < timedelta(days=2)
    assert office.clock.now() - began >= timedelta(days=1)


def test_a_master_user_that_never_opened_the_mailbox_stops_the_import(office: Office) -> None:
    _, import_id = office.submit()
    office.sessions.trouble = MasterRefused(side=Side.DESTINATION)
    assert office.work(import_id, own_host=DESTINATION.endpoint).state is State.STOPPED


@pytest.mark.parametrize(
    ("side", "own_host"),
    [(Side.SOURCE, DESTINATION.endpoint), (Side.DESTINATION, Endpoint("imap.other.example"))],
)
def test_a_wrong_certificate_of_another_host_still_stops_the_import(
    office: Office, side: Side, own_host: Endpoint
) -> None:
    _, import_id = office.submit()
    office.sessions.trouble = CertificateRefused(side=side)
    assert office.work(import_id, own_host=own_host).state is State.STOPPED


# --- Leases ---------------------------------------------------------------------------------------


def test_a_worker_without_the_lease_cannot_overwrite_tallies_and_progress(office: Office) -> None:
    _, import_id = office.submit()
    name = f"import:{import_id}"
    lost_lease = office.store.acquire(name, "frozen", MINUTE)
    assert lost_lease is not None
    frozen = ProgressRecorder(office.store, import_id, lost_lease, office.clock)
    frozen.progressed(Progress("INBOX", messages_done=1))
    frozen.tally_changed(FolderTally("INBOX", "INBOX", copied=1))
    office.clock.sleep(61)
    lease = office.store.acquire(name, "other", MINUTE)
    assert lease is not None
    current = ProgressRecorder(office.store, import_id, lease, office.clock)
    current.progressed(Progress("INBOX", messages_done=5))
    current.tally_changed(FolderTally("INBOX", "INBOX", copied=5))
    current.flush()
    with pytest.raises(LeaseLost):
        frozen.flush()
    assert office.import_(import_id).progress.messages_done == 5
    assert [a.copied for a in office.store.tallies(import_id)] == [5]


def test_all_connections_of_a_leg_are_closed_even_if_one_cannot_be_opened(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []

    class OneDestinationOnly(MemorySessions):
        destinations = 0

        def admit(self, account: Account, credential: Credential, side: Side) -> MemoryMailbox:
            if side is Side.DESTINATION:
                self.destinations += 1
                if self.destinations > 1:
                    raise Throttled(side=side)
            return MemoryMailbox()

    monkeypatch.setattr(MemoryReader, "close", lambda session: closed.append(session.side.value))

    _, import_id = office.submit()
    host_limits = HostLimits(office.deps, office.import_(import_id), "leg")
    with ConnectionPairs(
        OneDestinationOnly({}), (SOURCE, Secret("a")), (DESTINATION, Secret("b")), host_limits, LabelView()
    ) as lanes:
        first = lanes.open(0)
        assert (first.number, first.source.side, first.destination.side) == (0, Side.SOURCE, Side.DESTINATION)
        with pytest.raises(Throttled):
            lanes.open(1)
    assert sorted(closed) == ["destination", "source", "source"]


# --- The tick -------------------------------------------------------------------------------------


def test_a_backlog_is_not_queued_again_at_every_tick(office: Office) -> None:
    _, import_id = office.submit()
    office.queue.take()
    tick = Tick(office.deps)
    for _ in range(5):
        tick()
        office.clock.sleep(15)
    assert office.queue.take() == [import_id, import_id]


def test_an_import_whose_worker_died_is_rung_at_the_next_tick(office: Office) -> None:
    """Also if a tick rang for it shortly before it was taken."""
    _, import_id = office.submit()
    office.queue.take()
    tick = Tick(office.deps)
    tick()
    assert office.queue.take() == [import_id]
    assert office.store.acquire(f"import:{import_id}", "killed", timedelta(seconds=20))
    for rung in ([], [], [], [import_id], []):
        office.clock.sleep(6)
        tick()
        assert office.queue.take() == rung


def test_a_lost_summary_is_posted_within_a_day_and_only_for_a_submitter(office: Office) -> None:
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
        submission = submit(office.deps, Actor(notify=submitter), rows, again=True)
        assert submission.batch is not None
        for import_ in submission.started:
            office.work(import_.id, outgoing_mail=None)  # this worker sends no mail
        assert not office.store.notices(f"batch:{submission.batch.id}:")
        office.clock.sleep(late.total_seconds())
        tick()
        assert len(office.store.notices(f"batch:{submission.batch.id}:")) == summaries
