"""Cells of CSV files that no spreadsheet evaluates as a formula (OWASP, "CSV Injection", read 2026-11)."""

from __future__ import annotations

import re
from typing import Final

from importer.domain.reporting.formatting import printable

_MAX_CELL_CHARS: Final = 1000
_FORMULA_START: Final = re.compile(
    # A start, quotes and blanks, then = + - @; some programs accept the full-width forms too.
    r"((?:^|[;\t|])[\s\"']*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])"
)


def cell(text: str) -> str:
    """`text` as a cell of one line that no spreadsheet evaluates as a formula, whatever it takes for the
    separator."""
    return _FORMULA_START.sub(r"\1'", printable(text, _MAX_CELL_CHARS))
