"""Parses the responses to LIST, LSUB and NAMESPACE into folders and their hierarchy."""

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
    # From Gmail's XLIST; some servers still send them in LIST.
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
    """NAMESPACE (RFC 2342): the hierarchy of the user's own folders, and the prefixes of other users' and
    shared folders."""

    personal: Hierarchy | None
    foreign: tuple[str, ...] = ()


def read_list(events: Iterable[WireEvent], names: FolderNames, *, command: str = "LIST") -> list[Listed]:
    """Parse the lines of LIST or LSUB, in the server's order, each name once. Raises WireError."""
    result: dict[str, Listed] = {}
    for event in events:
        if not isinstance(event, LiteralData) or event.name != command:
            continue
        match event.values():
            case (tuple(attributes), None | bytes() as delimiter, None | bytes() as raw, *_):
                # An atom NIL in the position of the name is a folder named NIL.
                name = names.decode(b"NIL" if raw is None else raw)
                words = frozenset(a.decode("latin-1").lower() for a in attributes if isinstance(a, bytes))
                result.setdefault(name, Listed(name, _text(delimiter), words))
            case _:
                raise WireError(f"not a response to {command}")
    return list(result.values())


def as_folders(
    listed: Iterable[Listed], namespaces: Namespaces, subscribed: frozenset[str] | None
) -> list[Folder]:
    """Return the folders of the personal namespace. With `subscribed=None`, the attribute \\Subscribed
    decides."""
    return [
        Folder(
            line.name,
            line.delimiter,
            role=_role(line),
            selectable=not line.attributes & {"\\noselect", "\\nonexistent"},
            subscribed="\\subscribed" in line.attributes if subscribed is None else line.name in subscribed,
        )
        for line in listed
        if line.name and not any(_within(line.name, prefix) for prefix in namespaces.foreign)
    ]


def read_namespaces(events: Iterable[WireEvent], names: FolderNames) -> Namespaces:
    """Parse the response to NAMESPACE. Raises WireError."""
    for event in events:
        if isinstance(event, LiteralData) and event.name == "NAMESPACE":
            personal, *others = (_prefixes(value, names) for value in event.values())
            foreign = tuple(namespace.prefix for group in others for namespace in group if namespace.prefix)
            return Namespaces(personal[0] if personal else None, foreign)
    return Namespaces(None)


def guess_hierarchy(listed: Iterable[Listed]) -> Hierarchy:
    """Guess the hierarchy of a server without NAMESPACE: if all folders are below INBOX, INBOX is the
    prefix."""
    folders = list(listed)
    delimiter = next((folder.delimiter for folder in folders if folder.delimiter), None)
    others = [folder.name for folder in folders if folder.name != "INBOX"]
    prefix = f"INBOX{delimiter or ''}"
    below_inbox = delimiter is not None and others and all(name.startswith(prefix) for name in others)
    return Hierarchy(prefix if below_inbox else "", delimiter)


def _prefixes(value: Value, names: FolderNames) -> list[Hierarchy]:
    hierarchies = []
    for entry in value if isinstance(value, tuple) else ():
        match entry:
            case (bytes(prefix), None | bytes() as delimiter, *_):
                hierarchies.append(Hierarchy(names.decode(prefix) if prefix else "", _text(delimiter)))
            case _:
                raise WireError("not a response to NAMESPACE")
    return hierarchies


def _role(listed: Listed) -> FolderRole | None:
    if listed.name == "INBOX":
        return FolderRole.INBOX
    return next((role for attribute, role in _ROLES.items() if attribute in listed.attributes), None)


def _within(name: str, prefix: str) -> bool:
    return name.startswith(prefix) or f"{name}{prefix[-1]}" == prefix


def _text(delimiter: bytes | None) -> str | None:
    return delimiter.decode("latin-1") if delimiter else None
