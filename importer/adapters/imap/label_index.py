"""Which message of All Mail is shown in which label's folder: read from Gmail once per leg.

Invariants
- Without `LabelRule.EACH` every message of All Mail is in exactly one folder.
- A message that was copied under a label stays in that label's folder, whatever its labels are now.
- Memory: ranges of UIDs per folder, no message by itself.

X-GM-LABELS is as seen on the wire on 2026-09-16 ("Gmail X-GM-EXT-1: observed wire behavior", notes of a Go
IMAP library) beside developers.google.com/workspace/gmail/imap/imap-extensions: names in modified UTF-7, the
host's own labels quoted with a backslash, all labels only while All Mail is open.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from importer.adapters.imap.fetch import Query, Unreadable, fetch
from importer.adapters.imap.reconnecting import ReconnectingConnection
from importer.compact.uid_set import Uid, UidSet, UidValidity
from importer.domain.folder_mapping.label_rules import LabelRule, most_specific
from importer.domain.model import FolderRef, FolderStatus
from providers.endpoint import FolderRole

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
"""Starred is the flag \\Flagged; the others say nothing about where a message belongs."""

_LABELS: Final = Query(b"(UID X-GM-LABELS)", lambda found: found.labels is not None, 10_000)


@dataclass(frozen=True, slots=True)
class SystemFolders:
    """The host's own folders, by their roles: names differ by language, and some accounts hide some."""

    all_mail: str
    folders: Mapping[FolderRole, str]


class _Ranges:
    """UIDs that come in mostly ascending."""

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
    """Where messages were put by earlier imports: one folder per UID, the most specific where there are
    several."""

    def __init__(self, settled: Mapping[str, UidSet]) -> None:
        taken = UidSet()
        spans: list[tuple[int, int, str]] = []
        for name in most_specific(settled, DELIMITER):
            spans += [(first, last, name) for first, last in (settled[name] - taken).ranges]
            taken |= settled[name]
        self._spans = sorted(spans)

    @property
    def folders(self) -> frozenset[str]:
        return frozenset(name for _, _, name in self._spans)

    def of(self, uid: Uid) -> str | None:
        at = bisect_right(self._spans, (uid, 2**63, "")) - 1
        if at < 0 or self._spans[at][1] < uid:
            return None
        return self._spans[at][2]


@dataclass(slots=True)
class LabelIndex:
    """The folders of one account's labels, as one leg sees them."""

    rule: LabelRule
    system: SystemFolders
    all_mail: FolderRef
    placements: Placements
    uidnext: Uid = Uid(1)
    messages: int = 0  # that All Mail shows
    labelled: Counter[str] = field(default_factory=Counter)  # folder -> messages with its label
    _elsewhere: Counter[str] = field(default_factory=Counter)
    _members: defaultdict[str, _Ranges] = field(default_factory=lambda: defaultdict(_Ranges))
    _sets: dict[str, UidSet] = field(default_factory=dict)

    # --- Reading ---------------------------------------------------------------------------------------

    def read(self, link: ReconnectingConnection, status: FolderStatus) -> None:
        """Takes in what All Mail holds above what is known. Raises what reading raises."""
        if status.uidnext > self.uidnext:
            asked = UidSet.from_ranges([(self.uidnext, status.uidnext - 1)])
            for found in fetch(link, self.all_mail, asked, _LABELS):
                labels = () if isinstance(found, Unreadable) else found.labels or ()
                if found.uid is not None:
                    self._take(found.uid, [self._folder_of(link, label) for label in labels])
        self.uidnext = max(self.uidnext, status.uidnext)
        self.messages = status.messages
        self._sets.clear()

    def drop(self, gone: UidSet) -> None:
        """Forgets messages that All Mail does not show any more."""
        for name in list(self._members):
            self._members[name] = _Ranges(self._members[name].uids - gone)
        self._sets.clear()

    def _folder_of(self, link: ReconnectingConnection, label: bytes) -> str | None:
        if label.lower() in NO_FOLDER:
            return None
        role = SYSTEM_ROLES.get(label.lower())
        return link.names.decode(label) if role is None else self.system.folders.get(role)

    def _take(self, uid: Uid, found: Iterable[str | None]) -> None:
        names = {name for name in found if name is not None}
        self.labelled.update(names)
        shown = self._shown_in(uid, names)
        self._elsewhere.update(names.difference(shown))
        for name in shown:
            self._members[name].add(uid)

    def _shown_in(self, uid: Uid, names: Collection[str]) -> Collection[str]:
        if self.rule is LabelRule.EACH:
            return names or (self.system.all_mail,)
        settled = self.placements.of(uid)
        return (self.place(names) if settled is None else settled,)

    def place(self, names: Collection[str]) -> str:
        """The folder for a message with these labels: see importer/domain/folder_mapping/label_rules.py."""
        hosts = [self.system.folders[role] for role in _ROLE_ORDER if role in self.system.folders]
        own = most_specific((name for name in names if name not in hosts), DELIMITER)
        return next(iter((*own, *(host for host in hosts if host in names), self.system.all_mail)))

    # --- Asking ----------------------------------------------------------------------------------------

    @property
    def folders(self) -> frozenset[str]:
        """Every folder that a label asks for or that shows a message."""
        return frozenset({*self.labelled, *self._members, *self.placements.folders})

    def uids(self, name: str) -> UidSet:
        """The messages that this folder shows, as UIDs of All Mail."""
        if name not in self._sets:
            self._sets[name] = self._members[name].uids if name in self._members else UidSet()
        return self._sets[name]

    @property
    def all_uids(self) -> UidSet:
        return UidSet.from_ranges(r for name in self._members for r in self.uids(name).ranges)

    def status(self, name: str) -> FolderStatus:
        """Two that are equal show the same messages: UIDs come into a label's folder in any order, so that
        number and highest UID do not tell."""
        uids = self.uids(name)
        elsewhere = self._elsewhere[name]
        told = sha256(f"{uids} {elsewhere}".encode()).digest()
        contents = int.from_bytes(told[:7]) + 1
        return FolderStatus(self.all_mail.uidvalidity, self._uidnext(uids), len(uids), contents, elsewhere)

    @staticmethod
    def _uidnext(uids: UidSet) -> Uid:
        return Uid((uids.highest or 0) + 1)


def settled_in(settled: Iterable[tuple[FolderRef, UidSet]], uidvalidity: UidValidity) -> dict[str, UidSet]:
    """Folder -> the UIDs that receipts name there, under that UIDVALIDITY."""
    found: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for folder, uids in settled:
        if folder.uidvalidity == uidvalidity:
            found[folder.name] += uids.ranges
    return {name: UidSet.from_ranges(ranges) for name, ranges in found.items()}
