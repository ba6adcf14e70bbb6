"""`MailboxSession` over IMAP.

Invariants
- A source is opened with EXAMINE and read with BODY.PEEK: nothing at a source changes, not even \\Seen.
- Flags change at a destination only, only in `change_flags`, and each by its name.
- CLOSE and EXPUNGE are never sent. Only `remove` removes messages, at a destination only and by UID: UID
  EXPUNGE (RFC 4315).
- Reads reconnect. `append` never does, and raises ConnectionLost after a failure of unknown outcome.
"""

from __future__ import annotations

import contextlib
import re
from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from operator import lt
from typing import Final, TypeVar

from importer.adapters.imap import (
    exchange_folders,
    expunge,
    folder_commands,
    quota,
    response_errors,
    store_flags,
)
from importer.adapters.imap.append_choice import begin_append, is_exchange
from importer.adapters.imap.connection import Connection
from importer.adapters.imap.content_reader import ContentReader
from importer.adapters.imap.fetch import Query, Unreadable, fetch, without_recent
from importer.adapters.imap.login_limiter import LoginLimiter
from importer.adapters.imap.reconnecting import MAX_READ_ATTEMPTS, ReconnectingConnection, pause
from importer.adapters.imap.response_errors import Peer
from importer.adapters.imap.uid_lister import UidLister
from importer.adapters.imap.utf7_names import FolderNames
from importer.compact.uid_set import Uid, UidSet
from importer.domain.model import (
    AppendResult,
    Folder,
    FolderRef,
    FolderStatus,
    HeaderLines,
    Hierarchy,
    KeywordRule,
    Message,
    NotHandedOut,
    Outgoing,
    Outline,
    Quota,
)
from importer.domain.planning.server_limits import MAX_HEADER_LINES_BYTES, MAX_ITEM_BYTES
from importer.ports.work_limit import WorkLimit
from providers.errors import (
    ConnectionLost,
    ErrorScope,
    FolderLeftOut,
    FolderUnusable,
    MailError,
    ProtocolViolation,
    ServerTooSlow,
    Side,
)

_SIZES: Final = Query(
    b"(UID RFC822.SIZE)",
    lambda message: message.size_bytes is not None,
    10_000,
    usable=lambda message: True,
    bytes_each=MAX_ITEM_BYTES,
)
_HEADERS: Final = Query(
    b"(UID RFC822.SIZE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE FROM SUBJECT)])",
    lambda message: message.size_bytes is not None and message.header is not None,
    1_000,
    usable=lambda message: message.header is not None,
    bytes_each=MAX_HEADER_LINES_BYTES,
)
_OUTLINES: Final = Query(
    b"(UID RFC822.SIZE INTERNALDATE)",
    lambda message: message.size_bytes is not None and message.internaldate is not None,
    10_000,
    usable=lambda message: True,
    bytes_each=MAX_ITEM_BYTES,
)
_FLAGS: Final = Query(
    b"(UID FLAGS)", lambda message: message.flags is not None, 10_000, bytes_each=MAX_ITEM_BYTES
)

SHARED_REASON: Final = "shared and public folders do not belong to this mailbox"
"""Why folders outside the user's own namespaces (RFC 2342) are left out."""

_MISSING = re.compile(
    r"NONEXISTENT|TRYCREATE|(?:does not|doesn't|not) exist|no such|unknown mailbox|not found", re.I
)
"""Words of a server that has no such folder."""

_GMAIL_EXTENSION: Final = "X-GM-EXT-1"

_MAX_SIZE_BYTES: Final = 2**63 - 1  # bound for the sizes that servers report

_MAX_CREATES_LOST: Final = 10

T = TypeVar("T")


def _status_or_error(
    folder: str, link: ReconnectingConnection, connection: Connection
) -> FolderStatus | FolderUnusable:
    try:
        return folder_commands.status(link, connection, folder)
    except FolderUnusable as unusable:
        return unusable


def _folders_without_mail(
    statuses: Mapping[str, FolderStatus | FolderUnusable],
) -> dict[str, FolderLeftOut]:
    """Return the folders of an Exchange mailbox that hold no mail."""
    counts = {
        name: status.messages if isinstance(status := statuses[name], FolderStatus) else 0
        for name in exchange_folders.without_mail(statuses)
    }
    return {
        name: FolderLeftOut(exchange_folders.NO_MAIL_REASON, messages=count, side=Side.SOURCE)
        for name, count in counts.items()
    }


