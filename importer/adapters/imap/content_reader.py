"""Reads whole messages. A content that seems incomplete is requested in another way before it is accepted.

Such a content is missing or empty although the server states a size, shorter than that size, or a multipart
message without its end: Courier's BODY[] ends after some hundred parts, and its RFC822.SIZE agrees. The other
ways are RFC822 and BODY[]<0.n>; the longest content counts. If it is still shorter than its size, that size
is trusted only on a server whose other sizes are exact. A notice that the server sends in place of a message
is not its content (`stand_in.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from importer.adapters.imap.fetch import Query, Unreadable, fetch, without_recent
from importer.adapters.imap.reconnecting import ReconnectingConnection
from importer.adapters.imap.wire_events import RECENT, Fetched
from importer.compact.uid_set import Uid, UidSet
from importer.domain.mailbox_content import FolderRef, Message, NotHandedOut
from importer.domain.messages.message_completeness import lacks_its_end, sent_bytes
from importer.domain.messages.message_identity import header_block
from importer.domain.messages.stand_in import about_original, is_stand_in
from providers.errors import ConnectionLost, ProtocolViolation, ServerUnavailable
from providers.text import ByteSize, Text

_Result = TypeVar("_Result")

_HELD_BYTES: Final = 8 << 20
"""Doubtful content that is kept until it is requested again; beyond it only the second content counts."""

_RIGHT_FOR_EACH_WRONG: Final = 4
_OTHERS: Final = 5
_SMALL_BYTES: Final = 64 << 10

_ASKED_AT_ONCE: Final = 100
"""Messages that are requested again with one command and held together."""

_SAMPLES: Final = 3
"""Messages whose size is confirmed to be wrong, after which sizes of this server raise no doubts."""


_ITEMS: Final = b"UID FLAGS INTERNALDATE RFC822.SIZE"
_ITEMS_WITH_LABELS: Final = b"UID X-GM-LABELS FLAGS INTERNALDATE RFC822.SIZE"


def _has_all(message: Fetched) -> bool:
    return None not in (message.body, message.flags, message.internaldate, message.size_bytes)


def _has_all_and_labels(message: Fetched) -> bool:
    return message.labels is not None and _has_all(message)


def _has_content(message: Fetched) -> bool:
    return _has_answer(message) and message.flags is not None


def _has_answer(message: Fetched) -> bool:
    return message.body is not None or message.withheld


_SIZES: Final = Query(b"(UID RFC822.SIZE)", lambda message: message.size_bytes is not None, 10_000)


@dataclass(slots=True)
class _Doubtful:
    """A message to request again. `size_alone`: its size is the only reason."""

    message: Fetched
    length: int
    size_alone: bool = False
    refused: Unreadable | None = None


class ContentReader:
    """Reads the messages of one session; `with_labels`: with Gmail's labels."""

    def __init__(self, link: ReconnectingConnection, *, with_labels: bool = False) -> None:
        self._link = link
        self._items = _ITEMS_WITH_LABELS if with_labels else _ITEMS
        self._has_all = _has_all_and_labels if with_labels else _has_all
        self._whole = Query(b"(%s BODY.PEEK[])" % self._items, self._has_all, 10_000, _has_content)
        # The folder is open read-only, so that this does not set \\Seen at the server.
        self._as_rfc822 = Query(b"(%s RFC822)" % self._items, self._has_all, 10_000, _has_answer)
        # For messages that ended connections, perhaps at another item.
        self._sparing = replace(
            self._whole, items=b"(%s BODY.PEEK[])" % self._items.replace(b" RFC822.SIZE", b"")
        )
        self._right_sizes = 0
        self._compared_others = False
        self._wrong_sizes = 0  # messages that are shorter than their size however they are requested

    def messages(self, folder: FolderRef, uids: UidSet) -> Iterator[Message | NotHandedOut]:
        """Yield messages as `MailboxReader.messages` does."""
        return self._read(folder, uids, as_message)

    def fetched(self, folder: FolderRef, uids: UidSet) -> Iterator[tuple[Fetched, bytes] | NotHandedOut]:
        """Yield what `messages` does, with all items; each has a UID and a body. Its `header_block` comes
        with it, b"" if that is not known."""
        return self._read(folder, uids, lambda message, header: (message, header))

    def read_beginning(self, folder: FolderRef, uid: Uid, max_bytes: int) -> int:
        """Do what `MailboxReader.read_beginning` does."""
        return sum(map(_length, self._fetch(folder, UidSet.of((uid,)), self._as_partial(max_bytes))))

    def _read(
        self, folder: FolderRef, uids: UidSet, result: Callable[[Fetched, bytes], _Result]
    ) -> Iterator[_Result | NotHandedOut]:
        """Yield the `result` of each message and its header."""
        doubtful: dict[Uid, _Doubtful] = {}
        held_bytes = 0
        settled: list[int] = []
        for message in self._fetch_all(folder, uids):
            if isinstance(message, Unreadable):
                if message.broke_connection or message.too_large:
                    settled.append(message.uid)
                    yield NotHandedOut(
                        message.uid, message.reason, message.broke_connection, message.too_large
                    )
                else:
                    doubtful[message.uid] = _Doubtful(Fetched(0, message.uid), 0, refused=message)
                continue
            uid = message.uid
            if uid is None:
                continue
            header = header_block(message.body) if message.body else b""
            doubt = self._doubt(message, header)
            if doubt is None:
                settled.append(uid)
                yield self._notice(message, header) or result(message, header)
                continue
            if held_bytes + doubt.length <= _HELD_BYTES:
                held_bytes += doubt.length
            else:
                doubt.message = message._replace(body=None)
            doubtful[uid] = doubt
        if len(settled) + len(doubtful) < len(uids):  # vanished, or the response was not understood
            for uid in uids - UidSet.of((*settled, *doubtful)):
                doubtful[uid] = _Doubtful(Fetched(0, uid), 0)
        if doubtful:
            for again in self._looked_at_again(folder, doubtful):
                yield again if isinstance(again, NotHandedOut) else result(again, b"")

    def _fetch_all(self, folder: FolderRef, uids: UidSet) -> Iterator[Fetched | Unreadable]:
        deadly = self._link.fallbacks.deadly_of(folder, uids)
        yield from fetch(self._link, folder, uids - deadly, self._whole)
        if deadly:
            yield from fetch(self._link, folder, deadly, self._sparing)

    def _doubt(self, message: Fetched, header: bytes) -> _Doubtful | None:
        """Return why the content may be incomplete, None if there is no sign of that. `header` is its
        `header_block`."""
        body, size_bytes = message.body, message.size_bytes
        if not body:
            is_empty = body is not None and size_bytes == 0
            return None if is_empty else _Doubtful(message, 0)
        length = len(body)
        self._right_sizes += length == size_bytes
        if lacks_its_end(body, header):
            return _Doubtful(message, length)
        if size_bytes is None or length >= size_bytes or self._wrong_sizes >= _SAMPLES:
            return None
        length = sent_bytes(body)  # servers may count CRLF and send LF
        return _Doubtful(message, length, size_alone=True) if length < size_bytes else None

    def _looked_at_again(
        self, folder: FolderRef, doubtful: dict[Uid, _Doubtful]
    ) -> Iterator[Fetched | NotHandedOut]:
        try:
            yield from self._second_look(folder, doubtful)
        finally:
            self._link.cursor.forget()  # opened anew, the folder has its own flags again

    def _second_look(
        self, folder: FolderRef, doubtful: dict[Uid, _Doubtful]
    ) -> Iterator[Fetched | NotHandedOut]:
        by_size = [uid for uid, doubt in doubtful.items() if doubt.size_alone]
        first, rest = UidSet.of(doubtful), UidSet()
        if len(by_size) > _SAMPLES:  # all sizes are wrong, rather than all contents
            rest = UidSet.of(by_size[_SAMPLES:])
            first -= rest
        yield from self._ask_again(folder, doubtful, first)
        if self._wrong_sizes >= _SAMPLES:
            settled = [uid for uid in rest if doubtful[uid].message.body is not None]
            yield from (doubtful[uid].message for uid in settled)
            rest -= UidSet.of(settled)
        if rest:
            yield from self._ask_again(folder, doubtful, rest)

    def _ask_again(
        self, folder: FolderRef, doubtful: dict[Uid, _Doubtful], uids: UidSet
    ) -> Iterator[Fetched | NotHandedOut]:
        for piece in uids.chunks(_ASKED_AT_ONCE):
            # All of a response is read before the next command is sent.
            answered = {message.uid: message for message in self._fetch(folder, piece, self._as_rfc822)}
            if not answered and len(piece) > 1 and self._answers_alone(folder, piece):
                self._whole, self._as_rfc822 = (
                    replace(q, max_members=1) for q in (self._whole, self._as_rfc822)
                )
                answered = {message.uid: message for message in self._fetch(folder, piece, self._whole)}
            for uid in piece:
                yield from self._decide(folder, doubtful[uid], answered.get(uid, Fetched(0, uid)))

    def _answers_alone(self, folder: FolderRef, uids: UidSet) -> bool:
        """Whether the server delivers one of the messages if it is requested alone; together it delivered
        none."""
        ends = {uid for uid in (uids.lowest, uids.highest) if uid is not None}
        return any([*self._fetch(folder, UidSet.of((uid,)), self._whole)] for uid in ends)

    def _decide(
        self, folder: FolderRef, doubt: _Doubtful, second: Fetched
    ) -> Iterator[Fetched | NotHandedOut]:
        best = _longer(doubt.message, second)
        size_bytes = best.size_bytes or 0
        if (
            best.uid is not None
            and size_bytes > _length(best)
            and (not best.body or self._wrong_sizes < _SAMPLES)
        ):
            for partial in self._fetch(folder, UidSet.of((best.uid,)), self._as_partial(size_bytes)):
                best = _longer(best, partial)
        if best.uid is None:
            return
        if best.body and _length(best) < size_bytes:
            if self._sizes_are_right(folder, best.uid):
                yield NotHandedOut(best.uid, self._only_a_part(_length(best), size_bytes))
                return
            self._wrong_sizes += 1
        if best.body or (best.body is not None and best.size_bytes == 0):
            yield self._notice(best, header_block(best.body)) or best
        elif doubt.refused is not None and not (best.withheld or best.body is not None):
            yield NotHandedOut(best.uid, doubt.refused.reason)
        elif best.withheld or best.body is not None:
            yield NotHandedOut(best.uid, self._no_content(size_bytes))

    def _sizes_are_right(self, folder: FolderRef, doubtful: Uid) -> bool:
        """Whether nearly all sizes were exact, so that this one shows that a part is missing."""
        if not self._compared_others and self._right_sizes + self._wrong_sizes < _OTHERS:
            self._compared_others = True
            self._compare_others(folder, doubtful)
        return self._right_sizes >= _RIGHT_FOR_EACH_WRONG * (self._wrong_sizes + 1)

    def _compare_others(self, folder: FolderRef, doubtful: Uid) -> None:
        """Compare the sizes of some small messages with their contents."""
        around = UidSet.from_ranges([(max(1, doubtful - 50), doubtful + 50)]) - UidSet.of((doubtful,))
        sizes = [(m.size_bytes, m.uid) for m in self._fetch(folder, around, _SIZES) if m.size_bytes and m.uid]
        small = [uid for size_bytes, uid in sorted(sizes)[:_OTHERS] if size_bytes <= _SMALL_BYTES]
        for message in self._fetch(folder, UidSet.of(small), self._whole) if small else ():
            if message.body and message.size_bytes:
                self._right_sizes += _length(message) == message.size_bytes
                self._wrong_sizes += _length(message) < message.size_bytes

    def _as_partial(self, size_bytes: int) -> Query:
        return Query(b"(%s BODY.PEEK[]<0.%d>)" % (self._items, size_bytes), self._has_all, 1, _has_answer)

    def _notice(self, message: Fetched, header: bytes) -> NotHandedOut | None:
        """The outcome of a message in whose place the server delivered a notice; None for any other."""
        uid, body = message.uid, message.body
        if uid is None or body is None or not is_stand_in(uid, body, header):
            return None
        reason = Text("not_handed_out.notice", host=self._link.peer.host)
        return NotHandedOut(uid, reason.quoting(about_original(body)))

    def _only_a_part(self, length: int, size_bytes: int) -> Text:
        part, size = ByteSize(length), ByteSize(size_bytes)
        return Text("not_handed_out.part", host=self._link.peer.host, part=part, size=size)

    def _no_content(self, size_bytes: int) -> Text:
        if not size_bytes:
            return Text("not_handed_out.no_content", host=self._link.peer.host)
        return Text("not_handed_out.empty", host=self._link.peer.host, size=ByteSize(size_bytes))

    def _fetch(self, folder: FolderRef, uids: UidSet, query: Query) -> Iterator[Fetched]:
        """Yield the server's responses; none if it does not understand the query."""
        try:
            for message in fetch(self._link, folder, uids, query):
                if not isinstance(message, Unreadable):
                    yield message
        except (ConnectionLost, ProtocolViolation, ServerUnavailable):
            self._link.drop()


def _longer(one: Fetched, other: Fetched) -> Fetched:
    """Return the one with the longer content, with the items that only the other has. `one` came first and
    its flags count: RFC822 sets \\Seen on some servers, if only for the session."""
    best, rest = (one, other) if _length(one) >= _length(other) else (other, one)
    return best._replace(
        body=rest.body if best.body is None else best.body,
        flags=other.flags if one.flags is None else one.flags,
        internaldate=rest.internaldate if best.internaldate is None else best.internaldate,
        size_bytes=rest.size_bytes if best.size_bytes is None else best.size_bytes,
        withheld=best.withheld or rest.withheld,
        labels=rest.labels if best.labels is None else best.labels,
    )


def _length(message: Fetched) -> int:
    return sent_bytes(message.body) if message.body else 0


def as_message(message: Fetched, header: bytes = b"") -> Message:
    """Return a message that has a UID and a body. Raises ValueError if it has not. `header` is its
    `header_block`, b"" if it is not known."""
    if message.uid is None or message.body is None:
        raise ValueError("not a whole message")
    flags = message.flags or ()
    if RECENT in flags:  # for all others, one call less
        flags = without_recent(flags)
    return Message(message.uid, flags, message.internaldate or "", message.body, header)
