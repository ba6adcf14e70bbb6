"""LIST, LSUB and NAMESPACE: the folders of a mailbox.

Each function accepts the FolderCursor of a session and an idle Connection, and is safe to repeat. It raises
what `Connection.call` raises, WireError, and for folders FolderUnusable and FolderChanged.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from importer.adapters.imap import response_errors
from importer.adapters.imap.answers import Answer
from importer.adapters.imap.commands import quoted
from importer.adapters.imap.connection import MAX_PIPELINED, Connection
from importer.adapters.imap.folder_cursor import FolderCursor
from importer.adapters.imap.folder_status import (
    STATUS_QUERY,
    listed_statuses,
    pipelined_status,
    status_counter,
    status_query,
)
from importer.adapters.imap.list_responses import (
    Listed,
    ListLines,
    as_folders,
    hierarchy_of,
    merged,
    read_list,
    read_namespaces,
    without_listed_children,
)
from importer.adapters.imap.wire_events import Reply, WireEvent
from importer.domain.mailbox_content import Folder, FolderStatus, Hierarchy
from importer.domain.planning.server_limits import MAX_FOLDERS
from importer.ports.mailbox import FolderCount, uncounted
from providers.frozen import frozen

_MAX_LEVELS_ASKED: Final = 1000
"""Lists of one level each that are asked for folders which the list of all left out."""


@frozen
class Listing:
    """The folders of the personal namespace with their roles and subscriptions; INBOX is always among them
    (RFC 9051 section 5.1). `statuses` holds those that the server sent along with the list (LIST-STATUS).

    `shared` are the selectable folders of other users and of all users, `unreadable` the lines of LIST that
    name no folder, `refusal` the reply of a server that refuses LIST. `inbox_listed`: the server itself lists
    it, as a folder that can be opened. `names_nothing`: it lists no folder at all, in whatever way it is
    asked.
    """

    hierarchy: Hierarchy
    folders: tuple[Folder, ...]
    statuses: Mapping[str, FolderStatus]
    shared: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    refusal: Reply | None = None
    inbox_listed: bool = True
    names_nothing: bool = False


def list_folders(
    cursor: FolderCursor, connection: Connection, *, modseqs: bool = False, count: FolderCount = uncounted
) -> Listing:
    """Return all folders, the hierarchy and, if the server sends them along, the statuses; `modseqs` as for
    `statuses`.

    Commands are pipelined. A server may respond in another order (RFC 9051 section 5.5), so responses are
    recognised by their names. Servers are known that leave folders out of the extended LIST, so the plain one
    is sent along, and what either lists counts. Extensions that are refused are not used again.
    """
    if modseqs:
        cursor.unselect(connection)  # the status of the selected folder may be as old as its selection
    commands = {b"NAMESPACE": b"NAMESPACE"} if connection.has("NAMESPACE") else {}
    extended = connection.has("LIST-EXTENDED")
    if extended:
        # Cyrus returns special uses only on request (RFC 6154 section 2); most others always do.
        options = [b"SPECIAL-USE"] if connection.has("SPECIAL-USE") else []
        options.append(b"SUBSCRIBED")
        if connection.has("LIST-STATUS"):  # RFC 5819
            options.append(b"STATUS " + status_query(connection, modseqs))
        commands[b"LIST-EXTENDED"] = b'LIST "" "*" RETURN (%s)' % b" ".join(options)
    commands[b"LIST"] = b'LIST "" "*"'
    if not extended:
        commands[b"LSUB"] = b'LSUB "" "*"'
    answers = _call_all(cursor, connection, commands, status_counter(count))
    events = [event for answer in answers.values() for event in answer.events]
    lines = read_list(events, cursor.names)
    _check_number(cursor, len(lines.listed) + len(lines.unreadable))
    refused = {name for name, answer in answers.items() if answer.reply.status != "OK"}
    if b"NAMESPACE" in refused:
        connection.disable("NAMESPACE")
    if b"LIST-EXTENDED" in refused:
        connection.disable("LIST-EXTENDED", "LIST-STATUS")
    if extended and (refused or _disagree(lines)):
        answers |= _call_all(cursor, connection, {b"LSUB": b'LSUB "" "*"'})
        events += answers[b"LSUB"].events
    listed = list(lines.listed)
    namespaces = read_namespaces(events, cursor.names)
    listed = _with_unlisted(cursor, connection, listed, namespaces.own)
    subscriptions = read_list(events, cursor.names, command="LSUB").listed
    if b"LSUB" in answers and answers[b"LSUB"].reply.status != "OK":
        # A server without subscriptions shows all folders.
        subscribed = frozenset(folder.name for folder in listed)
    else:
        subscribed = frozenset(folder.name for folder in subscriptions)
    refusal = answers[b"LIST"].reply if not lines.listed and b"LIST" in refused else None
    if refusal is None:
        listed = merged(listed, _existing(cursor, connection, listed, subscriptions))
    _check_number(cursor, len(listed) + len(lines.unreadable))
    names_nothing = not listed and not lines.unreadable
    inbox_listed = any(folder.name == "INBOX" and folder.selectable for folder in listed)
    if not any(folder.name == "INBOX" for folder in listed):
        delimiter = next((folder.delimiter for folder in listed if folder.delimiter), None)
        listed.insert(0, Listed("INBOX", delimiter, frozenset()))
    return Listing(
        hierarchy_of(namespaces, listed),
        tuple(as_folders(listed, namespaces, subscribed)),
        listed_statuses(cursor, events),
        shared=tuple(line.name for line in listed if line.selectable and namespaces.is_shared(line.name)),
        unreadable=lines.unreadable,
        refusal=refusal,
        inbox_listed=inbox_listed,
        names_nothing=names_nothing,
    )


def _call_all(
    cursor: FolderCursor,
    connection: Connection,
    commands: Mapping[bytes, bytes],
    heard: Callable[[WireEvent], None] | None = None,
) -> dict[bytes, Answer]:
    """Run the commands, each under its own name. Raises the error of a refusal that concerns the account."""
    answers = dict(zip(commands, connection.call_all(list(commands.values()), heard), strict=True))
    for answer in answers.values():
        error = (
            None if answer.reply.status == "OK" else response_errors.account_error(answer.reply, cursor.peer)
        )
        if error is not None:
            raise error
    return answers


def _check_number(cursor: FolderCursor, folders: int) -> None:
    """Raise BeyondLimit if the mailbox has more than MAX_FOLDERS."""
    if folders > MAX_FOLDERS:
        raise response_errors.too_many_folders(cursor.peer)


def _disagree(lines: ListLines) -> bool:
    """Return whether a folder is in one of the two lists only."""
    return any(times < 2 for times in lines.times)


def _with_unlisted(
    cursor: FolderCursor, connection: Connection, listed: Sequence[Listed], prefixes: Sequence[str]
) -> list[Listed]:
    """Add folders that the list must have left out, asking level by level: children of a folder that has
    some, folders below a prefix of the user (at all levels), and everything if not even INBOX is listed."""
    folders, asked = list(listed), set[bytes]()
    names = [folder.name for folder in folders]
    patterns = [
        cursor.names.encode(prefix) + wildcard
        for prefix in prefixes
        if prefix and not any(name.startswith(prefix) for name in names)
        for wildcard in (b"%", b"*")
    ]
    if "INBOX" not in names:
        patterns.append(b"%")
    while len(asked) < _MAX_LEVELS_ASKED:
        for folder in without_listed_children(folders):
            with contextlib.suppress(UnicodeEncodeError):
                delimiter = (folder.delimiter or "").encode("latin-1")
                patterns.append(cursor.names.encode(folder.name) + delimiter + b"%")
        patterns = [pattern for pattern in dict.fromkeys(patterns) if pattern not in asked]
        if not patterns:
            break
        asked |= set(patterns)
        commands = {pattern: b'LIST "" ' + quoted(pattern) for pattern in patterns[:MAX_PIPELINED]}
        answers = _call_all(cursor, connection, commands)
        events = [event for answer in answers.values() for event in answer.events]
        folders = merged(folders, read_list(events, cursor.names).listed)
        _check_number(cursor, len(folders))
        patterns = patterns[MAX_PIPELINED:]
    return folders


def _existing(
    cursor: FolderCursor,
    connection: Connection,
    listed: Sequence[Listed],
    subscriptions: Sequence[Listed],
) -> list[Listed]:
    """Return the subscribed folders that LIST leaves out and that nevertheless exist."""
    known = {folder.name for folder in listed}
    missing = [folder for folder in subscriptions if folder.name not in known and folder.selectable]
    _check_number(cursor, len(missing))
    names, found = [folder.name for folder in missing], set[str]()
    for start in range(0, len(names), MAX_PIPELINED):
        found.update(pipelined_status(cursor, connection, names[start : start + MAX_PIPELINED], STATUS_QUERY))
    return [folder for folder in missing if folder.name in found]
