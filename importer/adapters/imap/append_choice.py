"""Chooses how the messages of a session are appended: into the folder that is open or after leaving it, in
the form for Exchange or for all others. The forms are in `append.py` and `exchange_append.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from importer.adapters.imap import exchange_append, folder_status, response_errors
from importer.adapters.imap.append import into_open_folder
from importer.adapters.imap.append_uids import confirm_uidvalidity
from importer.adapters.imap.connection import Connection
from importer.adapters.imap.folder_cursor import FolderCursor
from importer.adapters.imap.reconnecting import ReconnectingConnection
from importer.domain.mailbox_content import AppendResult, FolderRef, FolderStatus, Outgoing
from providers.errors import ProtocolViolation


def begin_append(
    link: ReconnectingConnection,
    folder: FolderRef,
    messages: Sequence[Outgoing],
    status: Callable[[str], FolderStatus],
    *,
    singly: bool,
) -> Callable[[], Sequence[AppendResult] | None]:
    """Send the messages and return a function that waits for the outcome, as `MailboxWriter.begin_append`
    does. With `singly`, each message has a command of its own, and the function never returns None. `status`
    asks for the status of a folder, over a new connection if need be."""
    mailbox = link.cursor.quoted(folder.name)
    queue = link.append_queue()
    if queue is None:
        raise response_errors.lost(link.peer)
    is_open = link.cursor.selected(queue.connection) is not None
    if is_open and not into_open_folder(queue.connection.capabilities):
        link.leave(folder.name)
        queue = link.append_queue() or queue
    with _outcome_unknown(link):
        if queue.connection.should_compress:
            queue.await_all()
        known = link.cursor.uidvalidity(folder.name)
        if known is None:
            queue.await_all()
            known = folder_status.status(link.cursor, queue.connection, folder.name).uidvalidity
        link.cursor.check_uidvalidity(folder, known)
        if is_exchange(link.cursor, queue.connection):
            exchange_results = exchange_append.append(link, folder, mailbox, messages)
            return lambda: exchange_results
        append = queue.begin(folder, mailbox, messages, singly=singly)

    def results() -> Sequence[AppendResult] | None:
        with _outcome_unknown(link):
            stored = append.results()
            if append.other_uidvalidity and link.trusts_append_uids:
                confirm_uidvalidity(link, folder, status)
            return stored

    return results


def is_exchange(_cursor: FolderCursor, connection: Connection) -> bool:
    return exchange_append.is_exchange(connection.capabilities, connection.greeting)


@contextmanager
def _outcome_unknown(link: ReconnectingConnection) -> Iterator[None]:
    """Raise ConnectionLost for a ProtocolViolation: after an invalid reply the outcome of an append is
    unknown."""
    try:
        yield
    except ProtocolViolation as violation:
        raise response_errors.lost(link.peer, violation.server_text) from violation
