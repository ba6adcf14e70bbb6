"""Corrections of an uploaded file: cells that were written anew, and rows that are left out.

The file itself stays as it was uploaded, so that its line numbers and notes stay true.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from typing import Final

from importer.domain.csv_import.column_names import (
    DESTINATION_ADDRESS,
    DESTINATION_PASSWORD,
    DESTINATION_SERVER,
    PROBLEM_COLUMN,
    SOURCE_ADDRESS,
    SOURCE_PASSWORD,
    SOURCE_SERVER,
)
from importer.domain.csv_import.csv_cells import Refused, address, server
from importer.domain.csv_import.sheet import Record, RowProblem, Sheet
from providers.frozen import frozen

Cells = Mapping[int, Mapping[str, str]]
"""Line -> column -> text."""

_SIDES: Final = (
    (SOURCE_ADDRESS, SOURCE_PASSWORD, SOURCE_SERVER),
    (DESTINATION_ADDRESS, DESTINATION_PASSWORD, DESTINATION_SERVER),
)


@frozen
class Corrections:
    """`cells` replace those of the file. `kept` are the passwords among them that come from an earlier
    version of the file, as (line, column). `left_out` are lines of rows that are not read."""

    cells: Cells = field(default_factory=dict, repr=False)
    left_out: frozenset[int] = frozenset()
    kept: frozenset[tuple[int, str]] = frozenset()

    def with_cells(self, cells: Cells) -> Corrections:
        """These corrections and further ones, which precede."""
        lines = {*self.cells, *cells}
        merged = {line: {**self.cells.get(line, {}), **cells.get(line, {})} for line in lines}
        rewritten = {(line, column) for line, texts in cells.items() for column in texts}
        return replace(self, cells=merged, kept=self.kept - rewritten)

    def without_lines(self, lines: frozenset[int]) -> Corrections:
        """These corrections, and those rows left out."""
        return replace(self, left_out=self.left_out | lines)


NO_CORRECTIONS: Final = Corrections()


def corrected(sheet: Sheet, corrections: Corrections) -> Sheet:
    """The sheet with its corrections. Notes about a cell that was written anew are dropped, and problems of a
    row whose cells could not be separated once it has new ones."""
    if corrections == NO_CORRECTIONS or not sheet.columns:
        return sheet
    columns = tuple(dict.fromkeys((*sheet.columns, *_new_columns(sheet, corrections))))
    records = tuple(_corrected_records(sheet, corrections))
    gone = {*corrections.left_out, *corrections.cells}
    rewritten = {(line, column) for line, texts in corrections.cells.items() for column in texts}
    return replace(
        sheet,
        columns=columns,
        records=records,
        problems=tuple(problem for problem in sheet.problems if problem.line not in gone),
        notes=tuple(note for note in sheet.notes if not _concerns(note, corrections.left_out, rewritten)),
    )


def _new_columns(sheet: Sheet, corrections: Corrections) -> Iterator[str]:
    """The columns that only corrections have."""
    lines = {record.line for record in sheet.records}
    for line, texts in corrections.cells.items():
        if line in lines:
            yield from texts


def _corrected_records(sheet: Sheet, corrections: Corrections) -> Iterator[Record]:
    for record in sheet.records:
        if record.line not in corrections.left_out:
            texts = corrections.cells.get(record.line)
            if texts is None:
                yield record
            else:
                empty = dict.fromkeys(sheet.columns, "")
                yield Record(record.line, {**empty, **(record.cells or {}), **texts})


def _concerns(note: RowProblem, lines: frozenset[int], cells: set[tuple[int, str]]) -> bool:
    return note.line in lines or (note.line, note.column) in cells


def passwords_from(earlier: Sheet, sheet: Sheet) -> Corrections:
    """The passwords for the empty password cells of an annotated file, from the version that it was made of.

    A password goes with its mailbox: the same address and server. Where these were not valid, it is that of
    the same line, if the other address of the line is the same. A mailbox with two passwords gets none.
    """
    if PROBLEM_COLUMN not in sheet.columns:
        return NO_CORRECTIONS
    cells: dict[int, dict[str, str]] = {}
    for mailbox_column, password, server_column in _SIDES:
        other = DESTINATION_ADDRESS if mailbox_column == SOURCE_ADDRESS else SOURCE_ADDRESS
        known = _passwords_by((mailbox_column, server_column), password, earlier)
        by_line = {
            (record.line, record.cells.get(other, "")): record.cells.get(password, "")
            for record in earlier.records
            if record.cells is not None
            and not _is_mailbox(record.cells.get(mailbox_column), record.cells.get(server_column))
        }
        for record in sheet.records:
            if record.cells is None or record.cells.get(password, "").strip():
                continue
            mailbox = (record.cells.get(mailbox_column, ""), record.cells.get(server_column, ""))
            place = (record.line, record.cells.get(other, ""))
            if found := known.get(mailbox) or by_line.get(place, ""):
                cells.setdefault(record.line, {})[password] = found
    kept = frozenset((line, column) for line, texts in cells.items() for column in texts)
    return Corrections(cells, kept=kept)


def _is_mailbox(address_cell: str | None, server_cell: str | None) -> bool:
    try:
        address(address_cell or "")
        server(server_cell or "")
    except Refused:
        return False
    return True


def _passwords_by(mailbox: tuple[str, str], password: str, sheet: Sheet) -> dict[tuple[str, str], str]:
    """Mailbox -> its password, for mailboxes with one."""
    pairs = {
        ((record.cells.get(mailbox[0], ""), record.cells.get(mailbox[1], "")), record.cells[password])
        for record in sheet.records
        if record.cells is not None and record.cells.get(password, "").strip()
    }
    count = Counter(place for place, _ in pairs)
    return {place: text for place, text in pairs if count[place] == 1}
