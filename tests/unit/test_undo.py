"""The undo use case: preconditions, the stored report, and later actions."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest

from importer.adapters.store.mapping import AnyRow, undo_report
from importer.domain.model import Import, State
from importer.domain.receipts.undo_report import FolderKept, FolderUndo, UndoReport
from importer.domain.reporting.explanation import Action
from importer.i18n.explanation_texts import explanation_texts
from importer.i18n.outcome_texts import outcome_text
from importer.i18n.report_json import report_json
from importer.i18n.translations import texts
from importer.i18n.undo_report_texts import undo_json, undo_text
from importer.service.imports.control import cancel
from importer.service.imports.submit import RowOutcome
from importer.service.imports.undo_import import UndoRefused, undo
from importer.service.queries import explain
from importer.web.live_progress import Snapshot
from importer.web.view_models import import_view
from providers.endpoint import Secret
from providers.errors import ConnectionLost, LoginRejected
from tests.unit.test_service import DESTINATION, MINUTE, Office

PASSWORD = Secret("secret")


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def done(office: Office) -> Import:
    _, import_id = office.submit()
    return office.work(import_id)


def test_an_undone_import_can_be_run_again(office: Office, done: Import) -> None:
    office.new.folders["INBOX"].add((), "01-Jan-2020 00:00:00 +0000", b"mine")
    report = undo(office.deps, done, PASSWORD)
    assert (report.totals.removed, report.totals.stays, report.adds_up) == (6, 0, True)
    assert office.new.message_count == 1
    assert office.store.undo_report(done.id) == report
    undone = office.import_(done.id)
    assert (undone.state, undone.problem) == (State.UNDONE, None)
    explanation = explain(office.deps, undone)
    assert "It was undone on" in explanation_texts(texts("en"), explanation).sentence
    assert "6 of the 6 messages" in outcome_text(texts("en"), explanation.report.outcome)
    assert report_json(texts("en"), explanation.report)["state"] == "undone"
    assert explanation.actions == (Action.RUN_AGAIN,)
    shown = import_view(texts("de"), Snapshot(undone), office.clock.now())
    assert (shown.word, shown.way_on) == ("Rückgängig gemacht", "undone")
    outcome, again = office.submit()
    assert outcome is RowOutcome.STARTED
    assert office.work(again).state is State.COMPLETE
    assert office.new.message_count == 7
    assert undo(office.deps, done, PASSWORD).totals == report.totals  # the copies of the new import stay
    assert office.new.message_count == 7


def test_a_running_import_must_be_cancelled_first(office: Office) -> None:
    _, import_id = office.submit()
    with pytest.raises(UndoRefused, match="undo_too_early"):
        undo(office.deps, office.import_(import_id), PASSWORD)
    cancelled = cancel(office.deps, import_id).import_
    assert undo_text(texts("en"), undo(office.deps, cancelled, PASSWORD)).startswith(
        "The import had added nothing"
    )


@pytest.mark.parametrize("name", ["import", "mailbox"])
def test_undo_needs_the_leases_of_import_and_mailbox(office: Office, done: Import, name: str) -> None:
    lease_name = f"import:{done.id}" if name == "import" else f"mailbox:{DESTINATION.key}"
    lease = office.store.acquire(lease_name, "another", MINUTE)
    assert lease is not None
    with pytest.raises(UndoRefused):
        undo(office.deps, done, PASSWORD)
    assert office.new.message_count == 6
    office.store.release(lease)
    assert undo(office.deps, done, PASSWORD).totals.removed == 6


def test_a_failed_undo_leaves_neither_lease_nor_report(office: Office, done: Import) -> None:
    with pytest.raises(LoginRejected):
        undo(office.deps, done, Secret("wrong"))
    office.sessions.trouble = ConnectionLost()
    with pytest.raises(ConnectionLost):
        undo(office.deps, done, PASSWORD)
    office.sessions.trouble = None
    assert office.store.undo_report(done.id) is None
    assert undo(office.deps, done, PASSWORD).totals.removed == 6


def test_a_host_without_uidplus_is_refused_with_the_reason(office: Office, done: Import) -> None:
    office.new.gives_uids = False
    with pytest.raises(UndoRefused, match="undo_inexact"):
        undo(office.deps, done, PASSWORD)
    assert office.new.message_count == 6


def test_remaining_messages_are_reported_and_can_be_undone_later(office: Office, done: Import) -> None:
    inbox = office.new.folders["INBOX"].messages
    uid, message = next(iter(inbox.items()))
    inbox[uid] = message._replace(flags=("\\Answered",))
    report = undo(office.deps, done, PASSWORD)
    assert report.totals.touched == 1
    assert "1 message left in place: read, answered or marked since." in undo_text(texts("en"), report)
    assert Action.UNDO in explain(office.deps, done).actions
    inbox[uid] = message
    assert undo(office.deps, done, PASSWORD).totals.removed == 6


def test_inconsistent_totals_are_detected(office: Office, done: Import) -> None:
    consistent = FolderUndo("INBOX", 15, 1, 2, 3, 4, 5)
    report = UndoReport(
        done.id, office.clock.now(), (consistent, consistent), ("Old",), (("Kept", FolderKept.NOT_EMPTY),), 2
    )
    assert report.adds_up
    assert report.totals.added == 30
    assert not UndoReport(done.id, office.clock.now(), (replace(consistent, added=14),)).adds_up
    facts = undo_json(texts("en"), report)
    assert facts["folders_kept"] == [
        {"folder": "Kept", "code": "not_empty", "reason": "it contains mail or another folder"}
    ]
    for words in ("4 messages left in place: read", "8 messages had been deleted", "1 empty folder"):
        assert words in undo_text(texts("en"), report)


def test_why_a_folder_stayed_is_read_as_version_0_1_0_stored_it() -> None:
    row = SimpleNamespace(
        import_id="one",
        at=None,
        folders=[],
        folders_removed=[],
        folders_kept=[["A", "there is mail in it, or a folder inside it"], ["B", "not_ours"]],
        doubtful=0,
    )
    kept = undo_report(cast("AnyRow", row)).folders_kept
    assert kept == (("A", FolderKept.NOT_EMPTY), ("B", FolderKept.NOT_OURS))
