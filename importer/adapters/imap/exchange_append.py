"""Exchange and Exchange Online as the destination: what it does not take along with an APPEND.

Sources: imapsync FAQ.Exchange and FAQ.Office365; RFC 3503 for read receipts. It is told by what it offers
after login, which no other server does (jstedfast/MailKit#791 and #1494).
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from importer.adapters.imap import response_errors
from importer.adapters.imap.append import IN_FLIGHT
from importer.adapters.imap.commands import uid_pieces
from importer.adapters.imap.connection import Connection
from importer.adapters.imap.reconnecting import ReconnectingConnection
from importer.adapters.imap.response_errors import CommandRefused
from importer.compact.uid_set import UidSet
from importer.domain.messages.message_identity import first_field, header_block
from importer.domain.model import AppendResult, FolderRef, Outgoing, Stored
from providers.errors import ConnectionLost, FolderUnusable, ProtocolViolation

_OFFERS: Final = frozenset({"CLIENTACCESSRULES", "CLIENTNETWORKPRESENCELOCATION", "BACKENDAUTHENTICATE"})
_REFUSALS_UNTIL_CLOSED: Final = 10
_FLAGGED: Final = "\\Flagged"
_RECEIPT_SENT: Final = "$MDNSent"


def is_exchange(capabilities: frozenset[str]) -> bool:
    """Whether a server that offers this after login is one."""
    return bool(_OFFERS & capabilities)


def append(
    link: ReconnectingConnection, folder: FolderRef, mailbox: bytes, messages: Sequence[Outgoing]
) -> list[AppendResult]:
    """`MailboxSession.append`, in portions; between two of them, when every answer is there, the connection
    is changed for a new one before Exchange closes it over too many refusals: what is known of the messages
    would be lost with it, and the same ones be sent again."""
    sent = without_receipts(messages)
    results: list[AppendResult] = []
    while len(results) < len(sent):
        appends = link.appends()
        if appends is not None and appends.connection.refusals > _REFUSALS_UNTIL_CLOSED // 2:
            link.renew()
            appends = link.appends()
        if appends is None:
            raise response_errors.lost(link.peer, "the connection was lost before this append")
        room = min(IN_FLIGHT, _REFUSALS_UNTIL_CLOSED - 1 - appends.connection.refusals)
        portion = sent[len(results) : len(results) + room]
        results += appends.begin(folder, mailbox, portion).results() or []
    return set_flagged(link, link.current(), folder, sent, results) if results else results


def without_receipts(messages: Sequence[Outgoing]) -> list[Outgoing]:
    """The messages to be appended. One that was read at the old host and asks for a read receipt is marked
    as having had it (RFC 3503 section 3.3), or Exchange sends another when it comes in."""
    return [
        message._replace(flags=(*message.flags, _RECEIPT_SENT)) if _asks_again(message) else message
        for message in messages
    ]


def _asks_again(message: Outgoing) -> bool:
    if "\\Seen" not in message.flags or _RECEIPT_SENT.lower() in map(str.lower, message.flags):
        return False
    return bool(first_field(header_block(message.body), b"Disposition-Notification-To"))


def set_flagged(
    link: ReconnectingConnection,
    connection: Connection,
    folder: FolderRef,
    messages: Sequence[Outgoing],
    results: Sequence[AppendResult],
) -> list[AppendResult]:
    """\\Flagged, which APPEND ignores and STORE sets. The results, with a flag more dropped where that did
    not work: the messages are stored all the same, so nothing is raised."""
    flagged = {
        result.uid
        for message, result in zip(messages, results, strict=True)
        if isinstance(result, Stored) and result.uid is not None and _FLAGGED in message.flags
    }
    if not flagged or _stored(link, connection, folder, UidSet.of(flagged)):
        return list(results)
    return [
        replace(result, keywords_dropped=result.keywords_dropped + 1)
        if isinstance(result, Stored) and result.uid in flagged
        else result
        for result in results
    ]


def _stored(link: ReconnectingConnection, connection: Connection, folder: FolderRef, uids: UidSet) -> bool:
    with contextlib.suppress(CommandRefused, ConnectionLost, ProtocolViolation, FolderUnusable):
        opened = link.open_folder(connection, folder.name, b"SELECT")
        if opened.uidvalidity != folder.uidvalidity or opened.read_only:
            return False
        for piece in uid_pieces(uids, max_members=1000):
            connection.call(b"UID STORE %s +FLAGS.SILENT (\\Flagged)" % str(piece).encode())
        link.leave_folder(connection)  # appends into an open folder are told of one by one
        return True
    return False
