"""A retry of failed messages alone: its scope, what it refuses, and what it leaves to other imports."""

from __future__ import annotations

from dataclasses import replace

import pytest

from importer.compact.uid_set import Uid, UidSet, UidValidity
from importer.domain.mailbox_content import FolderRef
from importer.domain.model import Import, ImportId, State
from importer.domain.people.actor import Actor
from importer.domain.planning.cutover_options import FollowUntil, read_follow_until
from importer.domain.planning.retry_scope import RetryScope
from importer.domain.receipts.folder_tally import Refusal, RefusalCode
from importer.domain.receipts.receipt import CopyNote, Outcome, Receipt
from importer.service.imports.control import Effect, cancel
from importer.service.imports.finish import report_of
from importer.service.imports.following import schedule
from importer.service.imports.retry_failed import RetryRefused, require_failed
from importer.service.imports.submit import SubmittedRow, resubmit
from importer.service.imports.undo_import import undo
from providers.endpoint import Secret
from providers.text import Text
from tests.unit.test_service import DATE, Office

INBOX = FolderRef("INBOX", UidValidity(7))
WORK = FolderRef("Work", UidValidity(7))
EVERY = UidSet.of(range(1, 10))
SECRET = Secret("secret")


def refusal(folder: FolderRef, uid: int | None, code: RefusalCode = RefusalCode.NOT_TAKEN) -> Refusal:
    number = None if uid is None else Uid(uid)
    return Refusal(ImportId("one"), folder.name, folder.uidvalidity, number, Text("not_taken"), code=code)


def receipt(reason: CopyNote | None, *uids: int) -> Receipt:
    numbers = tuple(map(Uid, uids))
    return Receipt(
        ImportId("one"), WORK, numbers, Outcome.COPIED, FolderRef("Work", UidValidity(1)), reason=reason
    )


def test_refused_messages_and_copies_that_were_never_seen_are_tried_again() -> None:
    copies = [receipt(CopyNote.UNSEEN, 4), receipt(CopyNote.UNSEEN_TWICE, 5), receipt(None, 6)]
    scope = RetryScope.of([refusal(INBOX, 2), refusal(INBOX, 3)], copies)
    assert scope.folders == {"INBOX", "Work"}
    assert scope.chosen(INBOX, EVERY, labels=False) == UidSet.of([2, 3])
    assert scope.chosen(WORK, EVERY, labels=False) == UidSet.of([4, 5])
    assert not scope.chosen(FolderRef("Other", UidValidity(7)), EVERY, labels=False)


@pytest.mark.parametrize("code", [RefusalCode.FOLDER_UNUSABLE, RefusalCode.UNLISTED])
def test_a_folder_whose_failed_messages_have_no_name_is_tried_as_a_whole(code: RefusalCode) -> None:
    scope = RetryScope.of([refusal(INBOX, None, code), refusal(INBOX, 2)], [])
    assert scope.chosen(INBOX, EVERY, labels=False) == EVERY


def test_a_folder_that_was_renumbered_is_tried_as_a_whole() -> None:
    scope = RetryScope.of([refusal(INBOX, 2)], [])
    assert scope.chosen(replace(INBOX, uidvalidity=UidValidity(8)), EVERY, labels=False) == EVERY


def test_a_failed_message_is_found_under_another_label() -> None:
    scope = RetryScope.of([refusal(INBOX, 2)], [])
    assert scope.chosen(WORK, EVERY, labels=True) == UidSet.of([2])
    assert not scope.chosen(WORK, EVERY, labels=False)


@pytest.mark.parametrize("code", [RefusalCode.PARTLY_SHOWN, RefusalCode.SURPLUS])
def test_what_is_no_failed_message_is_nothing_to_try_again(code: RefusalCode) -> None:
    assert not RetryScope.of([refusal(INBOX, None, code)], [receipt(None, 1)])


# --- Imports -----------------------------------------------------------------------------------------------


@pytest.fixture
def office() -> Office:
    """The new mailbox refuses the messages 2 and 4 of six."""
    office = Office()
    office.new.refuses = lambda body: "no" if body.startswith((b"Subject: 2", b"Subject: 4")) else None
    return office


def retry(office: Office, import_: Import) -> Import:
    require_failed(office.deps, import_)
    submitted: SubmittedRow = resubmit(office.deps, Actor(), import_, SECRET, SECRET, failed_only=True)
    return office.work(submitted.import_.id)


def why_refused(office: Office, import_: Import) -> str:
    with pytest.raises(RetryRefused) as refused:
        require_failed(office.deps, import_)
    return refused.value.text.code


def test_a_retry_that_fails_in_part_can_be_tried_again(office: Office) -> None:
    first = office.work(office.submit()[1])
    office.old.folders["INBOX"].add((), DATE, b"Subject: new\r\n\r\ntext\r\n")
    office.new.refuses = lambda body: "no" if body.startswith(b"Subject: 4") else None
    second = retry(office, first)
    assert (second.state, second.retry_of) == (State.INCOMPLETE, first.id)
    totals = report_of(office.deps, second).totals
    assert (totals.copied, totals.present, totals.failed, totals.skipped_total) == (1, 4, 1, 1)
    office.new.refuses = lambda _body: None
    third = retry(office, second)
    assert third.state is State.COMPLETE
    totals = report_of(office.deps, third).totals
    assert (totals.copied, totals.present, totals.failed, totals.skipped_total) == (1, 5, 0, 1)
    assert why_refused(office, third) == "retry_none_failed"
    undo(office.deps, third, SECRET)
    assert office.new.message_count == 5
    assert why_refused(office, office.import_(third.id)) == "retry_undone"


def test_only_an_import_that_came_to_its_end_is_retried(office: Office) -> None:
    _, import_id = office.submit()
    assert why_refused(office, office.import_(import_id)) == "retry_under_way"
    assert why_refused(office, cancel(office.deps, import_id).import_) == "retry_unfinished"


def test_a_retry_neither_follows_the_mailbox_nor_updates_flags(office: Office) -> None:
    first = office.work(office.submit()[1])
    until = read_follow_until("2026-12-31")
    wishes = {"follow_until": until, "sync_flags": True}
    submitted = resubmit(
        office.deps, Actor(), first, SECRET, SECRET, failed_only=True, choices=wishes
    ).import_
    changed = schedule(office.deps, submitted.id, {"follow_until": until})
    assert (changed.effect, changed.text.code) == (Effect.NOT_POSSIBLE, "control_retry_ends")
    assert submitted.options.follow_until != FollowUntil()
    assert not submitted.syncs_flags
    office.new.refuses = lambda _body: None
    assert office.work(submitted.id).state is State.COMPLETE
