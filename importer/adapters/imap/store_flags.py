"""Changing flags at the destination: just those that are named, of just those messages.

Invariants
- Only +FLAGS and -FLAGS are sent, never FLAGS: what else is set stays set.
- Nothing is ever stored at a source.
"""

from __future__ import annotations

from collections.abc import Sequence

from importer.adapters.imap import response_errors
from importer.adapters.imap.commands import line_safe, uid_pieces
from importer.adapters.imap.connection import Connection
from importer.adapters.imap.reconnecting import ReconnectingConnection
from importer.adapters.imap.response_errors import CommandRefused
from importer.compact.uid_set import UidSet
from importer.domain.model import FolderRef
from providers.errors import Side

_AT_ONCE = 500


def change_flags(
    link: ReconnectingConnection,
    connection: Connection,
    folder: FolderRef,
    uids: UidSet,
    add: Sequence[str],
    remove: Sequence[str],
) -> bool:
    """True when the server did all of it. May be repeated. Raises FolderUnusable and FolderChanged."""
    if link.peer.side is Side.SOURCE:
        raise ValueError("nothing is ever written to the source")
    opened = link.opened
    if opened is None or opened.folder != folder.name or opened.read_only:
        opened = link.open_folder(connection, folder.name, b"SELECT")
    link.check(folder, opened.uidvalidity)
    if opened.read_only:
        return False
    did_all = True
    for piece in uid_pieces(uids, _AT_ONCE):
        for sign, flags in ((b"+", add), (b"-", remove)):
            if flags:
                wanted = line_safe(" ".join(flags).encode("latin-1"))
                command = b"UID STORE %s %sFLAGS.SILENT (%s)" % (str(piece).encode(), sign, wanted)
                did_all = _stored(link, connection, command) and did_all
    return did_all


def _stored(link: ReconnectingConnection, connection: Connection, command: bytes) -> bool:
    try:
        connection.call(command)
    except CommandRefused as refused:
        reply = refused.reply
        trouble = (
            None if response_errors.beyond_a_limit(reply) else response_errors.account_error(reply, link.peer)
        )
        if trouble is not None:
            raise trouble from None
        return False
    return True
