"""Finds the row of a code. The tables are loaded on first use: most copies need none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from providers.sign_in_providers import SIGN_IN_PROVIDERS
from providers.text import TextRow, WayOn

UNKNOWN: Final = "mail_error"


def _rows() -> Mapping[str, TextRow]:
    from importer.codes.code_table import ROWS  # noqa: PLC0415 - takes 15 ms to load

    return ROWS


def lineage(code: str) -> Iterator[TextRow]:
    """The rows of a.b.c, a.b and a, as far as they exist. A code without any, such as one that a later version
    stored, has that of `mail_error`."""
    found = False
    while code:
        if (row := _row(code)) is not None:
            found = True
            yield row
        code = code.rpartition(".")[0]
    if not found:
        yield _rows()[UNKNOWN]


def is_known(code: str) -> bool:
    """Whether the code, or one above it, has a row."""
    return next(lineage(code)).code != UNKNOWN or code.partition(".")[0] == UNKNOWN


def public_row(code: str) -> TextRow:
    """The row of the public part of `code`, which determines how the program treats the code."""
    return _rows().get(code.partition(".")[0], _rows()[UNKNOWN])


def way_on(code: str) -> WayOn:
    """The user's first step to run an import again that stopped for this reason."""
    return next((row.way_on for row in lineage(code) if row.way_on is not None), WayOn.CONTINUE)


def _row(code: str) -> TextRow | None:
    if code in (known := _rows()):
        return known[code]
    sentences = (provider.texts[code] for provider in SIGN_IN_PROVIDERS.values() if code in provider.texts)
    return next((TextRow(code, sentence=sentence) for sentence in sentences), None)
