"""The rows of all codes, and how a row is found."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Final

from importer.codes import connection_texts, folder_texts, import_texts, login_texts, row_texts, undo_texts
from providers.text import TextRow

ROWS: Final[dict[str, TextRow]] = {
    row.code: row
    for row in chain(
        connection_texts.ROWS,
        login_texts.ROWS,
        folder_texts.ROWS,
        import_texts.ROWS,
        row_texts.ROWS,
        undo_texts.ROWS,
    )
}
UNKNOWN: Final = "mail_error"


def lineage(code: str) -> Iterator[TextRow]:
    """The rows of a.b.c, a.b and a, as far as they exist. A code without any, such as one that a later version
    stored, has that of `mail_error`."""
    found = False
    while code:
        if code in ROWS:
            found = True
            yield ROWS[code]
        code = code.rpartition(".")[0]
    if not found:
        yield ROWS[UNKNOWN]


def public_row(code: str) -> TextRow:
    """The row of the public part of `code`: it says how the program treats the code."""
    return ROWS.get(code.partition(".")[0], ROWS[UNKNOWN])
