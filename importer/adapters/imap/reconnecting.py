"""A session's link to its server: one connection at a time, reopened when a read needs it."""

from __future__ import annotations

import contextlib
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from importer.adapters.imap import response_errors
from importer.adapters.imap.append import AppendQueue
from importer.adapters.imap.commands import UnsafeText
from importer.adapters.imap.connection import Connection
from importer.adapters.imap.login_limiter import LoginLimiter
from importer.adapters.imap.response_errors import CommandRefused, Peer
from importer.adapters.imap.utf7_names import FolderNames
from importer.adapters.imap.wire import LiteralData, Untagged, WireError, WireEvent
from importer.compact.uid_set import Uid, UidValidity
from importer.domain.model import FolderRef
from importer.domain.reporting.server_alerts import MAX_IMPORT_ALERTS
from importer.ports.work_limit import WorkLimit
from providers.errors import (
    BeyondLimit,
    ConnectionLost,
    ErrorScope,
    FolderChanged,
    FolderUnusable,
    MailError,
    ProtocolViolation,
    ServerTooSlow,
    Side,
)

MAX_READ_ATTEMPTS = 3
"""Attempts of a read that makes no progress before its error is raised to the caller."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SelectedFolder:
    """The response to EXAMINE or SELECT (RFC 9051 section 6.3.2). `permanent_flags` is None if the server
    does not send them."""

    folder: str
    uidvalidity: UidValidity
    messages: int
    uidnext: Uid | None
    permanent_flags: tuple[str, ...] | None
    read_only: bool


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
        self._earlier_alerts: tuple[str, ...] = ()
        self.names = names
        self.selected: SelectedFolder | None = None  # on the current connection
        self.progress = False  # the current connection brought messages
        self.uidvalidities: dict[str, UidValidity] = {}  # folder -> last known UIDVALIDITY
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
            raise response_errors.lost(self.peer, "the session is closed")
        self._limit.check_begin()
        self._logins.wait(self._limit.sleep, progress=self.progress)
        self.progress = False
        self._earlier_alerts = self.heard()
        self._connection = self._connect()
        self.alerts = self._connection.alerts
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
        self.selected = None

    def reconnect(self) -> None:
        """Replace the connection with a new one, once outstanding appends are complete. Raises what
        connecting raises."""
        if self._append_queue is not None:
            self._append_queue.await_all()
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self.selected = None
        self.connection()

    def close(self) -> None:
        self._closed = True
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def retry_read(self, operation: Callable[[Connection], T], *, attempts: int = MAX_READ_ATTEMPTS) -> T:
        """Run an operation that is safe to repeat; if the connection is lost, repeat it on a new one."""
        losses = 0
        violations = Counter[str]()
        while True:
            try:
                return operation(self.connection())
            except ServerTooSlow:
                self.drop()
                raise
            except (ConnectionLost, ProtocolViolation) as caught:
                error: MailError = caught
            except WireError as caught:
                error = response_errors.violation(self.peer, str(caught))
            self.drop()
            losses += 1
            if isinstance(error, ProtocolViolation):  # the same one again will not change any more
                violations[error.server_text] += 1
            if losses >= attempts or 2 in violations.values():
                raise error
            pause(losses)

    def ask(
        self,
        operation: Callable[[ReconnectingConnection, Connection], T],
        *,
        attempts: int = MAX_READ_ATTEMPTS,
    ) -> T:
        """Run `retry_read`; errors have what the server wanted its users to read."""
        try:
            return self.retry_read(lambda connection: operation(self, connection), attempts=attempts)
        except MailError as error:
            raise self.with_alerts(error) from error.__cause__

    def with_alerts(self, error: MailError) -> MailError:
        """Add to the error what the server wanted its users to read, unless a single folder is concerned."""
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
            self.retry_read(_check_answers, attempts=1)
        try:
            return self.retry_read(operation, attempts=1)
        except ServerTooSlow:
            raise
        except (ConnectionLost, ProtocolViolation) as error:
            self.retry_read(_check_answers, attempts=1)
            words = error.server_text or "the connection ends each time it is opened"
            raise response_errors.folder_unusable(self.peer, folder, "opened", words) from error

    # --- Folders -----------------------------------------------------------------------------------

    def quoted(self, folder: str) -> bytes:
        """Return the folder's name for a command. Raises FolderUnusable if no command can carry it."""
        try:
            return self.names.quoted(folder)
        except (UnsafeText, UnicodeEncodeError):
            raise response_errors.folder_unusable(self.peer, folder, "named") from None

    def examine(self, connection: Connection, folder: FolderRef) -> SelectedFolder:
        """Open the folder for reading (EXAMINE). Raises FolderUnusable and FolderChanged."""
        selected = self.select(connection, folder.name, b"EXAMINE")
        self._check_selected(folder, selected)
        return selected

    def examine_and_send(
        self, connection: Connection, folder: FolderRef, command: bytes, *, reopen: bool = False
    ) -> tuple[SelectedFolder, str]:
        """Examine the folder and send `command` without waiting in between; return the command's tag.

        A folder that is open already is not examined again, except with `reopen`. If the folder cannot be
        opened, the command is refused as well, since no folder is selected then. Raises as `examine` does.
        """
        selected = self.selected
        if not reopen and selected is not None and selected.folder == folder.name and selected.read_only:
            self._check_selected(folder, selected)
            return selected, connection.start(command)
        if connection.fallbacks.one_at_a_time:
            return self.examine(connection, folder), connection.start(command)
        select_tag = self._start_select(connection, folder.name, b"EXAMINE")
        command_tag = connection.start(command)
        try:
            selected = self._finish_select(connection, folder.name, select_tag, b"EXAMINE")
            self._check_selected(folder, selected)
        except (FolderUnusable, FolderChanged):
            with contextlib.suppress(CommandRefused):
                connection.collect(command_tag)
            raise
        return selected, command_tag

    def select(self, connection: Connection, folder: str, command: bytes) -> SelectedFolder:
        """Open the folder with `command`, EXAMINE or SELECT. Raises FolderUnusable."""
        tag = self._start_select(connection, folder, command)
        return self._finish_select(connection, folder, tag, command)

    def _start_select(self, connection: Connection, folder: str, command: bytes) -> str:
        self.selected = None
        return connection.start(command + b" " + self.quoted(folder))

    def _finish_select(self, connection: Connection, folder: str, tag: str, command: bytes) -> SelectedFolder:
        try:
            answer = connection.collect(tag)
        except CommandRefused as refused:
            raise response_errors.folder_error(refused.reply, self.peer, folder, "opened") from None
        read_only = command == b"EXAMINE" or answer.reply.code == "READ-ONLY"
        known = self.uidvalidities.get(folder)
        selected = _read_select(folder, answer.events, read_only=read_only, uidvalidity=known)
        if selected is None:
            raise response_errors.folder_unusable(self.peer, folder, "opened", "no UIDVALIDITY")
        self.selected = selected
        self.uidvalidities[folder] = selected.uidvalidity
        return selected

    def _check_selected(self, folder: FolderRef, selected: SelectedFolder) -> None:
        """Raise FolderChanged if the UIDVALIDITY differs, except for an empty source folder: there is nothing
        to confuse, and some servers give it another UIDVALIDITY each time."""
        if selected.messages or self.peer.side is not Side.SOURCE:
            self.check_uidvalidity(folder, selected.uidvalidity)

    def check_uidvalidity(self, folder: FolderRef, uidvalidity: UidValidity) -> None:
        """Raise FolderChanged if the UIDVALIDITY differs from that of `folder`."""
        if uidvalidity != folder.uidvalidity:
            raise response_errors.folder_changed(self.peer, folder.name)

    def leave(self, folder: str) -> None:
        """Make sure that `folder` is not the open folder, so that messages can be appended to it.

        Courier refuses an APPEND into the folder that the connection has examined, and GNU mailutils loses
        messages that are appended into the selected one. UNSELECT where the server has it; else another
        folder is examined, which closes this one without expunging (RFC 9051 section 6.4.1); a mailbox
        without another folder gets a new connection. Raises what connecting and reading raise.
        """
        connection = self.connection()
        if not self._is_open(folder):
            return
        self.unselect(connection)
        for other in [name for name in self.uidvalidities if name.casefold() != folder.casefold()][:3]:
            if not self._is_open(folder):
                return
            with contextlib.suppress(FolderUnusable):
                self.select(connection, other, b"EXAMINE")
        if self._is_open(folder):
            self.reconnect()

    def _is_open(self, folder: str) -> bool:
        return self.selected is not None and self.selected.folder.casefold() == folder.casefold()

    def unselect(self, connection: Connection) -> None:
        """Close the open folder without expunging (UNSELECT, RFC 3691), if the server supports that."""
        if self.selected is not None and connection.has("UNSELECT"):
            with contextlib.suppress(CommandRefused):  # the folder then stays open
                connection.call(b"UNSELECT")
                self.selected = None


def _check_answers(connection: Connection) -> None:
    connection.call(b"NOOP")


def _read_select(
    folder: str, events: tuple[WireEvent, ...], *, read_only: bool, uidvalidity: UidValidity | None
) -> SelectedFolder | None:
    """`uidvalidity` is what STATUS tells, for servers that leave it out here."""
    uidnext = permanent_flags = None
    messages = 0
    for event in events:
        match event:
            case LiteralData("EXISTS", int(number)):
                messages = number
            case Untagged(reply) if reply.code == "UIDVALIDITY" and reply.arguments.isdigit():
                uidvalidity = UidValidity(int(reply.arguments))
            case Untagged(reply) if reply.code == "UIDNEXT" and reply.arguments.isdigit():
                uidnext = Uid(int(reply.arguments))
            case Untagged(reply) if reply.code == "PERMANENTFLAGS":
                permanent_flags = tuple(reply.arguments.strip("()").split())
            case _:
                pass
    if uidvalidity is None:
        return None
    return SelectedFolder(folder, uidvalidity, messages, uidnext, permanent_flags, read_only)
