"""The results of a batch as a table: CSV and workbook, in the reader's language and without passwords.

Invariant: no cell is a formula. In CSV, `csv_cell.cell` ensures that; in a workbook, text is stored as text.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from importer.domain.csv_import.column_names import separator
from importer.domain.model import Import, ImportId
from importer.domain.receipts.folder_tally import FolderTally
from importer.domain.reporting.csv_cell import cell
from importer.domain.reporting.formatting import printable
from importer.domain.reporting.totals import Totals
from importer.i18n.problem_texts import problem_sentence
from importer.i18n.state_texts import COUNTS, count_name, state_word
from importer.i18n.translations import N_, CatalogTranslator

Tallies = Mapping[ImportId, Sequence[FolderTally]]
Cell = str | int

_COLUMNS: Final = (
    N_("Line"),
    N_("Old mailbox"),
    N_("New mailbox"),
    N_("State"),
    N_("Reason"),
)
_WIDTHS: Final = {"Old mailbox": 32, "New mailbox": 32, "State": 20, "Reason": 80}
"""Widths of columns in a workbook, in characters. The others are as wide as their heads."""


def results_csv(texts: CatalogTranslator, imports: Sequence[Import], tallies: Tallies) -> bytes:
    """One line per import, with the separator of the language's spreadsheets; UTF-8 with a byte order
    mark."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=separator(texts.language))
    for row in _rows(texts, imports, tallies):
        writer.writerow([cell(value) if isinstance(value, str) else value for value in row])
    return out.getvalue().encode("utf-8-sig")


def results_workbook(texts: CatalogTranslator, imports: Sequence[Import], tallies: Tallies) -> bytes:
    """The same as an Excel workbook."""
    # Not at the top: openpyxl takes a third of a second to import.
    from openpyxl import Workbook  # noqa: PLC0415
    from openpyxl.styles import Font  # noqa: PLC0415
    from openpyxl.utils import get_column_letter  # noqa: PLC0415

    workbook = Workbook()
    sheet = workbook.worksheets[0]
    sheet.title = texts.gettext("Imports")
    sheet.freeze_panes = "B2"  # heads and line numbers stay visible
    for number, row in enumerate(_rows(texts, imports, tallies), 1):
        for column, value in enumerate(row, 1):
            shown = printable(value, 1000) if isinstance(value, str) else value
            written = sheet.cell(number, column, None if shown == "" else shown)
            if isinstance(shown, str) and shown:
                written.data_type = "s"  # also text that begins with =
    names = (*_COLUMNS, *COUNTS)
    for column, (name, head) in enumerate(zip(names, next(_rows(texts, (), {})), strict=True), 1):
        sheet.cell(1, column).font = Font(bold=True)
        sheet.column_dimensions[get_column_letter(column)].width = _WIDTHS.get(name, len(str(head)) + 2)
    out = io.BytesIO()
    workbook.save(out)
    return out.getvalue()


def _rows(texts: CatalogTranslator, imports: Sequence[Import], tallies: Tallies) -> Iterator[list[Cell]]:
    yield [*map(texts.gettext, _COLUMNS), *(count_name(texts, each) for each in COUNTS)]
    for import_ in imports:
        totals = Totals.of(tallies.get(import_.id, ()))
        yield [
            import_.row,
            import_.source.address,
            import_.destination.address,
            state_word(texts, import_.state),
            problem_sentence(texts, import_),
            *(getattr(totals, each) for each in COUNTS),
        ]
