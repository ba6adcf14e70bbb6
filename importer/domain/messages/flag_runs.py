"""The flags that went with messages, remembered in few bytes, and whether somebody has changed them since.

Written as runs, one a line: how many messages in a row, then their flags. `97 \\Seen` and `3 \\Seen $Label1`
for a batch of 100. Flags are atoms (RFC 9051 section 9): no blank and no line break is in one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import groupby
from typing import Final

_SYSTEM: Final = frozenset({"\\seen", "\\answered", "\\flagged", "\\draft"})
_SAYS_NOTHING: Final = frozenset({"\\recent", "\\deleted"})
"""One is of sessions (RFC 3501 section 2.3.2); the other we set ourselves, or its owner wants it gone too."""


def fold_flags(flags: Iterable[Collection[str]]) -> str:
    """The flags of each message, in order, as text. Read back by `unfold_flags`."""
    runs = groupby(tuple(of_one) for of_one in flags)
    return "\n".join(" ".join((str(len(list(run))), *of_one)) for of_one, run in runs)


def unfold_flags(text: str) -> list[tuple[str, ...]]:
    """The flags of each message; nothing for what was written before flags were remembered."""
    found: list[tuple[str, ...]] = []
    for run in text.splitlines():
        number, *flags = run.split(" ")
        found += [tuple(flags)] * int(number)
    return found


def touched(sent: Collection[str], now: Collection[str]) -> bool:
    """Whether somebody changed the flags since the message went with `sent`. A keyword that is missing was
    not stored; one that came is somebody's."""
    then, there = ({flag.lower() for flag in flags} - _SAYS_NOTHING for flags in (sent, now))
    return then & _SYSTEM != there & _SYSTEM or bool(there - _SYSTEM - then)
