"""Reading of import files, from bytes to records with known columns: delimiters, quotes, comments, headers.

A file from any program (Excel in any language, an editor) is read as intended, or rejected with the line
and the fix; what may not be as intended has a note. This module never raises because of a file's content, and
never quotes a cell in a message: if the columns of a file are shifted, any cell may be a password.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice, zip_longest
from typing import Final

from importer.domain.csv_import.column_names import (
    ADDRESS_COLUMNS,
    OPTIONAL_COLUMNS,
    PASSWORD_COLUMNS,
    PROBLEM_COLUMN,
    SERVER_COLUMNS,
    USUAL_COLUMNS,
    column_of,
    likely_column,
)
from importer.domain.csv_import.file_text import decode, is_old_workbook, is_workbook
from importer.domain.csv_import.spreadsheet_traces import traces, without_blank_ends, without_traces
from importer.domain.csv_import.workbook import WORKBOOK_BYTES, UnreadableWorkbook, WorkbookRow, sheets_of
from providers.text import Text

_DELIMITERS: Final = (",", ";", "\t", "|")
_SEPARATORS: Final = "".join(_DELIMITERS)
_HEADER_LINES: Final = 20  # records in which the header is looked for, below the name of a table
MOST_ROWS: Final = 1000
_MAX_HEADER_PROBLEMS: Final = 20
_MAX_UNKNOWN: Final = 20  # columns that are named, and compared with known names
_ROWS_COMPARED: Final = 50  # when the delimiter of the rows is found
HEADER: Final = ",".join(USUAL_COLUMNS)
_MAY_BE_LEFT_OUT: Final = frozenset({*SERVER_COLUMNS, *OPTIONAL_COLUMNS, PROBLEM_COLUMN, ""})
_END_OF_FILE: Final = "\x1a"  # of MS-DOS
_SEP: Final = re.compile(r'\s*"?sep=([^\w\s"]|\t)"?[,;\t|]*\s*', re.IGNORECASE)
_ADDRESS_LIKE: Final = re.compile(r"[^\s@<>\"]+@[^\s@<>\"]+")
_EXAMPLES: Final = re.compile(r"#(ada|grace)@old\.example\b")  # in the templates of earlier versions


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A problem to fix, or a note. `line` counts from 1 (0: the whole file), `column` is "" for the whole
    line. `text` says what it is, and its advice what to do. No field ever contains a password."""

    line: int
    column: str
    text: Text

    @property
    def rule(self) -> str:
        """The stable code."""
        return self.text.public_code


NOT_TEXT: Final = RowProblem(0, "", Text("not_text"))
WORKBOOK_UNREADABLE: Final = RowProblem(0, "", Text("not_text.workbook"))


@dataclass(frozen=True, slots=True)
class Record:
    """One row, which starts on `line`: its cells by column, as written but for traces of a spreadsheet; None
    if they could not be separated."""

    line: int
    cells: Mapping[str, str] | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sheet:
    """The content of a file. If `columns` is empty, there are no records, and the problems give the
    reason. `headings` are the names that the file gives to `columns`."""

    delimiter: str = ","
    header_line: int = 0
    columns: tuple[str, ...] = ()  # of KNOWN_COLUMNS, in the order of the file
    records: tuple[Record, ...] = ()  # all rows, without blank lines and comments
    problems: tuple[RowProblem, ...] = ()
    notes: tuple[RowProblem, ...] = ()
    headings: tuple[str, ...] = ()


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
        line = len(_lines(text[: text.index("\0") + 1]))
        return _refused(Text("not_text.nul"), line)
    return _read_text(text, guessed_encoding=decoded.guessed)


def max_file_bytes(start: bytes, max_bytes: int) -> int:
    """The limit of a file that begins like this, where a text may have `max_bytes`."""
    return max(max_bytes, WORKBOOK_BYTES) if is_workbook(start) else max_bytes


def _refused(text: Text, line: int = 0) -> Sheet:
    return Sheet(problems=(RowProblem(line, "", text),))


