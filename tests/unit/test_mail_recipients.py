"""The recipients of mails about an import, and the limit of mails that one person can cause to others."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from importer.domain.audit_event import AuditAction
from importer.domain.model import Account, Batch, BatchId, Import, ImportId, State
from importer.domain.people.actor import Actor
from importer.domain.people.mail_recipients import (
    MailReader,
    MailVoice,
    completion_readers,
    is_host_of_domain,
)
from importer.domain.receipts.folder_tally import FolderTally
from importer.domain.reporting.report import Report
from importer.ports.notices import Notice
from importer.service.access.audit import search_events
from importer.service.imports.submit import submit
from importer.service.notify.mail_bounds import MAILS_PER_DOMAIN, MAILS_PER_PERSON, within_bounds
from providers.endpoint import Endpoint
from tests.unit.test_service import Office, a_row

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

OLD = Account("ada@old.example", "ada@old.example", Endpoint("imap.old.example"))
NEW = Account("ada@new.example", "ada@new.example", Endpoint("imap.new.example"))
TALLY = FolderTally("INBOX", "INBOX", 1, copied=1)


def report(*tallies: FolderTally, state: State, source: Account = OLD) -> Report:
    import_ = Import(ImportId("i1"), source, NEW, NOW, submitter="it@new.example", state=state)
    return Report(import_, tallies)


def written_to(it: Report, **facts: bool) -> tuple[str, ...]:
    return tuple(reader.address for reader in completion_readers(it, is_host_of_domain, **facts))


@pytest.mark.parametrize("state", [State.STOPPED, State.FAILED, State.CANCELLED])
def test_only_the_submitter_is_written_to_until_a_login_succeeded(state: State) -> None:
    assert written_to(report(state=state)) == ("it@new.example",)
    everyone = ("ada@old.example", "ada@new.example", "it@new.example")
    assert written_to(report(TALLY, state=state)) == everyone
    assert written_to(report(state=State.COMPLETE)) == everyone


def test_a_summary_stands_in_for_the_mails_to_the_submitter() -> None:
    done = report(state=State.COMPLETE)
    assert written_to(done, summed_up=True) == ("ada@old.example", "ada@new.example")
    assert written_to(report(state=State.STOPPED), summed_up=True) == ()
    own = Report(replace(done.import_, submitter="ADA@new.example"))
    assert written_to(own, summed_up=True) == ("ada@old.example",)


@pytest.mark.parametrize(
    ("submitter", "batch", "voices"),
    [
        ("it@new.example", "b", ["owner", "owner", "submitter"]),
        ("Ada@New.example", "b", ["own", "own", "own"]),
        ("", "b", ["owner", "owner"]),
        ("", None, ["own", "own"]),  # a copy at the console
    ],
)
def test_each_reader_is_addressed_as_what_they_are(
    submitter: str, batch: str | None, voices: list[str]
) -> None:
    import_ = replace(
        report(state=State.COMPLETE).import_,
        submitter=submitter,
        batch_id=BatchId(batch) if batch else None,
    )
    readers = completion_readers(Report(import_), is_host_of_domain)
    assert [reader.voice.value for reader in readers] == voices
    assert readers[0] == MailReader("ada@old.example", MailVoice(voices[0]))


@pytest.mark.parametrize(
    ("address", "login", "host", "proven"),
    [
        ("ada@old.example", "ada@old.example", "imap.old.example", True),
        ("ada@old.example", "ADA@old.example", "OLD.example.", True),
        ("ceo@third.example", "ceo@third.example", "imap.evil.example", False),
        ("ceo@third.example", "ceo@third.example", "third.example.evil.example", False),
        ("ceo@third.example", "ceo@third.example", "notthird.example", False),
        ("ceo@third.example", "mallory", "imap.third.example", False),
    ],
)
def test_a_server_that_a_submitter_names_proves_no_other_address(
    address: str, login: str, host: str, *, proven: bool
) -> None:
    account = Account(address, login, Endpoint(host))
    assert is_host_of_domain(account) is proven
    written = written_to(report(state=State.COMPLETE, source=account))
    assert (address in written) is proven


def notices(*recipients: str) -> list[Notice]:
    return [Notice(f"k{n}", to, "s", "t", "h", "<m>", NOW) for n, to in enumerate(recipients)]


def sent(office: Office, owner: str, *recipients: str, is_trusted: bool = False) -> int:
    import_ = report(state=State.COMPLETE).import_
    batch = Batch(BatchId("b"), NOW, owner=owner, is_trusted=is_trusted)
    return len(within_bounds(office.deps, batch, import_, notices(*recipients)))


def test_one_person_has_a_bound_of_mails_to_others_and_the_operator_is_told() -> None:
    office = Office()
    strangers = [f"ceo@c{n}.example" for n in range(MAILS_PER_PERSON.tries + 30)]
    assert sent(office, "mailbox:mallory", *strangers, "it@new.example") == MAILS_PER_PERSON.tries + 1
    assert sent(office, "mailbox:ada", "ceo@c1.example") == 1
    assert sent(office, "mailbox:mallory", *strangers, is_trusted=True) == len(strangers)
    (event,) = search_events(office.deps, actions=[AuditAction.LIMIT_HIT])
    assert event.target == "mail:person:mailbox:mallory"


def test_a_mail_that_was_posted_is_not_counted_again() -> None:
    office = Office()
    import_ = report(state=State.WAITING).import_
    batch = Batch(BatchId("b"), NOW, owner="mailbox:mallory", is_trusted=False)
    mail = replace(notices("ada@old.example")[0], key=f"import:{import_.id}:ada@old.example:awaiting_cutover")
    for _ in range(MAILS_PER_PERSON.tries + 1):  # each leg of a pass that ends with the same wait
        office.store.post(within_bounds(office.deps, batch, import_, [mail]))
    assert office.store.notices() == [mail]
    assert sent(office, "mailbox:mallory", "ceo@c1.example") == 1


def test_all_people_together_have_a_bound_of_mails_to_one_foreign_domain() -> None:
    office = Office()
    for number in range(4):
        sent(
            office, f"mailbox:m{number}", *[f"a{n}@third.example" for n in range(MAILS_PER_DOMAIN.tries // 4)]
        )
    assert sent(office, "mailbox:m9", "a@third.example", "a@new.example", "a@other.example") == 2


@pytest.mark.parametrize(
    ("owner", "everyone", "trusted"),
    [
        ("mailbox:mallory", False, False),
        ("openid:1", False, False),
        ("mailbox:mallory", True, True),
        ("client:panel", False, True),
        ("", False, True),
    ],
)
def test_invitations_are_sent_for_trusted_submitters(owner: str, *, everyone: bool, trusted: bool) -> None:
    office = Office()
    office.access.open_at = frozenset({"google"})
    row = replace(a_row(), source_password=None, source_sign_in="google")
    [submitted] = submit(replace(office.deps, invites_everyone=everyone), Actor(owner=owner), [row]).rows
    assert bool(office.store.notices(f"consent:{submitted.import_.id}")) is trusted
