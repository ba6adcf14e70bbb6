"""APPEND in the fastest form that the server offers: MULTIAPPEND, pipelined, or one at a time.

Invariants
- Nothing is ever sent twice unless the server refused it the first time.
- Every command that was sent is answered before anything is raised, or the error is ConnectionLost.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from importer.adapters.imap import errors
from importer.adapters.imap.commands import Literals, append_options, append_pieces
from importer.adapters.imap.connection import Connection
from importer.adapters.imap.link import TROUBLES_IN_A_ROW
from importer.adapters.imap.wire import Continue, Event, Reply, Tagged
from importer.domain.model import AppendResult, FolderRef, Outgoing, Rejected, Stored
from importer.domain.uidset import UidSet, parse_ordered
from providers.errors import MailError, QuotaExceeded, ServerUnavailable

IN_FLIGHT = 8
"""APPENDs sent ahead of their answers: their answers together are far below any socket's buffer, so that
neither side ever waits for the other to read."""


def append(
    connection: Connection, folder: FolderRef, mailbox: bytes, messages: Sequence[Outgoing]
) -> list[AppendResult]:
    """Stores the messages in order. `mailbox` is the folder's quoted name.

    Raises ConnectionLost or ProtocolViolation (outcome unknown), QuotaExceeded, FolderUnusable,
    FolderChanged (the messages went into another folder of that name), Throttled, ServerUnavailable.
    """
    job = _Job(connection, folder, mailbox)
    sendable = [message for message in messages if _sendable(message)]
    results = job.together(sendable) if connection.has("MULTIAPPEND") else job.one_by_one(sendable)
    if job.troubles and not any(isinstance(result, Stored) for result in results):
        raise job.troubles[-1]
    unsendable = Rejected("The message's flags or its date hold what no IMAP command can carry.")
    sent = iter(results)
    return [next(sent) if _sendable(message) else unsendable for message in messages]


def _is_of_one(reply: Reply, trouble: MailError | None) -> bool:
    """True when the refusal is, or may be, of one message only: these codes (RFC 5530) are what a server
    says of a message that it chokes on, and of every message when it is ill."""
    of_both = isinstance(trouble, ServerUnavailable) and reply.code in ("SERVERBUG", "UNAVAILABLE")
    return trouble is None or of_both


def _sendable(message: Outgoing) -> bool:
    try:
        append_options(message)
    except ValueError:
        return False
    return True


class _Job:
    def __init__(self, connection: Connection, folder: FolderRef, mailbox: bytes) -> None:
        self._connection = connection
        self._folder = folder
        self._mailbox = mailbox
        self._literals = Literals.offered(connection.capabilities)
        self._replies: dict[str, Reply] = {}
        self.troubles: list[MailError] = []
        """Why messages were rejected since the last one was stored, where it may be the server's fault."""

    def together(self, messages: Sequence[Outgoing]) -> list[AppendResult]:
        """MULTIAPPEND is all or nothing: a refused one is halved until the bad message stands alone."""
        if len(messages) <= 1:
            return self.one_by_one(messages)
        reply = self._answer(self._send(messages))
        if reply.status == "OK":
            return [*self._stored(reply, len(messages))]
        trouble = self._trouble(reply)
        half_may_fit = isinstance(trouble, QuotaExceeded)
        if trouble is not None and not half_may_fit and not _is_of_one(reply, trouble):
            raise trouble
        half = len(messages) // 2
        return [*self.together(messages[:half]), *self.together(messages[half:])]

    def one_by_one(self, messages: Sequence[Outgoing]) -> list[AppendResult]:
        """Single APPENDs, IN_FLIGHT at a time where literals need no invitation."""
        results: list[AppendResult] = []
        waiting: deque[tuple[str, Outgoing]] = deque()
        window = 1 if self._literals is Literals.ASK else IN_FLIGHT
        try:
            for message in messages:
                if len(waiting) >= window:
                    results.append(self._settled(*waiting.popleft()))
                waiting.append((self._send((message,)), message))
            while waiting:
                results.append(self._settled(*waiting.popleft()))
        except MailError:
            if self._connection.usable:
                for tag, _ in waiting:
                    self._answer(tag)
            raise
        return results

    def _settled(self, tag: str, message: Outgoing) -> AppendResult:
        reply = self._answer(tag)
        trouble = self._trouble(reply)
        system_flags = tuple(flag for flag in message.flags if flag.startswith("\\"))
        keywords_dropped = 0
        if reply.status != "OK" and system_flags != message.flags and _is_of_one(reply, trouble):
            # Exchange says "BAD Command Argument Error. 11" to a keyword that it does not like, others that
            # there are too many: there are more words for it than anybody can know.
            reply = self._answer(self._send((replace(message, flags=system_flags),)))
            trouble = self._trouble(reply)
            keywords_dropped = len(message.flags) - len(system_flags)
        if reply.status == "OK":
            return replace(self._stored(reply, 1)[0], keywords_dropped=keywords_dropped)
        if trouble is not None:
            self.troubles.append(trouble)
            if not _is_of_one(reply, trouble) or len(self.troubles) >= TROUBLES_IN_A_ROW:
                raise trouble
        words = errors.server_words(reply) or "no reason given"
        return Rejected(f"{self._connection.peer.sentence_start} refused the message: {words}")

    def _stored(self, reply: Reply, count: int) -> list[Stored]:
        """UIDs in the order of the messages (APPENDUID, RFC 4315 section 3), None where there are none."""
        self.troubles.clear()
        uidvalidity, _, uids = reply.arguments.partition(" ")
        if reply.code != "APPENDUID" or not uidvalidity.isdigit():
            return [Stored(None)] * count
        if int(uidvalidity) != self._folder.uidvalidity:
            raise errors.folder_changed(self._connection.peer, self._folder.name)
        with contextlib.suppress(ValueError):
            if len(UidSet.parse(uids)) == count:  # before anything of that size is made
                told = parse_ordered(uids)
                if len(told) == count:
                    return [Stored(uid) for uid in told]
        return [Stored(None)] * count

    def _trouble(self, reply: Reply) -> MailError | None:
        if reply.status == "OK":
            return None
        return errors.append_error(reply, self._connection.peer, self._folder.name)

    def _send(self, messages: Sequence[Outgoing]) -> str:
        """Sends one APPEND; returns its tag. Ends early when the server refuses before it has all."""
        tag = self._connection.new_tag()
        ready = [tag.encode() + b" "]
        for piece in append_pieces(self._mailbox, messages, self._literals):
            ready.append(piece.data)
            if piece.waits:
                self._connection.send(ready)
                ready = []
                if not self._invited(tag):
                    return tag
        self._connection.send(ready)
        return tag

    def _invited(self, tag: str) -> bool:
        """Waits for `+`; False when the answer to the whole command came in its place."""
        while tag not in self._replies:
            event = self._connection.next_event()
            if isinstance(event, Continue):
                return True
            self._note(event)
        return False

    def _answer(self, tag: str) -> Reply:
        while tag not in self._replies:
            self._note(self._connection.next_event())
        return self._replies.pop(tag)

    def _note(self, event: Event) -> None:
        if isinstance(event, Tagged):
            self._replies[event.tag] = event.reply
