"""Reading of CSV files, from bytes to records with known columns: encodings, delimiters, quotes, comments.

A file from any program (Excel in any language, an editor) is read as intended, or rejected with the line and
the fix. This module never raises because of a file's content, and never quotes a cell in a message: if the
columns of a file are shifted, any cell may be a password.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from typing import Final

from importer.domain.import_options import OPTIONS
from providers.text import Text

REQUIRED_COLUMNS: Final = (
    "source_address",
    "source_password",
    "source_server",
    "destination_address",
    "destination_password",
)
DESTINATION_SERVER: Final = "destination_server"
OPTIONAL_COLUMNS: Final = (DESTINATION_SERVER, *OPTIONS)
PROBLEM_COLUMN: Final = "problem"  # added to annotated files, so it may be in a submitted file; ignored
KNOWN_COLUMNS: Final = (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS, PROBLEM_COLUMN)
PASSWORD_COLUMNS: Final = frozenset({"source_password", "destination_password"})
SERVER_COLUMNS: Final = frozenset({"source_server", DESTINATION_SERVER})

_DELIMITERS: Final = (",", ";", "\t")
_ENDINGS: Final = frozenset({"csv", "txt", "tsv"})
_MAX_HEADER_PROBLEMS: Final = 20
_HEADER: Final = ",".join(REQUIRED_COLUMNS)


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A problem to fix. `line` counts from 1 (0: the whole file), `column` is "" for the whole line. `text`
    says what is wrong, and its advice what to do. No field ever contains a password."""

    line: int
    column: str
    text: Text

    @property
    def rule(self) -> str:
        """The stable code."""
        return self.text.public_code


NOT_TEXT: Final = RowProblem(0, "", Text("not_text"))


@dataclass(frozen=True, slots=True)
class Record:
    """One row, which starts on `line`: its cells by column, as written; None if they could not be
    separated."""

    line: int
    cells: Mapping[str, str] | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sheet:
    """The content of a file. If `columns` is empty, there are no records, and the problems give the
    reason."""

    delimiter: str = ","
    header_line: int = 0
    columns: tuple[str, ...] = ()  # of KNOWN_COLUMNS, in the order of the file
    records: tuple[Record, ...] = ()  # all rows, without blank lines and comments
    problems: tuple[RowProblem, ...] = ()


def read(data: bytes, *, max_bytes: int) -> Sheet:
    """Read a whole file. Never raises."""
    if len(data) > max_bytes:
        return _refused(Text("file_too_large", bytes=len(data), limit=max_bytes))
    text = decode(data)
    if text is None or _is_spreadsheet(data):
        return Sheet(problems=(NOT_TEXT,))
    if "\0" in text:
        line = len(_lines(text[: text.index("\0") + 1]))
        return _refused(Text("not_text.nul"), line)
    return _read_text(text)


def is_text_file(name: str, data: bytes) -> bool:
    """Whether a file with that name may hold rows: not one whose ending or first bytes say otherwise."""
    _, dot, ending = name.rpartition(".")
    return (not dot or ending.lower() in _ENDINGS) and not _is_spreadsheet(data)


def _is_spreadsheet(data: bytes) -> bool:
    """A ZIP file (Excel, LibreOffice, Numbers) or an OLE file (Excel before 2007)."""
    return data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0"))


def decode(data: bytes) -> str | None:
    """Decode by byte order mark (UTF-8, UTF-16), as UTF-16 if it has its zero bytes, as UTF-8, or as
    Windows-1252, in this order. None if the data is not valid in the encoding found."""
    for mark, encoding in (
        (b"\xef\xbb\xbf", "utf-8"),
        (b"\xff\xfe", "utf-16-le"),
        (b"\xfe\xff", "utf-16-be"),
    ):
        if data.startswith(mark):
            return _decoded(data[len(mark) :], encoding)
    start = data[:64]
    if len(start) >= 4 and len(data) % 2 == 0:
        # Our header is ASCII: in UTF-16, every second byte is zero and no other.
        for encoding, zero in (("utf-16-le", 1), ("utf-16-be", 0)):
            if not any(start[zero::2]) and all(start[1 - zero :: 2]):
                return _decoded(data, encoding)
    text = _decoded(data, "utf-8")
    return _decoded(data, "cp1252") if text is None else text


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _refused(text: Text, line: int = 0) -> Sheet:
    return Sheet(problems=(RowProblem(line, "", text),))


# --- Records --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Raw:
    line: int
    cells: tuple[str, ...] = field(default=(), repr=False)
    error: str = ""  # of the csv module, which quotes nothing


