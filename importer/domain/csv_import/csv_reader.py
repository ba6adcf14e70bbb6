"""Reading of import files, from bytes to records with known columns.

A file from any program (Excel in any language, an editor) is read as intended, or rejected with the line and
the fix; doubtful cells get a note. This module never raises because of a file's content, and never quotes a
cell in a message: if the columns of a file are shifted, any cell may be a password.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice, zip_longest
from typing import Final

from importer.domain.csv_import.column_names import (
    ADDRESS_COLUMNS,
    HEADER,
    OPTIONAL_COLUMNS,
    PASSWORD_COLUMNS,
    PROBLEM_COLUMN,
    SERVER_COLUMNS,
    column_of,
)
from importer.domain.csv_import.csv_header import (
    CsvHeader,
    header_notes,
    header_of,
    header_problems,
    shown_name,
)
from importer.domain.csv_import.csv_records import (
    ADDRESS_LIKE,
    DELIMITERS,
    RawRecord,
    lines_of,
    quotes_problem,
    raw_records,
    unwrapped,
)
from importer.domain.csv_import.file_text import decode, is_old_workbook, is_workbook
from importer.domain.csv_import.sheet import MOST_ROWS, Record, RowProblem, Sheet
from importer.domain.csv_import.spreadsheet_traces import traces, without_traces
from importer.domain.csv_import.workbook import (
    WORKBOOK_BYTES,
    UncalculatedWorkbook,
    UnreadableWorkbook,
    WorkbookRow,
    sheets_of,
)
from providers.text import Text

_MAX_HEADER_PROBLEMS: Final = 20
_ROWS_COMPARED: Final = 50  # when the delimiter of the rows is found
_MAY_BE_LEFT_OUT: Final = frozenset({*SERVER_COLUMNS, *OPTIONAL_COLUMNS, PROBLEM_COLUMN, ""})
_END_OF_FILE: Final = "\x1a"  # of MS-DOS
_SEP: Final = re.compile(r'\s*"?sep=([^\w\s"]|\t)"?[,;\t|]*\s*', re.IGNORECASE)
_EXAMPLES: Final = re.compile(r"#(ada|grace)@old\.example\b")  # in the templates of earlier versions


NOT_TEXT: Final = RowProblem(0, "", Text("not_text"))
WORKBOOK_UNREADABLE: Final = RowProblem(0, "", Text("not_text.workbook"))


def read(data: bytes, *, max_bytes: int) -> Sheet:
    """Read a whole file: text, or a workbook. Never raises."""
    limit = max_file_bytes(data, max_bytes)
    if len(data) > limit:
        return _refused(Text("file_too_large", bytes=len(data), limit=limit))
    if is_workbook(data):
        return _read_workbook(data)
    decoded = None if is_old_workbook(data) else decode(data)
    if decoded is None:
        return Sheet(problems=(WORKBOOK_UNREADABLE if is_old_workbook(data) else NOT_TEXT,))
    text = decoded.text.rstrip(_END_OF_FILE)
    if "\0" in text:
        line = len(lines_of(text[: text.index("\0") + 1]))
        return _refused(Text("not_text.nul"), line)
    return _read_text(text, guessed_encoding=decoded.guessed)


def max_file_bytes(start: bytes, max_bytes: int) -> int:
    """The limit of a file that begins like this, where a text may have `max_bytes`."""
    return max(max_bytes, WORKBOOK_BYTES) if is_workbook(start) else max_bytes


def _refused(text: Text, line: int = 0) -> Sheet:
    return Sheet(problems=(RowProblem(line, "", text),))


# --- The rows -------------------------------------------------------------------------------------


def _read_text(text: str, *, guessed_encoding: bool) -> Sheet:
    lines = lines_of(text)
    delimiters = list(DELIMITERS)
    if lines and (stated := _SEP.fullmatch(lines[0].lstrip("\ufeff"))):
        lines[0] = "\n"  # it stays a line, for the numbers of the others
        delimiters.insert(0, stated[1])
    candidates = [header_of(raw_records(lines, delimiter), delimiter) for delimiter in delimiters]
    header = max(candidates, key=lambda candidate: (candidate.rank, not candidate.wrapped))
    if header.known:
        header = replace(header, delimiter=_row_delimiter(lines, header, delimiters))
    records = partial(raw_records, lines, header.delimiter)
    return _sheet(header, records(), guessed_encoding=guessed_encoding)


def _row_delimiter(lines: Sequence[str], header: CsvHeader, delimiters: Sequence[str]) -> str:
    """The delimiter of the rows: that of the header, unless most rows fit into its columns with another."""

    def fitting(delimiter: str) -> tuple[int, int]:
        """How many rows fit as they are, and how many if they are in one cell."""
        rows = (raw for raw in raw_records(lines, delimiter) if raw.line > header.line)
        compared = list(islice(rows, _ROWS_COMPARED))
        in_one_cell = (unwrapped(raw, len(header.names)) for raw in compared)
        return sum(_fits(raw, header) for raw in compared), sum(_fits(raw, header) for raw in in_one_cell)

    return max((header.delimiter, *delimiters), key=fitting)


def _fits(raw: RawRecord, header: CsvHeader) -> bool:
    """Whether the cells of a row are where the header says."""
    cells = dict(zip(header.columns, raw.cells, strict=False))
    return not raw.error and all("@" in cells.get(column, "") for column in ADDRESS_COLUMNS)


def _read_workbook(data: bytes) -> Sheet:
    try:
        sheets = sheets_of(data)
    except UnreadableWorkbook:
        return Sheet(problems=(WORKBOOK_UNREADABLE,))
    except UncalculatedWorkbook:
        return _refused(Text("formulas_without_results"))
    tables = [[_raw_of(row) for row in rows] for rows in sheets]
    headers = [header_of(table, ",") for table in tables]
    header, records = max(
        zip(headers, tables, strict=True), key=lambda table: table[0].rank, default=(CsvHeader(), [])
    )
    for other, table in zip(headers, tables, strict=True):
        rows = [raw for raw in table if not raw.is_comment]
        if table is not records and any(_fits(raw, header) or _fits(raw, other) for raw in rows):
            return _refused(Text("rows_on_other_sheets"))
    return _sheet(header, records, guessed_encoding=False)


def _raw_of(row: WorkbookRow) -> RawRecord:
    return RawRecord(row.line, row.cells, values=row.values)


def _sheet(header: CsvHeader, raws: Iterable[RawRecord], *, guessed_encoding: bool) -> Sheet:
    problems = list(islice(header_problems(header), _MAX_HEADER_PROBLEMS))
    notes = list(header_notes(header)) if header.known else []
    if problems:
        return Sheet(header.delimiter, header.line, problems=tuple(problems), notes=tuple(notes))
    records: list[Record] = []
    for raw in (unwrapped(raw, len(header.names)) for raw in raws if raw.line > header.line):
        if len(records) > MOST_ROWS:
            records.append(Record(raw.line, None))  # counted only: such a file is not read
        elif raw.is_comment and not _is_row(raw, header):
            notes += _comment_notes(raw)
        elif _filled_without_name(raw, header):
            text = Text("unknown_column.unnamed", header=HEADER)
            return Sheet(header.delimiter, header.line, problems=(RowProblem(header.line, "", text),))
        else:
            record, problem = _record(raw, header)
            problems += [problem] if problem else []
            records.append(_cleaned(record, notes))
            notes += _cell_notes(raw, records[-1], header, guessed_encoding=guessed_encoding)
    named = [(column, name) for column, name in zip(header.columns, header.names, strict=True) if column]
    return Sheet(
        header.delimiter,
        header.line,
        tuple(column for column, _ in named),
        tuple(records),
        tuple(problems),
        tuple(notes),
        tuple(_heading(column, name) for column, name in named),
    )


def _heading(column: str, name: str) -> str:
    """The name, cut to the length that is shown, if it still means that column."""
    return shown if column_of(shown := shown_name(name)) == column else column


def _record(raw: RawRecord, header: CsvHeader) -> tuple[Record, RowProblem | None]:
    if raw.error:
        return Record(raw.line, None), quotes_problem(raw)
    columns = header.columns
    cells, missing = raw.cells[: len(columns)], columns[len(raw.cells) :]
    too_many = any(cell.strip() for cell in raw.cells[len(columns) :])
    if too_many or not _MAY_BE_LEFT_OUT.issuperset(missing):
        text = Text("cell_count", cells=len(raw.cells), columns=len(columns))
        return Record(raw.line, None), RowProblem(raw.line, "", text)
    by_column = {column: cell for column, cell in zip_longest(columns, cells, fillvalue="") if column}
    if _is_shifted(by_column):
        return Record(raw.line, None), RowProblem(raw.line, "", Text("cell_count.shifted"))
    return Record(raw.line, by_column), None


def _is_shifted(cells: Mapping[str, str]) -> bool:
    """Whether an address is in the column of a password, and missing in its own."""
    passwords = (cells.get(column, "") for column in PASSWORD_COLUMNS)
    return any(ADDRESS_LIKE.fullmatch(cell.strip()) for cell in passwords) and any(
        "@" not in cells.get(column, "") for column in ADDRESS_COLUMNS
    )


def _filled_without_name(raw: RawRecord, header: CsvHeader) -> bool:
    """Whether a column without a name has content: then cells may be shifted."""
    return any(not name and cell.strip() for name, cell in zip(header.names, raw.cells, strict=False))


def _cleaned(record: Record, notes: list[RowProblem]) -> Record:
    """The record without traces of spreadsheets, with a note on removed signs that could be intended."""
    if record.cells is None:
        return record
    cells = {}
    for column, cell in record.cells.items():
        cells[column], guarded = without_traces(column, cell)
        if guarded:
            notes.append(RowProblem(record.line, column, Text("apostrophe_removed")))
    return Record(record.line, cells)


def _cell_notes(
    raw: RawRecord, record: Record, header: CsvHeader, *, guessed_encoding: bool
) -> Iterator[RowProblem]:
    """Notes on cells that a spreadsheet may have changed. In a workbook, texts are as they were typed."""
    if record.cells is None:
        return
    if record.cells.get(header.columns[0], "").startswith("#") and header.columns[0] in ADDRESS_COLUMNS:
        yield RowProblem(raw.line, header.columns[0], Text("hash_in_address"))
    indexes = {column: index for index, column in enumerate(header.columns)}
    for column, cell in record.cells.items():
        typed = raw.values is not None and indexes[column] not in raw.values
        for text in traces(column, cell, guessed_encoding=guessed_encoding, typed=typed):
            yield RowProblem(raw.line, column, text)


# --- Comments -------------------------------------------------------------------------------------


def _is_row(raw: RawRecord, header: CsvHeader) -> bool:
    """Whether a record that begins with # is nevertheless a row: `#info@old.example` is an address."""
    first = raw.cells[0].strip()
    if _EXAMPLES.match(first) or first.lstrip("#")[:1].isspace():
        return False
    cells = dict(zip(header.columns, raw.cells, strict=False))
    filled = sum(bool(cell.strip()) for cell in raw.cells)
    addresses = (cells.get(column, "").strip() for column in ADDRESS_COLUMNS)
    return filled > 1 and any(ADDRESS_LIKE.fullmatch(cell) for cell in addresses)


def _comment_notes(raw: RawRecord) -> Iterator[RowProblem]:
    """A note on a comment that may be intended as a row."""
    cells = [cell.strip().lstrip("#").strip() for cell in raw.cells]
    if not _EXAMPLES.match(raw.cells[0].strip()) and ADDRESS_LIKE.fullmatch(cells[0]):
        yield RowProblem(raw.line, "", Text("row_left_out"))
