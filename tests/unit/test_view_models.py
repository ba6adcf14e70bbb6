"""An import as a page shows it: what happens next, in the words of console and API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from importer.domain.model import Account, Import, ImportId, Problem, State
from importer.domain.reporting.explanation import ExplanationContext, explain
from importer.domain.reporting.report import Report
from importer.i18n.explanation_texts import explanation_texts
from importer.i18n.translations import LANGUAGES, texts
from importer.web.live_progress import Snapshot
from importer.web.view_models import import_view
from providers.endpoint import Endpoint
from providers.errors import Side
from providers.text import Text

NOW = datetime(2026, 3, 1, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("state", "code"),
    [(State.WAITING, "connection_lost"), (State.WAITING, "daily_limit"), (State.PAUSED, "connection_lost")],
)
def test_a_page_says_what_happens_next_as_console_and_api_do(state: State, code: str, language: str) -> None:
    old, new = (
        Account(f"ada@{where}.example", "ada", Endpoint(f"imap.{where}.example")) for where in ("old", "new")
    )
    import_ = Import(
        ImportId("one"),
        old,
        new,
        NOW,
        state=state,
        problem=Problem(Text(code), Side.SOURCE),
        not_before=NOW + timedelta(hours=1),
        attempts=2,
    )
    explanation = explain(Report(import_), ExplanationContext(NOW, has_passwords=True))
    view = import_view(texts(language), Snapshot(import_), NOW)
    assert explanation_texts(texts(language), explanation).next in view.sentence


@pytest.mark.parametrize(
    ("words", "quoted"),
    [
        ("[AUTHENTICATIONFAILED] Authentication failed.", "“[AUTHENTICATIONFAILED] Authentication failed”."),
        ("Try again later...", "“Try again later...”."),
        ("Is that you?", "“Is that you?”."),
    ],
)
def test_a_quotation_of_the_server_has_one_full_stop(words: str, quoted: str) -> None:
    account = Account("ada", "ada", Endpoint("imap.old.example"))
    problem = Problem(Text("login_rejected", host="imap.old.example"), Side.SOURCE, words)
    import_ = Import(ImportId("one"), account, account, NOW, state=State.STOPPED, problem=problem)
    assert import_view(texts("en"), Snapshot(import_), NOW).sentence.endswith(f"The server said: {quoted}")
