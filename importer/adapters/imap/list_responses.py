"""Parses the responses to LIST, LSUB and NAMESPACE into folders and their hierarchy.

Lines that violate the grammar are read by their evident meaning, as long as two folders never become one. A
line that names no folder is returned unchanged, for the report.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from importer.adapters.imap.utf7_names import FolderNames
from importer.adapters.imap.wire_events import LiteralData, WireEvent
from importer.adapters.imap.wire_values import Value, WireError
from importer.domain.mailbox_content import Folder, Hierarchy
from importer.domain.messages.message_body import Body
from providers.endpoint import FolderRole
from providers.frozen import frozen

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


@frozen
class Listed:
    """One line of LIST or LSUB; attributes in lower case."""

    name: str
    delimiter: str | None
    attributes: frozenset[str]

    @property
    def selectable(self) -> bool:
        return not self.attributes & _UNSELECTABLE


@frozen
class Namespaces:
    """NAMESPACE (RFC 2342): the hierarchy of the user's own folders, the prefixes of other users' and shared
    folders, and those of all the user's own namespaces."""

    personal: Hierarchy | None
    shared: tuple[str, ...] = ()
    own: tuple[str, ...] = ()

    def is_shared(self, name: str) -> bool:
        """Return whether the folder belongs to other users, or to all."""
        return name != "INBOX" and any(_within(name, prefix) for prefix in self.shared)


@frozen
class ListLines:
    """The lines of LIST or LSUB, in the server's order, each name once, and the lines that name no folder.

    `times` counts how often each name was listed.
    """

    listed: tuple[Listed, ...] = ()
    unreadable: tuple[str, ...] = ()
    times: tuple[int, ...] = ()


def read_list(events: Iterable[WireEvent], names: FolderNames, *, command: str = "LIST") -> ListLines:
    """Parse the lines of LIST or LSUB. A folder that is listed more than once has all attributes of its
    lines, except that one line is enough to make it selectable."""
    result: dict[str, Listed] = {}
    times: dict[str, int] = {}
    unreadable: dict[bytes, str] = {}
    for event in events:
        if not isinstance(event, LiteralData) or event.name != command:
            continue
        line = _read_line(event.text, event.literals)
        if line is None:
            head = _ATTRIBUTES.match(event.text)
            unreadable.setdefault(event.text[head.end() :] if head else event.text, _as_text(event.text))
            continue
        attributes, delimiter, raw = line
        name = names.decode(raw)
        listed = Listed(name, _text(delimiter), attributes)
        result[name] = _merged(result[name], listed) if name in result else listed
        times[name] = times.get(name, 0) + 1
    return ListLines(tuple(result.values()), tuple(unreadable.values()), tuple(times.values()))


def merged(first: Iterable[Listed], second: Iterable[Listed]) -> list[Listed]:
    """Return the folders of both, as `read_list` combines lines."""
    result = {listed.name: listed for listed in first}
    for listed in second:
        result[listed.name] = _merged(result[listed.name], listed) if listed.name in result else listed
    return list(result.values())


def _merged(first: Listed, second: Listed) -> Listed:
    attributes = first.attributes | second.attributes
    if not (first.attributes & _UNSELECTABLE and second.attributes & _UNSELECTABLE):
        attributes -= _UNSELECTABLE
    return replace(first, delimiter=first.delimiter or second.delimiter, attributes=attributes)


_UNSELECTABLE: Final = frozenset({"\\noselect", "\\nonexistent"})

_ATTRIBUTES = re.compile(rb"[ \t]*(?:\(([^()]*)\)[ \t]*|((?:\\[A-Za-z]+[ \t]+)+))")  # with parentheses or not
_DELIMITER = re.compile(
    rb'(?:NIL|""|"\\(.)"|"(.)"|([^\s"A-Za-z0-9]))(?:[ \t]+|\Z)', re.IGNORECASE | re.DOTALL
)
_QUOTED = re.compile(rb'"((?:[^"\\]|\\["\\])*)"(?: +\(.*\))?\Z', re.DOTALL)
_LITERAL = re.compile(rb"~?\{[0-9]{1,20}\+?\}\r\n")
# RFC 5258 section 3.5 and RFC 5465 after an unquoted name; anything else is a part of the name.
_EXTENDED_DATA = re.compile(rb' +\( *"?(?:CHILDINFO|OLDNAME)"? +\(.*\) *\)\Z', re.IGNORECASE | re.DOTALL)
_ESCAPED = re.compile(rb'\\(["\\])')