# --- Records --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Raw:
    """A record as its cells. `values`: see WorkbookRow; None for a file whose cells are text only."""

    line: int
    cells: tuple[str, ...] = field(default=(), repr=False)
    error: str = ""  # of the csv module, which quotes nothing
    values: frozenset[int] | None = None

    @property
    def is_comment(self) -> bool:
        """Whether it begins with #: what that means is decided by its other cells."""
        return bool(self.cells) and self.cells[0].lstrip().startswith("#")

    @property
    def alone(self) -> str:
        """The text of its only cell; "" if several are filled."""
        filled = [cell for cell in self.cells if cell.strip()]
        return filled[0] if len(filled) == 1 else ""


def _lines(text: str) -> list[str]:
    """The lines with their ends. Only CR, LF and CRLF end a line: a password may contain U+2028 or a form
    feed."""
    return list(io.StringIO(text, newline=""))


def _raw_records(lines: Sequence[str], delimiter: str) -> Iterator[_Raw]:
    """The records, without blank lines.

    Each record gets its own csv reader, so that an unpaired quote in a comment does not consume the next
    line.
    """
    rest = iter(lines)
    number = 0
    for line in rest:
        number += 1
        if not line.strip().strip(_SEPARATORS):
            continue
        start = number
        is_comment = line.lstrip().startswith("#") and not _begins_with_address(line, delimiter)
        reader = csv.reader((line,) if is_comment else chain((line,), rest), delimiter=delimiter, strict=True)
        try:
            cells = tuple(next(reader))
        except csv.Error as error:
            yield _Raw(start, (line.rstrip("\r\n"),)) if is_comment else _Raw(start, error=str(error))
        else:
            if any(cell.strip() for cell in cells):
                yield _Raw(start, cells)
        number = start + reader.line_num - 1


def _begins_with_address(line: str, delimiter: str) -> bool:
    return bool(_ADDRESS_LIKE.fullmatch(line.strip().partition(delimiter)[0].strip()))


def _unwrapped(raw: _Raw, min_cells: int, delimiters: Iterable[str] = _DELIMITERS) -> _Raw:
    """The record, or if it is a whole line in one cell, its cells."""
    if (text := raw.alone) and raw.cells[0] == text and not raw.is_comment:
        for delimiter in delimiters:
            try:
                cells = tuple(next(csv.reader((text,), delimiter=delimiter, strict=True), ()))
            except csv.Error:
                continue
            if len(cells) >= min_cells:
                return replace(raw, cells=cells)
    return raw


def _quotes_problem(raw: _Raw) -> RowProblem:
    if "end of data" in raw.error:
        code = "quotes.unclosed"
    elif "field limit" in raw.error:
        code = "quotes.too_long"
    else:
        code = "quotes"
    return RowProblem(raw.line, "", Text(code))


# --- The header -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Header:
    """The line that names the columns. `names` are as written, `columns` what they mean: "" for names that
    are unknown. `wrapped`: they were in one cell. `above` are the records before it."""

    delimiter: str = ","
    line: int = 0
    names: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    wrapped: bool = False
    above: tuple[_Raw, ...] = ()

    @property
    def known(self) -> int:
        return len(set(self.columns) - {""})


def _header(records: Iterable[_Raw], delimiter: str) -> _Header:
    """The record among the first ones that names the most columns; the first one if none does."""
    found = _Header(delimiter)
    above: list[_Raw] = []
    for raw in islice(records, _HEADER_LINES):
        header = _as_header(raw, delimiter)
        if (not found.names and not raw.is_comment) or (header.known > found.known and header.known > 1):
            found = replace(header, above=tuple(above))
        above.append(raw)
    return found


