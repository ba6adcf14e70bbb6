"""The order in which folders are displayed: INBOX, the special ones, then by name."""

from __future__ import annotations

import re
from typing import Final
from unicodedata import normalize

from importer.domain.folder_mapping.special_folders import role_by_name
from providers.endpoint import FolderRole

_ROLES: Final = (
    FolderRole.DRAFTS,
    FolderRole.SENT,
    FolderRole.ARCHIVE,
    FolderRole.JUNK,
    FolderRole.TRASH,
)
_PREFIX: Final = re.compile(r"(?:INBOX|\[(?:Gmail|Google Mail)\])[./]", re.IGNORECASE)
_NUMBER: Final = re.compile(r"([0-9]{1,18})")


def folder_order(name: str) -> tuple[int, tuple[tuple[int, str], ...], str]:
    """A sort key for a folder's full name, whatever its separator. Numbers in names sort by value."""
    if name.upper() == "INBOX":
        return 0, (), ""
    role = role_by_name(_PREFIX.sub("", name, count=1))
    rank = 1 + (_ROLES.index(role) if role in _ROLES else len(_ROLES))
    folded = normalize("NFKD", name.casefold())
    parts = enumerate(_NUMBER.split(folded))
    return rank, tuple((int(part), "") if i % 2 else (0, part) for i, part in parts), name
