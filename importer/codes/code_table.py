"""The rows of all codes, and how a row is found."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Final

from importer.codes import (
    api_texts,
    check_texts,
    connection_texts,
    control_texts,
    discovery_texts,
    doctor_texts,
    folder_texts,
    import_texts,
    installation_texts,
    login_texts,
    message_texts,
    row_texts,
    undo_texts,
)
from providers.sign_in_providers import SIGN_IN_PROVIDERS
from providers.text import TextRow, WayOn

ROWS: Final[dict[str, TextRow]] = {
    row.code: row
    for row in chain(
        connection_texts.ROWS,
        login_texts.ROWS,
        folder_texts.ROWS,
        message_texts.ROWS,
        import_texts.ROWS,
        row_texts.ROWS,
        undo_texts.ROWS,
        control_texts.ROWS,
        check_texts.ROWS,
        discovery_texts.ROWS,
        doctor_texts.ROWS,
        installation_texts.ROWS,
        api_texts.ROWS,
    )
}
"""The rows of Mailhaul's own codes; those of a provider with a sign-in are in its module."""

UNKNOWN: Final = "mail_error"


def all_rows() -> Iterator[TextRow]:
    """The own rows, and what each provider says to do."""
    yield from ROWS.values()
    for provider in SIGN_IN_PROVIDERS.values():
        for code, sentence in provider.texts.items():
            yield TextRow(code, sentence=sentence)


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
        yield ROWS[UNKNOWN]


def is_known(code: str) -> bool:
    """Whether the code, or one above it, has a row."""
    return next(lineage(code)).code != UNKNOWN or code.partition(".")[0] == UNKNOWN


def public_row(code: str) -> TextRow:
    """The row of the public part of `code`: it says how the program treats the code."""
    return ROWS.get(code.partition(".")[0], ROWS[UNKNOWN])


def way_on(code: str) -> WayOn:
    """What its user does first to run an import again that stopped for this reason."""
    return next((row.way_on for row in lineage(code) if row.way_on is not None), WayOn.CONTINUE)


def _row(code: str) -> TextRow | None:
    if code in ROWS:
        return ROWS[code]
    sentences = (provider.texts[code] for provider in SIGN_IN_PROVIDERS.values() if code in provider.texts)
    return next((TextRow(code, sentence=sentence) for sentence in sentences), None)
