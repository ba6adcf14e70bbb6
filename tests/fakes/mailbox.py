"""A mail host in memory that fails on demand, for property tests of the engine.

It passes the same contract suite as the real servers (tests/contract/test_session.py).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import count

from importer.compact.uid_set import Uid, UidSet, UidValidity
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
    Rejected,
    Stored,
)
from importer.domain.messages.message_body import whole
from importer.domain.messages.message_identity import header_block
from importer.domain.model import Account
from importer.ports.mailbox import FolderCount, LabelView, MailboxListing, uncounted
from importer.ports.mailbox_errors import FolderChanged, FolderUnusable, QuotaExceeded
from importer.ports.work_limit import WorkLimit
from providers.endpoint import FolderRole, Secret
from providers.errors import ConnectionLost, HostUnknown, LoginRejected, MailError, MasterRefused, Side
from providers.grants import Credential, MasterLogin, OwnerCredential
from providers.text import Text


class Fault(StrEnum):
    """When the connection is lost during a command."""

    BEFORE = "before"  # nothing was sent
    DURING = "during"  # half of the command took effect
    AFTER = "after"  # the command took effect, the reply is lost
    LATE = "late"  # the reply is lost, and an append takes effect only when `land` is called


@dataclass(slots=True)
class MemoryFolder:
    """One folder with its messages by UID, ascending."""

    uidvalidity: UidValidity
    uidnext: int = 1
    messages: dict[Uid, Message] = field(default_factory=dict)
    role: FolderRole | None = None
    subscribed: bool = False
    selectable: bool = True
    _noticed: dict[Uid, tuple[tuple[str, ...], int]] = field(default_factory=dict)  # flags, modseq
    _highest_modseq: int = 1

    def modseqs(self) -> dict[Uid, int]:
        """The modification sequence of each message. A change of flags counts when this method is next called
        (RFC 7162)."""
        for uid, message in self.messages.items():
            if uid not in self._noticed or self._noticed[uid][0] != message.flags:
                self._highest_modseq += 1
                self._noticed[uid] = message.flags, self._highest_modseq
        return {uid: self._noticed[uid][1] for uid in self.messages}

    @property
    def highest_modseq(self) -> int:
        self.modseqs()
        return self._highest_modseq

    def add(self, flags: Sequence[str], internaldate: str, body: bytes) -> Uid:
        uid = Uid(self.uidnext)
        self.uidnext += 1
        self.messages[uid] = Message(uid, tuple(flags), internaldate, body)
        return uid


class MemoryMailbox:
    """One mailbox on a host of its own. `fault(operation)` is called once per command."""

    def __init__(
        self,
        *,
        hierarchy: Hierarchy | None = None,
        password: str = "secret",  # noqa: S107 - opens only this mailbox
        keywords: KeywordRule | None = None,
    ) -> None:
        self.hierarchy = hierarchy or Hierarchy()
        self.password = password
        self.master: MasterLogin | None = None  # also accepted
        self.keywords = keywords or KeywordRule()
        self.fault: Callable[[str], Fault | None] = lambda _operation: None
        self.refuses: Callable[[bytes], str | None] = lambda _body: None
        self.withholds: Callable[[bytes], bool] = lambda _body: False  # listed but not handed out
        self.unlisted: dict[str, int] = {}  # folder -> messages that the host counts and does not list
        self.closed: set[str] = set()  # folders that cannot be opened
        self.unreadable: Callable[[bytes], str | None] = lambda _body: None
        self.breaks: Callable[[bytes], bool] = lambda _body: (
            False
        )  # the connection, on each read of the message
        self.capacity_messages: int | None = None
        self.append_limit_bytes: int | None = None
        self.gives_uids = True  # UIDPLUS
        self.all_or_nothing = False  # MULTIAPPEND: one append stores all of its messages or none
        self.refuses_flags = False  # of messages that are stored already
        self.stores_part = False  # a fault: those before the refused one are stored all the same
        self.tells_sizes = True  # STATUS=SIZE
        self.keeps_modseqs = True  # CONDSTORE
        self.quota: Quota | None = None
        self.alerts: Sequence[str] = ()
        self.has_labels = False  # reported only: folders stay ordinary folders
        self.stores: Callable[[bytes], bytes] = lambda body: body  # some hosts alter what they store
        self.keeps_date: Callable[[str], str] = lambda date: date
        self.storing = threading.Lock()
        self._under_way: list[Callable[[], object]] = []
        self._uidvalidities = count(1000)
        self.folders: dict[str, MemoryFolder] = {}
        self.create("INBOX")

    def create(self, name: str) -> MemoryFolder:
        """The folder of that name, created if it is missing, with a UIDVALIDITY that no folder had before."""
        if name not in self.folders:
            self.folders[name] = MemoryFolder(UidValidity(next(self._uidvalidities)))
        return self.folders[name]

    def land(self) -> None:
        """Process what the host received before the connection was lost."""
        under_way, self._under_way = self._under_way, []
        for happen in under_way:
            happen()

    def land_later(self, happen: Callable[[], object]) -> None:
        """Run `happen` at the next `land`."""
        self._under_way.append(happen)

    def renumber(self, name: str) -> None:
        """Give the folder a new UIDVALIDITY and UIDs from 1; its messages stay."""
        old = self.folders[name]
        new = MemoryFolder(UidValidity(next(self._uidvalidities)), role=old.role, subscribed=old.subscribed)
        for message in old.messages.values():
            new.add(message.flags, message.internaldate, whole(message.body))
        self.folders[name] = new

    @property
    def message_count(self) -> int:
        return sum(len(folder.messages) for folder in self.folders.values())


class MemorySessions:
    """A session factory over mailboxes by `Account.key`."""

    def __init__(self, mailboxes: Mapping[str, MemoryMailbox]) -> None:
        self.mailboxes = dict(mailboxes)

    def admit(self, account: Account, credential: Credential, side: Side) -> MemoryMailbox:
        """Check a login and return the mailbox; called once for each session."""
        mailbox = self.mailboxes.get(account.key)
        if mailbox is None:
            raise HostUnknown(side=side)
        if isinstance(credential, MasterLogin):
            if credential != mailbox.master:
                raise MasterRefused(side=side)
        elif not _lets_in(mailbox, credential):
            raise LoginRejected(side=side)
        return mailbox

    def open_source(
        self,
        account: Account,
        credential: Credential,
        labels: LabelView | None = None,
        limit: WorkLimit | None = None,
    ) -> MemoryReader:
        return MemoryReader(self.admit(account, credential, Side.SOURCE))

    def open_destination(
        self, account: Account, credential: Credential, limit: WorkLimit | None = None
    ) -> MemoryWriter:
        return MemoryWriter(self.admit(account, credential, Side.DESTINATION))


def _lets_in(mailbox: MemoryMailbox, credential: OwnerCredential) -> bool:
    """A refused access token is fetched once more."""
    if isinstance(credential, Secret):
        return credential.reveal() == mailbox.password
    return any(credential.access_token(refused=r).reveal() == mailbox.password for r in (False, True))


class MemoryReader:
    """Implements `MailboxReader`."""

    side = Side.SOURCE

    def __init__(self, mailbox: MemoryMailbox) -> None:
        self._mailbox = mailbox

    def hierarchy(self) -> Hierarchy:
        return self._mailbox.hierarchy

    def folders(self) -> Sequence[Folder]:
        self._reach("list")
        return [
            Folder(name, self._mailbox.hierarchy.delimiter, f.role, f.selectable, f.subscribed)
            for name, f in self._mailbox.folders.items()
        ]

    def status(self, folder: str) -> FolderStatus:
        self._reach("status")
        target = self._folder(folder)
        return FolderStatus(target.uidvalidity, Uid(target.uidnext), len(target.messages))

    def statuses(self, folders: Sequence[str]) -> Mapping[str, FolderStatus | FolderUnusable]:
        statuses: dict[str, FolderStatus | FolderUnusable] = {}
        for folder in folders:
            try:
                statuses[folder] = self.status(folder)
            except FolderUnusable as unusable:
                statuses[folder] = unusable
        return statuses

    def listing(self, *, modseqs: bool = False, count: FolderCount = uncounted) -> MailboxListing:
        folders = self.folders()
        selectable = [folder.name for folder in folders if folder.selectable]
        statuses: dict[str, FolderStatus | FolderUnusable] = {}
        for done, name in enumerate(selectable, start=1):
            statuses |= self.statuses([name])
            count(done, len(selectable))
        if modseqs and self._mailbox.keeps_modseqs:
            highest = {name: self._mailbox.folders[name].highest_modseq for name in self._mailbox.folders}
            statuses = {
                name: replace(status, highest_modseq=highest[name])
                if isinstance(status, FolderStatus)
                else status
                for name, status in statuses.items()
            }
        return MailboxListing(self.hierarchy(), folders, statuses)

    def uids(self, folder: FolderRef, at_or_above: Uid = Uid(1)) -> UidSet:
        self._reach("uids")
        return UidSet.of(uid for uid in list(self._open(folder).messages) if uid >= at_or_above)

    def uids_of(self, folders: Sequence[FolderRef]) -> Mapping[FolderRef, UidSet]:
        with suppress(ConnectionLost):
            self._lose(self._reach("uids_of"))
            return {
                folder: UidSet.of(list(self._mailbox.folders[folder.name].messages))
                for folder in folders
                if not self._mailbox.unlisted.get(folder.name) and self._agrees(folder)
            }
        return {}

    def sizes_of(self, folders: Sequence[FolderRef]) -> Mapping[FolderRef, Sequence[tuple[Uid, int]]]:
        with suppress(ConnectionLost):
            self._lose(self._reach("sizes_of"))
            return {
                folder: [
                    (message.uid, len(message.body))
                    for message in list(self._mailbox.folders[folder.name].messages.values())
                ]
                for folder in folders
                if not self._mailbox.unlisted.get(folder.name)
                and self._agrees(folder)
                and not any(
                    self._mailbox.withholds(whole(message.body))
                    for message in list(self._mailbox.folders[folder.name].messages.values())
                )
            }
        return {}

    def _agrees(self, folder: FolderRef) -> bool:
        with suppress(FolderUnusable, FolderChanged):
            return bool(self._open(folder))
        return False

    def unlisted(self, folder: FolderRef) -> int:
        return self._mailbox.unlisted.get(folder.name, 0)

    def sizes(self, folder: FolderRef, uids: UidSet) -> Iterator[tuple[Uid, int]]:
        for message in self._fetch("sizes", folder, uids):
            yield message.uid, len(message.body)

    def headers(self, folder: FolderRef, uids: UidSet) -> Iterator[HeaderLines]:
        for message in self._fetch("headers", folder, uids):
            yield HeaderLines(message.uid, len(message.body), header_block(message.body))

    def messages(self, folder: FolderRef, uids: UidSet) -> Iterator[Message | NotHandedOut]:
        for message in self._fetch("messages", folder, uids):
            reason = self._mailbox.unreadable(whole(message.body))
            lost = self._mailbox.breaks(whole(message.body))
            yield (
                NotHandedOut(message.uid, Text("not_handed_out").quoting(reason or ""), lost)
                if reason or lost
                else message
            )

    def read_beginning(self, folder: FolderRef, uid: Uid, max_bytes: int) -> int:
        return sum(min(len(m.body), max_bytes) for m in self._fetch("messages", folder, UidSet.of((uid,))))

    def has_labels(self) -> bool:
        return self._mailbox.has_labels

    def alerts(self) -> Sequence[str]:
        return self._mailbox.alerts

    def flags(
        self, folder: FolderRef, uids: UidSet, changed_since: int = 0
    ) -> Iterator[tuple[Uid, tuple[str, ...]]]:
        modseqs = self._open(folder).modseqs() if self._mailbox.keeps_modseqs else {}
        for message in self._fetch("flags", folder, uids):
            if modseqs.get(message.uid, changed_since + 1) > changed_since:
                yield message.uid, message.flags

    def outlines(self, folder: FolderRef, uids: UidSet) -> Iterator[Outline]:
        for message in self._fetch("outlines", folder, uids):
            yield Outline(message.uid, len(message.body), message.internaldate)

    def folder_bytes(self, folders: Sequence[str]) -> Mapping[str, int]:
        self._reach("status")
        if not self._mailbox.tells_sizes:
            return {}
        sizes: dict[str, int] = {}
        for name in folders:
            with suppress(FolderUnusable):
                sizes[name] = sum(len(message.body) for message in self._folder(name).messages.values())
        return sizes

    def quota(self) -> Quota | None:
        self._reach("quota")
        return self._mailbox.quota

    def renew(self) -> None:
        self._lose(self._reach("renew"))

    def close(self) -> None:
        """Nothing to release."""

    def _fetch(self, operation: str, folder: FolderRef, uids: UidSet) -> Iterator[Message]:
        lost = self._reach(operation)
        wanted = [
            message
            for uid, message in list(self._open(folder).messages.items())
            if uid in uids and not self._mailbox.withholds(whole(message.body))
        ]
        yield from wanted[: len(wanted) // 2] if lost is Fault.DURING else wanted
        self._lose(lost)

    def _reach(self, operation: str) -> Fault | None:
        fault = self._mailbox.fault(operation)
        if fault is Fault.BEFORE:
            self._lose(fault)
        return fault

    def _lose(self, fault: Fault | None) -> None:
        if fault is not None:
            raise ConnectionLost(side=self.side)

    def _unusable(self, what: str, folder: str) -> FolderUnusable:
        return FolderUnusable(Text(f"folder_unusable.{what}", folder=folder, host="memory"), side=self.side)

    def _folder(self, name: str) -> MemoryFolder:
        key = "INBOX" if name.upper() == "INBOX" else name
        target = self._mailbox.folders.get(key)
        if target is None or not target.selectable or key in self._mailbox.closed:
            raise self._unusable("opened", name)
        return target

    def _open(self, ref: FolderRef) -> MemoryFolder:
        target = self._folder(ref.name)
        if target.uidvalidity != ref.uidvalidity:
            raise FolderChanged(side=self.side)
        return target


class MemoryWriter(MemoryReader):
    """Implements `MailboxWriter`."""

    side = Side.DESTINATION

    def __init__(self, mailbox: MemoryMailbox) -> None:
        super().__init__(mailbox)
        self._check: Callable[[], None] = lambda: None

    def fence(self, check: Callable[[], None]) -> None:
        """Looked at before each append."""
        self._check = check

    def cut_off(self) -> None:
        """Nothing waits here."""

    def create(self, folder: str) -> None:
        lost = self._reach("create")
        if self._mailbox.refuses(folder.encode()):
            raise self._unusable("created", folder)
        self._mailbox.create(folder)
        self._lose(lost)

    def subscribe(self, folder: str) -> None:
        self._folder(folder).subscribed = True

    def create_and_subscribe(
        self, create: Sequence[str], subscribe: Sequence[str], count: FolderCount = uncounted
    ) -> Collection[str]:
        refused = []
        for done, folder in enumerate(create, start=1):
            count(done, len(create))
            try:
                self.create(folder)
            except FolderUnusable:
                refused.append(folder)
        for folder in subscribe:
            with suppress(FolderUnusable):
                self.subscribe(folder)
        return refused

    def open_for_appending(self, folder: str) -> tuple[FolderStatus, KeywordRule | None]:
        return self.status(folder), self._mailbox.keywords

    def open_each_for_appending(
        self, folders: Sequence[str]
    ) -> Mapping[str, tuple[FolderStatus, KeywordRule | None]]:
        found: dict[str, tuple[FolderStatus, KeywordRule | None]] = {}
        with suppress(ConnectionLost):
            self._lose(self._reach("open_each"))
            for folder in folders:
                with suppress(FolderUnusable):
                    target = self._folder(folder)
                    status = FolderStatus(target.uidvalidity, Uid(target.uidnext), len(target.messages))
                    found[folder] = status, self._mailbox.keywords
        return found

    def append_limit_bytes(self) -> int | None:
        return self._mailbox.append_limit_bytes

    def append(self, folder: FolderRef, messages: Sequence[Outgoing]) -> Sequence[AppendResult]:
        self._check()
        lost = self._reach("append")
        target = self._open(folder)
        if lost is Fault.LATE:
            self._mailbox.land_later(lambda: self._store(target, messages))
            self._lose(lost)
        results = self._store(target, messages[: len(messages) // 2] if lost is Fault.DURING else messages)
        self._lose(lost)
        return results

    def begin_append(
        self, folder: FolderRef, messages: Sequence[Outgoing]
    ) -> Callable[[], Sequence[AppendResult] | None]:
        """Stores immediately; an error is raised by the returned function."""
        try:
            results = None if self._refuses_together(folder, messages) else self.append(folder, messages)
        except MailError as error:
            failure = error

            def fails() -> Sequence[AppendResult]:
                raise failure

            return fails
        return lambda: results

    def _refuses_together(self, folder: FolderRef, messages: Sequence[Outgoing]) -> bool:
        mailbox = self._mailbox
        if not mailbox.all_or_nothing or len(messages) < 2:
            return False
        capacity = mailbox.capacity_messages
        full = capacity is not None and mailbox.message_count + len(messages) > capacity
        refusals = [bool(mailbox.refuses(whole(message.body))) for message in messages]
        refused = full or any(refusals)
        if refused:
            self._lose(self._reach("append"))
            target = self._open(folder)
            if mailbox.stores_part and not full:
                self._store(target, messages[: refusals.index(True)])
        return refused

    def _store(self, target: MemoryFolder, messages: Sequence[Outgoing]) -> list[AppendResult]:
        with self._mailbox.storing:  # one append at a time, as on a real host
            return [self._stored(target, message) for message in messages]

    def _stored(self, target: MemoryFolder, message: Outgoing) -> AppendResult:
        reason = self._mailbox.refuses(whole(message.body))
        if reason:
            return Rejected(Text("not_taken", words=reason))
        capacity = self._mailbox.capacity_messages
        if capacity is not None and self._mailbox.message_count >= capacity:
            raise QuotaExceeded(side=self.side)
        uid = target.add(
            message.flags,
            self._mailbox.keeps_date(message.internaldate),
            self._mailbox.stores(whole(message.body)),
        )
        return Stored(uid if self._mailbox.gives_uids else None)

    def change_flags(
        self, folder: FolderRef, uids: UidSet, add: Sequence[str], remove: Sequence[str]
    ) -> bool:
        lost = self._reach("change_flags")
        target = self._open(folder)
        if self._mailbox.refuses_flags:
            return False
        wanted = [uid for uid in uids if uid in target.messages]
        gone = {flag.lower() for flag in remove}
        for uid in wanted[: len(wanted) // 2] if lost is Fault.DURING else wanted:
            message = target.messages[uid]
            flags = {flag.lower(): flag for flag in message.flags if flag.lower() not in gone}
            flags |= {flag.lower(): flag for flag in add if flag.lower() not in flags}
            target.messages[uid] = message._replace(flags=tuple(flags.values()))
        self._lose(lost)
        return True

    def supports_uid_expunge(self) -> bool:
        return self._mailbox.gives_uids

    def remove(self, folder: FolderRef, uids: UidSet, *, unchanged_since: int = 0) -> UidSet:
        lost = self._reach("remove")
        target = self._open(folder)
        if not self._mailbox.gives_uids:
            raise self._unusable("cleared", folder.name)
        modseqs = target.modseqs() if unchanged_since and self._mailbox.keeps_modseqs else {}
        stays = UidSet.of(uid for uid in uids if modseqs.get(uid, 0) > unchanged_since)
        wanted = [uid for uid in uids - stays if uid in target.messages]
        marked = len(wanted) // 2 if lost is Fault.DURING else 0  # as deleted, and not yet expunged
        for uid in wanted[:marked]:
            flags = target.messages[uid].flags
            target.messages[uid] = target.messages[uid]._replace(flags=(*flags, "\\Deleted"))
        for uid in wanted[marked:]:
            del target.messages[uid]
        self._lose(lost)
        return stays

    def remove_folder(self, folder: FolderRef) -> None:
        lost = self._reach("remove_folder")
        inside = folder.name + (self._mailbox.hierarchy.delimiter or "\0")
        if self._open(folder).messages or any(name.startswith(inside) for name in self._mailbox.folders):
            raise FolderUnusable(side=self.side)
        if lost is not Fault.DURING:
            del self._mailbox.folders[folder.name]
        self._lose(lost)
