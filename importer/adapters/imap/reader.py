"""`MailboxReader` over IMAP.

Invariants
- Folders are opened with EXAMINE and read with BODY.PEEK: nothing changes, not even \\Seen.
- No command here changes a mailbox. All that do are in `writer.py`.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from operator import lt
from typing import Final, TypeVar, cast

from importer.adapters.imap import quota
from importer.adapters.imap.connection import Connection
from importer.adapters.imap.content_reader import ContentReader
from importer.adapters.imap.fetch import Query, Unreadable, fetch, without_recent
from importer.adapters.imap.folder_survey import FolderSurvey
from importer.adapters.imap.login_limiter import LoginLimiter
from importer.adapters.imap.reconnecting import ReconnectingConnection
from importer.adapters.imap.response_errors import Peer
from importer.adapters.imap.uid_lister import UidLister
from importer.adapters.imap.utf7_names import FolderNames
from importer.compact.uid_set import Uid, UidSet
from importer.domain.mailbox_content import (
    Folder,
    FolderRef,
    FolderStatus,
    HeaderLines,
    Hierarchy,
    Message,
    NotHandedOut,
    Outline,
    Quota,
)
from importer.domain.planning.server_limits import MAX_HEADER_LINES_BYTES, MAX_ITEM_BYTES
from importer.ports.mailbox import FolderCount, MailboxListing, uncounted
from importer.ports.mailbox_errors import FolderUnusable
from importer.ports.work_limit import WorkLimit
from providers.errors import BeyondLimit, ConnectionLost, ProtocolViolation, ServerTooSlow, Side

_SIZES: Final = Query(
    b"(UID RFC822.SIZE)",
    lambda message: message.size_bytes is not None,
    10_000,
    usable=lambda message: True,
    bytes_each=MAX_ITEM_BYTES,
    dispensable=True,
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

_GMAIL_EXTENSION: Final = "X-GM-EXT-1"

_MAX_SIZE_BYTES: Final = 2**63 - 1  # bound for the sizes that servers report


K = TypeVar("K")
V = TypeVar("V")


class ImapSession:
    """The part of a session that every view on its mailbox shares: connection, hierarchy and quota."""

    def __init__(self, link: ReconnectingConnection, survey: FolderSurvey) -> None:
        self.link = link
        self.survey = survey

    @property
    def peer(self) -> Peer:
        return self.link.peer

    @property
    def side(self) -> Side:
        return self.link.peer.side

    def hierarchy(self) -> Hierarchy:
        return self.survey.hierarchy()

    def quota(self) -> Quota | None:
        return self.link.ask(quota.quota)

    def alerts(self) -> Sequence[str]:
        return self.link.heard()

    def renew(self) -> None:
        self.link.reconnect()

    def close(self) -> None:
        self.link.close()


class ImapReader(ImapSession):
    """Implements `MailboxReader` (importer/ports/mailbox.py), which describes the methods."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        names: FolderNames,
        visible_messages: int | None = None,
        logins: LoginLimiter | None = None,
        limit: WorkLimit | None = None,
    ) -> None:
        """`visible_messages`: number of messages per folder that the server shows at most, None if
        unknown."""
        link = ReconnectingConnection(connect, names, logins, limit)
        super().__init__(link, FolderSurvey(link, visible_messages))
        self._content_reader = ContentReader(link)
        self._uid_lister = UidLister()
        self._asks_together = True

    def has_capability(self, capability: str) -> bool:
        """Return whether the server has a capability."""
        return self.link.ask(lambda _cursor, connection: connection.has(capability))

    def has_labels(self) -> bool:
        return self.has_capability(_GMAIL_EXTENSION)

    # --- Folders -----------------------------------------------------------------------------------

    def folders(self) -> Sequence[Folder]:
        return self.survey.folders()

    def listing(self, *, modseqs: bool = False, count: FolderCount = uncounted) -> MailboxListing:
        return self.survey.listing(modseqs=modseqs, count=count)

    def status(self, folder: str) -> FolderStatus:
        return self.survey.status(folder)

    def statuses(self, folders: Sequence[str]) -> Mapping[str, FolderStatus | FolderUnusable]:
        return self.survey.statuses(folders)

    # --- Reading -----------------------------------------------------------------------------------

    def uids(self, folder: FolderRef, at_or_above: Uid = Uid(1)) -> UidSet:
        return self.link.retry_folder(
            folder.name,
            lambda connection: self._uid_lister.uids(self.link.cursor, connection, folder, at_or_above),
        )

    def uids_of(self, folders: Sequence[FolderRef]) -> Mapping[FolderRef, UidSet]:
        return self._together(
            lambda connection: self._uid_lister.uids_of(self.link.cursor, connection, folders)
        )

    def _together(self, of_several: Callable[[Connection], dict[K, V]]) -> dict[K, V]:
        """Ask about several folders at once. If that ends the connection, perhaps because of one of them,
        return nothing, and from then on without asking."""
        if self._asks_together:
            try:
                return self.link.retry_read(of_several, attempts=1)
            except ServerTooSlow:
                raise
            except (ConnectionLost, ProtocolViolation, BeyondLimit):
                self.link.drop()
                self._asks_together = False
        return {}

    def unlisted(self, folder: FolderRef) -> int:
        return self._uid_lister.unlisted.get(folder, 0)

    def sizes(self, folder: FolderRef, uids: UidSet) -> Iterator[tuple[Uid, int]]:
        for piece in uids.chunks(_SIZES.max_members):
            # Arrays need a tenth of the memory of that many pairs.
            fetched_uids, sizes_bytes = array("q"), array("q")
            for message in fetch(self.link, folder, piece, _SIZES):
                if message.uid is not None:
                    fetched_uids.append(message.uid)
                    # The message exists but the server cannot report its size: 0 keeps it in the tally.
                    size_bytes = 0 if isinstance(message, Unreadable) else message.size_bytes or 0
                    sizes_bytes.append(min(size_bytes, _MAX_SIZE_BYTES))
            if all(map(lt, fetched_uids, islice(fetched_uids, 1, None))):  # ascending, the usual case
                yield from zip(cast("Sequence[Uid]", fetched_uids), sizes_bytes, strict=True)
                continue
            for index in sorted(range(len(fetched_uids)), key=fetched_uids.__getitem__):
                yield Uid(fetched_uids[index]), sizes_bytes[index]

    def sizes_of(self, folders: Sequence[FolderRef]) -> Mapping[FolderRef, Sequence[tuple[Uid, int]]]:
        return self._together(
            lambda connection: self._uid_lister.sizes_of(self.link.cursor, connection, folders)
        )

    def headers(self, folder: FolderRef, uids: UidSet) -> Iterator[HeaderLines]:
        for message in fetch(self.link, folder, uids, _HEADERS):
            if isinstance(message, Unreadable):
                yield HeaderLines(message.uid, 0, b"")  # exists, but equals no other message
            elif message.uid is not None:
                yield HeaderLines(message.uid, message.size_bytes or 0, message.header or b"")

    def messages(self, folder: FolderRef, uids: UidSet) -> Iterator[Message | NotHandedOut]:
        return self._content_reader.messages(folder, uids)

    def read_beginning(self, folder: FolderRef, uid: Uid, max_bytes: int) -> int:
        return self._content_reader.read_beginning(folder, uid, max_bytes)

    def flags(
        self, folder: FolderRef, uids: UidSet, changed_since: int = 0
    ) -> Iterator[tuple[Uid, tuple[str, ...]]]:
        since = changed_since if changed_since and self.has_capability("CONDSTORE") else 0
        query = replace(_FLAGS, items=b"%s (CHANGEDSINCE %d)" % (_FLAGS.items, since)) if since else _FLAGS
        for message in fetch(self.link, folder, uids, query):
            if not isinstance(message, Unreadable) and message.uid is not None:
                yield message.uid, without_recent(message.flags or ())

    def outlines(self, folder: FolderRef, uids: UidSet) -> Iterator[Outline]:
        for message in fetch(self.link, folder, uids, _OUTLINES):
            if isinstance(message, Unreadable):
                yield Outline(message.uid, 0, "")
            elif message.uid is not None:
                yield Outline(message.uid, message.size_bytes or 0, message.internaldate or "")

    # --- Sizes -------------------------------------------------------------------------------------

    def folder_bytes(self, folders: Sequence[str]) -> Mapping[str, int]:
        return self.link.ask(lambda cursor, connection: quota.folder_bytes(cursor, connection, folders))
