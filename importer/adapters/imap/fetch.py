"""UID FETCH, streamed message by message: resumed after a lost connection, with bad messages isolated.

Invariants
- A UID is yielded at most once, and only if it was requested.
- A command that is refused, or that ends the connection, is repeated for smaller and smaller parts of the
  remaining UIDs, until the message that causes it is isolated; all other messages are yielded.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial

from importer.adapters.imap import response_errors
from importer.adapters.imap.commands import uid_pieces
from importer.adapters.imap.reconnecting import MAX_READ_ATTEMPTS, ReconnectingConnection, pause
from importer.adapters.imap.response_errors import CommandRefused
from importer.adapters.imap.wire import Fetched, Reply, WireEvent
from importer.compact.uid_set import Uid, UidSet
from importer.domain.model import FolderRef
from providers.errors import ConnectionLost, MailError, ProtocolViolation, ServerTooSlow, ServerUnavailable

LOST_CONNECTION_BUDGET_S = 600.0
"""Total time that one fetch may spend on waits that end in a lost connection. Without it, a network that
drops large packets would be mistaken for one bad message after another, each after minutes of silence."""


@dataclass(frozen=True, slots=True)
class Query:
    """What to fetch. `complete` returns whether a response has all items; `max_members` is the maximum number
    of messages per command."""

    items: bytes
    complete: Callable[[Fetched], bool]
    max_members: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message that exists but that the server does not return; `reason` is for the report.
    `broke_connection`: the connection ended at it MAX_READ_ATTEMPTS times in a row."""

    uid: Uid
    reason: str
    broke_connection: bool = False


@lru_cache(maxsize=1024)  # called for every message; a mailbox has few combinations
def without_recent(flags: tuple[str, ...]) -> tuple[str, ...]:
    """Return the flags without \\Recent, which describes sessions, not messages (RFC 3501 section 2.3.2)."""
    return tuple(flag for flag in flags if flag.lower() != "\\recent")


def fetch(
    link: ReconnectingConnection, folder: FolderRef, uids: UidSet, query: Query
) -> Iterator[Fetched | Unreadable]:
    """Yield the messages of `uids` that the folder still holds, in the server's order; each has a `uid`.

    Raises Throttled, FolderChanged and FolderUnusable; ConnectionLost if the server can no longer be reached;
    and ServerUnavailable, ProtocolViolation or ConnectionLost if it returns no message at all.
    """
    limit = link.retry_read(lambda connection: connection.message_limit) or query.max_members
    todo = deque(uid_pieces(uids, min(limit, query.max_members)))
    losses = _Losses()
    consecutive_failures = 0
    while todo:
        requested = todo.popleft()
        command = b"UID FETCH %s %s" % (str(requested).encode(), query.items)
        _, tag = link.retry_folder(
            folder.name, partial(link.examine_and_send, folder=folder, command=command)
        )
        done: set[int] = set()
        partial_replies: list[Reply] = []
        losses.start_wait()
        try:
            for uid, message in _responses(link, tag, requested, query, done, partial_replies):
                done.add(uid)
                yield message
                losses.start_wait()
                consecutive_failures = 0
            if partial_replies and done:  # RFC 9738 section 3.1: the rest has to be requested again
                todo.appendleft(requested - UidSet.of(done))
            continue
        except ServerTooSlow:
            link.drop()
            raise
        except (ConnectionLost, ProtocolViolation) as lost:  # a message above the size limit is a violation
            link.drop()
            error: MailError | None = lost
            words = lost.server_text
        except CommandRefused as refused:
            link.selected = None  # reopening the folder shows whether the folder is the cause
            error = _error_beyond_message(refused, link)
            words = response_errors.server_words(refused.reply)
        remaining = requested - UidSet.of(done)
        if isinstance(error, ConnectionLost):
            times_lost = losses.record(error, remaining)
            # Among several messages, halving finds the one that ends the connection faster.
            if remaining and (done or (len(remaining) == 1 and times_lost < MAX_READ_ATTEMPTS)):
                pause(times_lost)
                todo.appendleft(remaining)
                continue
            words = "the connection ends each time it is requested"
        if len(remaining) > 1:
            todo.extendleft(reversed(list(remaining.chunks(-(-len(remaining) // 2)))))
            continue
        for uid in remaining:
            consecutive_failures += error is not None
            if error is not None and consecutive_failures >= response_errors.MAX_CONSECUTIVE_FAILURES:
                raise error
            yield Unreadable(uid, _reason(link, words), isinstance(error, ConnectionLost))


class _Losses:
    """The connections that one fetch lost while it waited for messages."""

    def __init__(self) -> None:
        self._times_lost: Counter[UidSet] = Counter()
        self._budget_s = LOST_CONNECTION_BUDGET_S
        self._wait_started_s = 0.0

    def start_wait(self) -> None:
        """Start timing the wait for the next message."""
        self._wait_started_s = time.monotonic()

    def record(self, error: ConnectionLost, remaining: UidSet) -> int:
        """Return how often the connection was lost at `remaining`. Raise `error` once the budget is spent."""
        self._budget_s -= time.monotonic() - self._wait_started_s
        if self._budget_s < 0:
            raise error
        self._times_lost[remaining] += 1
        return self._times_lost[remaining]


def _error_beyond_message(refused: CommandRefused, link: ReconnectingConnection) -> ServerUnavailable | None:
    """Return the error that may concern more than the requested message. Raise one that certainly does."""
    error = response_errors.account_error(refused.reply, link.peer)
    if refused.reply.code == "OVERQUOTA":  # of reading: Gmail's daily cap
        error = response_errors.throttled(refused.reply, link.peer)
    if error is None or isinstance(error, ServerUnavailable):
        return error
    raise error


def _responses(
    link: ReconnectingConnection,
    tag: str,
    requested: UidSet,
    query: Query,
    done: set[int],
    partial_replies: list[Reply],
) -> Iterator[tuple[Uid, Fetched | Unreadable]]:
    """Yield the messages that one command returns.

    `done` holds the UIDs that the caller has received. The reply of a server that executed only a part of the
    command is added to `partial_replies`.
    """
    connection = link.current_connection()
    incomplete: dict[Uid, Fetched] = {}  # a server may spread one message over several responses
    for event in _collect_limit(connection.follow(tag), partial_replies):
        if not isinstance(event, Fetched) or event.uid is None:
            continue
        uid = event.uid
        if uid not in requested or uid in done:
            continue
        earlier = incomplete.pop(uid, None)
        message = event if earlier is None else _merge(earlier, event)
        if query.complete(message):
            yield uid, message
        else:
            incomplete[uid] = message
    for uid in incomplete:
        yield uid, Unreadable(uid, _reason(link, "its content is missing in the response"))


def _collect_limit(
    running: Generator[WireEvent, None, Reply], partial_replies: list[Reply]
) -> Iterator[WireEvent]:
    reply = yield from running
    if reply.code == "MESSAGELIMIT":
        partial_replies.append(reply)


def _merge(old: Fetched, new: Fetched) -> Fetched:
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
