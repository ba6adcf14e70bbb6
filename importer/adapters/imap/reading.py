"""UID FETCH, streamed message by message: resumed after a lost connection, isolated from poison.

Invariants
- A UID is handed out at most once, and only if it was asked for.
- A refused command is repeated for smaller and smaller parts of what is left, until the one message
  that cannot be had stands alone; the others all come.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from importer.adapters.imap import errors
from importer.adapters.imap.commands import uid_pieces
from importer.adapters.imap.errors import CommandRefused
from importer.adapters.imap.link import Link, Losses
from importer.adapters.imap.wire import Fetched
from importer.domain.model import FolderRef
from importer.domain.uidset import Uid, UidSet
from providers.errors import ConnectionLost, MailError, ProtocolViolation, ServerUnavailable

TROUBLES_IN_A_ROW = 5
"""[UNAVAILABLE] is what Yahoo says of one broken message, and others when nothing works: so many messages
refused with it, none read in between, and it is the server."""


@dataclass(frozen=True, slots=True)
class Query:
    """What to fetch. `complete` tells when a response holds all of it, `max_members` bounds one command."""

    items: bytes
    complete: Callable[[Fetched], bool]
    max_members: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message that is there and that the server does not hand out; `reason` is for the report."""

    uid: Uid
    reason: str


def fetch(link: Link, folder: FolderRef, uids: UidSet, query: Query) -> Iterator[Fetched | Unreadable]:
    """The messages of `uids` that the folder still holds, as they come; each has a `uid`.

    Raises Throttled, FolderChanged, FolderUnusable, ConnectionLost after READ_TRIES losses without any
    progress, and ServerUnavailable or ProtocolViolation when nothing can be had at all.
    """
    todo = deque(uid_pieces(uids, query.max_members))
    losses = Losses()
    troubles = 0
    while todo:
        asked = todo.popleft()
        done: set[int] = set()
        try:
            for uid, found in _ask(link, folder, asked, query, done):
                done.add(uid)
                losses.progressed()
                troubles = 0
                yield found
            continue
        except ConnectionLost as error:
            link.drop()
            losses.absorb(error)
            todo.appendleft(asked - UidSet.of(done))
            continue
        except ProtocolViolation as error:  # a message too large for us is one of these
            link.drop()
            trouble: MailError | None = error
            words = error.server_text
        except CommandRefused as refused:
            link.opened = None  # is it the folder? Opening it again will tell
            trouble = errors.account_error(refused.reply, link.peer)
            words = errors.server_words(refused.reply)
            if refused.reply.code == "OVERQUOTA":  # of reading: Gmail's daily cap
                trouble = errors.throttled(refused.reply, link.peer)
            if trouble is not None and not isinstance(trouble, ServerUnavailable):
                raise trouble from None
        left = asked - UidSet.of(done)
        if len(left) > 1:
            todo.extendleft(reversed(list(left.chunks(-(-len(left) // 2)))))
            continue
        troubles += trouble is not None
        if trouble is not None and troubles >= TROUBLES_IN_A_ROW:
            raise trouble
        for uid in left:
            yield Unreadable(uid, _reason(link, words))


def _ask(
    link: Link, folder: FolderRef, asked: UidSet, query: Query, done: set[int]
) -> Iterator[tuple[Uid, Fetched | Unreadable]]:
    """One command. `done` are the UIDs that the caller has, this time or an earlier one."""
    connection = link.connection()
    link.examine(connection, folder)
    partial: dict[Uid, Fetched] = {}  # a server may spread one message over several responses
    for event in connection.run(b"UID FETCH " + str(asked).encode() + b" " + query.items):
        if not isinstance(event, Fetched) or event.uid is None:
            continue
        uid = event.uid
        if uid not in asked or uid in done:
            continue
        found = _merged(partial.pop(uid, event), event)
        if query.complete(found):
            yield uid, found
        else:
            partial[uid] = found
    for uid in partial:
        yield uid, Unreadable(uid, _reason(link, "its content was left out of the answer"))


def _merged(old: Fetched, new: Fetched) -> Fetched:
    return Fetched(
        new.sequence,
        new.uid,
        old.flags if new.flags is None else new.flags,
        old.internaldate if new.internaldate is None else new.internaldate,
        old.size_bytes if new.size_bytes is None else new.size_bytes,
        old.header if new.header is None else new.header,
        old.body if new.body is None else new.body,
    )


def _reason(link: Link, words: str) -> str:
    return f"{link.peer.sentence_start} does not hand out this message: {words or 'no reason given'}"
