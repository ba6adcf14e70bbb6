"""A session's link to its server: one connection at a time, reopened when a read needs it."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from importer.adapters.imap import response_errors
from importer.adapters.imap.append import AppendQueue
from importer.adapters.imap.connection import Connection
from importer.adapters.imap.folder_cursor import FolderCursor
from importer.adapters.imap.login_limiter import LoginLimiter
from importer.adapters.imap.response_errors import Peer
from importer.adapters.imap.utf7_names import FolderNames
from importer.adapters.imap.wire_values import WireError
from importer.domain.mailbox_content import FolderRef
from importer.domain.planning.retry_limits import MAX_READ_ATTEMPTS, MAX_SILENT_CONNECTIONS
from importer.domain.reporting.server_alerts import MAX_IMPORT_ALERTS
from importer.ports.work_limit import WorkLimit
from providers.errors import (
    BeyondLimit,
    ConnectionLost,
    ErrorScope,
    MailError,
    ProtocolViolation,
    ServerTooSlow,
)

T = TypeVar("T")


def pause(consecutive_losses: int) -> None:
    """Back off before reconnecting: a quarter of a second at first, then about a second each time."""
    time.sleep(random.uniform(0.05, 0.1) * 4 ** min(consecutive_losses, 2))  # noqa: S311  # jitter is no secret


class ReconnectingConnection:
    """Holds the connection of a session. `drop` it after any failure; the next read opens another."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        names: FolderNames,
        logins: LoginLimiter | None = None,
        limit: WorkLimit | None = None,
    ) -> None:
        """Connect and log in. `logins` is shared by the connections of an account. Once `limit` has ended,
        every method that needs a connection raises WorkEnded."""
        self._logins = logins or LoginLimiter()
        self._limit = limit or WorkLimit()
        self._logins.count()
        self._open = connect
        self._fence: Callable[[], None] | None = None
        self._connection: Connection | None = connect()
        self._append_queue: AppendQueue | None = None
        self._closed = False
        self.peer: Peer = self._connection.peer
        self.alerts = self._connection.alerts  # of the last connection
        self.fallbacks = self._connection.fallbacks  # likewise
        self._earlier_alerts: tuple[str, ...] = ()
        self.cursor = FolderCursor(self.peer, names)
        self.progress = False  # the current connection brought messages
        # Further connections that may answer nothing after the login; None once a read has succeeded.
        self._silent_left: int | None = MAX_SILENT_CONNECTIONS
        self.trusts_append_uids = True  # until an APPENDUID (RFC 4315) proves to be invalid
        # (folder, items of a query) -> words: the server's responses to this query are invalid
        self.unreadable: dict[tuple[FolderRef, bytes], str] = {}

    def connection(self) -> Connection:
        """Return an idle connection; reconnect if the last one was lost or has unread responses.

        Outstanding appends are completed first."""
        if self._append_queue is not None:
            self._append_queue.await_all()
        if self._connection is not None and self._connection.idle:
            return self._connection
        self.drop()
        if self._closed:
            raise response_errors.lost(self.peer)
        self._limit.check_begin()
        self._logins.wait(self._limit.sleep, progress=self.progress)
        self.progress = False
        self._earlier_alerts = self.heard()
        self._connection = self._connect()
        self.alerts, self.fallbacks = self._connection.alerts, self._connection.fallbacks
        return self._connection

    def heard(self) -> tuple[str, ...]:
        """The alerts of all connections so far, each once, at most MAX_IMPORT_ALERTS. From any thread."""
        alerts = (*self._earlier_alerts, *map(response_errors.printable, self.alerts))
        return tuple(dict.fromkeys(alerts))[:MAX_IMPORT_ALERTS]

    def _connect(self) -> Connection:
        if self._fence is None:
            return self._open()
        self._fence()
        connection = self._open()
        connection.fence(self._fence)
        return connection

    def fence(self, check: Callable[[], None]) -> None:
        """Call `check` before each piece of bytes is sent, on this connection and on later ones."""
        self._fence = check
        if self._connection is not None:
            self._connection.fence(check)

    def cut_off(self) -> None:
        """Shut down the current connection from another thread, once the fence raises."""
        if (connection := self._connection) is not None:
            connection.cut_off()

    def current_connection(self) -> Connection:
        """Return the connection on which a command was started, to await its reply. Raises ConnectionLost."""
        if self._connection is None:
            raise response_errors.lost(self.peer)
        return self._connection

    def append_queue(self) -> AppendQueue | None:
        """Return the queue for appends, or None if the connection cannot accept any. Never reconnects."""
        connection = self._connection
        if connection is None or not connection.usable:
            return None
        if self._append_queue is None or self._append_queue.connection is not connection:
            self._append_queue = AppendQueue(connection)
        return self._append_queue if connection.idle or self._append_queue.pending else None

    def drop(self) -> None:
        if self._connection is not None:
            self._connection.drop()
        self._connection = None
        self.cursor.forget()

    def reconnect(self) -> None:
        """Replace the connection with a new one, once outstanding appends are complete. Raises what
        connecting raises."""
        if self._append_queue is not None:
            self._append_queue.await_all()
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self.connection()

    def close(self) -> None:
        self._closed = True
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    @property
    def _is_silent(self) -> bool:
        """Whether the server answers nothing after the login: each further attempt costs a timeout."""
        return self._silent_left is not None and self._silent_left <= 0

    def retry_read(self, operation: Callable[[Connection], T], *, attempts: int = MAX_READ_ATTEMPTS) -> T:
        """Run an operation that is safe to repeat; if the connection is lost, repeat it on a new one."""
        if self._is_silent:
            raise response_errors.silent(self.peer)
        losses = 0
        violations = Counter[str]()
        while True:
            try:
                connection = self.connection()
                result = operation(connection)
            except ServerTooSlow:
                self.drop()
                raise
            except (ConnectionLost, ProtocolViolation) as caught:
                error: MailError = caught
            except WireError as caught:
                error = response_errors.violation(self.peer, str(caught))
            else:
                if connection.received_bytes:  # some operations only read what the login returned
                    self._silent_left = None
                return result
            self.drop()
            losses += 1
            if self._silent_left is not None:
                self._silent_left -= error.text.code == "connection_lost.silent"
            if isinstance(error, ProtocolViolation):  # the same one again will not change any more
                violations[error.server_text] += 1
            if losses >= attempts or 2 in violations.values():
                raise error
            pause(losses)

    def ask(
        self,
        operation: Callable[[FolderCursor, Connection], T],
        *,
        attempts: int = MAX_READ_ATTEMPTS,
    ) -> T:
        """Run `retry_read`; errors include the server's ALERT texts."""
        try:
            return self.retry_read(lambda connection: operation(self.cursor, connection), attempts=attempts)
        except MailError as error:
            raise self.with_alerts(error) from error.__cause__

    def with_alerts(self, error: MailError) -> MailError:
        """Add the server's ALERT texts to the error, unless it concerns a single folder."""
        if error.scope is not ErrorScope.FOLDER:
            error.server_text = response_errors.with_alerts(error.server_text, self.alerts)
        return error

    def retry_folder(self, folder: str, operation: Callable[[Connection], T]) -> T:
        """Run `retry_read` on an operation that opens `folder`. If the connection ends at it each time while
        the server answers otherwise, or if the answer is beyond a limit, raise FolderUnusable: the other
        folders can still be read."""
        try:
            return self._retry_folder(folder, operation)
        except BeyondLimit as error:
            raise response_errors.folder_beyond_limit(error) from error

    def _retry_folder(self, folder: str, operation: Callable[[Connection], T]) -> T:
        try:
            return self.retry_read(operation)
        except ServerTooSlow:
            raise
        except (ConnectionLost, ProtocolViolation):
            if self._is_silent:
                raise
            self.retry_read(_check_answers, attempts=1)
        try:
            return self.retry_read(operation, attempts=1)
        except ServerTooSlow:
            raise
        except (ConnectionLost, ProtocolViolation) as error:
            self.retry_read(_check_answers, attempts=1)
            words = error.server_text or "the connection ends each time it is opened"
            raise response_errors.folder_unusable(self.peer, folder, "opened", words) from error

    def leave(self, folder: str) -> None:
        """Make sure that `folder` is not open (`FolderCursor.leave`), over a new connection if need be.
        Raises what connecting and reading raise."""
        if not self.cursor.leave(self.connection(), folder):
            self.reconnect()


def _check_answers(connection: Connection) -> None:
    connection.call(b"NOOP")
