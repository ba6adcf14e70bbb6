"""APPEND in the fastest form that the server offers: MULTIAPPEND, pipelined, or one at a time.

Invariants
- Nothing is ever sent twice unless the server refused it the first time.
- Every command that was sent is answered before anything is raised, or the error is ConnectionLost.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from importer.adapters.imap import response_errors
from importer.adapters.imap.commands import Literals, Part, append_runs, part
from importer.adapters.imap.connection import Connection
from importer.adapters.imap.wire import Continue, Reply, Tagged, WireEvent
from importer.compact.uid_set import UidSet, parse_ordered
from importer.domain.model import AppendResult, FolderRef, Outgoing, Rejected, Stored
from providers.errors import MailError, QuotaExceeded, ServerUnavailable

IN_FLIGHT = 8
"""APPENDs sent ahead of their answers: their answers together are far below any socket's buffer, so that
neither side ever waits for the other to read."""

Ready = tuple[Outgoing, Part]


class AppendQueue:
    """The appends over one connection, answered or not."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.literals = Literals.offered(connection.capabilities)
        self._replies: dict[str, Reply] = {}
        self._open: deque[AppendCommand] = deque()

    def begin(
        self, folder: FolderRef, mailbox: bytes, messages: Sequence[Outgoing], *, keep: bool = True
    ) -> AppendCommand:
        """Sends the messages; where the server needs to be asked in between, waits for all its answers.

        `mailbox` is the folder's quoted name. Without `keep` several messages that were sent as one are let
        go of: the memory of what is under way is theirs who fetch. Raises what `AppendCommand.results`
        raises.
        """
        append = AppendCommand(self, folder, mailbox, messages, keep=keep)
        self._open.append(append)
        append.send()
        return append

    def answer_all(self) -> None:
        """Reads what is still to be answered, so that another command may follow. Raises nothing: what
        there is to raise, `AppendCommand.results` does."""
        while self._open:
            self._open[0].finish()

    @property
    def under_way(self) -> bool:
        """True when there are answers to come."""
        return bool(self._open)

    def answered(self, append: AppendCommand) -> None:
        """For an append that has all its answers."""
        self._open.remove(append)

    # --- Commands ----------------------------------------------------------------------------------

    def send(self, mailbox: bytes, messages: Sequence[Ready]) -> str:
        """Sends one APPEND; returns its tag. Ends early when the server refuses before it has all."""
        tag = self.connection.new_tag()
        runs = append_runs(mailbox, [one for _, one in messages], self.literals)
        self.connection.send((tag.encode() + b" ", *next(runs)))
        for run in runs:
            if not self._invited(tag):
                break
            self.connection.send(run)
        return tag

    def answer(self, tag: str) -> Reply:
        """Waits for the answer to one command; those to others are kept for whoever waits for them."""
        while tag not in self._replies:
            self._note(self.connection.next_event())
        return self._replies.pop(tag)

    def _invited(self, tag: str) -> bool:
        """Waits for `+`; False when the answer to the whole command came in its place."""
        while tag not in self._replies:
            event = self.connection.next_event()
            if isinstance(event, Continue):
                return True
            self._note(event)
        return False

    def _note(self, event: WireEvent) -> None:
        if isinstance(event, Tagged):
            self._replies[event.tag] = event.reply