def _as_header(raw: _Raw, delimiter: str) -> _Header:
    unwrapped = _unwrapped(raw, 2)
    names = [without_blank_ends(name) for name in unwrapped.cells]
    if raw.is_comment:
        names[0] = names[0].lstrip("#")
    while names and not names[-1]:
        names.pop()
    # A sentence behind # may list the names of columns: then it does not begin with one.
    is_none = any("@" in name for name in names) or (raw.is_comment and not any(map(column_of, names[:1])))
    columns = tuple("" if is_none else column_of(name) for name in names)
    return _Header(delimiter, raw.line, tuple(names), columns, wrapped=unwrapped is not raw)


def _header_problems(header: _Header) -> Iterator[RowProblem]:
    """What prevents the reading of any row."""
    line = header.line
    if not header.known:
        code = "header_missing" if line else "header_missing.empty"
        yield RowProblem(line, "", Text(code, header=HEADER))
        return
    for raw in header.above:
        if any(_ADDRESS_LIKE.fullmatch(cell.strip()) for cell in raw.cells):
            yield RowProblem(raw.line, "", Text("row_above_header", header=line))
    for column, times in Counter(filter(None, header.columns)).items():
        if times > 1:
            yield RowProblem(line, column, Text("repeated_column", name=column, number=times))
    unknown = _unknown(header)[:_MAX_UNKNOWN]
    misspelled = {name: likely for name in unknown if (likely := _misspelled(name, header))}
    for name, likely in misspelled.items():
        shown = _shown(name)
        yield RowProblem(line, shown, Text("unknown_column", name=shown, column=likely))
    for column in ADDRESS_COLUMNS:
        if column not in header.columns and column not in misspelled.values():
            yield RowProblem(line, column, Text("missing_column", name=column, header=HEADER))
    if header.columns[0] in PASSWORD_COLUMNS:
        # Otherwise a row whose password starts with # could silently be skipped as a comment.
        yield RowProblem(line, header.columns[0], Text("password_first"))


def _header_notes(header: _Header) -> Iterator[RowProblem]:
    """The columns that are not read."""
    unknown = list(filter(None, _unknown(header)))
    for name in unknown[:_MAX_UNKNOWN]:
        if not _misspelled(name, header):
            shown = _shown(name)
            yield RowProblem(header.line, shown, Text("column_ignored", name=shown))
    if more := len(unknown[_MAX_UNKNOWN:]):
        yield RowProblem(header.line, "", Text("column_ignored.more", number=more))


def _unknown(header: _Header) -> list[str]:
    return [name for name, column in zip(header.names, header.columns, strict=True) if not column]


def _misspelled(name: str, header: _Header) -> str:
    """The column that is probably meant by an unknown name and that the header lacks; "" for none."""
    likely = likely_column(name)
    return "" if likely in header.columns else likely


def _shown(name: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in name[:40])


# --- The rows -------------------------------------------------------------------------------------


def _read_text(text: str, *, guessed_encoding: bool) -> Sheet:
    lines = _lines(text)
    delimiters = list(_DELIMITERS)
    if lines and (stated := _SEP.fullmatch(lines[0].lstrip("\ufeff"))):
        lines[0] = "\n"  # it stays a line, for the numbers of the others
        delimiters.insert(0, stated[1])
    candidates = [_header(_raw_records(lines, delimiter), delimiter) for delimiter in delimiters]
    header = max(candidates, key=lambda candidate: (candidate.known, not candidate.wrapped))
    if header.known:
        header = replace(header, delimiter=_row_delimiter(lines, header, delimiters))
    records = partial(_raw_records, lines, header.delimiter)
    return _sheet(header, records(), guessed_encoding=guessed_encoding)


def _row_delimiter(lines: Sequence[str], header: _Header, delimiters: Sequence[str]) -> str:
    """The delimiter of the rows: that of the header, unless most rows fit into its columns with another."""

    def fitting(delimiter: str) -> tuple[int, int]:
        """How many rows fit as they are, and how many if they are in one cell."""
        rows = (raw for raw in _raw_records(lines, delimiter) if raw.line > header.line)
        compared = list(islice(rows, _ROWS_COMPARED))
        in_one_cell = (_unwrapped(raw, len(header.names)) for raw in compared)
        return sum(_fits(raw, header) for raw in compared), sum(_fits(raw, header) for raw in in_one_cell)

    return max((header.delimiter, *delimiters), key=fitting)


