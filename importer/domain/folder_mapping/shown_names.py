"""The displayed names of folders: without the prefix of their server, and without [Gmail]."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from importer.domain.folder_mapping.special_folders import role_by_name
from providers.endpoint import FolderRole

_GMAIL: Final = re.compile(r"\[(?:Gmail|Google Mail)\][./]", re.IGNORECASE)
_INBOX: Final = re.compile(r"INBOX([./])", re.IGNORECASE)

_GMAIL_NAMES: Final = {
    FolderRole.ALL: "All Mail, Alle Nachrichten, Tous les messages, Tutti i messaggi, Todos",
    FolderRole.FLAGGED: "Starred, Markiert, Suivis, Speciali, Destacados",
}
"""As Gmail calls them in five languages (support.google.com/mail/answer/77657, read 2026-11); below [Gmail]
only, since elsewhere they are names like any other."""

_GMAIL_ROLES: Final = {
    name.casefold(): role for role, names in _GMAIL_NAMES.items() for name in names.split(", ")
}


class ShownName(NamedTuple):
    """`name` without prefixes; `role` of a folder below [Gmail], whose name is translated."""

    name: str
    role: FolderRole | None = None


def shown_name(name: str) -> ShownName:
    """One folder by itself. `INBOX.` is the prefix of Courier, Cyrus and others (RFC 2342)."""
    return _shown(name, inbox_is_prefix="." in _separators([name]))


def shown_names(names: Iterable[str]) -> Mapping[str, ShownName]:
    """The folders of one mailbox. `INBOX/` is a prefix only if every folder has it. A folder whose displayed
    name would equal that of another one keeps its full name."""
    folders = list(dict.fromkeys(names))
    others = [name for name in folders if name.upper() != "INBOX"]
    separators = _separators(others)
    is_prefix = separators == {"."} or ("/" in separators and all(map(_INBOX.match, others)))
    shown = {name: _shown(name, inbox_is_prefix=is_prefix) for name in folders}
    count = Counter(shown.values())
    return {name: one if count[one] == 1 else ShownName(name) for name, one in shown.items()}


def _separators(names: Iterable[str]) -> set[str]:
    return {match[1] for name in names if (match := _INBOX.match(name))}


def _shown(name: str, *, inbox_is_prefix: bool) -> ShownName:
    if below_gmail := _GMAIL.match(name):
        own = name[below_gmail.end() :]
        return ShownName(own or name, role_by_name(own) or _GMAIL_ROLES.get(own.casefold()))
    if inbox_is_prefix and (below_inbox := _INBOX.match(name)):
        return ShownName(name[below_inbox.end() :] or name)
    return ShownName(name)
