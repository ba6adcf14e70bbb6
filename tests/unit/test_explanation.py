"""The explanation of an import's state, and the CSV list of messages that could not be copied."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from importer.compact.uid_set import Uid, UidValidity
from importer.domain.import_state import ENDED
from importer.domain.model import Account, ControlRequest, Import, ImportId, Problem, Progress, State
from importer.domain.people.actor import Actor
from importer.domain.receipts.folder_tally import FolderTally, Refusal, RefusalCode
from importer.domain.reporting.explanation import Action, ExplanationContext, explain
from importer.domain.reporting.report import Report
from importer.i18n.explanation_texts import ExplanationTexts, explanation_json, explanation_texts
from importer.i18n.report_csv import COLUMNS, refusals_csv
from importer.i18n.translations import texts
from importer.service.imports.control import pause
from importer.service.imports.submit import RowOutcome, resubmit, submit
from importer.service.legs.run_leg import handle_ring
from importer.service.queries import explain as explain_now
from providers.endpoint import Endpoint, Secret
from providers.errors import Side, Throttled
from providers.text import Text
from tests.unit.test_service import Office, a_row

T = datetime(2026, 3, 1, 14, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
BUSY = Problem(Text("throttled", host="imap.old.example"), Side.SOURCE, "NO [LIMIT] later")
CONTEXT = ExplanationContext(T, has_passwords=True)


ENGLISH = texts("en")


def an_import(state: State, **facts: Any) -> Import:
    old, new = (
        Account(f"ada@{where}.example", "ada", Endpoint(f"imap.{where}.example")) for where in ("old", "new")
    )
    return replace(Import(ImportId("one"), old, new, T - 2 * HOUR, state=state), **facts)


def refusal(reason: str = "it is too large", subject: str = "Holiday", uid: int | None = 1) -> Refusal:
    return Refusal(
        ImportId("one"),
        "INBOX",
        UidValidity(1),
        None if uid is None else Uid(uid),
        Text("other.words", words=reason),
        "2020-01-01",
        subject,
        9,
    )


def words(report: Report, context: ExplanationContext = CONTEXT) -> ExplanationTexts:
    return explanation_texts(ENGLISH, explain(report, context))


def test_a_wait_is_explained_with_its_end_start_and_reason() -> None:
    waits = an_import(
        State.WAITING, problem=BUSY, not_before=T + HOUR, held_up_since=T - HOUR, attempts=2,
        progress=Progress("INBOX", 1, 2, 3, 4),
    )  # fmt: skip
    explanation = explain(Report(waits), CONTEXT)
    shown = words(Report(waits))
    assert (
        shown.sentence == "Waiting until Mar 1, 2026, 15:30 UTC. imap.old.example has asked us to slow down."
    )
    assert "28 more attempts" in shown.next
    assert (explanation.since, explanation.until) == (T - HOUR, T + HOUR)
    assert explanation.actions == (Action.RETRY, Action.PAUSE, Action.CANCEL)
    facts = dict(shown.facts)
    assert facts["the server said"] == "NO [LIMIT] later"
    assert facts["messages done"] == "3 of 4"
    assert explanation_json(ENGLISH, explanation)["until"] == "2026-03-01T15:30:00+00:00"


def test_missing_messages_are_grouped_by_reason() -> None:
    refusals = (
        refusal(),
        refusal(uid=2),
        refusal("it has a NUL in it"),
        refusal("it cannot be opened", uid=None),
    )
    accounts = (FolderTally("INBOX", "INBOX", 9, 6, failed=3),)
    explanation = explain(Report(an_import(State.INCOMPLETE), accounts, refusals), CONTEXT)
    shown = words(Report(an_import(State.INCOMPLETE), accounts, refusals))
    assert shown.sentence.startswith(
        "4 messages could not be copied"
        " (it is too large:\u00a02; it has a NUL in it:\u00a01; it cannot be opened:\u00a01)."
    )
    assert explanation.actions == (Action.RUN_AGAIN, Action.UNDO)
    assert ("such as", "INBOX, 2020-01-01: Holiday") in shown.facts


def test_copies_that_were_never_seen_are_not_called_uncopied() -> None:
    sent = replace(refusal("x", uid=2), reason=Text("never_seen"), code=RefusalCode.NEVER_SEEN)
    accounts = (FolderTally("INBOX", "INBOX", 9, 6, failed=3),)
    shown = words(Report(an_import(State.INCOMPLETE), accounts, (refusal(), sent, sent)))
    assert shown.sentence.startswith("1 message could not be copied (it is too large:\u00a01).")
    assert "2 messages were sent by an earlier import, but never seen" in shown.sentence
    facts = [(label, value) for label, value in shown.facts if value.endswith(("too large", "start again"))]
    assert [label for label, _ in facts] == ["not copied", "sent before, never seen"]
    alone = Report(an_import(State.INCOMPLETE), accounts, (sent, sent))
    assert "could not be copied (" not in words(alone).sentence
    assert "Look for these messages in the new mailbox" in words(alone).advice


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("request_", [None, *ControlRequest])
@pytest.mark.parametrize("bare", [True, False])
def test_every_state_has_a_sentence_a_next_step_and_advice(
    state: State, request_: ControlRequest | None, *, bare: bool
) -> None:
    facts = (
        {}
        if bare
        else {"problem": BUSY, "not_before": T + HOUR, "held_up_since": T - HOUR, "started_at": T - HOUR}
    )
    context = CONTEXT if not bare else ExplanationContext(T)
    explanation = explain(Report(an_import(state, requested=request_, **facts)), context)
    shown = explanation_texts(ENGLISH, explanation)
    for sentence in (shown.sentence, shown.next, shown.advice):
        assert sentence.endswith(".")
        assert "None" not in sentence
    assert bool(set(explanation.actions) & {Action.RUN_AGAIN, Action.UNDO}) == (state in ENDED)


def test_a_regular_wait_is_not_a_failed_attempt() -> None:
    waits = an_import(State.WAITING, problem=Problem(Text("daily_limit")), not_before=T + HOUR)
    assert "does not count as a failed attempt" in words(Report(waits)).next


def test_the_query_adds_the_worker_and_the_start_of_the_wait() -> None:
    office = Office()
    _, import_id = office.submit()
    began = office.clock.now()
    office.sessions.trouble = Throttled()
    office.work(import_id, legs=3)
    waiting = office.import_(import_id)
    explanation = explain_now(office.deps, waiting)
    assert explanation.since == began
    office.store.acquire(f"import:{import_id}", "worker 7", HOUR)
    assert ("worker", "worker 7") in explanation_texts(ENGLISH, explain_now(office.deps, waiting)).facts
    office.clock.sleep(3601)
    pause(office.deps, import_id)
    assert explain_now(office.deps, office.import_(import_id)).since == office.clock.now()


def test_the_owner_of_an_import_owns_its_repetition() -> None:
    office = Office()
    [submitted] = submit(office.deps, Actor(owner="ada"), [a_row()]).rows
    done = office.work(submitted.import_.id)
    again = resubmit(office.deps, Actor(), done, Secret("secret"), Secret("secret")).import_
    assert again.batch_id is not None
    batch = office.store.batch(again.batch_id)
    assert batch is not None
    assert batch.owner == "ada"


def test_running_again_copies_new_messages() -> None:
    office = Office()
    _, import_id = office.submit()
    done = office.work(import_id)
    office.old.folders["INBOX"].add((), "01-Jan-2020 00:00:00 +0000", b"Subject: new\r\n\r\n")
    submitted = resubmit(office.deps, Actor(), done, Secret("secret"), Secret("secret"))
    assert submitted.outcome is RowOutcome.STARTED
    assert (
        resubmit(office.deps, Actor(), done, Secret("secret"), Secret("secret")).outcome
        is RowOutcome.UNDER_WAY
    )
    handle_ring(office.deps, submitted.import_.id)
    assert office.import_(submitted.import_.id).state is State.COMPLETE
    assert office.new.message_count == 7


@pytest.mark.parametrize("subject", ["=1+1", "+41 44", "-5", "@SUM(A1)", "\t=1", "\r\n@x", "\uff1dx", " =x"])
def test_no_cell_is_a_formula(subject: str) -> None:
    report = Report(an_import(State.INCOMPLETE), (), (refusal("=bad", subject),))
    text = refusals_csv(ENGLISH, [report])
    [heads, row] = csv.reader(io.StringIO(text, newline=""))
    assert tuple(heads) == COLUMNS
    cells = dict(zip(heads, row, strict=True))
    assert cells["subject"][0] == cells["reason"][0] == "'"
    assert (cells["size_bytes"], cells["messages"], cells["folder"]) == ("9", "1", "INBOX")
    assert text.count("\r\n") == text.count("\n") == 2


@pytest.mark.parametrize("language", ["de", "fr", "it", "es"])
@pytest.mark.parametrize("state", State)
def test_the_explanation_speaks_the_language_of_its_reader(state: State, language: str) -> None:
    import_ = an_import(state, not_before=T + HOUR, held_up_since=T - HOUR)
    explanation = explain(Report(import_, (FolderTally("INBOX", "INBOX", 9, 6, failed=3),)), CONTEXT)
    english, translated = (explanation_texts(texts(it), explanation) for it in ("en", language))
    assert translated.sentence != english.sentence
    assert translated.next != english.next
    assert translated.advice != english.advice
    labels = {label for label, _ in translated.facts} & {label for label, _ in english.facts}
    assert not labels - {"worker"}
