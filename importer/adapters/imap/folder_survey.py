"""Lists the folders of a mailbox with their statuses, as completely as the server allows.

If the server ends the connection at a command, it is asked in another way: without extensions, or for one
folder at a time. A folder at which it ends each time costs that folder only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from importer.adapters.imap import exchange_folders, folder_list, folder_status, response_errors
from importer.adapters.imap.append_choice import is_exchange
from importer.adapters.imap.connection import MAX_PIPELINED, Connection
from importer.adapters.imap.folder_cursor import FolderCursor
from importer.adapters.imap.reconnecting import ReconnectingConnection, pause
from importer.domain.mailbox_content import Folder, FolderStatus, Hierarchy
from importer.domain.planning.retry_limits import MAX_CONSECUTIVE_FAILURES
from importer.ports.mailbox import FolderCount, MailboxListing, uncounted
from importer.ports.mailbox_errors import FolderLeftOut, FolderUnusable
from providers.errors import ConnectionLost, ProtocolViolation, ServerTooSlow, Side
from providers.text import Text

_FILLED_SAMPLES: Final = 2

_SHARED: Final = Text("folder_left_out.shared")
"""Why folders outside the user's own namespaces (RFC 2342) are left out."""

_MISSING = re.compile(
    r"NONEXISTENT|TRYCREATE|(?:does not|doesn't|not) exist|no such|unknown mailbox|not found", re.I
)
"""The words of servers for a folder that does not exist."""


def _status_or_error(
    folder: str, cursor: FolderCursor, connection: Connection
) -> FolderStatus | FolderUnusable:
    try:
        return folder_status.status(cursor, connection, folder)
    except FolderUnusable as unusable:
        return unusable


def _avoids_status(_cursor: FolderCursor, connection: Connection) -> bool:
    """Use EXAMINE in place of STATUS from now on. Return whether that was the case before."""
    before = connection.fallbacks.by_examine
    connection.fallbacks.by_examine = True
    return before


def _folders_without_mail(
    statuses: Mapping[str, FolderStatus | FolderUnusable],
) -> dict[str, FolderLeftOut]:
    """Return the folders of an Exchange mailbox that hold no mail."""
    counts = {
        name: status.messages if isinstance(status := statuses[name], FolderStatus) else 0
        for name in exchange_folders.without_mail(statuses)
    }
    return {
        name: FolderLeftOut(exchange_folders.NO_MAIL, messages=count, side=Side.SOURCE)
        for name, count in counts.items()
    }


