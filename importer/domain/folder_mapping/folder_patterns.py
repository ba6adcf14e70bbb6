"""Folder patterns: how users write which folders of the old mailbox are copied.

Patterns are separated by commas, such as `INBOX, Work/*, !Work/Old`. A folder is copied if it matches a
pattern without `!`, or if there is none, and no pattern with `!`; their order has no effect. A name matches
that folder alone; `*` matches any characters, `/` included. A name in quote marks is taken literally, with
each quote mark inside it written twice. `all` stands for every folder.

Names are compared as people see them: decoded, with `/` between levels whatever the server's delimiter is,
without the prefix of the personal namespace. The name that the server lists matches as well. Upper and lower
case differ, except in INBOX (RFC 9051 section 5.1).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from importer.domain.csv_import.csv_cells import Refused, check_characters
from providers.frozen import frozen

EVERY_FOLDER: Final = "all"
HIDDEN: Final = "?"
"""Stands in for patterns that are not repeated (`csv_files.annotate`). It is refused."""

MAX_CHARS: Final = 2000

_ITEM: Final = re.compile(r'\s*(!?)\s*(?:"((?:[^"]|"")*)"|([^",]*?))\s*(?:,|$)')


@frozen
class FolderPattern:
    """One pattern without its `!`. `literal`: it was written in quote marks, and `*` stands for itself."""

    name: str
    literal: bool = False

    def matches(self, names: Iterable[str]) -> bool:
        """Whether one of the names of a folder matches."""
        parts = [self.name] if self.literal else self.name.split("*")
        pattern = re.compile(".*".join(re.escape(_comparable(part)) for part in parts), re.DOTALL)
        return any(pattern.fullmatch(_comparable(name)) for name in names)

    def __str__(self) -> str:
        return '"{}"'.format(self.name.replace('"', '""')) if self.literal else self.name


@frozen
class FolderPatterns:
    """The folders that are copied: by default all."""

    included: tuple[FolderPattern, ...] = ()
    excluded: tuple[FolderPattern, ...] = ()

    def select(self, names: Collection[str]) -> bool:
        """Whether a folder with these names is copied."""
        included = not self.included or any(pattern.matches(names) for pattern in self.included)
        return included and not any(pattern.matches(names) for pattern in self.excluded)

    def unmatched(self, folders: Collection[Collection[str]]) -> tuple[str, ...]:
        """The patterns that match none of the folders: probably misspelt."""
        return tuple(
            str(pattern)
            for pattern in (*self.included, *self.excluded)
            if not any(pattern.matches(names) for names in folders)
        )

    def __str__(self) -> str:
        included = [str(pattern) for pattern in self.included]
        return ", ".join((*included, *(f"!{pattern}" for pattern in self.excluded))) or EVERY_FOLDER


def read_patterns(text: str) -> FolderPatterns:
    """The patterns of a text that is not empty. Raises Refused, which names a pattern by its number: the text
    may be a password in the wrong column."""
    check_characters(text, MAX_CHARS)
    included: list[FolderPattern] = []
    excluded: list[FolderPattern] = []
    everything = False
    for exclude, pattern in _items(text):
        if not exclude and pattern == FolderPattern(EVERY_FOLDER):
            everything = True
        else:
            (excluded if exclude else included).append(pattern)
    return FolderPatterns(() if everything else tuple(included), tuple(excluded))


def _items(text: str) -> Iterator[tuple[bool, FolderPattern]]:
    """(whether it excludes, pattern) of each item."""
    position, number = 0, 0
    while position < len(text):
        number += 1
        match = _ITEM.match(text, position)
        if match is None:
            raise Refused("folder_pattern_quotes", pattern=str(number))
        exclude, quoted, plain = match.groups()
        name = plain if quoted is None else quoted.replace('""', '"')
        if not name or name == HIDDEN:
            raise Refused("folder_pattern_empty", pattern=str(number))
        if quoted is None and (name.startswith("/") or name.endswith("/")):
            raise Refused("folder_pattern_slash", pattern=str(number))
        word = name.casefold() == EVERY_FOLDER and quoted is None
        yield bool(exclude), FolderPattern(EVERY_FOLDER if word else name, literal=quoted is not None)
        position = match.end()


def _comparable(name: str) -> str:
    """The name in one Unicode form, with INBOX in capitals where it is the first level."""
    first, slash, rest = unicodedata.normalize("NFC", name).partition("/")
    return f"{first.upper() if first.upper() == 'INBOX' else first}{slash}{rest}"
