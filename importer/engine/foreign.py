"""Mail that stands in a destination folder without a receipt of ours: another tool's, the owner's own,
or an append of ours whose record was lost with the database.

Equal headers never make two messages one: whatever looks alike is decided by its bytes.
"""

from __future__ import annotations

from collections.abc import Sequence

from importer.domain.content import Body
from importer.domain.identity import ForeignIndex, digest, digest_under, munged
from importer.domain.model import FolderRef
from importer.domain.uidset import Uid, UidSet
from importer.ports import MailboxSession


class ForeignMail:
    """The messages `uids` of one destination folder, indexed by their headers. Used by several lanes, each
    with a session of its own; what two of them read at the same time is read twice, and that is all."""

    def __init__(self, session: MailboxSession, folder: FolderRef, uids: UidSet) -> None:
        self._folder = folder
        self._index = ForeignIndex()
        self._any = bool(uids)
        self._read: dict[Uid, bytes | None] = {}  # digests of the candidates that were read
        if uids:
            for lines in session.headers(folder, uids):
                self._index.add(lines.uid, lines.size_bytes, lines.header)

    def find(self, session: MailboxSession, wanted: Sequence[tuple[bytes, bytes, Body]]) -> dict[bytes, Uid]:
        """For (digest, header, body) of source messages: digest -> UID of the equal one there, if any.
        Equal is also what a Cyrus makes of the message, to the byte."""
        if not self._any:
            return {}
        candidates = {found: self._index.candidates(header, len(body)) for found, header, body in wanted}
        self._read_bodies(session, UidSet.of(uid for uids in candidates.values() for uid in uids))
        found: dict[bytes, Uid] = {}
        for sent, header, body in wanted:
            as_stored = sent if header.isascii() else digest_under(munged(header), len(header), body)
            for uid in candidates[sent]:
                if self._read.get(uid) in (sent, as_stored):
                    found.setdefault(sent, uid)
        return found

    def _read_bodies(self, session: MailboxSession, uids: UidSet) -> None:
        unread = UidSet.of(uid for uid in uids if uid not in self._read)
        read: dict[Uid, bytes | None] = dict.fromkeys(unread)
        for message in session.messages(self._folder, unread):
            if not isinstance(message, tuple):
                read[message.uid] = digest(message.body)
        self._read.update(read)
