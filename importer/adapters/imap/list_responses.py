"""Folders and the hierarchy they live in: what LIST, LSUB and NAMESPACE answered, as facts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from importer.adapters.imap.utf7_names import FolderNames
from importer.adapters.imap.wire import LiteralData, Value, WireError, WireEvent
from importer.domain.model import Folder, Hierarchy
from providers.endpoint import FolderRole

_ROLES: Final = {
    "\\all": FolderRole.ALL,
    "\\archive": FolderRole.ARCHIVE,
    "\\drafts": FolderRole.DRAFTS,
    "\\flagged": FolderRole.FLAGGED,
    "\\junk": FolderRole.JUNK,
    "\\sent": FolderRole.SENT,
    "\\trash": FolderRole.TRASH,
    # As Gmail's XLIST had them, and some servers' LIST has to this day.
    "\\allmail": FolderRole.ALL,
    "\\spam": FolderRole.JUNK,
    "\\starred": FolderRole.FLAGGED,
}


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of LIST or LSUB; attributes in lower case."""

    name: str
    delimiter: str | None
    attributes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Namespaces:
    """NAMESPACE (RFC 2342): where the user's own folders are, and the prefixes of everybody else's."""

    personal: Hierarchy | None
    foreign: tuple[str, ...] = ()


def read_list(events: Iterable[WireEvent], names: FolderNames, *, command: str = "LIST") -> list[Listed]:
    """The lines of LIST or LSUB, in the server's order, each name once. Raises WireError."""
    found: dict[str, Listed] = {}
    for event in events:
        if not isinstance(event, LiteralData) or event.name != command:
            continue
        match event.values():
            case (tuple(attributes), None | bytes() as delimiter, None | bytes() as raw, *_):
                # An atom NIL in place of the name can only be a folder of that name.
                name = names.decode(b"NIL" if raw is None else raw)
                words = frozenset(a.decode("latin-1").lower() for a in attributes if isinstance(a, bytes))
                found.setdefault(name, Listed(name, _text(delimiter), words))
            case _:
                raise WireError(f"not an answer to {command}")
    return list(found.values())


def as_folders(
    listed: Iterable[Listed], namespaces: Namespaces, subscribed: frozenset[str] | None
) -> list[Folder]:
    """The folders of the personal namespace. `subscribed` None: the attribute \\Subscribed tells."""
    return [
        Folder(
            one.name,
            one.delimiter,
            role=_role(one),
            selectable=not one.attributes & {"\\noselect", "\\nonexistent"},
            subscribed="\\subscribed" in one.attributes if subscribed is None else one.name in subscribed,
        )
        for one in listed
        if one.name and not any(_within(one.name, prefix) for prefix in namespaces.foreign)
    ]


def read_namespaces(events: Iterable[WireEvent], names: FolderNames) -> Namespaces:
    """The answer to NAMESPACE. Raises WireError."""
    for event in events:
        if isinstance(event, LiteralData) and event.name == "NAMESPACE":
            personal, *others = (_prefixes(value, names) for value in event.values())
            foreign = tuple(one.prefix for group in others for one in group if one.prefix)
            return Namespaces(personal[0] if personal else None, foreign)
    return Namespaces(None)


def guess_hierarchy(listed: Iterable[Listed]) -> Hierarchy:
    """The hierarchy of a server without NAMESPACE: with everything below INBOX, that is the prefix."""
    folders = list(listed)
    delimiter = next((one.delimiter for one in folders if one.delimiter), None)
    others = [one.name for one in folders if one.name != "INBOX"]
    prefix = f"INBOX{delimiter or ''}"
    below_inbox = delimiter is not None and others and all(n.startswith(prefix) for n in others)
    return Hierarchy(prefix if below_inbox else "", delimiter)


def _prefixes(value: Value, names: FolderNames) -> list[Hierarchy]:
    found = []
    for entry in value if isinstance(value, tuple) else ():
        match entry:
            case (bytes(prefix), None | bytes() as delimiter, *_):
                found.append(Hierarchy(names.decode(prefix) if prefix else "", _text(delimiter)))
            case _:
                raise WireError("not an answer to NAMESPACE")
    return found


def _role(one: Listed) -> FolderRole | None:
    if one.name == "INBOX":
        return FolderRole.INBOX
    return next((role for attribute, role in _ROLES.items() if attribute in one.attributes), None)


def _within(name: str, prefix: str) -> bool:
    return name.startswith(prefix) or f"{name}{prefix[-1]}" == prefix


def _text(delimiter: bytes | None) -> str | None:
    return delimiter.decode("latin-1") if delimiter else None