class AppendCommand:
    """Messages on their way into one folder."""

    def __init__(
        self,
        appends: AppendQueue,
        folder: FolderRef,
        mailbox: bytes,
        messages: Sequence[Outgoing],
        *,
        keep: bool,
    ) -> None:
        self._appends = appends
        self._connection = appends.connection
        self._folder = folder
        self._mailbox = mailbox
        ready = [_ready(message) for message in messages]
        self._can_be_sent = [one is not None for one in ready]
        self._sendable = [one for one in ready if one is not None]
        self._keep = keep or len(self._sendable) == 1
        self._troubles: list[MailError] = []
        """Why messages were rejected since the last one was stored, where it may be the server's fault."""
        self._first: str | None = None  # the tag of the whole, as MULTIAPPEND
        self._done = False
        self._results: list[AppendResult] | None = None
        self._error: MailError | None = None

    def send(self) -> None:
        """Sends what can be sent at once, which is one command."""
        sendable = self._sendable
        together = self._connection.has("MULTIAPPEND") or len(sendable) == 1
        if not sendable or not together or self._appends.literals is not Literals.PLUS:
            self.finish()
            return
        with self._ended_by_errors():
            self._first = self._appends.send(self._mailbox, sendable)
            if not self._keep:
                self._sendable = []

    def results(self) -> list[AppendResult] | None:
        """What became of each message, in their order. None when they were let go of, and refused together:
        none of them is stored then (RFC 3502 section 6.3.11), and a part of them may be taken.

        Raises ConnectionLost or ProtocolViolation (outcome unknown), QuotaExceeded, FolderUnusable,
        FolderChanged (the messages went into another folder of that name), Throttled, ServerUnavailable.
        """
        self.finish()
        if self._error is not None:
            raise self._error
        return self._results

    def finish(self) -> None:
        """Waits for all answers; what they mean, `results` tells."""
        if self._done:
            return
        results: Sequence[AppendResult] | None = []
        with self._ended_by_errors():
            if self._first and not self._sendable:
                results = self._whole(self._first, sum(self._can_be_sent))
            elif self._connection.has("MULTIAPPEND"):
                results = self._together(self._sendable, self._first)
            else:
                results = self._one_by_one(self._sendable, self._first)
            if self._troubles and not any(isinstance(result, Stored) for result in results or ()):
                raise self._troubles[-1]
        if self._error is not None:
            return
        self._results = None if results is None else self._in_order(results)
        self._end()

    def _in_order(self, results: Sequence[AppendResult]) -> list[AppendResult]:
        """With those that could not be sent."""
        unsendable = Rejected("The message's flags or its date hold what no IMAP command can carry.")
        sent = iter(results)
        return [next(sent) if can_be_sent else unsendable for can_be_sent in self._can_be_sent]

    @contextmanager
    def _ended_by_errors(self) -> Iterator[None]:
        """Whatever it is, this append is over: gone on with after Ctrl+C, it would be sent again."""
        try:
            yield
        except MailError as error:
            self._end(error)
        except BaseException:
            self._connection.drop()  # perhaps in the middle of a command
            self._end(response_errors.lost(self._connection.peer, "interrupted"))
            raise

    def _end(self, error: MailError | None = None) -> None:
        self._done = True
        self._error = error
        self._sendable = []
        self._appends.answered(self)

    def _together(self, messages: Sequence[Ready], tag: str | None = None) -> list[AppendResult]:
        """MULTIAPPEND is all or nothing: a refused one is halved until the bad message stands alone."""
        if len(messages) <= 1:
            return self._one_by_one(messages, tag)
        whole = self._whole(tag or self._appends.send(self._mailbox, messages), len(messages))
        if whole is not None:
            return whole
        half = len(messages) // 2
        return [*self._together(messages[:half]), *self._together(messages[half:])]

    def _whole(self, tag: str, count: int) -> list[AppendResult] | None:
        """What became of one MULTIAPPEND; None when it was refused and a half of it may be taken."""
        reply = self._appends.answer(tag)
        if reply.status == "OK":
            return [*self._stored(reply, count)]
        trouble = self._trouble(reply)
        half_may_fit = isinstance(trouble, QuotaExceeded)
        if trouble is not None and not half_may_fit and not _is_of_one(reply, trouble):
            raise trouble
        return None

    def _one_by_one(self, messages: Sequence[Ready], tag: str | None = None) -> list[AppendResult]:
        """Single APPENDs, IN_FLIGHT at a time where literals need no invitation; the first was sent if it
        has a tag."""
        results: list[AppendResult] = []
        waiting: deque[tuple[str, Ready]] = deque()
        window = 1 if self._appends.literals is Literals.ASK else IN_FLIGHT
        try:
            for message in messages:
                if len(waiting) >= window:
                    results.append(self._settled(*waiting.popleft()))
                waiting.append((tag or self._appends.send(self._mailbox, (message,)), message))
                tag = None
            while waiting:
                results.append(self._settled(*waiting.popleft()))
        except MailError:
            if self._connection.usable:
                for unheard, _ in waiting:
                    self._appends.answer(unheard)
            raise
        return results

    def _settled(self, tag: str, ready: Ready) -> AppendResult:
        message, _ = ready
        reply = self._appends.answer(tag)
        trouble = self._trouble(reply)
        system_flags = tuple(flag for flag in message.flags if flag.startswith("\\"))
        keywords_dropped = 0
        if reply.status != "OK" and system_flags != message.flags and _is_of_one(reply, trouble):
            # Exchange says "BAD Command Argument Error. 11" to a keyword that it does not like, others that
            # there are too many: there are more words for it than anybody can know.
            plainer = message._replace(flags=system_flags)
            reply = self._appends.answer(self._appends.send(self._mailbox, ((plainer, part(plainer)),)))
            trouble = self._trouble(reply)
            keywords_dropped = len(message.flags) - len(system_flags)
        if reply.status == "OK":
            return replace(self._stored(reply, 1)[0], keywords_dropped=keywords_dropped)
        if trouble is not None:
            self._troubles.append(trouble)
            if not _is_of_one(reply, trouble) or len(self._troubles) >= response_errors.TROUBLES_IN_A_ROW:
                raise trouble
        words = response_errors.server_words(reply) or "no reason given"
        return Rejected(f"{self._connection.peer.sentence_start} refused the message: {words}")

    def _stored(self, reply: Reply, count: int) -> list[Stored]:
        """UIDs in the order of the messages (APPENDUID, RFC 4315 section 3), None where there are none."""
        self._troubles.clear()
        uidvalidity, _, uids = reply.arguments.partition(" ")
        if reply.code != "APPENDUID" or not uidvalidity.isdigit():
            return [Stored(None)] * count
        if int(uidvalidity) != self._folder.uidvalidity:
            raise response_errors.folder_changed(self._connection.peer, self._folder.name)
        with contextlib.suppress(ValueError):
            if len(UidSet.parse(uids)) == count:  # before anything of that size is made
                told = parse_ordered(uids)
                if len(told) == count:
                    return [Stored(uid) for uid in told]
        return [Stored(None)] * count

    def _trouble(self, reply: Reply) -> MailError | None:
        if reply.status == "OK":
            return None
        return response_errors.append_error(reply, self._connection.peer, self._folder.name)


def _is_of_one(reply: Reply, trouble: MailError | None) -> bool:
    """True when the refusal is, or may be, of one message only: these codes (RFC 5530) are what a server
    says of a message that it chokes on, and of every message when it is ill."""
    of_both = isinstance(trouble, ServerUnavailable) and reply.code in ("SERVERBUG", "UNAVAILABLE")
    return trouble is None or of_both


def _ready(message: Outgoing) -> Ready | None:
    """None when no command can carry it."""
    try:
        return message, part(message)
    except ValueError:
        return None