def _fits(raw: _Raw, header: _Header) -> bool:
    """Whether the cells of a row are where the header says."""
    cells = dict(zip(header.columns, raw.cells, strict=False))
    return not raw.error and all("@" in cells.get(column, "") for column in ADDRESS_COLUMNS)


def _read_workbook(data: bytes) -> Sheet:
    try:
        sheets = sheets_of(data)
    except UnreadableWorkbook:
        return Sheet(problems=(WORKBOOK_UNREADABLE,))
    tables = [[_raw_of(row) for row in rows] for rows in sheets]
    headers = [_header(table, ",") for table in tables]
    header, records = max(
        zip(headers, tables, strict=True), key=lambda table: table[0].known, default=(_Header(), [])
    )
    return _sheet(header, records, guessed_encoding=False)


def _raw_of(row: WorkbookRow) -> _Raw:
    return _Raw(row.line, row.cells, values=row.values)


def _sheet(header: _Header, raws: Iterable[_Raw], *, guessed_encoding: bool) -> Sheet:
    problems = list(islice(_header_problems(header), _MAX_HEADER_PROBLEMS))
    notes = list(_header_notes(header)) if header.known else []
    if problems:
        return Sheet(header.delimiter, header.line, problems=tuple(problems), notes=tuple(notes))
    records: list[Record] = []
    for raw in (_unwrapped(raw, len(header.names)) for raw in raws if raw.line > header.line):
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
    """The name as far as it is shown, if it still means that column."""
    return shown if column_of(shown := _shown(name)) == column else column


def _record(raw: _Raw, header: _Header) -> tuple[Record, RowProblem | None]:
    if raw.error:
        return Record(raw.line, None), _quotes_problem(raw)
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
    return any(_ADDRESS_LIKE.fullmatch(cell.strip()) for cell in passwords) and any(
        "@" not in cells.get(column, "") for column in ADDRESS_COLUMNS
    )


def _filled_without_name(raw: _Raw, header: _Header) -> bool:
    """Whether a column without a name has content: then cells may be shifted."""
    return any(not name and cell.strip() for name, cell in zip(header.names, raw.cells, strict=False))


def _cleaned(record: Record, notes: list[RowProblem]) -> Record:
    """The record without traces of spreadsheets; what was taken off and could be meant is noted."""
    if record.cells is None:
        return record
    cells = {}
    for column, cell in record.cells.items():
        cells[column], guarded = without_traces(column, cell)
        if guarded:
            notes.append(RowProblem(record.line, column, Text("apostrophe_removed")))
    return Record(record.line, cells)


def _cell_notes(
    raw: _Raw, record: Record, header: _Header, *, guessed_encoding: bool
) -> Iterator[RowProblem]:
    """What a spreadsheet may have changed. In a workbook, texts are as they were typed."""
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


def _is_row(raw: _Raw, header: _Header) -> bool:
    """Whether a record that begins with # is a row all the same: `#info@old.example` is an address."""
    first = raw.cells[0].strip()
    if _EXAMPLES.match(first) or first.lstrip("#")[:1].isspace():
        return False
    cells = dict(zip(header.columns, raw.cells, strict=False))
    filled = sum(bool(cell.strip()) for cell in raw.cells)
    addresses = (cells.get(column, "").strip() for column in ADDRESS_COLUMNS)
    return filled > 1 and any(_ADDRESS_LIKE.fullmatch(cell) for cell in addresses)


def _comment_notes(raw: _Raw) -> Iterator[RowProblem]:
    """A comment that may be meant as a row is named."""
    cells = [cell.strip().lstrip("#").strip() for cell in raw.cells]
    if not _EXAMPLES.match(raw.cells[0].strip()) and _ADDRESS_LIKE.fullmatch(cells[0]):
        yield RowProblem(raw.line, "", Text("row_left_out"))
