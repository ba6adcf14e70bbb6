"""Assigns the messages of All Mail to the folders of labels; read from Gmail once per leg.

Invariants
- Except with `LabelRule.EACH`, every message of All Mail is in exactly one folder.
- A message that was copied under a label stays in that label's folder, whatever its labels are now.
- Memory: ranges of UIDs per folder, no entry per message.

X-GM-LABELS is implemented as observed on the wire on 2026-09-16 ("Gmail X-GM-EXT-1: observed wire behavior",
notes of a Go IMAP library) and as documented in developers.google.com/workspace/gmail/imap/imap-extensions:
names in modified UTF-7, system labels quoted with a backslash, all labels only while All Mail is selected.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from importer.adapters.imap import response_errors
from importer.adapters.imap.fetch import Query, Unreadable, fetch
from importer.adapters.imap.reconnecting import ReconnectingConnection
from importer.compact.uid_set import Uid, UidSet, UidValidity
from importer.domain.folder_mapping.label_rules import LabelRule, most_specific
from importer.domain.mailbox_content import FolderRef, FolderStatus
from importer.domain.planning.server_limits import MAX_FOLDERS, MAX_ITEM_BYTES
from providers.endpoint import FolderRole
from providers.frozen import frozen

DELIMITER: Final = "/"

SYSTEM_ROLES: Final = {
    b"\\inbox": FolderRole.INBOX,
    b"\\draft": FolderRole.DRAFTS,
    b"\\drafts": FolderRole.DRAFTS,
    b"\\sent": FolderRole.SENT,
}
_ROLE_ORDER: Final = (FolderRole.INBOX, FolderRole.DRAFTS, FolderRole.SENT)
NO_FOLDER: Final = frozenset(
    {b"\\important", b"\\starred", b"\\muted", b"\\trash", b"\\spam", b"\\junk", b"\\all", b"\\allmail"}
)
"""System labels that have no folder here. Starred is the flag \\Flagged; the rest do not place a message."""

_LABELS: Final = Query(
    b"(UID X-GM-LABELS)", lambda message: message.labels is not None, 10_000, bytes_each=MAX_ITEM_BYTES
)


@frozen
class SystemFolders:
    """The host's own folders by role: names differ by language, and accounts may hide some of them."""

    all_mail: str
    folders: Mapping[FolderRole, str]


class _Ranges:
    """A growing set of UIDs, added in mostly ascending order."""

    __slots__ = ("_ranges",)

    def __init__(self, uids: UidSet = UidSet()) -> None:
        self._ranges = list(uids.ranges)

    def add(self, uid: Uid) -> None:
        if self._ranges and self._ranges[-1][1] + 1 == uid:
            self._ranges[-1] = (self._ranges[-1][0], uid)
        else:
            self._ranges.append((uid, uid))

    @property
    def uids(self) -> UidSet:
        return UidSet.from_ranges(self._ranges)


class Placements:
    """The folders that earlier imports put messages in: one per UID, the most specific of several."""

    def __init__(self, settled: Mapping[str, UidSet]) -> None:
        assigned = UidSet()
        spans: list[tuple[int, int, str]] = []
        for name in most_specific(settled, DELIMITER):
            spans += [(first, last, name) for first, last in (settled[name] - assigned).ranges]
            assigned |= settled[name]
        self._spans = sorted(spans)

    @property
    def folders(self) -> frozenset[str]:
        return frozenset(name for _, _, name in self._spans)

    def of(self, uid: Uid) -> str | None:
        index = bisect_right(self._spans, (uid, 2**63, "")) - 1
        if index < 0 or self._spans[index][1] < uid:
            return None
        return self._spans[index][2]


