"""A mailbox on an IMAP host, one session at a time: one to read from, or one to read and to write."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from importer.compact.uid_set import Uid, UidSet
from importer.domain.folder_mapping.label_rules import LabelRule
from importer.domain.mailbox_content import (
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
from importer.domain.model import Account
from importer.ports.mailbox_errors import FolderUnusable
from importer.ports.work_limit import WorkLimit
from providers.errors import Side
from providers.frozen import frozen
from providers.grants import Credential
from providers.text import Text

FolderCount = Callable[[int, int], None]
"""Called with the number of folders that are done, and the total; the total is 0 while unknown."""


def uncounted(_done: int, _total: int) -> None:
    """A FolderCount for callers that ignore the progress."""


@frozen
class MailboxListing:
    """Every folder of the personal namespace, unselectable ones included, in the server's order, and the
    status of each selectable one, or the error of one that cannot be opened. `partial` maps each folder of
    which the server is known to list only a part to the reason."""

    hierarchy: Hierarchy
    folders: Sequence[Folder]
    statuses: Mapping[str, FolderStatus | FolderUnusable]
    partial: Mapping[str, Text] = field(default_factory=dict)


class MailboxReader(Protocol):
    """One authenticated connection to one mailbox, for one thread, that changes nothing there, not even
    \\Seen. A source has this type only.

    Reads reconnect automatically a few times before they raise ConnectionLost. Folder names are decoded, in
    the server's own hierarchy.

    Every method may raise ConnectionLost, ProtocolViolation, ServerUnavailable, Throttled, LoginRejected or
    GrantExpired. Methods with a folder argument may raise FolderUnusable; methods with a FolderRef raise
    FolderChanged if the folder's UIDVALIDITY is different.
    """

    @property
    def side(self) -> Side: ...

    def hierarchy(self) -> Hierarchy: ...

    def folders(self) -> Sequence[Folder]:
        """The folders as in MailboxListing."""
        ...

    def status(self, folder: str) -> FolderStatus: ...

    def statuses(self, folders: Sequence[str]) -> Mapping[str, FolderStatus | FolderUnusable]:
        """The status of many folders in few round trips; the error of a folder that cannot be opened."""
        ...

    def listing(self, *, modseqs: bool = False, count: FolderCount = uncounted) -> MailboxListing:
        """The folders with their statuses, in as few round trips as possible. With `modseqs`, statuses have
        the highest modification sequence if the server keeps one. `count` is called after each folder."""
        ...

    def has_labels(self) -> bool:
        """Whether the host has labels instead of folders (X-GM-EXT-1). At a source, a LabelView then decides
        how labels appear as folders."""
        ...

    def alerts(self) -> Sequence[str]:
        """The server's ALERT texts so far, which it wants users to read (RFC 9051 section 7.1): each text
        once, in one line without secrets, at most five for each connection. Sends no command."""
        ...

    def uids(self, folder: FolderRef, at_or_above: Uid = Uid(1)) -> UidSet:
        """The UIDs that the folder lists now."""
        ...

    def uids_of(self, folders: Sequence[FolderRef]) -> Mapping[FolderRef, UidSet]:
        """The UIDs of several small folders, in few round trips. A folder is left out if the server's answers
        about it disagree: use `uids`, which asks again and in other ways. Raises no error of a folder."""
        ...

    def unlisted(self, folder: FolderRef) -> int:
        """The number of messages that the server counts in the folder but does not list, whatever the
        command. Valid after `uids` of the whole folder, and after `uids_of`."""
        ...

    def sizes(self, folder: FolderRef, uids: UidSet) -> Iterator[tuple[Uid, int]]:
        """(UID, RFC822.SIZE in bytes), ascending, lazily; vanished messages are left out."""
        ...

    def sizes_of(self, folders: Sequence[FolderRef]) -> Mapping[FolderRef, Sequence[tuple[Uid, int]]]:
        """`sizes` of all messages of several small folders, in few round trips. Left out are folders as in
        `uids_of`."""
        ...

    def headers(self, folder: FolderRef, uids: UidSet) -> Iterator[HeaderLines]:
        """Identifying headers, in any order, lazily; vanished messages are left out."""
        ...

    def messages(self, folder: FolderRef, uids: UidSet) -> Iterator[Message | NotHandedOut]:
        """Whole messages, in any order, lazily, without setting the read flag; vanished ones are left out. A
        message that the server lists but does not deliver is returned as NotHandedOut."""
        ...

    def read_beginning(self, folder: FolderRef, uid: Uid, max_bytes: int) -> int:
        """Read the first bytes of a message, to measure the throughput; return the number of bytes received,
        0 if the server does not deliver them. A server may send more than asked for."""
        ...

    def flags(
        self, folder: FolderRef, uids: UidSet, changed_since: int = 0
    ) -> Iterator[tuple[Uid, tuple[str, ...]]]:
        """The flags of messages, without \\Recent, in any order, lazily; vanished ones are left out. With
        `changed_since` (a highest modification sequence), messages whose flags have not changed since may be
        left out."""
        ...

    def outlines(self, folder: FolderRef, uids: UidSet) -> Iterator[Outline]:
        """Size and date of messages, in any order, lazily; vanished ones are left out."""
        ...

    def folder_bytes(self, folders: Sequence[str]) -> Mapping[str, int]:
        """The exact total size of the messages in each folder, in few round trips. Folders whose size the
        server does not report are missing (RFC 8438: STATUS=SIZE)."""
        ...

    def quota(self) -> Quota | None:
        """The quota of INBOX, the tightest if there are several; None if the server reports none."""
        ...

    def renew(self) -> None:
        """Continue on a new connection: no folder is open there, and nothing that an earlier command left
        behind affects the next one. Outstanding appends are completed first. Raises what connecting raises.
        """
        ...

    def close(self) -> None:
        """Log out. Never raises."""
        ...


class MailboxWriter(MailboxReader, Protocol):
    """A session that may change the mailbox: a destination.

    `append` never reconnects: if it raises ConnectionLost, it is unknown what was stored.
    """

    def create(self, folder: str) -> None:
        """Create the folder; it may exist already. Raises FolderUnusable."""
        ...

    def subscribe(self, folder: str) -> None: ...

    def create_and_subscribe(
        self, create: Sequence[str], subscribe: Sequence[str], count: FolderCount = uncounted
    ) -> Collection[str]:
        """Create folders, then subscribe folders, in few round trips. Return the names that the server
        refused; a later method that needs such a folder raises the reason. `count` is called after each
        folder; both steps together count as one."""
        ...

    def open_for_appending(self, folder: str) -> tuple[FolderStatus, KeywordRule | None]:
        """The status of the folder, and the keywords that it stores permanently; None if it accepts no
        messages. Later appends to it may be faster."""
        ...

    def open_each_for_appending(
        self, folders: Sequence[str]
    ) -> Mapping[str, tuple[FolderStatus, KeywordRule | None]]:
        """The same of several folders, in few round trips. Left out is each folder of which the server does
        not tell all of it: `open_for_appending` asks again, and in other ways. Raises nothing for a
        folder."""
        ...

    def append_limit_bytes(self) -> int | None:
        """The largest message that the server accepts (RFC 7889); None if it does not say."""
        ...

    def append(self, folder: FolderRef, messages: Sequence[Outgoing]) -> Sequence[AppendResult]:
        """Store the messages one by one, in order, and return the outcome of each.

        Raises ConnectionLost if the outcome is unknown, QuotaExceeded if the mailbox is full. In both cases
        some messages may be stored: check before a retry.
        """
        ...

    def begin_append(
        self, folder: FolderRef, messages: Sequence[Outgoing]
    ) -> Callable[[], Sequence[AppendResult] | None]:
        """Send the messages and return a function that waits for the outcome, as `append` returns it.

        The function returns None if several messages were refused together: none should be stored, but some
        may be, so search before `append` finds out which ones the server accepts. The session does not keep
        the bodies for that, so an append under way holds no memory.

        Further appends may begin before the function is called; each function is called once. Both this
        method and the function may raise what `append` raises. If this method raises, the append was either
        not started or its outcome is unknown.
        """
        ...

    def change_flags(
        self, folder: FolderRef, uids: UidSet, add: Sequence[str], remove: Sequence[str]
    ) -> bool:
        """Change these flags of these messages and no others; vanished messages are ignored. False if the
        server refuses, or refuses for some messages. Safe to repeat."""
        ...

    def supports_uid_expunge(self) -> bool:
        """Whether `remove` can name the messages to expunge (UIDPLUS, RFC 4315 section 2.1)."""
        ...

    def remove(self, folder: FolderRef, uids: UidSet, *, unchanged_since: int = 0) -> UidSet:
        """Remove these messages and no others, permanently. Vanished messages are ignored.

        With `unchanged_since` (a modification sequence of the folder), messages whose flags changed later
        stay and are returned; the server decides that atomically. Without it, or if the server keeps no
        modification sequences, the result is empty.

        Requires `supports_uid_expunge`; raises FolderUnusable otherwise. Safe to repeat.
        """
        ...

    def remove_folder(self, folder: FolderRef) -> None:
        """Remove an empty folder and its subscription. Raises FolderUnusable if it contains mail or folders,
        or if the server refuses."""
        ...

    def fence(self, check: Callable[[], None]) -> None:
        """Call `check` before each piece of bytes that is sent, within messages too. What it raises
        (LeaseLost) ends the method that sends, and bytes that were not sent yet are dropped. Call it before
        the first append."""
        ...

    def cut_off(self) -> None:
        """Cut the connection, from any thread, once the fence raises: a method that waits then raises what
        the fence raises. Never raises."""
        ...


def _nothing_settled() -> Iterable[tuple[FolderRef, UidSet]]:
    return ()


@dataclass(frozen=True, eq=False)
class LabelView:
    """The view of the folders of a source with labels. One object per leg is passed to each of its
    sessions, so that all of them show the same. `settled` returns where messages were placed before: source
    folders and UIDs, from receipts and intents. `copies` returns whether the folder of a label is copied. A
    message is placed by those of its labels whose folders are copied, if it has any."""

    rule: LabelRule = LabelRule.ONE
    settled: Callable[[], Iterable[tuple[FolderRef, UidSet]]] = _nothing_settled
    copies: Callable[[str], bool] = lambda _folder: True


class SessionFactory(Protocol):
    """Opens sessions: connects and logs in.

    A Secret is the mailbox's password, a MasterLogin the login of a master user. AccessTokens supply a token,
    which is fetched before connecting and once more if the host refuses it. Once `limit` is overdue, commands
    without progress end with ServerTooSlow. Once it has ended, both methods and all methods of the session
    that wait for the server raise WorkEnded, within about a second. Raises any MailError of scope session or
    account.
    """

    def open_source(
        self,
        account: Account,
        credential: Credential,
        labels: LabelView | None = None,
        limit: WorkLimit | None = None,
    ) -> MailboxReader:
        """With `labels`, a host that has labels shows them as folders, as `labels.rule` says; other hosts are
        not affected."""
        ...

    def open_destination(
        self, account: Account, credential: Credential, limit: WorkLimit | None = None
    ) -> MailboxWriter: ...
