"""Alternatives to a folder name that the destination refuses, each more likely to be accepted than the one
before.

No name is tried before the one that is closer to the original. Two folders never share a changed name
(`folder_map.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import IntEnum
from typing import Final
from unicodedata import category, normalize

from importer.domain.mailbox_content import Hierarchy
from providers.frozen import frozen


class Resort(IntEnum):
    """The extent to which a name may be changed."""

    NONE = 0  # only what every server rejects
    CAREFUL = 1  # also characters that some servers reject, and dots
    PLAIN = 2  # ASCII letters, digits, blanks and hyphens only, and no word that file systems reserve
    UP = 3  # plain, beside its parent, whose name is part of it
    FLAT = 4  # plain, at the root, with the whole path as the name
    NUMBERED = 5  # "Folder"


_RESERVED: Final = frozenset(
    {"cur", "new", "tmp", "con", "prn", "aux", "nul", "maildir", "mailbox", "dbox-mails"}
)


def plain(component: str, substitute: str) -> str:
    """`component` in ASCII letters, digits, blanks, hyphens and underscores, never empty or reserved."""
    letters = normalize("NFKD", component)
    kept = "".join(
        c if c.isascii() and (c.isalnum() or c in " -_") else ("" if category(c) == "Mn" else substitute)
        for c in letters
    )
    name = " ".join(kept.split()).strip("-")
    if not any(c.isalnum() for c in name):
        return "Folder"
    return name + substitute if name.casefold() in _RESERVED else name


def hierarchy_below_inbox(
    announced: Hierarchy, wanted: Collection[str], refused: Collection[str]
) -> Hierarchy | None:
    """The hierarchy of a server that accepts folders below INBOX only, if that would explain why it refused
    every one of the `wanted` names that is not below INBOX. None if it would not, or if the server announced
    a prefix."""
    delimiter = announced.delimiter
    if announced.prefix or not delimiter:
        return None
    prefix = f"INBOX{delimiter}"
    beside = {name for name in wanted if not name.casefold().startswith(prefix.casefold())}
    return Hierarchy(prefix, delimiter) if beside and beside <= set(refused) else None


# --- What a CREATE made ------------------------------------------------------------------------------


@frozen
class Created:
    """The names under which wanted folders are listed, by wanted name; and the names to try otherwise."""

    actual: Mapping[str, str]
    missing: frozenset[str]


def created(
    wanted: Sequence[str],
    refused: Collection[str],
    before: Collection[str],
    now: Collection[str],
    others: Collection[str],
) -> Created:
    """Match the folders `wanted` with those that the server lists `now`, after it was told to create them.

    `refused` are those whose CREATE failed. `before`: the names listed earlier, `others`: the destinations of
    other folders. A server may create a folder under another name, or already have one that differs by case
    alone. A listed name serves one folder only. A folder whose CREATE succeeded and that is not listed, is
    not `missing` unless a folder of the others differs by case alone: perhaps the list is incomplete.
    """
    listed = set(now)
    actual = {name: name for name in wanted if name in listed}
    taken = set(actual.values()) | set(others)
    missing = set()
    unmatched = []
    for name in wanted:
        if name in actual:
            continue
        alike = [one for one in sorted(listed) if _folded(one) == _folded(name)]
        free = [one for one in alike if one not in taken]
        if len(free) == 1:
            actual[name] = free[0]
            taken.add(free[0])
        elif alike or name in refused:
            missing.add(name)
        else:
            unmatched.append(name)
    new = sorted(listed - set(before) - taken)
    if len(new) == 1 and len(unmatched) == 1:
        actual[unmatched.pop()] = new[0]
    for name in sorted(unmatched, key=len):  # perhaps the server shortens names
        shortened = max((one for one in new if one and name.startswith(one)), key=len, default=None)
        if shortened is not None:
            actual[name] = shortened
            new.remove(shortened)
            unmatched.remove(name)
    actual.update((name, name) for name in unmatched)
    return Created(actual, frozenset(missing))


def _folded(name: str) -> str:
    return normalize("NFC", normalize("NFC", name).casefold())
