"""UID FETCH, streamed message by message: resumed after a lost connection, with bad messages isolated.

Invariants
- A UID is yielded at most once, and only if it was requested.
- A command that is refused, or that ends the connection, is repeated for smaller and smaller parts of the
  remaining UIDs, until the message that causes it is isolated; all other messages are yielded.
- A message that was isolated because it ends connections is left for the end of later requests, alone.
- A message whose response is invalid is requested once more, alone; after that it is not requested again.
- A response that lacks items is merged with later ones; an item still missing when the command completes
  does not cost the message, if the query can do without it.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator
from functools import partial
from math import inf
from typing import Final

from importer.adapters.imap import response_errors
from importer.adapters.imap.commands import uid_pieces
from importer.adapters.imap.incoming_literals import LiteralTooLarge
from importer.adapters.imap.reconnecting import ReconnectingConnection, pause
from importer.adapters.imap.response_errors import CommandRefused
from importer.adapters.imap.wire_events import RECENT, Fetched, Reply, WireEvent
from importer.adapters.imap.wire_values import WireError
from importer.compact.uid_set import Uid, UidSet
from importer.domain.mailbox_content import FolderRef
from importer.domain.planning.retry_limits import (
    LOST_CONNECTION_BUDGET_S,
    MAX_CONSECUTIVE_FAILURES,
    MAX_READ_ATTEMPTS,
    MAX_VIOLATIONS,
)
from importer.domain.planning.server_limits import MAX_UNSTATED_BYTES
from providers.errors import (
    BeyondLimit,
    ConnectionLost,
    MailError,
    ProtocolViolation,
    ServerTooSlow,
    ServerUnavailable,
)
from providers.frozen import frozen
from providers.text import ByteSize, Text

_SPARE_BYTES: Final = 2 << 20
"""The bytes that the answer to a query without contents may have beyond `Query.bytes_each`."""


@frozen
class Query:
    """The items to fetch. `complete` returns whether a response has all items, `usable` whether it suffices
    if the server sends no more; `max_members` is the maximum number of messages per command. `bytes_each`
    limits the size of the answer: so much for each message on average, None if it has their contents.
    `dispensable`: if it ended the connection at a message, that message is not requested again."""

    items: bytes
    complete: Callable[[Fetched], bool]
    max_members: int
    usable: Callable[[Fetched], bool] = lambda _message: False
    bytes_each: int | None = None
    dispensable: bool = False


@frozen
class Unreadable:
    """A message that exists but that the server does not return; `reason` is for the report.
    `broke_connection`: the connection ended at it MAX_READ_ATTEMPTS times in a row. `too_large`: it is larger
    than this installation accepts."""

    uid: Uid
    reason: Text
    broke_connection: bool = False
    too_large: bool = False


def without_recent(flags: tuple[str, ...]) -> tuple[str, ...]:
    """Return the flags without \\Recent, which describes sessions, not messages (RFC 3501 section 2.3.2)."""
    return flags if RECENT not in flags else tuple([flag for flag in flags if flag != RECENT])


def fetch(
    link: ReconnectingConnection, folder: FolderRef, uids: UidSet, query: Query
) -> Iterator[Fetched | Unreadable]:
    """Yield the messages of `uids` that the folder still holds, in the server's order; each has a `uid`.

    Raises Throttled, FolderChanged and FolderUnusable; ConnectionLost if the server can no longer be reached;
    and ServerUnavailable or ConnectionLost if it returns no message at all. If nothing but invalid responses
    come, the rest of the folder is Unreadable, and `link` remembers that.
    """
    return _Fetch(link, folder, query).run(uids)


@frozen
class _Failure:
    """Why a command did not complete; `error` is None if the server refused it because of its messages.
    `remaining` are the messages that did not come."""

    remaining: UidSet
    error: MailError | None
    words: str
    any_came: bool


class _Fetch:
    """One call of `fetch`."""

    def __init__(self, link: ReconnectingConnection, folder: FolderRef, query: Query) -> None:
        self._link = link
        self._folder = folder
        self._query = query
        self._todo = deque[UidSet]()
        self._limit = 0  # of messages per command, as refusals tell; 0: none
        self._deadly = UidSet()  # of the requested messages
        self._all_deadly: dict[tuple[FolderRef, Uid], bytes] = {}  # of the account
        self._losses = _Losses()
        self._violations = Counter[int]()  # invalid responses by UID
        self._consecutive_failures = 0

    def run(self, uids: UidSet) -> Iterator[Fetched | Unreadable]:
        link, max_members = self._link, self._query.max_members
        if words := link.unreadable.get((self._folder, self._query.items)):
            yield from self._unreadable(uids, words)
            return
        connection = link.retry_read(lambda connection: connection)
        fallbacks = link.fallbacks
        limit = fallbacks.message_limit or connection.message_limit or max_members
        self._all_deadly = fallbacks.deadly
        if self._query.dispensable:
            needless = fallbacks.deadly_of(self._folder, uids, self._query.items)
            yield from self._unreadable(needless, "", broke_connection=True)
            uids -= needless
        self._deadly = fallbacks.deadly_of(self._folder, uids)
        self._todo.extend(uid_pieces(uids - self._deadly, min(limit, max_members)))
        self._todo.extend(UidSet.of((uid,)) for uid in self._deadly)
        while self._todo:
            requested = self._todo.popleft()
            if self._limit and len(requested) > self._limit:
                self._todo.extendleft(reversed(list(requested.chunks(self._limit))))
                continue
            failure = yield from self._request(requested)
            if failure is not None:
                yield from self._handle(failure)
            elif self._limit:
                fallbacks.message_limit = self._limit

    def _request(self, requested: UidSet) -> Generator[Fetched | Unreadable, None, _Failure | None]:
        """Send one command and yield the returned messages. Return why it failed, None if it did not."""
        link = self._link
        command = b"UID FETCH %s %s" % (str(requested).encode(), self._query.items)
        _, tag = link.retry_folder(
            self._folder.name, partial(link.cursor.examine_and_send, folder=self._folder, command=command)
        )
        missing = set(requested)
        partial_replies: list[Reply] = []
        try:
            yield from _responses(link, tag, missing, self._query, partial_replies, self._losses)
            if partial_replies and len(missing) < len(requested):
                # RFC 9738 section 3.1: the rest has to be requested again.
                self._todo.appendleft(UidSet.of(missing))
        except ServerTooSlow:
            link.drop()
            raise
        except BeyondLimit as beyond:
            raise response_errors.folder_beyond_limit(beyond) from beyond
        except (ConnectionLost, ProtocolViolation) as lost:
            link.drop()
            error: MailError | None = lost
            words = lost.server_text
        except CommandRefused as refused:
            link.cursor.forget()  # reopening the folder shows whether the folder is the cause
            error = None
            if len(requested) > 1 and response_errors.beyond_a_limit(refused.reply):
                self._limit = -(-len(requested) // 2)
            else:
                error = _error_beyond_message(refused, link)
            words = response_errors.server_words(refused.reply)
        else:
            return None
        finally:
            any_came = len(missing) < len(requested)
            if any_came:
                self._consecutive_failures = 0
        link.progress |= any_came
        return _Failure(UidSet.of(missing), error, words, any_came)

    def _handle(self, failure: _Failure) -> Iterator[Unreadable]:
        """Request the messages again that may still be delivered, and yield the others as unreadable."""
        remaining, error, words = failure.remaining, failure.error, failure.words
        if isinstance(error, ProtocolViolation) and (found := _culprit(error, remaining)):
            culprit, cause = found
            alone = UidSet.of((culprit,))
            self._violations[culprit] += 1
            if rest := remaining - alone:
                self._todo.appendleft(rest)
            if isinstance(cause, LiteralTooLarge):
                reason = _too_large_reason(cause)
                yield Unreadable(culprit, reason, too_large=True)
                return
            if self._violations[culprit] < MAX_VIOLATIONS:
                self._todo.appendleft(alone)
                return
            remaining = alone
        if isinstance(error, ConnectionLost):
            times_lost = self._losses.record(error, remaining)
            # Among several messages, halving finds the one that ends the connection faster.
            attempts = 1 if remaining.lowest in self._deadly else MAX_READ_ATTEMPTS
            if remaining and (failure.any_came or (len(remaining) == 1 and times_lost < attempts)):
                pause(times_lost)
                self._todo.appendleft(remaining)
                return
        if len(remaining) > 1:
            self._todo.extendleft(reversed(list(remaining.chunks(-(-len(remaining) // 2)))))
        elif remaining:
            yield from self._give_up(remaining, error, words)

    def _give_up(self, alone: UidSet, error: MailError | None, words: str) -> Iterator[Unreadable]:
        """Yield one message as unreadable. Raise `error` if too many in a row failed: then the server is the
        cause. If it responds, but never validly, the rest of the folder is unreadable instead."""
        self._consecutive_failures += error is not None
        if error is None or self._consecutive_failures < MAX_CONSECUTIVE_FAILURES:
            if deadly := isinstance(error, ConnectionLost):
                for uid in alone:
                    self._all_deadly.setdefault((self._folder, uid), self._query.items)
            yield from self._unreadable(alone, words, broke_connection=deadly)
            return
        if not isinstance(error, ProtocolViolation):
            raise error
        self._link.unreadable[self._folder, self._query.items] = words
        for uids in (alone, *self._todo):
            yield from self._unreadable(uids, words)
        self._todo.clear()

    def _unreadable(
        self, uids: UidSet, words: str, *, broke_connection: bool = False
    ) -> Iterator[Unreadable]:
        reason = Text("not_handed_out").quoting(words)
        if broke_connection:
            reason = Text("not_handed_out.ends_connection")
        return (Unreadable(uid, reason, broke_connection) for uid in uids)


def _culprit(error: ProtocolViolation, remaining: UidSet) -> tuple[Uid, WireError] | None:
    """Return the message at which a response became invalid, and the cause, if both are certain."""
    cause = error.__cause__
    if isinstance(cause, WireError) and cause.uid is not None and cause.uid in remaining:
        return Uid(cause.uid), cause
    return None


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
    missing: set[Uid],
    query: Query,
    partial_replies: list[Reply],
    losses: _Losses,
) -> Iterator[Fetched | Unreadable]:
    """Yield the messages that one command returns, and remove their UIDs from `missing`.

    The reply of a server that executed only a part of the command is added to `partial_replies`.
    """
    connection = link.current_connection()
    alone = next(iter(missing)) if len(missing) == 1 else None
    incomplete: dict[Uid, Fetched] = {}  # a server may spread one message over several responses
    held_bytes = 0  # contents in `incomplete`
    limit_bytes = None if query.bytes_each is None else _SPARE_BYTES + query.bytes_each * len(missing)
    until_bytes = inf if limit_bytes is None else connection.received_bytes + limit_bytes
    received_bytes = -1
    losses.start_wait()
    try:
        for event in _collect_limit(connection.follow(tag), partial_replies):
            if limit_bytes is not None and connection.received_bytes > until_bytes:
                connection.drop()
                raise response_errors.too_much(link.peer, limit_bytes)
            if not isinstance(event, Fetched):
                continue
            uid = event.uid or (None if event.body is None else alone)  # contents come only on request
            if uid is None or uid not in missing:
                continue
            message = event if event.uid else event._replace(uid=uid)
            if incomplete and (earlier := incomplete.pop(uid, None)) is not None:
                held_bytes -= len(earlier.body or b"")
                message = _merge(earlier, event)
            if query.complete(message):
                missing.discard(uid)
                yield message
                if (
                    received_bytes != connection.received_bytes
                ):  # otherwise there was no wait for this message
                    received_bytes = connection.received_bytes
                    losses.start_wait()
                continue
            incomplete[uid] = message
            held_bytes += len(message.body or b"")
            if held_bytes > MAX_UNSTATED_BYTES and len(incomplete) > 1:
                connection.drop()
                raise response_errors.too_much(link.peer, MAX_UNSTATED_BYTES)
    except (ConnectionLost, ProtocolViolation, CommandRefused):
        for uid, message in incomplete.items():  # messages that were delivered need not be requested again
            if query.usable(message):
                missing.discard(uid)
                yield message
        raise
    for uid, message in incomplete.items():
        missing.discard(uid)
        unreadable = Unreadable(uid, Text("not_handed_out.no_content", host=link.peer.host))
        yield message if query.usable(message) else unreadable


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
        withheld=old.withheld or new.withheld,
        labels=old.labels if new.labels is None else new.labels,
    )


def _too_large_reason(literal: LiteralTooLarge) -> Text:
    return Text(
        "beyond_limit.message", size=ByteSize(literal.size_bytes), limit=ByteSize(literal.limit_bytes)
    )