def _read_line(text: bytes, literals: Sequence[Body]) -> tuple[frozenset[str], bytes, bytes] | None:
    """Return attributes, delimiter and name of a line of LIST; None if it names no folder."""
    head = _ATTRIBUTES.match(text)
    words = (head[1] or head[2] or b"").decode("latin-1").lower().split() if head else []
    text = text[head.end() :] if head else text.lstrip(b" \t")
    delimiter = _DELIMITER.match(text)
    if delimiter is None:
        return None
    name = _name(text[delimiter.end() :], literals, escapes=delimiter[2] != b"\\")
    if name is None:
        return None
    return frozenset(words), delimiter[1] or delimiter[2] or delimiter[3] or b"", name


def _name(text: bytes, literals: Sequence[Body], *, escapes: bool) -> bytes | None:
    """Return the folder name at the end of a line. Names that should be quoted and are not extend to the end
    of the line. `escapes`: the server escapes characters in quoted strings."""
    if literals:
        literal = literals[0]
        return literal if _LITERAL.match(text) and isinstance(literal, bytes) else None
    stray = text.lstrip(b"*%")  # what no atom may contain (RFC 9051: list-wildcards)
    if stray.startswith(b'"') or stray.rstrip(b" ").upper() == b"INBOX":
        text = stray
    text = text.rstrip(b" ")
    if escapes and (quoted := _QUOTED.match(text)):
        return _ESCAPED.sub(rb"\1", quoted[1])
    if len(text) > 1 and text.startswith(b'"') and text.endswith(b'"'):
        return text[1:-1]
    if extended := _EXTENDED_DATA.search(text):
        text = text[: extended.start()]
    return text or None


def as_folders(listed: Iterable[Listed], namespaces: Namespaces, subscribed: frozenset[str]) -> list[Folder]:
    """Return the folders of the personal namespace. `subscribed` are those that LSUB lists; the attribute
    \\Subscribed counts as well. INBOX always exists, even if LIST contradicts that."""
    return [
        Folder(
            line.name,
            line.delimiter,
            role=_role(line),
            selectable=line.selectable or line.name == "INBOX",
            subscribed="\\subscribed" in line.attributes or line.name in subscribed,
        )
        for line in listed
        if line.name and not namespaces.is_shared(line.name)
    ]


def read_namespaces(events: Iterable[WireEvent], names: FolderNames) -> Namespaces:
    """Parse the response to NAMESPACE; one that cannot be parsed is ignored. A prefix that is announced as
    the user's own is not shared, even if it is announced as shared, too.
    """
    for event in events:
        if isinstance(event, LiteralData) and event.name == "NAMESPACE":
            try:
                personal, *others = (_prefixes(value, names) for value in event.values())
            except (WireError, ValueError):
                return Namespaces(None)
            own = tuple(namespace.prefix for namespace in personal)
            shared = tuple(
                _ended(namespace)
                for group in others
                for namespace in group
                if namespace.prefix and namespace.prefix not in own
            )
            return Namespaces(personal[0] if personal else None, shared, own)
    return Namespaces(None)


def without_listed_children(listed: Sequence[Listed]) -> list[Listed]:
    """Return the folders that have children according to their attributes (RFC 3348), but none is listed."""
    parents = {
        folder.name.rpartition(folder.delimiter)[0] for folder in listed if folder.delimiter is not None
    }
    return [
        folder
        for folder in listed
        if "\\haschildren" in folder.attributes and folder.delimiter and folder.name not in parents
    ]


def hierarchy_of(namespaces: Namespaces, listed: Sequence[Listed]) -> Hierarchy:
    """Return the hierarchy of NAMESPACE, unless LIST contradicts it: the user's folders have another
    delimiter, or none of them has the prefix. Then it is guessed from LIST."""
    told = namespaces.personal
    if told is None:
        return guess_hierarchy(listed)
    others = [prefix for prefix in (*namespaces.shared, *namespaces.own) if prefix and prefix != told.prefix]
    mine = [
        folder
        for folder in listed
        if folder.name != "INBOX" and not any(_within(folder.name, prefix) for prefix in others)
    ]
    delimiters = {folder.delimiter for folder in mine if folder.delimiter}
    prefixed = not mine or any(_within(folder.name, told.prefix) for folder in mine if told.prefix)
    if (told.prefix and not prefixed) or (delimiters and told.delimiter not in delimiters):
        return guess_hierarchy(listed)
    return told


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


def _ended(namespace: Hierarchy) -> str:
    """The prefix, ended by the delimiter if it ends in a word: “Public” is no part of “Publications”. Some
    prefixes have no delimiter (`~`, RFC 2342 section 6)."""
    prefix, delimiter = namespace.prefix, namespace.delimiter or ""
    return prefix + delimiter if prefix[-1].isalnum() else prefix


def _as_text(line: bytes) -> str:
    return line.decode("utf-8", "backslashreplace")


def _text(delimiter: bytes | None) -> str | None:
    return delimiter.decode("latin-1") if delimiter else None
