"""The behaviour of the destination, as far as one leg has seen it: room, refusals, flags."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import field
from typing import Final

from importer.compact.uid_set import Uid, UidSet
from importer.domain.mailbox_content import FolderRef
from importer.domain.planning.retry_limits import MAX_RENEWALS, MAX_VERDICTS_IN_A_ROW, MOST_WITHOUT_ROOM
from providers.frozen import frozen

_LEAST_FLAGGED: Final = 2
"""Copies that must lack a flag to prove that the destination ignores it: of one alone, its owner may have
removed it."""


@frozen
class FlaggedCopies:
    """Copies that were just appended into a folder with system flags: their UIDs, and where these are not
    known all those that they may have; how many they are; how many have each flag, by its name in lower
    case."""

    uids: UidSet = UidSet()
    number: int = 0
    numbers: Mapping[str, int] = field(default_factory=dict)


class DestinationTraits:
    """The traits of the destination, as seen on all lanes of a leg. Thread-safe.

    `kept_flags`, `lost_flags`: the system flags of appended messages that it keeps, that it ignores; as far
    as copies were looked at. `accepted`: the folder of the last batch that it accepted, and the lowest UID
    that its copies may have. `shows_late`: whether it may show copies later than it stores them; not after a
    wait in vain. `bye_is_final`: it stores nothing after a BYE, as far as a wait in vain tells.
    `sizes_compared_in`: the folder of which also small copies are compared by size, `cuts`: that of all,
    since some of these were cut; `sizes_mislead`: copies with smaller sizes were whole.
    """

    def __init__(self) -> None:
        self.kept_flags = self.lost_flags = frozenset[str]()
        self.shows_late = True
        self.bye_is_final = False
        self.sizes_compared_in: FolderRef | None = None
        self.sizes_mislead = self.cuts = False
        self.accepted: tuple[FolderRef, Uid] | None = None
        self._lock = threading.Lock()
        self._stored = 0
        self._verdicts_in_a_row = 0
        self._renewals_left = MAX_RENEWALS
        self._flagged: dict[FolderRef, FlaggedCopies] = {}
        self._without_room: set[str] = set()

    def stored(self, folder: str) -> None:
        """It stored a batch, or a part of it."""
        with self._lock:
            self._stored += 1
            self._verdicts_in_a_row = 0
            self._without_room &= {folder}

    def is_full(self, folder: str) -> bool:
        """Note that it has no room for a message in this folder. Return whether it counts as full: it said so
        of MOST_WITHOUT_ROOM folders, and has stored nothing elsewhere since. A quota may be that of one
        folder."""
        with self._lock:
            self._without_room.add(folder)
            return len(self._without_room) >= MOST_WITHOUT_ROOM

    def may_be_full(self, folder: str) -> bool:
        """Whether it had no room in another folder, and has stored nothing elsewhere since."""
        with self._lock:
            return bool(self._without_room - {folder})

    def has_room_beside(self, folder: str) -> bool:
        """Whether it stored messages elsewhere after it had no room for one in this folder."""
        return folder not in self._without_room

    @property
    def stored_batches(self) -> int:
        return self._stored

    def may_refuse(self) -> bool:
        """Count a message that is to be refused because it ends connections. False: too many in a row."""
        with self._lock:
            self._verdicts_in_a_row += 1
            return self._verdicts_in_a_row <= MAX_VERDICTS_IN_A_ROW

    def may_renew(self) -> bool:
        """Count a connection that is opened only to rule out that the old one is the reason for a refusal."""
        with self._lock:
            self._renewals_left -= 1
            return self._renewals_left >= 0

    def note_flagged(self, folder: FolderRef, copies: FlaggedCopies) -> None:
        """Copies were appended with flags. The latest ones are noted, at least two if there are."""
        with self._lock:
            before = self._flagged.get(folder)
            if before is not None and copies.number < _LEAST_FLAGGED:
                numbers = Counter(before.numbers) + Counter(copies.numbers)
                copies = FlaggedCopies(before.uids | copies.uids, before.number + copies.number, numbers)
            self._flagged[folder] = copies

    def take_flagged(self, folder: FolderRef) -> FlaggedCopies:
        """Remove and return what was noted for the folder."""
        with self._lock:
            return self._flagged.pop(folder, FlaggedCopies())

    def has_open_flags(self, copies: FlaggedCopies) -> bool:
        """Whether these copies have flags of which it is not known whether they are kept."""
        return not copies.numbers.keys() <= self.kept_flags | self.lost_flags

    def learn_flags(self, copies: FlaggedCopies, now: Sequence[Collection[str]]) -> int:
        """The folder lists messages with the flags `now`, of those that these copies may be. Return how many
        copies at least lack a flag that none has. One alone proves nothing: its owner may have removed it."""
        if len(now) < copies.number:
            return 0  # some were removed
        listed = {name for flags in now for name in flags}
        with self._lock:
            self.kept_flags |= copies.numbers.keys() & listed
            if copies.number >= _LEAST_FLAGGED:
                lost = {n for n, m in copies.numbers.items() if m >= _LEAST_FLAGGED or not self.kept_flags}
                self.lost_flags |= lost - self.kept_flags
            open_ = copies.numbers.keys() - self.kept_flags
        return max((copies.numbers[name] for name in open_), default=0)

    def lost_of(self, flags: Mapping[str, str]) -> Mapping[str, str]:
        """The flags of a message that were ignored, by their names in lower case."""
        if self.lost_flags and not self.kept_flags:
            return flags
        return {name: flag for name, flag in flags.items() if name in self.lost_flags}
