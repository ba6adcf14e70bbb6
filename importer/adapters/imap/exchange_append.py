"""Exchange and Exchange Online as the destination: works around flags that their APPEND ignores, and its
limits.

Sources: imapsync FAQ.Exchange and FAQ.Office365; RFC 3503 for read receipts. Exchange is recognised by its
greeting, by capabilities that it offers after login and no other server does (jstedfast/MailKit#791 and
#1494), or by offering exactly what its generations on premises do.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from typing import Final

from importer.adapters.imap import response_errors
from importer.adapters.imap.append import MAX_PIPELINED
from importer.adapters.imap.commands import uid_pieces
from importer.adapters.imap.connection import Connection
from importer.adapters.imap.reconnecting import ReconnectingConnection
from importer.adapters.imap.response_errors import CommandRefused
from importer.compact.uid_set import UidSet
from importer.domain.mailbox_content import AppendResult, FolderRef, Outgoing, Stored
from importer.domain.messages.message_identity import first_field, header_block
from importer.ports.mailbox_errors import FolderUnusable
from providers.errors import ConnectionLost, ProtocolViolation

_EXCHANGE_CAPABILITIES: Final = frozenset(
    {"CLIENTACCESSRULES", "CLIENTNETWORKPRESENCELOCATION", "BACKENDAUTHENTICATE"}
)
_GREETING = re.compile(r"Microsoft Exchange", re.I)
# Exchange 2003 to 2019 offers no more than this, apart from ways to log in.
_ON_PREMISES_ALWAYS: Final = frozenset({"IMAP4", "IMAP4REV1", "UIDPLUS", "CHILDREN", "NAMESPACE", "LITERAL+"})
_ON_PREMISES: Final = _ON_PREMISES_ALWAYS | {
    *("IDLE", "LOGIN-REFERRALS", "MAILBOX-REFERRALS", "STARTTLS", "LOGINDISABLED", "SASL-IR", "ID", "MOVE"),
    *("UNSELECT", "XPROXY3"),
}
_MAX_REFUSALS: Final = 10  # then Exchange closes the connection
_FLAGGED: Final = "\\Flagged"
_RECEIPT_SENT: Final = "$MDNSent"


def is_exchange(capabilities: frozenset[str], greeting: str = "") -> bool:
    """Return whether a server with this greeting and these capabilities after login is Exchange."""
    if _EXCHANGE_CAPABILITIES & capabilities or _GREETING.search(greeting):
        return True
    offered = {capability for capability in capabilities if not capability.startswith("AUTH=")}
    return _ON_PREMISES_ALWAYS <= offered <= _ON_PREMISES


def append(
    link: ReconnectingConnection, folder: FolderRef, mailbox: bytes, messages: Sequence[Outgoing]
) -> list[AppendResult]:
    """Implement `MailboxWriter.append` for Exchange, in batches.

    Between two batches, when no reply is outstanding, the connection is replaced before Exchange closes it
    over too many refusals. Otherwise the replies would be lost with the connection and the messages sent
    again.
    """
    sent = suppress_receipts(messages)
    results: list[AppendResult] = []
    while len(results) < len(sent):
        queue = link.append_queue()
        if queue is not None and queue.connection.refusals > _MAX_REFUSALS // 2:
            link.reconnect()
            queue = link.append_queue()
        if queue is None:
            raise response_errors.lost(link.peer)
        batch_size = min(MAX_PIPELINED, _MAX_REFUSALS - 1 - queue.connection.refusals)
        batch = sent[len(results) : len(results) + batch_size]
        results += queue.begin(folder, mailbox, batch, singly=True).results() or ()
    return set_flagged(link, link.current_connection(), folder, sent, results) if results else results


def suppress_receipts(messages: Sequence[Outgoing]) -> list[Outgoing]:
    """Return the messages to append. A message that was read at the source and requests a read receipt is
    marked $MDNSent (RFC 3503 section 3.3); without it Exchange sends another receipt on delivery."""
    return [
        message._replace(flags=(*message.flags, _RECEIPT_SENT)) if _would_send_receipt(message) else message
        for message in messages
    ]


def _would_send_receipt(message: Outgoing) -> bool:
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
    """Set \\Flagged with STORE, since APPEND ignores it. Return the results, with one more dropped flag if
    STORE failed; the messages are stored anyway, so no error is raised."""
    flagged = {
        result.uid
        for message, result in zip(messages, results, strict=True)
        if isinstance(result, Stored) and result.uid is not None and _FLAGGED in message.flags
    }
    if not flagged or _store_flagged(link, connection, folder, UidSet.of(flagged)):
        return list(results)
    return [
        result._replace(keywords_dropped=result.keywords_dropped + 1)
        if isinstance(result, Stored) and result.uid in flagged
        else result
        for result in results
    ]


def _store_flagged(
    link: ReconnectingConnection, connection: Connection, folder: FolderRef, uids: UidSet
) -> bool:
    with contextlib.suppress(CommandRefused, ConnectionLost, ProtocolViolation, FolderUnusable):
        selected = link.cursor.select(connection, folder.name)
        if selected.uidvalidity != folder.uidvalidity or selected.read_only:
            return False
        for piece in uid_pieces(uids, max_members=1000):
            connection.call(b"UID STORE %s +FLAGS.SILENT (\\Flagged)" % str(piece).encode())
        link.cursor.unselect(connection)  # a selected folder reports each append with an untagged response
        return True
    return False
