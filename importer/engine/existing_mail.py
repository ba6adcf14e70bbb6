"""Mail that stands in a destination folder without a receipt of ours: another tool's, the owner's own,
or an append of ours whose record was lost with the database.

Equal headers never make two messages one: whatever looks alike is decided by its bytes.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from importer.compact.digest_set import DIGEST_BYTES
from importer.compact.uid_set import Uid, UidBitmap, UidSet
from importer.compact.uids_by_key import UidsByKey
from importer.domain.messages.message_body import Body
from importer.domain.messages.message_identity import ForeignIndex, digest, digest_under, munged
from importer.domain.model import FolderRef, NotHandedOut
from importer.ports.mailbox import MailboxSession


class ForeignMail:
    """The messages `uids` of one destination folder, indexed by their headers. Used by several lanes, each
    with a session of its own; what two of them read at the same time is read twice, and that is all."""

    def __init__(self, session: MailboxSession, folder: FolderRef, uids: UidSet) -> None:
        self._folder = folder
        self._index = ForeignIndex()
        self._any = bool(uids)
        self._lock = threading.Lock()
        self._read = UidBitmap()  # candidates whose bytes were asked for
        self._by_digest = UidsByKey(DIGEST_BYTES)  # those of them that could be had
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
            equal = {*self._by_digest.get(sent), *self._by_digest.get(as_stored)}
            there = next((uid for uid in candidates[sent] if uid in equal), None)
            if there is not None:
                found.setdefault(sent, there)
        return found

    def _read_bodies(self, session: MailboxSession, uids: UidSet) -> None:
        unread = UidSet.of(uid for uid in uids if uid not in self._read)
        for message in session.messages(self._folder, unread):
            if not isinstance(message, NotHandedOut):
                with self._lock:
                    self._by_digest.add(digest(message.body), message.uid)
        with self._lock:
            for uid in unread:  # only now: whoever does not read them relies on what is known of them
                self._read.add(uid)
