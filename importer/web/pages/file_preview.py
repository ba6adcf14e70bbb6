"""The preview of an uploaded file: its rows with their problems, and the form that corrects them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from importer.domain.csv_import.column_names import ADDRESS_COLUMNS, PASSWORD_COLUMNS, PROBLEM_COLUMN
from importer.domain.csv_import.corrections import Cells
from importer.domain.csv_import.csv_cells import MAX_CELL_CHARS, bare_address
from importer.domain.csv_import.hidden_cells import may_be_shown
from importer.domain.csv_import.import_rows import BATCH_ROWS, PAGE_ROWS, PROBLEMS_SHOWN, Parsed
from importer.domain.csv_import.sheet import Record, RowProblem
from importer.domain.reporting.formatting import printable
from importer.i18n.row_problem_texts import cell_problem_text
from importer.web.request_context import Guest

MAX_CORRECTED_CELLS: Final = 40
"""Limit of fields in one form; `submitted_form` accepts 50."""

MAX_CORRECTION_CHARS: Final = 1000


@dataclass(frozen=True, slots=True)
class PreviewCell:
    """One cell of the preview.

    `text` is "" for hidden cells such as passwords; `filled` is True if the file contains a value. For a
    missing password, `consent_needed` means that the owner signs in at their host, and `by_right` that the
    batch right covers the mailbox. `kept`: the password is that of an earlier version of the file.
    """

    column: str
    text: str
    filled: bool
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()
    consent_needed: bool = False
    by_right: bool = False
    kept: bool = False


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """One row of the preview; `problems` and `notes` are those of the row as a whole."""

    number: int
    cells: tuple[PreviewCell, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CorrectedCell:
    """One field of the form that corrects a file. `value` is "" if the cell must not be shown, and the bare
    address if the cell has text around an address."""

    name: str
    column: str
    value: str
    is_password: bool
    problem: str


@dataclass(frozen=True, slots=True)
class CorrectedRow:
    """The fields of one row. `mailbox` identifies the row, as far as that may be shown."""

    line: int
    mailbox: str
    problem: str
    cells: tuple[CorrectedCell, ...]


def preview_columns(parsed: Parsed) -> tuple[str, ...]:
    return tuple(column for column in parsed.sheet.columns if column != PROBLEM_COLUMN)


def preview_records(parsed: Parsed) -> Sequence[Record]:
    """The rows that are shown: all, or the first ones of a file that has too many."""
    return parsed.sheet.records[: PAGE_ROWS if parsed.row_count <= PAGE_ROWS else BATCH_ROWS]


def preview_rows(guest: Guest, parsed: Parsed) -> list[PreviewRow]:
    """The rows of `preview_records` as a table. Hides passwords and cells that may hold one by mistake, such
    as all cells of an unreadable file."""
    problem_texts = _texts_by_cell(guest, parsed.problems[:PROBLEMS_SHOWN])
    note_texts = _texts_by_cell(guest, parsed.notes)
    faulty = {problem.line for problem in parsed.problems}
    consent_needed = {(row.line, "source_password") for row in parsed.rows if row.source_sign_in}
    consent_needed |= {(row.line, "destination_password") for row in parsed.rows if row.destination_sign_in}
    by_master = {row.line for row in parsed.rows if row.by_master}
    not_read = parsed.row_count > PAGE_ROWS
    kept = guest.session_data.corrections.kept
    rows = []
    for record in preview_records(parsed):
        given: Mapping[str, str] = record.cells or {}
        cells = tuple(
            PreviewCell(
                column,
                shown_cell(column, given, faulty=record.line in faulty) if not not_read else "",
                bool(given.get(column, "").strip()),
                tuple(problem_texts[record.line, column]),
                tuple(note_texts[record.line, column]),
                consent_needed=(record.line, column) in consent_needed,
                by_right=column == "destination_password" and record.line in by_master,
                kept=(record.line, column) in kept,
            )
            for column in preview_columns(parsed)
            if record.cells is not None
        )
        beside = [
            text
            for (line, column), texts in problem_texts.items()
            for text in texts
            if line == record.line and (not column or column not in parsed.sheet.columns)
        ]
        rows.append(PreviewRow(record.line, cells, tuple(beside), tuple(note_texts[record.line, ""])))
    return rows


def shown_cell(column: str, cells: Mapping[str, str], *, faulty: bool) -> str:
    """The cell as one line, or "" if it must not be shown."""
    return printable(cells.get(column, ""), 80) if may_be_shown(column, cells, faulty=faulty) else ""


def corrected_rows(guest: Guest, parsed: Parsed) -> list[CorrectedRow]:
    """The fields for the first rows with problems; none while a problem concerns the whole file."""
    records = {record.line: record for record in parsed.sheet.records}
    if parsed.row_count > PAGE_ROWS or any(p.line not in records for p in parsed.problems):
        return []
    by_line: dict[int, list[RowProblem]] = defaultdict(list)
    for problem in parsed.problems:
        by_line[problem.line].append(problem)
    rows: list[CorrectedRow] = []
    room = MAX_CORRECTED_CELLS
    for line, found in by_line.items():
        row = _corrected_row(guest, parsed, records[line], found)
        room -= len(row.cells)
        if room < 0:
            break
        rows.append(row)
    return rows


def submitted_corrections(
    rows: Sequence[CorrectedRow], records: Sequence[Record], fields: Mapping[str, str]
) -> Cells:
    """The cells that the form changes. An empty field of a cell that is not shown leaves it as it is."""
    given = {record.line: record.cells or {} for record in records}
    changed: dict[int, dict[str, str]] = {}
    for row in rows:
        for cell in row.cells:
            text = fields.get(cell.name, "")[:MAX_CORRECTION_CHARS]
            text = text if cell.is_password else text.strip()
            if (text or cell.value) and text != given.get(row.line, {}).get(cell.column):
                changed.setdefault(row.line, {})[cell.column] = text
    return changed


def _corrected_row(
    guest: Guest, parsed: Parsed, record: Record, problems: Sequence[RowProblem]
) -> CorrectedRow:
    given: Mapping[str, str] = record.cells or {}
    whole = [problem for problem in problems if not problem.column]
    columns = preview_columns(parsed) if whole else tuple(dict.fromkeys(p.column for p in problems))
    texts: dict[str, list[str]] = defaultdict(list)
    for problem in problems:
        texts[problem.column].append(_problem_text(guest, problem))
    cells = tuple(
        CorrectedCell(
            f"c{record.line}-{column}",
            column,
            _proposed(column, given),
            column in PASSWORD_COLUMNS,
            " ".join(texts[column]),
        )
        for column in columns
    )
    mailbox = " → ".join(filter(None, (shown_cell(name, given, faulty=True) for name in ADDRESS_COLUMNS)))
    return CorrectedRow(record.line, mailbox, " ".join(texts[""]), cells)


def _proposed(column: str, cells: Mapping[str, str]) -> str:
    """The initial value of the field of a cell."""
    cell = cells.get(column, "")
    bare = bare_address(cell) if column in ADDRESS_COLUMNS else ""
    return bare or (printable(cell, MAX_CELL_CHARS) if may_be_shown(column, cells, faulty=True) else "")


def general(parsed: Parsed, found: Sequence[RowProblem]) -> Iterator[RowProblem]:
    """The problems or notes that concern no row shown."""
    lines = {record.line for record in preview_records(parsed)}
    return (problem for problem in found if problem.line not in lines)


def _texts_by_cell(guest: Guest, found: Sequence[RowProblem]) -> defaultdict[tuple[int, str], list[str]]:
    texts: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
    for problem in found:
        texts[problem.line, problem.column].append(_problem_text(guest, problem))
    return texts


def _problem_text(guest: Guest, problem: RowProblem) -> str:
    return printable(cell_problem_text(guest.visitor.texts, problem.text), 400)
