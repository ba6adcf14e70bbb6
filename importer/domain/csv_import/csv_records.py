"""The records of a CSV file: lines, quotes, delimiters, comments, whole lines in one cell."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field, replace
from itertools import chain
from typing import Final

from importer.domain.csv_import.sheet import RowProblem
from providers.frozen import frozen
from providers.text import Text

DELIMITERS: Final = (",", ";", "\t", "|")
_SEPARATORS: Final = "".join(DELIMITERS)
ADDRESS_LIKE: Final = re.compile(r"[^\s@<>\"]+@[^\s@<>\"]+")


@frozen
class RawRecord:
    """A record as its cells. `values`: see WorkbookRow; None for a file whose cells are text only."""

    line: int
    cells: tuple[str, ...] = field(default=(), repr=False)
    error: str = ""  # of the csv module, which quotes nothing
    values: frozenset[int] | None = None

    @property
    def is_comment(self) -> bool:
        """Whether it begins with #. Its other cells decide whether it is a comment."""
        return bool(self.cells) and self.cells[0].lstrip().startswith("#")

    @property
    def alone(self) -> str:
        """The text of its only cell; "" if several are filled."""
        filled = [cell for cell in self.cells if cell.strip()]
        return filled[0] if len(filled) == 1 else ""


def lines_of(text: str) -> list[str]:
    """The lines with their ends. Only CR, LF and CRLF end a line: a password may contain U+2028 or a form
    feed."""
    return list(io.StringIO(text, newline=""))


def raw_records(lines: Sequence[str], delimiter: str) -> Iterator[RawRecord]:
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
            yield (
                RawRecord(start, (line.rstrip("\r\n"),)) if is_comment else RawRecord(start, error=str(error))
            )
        else:
            if any(cell.strip() for cell in cells):
                yield RawRecord(start, cells)
        number = start + reader.line_num - 1


def _begins_with_address(line: str, delimiter: str) -> bool:
    return bool(ADDRESS_LIKE.fullmatch(line.strip().partition(delimiter)[0].strip()))


def unwrapped(raw: RawRecord, min_cells: int, delimiters: Iterable[str] = DELIMITERS) -> RawRecord:
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


def quotes_problem(raw: RawRecord) -> RowProblem:
    if "end of data" in raw.error:
        code = "quotes.unclosed"
    elif "field limit" in raw.error:
        code = "quotes.too_long"
    else:
        code = "quotes"
    return RowProblem(raw.line, "", Text(code))
