"""One connection to one IMAP server: connecting, encryption, login, then commands and events.

Invariants
- No password is sent unencrypted unless the endpoint is PLAINTEXT; there is no silent fallback from STARTTLS.
- A broken connection, or one whose responses were not read to the end, is never used again (`usable`).
"""

from __future__ import annotations

import contextlib
import imaplib
import ssl
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

import tenacity

from importer.adapters.certificate_end import certificate_end
from importer.adapters.imap import connect_errors, deflate, response_errors
from importer.adapters.imap.commands import line_safe
from importer.adapters.imap.connect_watchdog import ConnectWatchdog
from importer.adapters.imap.deflate import KnownLines, LinkSpeed
from importer.adapters.imap.fallbacks import Fallbacks
from importer.adapters.imap.fenced_sender import FencedSender
from importer.adapters.imap.imapclient_adapter import MAX_ALERTS, Client, Timeouts, is_too_large
from importer.adapters.imap.login import Login, token_for, with_master, with_password, with_token
from importer.adapters.imap.response_errors import CommandRefused, Peer
from importer.adapters.imap.spool import Spool, SpoolFiles
from importer.adapters.imap.stall_watchdog import StallWatchdog
from importer.adapters.imap.wire import (
    Fetched,
    NameTooLarge,
    Reply,
    ResponseReader,
    Tagged,
    Untagged,
    WireError,
    WireEvent,
)
from importer.domain.messages.message_body import Body
from importer.domain.planning.retry_limits import IMAP_CONNECT_ATTEMPTS, IMAP_CONNECT_WITHIN_S
from importer.domain.planning.server_limits import MAX_ANSWER_BYTES, MAX_ANSWER_RESPONSES, MAX_RESPONSES
from importer.ports.leases import LeaseLost
from importer.ports.process import OwnDiskFull
from importer.ports.work_limit import WorkEnded, WorkLimit
from providers.endpoint import Secret, Security
from providers.errors import ConnectionLost, LoginRejected, MailError, ServerUnavailable, Throttled
from providers.grants import Credential, MasterLogin

_READ_BYTES = 128 << 10
"""Maximum size of one read: some 30 small messages."""

_MAX_REPEATED_IN_VAIN = 3
"""Commands that get BAD alone as well, after which the others are not repeated."""

_SEND_BYTES = 128 << 10
"""Small pieces of a command are joined up to this size: each send call costs a wait for other threads."""

_ID = b'ID ("name" "mailhaul")'

_GOODBYE_TIMEOUT_S = 1.0
_GOODBYE_READS = 20
"""How long and how often a connection that broke during a write is read for a BYE."""

Tls = Callable[[], ssl.SSLContext]
"""Called only when needed: reading the system's authorities takes tens of milliseconds."""


