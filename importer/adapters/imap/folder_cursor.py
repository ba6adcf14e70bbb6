"""The open folder of a session. The only module that sends EXAMINE, SELECT and UNSELECT."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from importer.adapters.imap import response_errors
from importer.adapters.imap.answers import Answer
from importer.adapters.imap.commands import UnsafeText
from importer.adapters.imap.connection import Connection
from importer.adapters.imap.response_errors import CommandRefused, Peer
from importer.adapters.imap.utf7_names import FolderNames
from importer.adapters.imap.wire_events import LiteralData, Untagged, WireEvent
from importer.compact.uid_set import Uid, UidValidity
from importer.domain.mailbox_content import FolderRef
from importer.domain.planning.server_limits import MAX_FOLDER_MESSAGES
from importer.ports.mailbox_errors import FolderChanged, FolderUnusable
from providers.errors import ConnectionLost, Side
from providers.frozen import frozen

UNCOUNTED: Final = -1
"""The number of messages as long as the server has sent none."""

_IN_PLACE_OF_0: Final = 2**32
"""No number of 32 bits, as UIDVALIDITYs are."""

_MESSAGES = re.compile(rb"\bMESSAGES[ \t]([0-9]{1,10})\b", re.IGNORECASE)


def uidvalidity_of(digits: str) -> UidValidity:
    """The UIDVALIDITY that a server sends. 0 is none (RFC 9051: nz-number), although some send it, and means
    in a receipt that the folder was removed: another number takes its place."""
    return UidValidity(int(digits) or _IN_PLACE_OF_0)


@frozen
class SelectedFolder:
    """The response to EXAMINE or SELECT (RFC 9051 section 6.3.2). `permanent_flags` is None if the server
    does not send them."""

    folder: str
    uidvalidity: UidValidity
    messages: int
    uidnext: Uid | None
    permanent_flags: tuple[str, ...] | None
    read_only: bool


class FolderCursor:
    """Opens folders of one session, on the connection that is passed in. A folder is open on that connection
    only: on another one, none is. Methods raise what `Connection.call` raises."""

    def __init__(self, peer: Peer, names: FolderNames) -> None:
        self.peer = peer
        self.names = names
        self._selected: SelectedFolder | None = None
        self._connection: Connection | None = None  # of `_selected`
        self._uidvalidities: dict[str, UidValidity] = {}

    # --- The open folder ----------------------------------------------------------------------------

    def selected(self, connection: Connection) -> SelectedFolder | None:
        """Return the open folder, as it was when it was opened; None if it is unknown which one is."""
        return self._selected if connection is self._connection else None

    def forget(self) -> None:
        """Open the folder again before the next command that needs it."""
        self._selected = self._connection = None

    def uidvalidity(self, folder: str) -> UidValidity | None:
        """Return the last known UIDVALIDITY."""
        return self._uidvalidities.get(folder)

    def note_uidvalidities(self, uidvalidities: Mapping[str, UidValidity]) -> None:
        self._uidvalidities.update(uidvalidities)

    def note_removed(self, folder: str) -> None:
        self._uidvalidities.pop(folder, None)

    def quoted(self, folder: str) -> bytes:
        """Return the folder's name for a command. Raises FolderUnusable if no command can carry it."""
        try:
            return self.names.quoted(folder)
        except (UnsafeText, UnicodeEncodeError):
            raise response_errors.folder_unusable(self.peer, folder, "named") from None

    def can_name(self, folder: str) -> bool:
        """Whether a command can carry the folder's name."""
        try:
            self.quoted(folder)
        except FolderUnusable:
            return False
        return True

    def check_uidvalidity(self, folder: FolderRef, uidvalidity: UidValidity) -> None:
        """Raise FolderChanged if the UIDVALIDITY differs from that of `folder`."""
        if uidvalidity != folder.uidvalidity:
            raise response_errors.folder_changed(self.peer, folder.name)

    # --- To read ------------------------------------------------------------------------------------

    def examine(self, connection: Connection, folder: FolderRef) -> SelectedFolder:
        """Open the folder for reading (EXAMINE). Raises FolderUnusable and FolderChanged."""
        selected = self.examine_by_name(connection, folder.name)
        self._check_examined(folder, selected)
        return selected

    def examine_by_name(self, connection: Connection, folder: str) -> SelectedFolder:
        """Open the folder for reading, whatever its UIDVALIDITY. Raises FolderUnusable."""
        return self._open(connection, folder, b"EXAMINE")

    def examine_and_send(
        self, connection: Connection, folder: FolderRef, command: bytes, *, reopen: bool = False
    ) -> tuple[SelectedFolder, str]:
        """Examine the folder and send `command` without waiting in between; return the command's tag.

        A folder that is open already is not examined again, except with `reopen`. If the folder cannot be
        opened, the command is refused as well, since no folder is selected then. Raises as `examine` does.
        """
        selected = self.selected(connection)
        if not reopen and selected is not None and selected.folder == folder.name and selected.read_only:
            self._check_examined(folder, selected)
            return selected, connection.start(command)
        if connection.fallbacks.one_at_a_time or connection.fallbacks.counts_by_status:
            return self.examine(connection, folder), connection.start(command)
        select_tag = self._start(connection, folder.name, b"EXAMINE")
        command_tag = connection.start(command)
        try:
            selected = self._finish(connection, folder.name, select_tag, b"EXAMINE", followed=True)
            self._check_examined(folder, selected)
        except (FolderUnusable, FolderChanged):
            with contextlib.suppress(CommandRefused):
                connection.collect(command_tag)
            raise
        if connection.fallbacks.counts_by_status:  # as has just turned out
            with contextlib.suppress(CommandRefused):
                connection.collect(command_tag)
            return self.examine(connection, folder), connection.start(command)
        return selected, command_tag

    def examine_each(self, connection: Connection, folders: Sequence[str]) -> list[Answer]:
        """Examine folders with pipelined commands and return the answers. Which folder is open then is
        unknown. Raises FolderUnusable if no command can carry a name (`can_name`)."""
        names = [self.quoted(folder) for folder in folders]
        self.forget()
        return connection.call_all([b"EXAMINE " + name for name in names])

    def examine_each_and(
        self, connection: Connection, folders: Sequence[FolderRef], command: bytes
    ) -> dict[FolderRef, tuple[SelectedFolder, Answer]]:
        """Examine folders and send `command` in each, all pipelined; return for each folder its state and the
        answer. A folder is left out if a command cannot carry its name, if one of both commands is refused,
        if its UIDVALIDITY differs, or if its number of messages is unknown. Afterwards it is unknown which
        folder is open."""
        named = [folder for folder in folders if self.can_name(folder.name)]
        self.forget()
        if connection.fallbacks.one_at_a_time or connection.fallbacks.counts_by_status:
            return {}
        opening = [b"EXAMINE " + self.quoted(folder.name) for folder in named]
        answers = connection.call_in_order([sent for open_ in opening for sent in (open_, command)])
        found: dict[FolderRef, tuple[SelectedFolder, Answer]] = {}
        for folder, opened, answer in zip(named, answers[::2], answers[1::2], strict=False):
            if not opened.reply.status == answer.reply.status == "OK":
                continue
            known = self._uidvalidities.get(folder.name)
            selected = _read_select(folder.name, opened.events, read_only=True, uidvalidity=known)
            if selected is None or selected.messages == UNCOUNTED:
                continue
            with contextlib.suppress(FolderChanged):
                self._check_examined(folder, selected)
                found[folder] = selected, answer
        return found

    def _check_examined(self, folder: FolderRef, selected: SelectedFolder) -> None:
        """Raise FolderChanged if the UIDVALIDITY differs, except for an empty source folder: there is nothing
        to confuse, and some servers give it another UIDVALIDITY each time."""
        if selected.messages or self.peer.side is not Side.SOURCE:
            self.check_uidvalidity(folder, selected.uidvalidity)

    # --- To write -----------------------------------------------------------------------------------

    def select(self, connection: Connection, folder: str) -> SelectedFolder:
        """Open the folder for writing (SELECT), whatever its UIDVALIDITY. Raises FolderUnusable."""
        return self._open(connection, folder, b"SELECT")

    def select_to_change(
        self, connection: Connection, folder: FolderRef, *, reopen: bool = False
    ) -> SelectedFolder:
        """Open the folder for writing, unless it is, or again with `reopen`; it may turn out to be
        `read_only`. Raises FolderUnusable and FolderChanged."""
        selected = self.selected(connection)
        if reopen or selected is None or selected.folder != folder.name or selected.read_only:
            selected = self.select(connection, folder.name)
        self.check_uidvalidity(folder, selected.uidvalidity)
        return selected

    def select_each(self, connection: Connection, folders: Sequence[str]) -> list[SelectedFolder]:
        """Select folders with pipelined commands; return what each is, without those that are refused or
        uncounted. The last one stays open."""
        named = [folder for folder in folders if self.can_name(folder)]
        self.forget()
        if connection.fallbacks.one_at_a_time or connection.fallbacks.counts_by_status:
            return []
        answers = connection.call_in_order([b"SELECT " + self.quoted(folder) for folder in named])
        if len(answers) < len(named):  # which one is open is unknown, and appends depend on that (`leave`)
            connection.drop()
        found: list[SelectedFolder] = []
        for folder, answer in zip(named, answers, strict=False):
            if answer.reply.status != "BAD":  # a refusal closes the folder before it, too; BAD may not
                self.forget()
            if answer.reply.status != "OK":
                continue
            read_only, known = answer.reply.code == "READ-ONLY", self._uidvalidities.get(folder)
            selected = _read_select(folder, answer.events, read_only=read_only, uidvalidity=known)
            if selected is not None:
                self._selected, self._connection = selected, connection
                if selected.messages != UNCOUNTED:
                    self._uidvalidities[folder] = selected.uidvalidity
                    found.append(selected)
        return found

    # --- To close -----------------------------------------------------------------------------------

    def unselect(self, connection: Connection) -> None:
        """Close the open folder without expunging (UNSELECT, RFC 3691), if the server supports that."""
        if self.selected(connection) is not None and connection.has("UNSELECT"):
            try:
                connection.call(b"UNSELECT")
                self.forget()
            except CommandRefused:
                pass  # the folder stays open
            except ConnectionLost:
                connection.disable("UNSELECT")
                raise

    def unselect_any(self, connection: Connection, folders: Collection[str]) -> None:
        """`unselect` if the open folder is among `folders`: STATUS of the open folder may be as old as its
        selection."""
        if (selected := self.selected(connection)) is not None and selected.folder in folders:
            self.unselect(connection)

    def leave(self, connection: Connection, folder: str) -> bool:
        """Try to have `folder` not open, so that messages can be appended to it; return whether it is not.

        Courier refuses an APPEND into the folder that the connection has examined, and GNU mailutils loses
        messages that are appended into the selected one. UNSELECT where the server has it; else another
        folder is examined, which closes this one without expunging (RFC 9051 section 6.4.1).
        """
        if self._is_open(connection, folder):
            self.unselect(connection)
        for other in [name for name in self._uidvalidities if name.casefold() != folder.casefold()][:3]:
            if not self._is_open(connection, folder):
                break
            with contextlib.suppress(FolderUnusable):
                self.examine_by_name(connection, other)
        return not self._is_open(connection, folder)

    def _is_open(self, connection: Connection, folder: str) -> bool:
        selected = self.selected(connection)
        return selected is not None and selected.folder.casefold() == folder.casefold()

    # ------------------------------------------------------------------------------------------------

    def _open(self, connection: Connection, folder: str, command: bytes) -> SelectedFolder:
        return self._finish(connection, folder, self._start(connection, folder, command), command)

    def _start(self, connection: Connection, folder: str, command: bytes) -> str:
        self.forget()
        return connection.start(command + b" " + self.quoted(folder))

    def _finish(
        self, connection: Connection, folder: str, tag: str, command: bytes, *, followed: bool = False
    ) -> SelectedFolder:
        """`followed`: another command was sent, so that none can be sent to count the messages."""
        try:
            answer = connection.collect(tag)
        except CommandRefused as refused:
            raise response_errors.folder_error(refused.reply, self.peer, folder, "opened") from None
        read_only = command == b"EXAMINE" or answer.reply.code == "READ-ONLY"
        known = self._uidvalidities.get(folder)
        selected = _read_select(folder, answer.events, read_only=read_only, uidvalidity=known)
        if selected is None:
            raise response_errors.folder_unusable(self.peer, folder, "opened", "no UIDVALIDITY")
        if selected.messages == UNCOUNTED:
            connection.fallbacks.counts_by_status = True
            counted = 0 if followed else self._count(connection, folder)
            selected = replace(selected, messages=counted)
        self._selected, self._connection = selected, connection
        self._uidvalidities[folder] = selected.uidvalidity
        return selected

    def _count(self, connection: Connection, folder: str) -> int:
        """Get the number of messages by STATUS. Raises FolderUnusable if STATUS does not return it either."""
        with contextlib.suppress(CommandRefused):
            for event in connection.call(b"STATUS " + self.quoted(folder) + b" (MESSAGES)").events:
                if isinstance(event, LiteralData) and (number := _MESSAGES.search(event.text)):
                    return int(number[1])
        raise response_errors.folder_unusable(self.peer, folder, "opened", "no EXISTS")


def _read_select(
    folder: str, events: tuple[WireEvent, ...], *, read_only: bool, uidvalidity: UidValidity | None
) -> SelectedFolder | None:
    """`uidvalidity` is that of STATUS, for servers that leave it out here."""
    uidnext = permanent_flags = None
    messages = UNCOUNTED
    for event in events:
        match event:
            case LiteralData("EXISTS", int(number)) if number <= MAX_FOLDER_MESSAGES:  # else STATUS decides
                messages = number
            case Untagged(reply) if reply.code == "UIDVALIDITY" and reply.arguments.isdigit():
                uidvalidity = uidvalidity_of(reply.arguments)
            case Untagged(reply) if reply.code == "UIDNEXT" and reply.arguments.isdigit():
                uidnext = Uid(int(reply.arguments)) or None  # 0 is none, too
            case Untagged(reply) if reply.code == "PERMANENTFLAGS":
                permanent_flags = tuple(reply.arguments.strip("()").split())
            case _:
                pass
    if uidvalidity is None:
        return None
    return SelectedFolder(folder, uidvalidity, messages, uidnext, permanent_flags, read_only)
