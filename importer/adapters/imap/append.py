"""APPEND in the fastest form that the server offers: MULTIAPPEND, pipelined, or one at a time.

Messages are appended into a folder that is not open on the connection, except with servers for which the open
one is known to be as safe, and faster.

Invariants
- No message is sent twice unless the server refused it the first time.
- Every command that was sent is answered before an error is raised, unless the error is ConnectionLost.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from importer.adapters.imap import response_errors
from importer.adapters.imap.append_forms import (
    NOTHING,
    dropped,
    note_stored,
    plainer_forms,
    without_what_is_refused,
)
from importer.adapters.imap.commands import Literals, Part, append_runs, part
from importer.adapters.imap.connection import Connection
from importer.adapters.imap.fallbacks import NON_SYNCHRONIZING
from importer.adapters.imap.folder_cursor import uidvalidity_of
from importer.adapters.imap.wire_events import Continue, Reply, Tagged, WireEvent
from importer.compact.uid_set import UidSet, parse_ordered
from importer.domain.mailbox_content import AppendResult, FolderRef, Outgoing, Rejected, Stored
from importer.domain.planning.retry_limits import MAX_CONSECUTIVE_FAILURES
from importer.domain.planning.server_limits import MAX_RESPONSES
from importer.ports.mailbox_errors import QuotaExceeded
from providers.errors import MailError, ServerUnavailable
from providers.text import Text

MAX_PIPELINED = 8
"""APPENDs sent ahead of their replies. That many replies are far smaller than any socket buffer, so neither
side ever blocks on a write while the other waits to be read."""

_FASTER_INTO_OPEN = "THREAD=REFS"
"""An extension of Dovecot and Cyrus, which store messages into the open folder as well as into any other;
Dovecot does so 1.4 times as fast. Other servers are not known to be safe: Courier refuses an APPEND into the
folder that the connection has examined, and GNU mailutils loses messages appended into the selected one."""


def into_open_folder(capabilities: frozenset[str]) -> bool:
    """Return whether the server is known to accept messages into the folder that the connection has open."""
    return _FASTER_INTO_OPEN in capabilities


Ready = tuple[Outgoing, Part]
"""A message and its encoded form."""


class AppendQueue:
    """The append commands of one connection whose results are not complete."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.literals = Literals.offered(connection.capabilities)
        self._sent: set[str] = set()  # tags whose replies are outstanding
        self._replies: dict[str, Reply] = {}
        self._stray_events = 0  # since the last reply
        self._pending: deque[AppendCommand] = deque()

    def begin(
        self, folder: FolderRef, mailbox: bytes, messages: Sequence[Outgoing], *, singly: bool = False
    ) -> AppendCommand:
        """Send the messages, each in a command of its own with `singly`. If the server has to respond in
        between, wait for all its replies.

        `mailbox` is the folder's quoted name. The bodies of a MULTIAPPEND of several messages are dropped
        once sent, so only prefetched messages count against the memory budget. Raises what
        `AppendCommand.results` raises.
        """
        append = AppendCommand(self, folder, mailbox, messages, singly=singly)
        self._pending.append(append)
        append.send()
        return append

    def await_all(self) -> None:
        """Read all outstanding replies, so that another command may follow.

        Never raises: errors are raised by `AppendCommand.results`.
        """
        while self._pending:
            self._pending[0].finish()

    @property
    def pending(self) -> bool:
        """True while replies are outstanding."""
        return bool(self._pending)

    def discard(self, append: AppendCommand) -> None:
        """Remove an append that is complete."""
        self._pending.remove(append)

    # --- Commands ----------------------------------------------------------------------------------

    def send(self, mailbox: bytes, messages: Sequence[Ready]) -> str:
        """Send one APPEND and return its tag. Stop early if the server refuses the command half-way."""
        tag = self.connection.new_tag()
        self._sent.add(tag)
        runs = append_runs(mailbox, [encoded for _, encoded in messages], self.literals)
        self.connection.send((tag.encode() + b" ", *next(runs)))
        for run in runs:
            if not self._may_continue(tag):
                break
            self.connection.send(run)
        return tag

    def await_reply(self, tag: str) -> Reply:
        """Wait for the reply to one command; store the replies to other commands that arrive before it."""
        while tag not in self._replies:
            self._store_reply(self._next_event())
        return self._replies.pop(tag)

    def _next_event(self) -> WireEvent:
        """Wait for the next event. Raises ProtocolViolation after MAX_RESPONSES events to no command of this
        queue."""
        event = self.connection.next_event()
        self._stray_events = (
            0 if isinstance(event, Tagged) and event.tag in self._sent else self._stray_events + 1
        )
        if self._stray_events > MAX_RESPONSES:
            self.connection.drop()
            raise response_errors.violation(self.connection.peer, f"more than {MAX_RESPONSES} responses")
        return event

    def _may_continue(self, tag: str) -> bool:
        """Wait for `+`. Return False if the reply to the whole command arrives instead."""
        while tag not in self._replies:
            event = self._next_event()
            if isinstance(event, Continue):
                return True
            self._store_reply(event)
        return False

    def _store_reply(self, event: WireEvent) -> None:
        if isinstance(event, Tagged) and event.tag in self._sent:
            self._sent.discard(event.tag)
            self._replies[event.tag] = event.reply


