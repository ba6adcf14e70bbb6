"""Looks at the destination for copies that are not under the UID that their receipt names, or whose receipt
names none.

A UID that was known and is no longer listed means that the message was removed, or moved away and perhaps
back: only its bytes prove that it is there. Of a copy whose UID was never known (no UIDPLUS), header and size
tell, since every recount would have to read the whole folder otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Final

from importer.compact.uid_set import Uid, UidSet
from importer.domain.mailbox_content import HeaderLines, NotHandedOut
from importer.domain.messages.message_identity import CandidateKeys, ExistingMailIndex, digest
from importer.domain.receipts.copies_there import CopiesThere
from importer.domain.receipts.folder_history import FolderHistory
from importer.engine.existing_mail import UNLIKELY_CANDIDATES
from importer.engine.leg_context import Lane
from providers.frozen import frozen

MOST_READ: Final = 1000
"""Messages of a folder that are read to compare their bytes."""

_UNLIKELY_PER_MESSAGE: Final = 8


@frozen
class FoundCopies:
    """Source UIDs of the messages that are there, and of those of which that could not be checked; `used` is
    the number of destination messages that they are."""

    there: UidSet = UidSet()
    unchecked: UidSet = UidSet()
    used: int = 0


def find_copies(
    lane: Lane,
    history: FolderHistory,
    missing: CopiesThere,
    others: UidSet,
    digests_of: Callable[[UidSet], Mapping[Uid, bytes]],
    copied_by_others: Callable[[], Iterable[bytes]],
) -> FoundCopies:
    """Look for the messages in `missing.gone`, `never_seen` and `unnumbered` among `others`, the messages of
    the destination folder without a receipt. `digests_of` returns the digests of source messages,
    `copied_by_others` the contents that other sources brought. Raises what the sessions raise."""
    return _Search(lane, history, missing, others, copied_by_others).run(digests_of)


@frozen
class _Candidates:
    """Destination messages that may be one source message: by its identifying fields, by Date and Subject if
    the server may have given it another Message-ID, and in other ways."""

    namesakes: set[Uid]
    alike: set[Uid]
    likely: tuple[Uid, ...]
    unlikely: tuple[Uid, ...]


@dataclass(slots=True)
class _Search:
    lane: Lane
    history: FolderHistory
    missing: CopiesThere
    others: UidSet
    copied_by_others: Callable[[], Iterable[bytes]]
    _index: ExistingMailIndex = field(default_factory=ExistingMailIndex)
    _used: dict[Uid, Uid] = field(default_factory=dict)  # destination UID -> the source message it is
    _contested: set[Uid] = field(default_factory=set)  # by more source messages than there are
    _of_others: frozenset[bytes] | None = None  # once they were asked for
    _there: set[Uid] = field(default_factory=set)  # the first of several with the same content
    _unchecked: set[Uid] = field(default_factory=set)  # likewise
    _open: dict[Uid, _Candidates] = field(default_factory=dict)

    def run(self, digests_of: Callable[[UidSet], Mapping[Uid, bytes]]) -> FoundCopies:
        for lines in self.lane.destination.headers(self.history.destination, self.others):
            self._index.add(lines.uid, lines.size_bytes, lines.header)
        doubtful = self.missing.gone | self.missing.never_seen | self.missing.unnumbered
        for lines in self.lane.source.headers(self.history.source, doubtful):
            self._compare_header(lines)
        if self._open:
            self._compare_bytes(digests_of(UidSet.of(self._open)))
        return FoundCopies(
            self._with_twins(self._there), self._with_twins(self._unchecked), used=len(self._used)
        )

    def _first(self, uid: Uid) -> Uid:
        return self.missing.twins.get(uid, uid)

    def _with_twins(self, uids: set[Uid]) -> UidSet:
        return UidSet.of(chain(uids, (uid for uid, first in self.missing.twins.items() if first in uids)))

    def _compare_header(self, lines: HeaderLines) -> None:
        index, size_bytes = self._index, lines.size_bytes
        unnumbered = lines.uid in self.missing.unnumbered
        keys = CandidateKeys.of(lines.header)
        namesakes = index.namesakes(keys)
        alike: set[Uid] = set()
        reopened: list[Uid] = []
        unlikely: Iterable[Uid] = ()
        if unnumbered:
            if self._first(lines.uid) in self._there:
                return
            same = {uid for uid in namesakes if index.has_size(uid, size_bytes)}
            if free := same - self._used.keys() - self._contested:
                self._settle(lines.uid, min(free))
                return
            reopened = self._reopened(same)
            unlikely = index.unlikely_candidates(keys, size_bytes)
            alike = index.with_date_and_subject(keys)
        likely = index.candidates(keys, size_bytes)
        candidates = _Candidates(namesakes, alike, likely, tuple(islice(unlikely, _UNLIKELY_PER_MESSAGE)))
        if likely or candidates.unlikely:
            self._open |= dict.fromkeys((lines.uid, *reopened), candidates)

    def _reopened(self, contested: set[Uid]) -> list[Uid]:
        """The source messages that counted as these messages of the destination, by header and size. If more
        have both than there are, only the bytes tell which."""
        self._contested |= contested
        reopened = [self._used.pop(uid) for uid in contested & self._used.keys()]
        self._there.difference_update(map(self._first, reopened))
        return reopened

    def _compare_bytes(self, digests: Mapping[Uid, bytes]) -> None:
        contents = self._read()
        by_content = {content: uid for uid, content in contents.items()}
        for uid, candidates in self._open.items():
            if self._first(uid) in self._there:
                continue
            if (content := digests.get(uid)) in by_content:
                self._settle(uid, by_content[content])
                continue
            unknown = self._unknown(candidates.namesakes, contents)
            altered = unknown & contents.keys() - self._used.keys()
            if altered and uid in self.missing.unnumbered:
                self._settle(uid, min(altered))
            elif unknown or self._unknown(candidates.alike - self._used.keys(), contents):
                self._unchecked.add(self._first(uid))

    def _settle(self, uid: Uid, there: Uid) -> None:
        self._there.add(self._first(uid))
        self._used[there] = uid

    def _unknown(self, uids: set[Uid], contents: Mapping[Uid, bytes]) -> set[Uid]:
        """Those whose content is not that of another message."""
        return {uid for uid in uids if not self._is_known(contents.get(uid))}

    def _is_known(self, content: bytes | None) -> bool:
        """Whether it is the content of another message, so that the server did not alter this one."""
        if content is None or self.history.knows(content):
            return content is not None
        if self._of_others is None:
            self._of_others = frozenset(self.copied_by_others())
        return content in self._of_others

    def _read(self) -> dict[Uid, bytes]:
        """The digests of the candidates, as far as the server hands them out and there are not too many."""
        all_ = self._open.values()
        likely = _first_of((uid for one in all_ for uid in one.likely), MOST_READ)
        unlikely = _first_of((uid for one in all_ for uid in one.unlikely), UNLIKELY_CANDIDATES)
        return {
            message.uid: digest(message.body)
            for message in self.lane.destination.messages(self.history.destination, likely | unlikely)
            if not isinstance(message, NotHandedOut)
        }


def _first_of(uids: Iterable[Uid], number: int) -> UidSet:
    return UidSet.of(islice(dict.fromkeys(uids), number))
