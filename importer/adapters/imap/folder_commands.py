"""One question, one answer: the commands that are no stream.

Each function takes a Link and an idle Connection, may be repeated without harm, and raises what
`Connection.call` raises, WireError, and for folders FolderUnusable and FolderChanged.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from importer.adapters.imap import response_errors
from importer.adapters.imap.connection import Answer, Connection
from importer.adapters.imap.list_responses import as_folders, guess_hierarchy, read_list, read_namespaces
from importer.adapters.imap.reconnecting import ReconnectingConnection
from importer.adapters.imap.response_errors import CommandRefused
from importer.adapters.imap.wire import Fetched, LiteralData, Value, WireError, WireEvent
from importer.compact.uid_set import Uid, UidSet, UidValidity
from importer.domain.model import Folder, FolderRef, FolderStatus, Hierarchy, KeywordRule
from providers.errors import FolderUnusable


@dataclass(frozen=True, slots=True)
class Listing:
    """The folders of the personal namespace with their roles and subscriptions; `statuses` holds those that
    were told along with them, none where the server cannot do that."""

    hierarchy: Hierarchy
    folders: tuple[Folder, ...]
    statuses: Mapping[str, FolderStatus]


_SEARCH_LINE_BYTES: Final = 64 << 20
"""The longest ESEARCH answer that is asked for. A message takes at most 11 bytes of it."""

_STATUS_QUERY: Final = b"(MESSAGES UIDNEXT UIDVALIDITY)"
_STATUS_ITEMS = re.compile(rb"\(([^()]*)\)\s*\Z")

PIPELINED: Final = 100
"""STATUS commands sent ahead of their answers: some 10 KB each way, which every socket holds."""


def listing(link: ReconnectingConnection, connection: Connection, *, modseqs: bool = False) -> Listing:
    """All folders, where they are and, where the server tells it along with them, how they stand; `modseqs`
    as for `statuses`.

    Commands are sent without waiting for answers. Those that a server answers in another order than it
    was asked (RFC 9051 section 5.5) are told apart by their names.
    """
    if modseqs:
        link.leave_folder(connection)  # of the open folder a server may tell what it told at opening
    commands = [b"NAMESPACE"] if connection.has("NAMESPACE") else []
    extended = connection.has("LIST-EXTENDED")
    if extended:
        # Cyrus tells special uses only when asked (RFC 6154 section 2); most others always do.
        wanted = [b"SPECIAL-USE"] if connection.has("SPECIAL-USE") else []
        wanted.append(b"SUBSCRIBED")
        if connection.has("LIST-STATUS"):  # RFC 5819
            wanted.append(b"STATUS " + _query(connection, modseqs))
        commands.append(b'LIST "" "*" RETURN (%s)' % b" ".join(wanted))
    else:
        commands += [b'LIST "" "*"', b'LSUB "" "*"']
    answers = connection.call_all(commands)
    events = [event for answer in answers for event in answer.events]
    refused = {
        c.split(b" ")[0]: a.reply for c, a in zip(commands, answers, strict=True) if a.reply.status != "OK"
    }
    for name in (b"NAMESPACE", b"LIST"):
        if name in refused:
            words = response_errors.server_words(refused[name])
            raise response_errors.account_error(refused[name], link.peer) or response_errors.violation(
                link.peer, words
            )
    listed = read_list(events, link.names)
    if extended:
        subscribed = None
    elif b"LSUB" in refused:  # a server without subscriptions shows everything
        subscribed = frozenset(one.name for one in listed)
    else:
        subscribed = frozenset(one.name for one in read_list(events, link.names, command="LSUB"))
    known = read_namespaces(events, link.names)
    return Listing(
        known.personal or guess_hierarchy(listed),
        tuple(as_folders(listed, known, subscribed)),
        _told_along(link, events),
    )


def status(link: ReconnectingConnection, connection: Connection, folder: str) -> FolderStatus:
    """UIDVALIDITY, UIDNEXT and MESSAGES of a folder that need not be open."""
    if link.opened is not None and link.opened.folder == folder:
        link.leave_folder(connection)  # of the open folder a server may tell what it told at opening
    answer = folder_command(link, connection, b"STATUS", folder, what="opened", rest=_STATUS_QUERY)
    # The name in front is of no use, and some servers write it so that nobody can read it.
    found = next(filter(None, map(_status, answer.events)), None)
    if found is None:
        raise response_errors.folder_unusable(
            link.peer, folder, "opened", "STATUS without UIDVALIDITY or UIDNEXT"
        )
    link.seen[folder] = found.uidvalidity
    return found


def statuses(
    link: ReconnectingConnection, connection: Connection, folders: Sequence[str], *, modseqs: bool = False
) -> dict[str, FolderStatus | FolderUnusable]:
    """As `status`, of many folders in few round trips: commands are sent without waiting for answers.

    What is refused or not clearly answered is asked again, alone; a folder that has no status then is
    FolderUnusable, and the others have theirs. With `modseqs` the highest modification sequences are asked
    for where the server keeps any (RFC 7162 section 3.1.7).
    """
    if link.opened is not None and link.opened.folder in folders:
        link.leave_folder(connection)
    told: dict[str, FolderStatus] = {}
    for at in range(0, len(folders), PIPELINED):
        told |= _told_at_once(link, connection, folders[at : at + PIPELINED], _query(connection, modseqs))
    found: dict[str, FolderStatus | FolderUnusable] = {}
    for folder in folders:
        try:
            found[folder] = told.get(folder) or status(link, connection, folder)
        except FolderUnusable as unusable:
            found[folder] = unusable
    return found


def open_for_appending(
    link: ReconnectingConnection, connection: Connection, folder: str
) -> tuple[FolderStatus, KeywordRule | None]:
    """By SELECT: Dovecot and others leave PERMANENTFLAGS empty in EXAMINE. The folder stays open: appending
    into the open one is faster with some servers, and slower with none that is known."""
    opened = link.open_folder(connection, folder, b"SELECT")
    if opened.uidnext is None:
        found = status(link, connection, folder)
    else:
        found = FolderStatus(opened.uidvalidity, opened.uidnext, opened.messages)
    if opened.read_only:
        return found, None
    if opened.permanent_flags is None:  # not told: all of them (RFC 9051 section 6.3.2)
        return found, KeywordRule()
    keywords = frozenset(flag for flag in opened.permanent_flags if not flag.startswith("\\"))
    return found, KeywordRule("\\*" in opened.permanent_flags, keywords)


def uids(link: ReconnectingConnection, connection: Connection, folder: FolderRef, at_or_above: Uid) -> UidSet:
    """The UIDs that the folder holds now, of a million messages too."""
    if not connection.has("ESEARCH") or connection.message_limit is not None:
        opened = link.examine(connection, folder)
    else:
        criterion = b"ALL" if at_or_above <= 1 else b"UID %d:*" % at_or_above
        command = b"UID SEARCH RETURN (ALL) " + criterion
        opened, tag = link.open_and_ask(connection, folder, command, afresh=True)
        worst_line_bytes = 1000 + 11 * opened.messages
        found = _found(connection, tag, min(worst_line_bytes, _SEARCH_LINE_BYTES))
        # Mail may have arrived meanwhile, but a set far above what the folder holds is made up.
        if found is not None and len(found) <= 1000 + 2 * opened.messages:
            return found.at_or_above(at_or_above)
    if not opened.messages or (opened.uidnext is not None and at_or_above >= opened.uidnext):
        return UidSet()
    return _enumerate(link, connection, folder, at_or_above)


def folder_command(
    link: ReconnectingConnection,
    connection: Connection,
    command: bytes,
    folder: str,
    *,
    what: str,
    rest: bytes = b"",
) -> Answer:
    """`command` on the folder by its name. `what` is what it could not be, in FolderUnusable."""
    try:
        return connection.call(b" ".join((command, link.quoted(folder), rest)).rstrip(b" "))
    except CommandRefused as refused:
        raise response_errors.folder_error(refused.reply, link.peer, folder, what) from None


def refused(
    link: ReconnectingConnection, connection: Connection, wanted: Sequence[tuple[bytes, str]]
) -> list[tuple[bytes, str]]:
    """Each (command, folder) in turn, sent without waiting for answers; those that were refused."""
    left: list[tuple[bytes, str]] = []
    for at in range(0, len(wanted), PIPELINED):
        commands: dict[tuple[bytes, str], bytes] = {}
        for command, folder in wanted[at : at + PIPELINED]:
            with contextlib.suppress(FolderUnusable):
                commands[command, folder] = b"%s %s" % (command, link.quoted(folder))
        answers = connection.call_all(list(commands.values()))
        left += [one for one, answer in zip(commands, answers, strict=True) if answer.reply.status != "OK"]
    return left


def status_at_once(
    link: ReconnectingConnection, connection: Connection, folders: Sequence[str], query: bytes
) -> dict[str, LiteralData]:
    """The STATUS answers of those folders for which they leave no doubt.

    A server may answer commands in another order (RFC 9051 section 5.5), so a STATUS counts when it came
    alone before the OK of its command and names the folder as we do.
    """
    names: dict[str, bytes] = {}
    for folder in folders:
        with contextlib.suppress(FolderUnusable):
            names[folder] = link.quoted(folder)
    answers = connection.call_all([b"STATUS %s %s" % (name, query) for name in names.values()])
    found: dict[str, LiteralData] = {}
    for folder, answer in zip(names, answers, strict=True):
        told = [event for event in answer.events if isinstance(event, LiteralData) and event.name == "STATUS"]
        if answer.reply.status != "OK" or len(told) != 1 or _name(told[0]) != link.names.encode(folder):
            continue
        found[folder] = told[0]
    return found


def status_numbers(event: WireEvent) -> dict[bytes, int]:
    """The items of a STATUS answer that are numbers; none when it is no such answer."""
    if not isinstance(event, LiteralData) or event.name != "STATUS":
        return {}
    items = _STATUS_ITEMS.search(event.text)
    words = items[1].upper().split() if items else []
    return {name: int(value) for name, value in zip(words[::2], words[1::2], strict=False) if value.isdigit()}


def _query(connection: Connection, modseqs: bool) -> bytes:
    if not (modseqs and connection.has("CONDSTORE")):
        return _STATUS_QUERY
    return _STATUS_QUERY.replace(b")", b" HIGHESTMODSEQ)")


def _told_at_once(
    link: ReconnectingConnection, connection: Connection, folders: Sequence[str], query: bytes
) -> dict[str, FolderStatus]:
    found: dict[str, FolderStatus] = {}
    for folder, answer in status_at_once(link, connection, folders, query).items():
        one = _status(answer)
        if one is not None:
            found[folder] = one
            link.seen[folder] = one.uidvalidity
    return found


def _told_along(link: ReconnectingConnection, events: Sequence[WireEvent]) -> dict[str, FolderStatus]:
    """The status of folders that are named readably and once."""
    told: dict[str, list[FolderStatus]] = {}
    for event in events:
        one = _status(event)
        if one is not None and isinstance(event, LiteralData) and isinstance(name := _name(event), bytes):
            told.setdefault(link.names.decode(name), []).append(one)
    return {name: found[0] for name, found in told.items() if len(found) == 1}


def _name(told: LiteralData) -> Value:
    """The name in front of a STATUS answer, None when it is not to be read."""
    try:
        return next(iter(told.values()), None)
    except WireError:
        return None


def _status(event: WireEvent) -> FolderStatus | None:
    """What a STATUS answer tells; None when it is none, or not a whole one."""
    found = status_numbers(event)
    if not {b"UIDVALIDITY", b"UIDNEXT", b"MESSAGES"} <= found.keys():
        return None
    return FolderStatus(
        UidValidity(found[b"UIDVALIDITY"]),
        Uid(found[b"UIDNEXT"]),
        found[b"MESSAGES"],
        highest_modseq=found.get(b"HIGHESTMODSEQ", 0),
    )


def _found(connection: Connection, tag: str, max_line_bytes: int) -> UidSet | None:
    """What UID SEARCH RETURN (ALL), RFC 4731, found: UIDs as ranges. None when refused, or not to be
    understood."""
    try:
        answer = connection.collect(tag, max_line_bytes=max_line_bytes)
    except CommandRefused:
        return None
    for event in answer.events:
        if isinstance(event, LiteralData) and event.name == "ESEARCH":
            values = [v.upper() if isinstance(v, bytes) else v for v in event.values()]
            if b"ALL" not in values:
                return UidSet()  # the way to say that there is none
            match values[values.index(b"ALL") + 1 :]:
                case [bytes() as uids, *_]:
                    with contextlib.suppress(ValueError):
                        return UidSet.parse(uids.decode("ascii"))
    return None


def _enumerate(
    link: ReconnectingConnection, connection: Connection, folder: FolderRef, at_or_above: Uid
) -> UidSet:
    """UID FETCH of nothing but UIDs: SEARCH puts them all on one line, which ends at a megabyte or so.

    A server may do only a part of a command (RFC 9738, Yahoo), the highest UIDs or the lowest: what lies
    below and above what it told is asked for until all is told.
    """
    ask = partial(_enumerated, link, connection, folder, at_or_above)
    shown, partly = ask(b"%d:*" % at_or_above)
    while partly and (lowest := shown.lowest) and (highest := shown.highest):
        below, partly_below = (
            ask(b"%d:%d" % (at_or_above, lowest - 1)) if lowest > at_or_above else (UidSet(), False)
        )
        above, partly_above = ask(b"%d:*" % (highest + 1))
        fresh = (below | above) - shown
        shown |= fresh
        partly = bool(fresh) and (partly_below or partly_above)
    return shown


def _enumerated(
    link: ReconnectingConnection, connection: Connection, folder: FolderRef, at_or_above: Uid, asked: bytes
) -> tuple[UidSet, bool]:
    """What one command tells, and whether the server did only a part of it."""
    ranges: list[tuple[int, int]] = []
    running = connection.run(b"UID FETCH " + asked + b" (UID)")
    try:
        while True:
            event = next(running)
            # n:* holds the last message even when its UID is below n (RFC 9051: seq-range).
            if not isinstance(event, Fetched) or event.uid is None or event.uid < at_or_above:
                continue
            if ranges and ranges[-1][1] + 1 == event.uid:
                ranges[-1] = (ranges[-1][0], event.uid)
            else:
                ranges.append((event.uid, event.uid))
    except StopIteration as ended:
        return UidSet.from_ranges(ranges), ended.value.code == "MESSAGELIMIT"
    except CommandRefused as refused:
        raise response_errors.folder_error(refused.reply, link.peer, folder.name, "read") from None
