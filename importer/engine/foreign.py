"""Mail that stands in a destination folder without a receipt of ours: another tool's, the owner's own,
or an append of ours whose record was lost with the database.

Equal headers never make two messages one: whatever looks alike is decided by its bytes.
"""

from __future__ import annotations

from importer.domain.identity import ForeignIndex, digest
from importer.domain.model import FolderRef
from importer.domain.uidset import Uid, UidSet
from importer.ports import MailboxSession


class ForeignMail:
    """The messages `uids` of one destination folder, indexed by their headers when first needed."""

    def __init__(self, session: MailboxSession, folder: FolderRef, uids: UidSet) -> None:
        self._session = session
        self._folder = folder
        self._uids = uids
        self._index: ForeignIndex | None = None
        self._read: dict[Uid, bytes | None] = {}  # digests of the candidates that were read

    def find(self, wanted: list[tuple[bytes, bytes, int]]) -> dict[bytes, Uid]:
        """For (digest, header, size in bytes) of source messages: digest -> UID of its equal there."""
        if not self._uids:
            return {}
        if self._index is None:
            self._index = ForeignIndex()
            for lines in self._session.headers(self._folder, self._uids):
                self._index.add(lines.uid, lines.size_bytes, lines.header)
        candidates = {body: self._index.candidates(header, size) for body, header, size in wanted}
        self._read_bodies(UidSet.of(uid for uids in candidates.values() for uid in uids))
        found: dict[bytes, Uid] = {}
        for body, uids in candidates.items():
            for uid in uids:
                if self._read.get(uid) == body:
                    found.setdefault(body, uid)
        return found

    def _read_bodies(self, uids: UidSet) -> None:
        unread = UidSet.of(uid for uid in uids if uid not in self._read)
        self._read.update(dict.fromkeys(unread))
        for message in self._session.messages(self._folder, unread):
            if not isinstance(message, tuple):
                self._read[message.uid] = digest(message.body)
