"""An uploaded file with its problems marked, for its owner to correct.

Invariant: no annotated file contains a password.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Mapping

from importer.domain.csv_import.column_names import PROBLEM_COLUMN
from importer.domain.csv_import.hidden_cells import may_be_shown
from importer.domain.csv_import.import_rows import Parsed
from importer.domain.csv_import.sheet import RowProblem
from importer.domain.csv_import.spreadsheet_traces import GUARDED, without_blank_ends
from importer.domain.folder_mapping.folder_patterns import HIDDEN
from importer.domain.import_options import FREE_TEXT


def annotate(parsed: Parsed, describe: Callable[[RowProblem], str], problem_heading: str) -> str:
    """The file with an additional last column named `problem_heading`, in the words of `describe`, and
    without passwords.

    Cells that may be passwords in the wrong column are omitted too (`hidden_cells`). Columns keep the names
    that the file gives them, rows their line numbers; other lines become empty, the delimiter of the rows is
    kept, and lines end with CRLF. Cells that a spreadsheet would evaluate as a formula get a `'` in front
    (OWASP, "CSV Injection"), which the reader takes off again. Problems that concern no single row follow as
    comments. Once completed, the file can be submitted again.
    """
    sheet = parsed.sheet
    problems_by_line: dict[int, list[str]] = defaultdict(list)
    for problem in parsed.problems:
        problems_by_line[problem.line].append(describe(problem))
    headings = dict(zip(sheet.columns, sheet.headings, strict=False))
    columns = tuple(column for column in sheet.columns if column != PROBLEM_COLUMN)
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=sheet.delimiter, quoting=csv.QUOTE_ALL)
    lines_written = 0
    if columns:
        out.write("\r\n" * (sheet.header_line - 1))
        writer.writerow((*(headings.get(column, column) for column in columns), problem_heading))
        lines_written = sheet.header_line
    for record in sheet.records:
        out.write("\r\n" * (record.line - lines_written - 1))
        faulty = record.line in problems_by_line
        cells = (
            _safe_cell(column, record.cells, faulty=faulty) if record.cells else "" for column in columns
        )
        writer.writerow((*cells, " ".join(problems_by_line.pop(record.line, ()))))
        lines_written = record.line
    for texts in problems_by_line.values():
        out.writelines(f"# {text}\r\n" for text in texts)
    return out.getvalue()


def _safe_cell(column: str, cells: Mapping[str, str], *, faulty: bool) -> str:
    """The cell, or "" if it may be a password. In a row with problems, free text may be a password: it is
    replaced by a text that is refused, because an empty cell would choose another value."""
    cell = cells.get(column, "")
    if faulty and column in FREE_TEXT and cell.strip():
        return HIDDEN
    if not may_be_shown(column, cells, faulty=faulty):
        return ""
    text = without_blank_ends(cell)
    return f"'{text}" if text.startswith(GUARDED) else text
