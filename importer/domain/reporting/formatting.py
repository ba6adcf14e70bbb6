"""Formatting of instants and foreign text for people, whatever their language.

Foreign text (subjects, folder names, server responses) is untrusted: pass it through `printable` before it is
shown in a mail or on a terminal.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from typing import Final, Protocol

_JOINERS: Final = frozenset("\u200c\u200d")  # ZWNJ and ZWJ: Persian words and family emoji need them
_NO_BREAK: Final = frozenset("\u00a0\u202f")  # between numbers and units, and before French punctuation
_AFTER_LINK: Final = ".,:;)“”„«»"
_RUN: Final = re.compile(r"\s{2,}")
# A host name, with the scheme before it and the path behind it.
_LINK: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]{1,20}://|mailto:|tel:)?"
    r"(?P<host>(?:[\w-]{1,63}\.)+[^\W\d_]{2,24})\b(?P<path>(?::\d+)?/\S*)?",
    re.IGNORECASE,
)


class Translator(Protocol):
    """A language for texts: an English text is looked up in its catalog, then its placeholders are filled in.
    `%(num)s` is the number, `%(product)s` the `product`."""

    language: str
    product: str

    def gettext(self, message: str, **values: object) -> str: ...
    def ngettext(self, singular: str, plural: str, number: int, **values: object) -> str: ...
    def number(self, number: int) -> str: ...
    def moment(self, instant: datetime) -> str: ...
    def instant(self, instant: datetime) -> str: ...
    def day(self, day: date) -> str: ...
    def span(self, span: timedelta) -> str: ...
    def typeset(self, text: str) -> str: ...
    def size(self, size_bytes: int) -> str: ...


def spoken_instant(instant: datetime) -> str:
    """`2026-03-01 14:30 UTC`."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def printable(text: str, max_chars: int = 200) -> str:
    """Foreign text as one safe line of at most `max_chars` characters.

    Each run of line breaks and blanks becomes a single blank; a single no-break space stays. Control and
    format characters (terminal escapes, bidirectional overrides, zero-width marks; Unicode categories Cc and
    Cf) are removed, except the two joiners. Lone surrogates, which no encoding can represent, become U+FFFD.
    A cut is marked with an ellipsis.
    """
    chars = []
    for char in text[: 8 * max_chars]:  # a subject of a megabyte need not be processed completely
        category = unicodedata.category(char)
        if char.isspace():
            chars.append(char if char in _NO_BREAK else " ")
        elif category == "Cs":
            chars.append("\ufffd")
        elif category not in ("Cc", "Cf") or char in _JOINERS:
            chars.append(char)
    line = _RUN.sub(" ", "".join(chars)).strip()
    return line if len(line) <= max_chars else line[: max_chars - 1].rstrip() + "…"


def hosts_in(text: str) -> frozenset[str]:
    """The host names in a text, in lower case."""
    return frozenset(found["host"].lower() for found in _LINK.finditer(text))


def unlinked(text: str, known: Collection[str] = (), pages: Collection[str] = ()) -> str:
    """Foreign text in which no mail program finds a link: `https://evil.example/x` becomes `evil[.]example`,
    and `http://192.0.2.1/x`, which has no domain, `http[:]//192.0.2.1/x`.

    Hosts and domains in `known`, in lower case, stay, and so do the addresses in `pages`.
    """

    def broken(match: re.Match[str]) -> str:
        if match[0].rstrip(_AFTER_LINK) in pages:
            return match[0]
        host = match["host"].lower()
        stays = not match["scheme"] and not match["path"]
        return match["host"] if stays and host in known else match["host"].replace(".", "[.]")

    pieces, end = [], 0
    for match in _LINK.finditer(text):
        pieces += [text[end : match.start()].replace("://", "[:]//"), broken(match)]
        end = match.end()
    return "".join((*pieces, text[end:].replace("://", "[:]//")))
