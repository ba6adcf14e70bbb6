"""Which cells of a file may be shown: all but passwords, and cells that may be a password in the wrong
column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from importer.domain.csv_import.column_names import ADDRESS_COLUMNS, PASSWORD_COLUMNS, SERVER_COLUMNS
from importer.domain.csv_import.csv_cells import Refused, address, bare_address, check_characters, server
from importer.domain.import_options import FREE_TEXT, OPTIONS

_MAX_ADDRESS_CHARS: Final = 320


def may_be_shown(column: str, cells: Mapping[str, str], *, faulty: bool) -> bool:
    """Whether the cell of that column may be shown. `cells` are those of its row, and `faulty` says that the
    row has problems: then free text may be a password."""
    if column in PASSWORD_COLUMNS or (faulty and column in FREE_TEXT):
        return False
    cell = cells.get(column, "")
    return _is_valid(column, cell) or (column in ADDRESS_COLUMNS and _is_meant_as_address(column, cells))


def _is_valid(column: str, cell: str) -> bool:
    try:
        _PARSERS[column](cell)
    except Refused:
        return False
    return True


def _is_meant_as_address(column: str, cells: Mapping[str, str]) -> bool:
    """Whether a cell that is no address was written as one: nothing else of its row is in a wrong column."""
    cell = cells.get(column, "")
    try:
        check_characters(cell, _MAX_ADDRESS_CHARS)
    except Refused:
        return False
    if bare_address(cell):
        return True
    others = (cells.get(name, "") for name in ADDRESS_COLUMNS if name != column)
    passwords = (cells.get(name, "") for name in PASSWORD_COLUMNS)
    servers_fit = all(_is_valid(name, cells.get(name, "")) for name in SERVER_COLUMNS)
    return (
        servers_fit
        and all(_is_valid(column, other) or bare_address(other) for other in others)
        and not any(_is_valid(column, text) or bare_address(text) for text in passwords)
    )


_PARSERS: Final[Mapping[str, Callable[[str], object]]] = {
    **dict.fromkeys(ADDRESS_COLUMNS, address),
    **dict.fromkeys(SERVER_COLUMNS, server),
    **{name: option.parse for name, option in OPTIONS.items()},
}
"""The parsers of all columns but those of passwords."""
