"""The status of folders: by STATUS, EXAMINE and SELECT.

Each function accepts the FolderCursor of a session and an idle Connection, and is safe to repeat. It raises
what `Connection.call` raises, WireError, and for folders FolderUnusable and FolderChanged.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from importer.adapters.imap import response_errors
from importer.adapters.imap.connection import MAX_PIPELINED, Connection
from importer.adapters.imap.folder_commands import folder_command
from importer.adapters.imap.folder_cursor import FolderCursor, SelectedFolder, uidvalidity_of
from importer.adapters.imap.response_errors import CommandRefused
from importer.adapters.imap.wire_events import Fetched, LiteralData, Untagged, WireEvent
from importer.adapters.imap.wire_values import Value, WireError
from importer.compact.uid_set import Uid
from importer.domain.mailbox_content import FolderStatus, KeywordRule
from importer.domain.planning.retry_limits import MAX_SELECTS_LOST
from importer.domain.planning.server_limits import MAX_FOLDER_MESSAGES
from importer.ports.mailbox import FolderCount, uncounted
from importer.ports.mailbox_errors import FolderUnusable
from providers.errors import ConnectionLost

STATUS_QUERY: Final = b"(MESSAGES UIDNEXT UIDVALIDITY)"
_STATUS_ITEMS = re.compile(rb"\(([^()]*)\)\s*\Z")

MAX_EXAMINED_ALONE: Final = 5
"""Folders to examine for a second opinion where each command has to wait for the previous reply."""


def within_limit(cursor: FolderCursor, folder: str, status: FolderStatus) -> FolderStatus:
    """Return `status`. Raises FolderUnusable if it announces more than MAX_FOLDER_MESSAGES."""
    if status.messages > MAX_FOLDER_MESSAGES:
        raise response_errors.too_many_messages(cursor.peer, folder)
    return status


def status(cursor: FolderCursor, connection: Connection, folder: str) -> FolderStatus:
    """Return UIDVALIDITY, UIDNEXT and MESSAGES of a folder that need not be selected; from EXAMINE if STATUS
    is refused or incomplete."""
    cursor.unselect_any(connection, (folder,))
    folder_status = None
    if not connection.fallbacks.by_examine:
        try:
            answer = folder_command(cursor, connection, b"STATUS", folder, what="opened", rest=STATUS_QUERY)
        except FolderUnusable as unusable:
            return _examined_status(cursor, connection, folder, unusable)
        # The folder name in the response is not needed, and some servers send it malformed.
        folder_status = next(filter(None, map(_read_status, answer.events)), None)
    known = cursor.uidvalidity(folder)
    if folder_status is not None and known not in (None, folder_status.uidvalidity):
        examined = _examined_status(cursor, connection, folder)
        connection.fallbacks.by_examine |= examined.uidvalidity != folder_status.uidvalidity
        folder_status = examined  # the folder was renumbered, or STATUS has a UIDVALIDITY of its own
    if folder_status is None:
        folder_status = _examined_status(cursor, connection, folder)
        connection.fallbacks.by_examine = True
    cursor.note_uidvalidities({folder: folder_status.uidvalidity})
    return folder_status


def _examined_status(
    cursor: FolderCursor,
    connection: Connection,
    folder: str,
    refused: FolderUnusable | None = None,
) -> FolderStatus:
    """Return the status of a folder from EXAMINE. Raises `refused`, the refusal of STATUS, if EXAMINE is
    refused as well, without a reason of its own."""
    try:
        selected = cursor.examine_by_name(connection, folder)
    except FolderUnusable as unusable:
        raise (refused if refused is not None and refused.server_text else unusable) from None
    uidnext: int | None = selected.uidnext
    if uidnext is None:
        uidnext = _highest_uid(cursor, connection, folder) + 1 if selected.messages else 1
    cursor.unselect(connection)  # some servers append to no folder that is open for reading
    return within_limit(cursor, folder, FolderStatus(selected.uidvalidity, Uid(uidnext), selected.messages))


def confirmed_by_examine(
    cursor: FolderCursor, connection: Connection, statuses: Mapping[str, FolderStatus]
) -> bool:
    """Return whether EXAMINE finds no more messages in the folders than their STATUS counts, and the same
    UIDVALIDITY where there are any. If not, STATUS is not used again for this account.

    The commands are pipelined; of the folders, the first are examined, as many as one round trip allows.
    """
    at_once = MAX_EXAMINED_ALONE if connection.fallbacks.one_at_a_time else MAX_PIPELINED
    sendable = [name for name in statuses if cursor.can_name(name)][:at_once]
    answers = cursor.examine_each(connection, sendable)
    connection.fallbacks.by_examine |= any(
        _contradicts(event, statuses[folder])
        for folder, answer in zip(sendable, answers, strict=True)
        if answer.reply.status == "OK"
        for event in answer.events
    )
    return not connection.fallbacks.by_examine


def _contradicts(event: WireEvent, status: FolderStatus) -> bool:
    match event:
        case LiteralData("EXISTS", int(number)):
            return status.messages < number <= MAX_FOLDER_MESSAGES
        case Untagged(reply) if reply.code == "UIDVALIDITY" and status.messages:
            return not reply.arguments.isdigit() or uidvalidity_of(reply.arguments) != status.uidvalidity
        case _:
            return False


def _highest_uid(cursor: FolderCursor, connection: Connection, folder: str) -> int:
    """Return the UID of the last message of the open folder."""
    try:
        answer = connection.call(b"FETCH * (UID)")
    except CommandRefused as refused:
        raise response_errors.folder_error(refused.reply, cursor.peer, folder, "opened") from None
    uids = [event.uid for event in answer.events if isinstance(event, Fetched) and event.uid is not None]
    if not uids:
        raise response_errors.folder_unusable(cursor.peer, folder, "opened", "no UIDNEXT")
    return max(uids)


def statuses(
    cursor: FolderCursor,
    connection: Connection,
    folders: Sequence[str],
    *,
    modseqs: bool = False,
    count: FolderCount = uncounted,
) -> dict[str, FolderStatus | FolderUnusable]:
    """Return the status of many folders in few round trips, with pipelined commands.

    A command that is refused, or whose response is ambiguous, is repeated on its own. A folder that has no
    status then is mapped to FolderUnusable. With `modseqs`, the highest modification sequences are included
    if the server keeps them (RFC 7162 section 3.1.7).
    """
    cursor.unselect_any(connection, folders)
    query = status_query(connection, modseqs)
    pipelined: dict[str, FolderStatus] = {}
    for start in range(0, 0 if connection.fallbacks.by_examine else len(folders), MAX_PIPELINED):
        chunk = folders[start : start + MAX_PIPELINED]
        heard = status_counter(count, len(folders), start)
        pipelined |= _pipelined_statuses(cursor, connection, chunk, query, heard)
    if folders and not pipelined and query != STATUS_QUERY:
        connection.disable("CONDSTORE")  # the server knows no HIGHESTMODSEQ after all
        return statuses(cursor, connection, folders, count=count)
    result: dict[str, FolderStatus | FolderUnusable] = {}
    for done, folder in enumerate(folders, start=1):
        try:
            result[folder] = pipelined.get(folder) or status(cursor, connection, folder)
        except FolderUnusable as unusable:
            result[folder] = unusable
        if not pipelined or done == len(folders):  # also those that were asked again, or refused
            count(done, len(folders))
    return result


def status_counter(count: FolderCount, total: int = 0, done: int = 0) -> Callable[[WireEvent], None]:
    """Counts the STATUS responses as they arrive, after `done` others."""
    numbers = itertools.count(done + 1)

    def heard(event: WireEvent) -> None:
        if isinstance(event, LiteralData) and event.name == "STATUS":
            number = next(numbers)
            count(min(number, total) if total else number, total)

    return heard


def open_for_appending(
    cursor: FolderCursor, connection: Connection, folder: str
) -> tuple[FolderStatus, KeywordRule | None]:
    """Select the folder and return its status and the keywords that it stores permanently (None: read-only).

    SELECT is used because Dovecot and others leave PERMANENTFLAGS empty in EXAMINE. The folder stays
    selected: appending into the selected folder is faster with some servers, and slower with no known one.
    """
    fallbacks = connection.fallbacks
    if fallbacks.selects_lost >= MAX_SELECTS_LOST:  # EXAMINE does not say which keywords are stored
        return _examined_status(cursor, connection, folder), KeywordRule()
    try:
        selected = cursor.select(connection, folder)
    except ConnectionLost:
        fallbacks.selects_lost += 1
        raise
    fallbacks.selects_lost = 0
    if selected.uidnext is None:
        folder_status = status(cursor, connection, folder)
    else:
        folder_status = FolderStatus(selected.uidvalidity, selected.uidnext, selected.messages)
    return within_limit(cursor, folder, folder_status), _keyword_rule(selected)


def open_each_for_appending(
    cursor: FolderCursor, connection: Connection, folders: Sequence[str]
) -> dict[str, tuple[FolderStatus, KeywordRule | None]]:
    """Do the same for several folders in one round trip; left out is each of which that does not tell all."""
    if connection.fallbacks.selects_lost:
        return {}
    return {
        selected.folder: (
            FolderStatus(selected.uidvalidity, selected.uidnext, selected.messages),
            _keyword_rule(selected),
        )
        for selected in cursor.select_each(connection, folders)
        if selected.uidnext is not None and selected.messages <= MAX_FOLDER_MESSAGES
    }


def _keyword_rule(selected: SelectedFolder) -> KeywordRule | None:
    if selected.read_only:
        return None
    if selected.permanent_flags is None:  # not sent: all flags are permanent (RFC 9051 section 6.3.2)
        return KeywordRule()
    keywords = frozenset(flag for flag in selected.permanent_flags if not flag.startswith("\\"))
    return KeywordRule("\\*" in selected.permanent_flags, keywords)


def pipelined_status(
    cursor: FolderCursor,
    connection: Connection,
    folders: Sequence[str],
    query: bytes,
    heard: Callable[[WireEvent], None] | None = None,
) -> dict[str, LiteralData]:
    """Return the STATUS responses that are unambiguous, by folder.

    A server may respond to commands in another order (RFC 9051 section 5.5). A STATUS response counts if it
    is the only one before the OK of its command and names the folder exactly as the command does.
    """
    names: dict[str, bytes] = {}
    for folder in folders:
        with contextlib.suppress(FolderUnusable):
            names[folder] = cursor.quoted(folder)
    answers = connection.call_all([b"STATUS %s %s" % (name, query) for name in names.values()], heard)
    result: dict[str, LiteralData] = {}
    for folder, answer in zip(names, answers, strict=True):
        data = [event for event in answer.events if isinstance(event, LiteralData) and event.name == "STATUS"]
        if answer.reply.status != "OK" or len(data) != 1 or _name(data[0]) != cursor.names.encode(folder):
            continue
        result[folder] = data[0]
    return result


def status_numbers(event: WireEvent) -> dict[bytes, int]:
    """Return the numeric items of a STATUS response; {} for any other event."""
    if not isinstance(event, LiteralData) or event.name != "STATUS":
        return {}
    items = _STATUS_ITEMS.search(event.text)
    words = items[1].upper().split() if items else []
    return {name: int(value) for name, value in zip(words[::2], words[1::2], strict=False) if value.isdigit()}


def status_query(connection: Connection, modseqs: bool) -> bytes:
    if not (modseqs and connection.has("CONDSTORE")):
        return STATUS_QUERY
    return STATUS_QUERY.replace(b")", b" HIGHESTMODSEQ)")


def _pipelined_statuses(
    cursor: FolderCursor,
    connection: Connection,
    folders: Sequence[str],
    query: bytes,
    heard: Callable[[WireEvent], None],
) -> dict[str, FolderStatus]:
    result: dict[str, FolderStatus] = {}
    for folder, data in pipelined_status(cursor, connection, folders, query, heard).items():
        folder_status = _read_status(data)
        if folder_status is not None:
            result[folder] = folder_status
    cursor.note_uidvalidities({folder: status.uidvalidity for folder, status in result.items()})
    return result


def listed_statuses(cursor: FolderCursor, events: Sequence[WireEvent]) -> dict[str, FolderStatus]:
    """Return the status of each folder whose name can be parsed and occurs once."""
    by_name: dict[str, list[FolderStatus]] = {}
    for event in events:
        status = _read_status(event)
        if status is not None and isinstance(event, LiteralData) and isinstance(name := _name(event), bytes):
            by_name.setdefault(cursor.names.decode(name), []).append(status)
    return {name: statuses[0] for name, statuses in by_name.items() if len(statuses) == 1}


def _name(data: LiteralData) -> Value:
    """Return the folder name in a STATUS response, None if it cannot be parsed."""
    try:
        return next(iter(data.values()), None)
    except WireError:
        return None


def _read_status(event: WireEvent) -> FolderStatus | None:
    """Parse a STATUS response; None for any other event and for a response that is incomplete, or names more
    messages than EXAMINE should confirm: some servers send -1 as an unsigned number."""
    numbers = status_numbers(event)
    complete = {b"UIDVALIDITY", b"UIDNEXT", b"MESSAGES"} <= numbers.keys() and numbers[b"UIDNEXT"] > 0
    if not complete or numbers[b"MESSAGES"] > MAX_FOLDER_MESSAGES:
        return None
    return FolderStatus(
        uidvalidity_of(str(numbers[b"UIDVALIDITY"])),
        Uid(numbers[b"UIDNEXT"]),
        numbers[b"MESSAGES"],
        highest_modseq=numbers.get(b"HIGHESTMODSEQ", 0),
    )
