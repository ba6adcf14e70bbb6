"""Reading of workbooks (.xlsx): the rows of their sheets as text, within limits.

openpyxl reads XML through defusedxml, so entities are refused. The expanded size of a workbook is limited
before any part of it is read: `zipfile` never reads more of an entry than the directory of the archive
states.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import field
from datetime import datetime, time, timedelta
from typing import Any, Final

from providers.frozen import frozen

WORKBOOK_BYTES: Final = 192 * 1024  # of a file of one batch; it has more than its rows
MAX_ENTRIES: Final = 1000
MAX_XML_BYTES: Final = 2 * 1024 * 1024  # 1,000 rows take about 0.4 MiB
MAX_SHEETS: Final = 20  # visible ones
MAX_LINES: Final = 5000
MAX_COLUMNS: Final = 100

_READ_BY_US: Final = (".xml", ".rels")
_SHEET: Final = re.compile(r"xl/worksheets/[^/]+\.xml", re.IGNORECASE)
_CELL: Final = re.compile(rb"<(?:\w+:)?c[ >]")
_FORMULA: Final = re.compile(rb"<(?:\w+:)?f[ />]")
_RESULT: Final = re.compile(rb"<(?:\w+:)?v(?: [^>]*)?>[^<]|^[^>]*t=[\"']str[\"']")  # an empty text is one
_ERROR: Final = "e"  # the type of cells such as #NAME?


class UnreadableWorkbook(Exception):
    """The file is no workbook that openpyxl reads, or beyond the limits."""


class UncalculatedWorkbook(Exception):
    """The workbook has formulas without their results, as programs write them that do not calculate. These
    cells would be read as empty."""


@frozen
class WorkbookRow:
    """One row of a sheet. `values` are the indexes of cells that are no text: numbers, dates, errors and the
    like."""

    line: int
    cells: tuple[str, ...] = field(repr=False)
    values: frozenset[int] = frozenset()


def sheets_of(data: bytes) -> list[list[WorkbookRow]]:
    """The rows of the visible sheets that are not empty, without blank rows. Raises UnreadableWorkbook and
    UncalculatedWorkbook."""
    _check_size(data)
    try:
        _check_formulas(data)
        return [rows for sheet in _visible_sheets(data) if (rows := list(_rows(sheet)))]
    except (UnreadableWorkbook, UncalculatedWorkbook):
        raise
    except Exception as error:  # openpyxl passes on any exception that a malformed file causes
        raise UnreadableWorkbook from error


def _check_size(data: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise UnreadableWorkbook from error
    read = sum(entry.file_size for entry in entries if entry.filename.lower().endswith(_READ_BY_US))
    if len(entries) > MAX_ENTRIES or read > MAX_XML_BYTES:
        raise UnreadableWorkbook


def _check_formulas(data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in filter(_SHEET.fullmatch, archive.namelist()):
            sheet = archive.read(name)
            if _FORMULA.search(sheet) and any(
                _FORMULA.search(cell) and not _RESULT.search(cell) for cell in _CELL.split(sheet)[1:]
            ):
                raise UncalculatedWorkbook


def _visible_sheets(data: bytes) -> Iterator[Any]:
    # Not at the top: most files are no workbooks, and openpyxl takes a third of a second to import.
    from openpyxl import load_workbook  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about charts and rules, which are not read
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        visible = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
        if len(visible) > MAX_SHEETS:
            raise UnreadableWorkbook
        yield from visible


def _rows(sheet: Any) -> Iterator[WorkbookRow]:
    sheet.reset_dimensions()  # a file may state a million rows
    for line, row in enumerate(sheet.iter_rows(max_col=MAX_COLUMNS), start=1):
        if line > MAX_LINES:
            raise UnreadableWorkbook
        cells = [_text(cell.value) for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        if any(cell.strip() for cell in cells):
            no_text = (
                index
                for index, cell in enumerate(row)
                if cell.value is not None and (not isinstance(cell.value, str) or cell.data_type == _ERROR)
            )
            yield WorkbookRow(line, tuple(cells), frozenset(no_text))


def _text(value: object) -> str:
    """The cell as a person would write it."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).upper()
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case timedelta():
            minutes, seconds = divmod(int(value.total_seconds()), 60)
            return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return str(value)
