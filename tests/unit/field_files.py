"""Files as spreadsheets leave them, and what becomes of each, on the pages and at the console.

The files are in tests/data/csv. L01 came out of LibreOffice Calc; the others imitate Excel, Numbers and
Sheets.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[1] / "data" / "csv"
HOST: Final = "imap.neuhost.example"


@dataclass(frozen=True)
class Outcome:
    """`rows` are good; `problems` and `notes` are (line, column, code)."""

    rows: int
    problems: tuple[tuple[int, str, str], ...] = ()
    notes: tuple[tuple[int, str, str], ...] = ()
    refused: bool = False  # already when it is uploaded


def _trace(line: int, side: str, kind: str) -> tuple[int, str, str]:
    return line, f"{side}_password", f"spreadsheet_trace.{kind}"


OUTCOMES: Final[dict[str, Outcome]] = {
    "C01a-excel-sep-semicolon": Outcome(2),
    "C01b-sep-quoted-bom": Outcome(2),
    "C02-german-excel-cp1252": Outcome(
        1,
        notes=(
            (2, "source_address", "spreadsheet_trace.encoding"),
            _trace(2, "source", "encoding"),
            _trace(2, "destination", "encoding"),
        ),
    ),
    "C03a-nbsp-in-column-name": Outcome(2),
    "C03b-nbsp-behind-address": Outcome(1),
    "C04a-zero-width-ends": Outcome(1),
    "C04b-zero-width-middle": Outcome(0, ((2, "source_address", "address_invalid.blank"),)),
    "C05a-excel-mac-macroman-cr": Outcome(
        1, notes=(_trace(2, "source", "encoding"), _trace(2, "destination", "encoding"))
    ),
    "C05b-excel-msdos-cp850": Outcome(0, ((0, "", "not_text"),)),
    "C06-scientific-password": Outcome(
        1, notes=(_trace(2, "source", "scientific"), _trace(2, "destination", "number"))
    ),
    "C07-equals-trick": Outcome(1, notes=(_trace(2, "source", "formula"),)),
    "C08-annotated-round-trip": Outcome(1, notes=((2, "source_address", "apostrophe_removed"),)),
    "C09-trailing-blanks": Outcome(1),
    "C10-address-begins-with-hash": Outcome(2, notes=((2, "source_address", "hash_in_address"),)),
    "C11-numbers-table-name": Outcome(2),
    "C13a-title-case-header": Outcome(2),
    "C13b-german-header": Outcome(2),
    "C13c-hyphen-header": Outcome(2),
    "C14-24-good-one-bad": Outcome(24, ((26, "source_password", "password_missing"),)),
    "C15a-25-rows-trailing-separators": Outcome(25),
    "C15b-26-rows": Outcome(26),
    "C16a-duplicate-by-case": Outcome(1, ((3, "source_address", "duplicate_row"),)),
    "C16b-idn": Outcome(1),
    "C16c-mailto": Outcome(
        0,
        (
            (2, "source_address", "address_invalid.character"),
            (2, "destination_address", "address_invalid.blank"),
        ),
    ),
    "C16d-fullwidth-at": Outcome(0, ((2, "source_address", "address_invalid.no_at"),)),
    "C17a-google-sheets": Outcome(2),
    "C17b-libreoffice-quote-all-tab": Outcome(2),
    "L01-libreoffice-opened-and-saved": Outcome(
        9,
        notes=(
            _trace(2, "source", "number"),
            _trace(2, "destination", "scientific"),
            _trace(3, "source", "number"),
            _trace(4, "source", "number"),
            _trace(4, "destination", "error"),
            _trace(6, "source", "boolean"),
            _trace(6, "destination", "date"),
            _trace(7, "source", "number"),
            _trace(7, "destination", "number"),
            _trace(9, "source", "misread"),
            _trace(9, "destination", "blank"),
            _trace(10, "source", "date"),
            _trace(10, "destination", "number"),
        ),
    ),
    "U01-german-excel-opened-our-template": Outcome(2),
    "U03-only-needed-columns": Outcome(1),
    "U04-extra-column-name": Outcome(1, notes=((1, "Name", "column_ignored"),)),
    "U05-no-header": Outcome(0, ((1, "", "header_missing"),)),
    "U07-boolean-password": Outcome(
        1, notes=(_trace(2, "source", "boolean"), _trace(2, "destination", "date"))
    ),
    "U08-xlsx-renamed": Outcome(0, ((0, "", "not_text.workbook"),), refused=True),
    "U09-60-rows": Outcome(60),
    "U10-mixed-google-ms-plain": Outcome(3),
    "U11-password-with-semicolon-unquoted": Outcome(0, ((2, "", "cell_count"),)),
    "U12-trailing-blank-in-password": Outcome(1, notes=(_trace(2, "source", "blank"),)),
    "U13-destination-is-other-host": Outcome(1),
}
"""At the console, which takes any destination; on the pages, U13 is refused."""


def content(name: str) -> bytes:
    return (FOLDER / f"{name}.csv").read_bytes()
