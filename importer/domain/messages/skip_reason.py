"""Why messages are left out without being a failure."""

from __future__ import annotations

from datetime import date
from typing import Final, NamedTuple

from importer.codes.code_lookup import is_known
from providers.text import Text


class SkipReason(NamedTuple):
    """A code of `importer/codes`, and the date in its sentence, as YYYY-MM-DD; "" if it has none."""

    code: str
    date: str = ""

    def __str__(self) -> str:
        """The stored form: `before_date:2024-02-29`."""
        return f"{self.code}:{self.date}" if self.date else self.code

    @classmethod
    def read(cls, stored: str) -> SkipReason:
        """Inverse of `str`, of any text."""
        code, colon, date = stored.partition(":")
        return cls(code, date) if colon and date else cls(stored)

    @property
    def text(self) -> Text:
        """The reason as a text. An unknown code is quoted unchanged."""
        if not is_known(self.code):
            return Text("other.words", words=str(self))
        return Text(self.code, date=_day(self.date)) if self.date else Text(self.code)


def _day(stored: str) -> date | str:
    """A value that is not a day, which an edited store may hold, stays unchanged."""
    try:
        return date.fromisoformat(stored)
    except ValueError:
        return stored


OWN_NOTICE: Final = SkipReason("own_notice")
VANISHED: Final = SkipReason("vanished")
NOT_CHOSEN: Final = SkipReason("folder_left_out.not_chosen")
NOT_RETRIED: Final = SkipReason("not_retried")
SPAM_OR_TRASH: Final = SkipReason("folder_left_out.spam_or_trash")
