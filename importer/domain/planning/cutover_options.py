"""The options of an import that follows its mailbox: the last day, and the mail exchangers to wait for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from typing import Final

from importer.domain.csv_import.csv_cells import Refused
from providers.frozen import frozen

_HOST: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9-]{1,63}(?<!-))+", re.ASCII)
_MOST_NAMES: Final = 20


@frozen
class FollowUntil:
    """The day at whose end (UTC) the last pass begins; None: no day was chosen."""

    day: date | None = None

    def __str__(self) -> str:
        return "no" if self.day is None else self.day.isoformat()


def read_follow_until(text: str) -> FollowUntil:
    """The value of a text that is not empty. Raises Refused."""
    if text.casefold() == "no":
        return FollowUntil()
    refused = Refused("follow_until_invalid")
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        raise refused
    try:
        return FollowUntil(date.fromisoformat(text))
    except ValueError:
        raise refused from None


@frozen
class MxNames:
    """Mail exchangers or suffixes of them, in lower case; none: those of the destination's provider."""

    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ", ".join(self.names) or "destination"


def read_mx_names(text: str) -> MxNames:
    """The value of a text that is not empty. Raises Refused."""
    if text.casefold() == "destination":
        return MxNames()
    names = tuple(name.strip().lower().rstrip(".") for name in text.split(","))
    if len(names) > _MOST_NAMES or not all(_HOST.fullmatch(name) and len(name) < 254 for name in names):
        raise Refused("cutover_mx_invalid")
    return MxNames(names)


def under(host: str, suffixes: Iterable[str]) -> bool:
    """Whether the host is one of the names or below one; case and a final dot make no difference."""
    name = host.lower().rstrip(".")
    return any(name == suffix or name.endswith(f".{suffix}") for suffix in suffixes)