def _lines(text: str) -> list[str]:
    """The lines with their ends. Only CR, LF and CRLF end a line: a password may contain U+2028 or a form
    feed."""
    return list(io.StringIO(text, newline=""))


def _raw_records(text: str, delimiter: str) -> Iterator[_Raw]:
    """The records, without blank lines and comments.

    Each record gets its own csv reader, so that an unpaired quote in a comment does not consume the next
    line.
    """
    lines = iter(_lines(text))
    number = 0
    for line in lines:
        number += 1
        if not line.strip() or _is_comment(line):
            continue
        start = number
        reader = csv.reader(chain((line,), lines), delimiter=delimiter, strict=True)
        try:
            cells = tuple(next(reader))
        except csv.Error as error:
            yield _Raw(start, error=str(error))
        else:
            # Spreadsheets quote a comment that contains a delimiter.
            if any(cell.strip() for cell in cells) and not _is_comment(cells[0]):
                yield _Raw(start, cells)
        number = start + reader.line_num - 1


def _is_comment(text: str) -> bool:
    return text.lstrip().startswith("#")


def _quotes_problem(raw: _Raw) -> RowProblem:
    if "end of data" in raw.error:
        code = "quotes.unclosed"
    elif "field limit" in raw.error:
        code = "quotes.too_long"
    else:
        code = "quotes"
    return RowProblem(raw.line, "", Text(code))


# --- Header and cells -------------------------------------------------------------------------------


def _read_text(text: str) -> Sheet:
    delimiter, header = max(
        ((delimiter, _header(text, delimiter)) for delimiter in _DELIMITERS),
        key=lambda candidate: sum(name in KNOWN_COLUMNS for name in candidate[1][1]),
    )
    line, names = header
    if problems := _header_problems(line, names):
        return Sheet(delimiter, line, problems=tuple(problems))
    records: list[Record] = []
    row_problems: list[RowProblem] = []
    for raw in _raw_records(text, delimiter):
        if raw.line <= line:
            continue
        record, problem = _record(raw, names)
        records.append(record)
        if problem is not None:
            row_problems.append(problem)
    return Sheet(delimiter, line, names, tuple(records), tuple(row_problems))


def _header(text: str, delimiter: str) -> tuple[int, tuple[str, ...]]:
    """(line, column names) of the first record; (0, ()) if there is none."""
    for raw in _raw_records(text, delimiter):
        names = [cell.strip().strip("\ufeff").strip().casefold() for cell in raw.cells]
        while names and not names[-1]:
            names.pop()
        return raw.line, tuple(names)
    return 0, ()


def _header_problems(line: int, names: tuple[str, ...]) -> list[RowProblem]:
    if not any(name in KNOWN_COLUMNS for name in names):
        code = "header_missing.empty" if line == 0 else "header_missing"
        return [RowProblem(line, "", Text(code, header=_HEADER))]
    problems: list[RowProblem] = []
    for name, times in Counter(names).items():
        if len(problems) == _MAX_HEADER_PROBLEMS:
            break
        if name not in KNOWN_COLUMNS:
            shown = "".join(c if c.isprintable() else "?" for c in name[:40])
            code = "unknown_column" if name else "unknown_column.unnamed"
            problems.append(RowProblem(line, shown, Text(code, name=shown, header=_HEADER)))
        elif times > 1:
            problems.append(RowProblem(line, name, Text("repeated_column", name=name, number=times)))
    missing = (name for name in REQUIRED_COLUMNS if name not in names)
    problems += [
        RowProblem(line, name, Text("missing_column", name=name, header=_HEADER)) for name in missing
    ]
    if names[0] in PASSWORD_COLUMNS:
        # Otherwise a row whose password starts with # would silently be skipped as a comment.
        problems.append(RowProblem(line, names[0], Text("password_first")))
    return problems


def _record(raw: _Raw, names: tuple[str, ...]) -> tuple[Record, RowProblem | None]:
    if raw.error:
        return Record(raw.line, None), _quotes_problem(raw)
    cells, missing = raw.cells[: len(names)], names[len(raw.cells) :]
    too_many = any(cell.strip() for cell in raw.cells[len(names) :])
    if too_many or not {*SERVER_COLUMNS, *OPTIONAL_COLUMNS, PROBLEM_COLUMN}.issuperset(missing):
        text = Text("cell_count", cells=len(raw.cells), columns=len(names))
        return Record(raw.line, None), RowProblem(raw.line, "", text)
    return Record(raw.line, dict(zip_longest(names, cells, fillvalue=""))), None
