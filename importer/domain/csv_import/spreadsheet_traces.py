"""Traces that spreadsheets leave in cells: removed if they are certain, otherwise reported.

Passwords are never changed here, whatever they look like.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from importer.domain.csv_import.column_names import ADDRESS_COLUMNS, PASSWORD_COLUMNS, SERVER_COLUMNS
from providers.text import Text

GUARDED: Final = ("=", "+", "-", "@")
"""Beginnings that a spreadsheet evaluates as a formula; annotated files get a `'` before them."""

_GUARDED_IN: Final = dict.fromkeys(ADDRESS_COLUMNS, GUARDED[:3])  # no address begins with @

_MONTHS: Final = (
    r"(?:jan|ene|gen|feb|fév|f[eé]v|m[aä]r|mrz|mar|apr|avr|abr|mai|may|mag|jun|juin|giu|jul|juil|lug|aug|ao[uû]|ago"
    r"|se[pt]|okt|oct|ott|nov|de[czs]|dic|déc)[^\W\d]{0,7}\.?"
)
_SHAPES: Final = {
    "scientific": re.compile(r"[-+]?\d+(?:[.,]\d+)?(?:E[-+]?|e[-+])\d{1,3}"),
    "error": re.compile(
        r"#[^\s;,]{1,12}[!?]|#N/[AD]|#N/DISP|#NV|#{2,}|Err:\d{3}|#(?:VALUE|VALEUR|WERT|VALOR|VALORE)", re.I
    ),
    "formula": re.compile(r'="[^"]*"|=\d+(?:[.,]\d+)?'),
    "boolean": re.compile(r"TRUE|FALSE|WAHR|FALSCH|VRAI|FAUX|VERO|FALSO|VERDADERO"),
    "date": re.compile(
        rf"\d{{1,4}}([./-])\d{{1,2}}\1\d{{1,4}}(?:[ T]\d{{1,2}}:\d{{2}}(?::\d{{2}})?)?"
        rf"|\d{{1,2}}:\d{{2}}(?::\d{{2}})?(?: ?[AP]M)?|\d{{1,2}}\.?[- ]?{_MONTHS}(?:[- ]\d{{2,4}})?"
        rf"|{_MONTHS}[- ]\d{{2,4}}",
        re.IGNORECASE,
    ),
    "number": re.compile(r"-?(?:0|[1-9]\d*)(?:[.,'’]\d+)*[  \u202f]?[%€$£]?|[€$£] ?\d+(?:[.,]\d+)*"),
    "apostrophe": re.compile(r"'[=+@\d-].*", re.DOTALL),
}
"""Forms into which a spreadsheet converts a password; they match whole cells."""

_TYPOGRAPHIC: Final = frozenset("‘’‚“”„«»‹›–—…")  # signs that autocorrection writes for ' " - ...


def without_traces(column: str, cell: str) -> tuple[str, bool]:
    """The cell without signs that certainly do not belong to it, and whether the `'` of an annotated file was
    removed."""
    if column in PASSWORD_COLUMNS:
        return cell, False
    text = without_blank_ends(cell)
    if text.startswith("'") and text[1:].startswith(_GUARDED_IN.get(column, GUARDED)):
        return text[1:], True
    return text, False


def without_blank_ends(text: str) -> str:
    """The text without blanks and invisible characters of any kind at its ends."""
    start, end = 0, len(text)
    while start < end and is_blank(text[start]):
        start += 1
    while end > start and is_blank(text[end - 1]):
        end -= 1
    return text[start:end]


def is_blank(char: str) -> bool:
    """Blanks of every kind, zero-width and direction marks. Of control characters, only blanks count."""
    return char.isspace() or unicodedata.category(char) == "Cf"


def traces(column: str, cell: str, *, guessed_encoding: bool, typed: bool = False) -> list[Text]:
    """Notes on possible changes of a cell by a spreadsheet. `guessed_encoding`: see FileText. `typed`: the
    cell is a text for certain, as it was typed into a workbook."""
    kinds = []
    if column in PASSWORD_COLUMNS and cell.strip():
        if not typed:
            kinds = [kind for kind, shape in _SHAPES.items() if shape.fullmatch(cell.strip())][:1]
        if cell != cell.strip():
            kinds.append("blank")
        elif any(is_blank(char) and char != " " for char in cell):
            kinds.append("invisible")
        if _TYPOGRAPHIC.intersection(cell):
            kinds.append("typographic")
    if column in (*PASSWORD_COLUMNS, *ADDRESS_COLUMNS, *SERVER_COLUMNS) and not cell.isascii():
        if _is_misread(cell):
            kinds.append("misread")
        elif guessed_encoding:
            kinds.append("encoding")
    return [Text(f"spreadsheet_trace.{kind}") for kind in kinds]


def _is_misread(cell: str) -> bool:
    """Whether the cell is UTF-8 that was read as a one-byte encoding: `Ã¼` for `ü`."""
    for encoding in ("cp1252", "latin-1", "mac_roman"):
        try:
            read = cell.encode(encoding).decode("utf-8")
        except UnicodeError:
            continue
        if len(read) < len(cell):
            return True
    return "\ufffd" in cell
