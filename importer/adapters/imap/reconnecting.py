"""A session's way to its server: one connection at a time, opened again when reads need it."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from importer.adapters.imap import response_errors
from importer.adapters.imap.append import AppendQueue
from importer.adapters.imap.commands import UnsafeText
from importer.adapters.imap.connection import Connection
from importer.adapters.imap.response_errors import CommandRefused, Peer
from importer.adapters.imap.utf7_names import FolderNames
from importer.adapters.imap.wire import LiteralData, Untagged, WireError, WireEvent
from importer.compact.uid_set import Uid, UidValidity
from importer.domain.model import FolderRef
from providers.errors import (
    ConnectionLost,
    FolderChanged,
    FolderUnusable,
    MailError,
    ProtocolViolation,
    ServerTooSlow,
)

READ_TRIES = 3
"""How often a read is tried without getting any further before the loss is the caller's."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SelectedFolder:
    """What EXAMINE or SELECT told (RFC 9051 section 6.3.2). `permanent_flags` None: not told."""

    folder: str
    uidvalidity: UidValidity
    messages: int
    uidnext: Uid | None
    permanent_flags: tuple[str, ...] | None
    read_only: bool


def pause(losses_in_a_row: int) -> None:
    """Waits before connecting again: a quarter of a second at first, then about a second each time."""
    time.sleep(random.uniform(0.05, 0.1) * 4 ** min(losses_in_a_row, 2))  # noqa: S311  # jitter is no secret


class ReconnectingConnection:
    """Holds the connection. `drop` it after any failure; the next read opens another."""

    def __init__(self, connect: Callable[[], Connection], names: FolderNames) -> None:
        """Connects and logs in."""
        self._connect = connect
        self._connection: Connection | None = connect()
        self._appends: AppendQueue | None = None
        self._closed = False
        self.peer: Peer = self._connection.peer
        self.names = names
        self.opened: SelectedFolder | None = None  # the folder that is open now
        self.seen: dict[str, UidValidity] = {}  # folder -> UIDVALIDITY as last told

    @property
    def alive(self) -> Connection | None:
        """The connection if it can take a command; never opens one."""
        return self._connection if self._connection is not None and self._connection.idle else None

    def connection(self) -> Connection:
        """The connection, opened again if the last one was lost or left with an answer unread.

        Appends under way are waited for before."""
        if self._appends is not None:
            self._appends.answer_all()
        alive = self.alive
        if alive is not None:
            return alive
        self.drop()
        if self._closed:
            raise response_errors.lost(self.peer, "the session is closed")
        self._connection = self._connect()
        return self._connection

    def current(self) -> Connection:
        """The connection that a command was started on, to await its answer. Raises ConnectionLost."""
        if self._connection is None:
            raise response_errors.lost(self.peer)
        return self._connection

    def appends(self) -> AppendQueue | None:
        """For appending; None when the connection can take none. Never opens one."""
        connection = self._connection
        if connection is None or not connection.usable:
            return None
        if self._appends is None or self._appends.connection is not connection:
            self._appends = AppendQueue(connection)
        return self._appends if connection.idle or self._appends.under_way else None

    def drop(self) -> None:
        if self._connection is not None:
            self._connection.drop()
        self._connection = None
        self.opened = None

    def renew(self) -> None:
        """Changes the connection, on which nothing is under way, for a new one. Raises what connecting
        raises."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self.opened = None
        self.connection()

    def close(self) -> None:
        self._closed = True
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def reading(self, operation: Callable[[Connection], T]) -> T:
        """Does what may be done twice: on a lost connection it is done again on another."""
        losses = 0
        while True:
            try:
                return operation(self.connection())
            except ServerTooSlow:
                self.drop()
                raise
            except (ConnectionLost, ProtocolViolation) as error:
                trouble: MailError = error
            except WireError as error:
                trouble = response_errors.violation(self.peer, str(error))
            self.drop()
            losses += 1
            if losses >= READ_TRIES:
                raise trouble
            pause(losses)

    # --- Folders -----------------------------------------------------------------------------------

    def quoted(self, folder: str) -> bytes:
        """The folder's name for a command. Raises FolderUnusable when no command can carry it."""
        try:
            return self.names.quoted(folder)
        except (UnsafeText, UnicodeEncodeError):
            raise response_errors.folder_unusable(self.peer, folder, "named") from None

    def examine(self, connection: Connection, folder: FolderRef) -> SelectedFolder:
        """Opens the folder for reading (EXAMINE). Raises FolderUnusable and FolderChanged."""
        opened = self.open_folder(connection, folder.name, b"EXAMINE")
        self.check(folder, opened.uidvalidity)
        return opened

    def open_and_ask(
        self, connection: Connection, folder: FolderRef, command: bytes, *, afresh: bool = False
    ) -> tuple[SelectedFolder, str]:
        """As `examine`, unless the folder is open already and need not be opened `afresh`; `command` is sent
        without waiting for that, and its tag is to be awaited.

        What cannot be opened is not asked: servers refuse the command, as no folder is open then.
        """
        opened = self.opened
        if not afresh and opened is not None and opened.folder == folder.name and opened.read_only:
            self.check(folder, opened.uidvalidity)
            return opened, connection.start(command)
        opening = self._start_opening(connection, folder.name, b"EXAMINE")
        asked = connection.start(command)
        try:
            opened = self._opened(connection, folder.name, opening, b"EXAMINE")
            self.check(folder, opened.uidvalidity)
        except (FolderUnusable, FolderChanged):
            with contextlib.suppress(CommandRefused):
                connection.collect(asked)
            raise
        return opened, asked

    def open_folder(self, connection: Connection, folder: str, command: bytes) -> SelectedFolder:
        """EXAMINE or SELECT, as `command` says. Raises FolderUnusable."""
        opening = self._start_opening(connection, folder, command)
        return self._opened(connection, folder, opening, command)

    def _start_opening(self, connection: Connection, folder: str, command: bytes) -> str:
        self.opened = None
        return connection.start(command + b" " + self.quoted(folder))

    def _opened(self, connection: Connection, folder: str, tag: str, command: bytes) -> SelectedFolder:
        try:
            answer = connection.collect(tag)
        except CommandRefused as refused:
            raise response_errors.folder_error(refused.reply, self.peer, folder, "opened") from None
        read_only = command == b"EXAMINE" or answer.reply.code == "READ-ONLY"
        opened = _opened(folder, answer.events, read_only=read_only)
        if opened is None:
            raise response_errors.folder_unusable(self.peer, folder, "opened", "no UIDVALIDITY")
        self.opened = opened
        self.seen[folder] = opened.uidvalidity
        return opened

    def check(self, folder: FolderRef, uidvalidity: UidValidity) -> None:
        """Raises FolderChanged when the UIDVALIDITY is another than the caller planned with."""
        if uidvalidity != folder.uidvalidity:
            raise response_errors.folder_changed(self.peer, folder.name)

    def leave_folder(self, connection: Connection) -> None:
        """Closes the open folder without expunging anything (RFC 3691), where the server can do that."""
        if self.opened is not None and connection.has("UNSELECT"):
            self.opened = None
            with contextlib.suppress(CommandRefused):  # then it stays open, which is no harm
                connection.call(b"UNSELECT")


def _opened(folder: str, events: tuple[WireEvent, ...], *, read_only: bool) -> SelectedFolder | None:
    uidvalidity = uidnext = permanent_flags = None
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
