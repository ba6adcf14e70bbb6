"""Mail in a destination folder that has no receipt: stored by another tool, by the owner, or by an append of
this installation whose record was lost with the database.

Invariants:
- Equal headers alone never make two messages equal; candidates are compared by their bytes, and if these
  differ by their canonical form (`canonical_form.py`).
- A message that cannot be read counts as unknown, not as absent: a message is not called new while a message
  that has the same header, or one of the same size without a readable header, could not be read.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from importer.compact.digest_set import DIGEST_BYTES
from importer.compact.uid_set import Uid, UidBitmap, UidSet
from importer.compact.uids_by_key import UidsByKey
from importer.domain.mailbox_content import FolderRef, HeaderLines, Message, NotHandedOut
from importer.domain.messages.canonical_form import canonical_digest
from importer.domain.messages.message_body import Body
from importer.domain.messages.message_decision import Findings, Match
from importer.domain.messages.message_identity import (
    CandidateKeys,
    ExistingMailIndex,
    digest,
    digest_under,
    has_identifying_field,
    header_block,
    munged,
)
from importer.domain.planning.retry_limits import BODY_READ_ATTEMPTS
from importer.ports.mailbox import MailboxReader
from importer.ports.mailbox_errors import FolderUnusable
from providers.text import Text

UNLIKELY_CANDIDATES: Final = 200
"""Bodies that are read from one folder although their headers say that they are other messages, until one of
them proves to be equal. Large mailboxes have many messages of equal size; reading all of them would take
longer than the copy."""

_UNLIKELY_PER_MESSAGE: Final = 8
Wanted = tuple[bytes, bytes, Body]
"""Digest, header and body of a source message."""


class ExistingMail:
    """The messages `uids` of one destination folder, indexed by their headers.

    Several lanes use one instance, each with its own session. `_lock` guards all writes; reads take no lock.
    Two lanes that need the same body at the same time both read it, which costs a second read and nothing
    else.
    """

    def __init__(self, session: MailboxReader, folder: FolderRef, uids: UidSet) -> None:
        self._folder = folder
        self._index = ExistingMailIndex()
        self._has_messages = bool(uids)
        self._lock = threading.Lock()
        self._compared = UidBitmap()  # candidates whose bodies were requested
        self._by_digest = UidsByKey(DIGEST_BYTES)  # those whose bodies the server handed out
        self._by_canonical = UidsByKey(DIGEST_BYTES)  # likewise
        self._unread: set[Uid] = set()  # those whose bodies it did not hand out
        self._nameless_sizes: dict[Uid, int] = {}  # of messages without a readable header, 0 if unknown
        self._unknown_sizes: set[int] = set()  # of those whose body cannot be read either
        self._unlikely_left = UNLIKELY_CANDIDATES
        if uids:
            self._list(session, uids)

    def __bool__(self) -> bool:
        """Whether the folder has such messages."""
        return self._has_messages

    def find(self, session: MailboxReader, wanted: Sequence[Wanted]) -> Findings:
        """Find source messages in the folder.

        A message that another program changed in a known way counts as equal, and so does the form in which
        Cyrus stores a message.
        """
        keys = {sent: CandidateKeys.of(header) for sent, header, _ in wanted}
        candidates = {sent: self._index.candidates(keys[sent], len(body)) for sent, _, body in wanted}
        self._read_bodies(session, (uid for uids in candidates.values() for uid in uids))
        matches = self._matches(wanted, candidates)
        rest = [one for one in wanted if one[0] not in matches]
        if rest and self._unlikely_left > 0:
            matches |= self._unlikely_matches(session, rest, keys)
        return Findings(matches, frozenset(self._unknown(rest, keys) - matches.keys()))

    def may_be_altered(self, header: bytes) -> bool:
        """Whether the folder holds a message that may be the one with this header, altered by the server."""
        return self._has_messages and bool(self._index.altered_candidates(CandidateKeys.of(header)))

    def altered(self, header: bytes, known: UidSet) -> set[Uid]:
        """The messages of `may_be_altered`, without the `known` ones: these are other messages."""
        return {uid for uid in self._index.altered_candidates(CandidateKeys.of(header)) if uid not in known}

    def digest_of(self, session: MailboxReader, uid: Uid) -> bytes | None:
        """The digest of a message; None if the server does not hand it out, or not any more."""
        for message in session.messages(self._folder, UidSet.of((uid,))):
            if not isinstance(message, NotHandedOut):
                return digest(message.body)
        return None

    # --- Comparing -----------------------------------------------------------------------------------

    def _matches(
        self, wanted: Iterable[Wanted], candidates: Mapping[bytes, Sequence[Uid]]
    ) -> dict[bytes, Match]:
        matches: dict[bytes, Match] = {}
        for sent, header, body in wanted:
            if sent not in matches and candidates[sent]:
                match = self._equal(candidates[sent], sent, header, body)
                if match is not None:
                    matches[sent] = match
        return matches

    def _equal(self, candidates: Sequence[Uid], sent: bytes, header: bytes, body: Body) -> Match | None:
        """The first candidate with the same bytes, else the first one with the same canonical form."""
        as_cyrus_stores_it = None if header.isascii() else munged(header)
        equal = {*self._by_digest.get(sent)}
        if as_cyrus_stores_it is not None:
            equal |= {*self._by_digest.get(digest_under(as_cyrus_stores_it, len(header), body))}
        for uid in candidates:
            if uid in equal:
                return Match(uid, changed=False)
        equal = {*self._by_canonical.get(canonical_digest(body))}
        if as_cyrus_stores_it is not None:
            equal |= {*self._by_canonical.get(canonical_digest(body, as_cyrus_stores_it))}
        return next((Match(uid, changed=True) for uid in candidates if uid in equal), None)

    def _unlikely_matches(
        self, session: MailboxReader, wanted: Sequence[Wanted], keys: Mapping[bytes, CandidateKeys]
    ) -> dict[bytes, Match]:
        candidates: dict[bytes, Sequence[Uid]] = {}
        unread: set[Uid] = set()
        for sent, _, body in wanted:
            unlikely = self._index.unlikely_candidates(keys[sent], len(body))
            uids = tuple(islice(unlikely, _UNLIKELY_PER_MESSAGE))
            new = (uid for uid in uids if uid not in self._compared and uid not in unread)
            unread.update(islice(new, max(0, self._unlikely_left - len(unread))))
            candidates[sent] = uids
        self._read_bodies(session, unread)
        matches = self._matches(wanted, candidates)
        with self._lock:  # the server reads headers in another way if one of them is equal
            self._unlikely_left = UNLIKELY_CANDIDATES if matches else self._unlikely_left - len(unread)
        return matches

    def _unknown(self, wanted: Iterable[Wanted], keys: Mapping[bytes, CandidateKeys]) -> set[bytes]:
        """The digests of messages that may equal one that cannot be read."""
        if not self._unread and not self._unknown_sizes:
            return set()
        return {
            sent
            for sent, _, body in wanted
            if len(body) in self._unknown_sizes
            or not self._unread.isdisjoint(self._index.namesakes(keys[sent]))
        }

    # --- Reading -------------------------------------------------------------------------------------

    def _list(self, session: MailboxReader, uids: UidSet) -> None:
        """Index the folder. Messages whose headers the server does not return are read completely. Raises
        FolderUnusable if it does not return the size of one of them either: that one may equal any message.
        """
        listed = UidBitmap()
        for lines in session.headers(self._folder, uids):
            listed.add(lines.uid)
            if has_identifying_field(lines.header):
                self._add(lines)
            else:
                self._nameless_sizes[lines.uid] = lines.size_bytes
        self._nameless_sizes.update((uid, 0) for uid in uids if uid not in listed)
        for message in self._messages(session, UidSet.of(self._nameless_sizes)):
            self._add(HeaderLines(message.uid, len(message.body), header_block(message.body)))
        unread = UidSet.of(self._unread)
        sizes = {uid: self._nameless_sizes[uid] for uid in unread}
        if 0 in sizes.values():  # the answer about the header had no size
            sizes |= {
                uid: size_bytes for uid, size_bytes in session.sizes(self._folder, unread) if size_bytes
            }
        self._unknown_sizes = {size_bytes for size_bytes in sizes.values() if size_bytes}
        unknown = UidSet.of(uid for uid, size_bytes in sizes.items() if not size_bytes)
        number = len(unknown & session.uids(self._folder)) if unknown else 0  # the rest has vanished
        if number:
            raise FolderUnusable(
                Text("folder_unusable.unreadable_mail", folder=self._folder.name, number=number),
                side=session.side,
            )

    def _add(self, lines: HeaderLines) -> None:
        self._index.add(lines.uid, lines.size_bytes, lines.header)

    def _read_bodies(self, session: MailboxReader, uids: Iterable[Uid]) -> None:
        for _ in self._messages(session, UidSet.of(uid for uid in uids if uid not in self._compared)):
            pass

    def _messages(self, session: MailboxReader, uids: UidSet) -> Iterator[Message]:
        """The messages that the server hands out. It is asked twice for those that it does not. Each message
        counts as compared from now on."""
        left = set(uids)
        for _ in range(BODY_READ_ATTEMPTS):
            for message in session.messages(self._folder, UidSet.of(left)) if left else ():
                if not isinstance(message, NotHandedOut) and not self._lacks_content(message):
                    left.discard(message.uid)
                    with self._lock:
                        self._by_digest.add(digest(message.body), message.uid)
                        self._by_canonical.add(canonical_digest(message.body), message.uid)
                    yield message
        if left:  # those that are no longer listed were removed meanwhile
            left &= set(session.uids(self._folder, at_or_above=min(left)))
        with self._lock:
            self._unread |= left
            for uid in uids:  # last: a lane that skips these bodies relies on their digests
                self._compared.add(uid)

    def _lacks_content(self, message: Message) -> bool:
        """Whether the server hands out an empty body for a message that it lists with a size."""
        if len(message.body):
            return False
        size_bytes = self._nameless_sizes.get(message.uid)
        return size_bytes > 0 if size_bytes is not None else not self._index.has_size(message.uid, 0)
