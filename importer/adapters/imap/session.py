"""`MailboxSession` over IMAP.

Invariants
- A source is opened with EXAMINE and read with BODY.PEEK: nothing at a source changes, not even \\Seen.
- Flags change at a destination only, only in `change_flags`, and each by its name.
- CLOSE and EXPUNGE are never sent. Only `remove` removes messages, at a destination only and by UID: UID
  EXPUNGE (RFC 4315).
- Reads reconnect. `append` never does, and raises ConnectionLost after a failure of unknown outcome.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import islice
from operator import lt
from typing import Final, TypeVar

from importer.adapters.imap import (
    exchange_append,
    exchange_folders,
    expunge,
    folder_commands,
    quota,
    response_errors,
    store_flags,
)
from importer.adapters.imap.connection import Connection
from importer.adapters.imap.fetch import Query, Unreadable, fetch, without_recent
from importer.adapters.imap.reconnecting import ReconnectingConnection
from importer.adapters.imap.response_errors import Peer
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
from providers.errors import FolderLeftOut, FolderUnusable, ProtocolViolation, Side

_SIZES: Final = Query(b"(UID RFC822.SIZE)", lambda message: message.size_bytes is not None, 10_000)
_HEADERS: Final = Query(
    b"(UID RFC822.SIZE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE FROM SUBJECT)])",
    lambda message: message.size_bytes is not None and message.header is not None,
    1_000,
)
_OUTLINES: Final = Query(
    b"(UID RFC822.SIZE INTERNALDATE)",
    lambda message: message.size_bytes is not None and message.internaldate is not None,
    10_000,
)
_FLAGS: Final = Query(b"(UID FLAGS)", lambda message: message.flags is not None, 10_000)
_MESSAGES: Final = Query(
    b"(UID FLAGS INTERNALDATE BODY.PEEK[])",
    lambda message: None not in (message.body, message.flags, message.internaldate),
    10_000,
)

_GMAIL_EXTENSION: Final = "X-GM-EXT-1"

_MAX_SIZE_BYTES: Final = 2**63 - 1  # bound for the sizes that servers report

T = TypeVar("T")


@contextmanager
def _outcome_unknown(link: ReconnectingConnection) -> Iterator[None]:
    """Raise ConnectionLost for a ProtocolViolation: after an invalid reply the outcome of an append is
    unknown."""
    try:
        yield
    except ProtocolViolation as violation:
        raise response_errors.lost(link.peer, violation.server_text) from violation


def _is_exchange(_link: ReconnectingConnection, connection: Connection) -> bool:
    return exchange_append.is_exchange(connection.capabilities)


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
    ) -> None:
        """`visible_messages`: number of messages per folder that the server shows at most, None if
        unknown."""
        self.side = side
        self._link = ReconnectingConnection(connect, names)
        self._hierarchy: Hierarchy | None = None
        self._visible_messages = visible_messages
        self._possibly_truncated: list[str] = []  # folders

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
        requested = self._retry_read(partial(folder_commands.statuses, folders=rest, modseqs=modseqs))
        statuses = {**listed, **requested}
        if self.side is Side.SOURCE and self._retry_read(_is_exchange):
            statuses |= _folders_without_mail(statuses)
        self._possibly_truncated = [
            name
            for name, status in statuses.items()
            if isinstance(status, FolderStatus) and status.messages == self._visible_messages
        ]
        return listing.folders, statuses

    def status(self, folder: str) -> FolderStatus:
        return self._retry_read(lambda link, connection: folder_commands.status(link, connection, folder))

    def statuses(self, folders: Sequence[str]) -> Mapping[str, FolderStatus | FolderUnusable]:
        return self._retry_read(lambda link, connection: folder_commands.statuses(link, connection, folders))

    def create(self, folder: str) -> None:
        try:
            self._folder_command(b"CREATE", folder, "created")
        except FolderUnusable as refused:
            # The folder may exist already; servers have no common reply for that.
            try:
                self.status(folder)
            except FolderUnusable:
                raise refused from None

    def subscribe(self, folder: str) -> None:
        self._folder_command(b"SUBSCRIBE", folder, "subscribed to")

    def create_and_subscribe(self, create: Sequence[str], subscribe: Sequence[str]) -> Collection[str]:
        requests = [
            *((b"CREATE", folder) for folder in create),
            *((b"SUBSCRIBE", folder) for folder in subscribe),
        ]
        failed = []
        for command, folder in self._retry_read(
            lambda link, connection: folder_commands.run_all(link, connection, requests)
        ):
            if command == b"CREATE":  # it may exist already, which `create` checks
                try:
                    self.create(folder)
                except FolderUnusable:
                    failed.append(folder)
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
        return self._retry_read(
            lambda link, connection: folder_commands.uids(link, connection, folder, at_or_above)
        )

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
        for message in fetch(self._link, folder, uids, _MESSAGES):
            if isinstance(message, Unreadable):
                yield NotHandedOut(message.uid, message.reason, message.broke_connection)
            elif message.uid is not None and message.body is not None:
                flags = without_recent(message.flags or ())
                yield Message(message.uid, flags, message.internaldate or "", message.body)

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
        return self._begin_append(folder, messages, keep=True)() or []  # None is returned only without `keep`

    def begin_append(
        self, folder: FolderRef, messages: Sequence[Outgoing]
    ) -> Callable[[], Sequence[AppendResult] | None]:
        return self._begin_append(folder, messages, keep=False)

    def _begin_append(
        self, folder: FolderRef, messages: Sequence[Outgoing], *, keep: bool
    ) -> Callable[[], Sequence[AppendResult] | None]:
        link = self._link
        queue = link.append_queue()
        if queue is None:
            raise response_errors.lost(link.peer, "the connection was lost before this append")
        mailbox = link.quoted(folder.name)
        with _outcome_unknown(link):
            if queue.connection.should_compress:
                queue.await_all()
            if folder.name not in link.uidvalidities:
                queue.await_all()
                folder_commands.status(link, queue.connection, folder.name)
            link.check_uidvalidity(folder, link.uidvalidities[folder.name])
            if exchange_append.is_exchange(queue.connection.capabilities):
                exchange_results = exchange_append.append(link, folder, mailbox, messages)
                return lambda: exchange_results
            append = queue.begin(folder, mailbox, messages, keep=keep)

        def results() -> Sequence[AppendResult] | None:
            with _outcome_unknown(link):
                return append.results()

        return results

    # -----------------------------------------------------------------------------------------------

    def _retry_read(self, operation: Callable[[ReconnectingConnection, Connection], T]) -> T:
        return self._link.retry_read(lambda connection: operation(self._link, connection))

    def _listing(self, *, modseqs: bool = False) -> folder_commands.Listing:
        listing = self._retry_read(partial(folder_commands.list_folders, modseqs=modseqs))
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
