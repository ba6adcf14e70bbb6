"""Numbers, spans, sizes and foreign text as a reader should see them. English.

Foreign text (subjects, folder names, what a server said) is written by strangers: whatever shows it to
a person, in a mail or on a terminal, passes it through `printable` first.
"""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

_JOINERS: Final = frozenset("\u200c\u200d")  # ZWNJ and ZWJ: Persian words and family emoji need them
_UNITS: Final = ("kB", "MB", "GB", "TB")


class Translator(Protocol):
    """A language: sentences are written in English, looked up, and filled in. `%(num)s` is the number."""

    def gettext(self, message: str, **values: object) -> str: ...
    def ngettext(self, singular: str, plural: str, number: int, **values: object) -> str: ...
    def number(self, number: int) -> str: ...
    def moment(self, instant: datetime) -> str: ...


class English:
    """As the sentences are written."""

    def gettext(self, message: str, **values: object) -> str:
        return message % values if values else message

    def ngettext(self, singular: str, plural: str, number: int, **values: object) -> str:
        return (singular if number == 1 else plural) % {"num": self.number(number), **values}

    def number(self, number: int) -> str:
        return f"{number:,}"

    def moment(self, instant: datetime) -> str:
        return spoken_instant(instant)


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 message`, `4,211 messages`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def spoken_bytes(size_bytes: int) -> str:
    """`912 bytes`, `48 kB`, `93.2 MB`: decimal units, as mail programs and disks count."""
    if size_bytes < 1000:
        return counted(size_bytes, "byte")
    size: float = size_bytes
    for unit in _UNITS:
        size /= 1000
        if size < 999.5 or unit == _UNITS[-1]:
            return f"{size:,.1f} {unit}" if size < 99.95 and unit != "kB" else f"{size:,.0f} {unit}"
    raise AssertionError("the loop ends with the last unit")


def spoken_span(span: timedelta) -> str:
    """`less than a second`, `58 seconds`, `3 minutes 12 seconds`, `2 hours 5 minutes`, `1 day 4 hours`."""
    seconds = int(span.total_seconds())
    if seconds < 1:
        return "less than a second"
    days, seconds = divmod(seconds, 86_400)
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    parts = [(days, "day"), (hours, "hour"), (minutes, "minute"), (seconds, "second")]
    first = next(at for at, (number, _) in enumerate(parts) if number)
    return " ".join(counted(number, noun) for number, noun in parts[first : first + 2] if number)


def spoken_instant(instant: datetime) -> str:
    """`2026-03-01 14:30 UTC`."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def printable(text: str, max_chars: int = 200) -> str:
    """Foreign text as one harmless line of at most `max_chars` characters.

    Line breaks and blanks become single blanks; control and format characters (terminal escapes,
    bidirectional overrides, zero-width marks; Unicode categories Cc and Cf) go, except the two joiners;
    lone surrogates, which no encoding can write, become U+FFFD. A cut is marked with an ellipsis.
    """
    kept = []
    for char in text[: 8 * max_chars]:  # no need to walk through a megabyte of subject
        category = unicodedata.category(char)
        if char.isspace():
            kept.append(" ")
        elif category == "Cs":
            kept.append("\ufffd")
        elif category not in ("Cc", "Cf") or char in _JOINERS:
            kept.append(char)
    line = " ".join("".join(kept).split())
    return line if len(line) <= max_chars else line[: max_chars - 1].rstrip() + "…"
