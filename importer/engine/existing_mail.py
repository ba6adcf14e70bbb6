"""Mail in a destination folder that has no receipt: stored by another tool, by the owner, or by an append of
this installation whose record was lost with the database.

Invariant: equal headers alone never make two messages equal; candidates are compared by their bytes.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from importer.compact.digest_set import DIGEST_BYTES
from importer.compact.uid_set import Uid, UidBitmap, UidSet
from importer.compact.uids_by_key import UidsByKey
from importer.domain.messages.message_body import Body
from importer.domain.messages.message_identity import ExistingMailIndex, digest, digest_under, munged
from importer.domain.model import FolderRef, NotHandedOut
from importer.ports.mailbox import MailboxSession


class ExistingMail:
    """The messages `uids` of one destination folder, indexed by their headers.

    Several lanes use one instance, each with its own session. `_lock` guards writes to `_by_digest` and
    `_compared`; reads take no lock. Two lanes that need the same body at the same time both read it, which
    costs a second read and nothing else.
    """

    def __init__(self, session: MailboxSession, folder: FolderRef, uids: UidSet) -> None:
        self._folder = folder
        self._index = ExistingMailIndex()
        self._has_messages = bool(uids)
        self._lock = threading.Lock()
        self._compared = UidBitmap()  # candidates whose bodies were requested
        self._by_digest = UidsByKey(DIGEST_BYTES)  # those whose bodies the server handed out
        if uids:
            for lines in session.headers(folder, uids):
                self._index.add(lines.uid, lines.size_bytes, lines.header)

    def find(self, session: MailboxSession, wanted: Sequence[tuple[bytes, bytes, Body]]) -> dict[bytes, Uid]:
        """Map the digests of source messages to the UIDs of equal messages in the folder.

        `wanted` holds (digest, header, body); digests without an equal message are left out. The form in
        which Cyrus stores a message also counts as equal, byte for byte.
        """
        if not self._has_messages:
            return {}
        candidates = {sent: self._index.candidates(header, len(body)) for sent, header, body in wanted}
        self._read_bodies(session, UidSet.of(uid for uids in candidates.values() for uid in uids))
        matches: dict[bytes, Uid] = {}
        for sent, header, body in wanted:
            as_stored = sent if header.isascii() else digest_under(munged(header), len(header), body)
            equal = {*self._by_digest.get(sent), *self._by_digest.get(as_stored)}
            match = next((uid for uid in candidates[sent] if uid in equal), None)
            if match is not None:
                matches.setdefault(sent, match)
        return matches

    def _read_bodies(self, session: MailboxSession, uids: UidSet) -> None:
        unread = UidSet.of(uid for uid in uids if uid not in self._compared)
        for message in session.messages(self._folder, unread):
            if not isinstance(message, NotHandedOut):
                with self._lock:
                    self._by_digest.add(digest(message.body), message.uid)
        with self._lock:
            for uid in unread:  # last: a lane that skips these bodies relies on their digests
                self._compared.add(uid)
