"""The line of an import file that names its columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Final

from importer.domain.csv_import.column_names import (
    ADDRESS_COLUMNS,
    HEADER,
    PASSWORD_COLUMNS,
    column_of,
    likely_column,
)
from importer.domain.csv_import.csv_records import ADDRESS_LIKE, RawRecord, unwrapped
from importer.domain.csv_import.sheet import RowProblem
from importer.domain.csv_import.spreadsheet_traces import without_blank_ends
from providers.frozen import frozen
from providers.text import Text

_HEADER_LINES: Final = 20  # records in which the header is looked for, below the name of a table
_MAX_UNKNOWN: Final = 20  # columns that are named, and compared with known names


@frozen
class CsvHeader:
    """The line that names the columns. `names` are as written, `columns` are the columns that they mean, ""
    for unknown names. `wrapped`: they were in one cell. `above` are the records before it."""

    delimiter: str = ","
    line: int = 0
    names: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    wrapped: bool = False
    above: tuple[RawRecord, ...] = ()

    @property
    def known(self) -> int:
        return len(set(self.columns) - {""})

    @property
    def rank(self) -> tuple[int, int]:
        """The higher, the more likely it is the header: a comment that lists many optional columns is not a
        header."""
        return sum(column in self.columns for column in ADDRESS_COLUMNS), self.known


def header_of(records: Iterable[RawRecord], delimiter: str) -> CsvHeader:
    """The record among the first ones with the highest rank; the first one if none names two columns."""
    found = CsvHeader(delimiter)
    above: list[RawRecord] = []
    for raw in islice(records, _HEADER_LINES):
        header = _as_header(raw, delimiter)
        if (not found.names and not raw.is_comment) or (header.rank > found.rank and header.known > 1):
            found = replace(header, above=tuple(above))
        above.append(raw)
    return found


def _as_header(raw: RawRecord, delimiter: str) -> CsvHeader:
    record = unwrapped(raw, 2)
    names = [without_blank_ends(name) for name in record.cells]
    if raw.is_comment:
        names[0] = names[0].lstrip("#")
    while names and not names[-1]:
        names.pop()
    # A sentence behind # may list the names of columns: then it does not begin with one.
    is_none = any("@" in name for name in names) or (raw.is_comment and not any(map(column_of, names[:1])))
    columns = tuple("" if is_none else column_of(name) for name in names)
    return CsvHeader(delimiter, raw.line, tuple(names), columns, wrapped=record is not raw)


def header_problems(header: CsvHeader) -> Iterator[RowProblem]:
    """The problems because of which no row can be read."""
    line = header.line
    if not header.known:
        code = "header_missing" if line else "header_missing.empty"
        yield RowProblem(line, "", Text(code, header=HEADER))
        return
    for raw in header.above:
        if any(ADDRESS_LIKE.fullmatch(cell.strip()) for cell in raw.cells):
            yield RowProblem(raw.line, "", Text("row_above_header", header=line))
    for column, times in Counter(filter(None, header.columns)).items():
        if times > 1:
            yield RowProblem(line, column, Text("repeated_column", name=column, number=times))
    unknown = _unknown(header)[:_MAX_UNKNOWN]
    misspelled = {name: likely for name in unknown if (likely := _misspelled(name, header))}
    for name, likely in misspelled.items():
        shown = shown_name(name)
        yield RowProblem(line, shown, Text("unknown_column", name=shown, column=likely))
    for column in ADDRESS_COLUMNS:
        if column not in header.columns and column not in misspelled.values():
            yield RowProblem(line, column, Text("missing_column", name=column, header=HEADER))
    if header.columns[0] in PASSWORD_COLUMNS:
        # Otherwise a row whose password starts with # could silently be skipped as a comment.
        yield RowProblem(line, header.columns[0], Text("password_first"))


def header_notes(header: CsvHeader) -> Iterator[RowProblem]:
    """The columns that are not read."""
    unknown = list(filter(None, _unknown(header)))
    for name in unknown[:_MAX_UNKNOWN]:
        if not _misspelled(name, header):
            shown = shown_name(name)
            yield RowProblem(header.line, shown, Text("column_ignored", name=shown))
    if more := len(unknown[_MAX_UNKNOWN:]):
        yield RowProblem(header.line, "", Text("column_ignored.more", number=more))


def _unknown(header: CsvHeader) -> list[str]:
    return [name for name, column in zip(header.names, header.columns, strict=True) if not column]


def _misspelled(name: str, header: CsvHeader) -> str:
    """The column that is probably meant by an unknown name and that the header lacks; "" for none."""
    likely = likely_column(name)
    return "" if likely in header.columns else likely


def shown_name(name: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in name[:40])
