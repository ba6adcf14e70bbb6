"""Gmail as a source: labels shown as folders, each message read once, from All Mail.

To everybody else this is a mailbox with ordinary folders: those of its labels hold UIDs of All Mail, under
its UIDVALIDITY; Spam and Trash, which All Mail leaves out, are as they are. Starred is \\Flagged; Important
and Chats are left out. What has no label stands in All Mail, which counts as the archive.

Labels are looked at once per leg; what changes meanwhile, the next leg sees. Mail that comes in is seen.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NoReturn

from imapclient import imap_utf7

from importer.adapters.imap import response_errors
from importer.adapters.imap.fetch import Query, Unreadable, fetch, lasting
from importer.adapters.imap.label_index import (
    DELIMITER,
    NO_FOLDER,
    SYSTEM_ROLES,
    LabelIndex,
    Placements,
    SystemFolders,
    settled_in,
)
from importer.adapters.imap.wire import Fetched
from importer.compact.uid_set import Uid, UidSet
from importer.domain.folder_mapping.label_rules import LabelRule
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
from importer.ports.mailbox import LabelView
from providers.endpoint import FolderRole
from providers.errors import FolderUnusable, MailHidden, Side

if TYPE_CHECKING:
    from importer.adapters.imap.session import ImapSession

CAPABILITY: Final = "X-GM-EXT-1"

FOLDER_LIMITS: Final = (1000, 2000, 5000, 10000)
"""What "Limit IMAP folders to contain no more than this many messages" offers (gaubert/gmvault#297)."""

_OWN_MAIL: Final = (FolderRole.JUNK, FolderRole.TRASH)
_LABELLED: Final = Query(
    b"(UID X-GM-LABELS FLAGS INTERNALDATE BODY.PEEK[])",
    lambda found: None not in (found.labels, found.body, found.flags, found.internaldate),
    10_000,
)


_FLAGS_AND_LABELS: Final = Query(
    b"(UID X-GM-LABELS FLAGS)",
    lambda found: None not in (found.labels, found.flags),
    10_000,
)


class GmailLabels:
    """What the sessions of one leg share: the index, read by whichever needs it first."""

    def __init__(self, view: LabelView) -> None:
        self.rule = view.rule
        self._settled = view.settled
        self._lock = threading.Lock()
        self._index: LabelIndex | None = None
        self.suspicion: dict[str, str] = {}

    def index(self, session: ImapSession) -> LabelIndex:
        """Raises MailHidden, and what reading raises."""
        with self._lock:
            if self._index is None:
                self._index = self._read(session)
            return self._index

    def refresh(self, session: ImapSession) -> LabelIndex:
        """The index with what came and went since."""
        index = self.index(session)
        with self._lock:
            status = session.status(index.all_mail.name)
            if status.uidvalidity != index.all_mail.uidvalidity:
                raise response_errors.folder_changed(session.peer, index.all_mail.name)
            if (status.uidnext, status.messages) != (index.uidnext, index.messages):
                index.read(session.link, status)
                index.drop(index.all_uids - session.uids(index.all_mail))
            return index

    def _read(self, session: ImapSession) -> LabelIndex:
        listed = session.folders()
        system = _system(listed)
        if system is None:
            raise _hidden(session)
        # Before All Mail: a message that comes in between must not look as if All Mail lacked it.
        shown = session.statuses([f.name for f in listed if f.selectable and _is_label(f, system)])
        status = session.status(system.all_mail)
        index = LabelIndex(
            self.rule,
            system,
            status.ref(system.all_mail),
            Placements(settled_in(self._settled(), status.uidvalidity)),
        )
        index.read(session.link, status)
        self._compare(session, index, shown)
        return index

    def _compare(
        self, session: ImapSession, index: LabelIndex, shown: Mapping[str, FolderStatus | FolderUnusable]
    ) -> None:
        """Whether All Mail shows all. Raises MailHidden when it certainly does not."""
        # Without a gap among the UIDs there is nothing that could be hidden.
        limited = index.messages in FOLDER_LIMITS and index.uidnext - 1 > index.messages
        lacking = [name for name, there in shown.items() if _holds_more(there, index.labelled[name])]
        # Removed while we looked, perhaps: it counts when it is so the second time.
        again = session.statuses(lacking)
        lacking = [name for name in lacking if _holds_more(again[name], index.labelled[name])]
        if limited and lacking:
            raise _cut_off(session, index.messages)
        if limited:
            self.suspicion[index.all_mail.name] = (
                f"Gmail shows exactly {index.messages:,} messages, which may be a limit in its settings:"
                f" {_SET_NO_LIMIT}"
            )
        for name in lacking:
            self.suspicion[name] = (
                f"“{name}” holds messages that “{index.all_mail.name}” does not show; they were not copied."
                " Start the import again later; if it stays so, look for them in Gmail."
            )


class GmailSource:
    """Implements `MailboxSession` (importer/ports.py) for reading."""

    def __init__(self, session: ImapSession, labels: GmailLabels) -> None:
        self.side: Side = session.side
        self._session = session
        self._labels = labels

    def close(self) -> None:
        self._session.close()

    # --- Folders -----------------------------------------------------------------------------------

    def hierarchy(self) -> Hierarchy:
        return self._session.hierarchy()

    def folders(self) -> Sequence[Folder]:
        index = self._labels.index(self._session)
        listed = {folder.name: folder for folder in self._session.folders()}
        found: list[Folder] = []
        for folder in listed.values():
            if folder.name == index.system.all_mail:
                found.append(replace(folder, role=FolderRole.ARCHIVE))
            elif _is_label(folder, index.system):
                # A name that is only a parent in LIST may be a label that the owner hides from programs.
                shows = folder.name in index.folders
                found.append(replace(folder, selectable=folder.selectable or shows))
            elif folder.role in _OWN_MAIL:
                found.append(folder)
        hidden = index.folders - listed.keys()
        return [*found, *(Folder(name, DELIMITER, subscribed=True) for name in sorted(hidden))]

    def status(self, folder: str) -> FolderStatus:
        index = self._labels.index(self._session)
        return index.status(folder) if self._is_view(folder) else self._session.status(folder)

    def statuses(self, folders: Sequence[str]) -> Mapping[str, FolderStatus | FolderUnusable]:
        index = self._labels.index(self._session)
        others = self._session.statuses([name for name in folders if not self._is_view(name)])
        return {name: others[name] if name in others else index.status(name) for name in folders}

    def folders_and_statuses(
        self, *, modseqs: bool = False
    ) -> tuple[Sequence[Folder], Mapping[str, FolderStatus | FolderUnusable]]:
        folders = self.folders()
        return folders, self.statuses([folder.name for folder in folders if folder.selectable])

    def has_labels(self) -> bool:
        return True

    def partial_folders(self) -> Mapping[str, str]:
        self._labels.index(self._session)
        return self._labels.suspicion

    # --- Reading -----------------------------------------------------------------------------------

    def uids(self, folder: FolderRef, at_or_above: Uid = Uid(1)) -> UidSet:
        if not self._is_view(folder.name):
            return self._session.uids(folder, at_or_above)
        index = self._labels.refresh(self._session)
        self._check(index, folder)
        return index.uids(folder.name).at_or_above(at_or_above)

    def sizes(self, folder: FolderRef, uids: UidSet) -> Iterator[tuple[Uid, int]]:
        return self._session.sizes(*self._there(folder, uids))

    def headers(self, folder: FolderRef, uids: UidSet) -> Iterator[HeaderLines]:
        return self._session.headers(*self._there(folder, uids))

    def messages(self, folder: FolderRef, uids: UidSet) -> Iterator[Message | NotHandedOut]:
        if self._labels.rule is not LabelRule.KEYWORDS or not self._is_view(folder.name):
            return self._session.messages(*self._there(folder, uids))
        return self._labelled(folder.name, *self._there(folder, uids))

    def _labelled(self, name: str, all_mail: FolderRef, uids: UidSet) -> Iterator[Message | NotHandedOut]:
        link = self._session.link
        for found in fetch(link, all_mail, uids, _LABELLED):
            if isinstance(found, Unreadable):
                yield NotHandedOut(found.uid, found.reason, found.broke_connection)
            elif found.uid is not None and found.body is not None:
                flags = self._flags_of(name, found)
                yield Message(found.uid, flags, found.internaldate or "", found.body)

    def flags(
        self, folder: FolderRef, uids: UidSet, changed_since: int = 0
    ) -> Iterator[tuple[Uid, tuple[str, ...]]]:
        """All of them, whatever changed: labels count here, and no modification sequence is kept of those."""
        if self._labels.rule is not LabelRule.KEYWORDS or not self._is_view(folder.name):
            yield from self._session.flags(*self._there(folder, uids))
            return
        for found in fetch(self._session.link, *self._there(folder, uids), _FLAGS_AND_LABELS):
            if not isinstance(found, Unreadable) and found.uid is not None:
                yield found.uid, self._flags_of(folder.name, found)

    def _flags_of(self, name: str, found: Fetched) -> tuple[str, ...]:
        """The flags, and as keywords the labels other than that of the folder."""
        decode = self._session.link.names.decode
        own = [decode(label) for label in found.labels or () if not _is_hosts(label)]
        keywords = (as_keyword(label) for label in sorted(own) if label != name)
        return tuple(dict.fromkeys((*lasting(found.flags or ()), *keywords)))

    def _is_view(self, name: str) -> bool:
        index = self._labels.index(self._session)
        own = (index.system.folders.get(role) for role in _OWN_MAIL)
        return name not in own

    def _there(self, folder: FolderRef, uids: UidSet) -> tuple[FolderRef, UidSet]:
        """Where the messages are read, and which of them the folder shows."""
        if not self._is_view(folder.name):
            return folder, uids
        index = self._labels.index(self._session)
        self._check(index, folder)
        return index.all_mail, uids & index.uids(folder.name)

    def _check(self, index: LabelIndex, folder: FolderRef) -> None:
        if folder.uidvalidity != index.all_mail.uidvalidity:
            raise response_errors.folder_changed(self._session.peer, folder.name)

    def outlines(self, folder: FolderRef, uids: UidSet) -> Iterator[Outline]:
        return self._session.outlines(*self._there(folder, uids))

    def folder_bytes(self, folders: Sequence[str]) -> Mapping[str, int]:
        """Of labels the server tells what all their messages weigh, not those that are shown here."""
        return self._session.folder_bytes([name for name in folders if not self._is_view(name)])

    def quota(self) -> Quota | None:
        return self._session.quota()

    # --- Writing -----------------------------------------------------------------------------------

    def create(self, folder: str) -> None:
        _read_only()

    def subscribe(self, folder: str) -> None:
        _read_only()

    def create_and_subscribe(self, create: Sequence[str], subscribe: Sequence[str]) -> Collection[str]:
        _read_only()

    def open_for_appending(self, folder: str) -> tuple[FolderStatus, KeywordRule | None]:
        return self.status(folder), None

    def append_limit_bytes(self) -> int | None:
        return self._session.append_limit_bytes()

    def append(self, folder: FolderRef, messages: Sequence[Outgoing]) -> Sequence[AppendResult]:
        _read_only()

    def begin_append(
        self, folder: FolderRef, messages: Sequence[Outgoing]
    ) -> Callable[[], Sequence[AppendResult] | None]:
        _read_only()

    def supports_uid_expunge(self) -> bool:
        return False

    def remove(self, folder: FolderRef, uids: UidSet, *, unchanged_since: int = 0) -> UidSet:
        _read_only()

    def remove_folder(self, folder: FolderRef) -> None:
        _read_only()

    def change_flags(
        self, folder: FolderRef, uids: UidSet, add: Sequence[str], remove: Sequence[str]
    ) -> bool:
        _read_only()


_NO_KEYWORD: Final = re.compile(r'[\x00-\x20\x7f()/{%*<>\\"\]]')


def as_keyword(label: str) -> str:
    """The label as an IMAP keyword, spelled as Thunderbird spells its tags: small letters, modified UTF-7,
    "_" for what a keyword cannot hold (comm-central, nsMsgTagService::AddTag)."""
    return bytes(imap_utf7.encode(_NO_KEYWORD.sub("_", label))).decode("ascii").lower()


def _read_only() -> NoReturn:
    raise ValueError("a source with labels is only read")


def _is_hosts(label: bytes) -> bool:
    return label.lower() in SYSTEM_ROLES or label.lower() in NO_FOLDER


def _system(listed: Sequence[Folder]) -> SystemFolders | None:
    """The host's own folders; None when it does not show All Mail."""
    roles = {folder.role: folder.name for folder in reversed(listed) if folder.role is not None}
    all_mail = roles.get(FolderRole.ALL)
    return None if all_mail is None else SystemFolders(all_mail, roles)


def _is_label(folder: Folder, system: SystemFolders) -> bool:
    """Whether the folder is a view on All Mail that is of use: those beside All Mail are the host's."""
    beside = folder.name.startswith(system.all_mail.rpartition(DELIMITER)[0] + DELIMITER)
    parent = folder.name == system.all_mail.rpartition(DELIMITER)[0]
    return folder.role in SYSTEM_ROLES.values() or not (beside or parent)


def _holds_more(there: FolderStatus | FolderUnusable, known: int) -> bool:
    return isinstance(there, FolderStatus) and there.messages > known


_SET_NO_LIMIT: Final = (
    "in Gmail, under Settings, “Forwarding and POP/IMAP”, “Folder size limits”, choose “Do not limit the"
    " number of messages in an IMAP folder”, and start the import again."
)


def _hidden(session: ImapSession) -> MailHidden:
    return MailHidden(
        f"{session.peer.endpoint.host} does not show the folder “All Mail”: archived mail would be left"
        " behind. In Gmail, under Settings, “Labels”, tick “Show in IMAP” beside “All Mail”, and start the"
        " import again.",
        side=session.side,
    )


def _cut_off(session: ImapSession, limit: int) -> MailHidden:
    return MailHidden(
        f"{session.peer.endpoint.host} shows programs only {limit:,} messages of a folder, so that older mail"
        f" would be left behind: {_SET_NO_LIMIT}",
        side=session.side,
    )