class FolderSurvey:
    """The folders of one session. Methods raise as those of `MailboxReader`."""

    def __init__(self, link: ReconnectingConnection, visible_messages: int | None) -> None:
        """`visible_messages`: number of messages per folder that the server shows at most, None if
        unknown."""
        self._link = link
        self._hierarchy: Hierarchy | None = None
        self._visible_messages = visible_messages

    def hierarchy(self) -> Hierarchy:
        return self._hierarchy or self._listing().hierarchy

    def folders(self) -> Sequence[Folder]:
        return self._listing().folders

    def listing(self, *, modseqs: bool = False, count: FolderCount = uncounted) -> MailboxListing:
        listed = self._listing(modseqs=modseqs, count=count)
        selectable = [folder.name for folder in listed.folders if folder.selectable]
        known = {name: listed.statuses[name] for name in selectable if name in listed.statuses}
        self._link.cursor.note_uidvalidities({name: status.uidvalidity for name, status in known.items()})
        rest = [name for name in selectable if name not in known]
        statuses = {
            **known,
            **self._statuses(rest, modseqs=modseqs, count=count),
        }
        self._settle_inbox(listed, statuses)
        if self._link.peer.side is Side.SOURCE:
            if not self._are_confirmed(statuses):
                statuses |= self._statuses(list(statuses))
            if self._link.ask(is_exchange):
                statuses |= _folders_without_mail(statuses)
            statuses |= self._shared_folders(listed) | self._unreadable_lines(listed)
        return MailboxListing(listed.hierarchy, listed.folders, statuses, self._partial(statuses))

    def _partial(self, statuses: Mapping[str, FolderStatus | FolderUnusable]) -> dict[str, Text]:
        """Return the folders that hold exactly as many messages as the server shows at most."""
        limit = self._visible_messages
        text = Text("partly_shown", host=self._link.peer.host, number=limit or 0)
        return {
            name: text
            for name, status in statuses.items()
            if isinstance(status, FolderStatus) and status.messages == limit
        }

    def _are_confirmed(self, statuses: Mapping[str, FolderStatus | FolderUnusable]) -> bool:
        """Return False if a folder has more messages when it is opened than its status says: STATUS then
        returns an earlier state. INBOX and the largest other folder are opened, and those that are empty by
        their status."""
        known = {name: status for name, status in statuses.items() if isinstance(status, FolderStatus)}
        filled = sorted(
            (name for name, status in known.items() if status.messages),
            key=lambda name: (name != "INBOX", -known[name].messages),
        )
        empty = [name for name, status in known.items() if not status.messages]
        chosen = {name: known[name] for name in (*filled[:_FILLED_SAMPLES], *empty)}
        by_examine = self._link.ask(lambda _cursor, connection: connection.fallbacks.by_examine)
        if by_examine or not chosen:
            return True
        try:
            return self._link.ask(partial(folder_status.confirmed_by_examine, statuses=chosen), attempts=1)
        except ServerTooSlow:
            raise
        except (ConnectionLost, ProtocolViolation):  # perhaps because of one of them, which the copy reports
            return True

    def _settle_inbox(
        self, listing: folder_list.Listing, statuses: dict[str, FolderStatus | FolderUnusable]
    ) -> None:
        """Remove an INBOX from `statuses` that the server neither lists nor opens. Raises LoginRejected or
        ServerUnavailable if the server refuses both the list and INBOX."""
        inbox = statuses.get("INBOX")
        if not isinstance(inbox, FolderUnusable):
            return
        if listing.refusal is not None:
            words = response_errors.server_words(listing.refusal) or inbox.server_text
            raise self._link.with_alerts(response_errors.nothing_allowed(words, self._link.peer))
        if not listing.inbox_listed and (
            self._link.peer.side is Side.DESTINATION or _MISSING.search(inbox.server_text)
        ):
            del statuses["INBOX"]

    def _shared_folders(self, listing: folder_list.Listing) -> dict[str, FolderStatus | FolderUnusable]:
        """Return the folders of other users and of all, which are left out, with their number of messages."""
        known = dict(listing.statuses)
        asked = [name for name in listing.shared if name not in known][:MAX_PIPELINED]
        if asked:
            answers = self._statuses(asked)
            known |= {name: status for name, status in answers.items() if isinstance(status, FolderStatus)}
        return {
            name: FolderLeftOut(
                _SHARED,
                messages=known[name].messages if name in known else 0,
                side=self._link.peer.side,
            )
            for name in listing.shared
        }

    def _unreadable_lines(self, listing: folder_list.Listing) -> dict[str, FolderStatus | FolderUnusable]:
        unreadable = {f"LIST {response_errors.printable(line)}": line for line in listing.unreadable}
        if listing.refusal is not None:
            unreadable["LIST"] = response_errors.server_words(listing.refusal)
        elif listing.names_nothing:
            unreadable["LIST"] = "its list is empty, without INBOX"
        return {
            name: response_errors.list_unreadable(self._link.peer, line, refused=name == "LIST")
            for name, line in unreadable.items()
        }

    def status(self, folder: str) -> FolderStatus:
        return self._link.ask(lambda cursor, connection: folder_status.status(cursor, connection, folder))

    def statuses(self, folders: Sequence[str]) -> Mapping[str, FolderStatus | FolderUnusable]:
        return self._statuses(folders)

    def _statuses(
        self, folders: Sequence[str], *, modseqs: bool = False, count: FolderCount = uncounted
    ) -> dict[str, FolderStatus | FolderUnusable]:
        """Return the status of each folder. If the connection ends repeatedly, ask for one at a time."""
        try:
            return self._link.ask(
                partial(folder_status.statuses, folders=folders, modseqs=modseqs, count=count), attempts=2
            )
        except ServerTooSlow:
            raise
        except (ConnectionLost, ProtocolViolation):
            return self._statuses_singly(folders, count)

    def _statuses_singly(
        self, folders: Sequence[str], count: FolderCount
    ) -> dict[str, FolderStatus | FolderUnusable]:
        """Return the status of each folder. One at which the connection ends is left for the end and asked
        for twice more, alone; if the server answers otherwise, it is unusable. If it ends at each of them,
        EXAMINE is used in place of STATUS."""
        result: dict[str, FolderStatus | FolderUnusable] = {}
        suspects: list[str] = []
        consecutive = 0
        for done, folder in enumerate(folders, start=1):
            count(done, len(folders))
            try:
                result[folder] = self._link.ask(partial(_status_or_error, folder), attempts=1)
                consecutive = 0
            except ServerTooSlow:
                raise
            except (ConnectionLost, ProtocolViolation):
                consecutive += 1
                if consecutive >= MAX_CONSECUTIVE_FAILURES:
                    if self._link.ask(_avoids_status):
                        raise
                    return self._statuses_singly(folders, count)
                suspects.append(folder)
                pause(consecutive)
        for folder in suspects:
            try:
                result[folder] = self._link.ask(partial(_status_or_error, folder), attempts=2)
            except ServerTooSlow:
                raise
            except (ConnectionLost, ProtocolViolation) as error:
                self._link.ask(lambda _cursor, connection: connection.call(b"NOOP"))
                words = error.server_text or "the connection ends each time it is requested"
                result[folder] = response_errors.folder_unusable(self._link.peer, folder, "opened", words)
        return {folder: result[folder] for folder in folders}

    def _listing(self, *, modseqs: bool = False, count: FolderCount = uncounted) -> folder_list.Listing:
        """Return all folders. If the connection ends each time, ask without extensions."""
        steps: list[tuple[str, ...]] = [(), ("LIST-EXTENDED", "LIST-STATUS"), ("NAMESPACE",)]
        avoided: list[str] = []

        def list_folders(cursor: FolderCursor, connection: Connection) -> folder_list.Listing:
            connection.capabilities -= set(avoided)
            return folder_list.list_folders(cursor, connection, modseqs=modseqs, count=count)

        for step in steps:
            avoided += step
            try:
                listing = self._link.ask(list_folders, attempts=1 if step else 2)
            except ServerTooSlow:
                raise
            except (ConnectionLost, ProtocolViolation):
                if step == steps[-1]:
                    raise
            else:
                break
        if avoided:
            self._link.ask(lambda _cursor, connection: connection.disable(*avoided))
        self._hierarchy = listing.hierarchy
        return listing
