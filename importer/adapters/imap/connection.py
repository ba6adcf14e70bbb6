"""One logged-in connection to an IMAP server: commands and their replies. Made by `open_connection`.

Invariant: a connection whose responses were not read to the end is never used again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Final

from importer.adapters.imap import deflate, response_errors
from importer.adapters.imap.answers import Answer, AnswerBounds
from importer.adapters.imap.commands import line_safe
from importer.adapters.imap.event_stream import ConnectionContext, EventStream
from importer.adapters.imap.imapclient_adapter import Client
from importer.adapters.imap.response_errors import CommandRefused, Peer
from importer.adapters.imap.wire_events import Reply, Tagged, WireEvent
from importer.domain.planning.server_limits import MAX_ANSWER_BYTES, MAX_RESPONSES
from importer.ports.leases import LeaseLost
from importer.ports.work_limit import WorkEnded
from providers.errors import ConnectionLost, MailError, Throttled

_MAX_REPEATED_IN_VAIN = 3
"""Commands that get BAD alone as well, after which the others are not repeated."""

MAX_PIPELINED: Final = 100
"""Commands sent ahead of their replies: some 10 KB in each direction, which fits every socket buffer."""


def _ignore(_event: WireEvent) -> None:
    """For callers that ignore the events."""


class Connection(EventStream):
    def __init__(
        self,
        client: Client,
        peer: Peer,
        capabilities: frozenset[str],
        context: ConnectionContext,
    ) -> None:
        self.fallbacks = context.fallbacks
        self.capabilities = self.fallbacks.usable(capabilities)
        self._stored_replies: dict[str, Tagged] = {}
        super().__init__(client, peer, context, may_compress=deflate.CAPABILITY in capabilities)

    @property
    def idle(self) -> bool:
        """True if the next command may be sent: the connection is usable and no reply is outstanding."""
        return self.usable and not self._commands.awaited

    def has(self, capability: str) -> bool:
        return capability in self.capabilities

    def disable(self, *capabilities: str) -> None:
        """Do not use these capabilities again, here or on later connections to the account."""
        self.fallbacks.disable(capabilities)
        self.capabilities = self.fallbacks.usable(self.capabilities)

    def send_one_at_a_time(self) -> None:
        """Send no command ahead of the previous reply, here or on later connections to the account."""
        self.fallbacks.one_at_a_time = True
        self.capabilities = self.fallbacks.usable(self.capabilities)

    @property
    def message_limit(self) -> int | None:
        """Maximum number of messages per command (MESSAGELIMIT, RFC 9738); None: unlimited."""
        limits = (c.removeprefix("MESSAGELIMIT=") for c in self.capabilities if c.startswith("MESSAGELIMIT="))
        return next((max(1, int(limit)) for limit in limits if limit.isdigit()), None)

    @property
    def should_compress(self) -> bool:
        """True if the line was measured as slow, by this connection or by another one to the same server.
        Compression starts as soon as no reply is outstanding."""
        if self._stream.slow:
            self._known_lines.mark_slow(self.peer.endpoint)
        return self._stream.measuring and self._known_lines.compress_from_start(self.peer.endpoint)

    def call(self, command: bytes, *, max_line_bytes: int | None = None) -> Answer:
        """Run one command to completion. Raises CommandRefused, ConnectionLost, ProtocolViolation,
        BeyondLimit if the answer is too large to be held, and WorkEnded."""
        return self.collect(self.start(command), max_line_bytes=max_line_bytes)

    def run(self, command: bytes, *, max_responses: int = MAX_RESPONSES) -> Generator[WireEvent, None, Reply]:
        """Run one command and yield the untagged events as they arrive; raises as `call` does.

        If the generator is abandoned before its end, the connection is not idle and has to be dropped.
        """
        return self.follow(self.start(command), max_responses=max_responses)

    def start(self, command: bytes) -> str:
        """Send one command and return its tag for `collect` or `follow`. Raises ConnectionLost.

        Several commands may be started first; await them in the order in which they were started.
        """
        tag = self.new_tag()
        if tag in self._commands.ahead:
            self._commands.ahead[tag] = command
        self.send((tag.encode() + b" " + line_safe(command) + b"\r\n",))
        return tag

    def collect(self, tag: str, *, max_line_bytes: int | None = None) -> Answer:
        """Wait until a command completes; raises as `call` does."""
        default = self._reader.max_line_bytes
        self._reader.max_line_bytes = max_line_bytes or default
        events: list[WireEvent] = []
        running = self.follow(tag)
        answers = AnswerBounds(self, max(MAX_ANSWER_BYTES, max_line_bytes or 0))
        try:
            while True:
                events.append(next(running))
                answers.count()
        except StopIteration as ended:
            return Answer(tuple(events), ended.value)
        finally:
            self._reader.max_line_bytes = default

    def follow(self, tag: str, *, max_responses: int = MAX_RESPONSES) -> Generator[WireEvent, None, Reply]:
        """Yield the events until a command completes, as `run` does.

        A command that was sent ahead and got BAD is repeated once, alone.
        """
        repeated = False
        event = self._stored_replies.pop(tag, None) or self.next_event()
        for _ in range(max_responses):
            if not isinstance(event, Tagged):  # first: nearly all events are messages
                yield event
            elif event.tag == tag:
                if not self._may_be_early(event.reply) or not (command := self._commands.ahead.pop(tag, b"")):
                    break
                self._await_others()
                tag, repeated = self.start(command), True
            elif event.tag in self._commands.ahead:
                self._stored_replies[event.tag] = event
            else:
                yield event
            event = self.next_event()
        else:
            self.drop()
            raise response_errors.too_many_responses(self.peer, max_responses)
        if repeated and event.reply.status != "BAD":
            self.send_one_at_a_time()
        if event.reply.status != "OK":
            raise CommandRefused(event.reply)
        return event.reply

    def _may_be_early(self, reply: Reply) -> bool:
        """Return whether the command may have been refused because it was sent ahead."""
        return reply.status == "BAD" and response_errors.account_error(reply, self.peer) is None

    def _await_others(self) -> None:
        """Read and keep the replies to all commands that were sent ahead."""
        answers = AnswerBounds(self)
        while self._commands.awaited > 0:
            event = self.next_event()
            answers.count()
            if isinstance(event, Tagged):
                self._stored_replies[event.tag] = event

    def call_all(
        self, commands: Sequence[bytes], heard: Callable[[WireEvent], None] | None = None
    ) -> list[Answer]:
        """Send all commands, then read the response to each, refusals included.

        The commands have to be few and short enough that neither side blocks on a write. The events of an
        answer are those since the previous tagged reply; the caller has to attribute them to commands. A
        command that gets BAD is repeated once, alone. `heard` is called with each event as it arrives. Raises
        ConnectionLost, ProtocolViolation and Throttled.
        """
        heard = heard or _ignore
        if self.fallbacks.one_at_a_time or len(commands) == 1:
            bounded = AnswerBounds(self)
            return [self._answer(command, bounded, heard) for command in commands]
        tags, by_tag = self._call_ahead(commands, heard)
        answers = [by_tag[tag] for tag in tags]
        in_vain = 0
        for index, answer in enumerate(answers):
            if self._may_be_early(answer.reply) and in_vain < _MAX_REPEATED_IN_VAIN:
                alone = self._answer(commands[index], AnswerBounds(self))
                answers[index] = Answer((*answer.events, *alone.events), alone.reply)
                in_vain += alone.reply.status == "BAD"
                if alone.reply.status != "BAD" and not self.fallbacks.one_at_a_time:
                    self.send_one_at_a_time()
        return answers

    def call_in_order(self, commands: Sequence[bytes]) -> list[Answer]:
        """Send all commands, then read the response to each, as `call_all` does, where each command but the
        first means something only after those before it. None is repeated: after a BAD, commands are sent
        one at a time from then on, and if the replies come in another order, no answer is returned."""
        tags, answers = self._call_ahead(commands, _ignore)
        if any(self._may_be_early(answer.reply) for answer in answers.values()):
            self.send_one_at_a_time()
        return list(answers.values()) if list(answers) == tags else []

    def _answer(
        self, command: bytes, bounded: AnswerBounds, heard: Callable[[WireEvent], None] = _ignore
    ) -> Answer:
        events: list[WireEvent] = []
        running = self.run(command)
        try:
            while True:
                events.append(next(running))
                bounded.count()
                heard(events[-1])
        except StopIteration as ended:
            return Answer(tuple(events), ended.value)
        except CommandRefused as refused:
            return Answer(tuple(events), refused.reply)

    def _call_ahead(
        self, commands: Sequence[bytes], heard: Callable[[WireEvent], None]
    ) -> tuple[list[str], dict[str, Answer]]:
        """Return the tags in the order of the commands, and the answers in that of the replies."""
        tags = [self.new_tag() for _ in commands]
        self.send(b"%s %s\r\n" % (t.encode(), line_safe(c)) for t, c in zip(tags, commands, strict=True))
        sent = set(tags)
        answers: dict[str, Answer] = {}
        events: list[WireEvent] = []
        bounded = AnswerBounds(self)
        while len(answers) < len(tags):
            try:
                event = self.next_event()
                bounded.count()
            except ConnectionLost:
                self._raise_throttled(answers.values())
                raise
            heard(event)
            if isinstance(event, Tagged) and event.tag in sent:
                answers[event.tag] = Answer(tuple(events), event.reply)
                events = []
            else:
                events.append(event)
        for tag in tags:
            self._commands.ahead.pop(tag, None)
        return tags, answers

    def send_with_next(self, command: bytes) -> None:
        """Send a command together with the next one; its reply is discarded."""
        tag = self.new_tag()
        self._commands.discard(tag)
        self._queued.append(tag.encode() + b" " + line_safe(command) + b"\r\n")

    def _raise_throttled(self, answers: Iterable[Answer]) -> None:
        """Exchange requests a pause and then sends BYE: report the pause, not the lost connection."""
        for answer in answers:
            if answer.reply.status != "OK":
                error = response_errors.account_error(answer.reply, self.peer)
                if isinstance(error, Throttled):
                    raise error from None

    def new_tag(self) -> str:
        """Return the tag of a command that the caller is about to send and whose reply it will await."""
        if not self._commands.awaited and self.should_compress:
            self.compress()
        return self._commands.begin(ahead=bool(self._queued))

    def compress(self) -> None:
        """Compress both directions from here on (COMPRESS, RFC 4978) if the server agrees. The caller
        awaits no reply. Raises ConnectionLost and ProtocolViolation.

        Commands of `send_with_next` are answered first. Does nothing if the connection is compressed
        already: a second COMPRESS would travel uncompressed, and Dovecot hangs up.
        """
        if self._stream.compressed:
            return
        self._stream.use_plain()
        self._await_unawaited()
        tag = self.start(b"COMPRESS DEFLATE")
        self._stream.read_by_line()
        try:
            self.collect(tag)
        except CommandRefused:
            self._stream.use_plain()
            self.disable(deflate.CAPABILITY)
        except ConnectionLost:
            self.disable(deflate.CAPABILITY)  # for later connections
            raise
        else:
            self._stream.compress()

    def _await_unawaited(self) -> None:
        """Send the queued commands and read until all whose replies are discarded have one."""
        if self._queued:
            self.send(())
        bounds = AnswerBounds(self)
        for _ in self._await_discarded():
            bounds.count()

    def close(self) -> None:
        """Close the connection; if idle, send LOGOUT first, without awaiting the reply. Never raises."""
        if self.idle:
            if self._stream.measuring:  # it is too late to start compression
                self._stream.use_plain()
            with contextlib.suppress(MailError, LeaseLost, WorkEnded):
                self.start(b"LOGOUT")
                self._sender.end_gracefully()
        self.drop()
