"""Which imports are listed, counted or acted on: one value for console, API and pages."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

from importer.domain.model import BatchId, State
from importer.domain.reporting.batch_overview import Standing
from providers.frozen import frozen


@frozen
class ImportFilter:
    """Conditions that all have to hold; an empty one excludes nothing. The case of ASCII letters makes no
    difference.

    `owner` is the exact PersonId of the batch's owner ("" for the console), for the view of one person. Of
    texts: `submitted_by` is a part of the batch's owner or submitter, or CONSOLE in full; `address` a part of
    one of the two addresses; `words` a part of one of the two addresses, one of the two hosts, the batch's
    name, owner or submitter, or the beginning of the import's id. `host` is the name of one of the two
    servers, `domain` the domain of one of the two addresses, both in full. `reason` is the public code of the
    problem why an import waits or has stopped. `created_before` and `created_after` bound the time of the
    submission, exclusively.
    """

    owner: str | None = None
    submitted_by: str = ""
    address: str = ""
    words: str = ""
    batch_id: BatchId | None = None
    beginning: str = ""  # of the id
    host: str = ""
    domain: str = ""
    states: tuple[State, ...] = ()
    standing: Standing | None = None
    reason: str = ""
    created_before: datetime | None = None
    created_after: datetime | None = None

    @property
    def is_by_console(self) -> bool:
        return self.submitted_by.lower() == CONSOLE


CONSOLE: Final = "console"
"""How the owner of a batch of the console is named in a filter; its batches have none."""

EVERY_IMPORT: Final = ImportFilter()

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}
_AGE: Final = re.compile(r"(\d{1,5})([mhd])", re.ASCII)


def age_of(text: str) -> timedelta:
    """A time span such as 30m, 12h or 3d. Raises ValueError."""
    match = _AGE.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
