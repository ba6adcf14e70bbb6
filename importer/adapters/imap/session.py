"""`MailboxSession` over IMAP.

Invariants
- The source is opened with EXAMINE and read with BODY.PEEK: nothing there changes, not even \\Seen.
- Flags change at a destination only, by `change_flags`, each by its name.
- No folder is ever left by CLOSE, and EXPUNGE is never sent. What is removed, by `remove` alone, is named by
  UID: UID EXPUNGE (RFC 4315). A source session is never asked to.
- Reads reconnect; `append` never does, and after a failure of unknown outcome says ConnectionLost.
"""

from __future__ import annotations

import socket
import ssl
from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property, partial
from itertools import islice
from operator import lt
from pathlib import Path
from typing import Final, Protocol, TypeVar, overload
from weakref import WeakKeyDictionary, WeakValueDictionary

from importer.adapters.egress_guard import EgressGuard
from importer.adapters.imap import (
    exchange_append,
    exchange_folders,
    expunge,
    folder_commands,
    gmail,
    quota,
    response_errors,
    store_flags,
)
from importer.adapters.imap.connection import Connection, open_connection, tls_context
from importer.adapters.imap.deflate import Compression, KnownLines
from importer.adapters.imap.fetch import Query, Unreadable, fetch, lasting
from importer.adapters.imap.gmail import GmailLabels, GmailSource
from importer.adapters.imap.imapclient_adapter import Timeouts
from importer.adapters.imap.login import Login
from importer.adapters.imap.reconnecting import ReconnectingConnection
from importer.adapters.imap.response_errors import Peer
from importer.adapters.imap.stall_watchdog import StallWatchdog
from importer.adapters.imap.utf7_names import FolderNames
from importer.adapters.imap.wire import MAX_LITERAL_BYTES
from importer.compact.uid_set import Uid, UidSet
from importer.domain.model import (
    Account,
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
from importer.ports.mailbox import LabelView
from providers.endpoint import IMAP_PORT, IMAPS_PORT, Endpoint, Secret
from providers.errors import FolderLeftOut, FolderUnusable, ProtocolViolation, Side
from providers.grants import Credential, MasterLogin
from providers.provider import Provider

_SIZES: Final = Query(b"(UID RFC822.SIZE)", lambda found: found.size_bytes is not None, 10_000)
_HEADERS: Final = Query(
    b"(UID RFC822.SIZE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE FROM SUBJECT)])",
    lambda found: found.size_bytes is not None and found.header is not None,
    1_000,
)
_OUTLINES: Final = Query(
    b"(UID RFC822.SIZE INTERNALDATE)",
    lambda found: found.size_bytes is not None and found.internaldate is not None,
    10_000,
)
_FLAGS: Final = Query(b"(UID FLAGS)", lambda found: found.flags is not None, 10_000)
_MESSAGES: Final = Query(
    b"(UID FLAGS INTERNALDATE BODY.PEEK[])",
    lambda found: None not in (found.body, found.flags, found.internaldate),
    10_000,
)

_MOST_BYTES: Final = 2**63 - 1  # no message has so many, whatever a server says

PUBLIC_PORTS: Final = (IMAP_PORT, IMAPS_PORT)
"""Strangers may name servers at these ports: Mailhaul is no tool to try what else answers where."""

T = TypeVar("T")


@contextmanager
def _outcome_unknown(link: ReconnectingConnection) -> Iterator[None]:
    """Of an append that was answered in no way that an RFC allows nobody knows what became."""
    try:
        yield
    except ProtocolViolation as violation:
        raise response_errors.lost(link.peer, violation.server_text) from violation


class LoginHelp(Protocol):
    """What the owner of an account has to do at its provider, which refused the login with those words."""

    def __call__(self, account: Account, words: str, /, *, by_token: bool) -> str: ...


def no_help(_account: Account, _words: str, *, by_token: bool) -> str:
    return ""


def utc_now() -> datetime:
    return datetime.now(UTC)


class ImapSessions:
    """Opens sessions over IMAP. `ca_file` is trusted beside the system's authorities. What `login_help`
    says ends up in LoginRejected. Accounts that are `public_only` are reached through `guard` alone. Where
    `provider_of` a host name has a better server to read from, sources are read from that. Large messages
    pass through files in `spool_folder`, without one in the system's folder for such files."""

    def __init__(
        self,
        *,
        ca_file: Path | None = None,
        timeouts: Timeouts | None = None,
        login_help: LoginHelp = no_help,
        now: Callable[[], datetime] = utc_now,
        max_message_bytes: int = MAX_LITERAL_BYTES,
        spool_folder: Path | None = None,
        guard: EgressGuard | None = None,
        provider_of: Callable[[str], Provider | None] = lambda _host: None,
        compression: Compression = "auto",
    ) -> None:
        self._ca_file = ca_file
        self._timeouts = timeouts or Timeouts()
        self._login_help = login_help
        self._now = now
        self._max_message_bytes = max_message_bytes
        self._spool_folder = spool_folder
        self._provider_of = provider_of
        self._guard = guard or EgressGuard(ports=PUBLIC_PORTS)
        self._lines = KnownLines(compression)
        self._drips = StallWatchdog(self._timeouts.drip_s)
        # A folder is opened as it was listed, by sessions of the same account that did not list it too.
        self._names: WeakValueDictionary[str, FolderNames] = WeakValueDictionary()
        self._labels: WeakKeyDictionary[LabelView, GmailLabels] = WeakKeyDictionary()

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return tls_context(self._ca_file)

    @overload
    def open(
        self, account: Account, credential: Credential, side: Side, labels: None = None
    ) -> ImapSession: ...
    @overload
    def open(
        self, account: Account, credential: Credential, side: Side, labels: LabelView | None = None
    ) -> ImapSession | GmailSource: ...
    def open(
        self, account: Account, credential: Credential, side: Side, labels: LabelView | None = None
    ) -> ImapSession | GmailSource:
        session = self._open_plain(account, credential, side)
        if labels is None or side is not Side.SOURCE or not session.has_labels():
            return session
        return GmailSource(session, self._labels.setdefault(labels, GmailLabels(labels)))

    def _open_plain(self, account: Account, credential: Credential, side: Side) -> ImapSession:
        dial = self._guard.connect if account.public_only else socket.create_connection
        by_token = not isinstance(credential, Secret | MasterLogin)
        endpoint, shown_messages = self._server(account.endpoint, side)

        def connect() -> Connection:
            return open_connection(
                Peer(endpoint, side, self._now, dial),
                Login(account.login, partial(self._login_help, account, by_token=by_token)),
                credential,
                tls=lambda: self._tls,
                timeouts=self._timeouts,
                max_literal_bytes=self._max_message_bytes,
                drips=self._drips,
                spool_folder=self._spool_folder,
                lines=self._lines,
            )

        names = self._names.setdefault(account.key, FolderNames())
        return ImapSession(connect, side, names, shown_messages)

    def _server(self, endpoint: Endpoint, side: Side) -> tuple[Endpoint, int | None]:
        """The server to use for an account at `endpoint`, and how many messages of a folder it shows at most;
        None: all. Yahoo and AOL have one for exports that shows ten times as many."""
        provider = self._provider_of(endpoint.host) if side is Side.SOURCE else None
        if provider is None or endpoint not in (provider.endpoint, provider.read_endpoint):
            return endpoint, None
        if provider.read_endpoint is not None:
            return provider.read_endpoint, provider.limits.read_messages_per_folder
        return endpoint, provider.limits.messages_per_folder


def _is_exchange(_link: ReconnectingConnection, connection: Connection) -> bool:
    return exchange_append.is_exchange(connection.capabilities)


def _left_out(found: Mapping[str, FolderStatus | FolderUnusable]) -> dict[str, FolderLeftOut]:
    """Of an Exchange mailbox, the folders that hold no mail."""
    numbers = {
        name: status.messages if isinstance(status := found[name], FolderStatus) else 0
        for name in exchange_folders.without_mail(found)
    }
    return {
        name: FolderLeftOut(exchange_folders.WHY, messages=number, side=Side.SOURCE)
        for name, number in numbers.items()
    }


class ImapSession:
    """Implements `MailboxSession` (importer/ports.py), where the methods are described."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        side: Side,
        names: FolderNames,
        shown_messages: int | None = None,
    ) -> None:
        """`shown_messages`: how many messages of a folder the server shows at most, where that is known."""
        self.side = side
        self._link = ReconnectingConnection(connect, names)
        self._hierarchy: Hierarchy | None = None
        self._shown_messages = shown_messages
        self._cut_off: list[str] = []

    @property
    def link(self) -> ReconnectingConnection:
        """For those who show the mailbox in another way."""
        return self._link

    @property
    def peer(self) -> Peer:
        return self._link.peer

    def offers(self, capability: str) -> bool:
        """Whether the server has that extension."""
        return self._ask(lambda _link, connection: connection.has(capability))

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
        told = {name: listing.statuses[name] for name in selectable if name in listing.statuses}
        self._link.seen.update((name, status.uidvalidity) for name, status in told.items())
        rest = [name for name in selectable if name not in told]
        found = {**told, **self._ask(partial(folder_commands.statuses, folders=rest, modseqs=modseqs))}
        if self.side is Side.SOURCE and self._ask(_is_exchange):
            found |= _left_out(found)
        self._cut_off = [
            name
            for name, status in found.items()
            if isinstance(status, FolderStatus) and status.messages == self._shown_messages
        ]
        return listing.folders, found

    def status(self, folder: str) -> FolderStatus:
        return self._ask(lambda link, connection: folder_commands.status(link, connection, folder))

    def statuses(self, folders: Sequence[str]) -> Mapping[str, FolderStatus | FolderUnusable]:
        return self._ask(lambda link, connection: folder_commands.statuses(link, connection, folders))

    def create(self, folder: str) -> None:
        try:
            self._folder_command(b"CREATE", folder, "created")
        except FolderUnusable as refused:
            # It may be there already: each server says that in words of its own.
            try:
                self.status(folder)
            except FolderUnusable:
                raise refused from None

    def subscribe(self, folder: str) -> None:
        self._folder_command(b"SUBSCRIBE", folder, "subscribed to")

    def create_and_subscribe(self, create: Sequence[str], subscribe: Sequence[str]) -> Collection[str]:
        wanted = [
            *((b"CREATE", folder) for folder in create),
            *((b"SUBSCRIBE", folder) for folder in subscribe),
        ]
        left = []
        for command, folder in self._ask(
            lambda link, connection: folder_commands.refused(link, connection, wanted)
        ):
            if command == b"CREATE":  # there already, perhaps: one by one it is told
                try:
                    self.create(folder)
                except FolderUnusable:
                    left.append(folder)
        return left

    def open_for_appending(self, folder: str) -> tuple[FolderStatus, KeywordRule | None]:
        self._demand_destination()
        return self._ask(
            lambda link, connection: folder_commands.open_for_appending(link, connection, folder)
        )

    def has_labels(self) -> bool:
        return self.offers(gmail.CAPABILITY)

    def partial_folders(self) -> Mapping[str, str]:
        sentence = (
            f"{self.peer.endpoint.host} shows at most {self._shown_messages or 0:,} messages of a folder, and"
            " just as many of this one: older ones may be missing."
        )
        return dict.fromkeys(self._cut_off, sentence)

    # --- Reading -----------------------------------------------------------------------------------

    def uids(self, folder: FolderRef, at_or_above: Uid = Uid(1)) -> UidSet:
        return self._ask(lambda link, connection: folder_commands.uids(link, connection, folder, at_or_above))

    def sizes(self, folder: FolderRef, uids: UidSet) -> Iterator[tuple[Uid, int]]:
        for piece in uids.chunks(_SIZES.max_members):
            told, sizes_bytes = array("q"), array("q")  # a tenth of what so many pairs take
            for one in fetch(self._link, folder, piece, _SIZES):
                if one.uid is not None:
                    told.append(one.uid)
                    # There, and of a size that the server cannot tell: 0 keeps it in the account.
                    size_bytes = 0 if isinstance(one, Unreadable) else one.size_bytes or 0
                    sizes_bytes.append(min(size_bytes, _MOST_BYTES))
            ascending = all(map(lt, told, islice(told, 1, None)))
            order = range(len(told)) if ascending else sorted(range(len(told)), key=told.__getitem__)
            for at in order:
                yield Uid(told[at]), sizes_bytes[at]

    def headers(self, folder: FolderRef, uids: UidSet) -> Iterator[HeaderLines]:
        for found in fetch(self._link, folder, uids, _HEADERS):
            if isinstance(found, Unreadable):
                yield HeaderLines(found.uid, 0, b"")  # there, and like no other message
            elif found.uid is not None:
                yield HeaderLines(found.uid, found.size_bytes or 0, found.header or b"")

    def messages(self, folder: FolderRef, uids: UidSet) -> Iterator[Message | NotHandedOut]:
        for found in fetch(self._link, folder, uids, _MESSAGES):
            if isinstance(found, Unreadable):
                yield NotHandedOut(found.uid, found.reason, found.broke_connection)
            elif found.uid is not None and found.body is not None:
                flags = lasting(found.flags or ())
                yield Message(found.uid, flags, found.internaldate or "", found.body)

    def flags(
        self, folder: FolderRef, uids: UidSet, changed_since: int = 0
    ) -> Iterator[tuple[Uid, tuple[str, ...]]]:
        since = changed_since if changed_since and self.offers("CONDSTORE") else 0
        query = replace(_FLAGS, items=b"%s (CHANGEDSINCE %d)" % (_FLAGS.items, since)) if since else _FLAGS
        for found in fetch(self._link, folder, uids, query):
            if not isinstance(found, Unreadable) and found.uid is not None:
                yield found.uid, lasting(found.flags or ())

    def outlines(self, folder: FolderRef, uids: UidSet) -> Iterator[Outline]:
        for found in fetch(self._link, folder, uids, _OUTLINES):
            if isinstance(found, Unreadable):
                yield Outline(found.uid, 0, "")
            elif found.uid is not None:
                yield Outline(found.uid, found.size_bytes or 0, found.internaldate or "")

    # --- Weighing ----------------------------------------------------------------------------------

    def folder_bytes(self, folders: Sequence[str]) -> Mapping[str, int]:
        return self._ask(lambda link, connection: quota.folder_bytes(link, connection, folders))

    def quota(self) -> Quota | None:
        return self._ask(quota.quota)

    # --- Flags -------------------------------------------------------------------------------------

    def change_flags(
        self, folder: FolderRef, uids: UidSet, add: Sequence[str], remove: Sequence[str]
    ) -> bool:
        self._demand_destination()
        return self._ask(
            lambda link, connection: store_flags.change_flags(link, connection, folder, uids, add, remove)
        )

    # --- Removing ----------------------------------------------------------------------------------

    def supports_uid_expunge(self) -> bool:
        return self._ask(lambda _link, connection: expunge.supports_uid_expunge(connection))

    def remove(self, folder: FolderRef, uids: UidSet, *, unchanged_since: int = 0) -> UidSet:
        self._demand_destination()
        since = unchanged_since if unchanged_since and self.offers("CONDSTORE") else 0
        return self._ask(lambda link, connection: expunge.remove(link, connection, folder, uids, since))

    def remove_folder(self, folder: FolderRef) -> None:
        self._demand_destination()
        self._ask(lambda link, connection: expunge.remove_folder(link, connection, folder))

    # --- Writing -----------------------------------------------------------------------------------

    def append_limit_bytes(self) -> int | None:
        for capability in self._ask(lambda _link, connection: connection.capabilities):
            name, _, value = capability.partition("=")
            if name == "APPENDLIMIT" and value.isdigit():
                return int(value)
        return None

    def append(self, folder: FolderRef, messages: Sequence[Outgoing]) -> Sequence[AppendResult]:
        return self._begin_append(folder, messages, keep=True)() or []  # None is for those not kept

    def begin_append(
        self, folder: FolderRef, messages: Sequence[Outgoing]
    ) -> Callable[[], Sequence[AppendResult] | None]:
        return self._begin_append(folder, messages, keep=False)

    def _begin_append(
        self, folder: FolderRef, messages: Sequence[Outgoing], *, keep: bool
    ) -> Callable[[], Sequence[AppendResult] | None]:
        link = self._link
        appends = link.appends()
        if appends is None:
            raise response_errors.lost(link.peer, "the connection was lost before this append")
        mailbox = link.quoted(folder.name)
        with _outcome_unknown(link):
            if appends.connection.wants_pause:
                appends.answer_all()
            if folder.name not in link.seen:
                appends.answer_all()
                folder_commands.status(link, appends.connection, folder.name)
            link.check(folder, link.seen[folder.name])
            if exchange_append.is_exchange(appends.connection.capabilities):
                found = exchange_append.append(link, folder, mailbox, messages)
                return lambda: found
            append = appends.begin(folder, mailbox, messages, keep=keep)

        def results() -> Sequence[AppendResult] | None:
            with _outcome_unknown(link):
                return append.results()

        return results

    # -----------------------------------------------------------------------------------------------

    def _ask(self, question: Callable[[ReconnectingConnection, Connection], T]) -> T:
        return self._link.reading(lambda connection: question(self._link, connection))

    def _listing(self, *, modseqs: bool = False) -> folder_commands.Listing:
        listing = self._ask(partial(folder_commands.listing, modseqs=modseqs))
        self._hierarchy = listing.hierarchy
        return listing

    def _demand_destination(self) -> None:
        if self.side is Side.SOURCE:
            raise ValueError("nothing is ever changed at a source")

    def _folder_command(self, command: bytes, folder: str, what: str) -> None:
        self._ask(
            lambda link, connection: folder_commands.folder_command(
                link, connection, command, folder, what=what
            )
        )
