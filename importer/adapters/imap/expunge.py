"""Taking back what was brought: exactly these messages, and folders that hold nothing.

Invariants
- What is expunged is named by UID: UID EXPUNGE (RFC 4315 section 2.1), never EXPUNGE, never CLOSE. Mail that
  somebody else marked as deleted stays as it is.
- A folder is removed only if it was empty a moment ago and its UIDVALIDITY is the one meant: DELETE would
  take its mail with it (RFC 9051 section 6.3.5).
"""

from __future__ import annotations

import contextlib

from importer.adapters.imap import folder_commands, response_errors
from importer.adapters.imap.commands import uid_pieces
from importer.adapters.imap.connection import Connection
from importer.adapters.imap.reconnecting import ReconnectingConnection
from importer.adapters.imap.response_errors import CommandRefused
from importer.compact.uid_set import UidSet
from importer.domain.model import FolderRef

_AT_ONCE = 500


def supports_uid_expunge(connection: Connection) -> bool:
    return connection.has("UIDPLUS")


def remove(
    link: ReconnectingConnection,
    connection: Connection,
    folder: FolderRef,
    uids: UidSet,
    unchanged_since: int,
) -> UidSet:
    """Removes the messages, and says which stay because they were changed after that modification sequence;
    0 is none. Raises FolderUnusable and FolderChanged; may be repeated."""
    if not supports_uid_expunge(connection):
        raise response_errors.folder_unusable(link.peer, folder.name, "cleared", "no UIDPLUS")
    opened = link.open_folder(connection, folder.name, b"SELECT")
    link.check(folder, opened.uidvalidity)
    if opened.read_only:
        raise response_errors.folder_unusable(link.peer, folder.name, "written to", "[READ-ONLY]")
    stays = UidSet()
    try:
        for piece in uid_pieces(uids, _AT_ONCE):
            changed = _mark(connection, piece, unchanged_since) & piece
            stays |= changed
            if marked := piece - changed:
                connection.call(b"UID EXPUNGE " + str(marked).encode())
    except CommandRefused as refused:
        raise response_errors.folder_error(refused.reply, link.peer, folder.name, "cleared") from None
    link.leave_folder(connection)
    return stays


def _mark(connection: Connection, uids: UidSet, unchanged_since: int) -> UidSet:
    """Marks the messages as deleted, but for those that were changed later, which it returns (RFC 7162
    section 3.1.3: told in an OK, or in a NO). Raises CommandRefused."""
    condition = b"(UNCHANGEDSINCE %d) " % unchanged_since if unchanged_since else b""
    try:
        reply = connection.call(
            b"UID STORE %s %s+FLAGS.SILENT (\\Deleted)" % (str(uids).encode(), condition)
        ).reply
    except CommandRefused as refused:
        if refused.reply.code != "MODIFIED":
            raise
        reply = refused.reply
    return UidSet.parse(reply.arguments) if reply.code == "MODIFIED" else UidSet()


def remove_folder(link: ReconnectingConnection, connection: Connection, folder: FolderRef) -> None:
    """Removes an empty folder and its subscription. Raises FolderUnusable and FolderChanged."""
    link.leave_folder(connection)
    if link.opened is not None:  # no UNSELECT; a server hangs up on whoever is in a folder that goes
        link.open_folder(connection, "INBOX", b"EXAMINE")
    there = folder_commands.status(link, connection, folder.name)
    link.check(folder, there.uidvalidity)
    delimiters = {one.name: one.delimiter for one in folder_commands.listing(link, connection).folders}
    inside = folder.name + (delimiters.get(folder.name) or "\0")
    if there.messages or any(name.startswith(inside) for name in delimiters):
        raise response_errors.folder_unusable(link.peer, folder.name, "removed", "it is not empty")
    folder_commands.folder_command(link, connection, b"DELETE", folder.name, what="removed")
    link.seen.pop(folder.name, None)
    with contextlib.suppress(CommandRefused):  # a server without subscriptions
        connection.call(b"UNSUBSCRIBE " + link.quoted(folder.name))
