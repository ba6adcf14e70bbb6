"""Why a message is left out by choice, as receipts and tallies keep it: a code, with its date if it has one.

The stored form is one string (`before_date:2024-02-29`), since tallies count by it. It is written and read
here alone.
"""

from __future__ import annotations

from importer.codes.code_table import is_known
from providers.text import Text


def skip_reason(code: str, date: str = "") -> str:
    """The stored form."""
    return f"{code}:{date}" if date else code


def skip_text(reason: str) -> Text:
    """What the stored form means; a code that this version does not know is quoted as it is."""
    code, _, date = reason.partition(":")
    if not is_known(code):
        return Text("other.words", words=reason)
    return Text(code, date=date) if date else Text(code)