class AppendCommand:
    """An append of messages into one folder, until its results are complete."""

    def __init__(
        self,
        queue: AppendQueue,
        folder: FolderRef,
        mailbox: bytes,
        messages: Sequence[Outgoing],
        *,
        singly: bool,
    ) -> None:
        self._queue = queue
        self._connection = queue.connection
        self._folder = folder
        self._mailbox = mailbox
        fitting, self._dropped = messages, [NOTHING] * len(messages)
        fallbacks = self._connection.fallbacks
        if fallbacks.has_refused_keywords or fallbacks.no_dates or fallbacks.no_flags or fallbacks.needs_list:
            fitting = [without_what_is_refused(message, fallbacks) for message in messages]
            self._dropped = [dropped(message, fits) for message, fits in zip(messages, fitting, strict=True)]
        self._has_dates = any(message.internaldate for message in fitting)
        self._has_flags = any(message.flags for message in fitting)
        self._is_listless = not all(message.flags for message in fitting)
        encoded = [_encode(message) for message in fitting]
        self._can_be_sent = [ready is not None for ready in encoded]
        self._sendable = [ready for ready in encoded if ready is not None]
        self._singly = singly or len(self._sendable) < 2 or not self._connection.has("MULTIAPPEND")
        self._consecutive_errors: list[MailError] = []
        """Errors of the messages rejected since the last stored one, where the server may be at fault."""
        # By APPENDUID. Some servers report nonsense there, so that the folder has to be asked.
        self._bad_reply: Reply | None = None  # to a message whose literal was not synchronizing
        self._sent_tag: str | None = None  # of the command that `send` sent, if it sent one
        self._done = False
        self._results: list[AppendResult] | None = None
        self._error: MailError | None = None
        self.other_uidvalidity = False
        """An APPENDUID names another UIDVALIDITY than that of the folder: the folder was recreated, or the
        response is invalid."""

    def send(self) -> None:
        """Send the messages without waiting, if that is possible with a single command; else finish."""
        commands = len(self._sendable) if self._singly else 1
        if commands != 1 or self._queue.literals is not Literals.PLUS:
            self.finish()
            return
        with self._ended_by_errors():
            self._sent_tag = self._queue.send(self._mailbox, self._sendable)
            if not self._singly:
                self._sendable = []

    def results(self) -> list[AppendResult] | None:
        """Return the result of each message, in order.

        Return None if the server refused several messages together. None of them is stored then (RFC 3502
        section 6.3.11), unless the server is at fault; some may be accepted individually.

        Raises ConnectionLost or ProtocolViolation (outcome unknown), QuotaExceeded, FolderUnusable,
        Throttled, ServerUnavailable.
        """
        self.finish()
        if self._error is not None:
            raise self._error
        return self._results

    def finish(self) -> None:
        """Wait for all replies; `results` returns or raises their meaning."""
        if self._done:
            return
        results: Sequence[AppendResult] | None = []
        with self._ended_by_errors():
            if self._singly:
                results = self._append_singly(self._sendable, self._sent_tag)
            else:
                tag = self._sent_tag or self._queue.send(self._mailbox, self._sendable)
                results = self._multiappend_results(tag, sum(self._can_be_sent))
            self._raise_repeated_errors(results or ())
        if self._error is not None:
            return
        self._results = None if results is None else self._in_message_order(results)
        self._end()

    def _raise_repeated_errors(self, results: Sequence[AppendResult]) -> None:
        """Raise the last error if the server stored none of these messages, nor any of the append before. A
        first one may pass: its messages are refused, and the caller tries them once more."""
        fallbacks = self._connection.fallbacks
        if any(isinstance(result, Stored) for result in results):
            fallbacks.appends_failed = 0
        elif self._consecutive_errors:
            fallbacks.appends_failed += 1
            if fallbacks.appends_failed > 1 or not fallbacks.has_stored:
                raise self._consecutive_errors[-1]

    def _in_message_order(self, results: Sequence[AppendResult]) -> list[AppendResult]:
        """Insert the results of the messages that could not be sent."""
        if all(self._can_be_sent) and all(nothing is NOTHING for nothing in self._dropped):
            return list(results)
        unsendable = Rejected(Text("not_taken.unsendable"), certain=True)
        sent = iter(results)
        in_order = [next(sent) if can_be_sent else unsendable for can_be_sent in self._can_be_sent]
        return [
            result._replace(
                keywords_dropped=result.keywords_dropped + flags, date_dropped=result.date_dropped or date
            )
            if isinstance(result, Stored)
            else result
            for result, (flags, date) in zip(in_order, self._dropped, strict=True)
        ]

    @contextmanager
    def _ended_by_errors(self) -> Iterator[None]:
        """End this append on any error: resumed after Ctrl+C, it would send messages again."""
        try:
            yield
        except MailError as error:
            self._end(error)
        except BaseException:
            self._connection.drop()  # perhaps in the middle of a command
            self._end(response_errors.lost(self._connection.peer))
            raise

    def _end(self, error: MailError | None = None) -> None:
        self._done = True
        self._error = error
        self._sendable = []
        self._queue.discard(self)

    def _multiappend_results(self, tag: str, count: int) -> list[AppendResult] | None:
        """Return the results of one MULTIAPPEND. None: it was refused, but a part of it may be accepted."""
        reply = self._queue.await_reply(tag)
        if reply.status == "OK":
            fallbacks = self._connection.fallbacks
            fallbacks.dates_work |= self._has_dates
            fallbacks.flags_work |= self._has_flags
            fallbacks.listless_work |= self._is_listless
            return [*self._stored(reply, count)]
        error = self._error_in(reply)
        part_may_fit = isinstance(error, QuotaExceeded)
        if error is not None and not part_may_fit and not _may_concern_one_message(reply, error):
            raise error
        if reply.status == "BAD" and error is None:
            self._connection.disable("MULTIAPPEND")
        return None

    def _append_singly(self, messages: Sequence[Ready], tag: str | None = None) -> list[AppendResult]:
        """Send single APPENDs, MAX_PIPELINED at a time where literals are non-synchronizing. With `tag` the
        first message has been sent already."""
        results: list[AppendResult] = []
        unanswered: deque[tuple[str, Ready]] = deque()
        window = 1 if self._queue.literals is Literals.SYNCHRONIZING else MAX_PIPELINED
        try:
            for message in messages:
                while unanswered and (len(unanswered) >= window or self._may_be_the_literal()):
                    results.append(self._single_result(*unanswered.popleft()))
                self._raise_if_literals_are_refused()
                unanswered.append((tag or self._queue.send(self._mailbox, (message,)), message))
                tag = None
            while unanswered:
                results.append(self._single_result(*unanswered.popleft()))
            self._raise_if_literals_are_refused()
        except MailError:
            if self._connection.usable:
                for unanswered_tag, _ in unanswered:
                    self._queue.await_reply(unanswered_tag)
            raise
        return results

    def _single_result(self, tag: str, ready: Ready) -> AppendResult:
        message, _ = ready
        sent = message
        reply = self._queue.await_reply(tag)
        error = self._error_in(reply)
        for plainer, after_bad in plainer_forms(message, self._connection):
            passes = reply.code == "INUSE"  # RFC 5530: another session has locked the folder
            if reply.status == "OK" or passes or not _may_concern_one_message(reply, error):
                break
            if after_bad and (reply.status != "BAD" or self._may_be_a_literal(message)):
                break
            sent = plainer
            reply = self._queue.await_reply(self._queue.send(self._mailbox, ((sent, part(sent)),)))
            error = self._error_in(reply)
        if reply.status == "OK":
            note_stored(message, sent, self._connection.fallbacks)
            flags, date = dropped(message, sent)
            return self._stored(reply, 1)[0]._replace(keywords_dropped=flags, date_dropped=date)
        announced_ahead = not self._queue.literals.is_synchronizing(len(message.body))
        if (
            reply.status == "BAD"
            and error is None
            and announced_ahead
            and not response_errors.too_large(reply)
        ):
            self._bad_reply = reply
        if error is not None:
            self._consecutive_errors.append(error)
            too_many = len(self._consecutive_errors) >= MAX_CONSECUTIVE_FAILURES
            if too_many or not _may_concern_one_message(reply, error):
                raise error
        return Rejected(
            Text("not_taken").quoting(response_errors.server_words(reply)),
            certain=response_errors.too_large(reply),
            passing=error is not None,
        )

    def _may_be_a_literal(self, message: Outgoing) -> bool:
        """Return whether BAD may mean the form of the literal of this message."""
        announced_ahead = not self._queue.literals.is_synchronizing(len(message.body))
        return announced_ahead and not self._connection.fallbacks.literals_work

    def _may_be_the_literal(self) -> bool:
        """Return whether the server may have refused the form of a literal: it never accepted that form."""
        return self._bad_reply is not None and not self._connection.fallbacks.literals_work

    def _raise_if_literals_are_refused(self) -> None:
        """Do not use non-synchronizing literals again if the server accepted none and answered BAD.

        It may have read the lines of the message as commands, so the connection is given up, and the messages
        are sent again over a new one. Raises ConnectionLost then.
        """
        if self._bad_reply is None or not self._may_be_the_literal():
            return
        self._connection.disable(*NON_SYNCHRONIZING)
        self._connection.drop()
        raise response_errors.lost(self._connection.peer, response_errors.server_words(self._bad_reply))

    def _stored(self, reply: Reply, count: int) -> list[Stored]:
        """Return UIDs in the order of the messages (APPENDUID, RFC 4315 section 3), or None for each UID if
        the server does not return them, or none that can be used."""
        self._consecutive_errors.clear()
        fallbacks = self._connection.fallbacks
        fallbacks.has_stored = True
        fallbacks.literals_work |= self._queue.literals is Literals.PLUS
        uidvalidity, _, uids = reply.arguments.partition(" ")
        if reply.code != "APPENDUID" or not uidvalidity.isdigit():
            return [Stored(None)] * count
        if uidvalidity_of(uidvalidity) != self._folder.uidvalidity:
            self.other_uidvalidity = True
            return [Stored(None)] * count
        with contextlib.suppress(ValueError):
            named = len(UidSet.parse(uids))  # looked at before a list of that size is built
            if 0 < named < count:
                self._connection.disable("MULTIAPPEND")
                return [Stored(None, named=named)] * count
            if named == count:
                ordered_uids = parse_ordered(uids)
                if len(ordered_uids) == count:
                    return [Stored(uid) for uid in ordered_uids]
        return [Stored(None)] * count

    def _error_in(self, reply: Reply) -> MailError | None:
        if reply.status == "OK":
            return None
        return response_errors.append_error(reply, self._connection.peer, self._folder.name)


def _may_concern_one_message(reply: Reply, error: MailError | None) -> bool:
    """Return whether a refusal concerns, or may concern, a single message.

    Servers send these codes (RFC 5530) for a single message that they cannot process and, during an outage,
    for every message.
    """
    ambiguous = isinstance(error, ServerUnavailable) and reply.code in ("SERVERBUG", "UNAVAILABLE", "INUSE")
    return error is None or ambiguous


def _encode(message: Outgoing) -> Ready | None:
    """Return None if no command can carry the message."""
    try:
        return message, part(message)
    except ValueError:
        return None
