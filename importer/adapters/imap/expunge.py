"""Removes exactly the given messages, and empty folders, from a destination.

Invariants
- Messages are expunged by UID: UID EXPUNGE (RFC 4315 section 2.1), never EXPUNGE, never CLOSE. Mail that
  another client marked as deleted is left alone.
- A folder is removed only if a check directly before found it empty and with the expected UIDVALIDITY: DELETE
  removes the mail in it too (RFC 9051 section 6.3.5).
"""

from __future__ import annotations

import contextlib

from importer.adapters.imap import folder_commands, folder_list, folder_status, response_errors
from importer.adapters.imap.commands import uid_pieces
from importer.adapters.imap.connection import Connection
from importer.adapters.imap.folder_cursor import FolderCursor
from importer.adapters.imap.response_errors import CommandRefused
from importer.compact.uid_set import UidSet
from importer.domain.mailbox_content import FolderRef

_MAX_UIDS = 500


def supports_uid_expunge(connection: Connection) -> bool:
    return connection.has("UIDPLUS")


def remove(
    cursor: FolderCursor,
    connection: Connection,
    folder: FolderRef,
    uids: UidSet,
    unchanged_since: int,
) -> UidSet:
    """Remove the messages, except those whose flags changed after the modification sequence `unchanged_since`
    (0: no condition); return the exceptions. Safe to repeat. Raises FolderUnusable and FolderChanged."""
    if not supports_uid_expunge(connection):
        raise response_errors.folder_unusable(cursor.peer, folder.name, "cleared", "no UIDPLUS")
    if cursor.select_to_change(connection, folder, reopen=True).read_only:
        raise response_errors.folder_unusable(cursor.peer, folder.name, "written", "[READ-ONLY]")
    kept = UidSet()
    try:
        for piece in uid_pieces(uids, _MAX_UIDS):
            changed = _mark_deleted(connection, piece, unchanged_since) & piece
            kept |= changed
            if marked := piece - changed:
                connection.call(b"UID EXPUNGE " + str(marked).encode())
    except CommandRefused as refused:
        raise response_errors.folder_error(refused.reply, cursor.peer, folder.name, "cleared") from None
    cursor.unselect(connection)
    return kept


def _mark_deleted(connection: Connection, uids: UidSet, unchanged_since: int) -> UidSet:
    """Mark the messages as deleted, except those that changed later; return the exceptions (RFC 7162 section
    3.1.3: reported in an OK or in a NO). Raises CommandRefused."""
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


def remove_folder(cursor: FolderCursor, connection: Connection, folder: FolderRef) -> None:
    """Remove an empty folder and its subscription. Raises FolderUnusable and FolderChanged."""
    cursor.unselect(connection)
    if cursor.selected(connection) is not None:  # no UNSELECT
        cursor.examine_by_name(connection, "INBOX")  # servers close connections whose open folder is deleted
    status = folder_status.status(cursor, connection, folder.name)
    cursor.check_uidvalidity(folder, status.uidvalidity)
    delimiters = {
        listed.name: listed.delimiter for listed in folder_list.list_folders(cursor, connection).folders
    }
    child_prefix = folder.name + (delimiters.get(folder.name) or "\0")
    if status.messages or any(name.startswith(child_prefix) for name in delimiters):
        raise response_errors.folder_unusable(cursor.peer, folder.name, "removed", "it is not empty")
    folder_commands.folder_command(cursor, connection, b"DELETE", folder.name, what="removed")
    cursor.note_removed(folder.name)
    with contextlib.suppress(CommandRefused):  # a server without subscriptions
        connection.call(b"UNSUBSCRIBE " + cursor.quoted(folder.name))
