"""Changes the given flags of the given messages at the destination.

Invariant: only +FLAGS and -FLAGS are sent, never FLAGS, so that all other flags stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

from importer.adapters.imap import response_errors
from importer.adapters.imap.commands import line_safe, uid_pieces
from importer.adapters.imap.connection import Connection
from importer.adapters.imap.folder_cursor import FolderCursor
from importer.adapters.imap.response_errors import CommandRefused
from importer.compact.uid_set import UidSet
from importer.domain.mailbox_content import FolderRef

_MAX_UIDS = 500


def change_flags(
    cursor: FolderCursor,
    connection: Connection,
    folder: FolderRef,
    uids: UidSet,
    add: Sequence[str],
    remove: Sequence[str],
) -> bool:
    """Return True if the server made all changes. Safe to repeat. Raises FolderUnusable and FolderChanged."""
    if cursor.select_to_change(connection, folder).read_only:
        return False
    all_stored = True
    for piece in uid_pieces(uids, _MAX_UIDS):
        for sign, flags in ((b"+", add), (b"-", remove)):
            if flags:
                flag_list = line_safe(" ".join(flags).encode("latin-1"))
                command = b"UID STORE %s %sFLAGS.SILENT (%s)" % (str(piece).encode(), sign, flag_list)
                all_stored = _store(cursor, connection, command) and all_stored
    return all_stored


def _store(cursor: FolderCursor, connection: Connection, command: bytes) -> bool:
    try:
        connection.call(command)
    except CommandRefused as refused:
        reply = refused.reply
        error = (
            None
            if response_errors.beyond_a_limit(reply)
            else response_errors.account_error(reply, cursor.peer)
        )
        if error is not None:
            raise error from None
        return False
    return True
