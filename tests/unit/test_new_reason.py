"""A new reason to wait is one row: page, console, API, mail and explanation show it without a change."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from importer.adapters.mail.compose import TemplateComposer
from importer.cli.import_list import wait_reason
from importer.codes.code_table import ROWS
from importer.domain.model import Account, Import, ImportId, Problem, State
from importer.domain.people.mail_recipients import MailReader
from importer.domain.reporting.explanation import ExplanationContext, Upcoming, explain
from importer.domain.reporting.report import Report
from importer.i18n.explanation_texts import explanation_texts
from importer.i18n.report_json import report_json
from importer.i18n.translations import texts
from importer.web.api.response_schemas import import_out
from importer.web.live_progress import Snapshot
from importer.web.view_models import import_view
from providers.endpoint import Endpoint
from providers.errors import Side
from providers.text import Text, TextRow

T = datetime(2026, 3, 1, 14, 30, tzinfo=UTC)
ROW = TextRow(
    "tape_mounting",
    sentence="%(host)s fetches “%(folder)s” from tape.",
    advice="Nothing before %(hours)s hours have passed.",
    counts_as_failure=False,
    retry_now=False,
    exit_code=4,
)
SENTENCE, ADVICE = "imap.old.example fetches “2019” from tape.", "Nothing before 12 hours have passed."
PROBLEM = Problem(Text("tape_mounting", host="imap.old.example", folder="2019", hours=12), Side.SOURCE, "NO")
IMPORT = Import(
    ImportId("one"),
    Account("ada@old.example", "ada", Endpoint("imap.old.example")),
    Account("ada@new.example", "ada", Endpoint("imap.new.example")),
    T,
    state=State.WAITING,
    not_before=T + timedelta(hours=1),
    problem=PROBLEM,
)


@pytest.fixture(autouse=True)
def _new_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ROWS, ROW.code, ROW)


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_new_reason_is_shown_everywhere(language: str) -> None:
    say = texts(language)
    report = Report(IMPORT)
    explanation = explanation_texts(say, explain(report, ExplanationContext(T, has_passwords=True)))
    api = import_out(say, IMPORT, T).problem
    assert api is not None
    ended = Report(replace(IMPORT, state=State.STOPPED, finished_at=T))
    [mail] = TemplateComposer("m@new.example", b"0" * 32).completion(
        ended, [MailReader("ada@old.example")], T
    )
    shown = {
        "page": import_view(say, Snapshot(IMPORT), T).sentence,
        "console": wait_reason(say, IMPORT, T),
        "api": api.message,
        "report": str(report_json(say, report)["problem"]),
        "explanation": f"{explanation.sentence} {explanation.advice}",
        "mail": " ".join(mail.text.split()),
    }
    assert {where for where, text in shown.items() if SENTENCE not in text} == set()
    assert {where for where, text in shown.items() if ADVICE not in text} == set()
    assert (api.code, api.params["hours"], api.advice) == ("tape_mounting", 12, ADVICE)


def test_a_new_reason_is_treated_as_its_row_says() -> None:
    report = Report(IMPORT)
    assert report.exit_code == 4
    assert explain(report, ExplanationContext(T, has_passwords=True)).next is Upcoming.CONTINUES_UNCOUNTED
    assert not import_view(texts("en"), Snapshot(IMPORT), T).can_resume