class ImapSession:
    """Implements `MailboxSession` (importer/ports/mailbox.py), which describes the methods."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        side: Side,
        names: FolderNames,
        visible_messages: int | None = None,
        logins: LoginLimiter | None = None,
        limit: WorkLimit | None = None,
    ) -> None:
        """`visible_messages`: number of messages per folder that the server shows at most, None if
        unknown."""
        self.side = side
        self._link = ReconnectingConnection(connect, names, logins, limit)
        self._hierarchy: Hierarchy | None = None
        self._creates_lost = 0  # CREATEs in a row that ended the connection twice
        self._visible_messages = visible_messages
        self._possibly_truncated: list[str] = []  # folders
        self._content_reader = ContentReader(self._link)
        self._uid_lister = UidLister()

    @property
    def link(self) -> ReconnectingConnection:
        """For views on the mailbox such as `GmailSource`."""
        return self._link

    @property
    def peer(self) -> Peer:
        return self._link.peer

    def has_capability(self, capability: str) -> bool:
        """Return whether the server has a capability."""
        return self._retry_read(lambda _link, connection: connection.has(capability))

    def fence(self, check: Callable[[], None]) -> None:
        self._link.fence(check)

    def cut_off(self) -> None:
        self._link.cut_off()

    def renew(self) -> None:
        self._link.reconnect()

    def close(self) -> None:
        self._link.close()

    # --- Folders -----------------------------------------------------------------------------------

    def hierarchy(self) -> Hierarchy:
        return self._hierarchy or self._listing().hierarchy

    def folders(self) -> Sequence[Folder]:
        return self._listing().folders

    def folders_and_statuses(
        self, *, modseqs: bool = False
    ) -> tuple[Sequence[Folder], Mapping[str, FolderStatus | FolderUnusable]]:
        listing = self._listing(modseqs=modseqs)
        selectable = [folder.name for folder in listing.folders if folder.selectable]
        listed = {name: listing.statuses[name] for name in selectable if name in listing.statuses}
        self._link.uidvalidities.update((name, status.uidvalidity) for name, status in listed.items())
        rest = [name for name in selectable if name not in listed]
        statuses = {
            **{name: self._within_limit(name, status) for name, status in listed.items()},
            **self._statuses(rest, modseqs=modseqs),
        }
        self._settle_inbox(listing, statuses)
        if self.side is Side.SOURCE:
            if not self._are_empty(statuses):
                statuses |= self._statuses(list(statuses))
            if self._retry_read(is_exchange):
                statuses |= _folders_without_mail(statuses)
            statuses |= self._shared_folders(listing) | self._unreadable_lines(listing)
        self._possibly_truncated = [
            name
            for name, status in statuses.items()
            if isinstance(status, FolderStatus) and status.messages == self._visible_messages
        ]
        return listing.folders, statuses

    def _within_limit(self, folder: str, status: FolderStatus) -> FolderStatus | FolderUnusable:
        try:
            return folder_commands.within_limit(self._link, folder, status)
        except FolderUnusable as beyond:
            return beyond

    def _are_empty(self, statuses: Mapping[str, FolderStatus | FolderUnusable]) -> bool:
        """Return False if a folder without messages, by its status, has some when it is opened."""
        empty = [n for n, s in statuses.items() if isinstance(s, FolderStatus) and not s.messages]
        by_examine = self._retry_read(lambda _link, connection: connection.fallbacks.by_examine)
        if by_examine or not empty:
            return True
        try:
            return self._retry_read(partial(folder_commands.are_empty, folders=empty), attempts=1)
        except ServerTooSlow:
            raise
        except (ConnectionLost, ProtocolViolation):  # perhaps because of one of them, which the copy reports
            return True

    def _settle_inbox(
        self, listing: folder_commands.Listing, statuses: dict[str, FolderStatus | FolderUnusable]
    ) -> None:
        """Remove an INBOX from `statuses` that the server neither lists nor opens. Raises LoginRejected or
        ServerUnavailable if the server refuses both the list and INBOX."""
        inbox = statuses.get("INBOX")
        if not isinstance(inbox, FolderUnusable):
            return
        if listing.refusal is not None:
            words = response_errors.server_words(listing.refusal) or inbox.server_text
            raise self._with_alerts(response_errors.nothing_allowed(words, self.peer))
        if not listing.inbox_listed and (self.side is Side.DESTINATION or _MISSING.search(inbox.server_text)):
            del statuses["INBOX"]

    def _shared_folders(self, listing: folder_commands.Listing) -> dict[str, FolderStatus | FolderUnusable]:
        """Return the folders of other users and of all, which are left out, with their number of messages."""
        known = dict(listing.statuses)
        asked = [name for name in listing.shared if name not in known][: folder_commands.MAX_PIPELINED]
        if asked:
            answers = self._statuses(asked)
            known |= {name: status for name, status in answers.items() if isinstance(status, FolderStatus)}
        return {
            name: FolderLeftOut(
                SHARED_REASON, messages=known[name].messages if name in known else 0, side=self.side
            )
            for name in listing.shared
        }

    def _unreadable_lines(self, listing: folder_commands.Listing) -> dict[str, FolderStatus | FolderUnusable]:
        unreadable = {f"LIST {response_errors.printable(line)}": line for line in listing.unreadable}
        if listing.refusal is not None:
            unreadable["LIST"] = response_errors.server_words(listing.refusal)
        elif listing.names_nothing:
            unreadable["LIST"] = "its list is empty, without INBOX"
        return {
            name: response_errors.list_unreadable(self.peer, line, refused=name == "LIST")
            for name, line in unreadable.items()
        }

    def status(self, folder: str) -> FolderStatus:
        return self._retry_read(lambda link, connection: folder_commands.status(link, connection, folder))

    def statuses(self, folders: Sequence[str]) -> Mapping[str, FolderStatus | FolderUnusable]:
        return self._statuses(folders)

    def _statuses(
        self, folders: Sequence[str], *, modseqs: bool = False
    ) -> dict[str, FolderStatus | FolderUnusable]:
        """Return the status of each folder. If the connection ends repeatedly, ask for one at a time."""
        try:
            return self._retry_read(
                partial(folder_commands.statuses, folders=folders, modseqs=modseqs), attempts=2
            )
        except ServerTooSlow:
            raise
        except (ConnectionLost, ProtocolViolation):
            return self._statuses_singly(folders)

    def _statuses_singly(self, folders: Sequence[str]) -> dict[str, FolderStatus | FolderUnusable]:
        """Return the status of each folder. One at which the connection ends is left for the end and asked
        for twice more, alone; if the server answers otherwise, it is unusable."""
        result: dict[str, FolderStatus | FolderUnusable] = {}
        suspects: list[str] = []
        consecutive = 0
        for folder in folders:
            try:
                result[folder] = self._retry_read(partial(_status_or_error, folder), attempts=1)
                consecutive = 0
            except ServerTooSlow:
                raise
            except (ConnectionLost, ProtocolViolation):
                consecutive += 1
                if consecutive >= response_errors.MAX_CONSECUTIVE_FAILURES:
                    raise
                suspects.append(folder)
                pause(consecutive)
        for folder in suspects:
            try:
                result[folder] = self._retry_read(partial(_status_or_error, folder), attempts=2)
            except ServerTooSlow:
                raise
            except (ConnectionLost, ProtocolViolation) as error:
                self._retry_read(lambda _link, connection: connection.call(b"NOOP"))
                words = error.server_text or "the connection ends each time it is requested"
                result[folder] = response_errors.folder_unusable(self.peer, folder, "opened", words)
        return {folder: result[folder] for folder in folders}

    def create(self, folder: str) -> None:
        """Create the folder; it may exist already. A CREATE that ends the connection twice is a refusal, as
        long as not all of them do."""
        try:
            self._create_once(folder)
        except (ConnectionLost, ProtocolViolation) as first:
            self._link.drop()
            if isinstance(first, ServerTooSlow) or self._creates_lost > _MAX_CREATES_LOST:
                raise
            if self._opens(folder):  # the connection ended after the folder was created
                return
            try:
                self._create_once(folder)
            except (ConnectionLost, ProtocolViolation) as error:
                self._link.drop()
                self._creates_lost += 1
                words = error.server_text or "the connection ended"
                raise response_errors.folder_unusable(self.peer, folder, "created", words) from error
        self._creates_lost = 0

    def _create_once(self, folder: str) -> None:
        link = self._link
        try:
            folder_commands.folder_command(link, link.connection(), b"CREATE", folder, what="created")
        except FolderUnusable as refused:
            # The folder may exist already; servers have no common reply for that.
            if not self._opens(folder):
                raise refused from None

    def _opens(self, folder: str) -> bool:
        try:
            self.status(folder)
        except FolderUnusable:
            return False
        return True

    def subscribe(self, folder: str) -> None:
        self._folder_command(b"SUBSCRIBE", folder, "subscribed to")

    def create_and_subscribe(self, create: Sequence[str], subscribe: Sequence[str]) -> Collection[str]:
        requests = [
            *((b"CREATE", folder) for folder in create),
            *((b"SUBSCRIBE", folder) for folder in subscribe),
        ]
        try:
            refused = folder_commands.run_all(self._link, self._link.connection(), requests)
        except ServerTooSlow:
            raise
        except (ConnectionLost, ProtocolViolation):  # perhaps because of one of them: each on its own
            self._link.drop()
            refused = requests
        failed = []
        for command, folder in refused:
            if command == b"CREATE":  # it may exist already, which `create` checks
                try:
                    self.create(folder)
                except FolderUnusable:
                    failed.append(folder)
            elif refused is requests:
                with contextlib.suppress(FolderUnusable):
                    self.subscribe(folder)
        return failed

    def open_for_appending(self, folder: str) -> tuple[FolderStatus, KeywordRule | None]:
        self._require_destination()
        return self._retry_read(
            lambda link, connection: folder_commands.open_for_appending(link, connection, folder)
        )

    def has_labels(self) -> bool:
        return self.has_capability(_GMAIL_EXTENSION)

    def partial_folders(self) -> Mapping[str, str]:
        sentence = (
            f"{self.peer.endpoint.host} shows at most {self._visible_messages or 0:,} messages per folder,"
            " and exactly that many of this one: older messages may be missing."
        )
        return dict.fromkeys(self._possibly_truncated, sentence)

    # --- Reading -----------------------------------------------------------------------------------

    def uids(self, folder: FolderRef, at_or_above: Uid = Uid(1)) -> UidSet:
        return self._link.retry_folder(
            folder.name,
            lambda connection: self._uid_lister.uids(self._link, connection, folder, at_or_above),
        )

    def unlisted(self, folder: FolderRef) -> int:
        return self._uid_lister.unlisted.get(folder, 0)

    def sizes(self, folder: FolderRef, uids: UidSet) -> Iterator[tuple[Uid, int]]:
        for piece in uids.chunks(_SIZES.max_members):
            # Arrays need a tenth of the memory of that many pairs.
            fetched_uids, sizes_bytes = array("q"), array("q")
            for message in fetch(self._link, folder, piece, _SIZES):
                if message.uid is not None:
                    fetched_uids.append(message.uid)
                    # The message exists but the server cannot report its size: 0 keeps it in the tally.
                    size_bytes = 0 if isinstance(message, Unreadable) else message.size_bytes or 0
                    sizes_bytes.append(min(size_bytes, _MAX_SIZE_BYTES))
            count = len(fetched_uids)
            ascending = all(map(lt, fetched_uids, islice(fetched_uids, 1, None)))
            order = range(count) if ascending else sorted(range(count), key=fetched_uids.__getitem__)
            for index in order:
                yield Uid(fetched_uids[index]), sizes_bytes[index]

    def headers(self, folder: FolderRef, uids: UidSet) -> Iterator[HeaderLines]:
        for message in fetch(self._link, folder, uids, _HEADERS):
            if isinstance(message, Unreadable):
                yield HeaderLines(message.uid, 0, b"")  # exists, but equals no other message
            elif message.uid is not None:
                yield HeaderLines(message.uid, message.size_bytes or 0, message.header or b"")

    def messages(self, folder: FolderRef, uids: UidSet) -> Iterator[Message | NotHandedOut]:
        return self._content_reader.messages(folder, uids)

    def flags(
        self, folder: FolderRef, uids: UidSet, changed_since: int = 0
    ) -> Iterator[tuple[Uid, tuple[str, ...]]]:
        since = changed_since if changed_since and self.has_capability("CONDSTORE") else 0
        query = replace(_FLAGS, items=b"%s (CHANGEDSINCE %d)" % (_FLAGS.items, since)) if since else _FLAGS
        for message in fetch(self._link, folder, uids, query):
            if not isinstance(message, Unreadable) and message.uid is not None:
                yield message.uid, without_recent(message.flags or ())

    def outlines(self, folder: FolderRef, uids: UidSet) -> Iterator[Outline]:
        for message in fetch(self._link, folder, uids, _OUTLINES):
            if isinstance(message, Unreadable):
                yield Outline(message.uid, 0, "")
            elif message.uid is not None:
                yield Outline(message.uid, message.size_bytes or 0, message.internaldate or "")

    # --- Sizes -------------------------------------------------------------------------------------

    def folder_bytes(self, folders: Sequence[str]) -> Mapping[str, int]:
        return self._retry_read(lambda link, connection: quota.folder_bytes(link, connection, folders))

    def quota(self) -> Quota | None:
        return self._retry_read(quota.quota)

    # --- Flags -------------------------------------------------------------------------------------

    def change_flags(
        self, folder: FolderRef, uids: UidSet, add: Sequence[str], remove: Sequence[str]
    ) -> bool:
        self._require_destination()
        return self._retry_read(
            lambda link, connection: store_flags.change_flags(link, connection, folder, uids, add, remove)
        )

    # --- Removing ----------------------------------------------------------------------------------

    def supports_uid_expunge(self) -> bool:
        return self._retry_read(lambda _link, connection: expunge.supports_uid_expunge(connection))

    def remove(self, folder: FolderRef, uids: UidSet, *, unchanged_since: int = 0) -> UidSet:
        self._require_destination()
        since = unchanged_since if unchanged_since and self.has_capability("CONDSTORE") else 0
        return self._retry_read(
            lambda link, connection: expunge.remove(link, connection, folder, uids, since)
        )

    def remove_folder(self, folder: FolderRef) -> None:
        self._require_destination()
        self._retry_read(lambda link, connection: expunge.remove_folder(link, connection, folder))

    # --- Writing -----------------------------------------------------------------------------------

    def append_limit_bytes(self) -> int | None:
        for capability in self._retry_read(lambda _link, connection: connection.capabilities):
            name, _, value = capability.partition("=")
            if name == "APPENDLIMIT" and value.isdigit():
                return int(value)
        return None

    def append(self, folder: FolderRef, messages: Sequence[Outgoing]) -> Sequence[AppendResult]:
        # None is returned only without `singly`.
        return begin_append(self._link, folder, messages, self.status, singly=True)() or []

    def begin_append(
        self, folder: FolderRef, messages: Sequence[Outgoing]
    ) -> Callable[[], Sequence[AppendResult] | None]:
        return begin_append(self._link, folder, messages, self.status, singly=False)

    # -----------------------------------------------------------------------------------------------

    def _retry_read(
        self,
        operation: Callable[[ReconnectingConnection, Connection], T],
        *,
        attempts: int = MAX_READ_ATTEMPTS,
    ) -> T:
        try:
            return self._link.retry_read(
                lambda connection: operation(self._link, connection), attempts=attempts
            )
        except MailError as error:
            raise self._with_alerts(error) from error.__cause__

    def _with_alerts(self, error: MailError) -> MailError:
        """Add to the error what the server wanted its users to read, unless a single folder is concerned."""
        if error.scope is not ErrorScope.FOLDER:
            error.server_text = response_errors.with_alerts(error.server_text, self._link.alerts)
        return error

    def _listing(self, *, modseqs: bool = False) -> folder_commands.Listing:
        """Return all folders. If the connection ends each time, ask without extensions."""
        steps: list[tuple[str, ...]] = [(), ("LIST-EXTENDED", "LIST-STATUS"), ("NAMESPACE",)]
        avoided: list[str] = []

        def list_folders(link: ReconnectingConnection, connection: Connection) -> folder_commands.Listing:
            connection.capabilities -= set(avoided)
            return folder_commands.list_folders(link, connection, modseqs=modseqs)

        for step in steps:
            avoided += step
            try:
                listing = self._retry_read(list_folders, attempts=1 if step else 2)
            except ServerTooSlow:
                raise
            except (ConnectionLost, ProtocolViolation):
                if step == steps[-1]:
                    raise
            else:
                break
        if avoided:
            self._retry_read(lambda _link, connection: connection.disable(*avoided))
        self._hierarchy = listing.hierarchy
        return listing

    def _require_destination(self) -> None:
        if self.side is Side.SOURCE:
            raise ValueError("nothing is ever changed at a source")

    def _folder_command(self, command: bytes, folder: str, what: str) -> None:
        self._retry_read(
            lambda link, connection: folder_commands.folder_command(
                link, connection, command, folder, what=what
            )
        )
