"""Gmail as a source: labels presented as folders, each message read once, from All Mail.

Callers see a mailbox with ordinary folders. The folders of labels hold UIDs of All Mail, under its
UIDVALIDITY. Spam and Trash, which All Mail does not include, are passed through. Starred is \\Flagged;
Important and Chats are left out. Messages without a label are in All Mail, which has the role of the archive.

Labels are read once per leg; later changes are picked up by the next leg. New mail is picked up immediately.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from imapclient import imap_utf7

from importer.adapters.imap import response_errors
from importer.adapters.imap.content_reader import ContentReader, as_message
from importer.adapters.imap.fetch import Query, Unreadable, fetch, without_recent
from importer.adapters.imap.label_index import (
    DELIMITER,
    NO_FOLDER,
    SYSTEM_ROLES,
    LabelIndex,
    Placements,
    SystemFolders,
    settled_in,
)
from importer.adapters.imap.reader import ImapReader, ImapSession
from importer.adapters.imap.wire_events import Fetched
from importer.compact.uid_set import Uid, UidSet
from importer.domain.folder_mapping.label_rules import LabelRule
from importer.domain.mailbox_content import (
    Folder,
    FolderRef,
    FolderStatus,
    HeaderLines,
    Message,
    NotHandedOut,
    Outline,
)
from importer.ports.mailbox import FolderCount, LabelView, MailboxListing, uncounted
from importer.ports.mailbox_errors import FolderUnusable
from providers.endpoint import FolderRole
from providers.errors import MailHidden
from providers.text import Text

FOLDER_LIMITS: Final = (1000, 2000, 5000, 10000)
"""The choices of "Limit IMAP folders to contain no more than this many messages" (gaubert/gmvault#297)."""

_OUTSIDE_ALL_MAIL: Final = (FolderRole.JUNK, FolderRole.TRASH)
_FLAGS_AND_LABELS: Final = Query(
    b"(UID X-GM-LABELS FLAGS)",
    lambda message: None not in (message.labels, message.flags),
    10_000,
)


class GmailLabels:
    """State shared by the sessions of one leg: the label index, read by the first session that needs it."""

    def __init__(self, view: LabelView) -> None:
        self.rule = view.rule
        self._settled = view.settled
        self._copies = view.copies
        self._lock = threading.Lock()
        self._index: LabelIndex | None = None
        self.warnings: dict[str, Text] = {}  # folder -> why its content may be incomplete

    def index(self, session: ImapReader) -> LabelIndex:
        """Return the index. Raises MailHidden, and what reading raises."""
        with self._lock:
            if self._index is None:
                self._index = self._read(session)
            return self._index

    def refresh(self, session: ImapReader) -> LabelIndex:
        """Return the index, updated with the messages that arrived or vanished since."""
        index = self.index(session)
        with self._lock:
            status = session.status(index.all_mail.name)
            if status.uidvalidity != index.all_mail.uidvalidity:
                raise response_errors.folder_changed(session.peer, index.all_mail.name)
            if (status.uidnext, status.messages) != (index.uidnext, index.messages):
                index.read(session.link, status)
                index.compare(session.link, session.uids(index.all_mail), session.unlisted(index.all_mail))
            return index

    def _read(self, session: ImapReader) -> LabelIndex:
        listed = session.folders()
        system = _system_folders(listed)
        if system is None:
            raise _all_mail_hidden(session)
        # Before All Mail: otherwise a message that arrives in between would seem to be missing there.
        label_statuses = session.statuses([f.name for f in listed if f.selectable and _is_label(f, system)])
        status = session.status(system.all_mail)
        index = LabelIndex(
            self.rule,
            system,
            status.ref(system.all_mail),
            Placements(settled_in(self._settled(), status.uidvalidity)),
            self._copies,
        )
        index.read(session.link, status)
        if len(index.all_uids) != status.messages:
            index.compare(session.link, session.uids(index.all_mail), session.unlisted(index.all_mail))
        self._compare(session, index, label_statuses)
        return index

    def _compare(
        self,
        session: ImapReader,
        index: LabelIndex,
        label_statuses: Mapping[str, FolderStatus | FolderUnusable],
    ) -> None:
        """Check whether All Mail shows all messages. Raises MailHidden if it certainly does not."""
        # If the UIDs have no gap, no message can be hidden.
        at_limit = index.messages in FOLDER_LIMITS and index.uidnext - 1 > index.messages
        incomplete = [
            name for name, status in label_statuses.items() if _holds_more(status, index.labelled[name])
        ]
        # Messages may have been removed between the two reads: only a repeated result counts.
        repeated = session.statuses(incomplete)
        incomplete = [name for name in incomplete if _holds_more(repeated[name], index.labelled[name])]
        if at_limit and incomplete:
            raise _folder_size_limited(session, index.messages)
        if at_limit:
            self.warnings[index.all_mail.name] = Text("partly_shown.gmail_limit", number=index.messages)
        for name in incomplete:
            self.warnings[name] = Text("partly_shown.gmail_label", folder=name, all_mail=index.all_mail.name)


class GmailSource(ImapSession):
    """Implements `MailboxReader` (importer/ports/mailbox.py), over the connection of `session`."""

    def __init__(self, session: ImapReader, labels: GmailLabels) -> None:
        super().__init__(session.link, session.survey)
        self._session = session
        self._labels = labels
        self._content_reader = ContentReader(session.link, with_labels=True)

    # --- Folders -----------------------------------------------------------------------------------

    def folders(self) -> Sequence[Folder]:
        index = self._labels.index(self._session)
        listed = {folder.name: folder for folder in self._session.folders()}
        folders: list[Folder] = []
        for folder in listed.values():
            if folder.name == index.system.all_mail:
                folders.append(replace(folder, role=FolderRole.ARCHIVE))
            elif _is_label(folder, index.system):
                # A name that is only a parent in LIST may be a label that its owner hides from IMAP.
                has_messages = folder.name in index.folders
                folders.append(replace(folder, selectable=folder.selectable or has_messages))
            elif folder.role in _OUTSIDE_ALL_MAIL:
                folders.append(folder)
        hidden = index.folders - listed.keys()
        return [*folders, *(Folder(name, DELIMITER, subscribed=True) for name in sorted(hidden))]

    def status(self, folder: str) -> FolderStatus:
        index = self._labels.index(self._session)
        return index.status(folder) if self._is_label_view(folder) else self._session.status(folder)

    def statuses(self, folders: Sequence[str]) -> Mapping[str, FolderStatus | FolderUnusable]:
        index = self._labels.index(self._session)
        passed_through = self._session.statuses([name for name in folders if not self._is_label_view(name)])
        return {
            name: passed_through[name] if name in passed_through else index.status(name) for name in folders
        }

    def listing(self, *, modseqs: bool = False, count: FolderCount = uncounted) -> MailboxListing:
        folders = self.folders()
        statuses = self.statuses([folder.name for folder in folders if folder.selectable])
        return MailboxListing(self.hierarchy(), folders, statuses, self._labels.warnings)

    def has_labels(self) -> bool:
        return True

    # --- Reading -----------------------------------------------------------------------------------

    def uids(self, folder: FolderRef, at_or_above: Uid = Uid(1)) -> UidSet:
        if not self._is_label_view(folder.name):
            return self._session.uids(folder, at_or_above)
        index = self._labels.refresh(self._session)
        self._check_uidvalidity(index, folder)
        return index.uids(folder.name).at_or_above(at_or_above)

    def uids_of(self, folders: Sequence[FolderRef]) -> Mapping[FolderRef, UidSet]:
        return {}  # the index of labels knows the folders

    def sizes_of(self, folders: Sequence[FolderRef]) -> Mapping[FolderRef, Sequence[tuple[Uid, int]]]:
        return {}  # likewise

    def unlisted(self, folder: FolderRef) -> int:
        if not self._is_label_view(folder.name):
            return self._session.unlisted(folder)
        index = self._labels.index(self._session)
        return index.unlisted if folder.name == index.system.all_mail else 0

    def sizes(self, folder: FolderRef, uids: UidSet) -> Iterator[tuple[Uid, int]]:
        return self._session.sizes(*self._resolve(folder, uids))

    def headers(self, folder: FolderRef, uids: UidSet) -> Iterator[HeaderLines]:
        return self._session.headers(*self._resolve(folder, uids))

    def messages(self, folder: FolderRef, uids: UidSet) -> Iterator[Message | NotHandedOut]:
        if self._labels.rule is not LabelRule.KEYWORDS or not self._is_label_view(folder.name):
            return self._session.messages(*self._resolve(folder, uids))
        return self._labelled(folder.name, *self._resolve(folder, uids))

    def read_beginning(self, folder: FolderRef, uid: Uid, max_bytes: int) -> int:
        all_mail, uids = self._resolve(folder, UidSet.of((uid,)))
        return self._session.read_beginning(all_mail, uid, max_bytes) if uids else 0

    def _labelled(self, name: str, all_mail: FolderRef, uids: UidSet) -> Iterator[Message | NotHandedOut]:
        for message in self._content_reader.fetched(all_mail, uids):
            if isinstance(message, NotHandedOut):
                yield message
            else:
                fetched, header = message
                yield as_message(fetched, header)._replace(flags=self._flags_and_keywords(name, fetched))

    def flags(
        self, folder: FolderRef, uids: UidSet, changed_since: int = 0
    ) -> Iterator[tuple[Uid, tuple[str, ...]]]:
        """Yield the flags of all messages, ignoring `changed_since`: labels become keywords here, and changes
        of labels have no modification sequence."""
        if self._labels.rule is not LabelRule.KEYWORDS or not self._is_label_view(folder.name):
            yield from self._session.flags(*self._resolve(folder, uids))
            return
        for message in fetch(self.link, *self._resolve(folder, uids), _FLAGS_AND_LABELS):
            if not isinstance(message, Unreadable) and message.uid is not None:
                yield message.uid, self._flags_and_keywords(folder.name, message)

    def _flags_and_keywords(self, name: str, message: Fetched) -> tuple[str, ...]:
        """Return the flags, and as keywords the user's labels except that of the folder."""
        decode = self.link.cursor.names.decode
        user_labels = [decode(label) for label in message.labels or () if not _is_system_label(label)]
        keywords = (as_keyword(label) for label in sorted(user_labels) if label != name)
        return tuple(dict.fromkeys((*without_recent(message.flags or ()), *keywords)))

    def _is_label_view(self, name: str) -> bool:
        index = self._labels.index(self._session)
        passed_through = (index.system.folders.get(role) for role in _OUTSIDE_ALL_MAIL)
        return name not in passed_through

    def _resolve(self, folder: FolderRef, uids: UidSet) -> tuple[FolderRef, UidSet]:
        """Return the folder that the messages are read from, and those of `uids` that `folder` shows."""
        if not self._is_label_view(folder.name):
            return folder, uids
        index = self._labels.index(self._session)
        self._check_uidvalidity(index, folder)
        return index.all_mail, uids & index.uids(folder.name)

    def _check_uidvalidity(self, index: LabelIndex, folder: FolderRef) -> None:
        if folder.uidvalidity != index.all_mail.uidvalidity:
            raise response_errors.folder_changed(self.peer, folder.name)

    def outlines(self, folder: FolderRef, uids: UidSet) -> Iterator[Outline]:
        return self._session.outlines(*self._resolve(folder, uids))

    def folder_bytes(self, folders: Sequence[str]) -> Mapping[str, int]:
        """Return sizes of Spam and Trash only.

        For a label, the server counts all messages with it, not only those that its folder shows here.
        """
        return self._session.folder_bytes([name for name in folders if not self._is_label_view(name)])


_NOT_IN_KEYWORDS: Final = re.compile(r'[\x00-\x20\x7f()/{%*<>\\"\]]')


def as_keyword(label: str) -> str:
    """Return the label as an IMAP keyword, spelled like the tags of Thunderbird: lower case, modified UTF-7,
    "_" for characters that keywords cannot contain (comm-central, nsMsgTagService::AddTag)."""
    return bytes(imap_utf7.encode(_NOT_IN_KEYWORDS.sub("_", label))).decode("ascii").lower()


def _is_system_label(label: bytes) -> bool:
    return label.lower() in SYSTEM_ROLES or label.lower() in NO_FOLDER


def _system_folders(listed: Sequence[Folder]) -> SystemFolders | None:
    """Return the host's own folders, None if it does not show All Mail."""
    roles = {folder.role: folder.name for folder in reversed(listed) if folder.role is not None}
    all_mail = roles.get(FolderRole.ALL)
    return None if all_mail is None else SystemFolders(all_mail, roles)


def _is_label(folder: Folder, system: SystemFolders) -> bool:
    """Return whether the folder is a label to copy. Siblings of All Mail are the host's own folders."""
    parent = system.all_mail.rpartition(DELIMITER)[0]
    is_sibling = folder.name.startswith(parent + DELIMITER)
    return folder.role in SYSTEM_ROLES.values() or not (is_sibling or folder.name == parent)


def _holds_more(status: FolderStatus | FolderUnusable, known: int) -> bool:
    return isinstance(status, FolderStatus) and status.messages > known


def _all_mail_hidden(session: ImapReader) -> MailHidden:
    return MailHidden(Text("mail_hidden.all_mail", host=session.peer.host), side=session.side)


def _folder_size_limited(session: ImapReader, limit: int) -> MailHidden:
    text = Text("mail_hidden.folder_limit", host=session.peer.host, number=limit)
    return MailHidden(text, side=session.side)
