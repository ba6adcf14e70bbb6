"""UID FETCH, streamed message by message: resumed after a lost connection, isolated from poison.

Invariants
- A UID is handed out at most once, and only if it was asked for.
- A command that is refused, or that ends the connection, is repeated for smaller and smaller parts of
  what is left, until the one message that cannot be had stands alone; the others all come.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial

from importer.adapters.imap import response_errors
from importer.adapters.imap.commands import uid_pieces
from importer.adapters.imap.reconnecting import READ_TRIES, ReconnectingConnection, pause
from importer.adapters.imap.response_errors import CommandRefused
from importer.adapters.imap.wire import Fetched, Reply, WireEvent
from importer.compact.uid_set import Uid, UidSet
from importer.domain.model import FolderRef
from providers.errors import ConnectionLost, MailError, ProtocolViolation, ServerTooSlow, ServerUnavailable

PATIENCE_S = 600.0
"""How long one read may wait for commands that end in a lost connection: a network that swallows large
packets would otherwise pass for one broken message after the other, each after minutes of silence."""


@dataclass(frozen=True, slots=True)
class Query:
    """What to fetch. `complete` tells when a response holds all of it, `max_members` bounds one command."""

    items: bytes
    complete: Callable[[Fetched], bool]
    max_members: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message that is there and that the server does not hand out; `reason` is for the report.
    `broke_connection`: the connection ended at it READ_TRIES times in a row."""

    uid: Uid
    reason: str
    broke_connection: bool = False


@lru_cache(maxsize=1024)  # asked for every message, and a mailbox has few combinations
def lasting(flags: tuple[str, ...]) -> tuple[str, ...]:
    """Flags of a message without \\Recent, which tells about sessions (RFC 3501 section 2.3.2)."""
    return tuple(flag for flag in flags if flag.lower() != "\\recent")


def fetch(
    link: ReconnectingConnection, folder: FolderRef, uids: UidSet, query: Query
) -> Iterator[Fetched | Unreadable]:
    """The messages of `uids` that the folder still holds, as they come; each has a `uid`.

    Raises Throttled, FolderChanged, FolderUnusable, ConnectionLost when the server cannot be reached any
    more, and ServerUnavailable, ProtocolViolation or ConnectionLost when nothing can be had at all.
    """
    limit = link.reading(lambda connection: connection.message_limit) or query.max_members
    todo = deque(uid_pieces(uids, min(limit, query.max_members)))
    losses = _Losses()
    troubles = 0
    while todo:
        asked = todo.popleft()
        command = b"UID FETCH %s %s" % (str(asked).encode(), query.items)
        _, tag = link.reading(partial(link.open_and_ask, folder=folder, command=command))
        done: set[int] = set()
        partly: list[Reply] = []
        losses.clock()
        try:
            for uid, found in _answers(link, tag, asked, query, done, partly):
                done.add(uid)
                yield found
                losses.clock()
                troubles = 0
            if partly and done:  # RFC 9738 section 3.1: the rest is there and has to be asked for again
                todo.appendleft(asked - UidSet.of(done))
            continue
        except ServerTooSlow:
            link.drop()
            raise
        except (ConnectionLost, ProtocolViolation) as error:  # a message too large for us is a violation
            link.drop()
            trouble: MailError | None = error
            words = error.server_text
        except CommandRefused as refused:
            link.opened = None  # is it the folder? Opening it again will tell
            trouble = _more_than_a_message(refused, link)
            words = response_errors.server_words(refused.reply)
        left = asked - UidSet.of(done)
        if isinstance(trouble, ConnectionLost):
            in_a_row = losses.absorb(trouble, left)
            # Of several, the one that ends the connection is found faster by halving.
            if left and (done or (len(left) == 1 and in_a_row < READ_TRIES)):
                pause(in_a_row)
                todo.appendleft(left)
                continue
            words = "the connection ends each time it is asked for"
        if len(left) > 1:
            todo.extendleft(reversed(list(left.chunks(-(-len(left) // 2)))))
            continue
        for uid in left:
            troubles += trouble is not None
            if trouble is not None and troubles >= response_errors.TROUBLES_IN_A_ROW:
                raise trouble
            yield Unreadable(uid, _reason(link, words), isinstance(trouble, ConnectionLost))


class _Losses:
    """The connections that one read lost while it waited for messages."""

    def __init__(self) -> None:
        self._of: Counter[UidSet] = Counter()
        self._patience_s = PATIENCE_S
        self._since_s = 0.0

    def clock(self) -> None:
        """From now on nothing came."""
        self._since_s = time.monotonic()

    def absorb(self, error: ConnectionLost, left: UidSet) -> int:
        """How often `left` was lost now. Raises `error` at the end of PATIENCE_S."""
        self._patience_s -= time.monotonic() - self._since_s
        if self._patience_s < 0:
            raise error
        self._of[left] += 1
        return self._of[left]


def _more_than_a_message(refused: CommandRefused, link: ReconnectingConnection) -> ServerUnavailable | None:
    """What a refused FETCH may mean for more than one message. Raises what certainly does."""
    trouble = response_errors.account_error(refused.reply, link.peer)
    if refused.reply.code == "OVERQUOTA":  # of reading: Gmail's daily cap
        trouble = response_errors.throttled(refused.reply, link.peer)
    if trouble is None or isinstance(trouble, ServerUnavailable):
        return trouble
    raise trouble


def _answers(
    link: ReconnectingConnection, tag: str, asked: UidSet, query: Query, done: set[int], partly: list[Reply]
) -> Iterator[tuple[Uid, Fetched | Unreadable]]:
    """What one command brings. `done` are the UIDs that the caller has; `partly` gets the reply of a server
    that did only a part of it."""
    connection = link.current()
    parts: dict[Uid, Fetched] = {}  # a server may spread one message over several responses
    for event in _noting_limit(connection.follow(tag), partly):
        if not isinstance(event, Fetched) or event.uid is None:
            continue
        uid = event.uid
        if uid not in asked or uid in done:
            continue
        before = parts.pop(uid, None)
        found = event if before is None else _merged(before, event)
        if query.complete(found):
            yield uid, found
        else:
            parts[uid] = found
    for uid in parts:
        yield uid, Unreadable(uid, _reason(link, "its content was left out of the answer"))


def _noting_limit(running: Generator[WireEvent, None, Reply], partly: list[Reply]) -> Iterator[WireEvent]:
    reply = yield from running
    if reply.code == "MESSAGELIMIT":
        partly.append(reply)


def _merged(old: Fetched, new: Fetched) -> Fetched:
    return Fetched(
        new.sequence,
        new.uid,
        old.flags if new.flags is None else new.flags,
        old.internaldate if new.internaldate is None else new.internaldate,
        old.size_bytes if new.size_bytes is None else new.size_bytes,
        old.header if new.header is None else new.header,
        old.body if new.body is None else new.body,
        labels=old.labels if new.labels is None else new.labels,
    )


def _reason(link: ReconnectingConnection, words: str) -> str:
    return f"{link.peer.sentence_start} does not hand out this message: {words or 'no reason given'}"
