"""Looks for copies that are not in their folder in the other folders of the destination: a filter there, or
another program, may have moved them as they arrived.

Only equal bytes prove it, and a message of another folder that the ledger knows proves nothing: it is the
copy of another source message.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Final

from importer.compact.uid_set import Uid, UidSet
from importer.domain.mailbox_content import FolderRef, HeaderLines, Message, NotHandedOut
from importer.domain.messages.message_identity import CandidateKeys, ExistingMailIndex, digest
from importer.engine.leg_context import Lane
from importer.ports.mailbox_errors import FolderChanged, FolderUnusable

MOST_LISTED: Final = 20_000
"""Limit of the messages whose headers are read, in all other folders together."""

MOST_READ_BYTES: Final = 256 << 20
"""Approximate limit of the bytes that are read for comparison."""

_LATEST: Final = 1000
"""Headers of at least this many of a folder's latest messages are read: moved copies are among them."""


def find_moved(
    lane: Lane,
    source: FolderRef,
    destination: FolderRef,
    contents: Mapping[Uid, bytes],
    recorded: Callable[[str], Iterable[bytes]],
) -> UidSet:
    """Which messages of `source` have a copy in another folder than `destination`, where they should be.

    `contents` maps the messages to their digests. `recorded` returns the digests of the messages that the
    ledger knows in a folder, once for each message. Raises what the sessions raise,
    apart from FolderUnusable and FolderChanged.
    """
    return _Search(lane, destination, contents, recorded).run(source) if contents else UidSet()


class _Search:
    def __init__(
        self,
        lane: Lane,
        destination: FolderRef,
        contents: Mapping[Uid, bytes],
        recorded: Callable[[str], Iterable[bytes]],
    ) -> None:
        self._session = lane.destination
        self._listings = lane.listings
        self._source_session = lane.source
        self._destination = destination
        self._recorded = recorded
        self._missing: dict[bytes, list[Uid]] = {}
        for uid, content in contents.items():
            self._missing.setdefault(content, []).append(uid)
        self._latest = max(_LATEST, 2 * len(contents))
        self._listed_left = MOST_LISTED
        self._bytes_left = MOST_READ_BYTES

    def run(self, source: FolderRef) -> UidSet:
        moved: list[Uid] = []
        uids = UidSet.of(chain.from_iterable(self._missing.values()))
        headers = list(self._source_session.headers(source, uids))
        for folder in self._others():
            try:
                found = Counter(self._contents_of_candidates(folder, headers))
            except (FolderUnusable, FolderChanged):
                continue
            if found:
                found.subtract(content for content in self._recorded(folder.name) if content in found)
            for content in +found:
                moved += self._missing.pop(content)
            if not self._missing or self._listed_left <= 0:
                break
        return UidSet.of(moved)

    def _others(self) -> Iterator[FolderRef]:
        """The other folders that hold mail."""
        for name, status in self._listings.latest(self._session).items():
            if not isinstance(status, FolderUnusable) and status.messages and name != self._destination.name:
                yield status.ref(name)

    def _contents_of_candidates(self, folder: FolderRef, headers: Iterable[HeaderLines]) -> Iterator[bytes]:
        """The digests of those messages of a folder that are equal to missing ones."""
        listed = self._session.uids(folder)
        latest = UidSet()
        for piece in deque(listed.chunks(min(self._latest, self._listed_left)), maxlen=2):
            latest |= piece
        self._listed_left -= len(latest)
        index = ExistingMailIndex()
        for lines in self._session.headers(folder, latest):
            index.add(lines.uid, lines.size_bytes, lines.header)
        likely = UidSet.of(
            {
                uid
                for lines in headers
                for uid in index.candidates(CandidateKeys.of(lines.header), lines.size_bytes)
            }
        )
        for message in self._read(folder, likely):
            content = digest(message.body)
            if content in self._missing:
                yield content

    def _read(self, folder: FolderRef, uids: UidSet) -> Iterator[Message]:
        for piece in uids.chunks(_LATEST):
            if self._bytes_left <= 0:
                return
            for message in self._session.messages(folder, piece):
                if not isinstance(message, NotHandedOut):
                    self._bytes_left -= len(message.body)
                    yield message