def tls_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """Create a context that verifies certificate and host name and requires TLS 1.2 or later; `ca_file` is
    trusted in addition to the system's authorities."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


@dataclass(frozen=True, slots=True)
class Answer:
    """The response to one command: the untagged events in order, and the tagged reply."""

    events: tuple[WireEvent, ...]
    reply: Reply


def _ignore(_event: WireEvent) -> None:
    """For callers that do not follow the events."""


class _Answers:
    """Bounds the answers that a caller collects before it reads them, over one or several commands."""

    def __init__(self, connection: Connection, max_bytes: int = MAX_ANSWER_BYTES) -> None:
        self._connection = connection
        self._until_bytes = connection.received_bytes + max_bytes
        self._left = MAX_ANSWER_RESPONSES

    def count(self) -> None:
        """Count one response. Raises BeyondLimit, and drops the connection."""
        self._left -= 1
        connection = self._connection
        if self._left < 0:
            connection.drop()
            raise response_errors.too_many_responses(connection.peer, MAX_ANSWER_RESPONSES)
        if connection.received_bytes > self._until_bytes:
            connection.drop()
            raise response_errors.too_much(connection.peer)


class Connection:
    """A logged-in connection. Made by `open_connection`."""

    def __init__(
        self,
        client: Client,
        peer: Peer,
        capabilities: frozenset[str],
        max_literal_bytes: int,
        known_lines: KnownLines,
        stall_watchdog: StallWatchdog,
        spool_folder: Path | None = None,
        fallbacks: Fallbacks | None = None,
        limit: WorkLimit | None = None,
    ) -> None:
        self.peer = peer
        self.limit = limit or WorkLimit()
        self.fallbacks = fallbacks or Fallbacks()
        self.capabilities = self.fallbacks.usable(capabilities)
        self.greeting = client.greeting
        self.alerts: list[str] = client.alerts  # what the server wants its users to read (RFC 9051: ALERT)
        self.usable = True
        self.waiting = False  # for bytes from the server, at this moment
        self.sending = False  # at this moment
        self.received_bytes = 0
        self.refusals = 0  # NO and BAD so far: some servers close the connection after a number of them
        self._client = client
        spool = partial(Spool, SpoolFiles(spool_folder))
        self._reader = ResponseReader(max_literal_bytes=max_literal_bytes, spool=spool)
        self._events: deque[WireEvent] = deque()
        self._tags = 0
        self._unanswered = 0
        self._outstanding: set[str] = set()  # tags of commands without a reply so far
        self._unawaited_tags: set[str] = set()  # of commands whose replies are discarded
        self._ahead: dict[str, bytes] = {}  # sent before the previous reply arrived: tag -> command, if known
        self._stored_replies: dict[str, Tagged] = {}
        self._queued: list[bytes] = []  # commands to send before the next one
        self._known_lines = known_lines
        self._sender = FencedSender(client.socket())
        self._stream = LinkSpeed(client.incoming, self._sender)
        if deflate.CAPABILITY in capabilities and known_lines.should_measure(peer.endpoint):
            self._stream.measure(known_lines.rates(peer.endpoint))
        self._cut = False
        self._stall_watchdog = stall_watchdog
        stall_watchdog.add(self)

    @property
    def idle(self) -> bool:
        """True if the next command may be sent: the connection is usable and no reply is outstanding."""
        return self.usable and not self._unanswered

    @property
    def completed_commands(self) -> int:
        """A number that changes whenever a command completes."""
        return self._tags - self._unanswered

    @property
    def sent_bytes(self) -> int:
        return self._sender.sent_bytes

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
        if tag in self._ahead:
            self._ahead[tag] = command
        self.send((tag.encode() + b" " + line_safe(command) + b"\r\n",))
        return tag

    def collect(self, tag: str, *, max_line_bytes: int | None = None) -> Answer:
        """Wait until a command completes; raises as `call` does."""
        default = self._reader.max_line_bytes
        self._reader.max_line_bytes = max_line_bytes or default
        events: list[WireEvent] = []
        running = self.follow(tag)
        answers = _Answers(self, max(MAX_ANSWER_BYTES, max_line_bytes or 0))
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
                if not self._may_be_early(event.reply) or not (command := self._ahead.pop(tag, b"")):
                    break
                self._await_others()
                tag, repeated = self.start(command), True
            elif event.tag in self._ahead:
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
        answers = _Answers(self)
        while self._unanswered > 0:
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
        command that gets BAD is repeated once, alone. `heard` gets each event as it arrives. Raises
        ConnectionLost, ProtocolViolation and Throttled.
        """
        heard = heard or _ignore
        if self.fallbacks.one_at_a_time or len(commands) == 1:
            bounded = _Answers(self)
            return [self._answer(command, bounded, heard) for command in commands]
        answers = self._call_ahead(commands, heard)
        in_vain = 0
        for index, answer in enumerate(answers):
            if self._may_be_early(answer.reply) and in_vain < _MAX_REPEATED_IN_VAIN:
                alone = self._answer(commands[index], _Answers(self))
                answers[index] = Answer((*answer.events, *alone.events), alone.reply)
                in_vain += alone.reply.status == "BAD"
                if alone.reply.status != "BAD" and not self.fallbacks.one_at_a_time:
                    self.send_one_at_a_time()
        return answers

    def _answer(
        self, command: bytes, bounded: _Answers, heard: Callable[[WireEvent], None] = _ignore
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

    def _call_ahead(self, commands: Sequence[bytes], heard: Callable[[WireEvent], None]) -> list[Answer]:
        tags = [self.new_tag() for _ in commands]
        self.send(b"%s %s\r\n" % (t.encode(), line_safe(c)) for t, c in zip(tags, commands, strict=True))
        answers: dict[str, Answer] = {}
        events: list[WireEvent] = []
        bounded = _Answers(self)
        while len(answers) < len(tags):
            try:
                event = self.next_event()
                bounded.count()
            except ConnectionLost:
                self._raise_throttled(answers.values())
                raise
            heard(event)
            if isinstance(event, Tagged):
                answers[event.tag] = Answer(tuple(events), event.reply)
                events = []
            else:
                events.append(event)
        if answers.keys() != set(tags):
            self.drop()
            raise response_errors.violation(self.peer, "a reply with an unknown tag")
        for tag in tags:
            self._ahead.pop(tag, None)
        return [answers[tag] for tag in tags]

    def send_with_next(self, command: bytes) -> None:
        """Send a command together with the next one; its reply is discarded."""
        tag = self.new_tag()
        self._unanswered -= 1
        self._unawaited_tags.add(tag)
        self._queued.append(tag.encode() + b" " + line_safe(command) + b"\r\n")

    def call_id(self) -> None:
        """Send ID (RFC 2971) and wait for its reply."""
        try:
            self.call_all([_ID])
        except ConnectionLost:
            self.fallbacks.note_loss_at_id()
            raise
        self.fallbacks.note_answer_to_id()

    def _raise_throttled(self, answers: Iterable[Answer]) -> None:
        """Exchange requests a pause and then sends BYE: report the pause, not the lost connection."""
        for answer in answers:
            if answer.reply.status != "OK":
                error = response_errors.account_error(answer.reply, self.peer)
                if isinstance(error, Throttled):
                    raise error from None

    def new_tag(self) -> str:
        """Return the tag of a command that the caller is about to send and whose reply it will await."""
        if not self._unanswered and self.should_compress:
            self.compress()
        self._tags += 1
        self._unanswered += 1
        tag = f"M{self._tags}"
        self._outstanding.add(tag)
        if self._unanswered > 1 or self._queued:
            self._ahead[tag] = b""
        return tag

    def send(self, parts: Iterable[Body]) -> None:
        """Send the parts in order, holding one piece of a spooled part at a time. Raises ConnectionLost."""
        stream = self._stream
        self.sending = True
        small, self._queued = self._queued, []
        small_bytes = sum(map(len, small))
        try:
            for part in parts:
                for piece in (part,) if isinstance(part, bytes) else part.pieces():
                    piece_bytes = len(piece)
                    if small and small_bytes + piece_bytes > _SEND_BYTES:
                        stream.sendall(b"".join(small))
                        small, small_bytes = [], 0
                    if piece_bytes < _SEND_BYTES:
                        small.append(piece)
                        small_bytes += piece_bytes
                    else:
                        stream.sendall(piece)
            if small:
                stream.sendall(b"".join(small))
        except OSError as error:
            raise self._unread_goodbye() or self._broken(error) from error
        except BaseException:  # LeaseLost, or an interruption: perhaps in the middle of a command
            self.drop()
            raise
        self.sending = False

    def fence(self, check: Callable[[], None]) -> None:
        """Call `check` before each piece of bytes is sent. What it raises is raised by the method that sends
        or waits, and the connection is dropped together with the bytes that were not sent yet."""
        self._sender.fence(check)

    def next_event(self) -> WireEvent:
        """Wait for the next event. Raises ConnectionLost (also on BYE) and ProtocolViolation."""
        while True:
            while not self._events:
                self._receive()
            event = self._events.popleft()
            # First: nearly all events are messages.
            if isinstance(event, Fetched) or not self._is_unawaited(event):
                return event

    def _is_unawaited(self, event: WireEvent) -> bool:
        """Note what an event says about the connection. Return whether it is a reply that nobody waits for.
        Raises ConnectionLost on BYE."""
        if isinstance(event, Tagged):
            if event.tag not in self._outstanding and self._is_own(event.tag):
                return True  # a second reply to the same command
            self._outstanding.discard(event.tag)
            self.refusals += event.reply.status != "OK"
            if event.reply.status != "BAD" and self._ahead.pop(event.tag, None) is not None:
                self.fallbacks.note_answer_ahead()
            self._note_alert(event.reply)
            if event.tag in self._unawaited_tags:
                self._unawaited_tags.discard(event.tag)
                self.fallbacks.note_answer_to_id()
                return True
            self._unanswered -= 1
        elif isinstance(event, Untagged):
            self._note_alert(event.reply)
            if event.reply.status == "BYE":
                self._note_loss(silent=False)
                self.drop()
                raise self._goodbye(event.reply)
        return False

    def _is_own(self, tag: str) -> bool:
        """Whether a command of this connection had the tag."""
        return tag.startswith("M") and tag[1:12].isdecimal() and int(tag[1:12]) <= self._tags

    def _note_alert(self, reply: Reply) -> None:
        if reply.code == "ALERT" and len(self.alerts) < MAX_ALERTS:
            self.alerts.append(response_errors.printable(reply.text))

    def _note_loss(self, *, silent: bool) -> None:
        if self._unawaited_tags:
            self.fallbacks.note_loss_at_id()
        if self._ahead:
            self.fallbacks.note_loss_ahead(silent=silent)
        elif self._unanswered and not silent:
            self.fallbacks.note_loss_otherwise()

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
        bounded = _Answers(self)
        while self._unawaited_tags:
            while not self._events:
                self._receive()
            self._is_unawaited(self._events.popleft())
            bounded.count()

    def _receive(self) -> None:
        self.waiting = True
        try:
            data = b"" if self._reader.broken else self._stream.read1(_READ_BYTES)
        except (OSError, ValueError) as error:  # ValueError: the stream was closed
            raise self._broken(error) from error
        self.waiting = False
        self.received_bytes += len(data)
        if not data and not self._reader.broken:
            raise self._broken(None)
        try:
            self._events.extend(self._reader.feed(data))
        except OwnDiskFull:
            self.drop()
            raise
        except NameTooLarge:
            self.drop()
            raise response_errors.name_too_large(self.peer) from None
        except WireError as error:
            self.drop()
            raise response_errors.violation(self.peer, str(error)) from error

    def _goodbye(self, reply: Reply) -> ConnectionLost:
        return response_errors.lost(self.peer, response_errors.server_words(reply), announced=True)

    def _unread_goodbye(self) -> ConnectionLost | None:
        """Return the BYE that the server sent before it closed the connection in the middle of a command, if
        there is one. The connection is not usable afterwards."""
        with contextlib.suppress(OSError, ValueError, WireError, OwnDiskFull):
            self._client.socket().settimeout(_GOODBYE_TIMEOUT_S)
            for _ in range(_GOODBYE_READS):
                data = self._stream.read1(_READ_BYTES)
                for event in self._reader.feed(data) if data else ():
                    if isinstance(event, Untagged) and event.reply.status == "BYE":
                        self._note_loss(silent=False)
                        self.drop()
                        return self._goodbye(event.reply)
                if not data:
                    break
        return None

    def _broken(self, error: Exception | None) -> MailError:
        silent = isinstance(error, TimeoutError)
        was_usable = self.usable
        self.drop()
        self._sender.check()  # raises if the connection was cut because of it
        self.limit.check()  # as well
        if was_usable:
            self._note_loss(silent=silent)
        if self._stream.broken:
            self._known_lines.mark_broken(self.peer.endpoint)
        if self._cut:
            return response_errors.too_slow(self.peer)
        if silent and self._reader.unparsed:  # perhaps meant as the reply
            return response_errors.violation(self.peer, self._reader.unparsed[:60].decode("latin-1"))
        if silent:
            return response_errors.silent(self.peer)
        return response_errors.lost(self.peer)

    def cut(self) -> None:
        """Shut down a stalled connection from another thread; the waiting thread gets ServerTooSlow."""
        self._cut = True
        self._client.cut()

    def cut_off(self) -> None:
        """Shut down the connection from another thread, once the fence raises."""
        self._client.cut()

    def drop(self) -> None:
        """Close the socket without LOGOUT; idempotent."""
        self.usable = False
        self._stall_watchdog.remove(self)
        self._client.close_abruptly()

    def close(self) -> None:
        """Close the connection; if idle, send LOGOUT first, without awaiting the reply. Never raises."""
        if self.idle:
            if self._stream.measuring:  # it is too late to start compression
                self._stream.use_plain()
            with contextlib.suppress(MailError, LeaseLost, WorkEnded):
                self.start(b"LOGOUT")
                self._sender.end_gracefully()
        self.drop()


def open_connection(
    peer: Peer,
    login: Login,
    credential: Credential,
    *,
    tls: Tls,
    timeouts: Timeouts,
    max_literal_bytes: int,
    known_lines: KnownLines,
    stall_watchdog: StallWatchdog,
    spool_folder: Path | None = None,
    fallbacks: Fallbacks | None = None,
    limit: WorkLimit | None = None,
) -> Connection:
    """Connect (a few attempts within seconds), encrypt and log in.

    With a password, also that of a master user, there is one login attempt, since a lockout is worse than an
    error. With an access token there may be a second attempt, on a new connection and with a new token.

    Raises any MailError of scope session or account, and WorkEnded once `limit` has ended.
    """

    def connect_and_log_in(log_in: Callable[[Client, Peer, Login], None]) -> Connection:
        with ConnectWatchdog(peer.dial, timeouts.login_deadline_s, limit) as watchdog:
            client = _connect_with_retries(replace(peer, dial=watchdog.dial), tls, timeouts)
            try:
                log_in(client, peer, login)
                capabilities = _capabilities(client, peer)
            except BaseException:
                client.close_abruptly()
                raise
        connection = Connection(
            client,
            peer,
            capabilities,
            max_literal_bytes,
            known_lines,
            stall_watchdog,
            spool_folder,
            fallbacks,
            limit,
        )
        if connection.has(deflate.CAPABILITY) and known_lines.compress_from_start(peer.endpoint):
            connection.compress()  # before ID, whose reply it would wait for
        if connection.has("ID"):  # RFC 2971: some hosts require it
            if connection.fallbacks.one_at_a_time:
                connection.call_id()
            else:
                connection.send_with_next(_ID)
        return connection

    if isinstance(credential, Secret):
        return connect_and_log_in(partial(with_password, password=credential))
    if isinstance(credential, MasterLogin):
        return connect_and_log_in(partial(with_master, master=credential))
    try:
        return connect_and_log_in(partial(with_token, token=token_for(peer, credential)))
    except LoginRejected as error:
        if not connect_errors.may_be_the_token(error):
            raise
    return connect_and_log_in(partial(with_token, token=token_for(peer, credential, refused=True)))


def probe(
    peer: Peer,
    tls: Tls,
    timeouts: Timeouts,
    *,
    tries: int = IMAP_CONNECT_ATTEMPTS,
    limit: WorkLimit | None = None,
) -> datetime | None:
    """Connect and encrypt without logging in. Returns when the server's certificate expires, None without
    encryption. Raises any MailError of scope session or account."""
    with ConnectWatchdog(peer.dial, timeouts.login_deadline_s, limit) as watchdog:
        client = _connect_with_retries(replace(peer, dial=watchdog.dial), tls, timeouts, tries)
        try:
            return certificate_end(client.socket())
        finally:
            client.close_abruptly()


def _connect_with_retries(
    peer: Peer, tls: Tls, timeouts: Timeouts, tries: int = IMAP_CONNECT_ATTEMPTS
) -> Client:
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(ServerUnavailable),
        stop=tenacity.stop_after_attempt(tries) | tenacity.stop_after_delay(IMAP_CONNECT_WITHIN_S),
        wait=tenacity.wait_exponential_jitter(multiplier=0.2, max=2, jitter=0.3),
        reraise=True,
    )
    return retrying(_connect, peer, tls, timeouts)


