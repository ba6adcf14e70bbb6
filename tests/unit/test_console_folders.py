"""The console calls folders as the pages do: translated, and without the prefix of their server."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from importer.cli.import_list import running_note
from importer.cli.report_view import print_report
from importer.compact.uid_set import Uid, UidValidity
from importer.domain.model import Account, Import, ImportId, Phase, Progress, State
from importer.domain.receipts.folder_tally import FolderTally, Refusal
from importer.domain.reporting.report import Report
from importer.i18n.translations import texts
from providers.endpoint import Endpoint
from providers.text import Text

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
IMPORT = Import(
    ImportId("one"),
    Account("ada@gmail.com", "ada", Endpoint("imap.gmail.com")),
    Account("ada@new.example", "ada", Endpoint("imap.new.example")),
    NOW,
    state=State.INCOMPLETE,
)
TALLIES = (
    FolderTally("[Gmail]/All Mail", "INBOX.Archive", found=3, copied=2, failed=1),
    FolderTally("[Gmail]/Sent Mail", "INBOX.Sent", found=1, copied=1),
    FolderTally("Bills", "INBOX.Bills", found=1, copied=1),
)
REFUSAL = Refusal(
    ImportId("one"), "[Gmail]/All Mail", UidValidity(1), Uid(7), Text("other.words", words="no")
)


@pytest.mark.parametrize(("language", "all_mail"), [("en", "All Mail"), ("de", "Alle Nachrichten")])
def test_a_report_names_folders_as_the_pages_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, language: str, all_mail: str
) -> None:
    print_report(texts(language), Report(IMPORT, TALLIES, (REFUSAL,)))
    shown = capsys.readouterr().out
    assert f"{all_mail} → Archive" in shown
    assert shown.count(all_mail) == 2, "in the table and at the refusal"
    assert "Bills" in shown
    assert "Bills → " not in shown
    for raw in ("[Gmail]", "INBOX."):
        assert raw not in shown


def test_a_running_import_is_at_a_folder_as_the_pages_call_it() -> None:
    progress = Progress("[Gmail]/All Mail", 1, 3, 10, 40, 1, Phase.COPYING)
    running = Import(
        IMPORT.id, IMPORT.source, IMPORT.destination, NOW, state=State.RUNNING, progress=progress
    )
    assert running_note(texts("fr"), running) == "Tous les messages"