@dataclass(slots=True)
class LabelIndex:
    """The folders of one account's labels, as one leg sees them."""

    rule: LabelRule
    system: SystemFolders
    all_mail: FolderRef
    placements: Placements
    copies: Callable[[str], bool] = lambda _folder: True  # as in LabelView
    uidnext: Uid = Uid(1)
    messages: int = 0  # in All Mail
    unlisted: int = 0  # messages that All Mail counts and does not list, when it was last compared
    labelled: Counter[str] = field(default_factory=Counter)  # folder -> messages with its label
    _elsewhere: Counter[str] = field(
        default_factory=Counter
    )  # folder -> its labelled messages shown in others
    _members: defaultdict[str, _Ranges] = field(default_factory=lambda: defaultdict(_Ranges))
    _uid_sets: dict[str, UidSet] = field(default_factory=dict)  # cache of `uids`

    # --- Reading ---------------------------------------------------------------------------------------

    def read(self, link: ReconnectingConnection, status: FolderStatus) -> None:
        """Add the messages of All Mail above the last known UID. Raises what reading raises."""
        if status.uidnext > self.uidnext:
            self._fetch(link, UidSet.from_ranges([(self.uidnext, status.uidnext - 1)]))
        self.uidnext = max(self.uidnext, status.uidnext)
        self.messages = status.messages
        self._uid_sets.clear()

    def compare(self, link: ReconnectingConnection, listed: UidSet, unlisted: int) -> None:
        """Forget the messages that All Mail no longer shows, and add those that it lists and that were left
        out of the answers about labels. One that is left out again counts as a message without a label.
        `unlisted` is the number of messages that it counts beyond those listed. Raises as `read` does."""
        self._forget(self.all_uids - listed)
        if omitted := listed - self.all_uids:
            for uid in omitted - self._fetch(link, omitted):
                self._add(uid, ())
            self._uid_sets.clear()
        self.uidnext = max(self.uidnext, Uid((listed.highest or 0) + 1))
        self.unlisted = unlisted

    def _fetch(self, link: ReconnectingConnection, uids: UidSet) -> UidSet:
        """Add those of the messages of which the server tells the labels, and return them."""
        added: list[Uid] = []
        for message in fetch(link, self.all_mail, uids, _LABELS):
            labels = () if isinstance(message, Unreadable) else message.labels or ()
            if message.uid is not None:
                self._add(message.uid, [self._folder_of(link, label) for label in labels])
                added.append(message.uid)
            if len(self.labelled) > MAX_FOLDERS:
                raise response_errors.too_many_folders(link.peer)
        return UidSet.of(added)

    def _forget(self, vanished: UidSet) -> None:
        for name in list(self._members):
            self._members[name] = _Ranges(self._members[name].uids - vanished)
        self._uid_sets.clear()

    def _folder_of(self, link: ReconnectingConnection, label: bytes) -> str | None:
        if label.lower() in NO_FOLDER:
            return None
        role = SYSTEM_ROLES.get(label.lower())
        return link.cursor.names.decode(label) if role is None else self.system.folders.get(role)

    def _add(self, uid: Uid, folders: Iterable[str | None]) -> None:
        names = {name for name in folders if name is not None}
        self.labelled.update(names)
        shown = self._shown_in(uid, names)
        self._elsewhere.update(names.difference(shown))
        for name in shown:
            self._members[name].add(uid)

    def _shown_in(self, uid: Uid, names: Collection[str]) -> Collection[str]:
        if self.rule is LabelRule.EACH:
            return names or (self.system.all_mail,)
        settled = self.placements.of(uid)
        if settled is not None:
            return (settled,)
        return (self.folder_for({name for name in names if self.copies(name)} or names),)

    def folder_for(self, names: Collection[str]) -> str:
        """Return the folder for a message with these labels: see
        importer/domain/folder_mapping/label_rules.py."""
        system = [self.system.folders[role] for role in _ROLE_ORDER if role in self.system.folders]
        user_labels = most_specific((name for name in names if name not in system), DELIMITER)
        return next(iter((*user_labels, *(name for name in system if name in names), self.system.all_mail)))

    # --- Queries ----------------------------------------------------------------------------------------

    @property
    def folders(self) -> frozenset[str]:
        """Every folder that has a label or shows a message."""
        return frozenset({*self.labelled, *self._members, *self.placements.folders})

    def uids(self, name: str) -> UidSet:
        """Return the messages that this folder shows, as UIDs of All Mail."""
        if name not in self._uid_sets:
            self._uid_sets[name] = self._members[name].uids if name in self._members else UidSet()
        return self._uid_sets[name]

    @property
    def all_uids(self) -> UidSet:
        return UidSet.from_ranges(r for name in self._members for r in self.uids(name).ranges)

    def status(self, name: str) -> FolderStatus:
        """Return a status that is equal to another only if the folder shows the same messages. Message count
        and highest UID are not enough, since UIDs enter a label's folder in any order."""
        uids = self.uids(name)
        elsewhere = self._elsewhere[name]
        digest = sha256(f"{uids} {elsewhere}".encode()).digest()
        contents = int.from_bytes(digest[:7]) + 1
        return FolderStatus(self.all_mail.uidvalidity, self._uidnext(uids), len(uids), contents, elsewhere)

    @staticmethod
    def _uidnext(uids: UidSet) -> Uid:
        return Uid((uids.highest or 0) + 1)


def settled_in(settled: Iterable[tuple[FolderRef, UidSet]], uidvalidity: UidValidity) -> dict[str, UidSet]:
    """Return folder -> the UIDs settled in it under this UIDVALIDITY."""
    ranges_of: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for folder, uids in settled:
        if folder.uidvalidity == uidvalidity:
            ranges_of[folder.name] += uids.ranges
    return {name: UidSet.from_ranges(ranges) for name, ranges in ranges_of.items()}