def _connect(peer: Peer, tls: Tls, timeouts: Timeouts) -> Client:
    client: Client | None = None
    implicit = peer.endpoint.security is Security.TLS
    try:
        client = Client(peer.endpoint, tls() if implicit else None, timeouts, peer.dial)
        _encrypt(client, peer, tls)
    except Exception as error:
        if client is not None:
            client.close_abruptly()
        if isinstance(error, MailError):
            raise
        raise connect_errors.opening_error(error, peer) from error
    return client


def _encrypt(client: Client, peer: Peer, tls: Tls) -> None:
    security = peer.endpoint.security
    if client.preauthenticated():
        # Before TLS, PREAUTH is an attack that strips STARTTLS, which is not allowed after it. With TLS, the
        # owner of the mailbox is unknown.
        raise connect_errors.preauthenticated(peer)
    if security is Security.TLS:
        return
    if client.has_capability("STARTTLS"):
        try:
            client.starttls_verified(tls())
        except imaplib.IMAP4.error as error:
            if client.refusal:
                raise connect_errors.encryption_refused(peer, client.refusal) from error
            raise
    elif security is Security.STARTTLS:
        raise connect_errors.no_encryption(peer)


def _capabilities(client: Client, peer: Peer) -> frozenset[str]:
    try:
        return client.fresh_capabilities()
    except (imaplib.IMAP4.abort, OSError) as error:
        if is_too_large(error):
            raise response_errors.login_too_large(peer) from None
        raise response_errors.lost(peer) from error
    except imaplib.IMAP4.error as error:
        raise response_errors.violation(peer, str(error)) from error
