"""The CSV files given to users: the template to fill in, and an uploaded file with its problems marked.

Invariant: no annotated file contains a password.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Mapping
from textwrap import wrap
from typing import Final

from importer.domain.csv_import.csv_cells import Refused, address, server
from importer.domain.csv_import.csv_reader import (
    PASSWORD_COLUMNS,
    PROBLEM_COLUMN,
    REQUIRED_COLUMNS,
    SERVER_COLUMNS,
    RowProblem,
)
from importer.domain.csv_import.import_rows import BATCH_ROWS, Parsed
from importer.domain.folder_mapping.folder_patterns import HIDDEN
from importer.domain.import_options import FREE_TEXT, OPTIONS
from providers.sign_in_providers import names


def template() -> str:
    """The template file. `make document` writes it to templates/csv/batch.csv."""
    return _TEMPLATE


def annotate(parsed: Parsed, describe: Callable[[RowProblem], str]) -> str:
    """The file with an additional last column `problem`, in the words of `describe`, and without passwords.

    Cells that are not valid for their column are omitted too: they may be passwords in the wrong column. Rows
    keep their line numbers, other lines become empty, the delimiter is kept, and lines end with CRLF. Cells
    that a spreadsheet would evaluate as a formula get a `'` in front (OWASP, "CSV Injection"). Problems that
    concern no single row follow as comments. Once completed, the file can be submitted again.
    """
    sheet = parsed.sheet
    problems_by_line: dict[int, list[str]] = defaultdict(list)
    for problem in parsed.problems:
        problems_by_line[problem.line].append(describe(problem))
    columns = tuple(column for column in sheet.columns if column != PROBLEM_COLUMN)
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=sheet.delimiter, quoting=csv.QUOTE_ALL)
    lines_written = 0
    if columns:
        out.write("\r\n" * (sheet.header_line - 1))
        writer.writerow((*columns, PROBLEM_COLUMN))
        lines_written = sheet.header_line
    for record in sheet.records:
        out.write("\r\n" * (record.line - lines_written - 1))
        faulty = record.line in problems_by_line
        cells = (
            _safe_cell(column, record.cells[column], faulty=faulty) if record.cells else ""
            for column in columns
        )
        writer.writerow((*cells, " ".join(problems_by_line.pop(record.line, ()))))
        lines_written = record.line
    for texts in problems_by_line.values():
        out.writelines(f"# {text}\r\n" for text in texts)
    return out.getvalue()


def _safe_cell(column: str, cell: str, *, faulty: bool) -> str:
    """The cell, or "" if it may be a password. Of a row with problems, free text may be one: it becomes a
    text that is refused, because left out it would choose something else."""
    if column in PASSWORD_COLUMNS:
        return ""
    if faulty and column in FREE_TEXT and cell.strip():
        return HIDDEN
    try:
        _PARSERS.get(column, address)(cell)
    except Refused:
        return ""
    text = cell.strip()
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


_PARSERS: Final[Mapping[str, Callable[[str], object]]] = {
    **dict.fromkeys(SERVER_COLUMNS, server),
    **{name: option.parse for name, option in OPTIONS.items()},
}
"""The parsers of all columns that are not addresses."""


def _option_comments() -> str:
    """What the optional columns of the options mean."""
    return "".join(
        f"{line}\n"
        for name, option in OPTIONS.items()
        for line in wrap(
            f"{name}: {option.rule}. {option.help}", 108, initial_indent="# ", subsequent_indent="#   "
        )
    )


_TEMPLATE: Final = f"""\
{",".join(REQUIRED_COLUMNS)}
# One line for each mailbox, at most {BATCH_ROWS} lines in one file.
# Blank lines and lines that start with # are ignored. You may delete these lines.
#
# source_address: the mailbox to copy from.
# source_password: its password. Many providers require an app password from their security settings.
# source_server: the mail server of the source. Leave it empty to find it from the address.
#   Otherwise enter a name such as imap.old.example or imaps://imap.old.example:993,
#   or imaps://login@imap.old.example if the login is not the address.
# destination_address: the mailbox to copy into. It must already exist.
# destination_password: its password.
# Leave a password empty if its owner signs in at {names()}, or if an organisation gives access.
#
# Optional columns:
# destination_server: the mail server of the destination if it is not the usual one.
{_option_comments()}#
# Spaces before and after a password are part of the password.
# Put a password that contains a comma or a quotation mark in quotation marks.
# Write each quotation mark inside it twice.
#
# Examples: remove the # in front to use a line.
#ada@old.example,correct horse battery staple,,ada@new.example,Tr0ub4dor
#grace@old.example,"a comma, a "" quotation mark",imap.old.example,grace@new.example,"  blanks stay  "
"""
