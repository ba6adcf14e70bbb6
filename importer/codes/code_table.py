"""The rows of all codes. `code_lookup.py` finds the row of a code, and loads these on first use."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Final

from importer.codes import (
    api_texts,
    audit_detail_texts,
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
from providers.text import TextRow

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
        audit_detail_texts.ROWS,
    )
}
"""The rows of Mailhaul's own codes; those of a provider with a sign-in are in its module."""


def all_rows() -> Iterator[TextRow]:
    """Mailhaul's own rows, and the advice of each provider."""
    yield from ROWS.values()
    for provider in SIGN_IN_PROVIDERS.values():
        for code, sentence in provider.texts.items():
            yield TextRow(code, sentence=sentence)
