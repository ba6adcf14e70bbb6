"""Each number of a report has one name: on the console, the page, in the mail and in the table of a batch."""

from __future__ import annotations

import csv
import io

import pytest

from importer.cli.report_view import print_report
from importer.compact.uid_set import UidSet, UidValidity
from importer.domain.csv_import.column_names import separator
from importer.domain.messages.skip_reason import SkipReason
from importer.domain.model import Import, ImportId, State
from importer.domain.receipts.folder_listing import FolderListing
from importer.domain.receipts.folder_tally import FolderTally
from importer.domain.reporting.report import Report
from importer.i18n.batch_results import results_csv
from importer.i18n.state_texts import COUNTS, count_name, state_word
from importer.i18n.translations import LANGUAGES, texts
from importer.web.view_models import report_columns
from tests.rehearsal.stored_imports import BEGAN, account
from tests.rehearsal.terminal import cells
from tests.unit.test_compose import completion_notice, report

IMPORT = Import(
    ImportId("one"), account("ada", "old.example"), account("ada", "new.example"), BEGAN, state=State.STOPPED
)
EVERYTHING = FolderTally(
    "INBOX",
    "INBOX",
    found=123_479,
    copied=123_400,
    present=2,
    duplicate=3,
    skipped={SkipReason("before_date", "2020-01-31"): 4},
    failed=7,
    gone=5,
    listing=FolderListing(UidValidity(1), UidValidity(1), unseen=UidSet.parse("2:4")),
)
REPORT = Report(IMPORT, (EVERYTHING,))


def names(language: str) -> list[str]:
    return [count_name(texts(language), count) for count in COUNTS]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_console_shows_all_numbers_in_80_columns_under_the_words_of_the_page(
    language: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importer.cli.exit_codes.stdout._width", 80)
    print_report(texts(language), REPORT)
    lines = capsys.readouterr().out.splitlines()
    numbers = next(i for i, line in enumerate(lines) if line.split()[-1:] == [texts(language).number(58)])
    heads = " ".join(lines[:numbers])
    for name in names(language):
        assert all(word in heads.split() for word in name.split()), name
    assert all(cells(line) <= 80 for line in lines)


@pytest.mark.parametrize("language", LANGUAGES)
def test_page_mail_and_table_have_the_same_words(language: str) -> None:
    said = texts(language)
    assert [name for name, _ in report_columns(said, REPORT.totals)] == names(language)
    table = results_csv(said, [IMPORT], {IMPORT.id: (EVERYTHING,)}).decode("utf-8-sig")
    head, row = list(csv.reader(io.StringIO(table), delimiter=separator(said.language)))
    assert head[-len(COUNTS) :] == names(language)
    assert row[3] == state_word(said, State.STOPPED)
    mail = completion_notice(report(EVERYTHING, state=State.STOPPED, language=language)).text
    missing = [name for name in names(language) if f"{name}{said.colon} " not in mail]
    assert missing == [count_name(said, "never_seen")], "the mail counts those that are listed in it"
