"""Finds the UIDs of a folder. The number that a server counts (EXISTS) and its list have to agree. If it
lists fewer, other commands are tried, and the UIDs of all answers count together.

If the first answers agree, no further command is sent. The command that gave all UIDs comes first from then
on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from importer.adapters.imap import response_errors
from importer.adapters.imap.answers import Answer
from importer.adapters.imap.connection import Connection
from importer.adapters.imap.folder_cursor import FolderCursor, SelectedFolder
from importer.adapters.imap.response_errors import CommandRefused
from importer.adapters.imap.wire_events import Fetched, LiteralData
from importer.adapters.imap.wire_values import WireError
from importer.compact.uid_set import Uid, UidSet
from importer.domain.mailbox_content import FolderRef
from importer.domain.planning.retry_limits import UID_LIST_ROUNDS
from importer.domain.planning.server_limits import (
    MAX_FOLDER_MESSAGES,
    MAX_PARTIAL_LISTS,
    MAX_SEARCH_BYTES,
    responses_for,
)
from importer.ports.mailbox_errors import FolderUnusable
from providers.errors import ConnectionLost, ProtocolViolation

_NUMBERS_AT_ONCE: Final = 200_000
"""Messages that are asked for by number with one command. A message takes at most 11 bytes of a line."""

_RANGES_AT_ONCE: Final = 20_000
"""Ranges of UIDs that are held as pairs before they become a set, which takes a tenth of the memory."""

_INVENTED_BYTES: Final = 1 << 63

_SEARCH: Final = b"UID SEARCH RETURN (ALL) "

_Way = Callable[[FolderCursor, Connection, FolderRef, SelectedFolder, Uid], UidSet]


class UidLister:
    """Lists the folders of one session. `unlisted` holds, for each folder whose UIDs were listed, how many
    messages the server counts beyond them; folders where there are none are left out."""

    def __init__(self) -> None:
        self.unlisted: dict[FolderRef, int] = {}
        self._search_is_wrong = False  # UID SEARCH RETURN named fewer messages than another way

    def uids(
        self, cursor: FolderCursor, connection: Connection, folder: FolderRef, at_or_above: Uid
    ) -> UidSet:
        """Return the UIDs that the folder holds now; works for a million messages too. Raises as the
        functions of `folder_commands` do."""
        known, missing = UidSet(), 0
        for _ in range(UID_LIST_ROUNDS):
            selected, listed = self._first_answer(cursor, connection, folder, at_or_above)
            known = listed
            missing = _missing(selected, listed, at_or_above)
            if not missing:
                break
            known, missing = self._ask_otherwise(cursor, connection, folder, selected, known, at_or_above)
            if not missing:
                break
        if missing and at_or_above <= 1:
            self.unlisted[folder] = missing
        else:
            self.unlisted.pop(folder, None)
        return known

    def uids_of(
        self, cursor: FolderCursor, connection: Connection, folders: Sequence[FolderRef]
    ) -> dict[FolderRef, UidSet]:
        """Return the UIDs of those folders of which the first answers agree, in one round trip. Raises what
        `Connection.call_in_order` raises."""
        if not self._may_search(connection):
            return {}
        found: dict[FolderRef, UidSet] = {}
        for folder, (selected, answer) in cursor.examine_each_and(
            connection, folders, _SEARCH + b"ALL"
        ).items():
            listed = _uids_found(answer)
            if listed is not None and len(listed) == selected.messages:
                self.unlisted.pop(folder, None)
                found[folder] = listed
        return found

    def sizes_of(
        self, cursor: FolderCursor, connection: Connection, folders: Sequence[FolderRef]
    ) -> dict[FolderRef, list[tuple[Uid, int]]]:
        """Return UID and size of all messages of those folders, likewise."""
        if connection.message_limit is not None or connection.fallbacks.message_limit is not None:
            return {}
        found: dict[FolderRef, list[tuple[Uid, int]]] = {}
        for folder, (selected, answer) in cursor.examine_each_and(
            connection, folders, b"UID FETCH 1:* (UID RFC822.SIZE)"
        ).items():
            sizes = {
                event.uid: event.size_bytes
                for event in answer.events
                if isinstance(event, Fetched) and event.uid is not None and event.size_bytes is not None
            }
            if len(sizes) == selected.messages and max(sizes.values(), default=0) < _INVENTED_BYTES:
                found[folder] = sorted(sizes.items())
        return found

    def _may_search(self, connection: Connection) -> bool:
        return connection.has("ESEARCH") and connection.message_limit is None and not self._search_is_wrong

    def _first_answer(
        self, cursor: FolderCursor, connection: Connection, folder: FolderRef, at_or_above: Uid
    ) -> tuple[SelectedFolder, UidSet]:
        if self._may_search(connection):
            criterion = b"ALL" if at_or_above <= 1 else b"UID %d:*" % at_or_above
            selected, tag = cursor.examine_and_send(connection, folder, _SEARCH + criterion, reopen=True)
            max_line_bytes = 1000 + 11 * selected.messages
            _check_number(cursor, connection, folder, selected)
            try:
                matches = _search_result(connection, tag, min(max_line_bytes, MAX_SEARCH_BYTES))
            except (ConnectionLost, ProtocolViolation):
                self._search_is_wrong = True  # it may be the reason: perhaps a line above the limit
                raise
            # New mail may have arrived since the selection, but a set far larger than the folder is invalid.
            if matches is not None and len(matches) <= 1000 + 2 * selected.messages:
                return selected, matches.at_or_above(at_or_above)
        else:
            selected = cursor.examine(connection, folder)
            _check_number(cursor, connection, folder, selected)
        if not selected.messages or (selected.uidnext is not None and at_or_above >= selected.uidnext):
            return selected, UidSet()
        try:
            return selected, _by_uid_fetch(cursor, connection, folder, selected, at_or_above)
        except FolderUnusable:  # there are other commands
            known, _ = self._ask_otherwise(cursor, connection, folder, selected, UidSet(), at_or_above)
            if known:
                return selected, known
            raise

    def _ask_otherwise(
        self,
        cursor: FolderCursor,
        connection: Connection,
        folder: FolderRef,
        selected: SelectedFolder,
        known: UidSet,
        at_or_above: Uid,
    ) -> tuple[UidSet, int]:
        """Return the UIDs of all answers together, and the number of messages that the server counts beyond
        them."""
        ways: tuple[_Way, ...] = (_by_uid_fetch, _by_number, _by_search)
        missing = _missing(selected, known, at_or_above)
        for way in ways:
            try:
                new = way(cursor, connection, folder, selected, at_or_above) - known
            except FolderUnusable:  # refused: the next command may not be
                continue
            known |= new
            self._search_is_wrong |= bool(new)
            missing = _missing(selected, known, at_or_above)
            if not missing:
                break
        return known, missing


def _check_number(
    cursor: FolderCursor, connection: Connection, folder: FolderRef, selected: SelectedFolder
) -> None:
    """Raise FolderUnusable if the folder announces more than MAX_FOLDER_MESSAGES."""
    if selected.messages > MAX_FOLDER_MESSAGES:
        connection.drop()
        raise response_errors.too_many_messages(cursor.peer, folder.name)


def _numbers(messages: int) -> Iterator[bytes]:
    """Yield the numbers of all messages, as ranges for one command each."""
    for first in range(1, messages + 1, _NUMBERS_AT_ONCE):
        yield b"%d:%d" % (first, min(messages, first + _NUMBERS_AT_ONCE - 1))


def _missing(selected: SelectedFolder, listed: UidSet, at_or_above: Uid) -> int:
    """Return how many messages the server counts and does not list. Of a part of the folder only a sign is
    known: the message before UIDNEXT is not listed."""
    if at_or_above <= 1:
        return max(0, selected.messages - len(listed))
    uidnext = selected.uidnext
    if not selected.messages or uidnext is None or uidnext <= at_or_above:
        return 0
    return int((listed.highest or 0) + 1 < uidnext)


def _search_result(connection: Connection, tag: str, max_line_bytes: int) -> UidSet | None:
    """Return the UIDs in the response to UID SEARCH RETURN (ALL), RFC 4731. None if the command was refused
    or the response cannot be parsed."""
    try:
        answer = connection.collect(tag, max_line_bytes=max_line_bytes)
    except CommandRefused:
        return None
    return _uids_found(answer)


def _uids_found(answer: Answer) -> UidSet | None:
    """Return the UIDs in an answer to UID SEARCH RETURN (ALL); None if there are none that can be parsed."""
    for event in answer.events:
        if isinstance(event, LiteralData) and event.name == "ESEARCH":
            try:
                values = [v.upper() if isinstance(v, bytes) else v for v in event.values()]
            except WireError:
                return None
            if b"ALL" not in values:
                return UidSet()  # no match
            match values[values.index(b"ALL") + 1 :]:
                case [bytes() as uids, *_]:
                    with contextlib.suppress(ValueError):
                        return UidSet.parse(uids.decode("ascii"))
    return None


def _by_search(
    cursor: FolderCursor,
    connection: Connection,
    folder: FolderRef,
    selected: SelectedFolder,
    at_or_above: Uid,
) -> UidSet:
    """Return the UIDs by UID SEARCH without RETURN."""
    line_bytes = min(1000 + 22 * selected.messages, MAX_SEARCH_BYTES)
    whole = selected.messages <= _NUMBERS_AT_ONCE
    known = UidSet()
    for criterion in (b"ALL",) if whole else _numbers(selected.messages):
        try:
            answer = connection.call(b"UID SEARCH " + criterion, max_line_bytes=line_bytes)
        except CommandRefused as refused:
            raise response_errors.folder_error(refused.reply, cursor.peer, folder.name, "read") from None
        words = [
            word
            for event in answer.events
            if isinstance(event, LiteralData) and event.name == "SEARCH"
            for word in event.text.split()
        ]
        new = UidSet.of(int(w) for w in words if w.isdigit() and len(w) <= 10 and 0 < int(w) >= at_or_above)
        if not new:
            break
        known |= new
    return known


def _by_number(
    cursor: FolderCursor,
    connection: Connection,
    folder: FolderRef,
    selected: SelectedFolder,
    at_or_above: Uid,
) -> UidSet:
    """Return the UIDs by FETCH with message numbers."""
    known = UidSet()
    for numbers in _numbers(selected.messages):
        command = b"FETCH %s (UID)" % numbers
        new = _named(cursor, connection, folder, selected, command, at_or_above)[0]
        if not new and at_or_above <= 1:  # the number of messages is invented
            break
        known |= new
    return known


def _by_uid_fetch(
    cursor: FolderCursor,
    connection: Connection,
    folder: FolderRef,
    selected: SelectedFolder,
    at_or_above: Uid,
) -> UidSet:
    """Return the UIDs by UID FETCH of the UIDs only: SEARCH puts all UIDs on one line, and lines are limited
    to about a megabyte.

    A server may execute only a part of a command (RFC 9738, Yahoo), for the highest UIDs or the lowest. The
    UIDs below and above the returned ones are requested until the set is complete.
    """
    named = partial(_named, cursor, connection, folder, selected, at_or_above=at_or_above)
    commands = 0
    known, truncated = named(b"UID FETCH %d:* (UID)" % at_or_above)
    while truncated and (lowest := known.lowest) and (highest := known.highest):
        commands += 1
        if commands > MAX_PARTIAL_LISTS:
            break
        below, below_truncated = (
            named(b"UID FETCH %d:%d (UID)" % (at_or_above, lowest - 1))
            if lowest > at_or_above
            else (UidSet(), False)
        )
        above, above_truncated = named(b"UID FETCH %d:* (UID)" % (highest + 1))
        new = (below | above) - known
        known |= new
        truncated = bool(new) and (below_truncated or above_truncated)
    return known


def _named(
    cursor: FolderCursor,
    connection: Connection,
    folder: FolderRef,
    selected: SelectedFolder,
    command: bytes,
    at_or_above: Uid,
) -> tuple[UidSet, bool]:
    """Return the UIDs that one command yields, and whether the server executed only a part of it."""
    pieces: list[UidSet] = []
    ranges: list[tuple[int, int]] = []
    running = connection.run(command, max_responses=responses_for(selected.messages))
    try:
        while True:
            event = next(running)
            # n:* includes the last message even if its UID is below n (RFC 9051: seq-range).
            if not isinstance(event, Fetched) or event.uid is None or event.uid < max(1, at_or_above):
                continue
            if ranges and ranges[-1][1] + 1 == event.uid:
                ranges[-1] = (ranges[-1][0], event.uid)
            else:
                if len(ranges) == _RANGES_AT_ONCE:
                    pieces.append(UidSet.from_ranges(ranges))
                    ranges.clear()
                ranges.append((event.uid, event.uid))
    except StopIteration as ended:
        return _union([*pieces, UidSet.from_ranges(ranges)]), ended.value.code == "MESSAGELIMIT"
    except CommandRefused as refused:
        raise response_errors.folder_error(refused.reply, cursor.peer, folder.name, "read") from None


def _union(sets: list[UidSet]) -> UidSet:
    """Return the union, made pair by pair: each member is copied few times."""
    while len(sets) > 1:
        rest = sets[2 * (len(sets) // 2) :]
        sets = [one | other for one, other in zip(sets[::2], sets[1::2], strict=False)] + rest
    return sets[0]
