"""A mailbox, one session at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from importer.compact.uid_set import Uid, UidSet
from importer.domain.folder_mapping.label_rules import LabelRule
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
from providers.errors import FolderUnusable, Side
from providers.grants import Credential


class MailboxSession(Protocol):
    """One logged-in connection to one mailbox, for one thread.

    Reads reconnect by themselves a few times before they raise ConnectionLost; `append` never does:
    when it raises ConnectionLost, nobody knows what landed. Folder names are decoded, in the server's
    own hierarchy. Every method may raise ConnectionLost, ProtocolViolation, ServerUnavailable,
    Throttled, LoginRejected or GrantExpired; methods that name a folder may raise FolderUnusable;
    methods that take a FolderRef raise FolderChanged when the folder's UIDVALIDITY is another.
    """

    side: Side

    def hierarchy(self) -> Hierarchy: ...

    def folders(self) -> Sequence[Folder]:
        """Every folder of the personal namespace, unselectable ones included, in the server's order."""
        ...

    def status(self, folder: str) -> FolderStatus: ...

    def statuses(self, folders: Sequence[str]) -> Mapping[str, FolderStatus | FolderUnusable]:
        """The status of many folders in few round trips; for one that cannot be opened, why."""
        ...

    def folders_and_statuses(
        self, *, modseqs: bool = False
    ) -> tuple[Sequence[Folder], Mapping[str, FolderStatus | FolderUnusable]]:
        """`folders`, and `statuses` of those that can be selected, in as few round trips as there can be;
        with `modseqs`, the highest modification sequence of each where the server keeps one."""
        ...

    def has_labels(self) -> bool:
        """Whether the host has labels and no folders (X-GM-EXT-1): at a source, a LabelView decides then what
        its folders show."""
        ...

    def unshown(self) -> Mapping[str, str]:
        """Folder -> a sentence, where the server is known to show only a part of the mail, for the report.
        To be asked after `statuses`."""
        ...

    def uids(self, folder: FolderRef, at_or_above: Uid = Uid(1)) -> UidSet:
        """The UIDs that the folder holds now."""
        ...

    def sizes(self, folder: FolderRef, uids: UidSet) -> Iterator[tuple[Uid, int]]:
        """(UID, RFC822.SIZE in bytes), ascending, lazily; vanished messages are left out."""
        ...

    def headers(self, folder: FolderRef, uids: UidSet) -> Iterator[HeaderLines]:
        """Identifying headers, in any order, lazily; vanished messages are left out."""
        ...

    def messages(self, folder: FolderRef, uids: UidSet) -> Iterator[Message | NotHandedOut]:
        """Whole messages, in any order, lazily, without marking them as read; vanished ones are left out.

        For a message that the server cannot hand out NotHandedOut comes instead.
        """
        ...

    def create(self, folder: str) -> None:
        """Creates the folder; already there is fine. Raises FolderUnusable."""
        ...

    def subscribe(self, folder: str) -> None: ...

    def establish(self, create: Sequence[str], subscribe: Sequence[str]) -> Collection[str]:
        """`create` and then `subscribe` for many folders, in few round trips. Returns those that the
        server will not have; whoever needs one is told why then."""
        ...

    def open_for_appending(self, folder: str) -> tuple[FolderStatus, KeywordRule | None]:
        """How a destination folder stands, and which keywords it stores for good; None when it takes
        nothing at all. Later appends into it may be faster."""
        ...

    def append_limit_bytes(self) -> int | None:
        """The largest message the server takes (RFC 7889), None if it does not say."""
        ...

    def append(self, folder: FolderRef, messages: Sequence[Outgoing]) -> Sequence[AppendResult]:
        """Stores the messages in order and says for each what became of it.

        Raises ConnectionLost when the outcome is unknown, QuotaExceeded when the mailbox is full
        (some may have landed in both cases: look before repeating).
        """
        ...

    def begin_append(
        self, folder: FolderRef, messages: Sequence[Outgoing]
    ) -> Callable[[], Sequence[AppendResult] | None]:
        """Sends the messages; the function that it returns waits for what became of them, as `append` says,
        or gives None: several were refused as one, none is stored, and `append` can tell which can be. They
        are not kept for that, so that what is under way takes no memory.

        More may be begun before that, each to be waited for once. Either of the two raises what `append`
        raises; what this one raised was not begun, or nobody knows.
        """
        ...

    def flags(
        self, folder: FolderRef, uids: UidSet, changed_since: int = 0
    ) -> Iterator[tuple[Uid, tuple[str, ...]]]:
        """The flags of messages, without \\Recent, in any order, lazily; vanished ones are left out. With
        `changed_since` (a highest modification sequence) those may be left out that did not change after."""
        ...

    def change_flags(
        self, folder: FolderRef, uids: UidSet, add: Sequence[str], remove: Sequence[str]
    ) -> bool:
        """Changes these flags of these messages and no others; messages that are gone do not matter. False
        when the server will not, or not for all. Safe to repeat. Raises ValueError at a source."""
        ...

    def outlines(self, folder: FolderRef, uids: UidSet) -> Iterator[Outline]:
        """Size and date of messages, in any order, lazily; vanished ones are left out."""
        ...

    def folder_bytes(self, folders: Sequence[str]) -> Mapping[str, int]:
        """What the messages of those folders weigh, exactly, in few round trips; folders whose size the
        server does not tell are missing (RFC 8438: STATUS=SIZE)."""
        ...

    def quota(self) -> Quota | None:
        """That of INBOX, the tightest where there are several; None where the server tells none."""
        ...

    def removes_exactly(self) -> bool:
        """Whether `remove` can be told which messages to remove (UIDPLUS, RFC 4315 section 2.1)."""
        ...

    def remove(self, folder: FolderRef, uids: UidSet, *, unchanged_since: int = 0) -> UidSet:
        """Removes these messages and no other, for good. Those that are gone already are gone.

        With `unchanged_since` (a modification sequence of the folder) those stay, and are what is returned,
        whose flags changed later; the server tells them apart in one step. Without it, and where servers keep
        no such sequences, nothing stays.

        Only where `removes_exactly`; FolderUnusable elsewhere. Safe to repeat. Raises ValueError at a source.
        """
        ...

    def remove_folder(self, folder: FolderRef) -> None:
        """Removes a folder that holds nothing, and its subscription. Raises FolderUnusable when there is
        mail in it, folders are inside it, or the server will not."""
        ...

    def close(self) -> None:
        """Logs out; never raises."""
        ...


def _nothing_settled() -> Iterable[tuple[FolderRef, UidSet]]:
    return ()


@dataclass(frozen=True, eq=False)
class LabelView:
    """How the folders of a source with labels are shown: one object per leg, given with each of its
    sessions, so that they show the same. `settled` tells where messages were put before: source folder and
    UIDs, as receipts and intents have them."""

    rule: LabelRule = LabelRule.ONE
    settled: Callable[[], Iterable[tuple[FolderRef, UidSet]]] = _nothing_settled


class SessionFactory(Protocol):
    """Opens sessions."""

    def open(
        self, account: Account, credential: Credential, side: Side, labels: LabelView | None = None
    ) -> MailboxSession:
        """Connects and logs in: with a password for a Secret, else with an access token, fetched before
        connecting and once more when the host refuses it. Raises any MailError of scope session or
        account. With `labels`, a host that has labels shows them as folders with a message each, to be read
        only; other hosts are as they are."""
        ...
