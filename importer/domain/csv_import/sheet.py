"""The content of an import file: its records by column, its problems and notes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Final

from providers.frozen import frozen
from providers.text import Text

MOST_ROWS: Final = 1000


@frozen
class RowProblem:
    """A problem to fix, or a note. `line` counts from 1 (0: the whole file), `column` is "" for the whole
    line. `text` describes it, and its advice says what to do. No field ever contains a password."""

    line: int
    column: str
    text: Text

    @property
    def rule(self) -> str:
        """The stable code."""
        return self.text.public_code


@frozen
class Record:
    """One row, which starts on `line`: its cells by column, as written but for traces of a spreadsheet; None
    if they could not be separated."""

    line: int
    cells: Mapping[str, str] | None = field(repr=False)


@frozen
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
