"""One connection to one IMAP server: opened, encrypted, logged in, and then commands and events.

Invariants
- No password leaves unencrypted unless the endpoint says PLAINTEXT; STARTTLS is never given up silently.
- A connection that broke, or whose answers were not read to the end, is never used again (`usable`).
"""

from __future__ import annotations

import contextlib
import imaplib
import ssl
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import tenacity

from importer.adapters.imap import connect_errors, deflate, response_errors
from importer.adapters.imap.commands import line_safe
from importer.adapters.imap.connect_watchdog import ConnectWatchdog
from importer.adapters.imap.deflate import KnownLines, LinkSpeed
from importer.adapters.imap.imapclient_adapter import Client, Timeouts
from importer.adapters.imap.login import Login, token_for, with_master, with_password, with_token
from importer.adapters.imap.response_errors import CommandRefused, Peer
from importer.adapters.imap.spool import Spool, SpoolFiles
from importer.adapters.imap.stall_watchdog import StallWatchdog
from importer.adapters.imap.wire import Reply, ResponseReader, Tagged, Untagged, WireError, WireEvent
from importer.domain.messages.message_body import Body, pieces
from importer.ports.process import OwnDiskFull
from providers.endpoint import Secret, Security
from providers.errors import ConnectionLost, LoginRejected, MailError, ServerUnavailable, Throttled
from providers.grants import Credential, MasterLogin

_READ_BYTES = 128 << 10
"""What is read at a time, if there is so much: some 30 small messages."""

_SEND_BYTES = 128 << 10
"""Small pieces of a command are sent together up to this size: each call costs a wait for other threads."""


Tls = Callable[[], ssl.SSLContext]
"""Asked for when it is needed: to read the system's authorities takes tens of milliseconds."""


def tls_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """Verifies certificate and host name, TLS 1.2 or better; `ca_file` is trusted beside the system's."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


@dataclass(frozen=True, slots=True)
class Answer:
    """What one command brought: the untagged events in order, and the tagged OK."""

    events: tuple[WireEvent, ...]
    reply: Reply


class Connection:
    """A logged-in connection. Made by `open_connection`."""

    def __init__(
        self,
        client: Client,
        peer: Peer,
        capabilities: frozenset[str],
        max_literal_bytes: int,
        lines: KnownLines,
        drips: StallWatchdog,
        spool_folder: Path | None = None,
    ) -> None:
        self.peer = peer
        self.capabilities = capabilities
        self.usable = True
        self.waiting = False  # for bytes, at this moment
        self.received_bytes = 0
        self.refusals = 0  # NO and BAD so far: some servers close after a number of them
        self._client = client
        spool = partial(Spool, SpoolFiles(spool_folder))
        self._reader = ResponseReader(max_literal_bytes=max_literal_bytes, spool=spool)
        self._events: deque[WireEvent] = deque()
        self._tags = 0
        self._unanswered = 0
        self._mentioned: set[str] = set()  # tags of commands whose answers nobody waits for
        self._ahead: list[bytes] = []  # what goes out in front of the next command
        self._lines = lines
        self._line = LinkSpeed(client.incoming, client.socket())
        if deflate.CAPABILITY in capabilities and lines.watch(peer.endpoint):
            self._line.watch()
        self._cut = False
        self._drips = drips
        drips.add(self)

    @property
    def idle(self) -> bool:
        """True when the next command may be sent: usable, and everything sent was answered."""
        return self.usable and not self._unanswered

    @property
    def answered(self) -> int:
        """A number that changes with each command that is answered."""
        return self._tags - self._unanswered

    def has(self, capability: str) -> bool:
        return capability in self.capabilities

    @property
    def message_limit(self) -> int | None:
        """How many messages one command may touch (MESSAGELIMIT, RFC 9738); None: as many as it likes."""
        found = (c.removeprefix("MESSAGELIMIT=") for c in self.capabilities if c.startswith("MESSAGELIMIT="))
        return next((max(1, int(number)) for number in found if number.isdigit()), None)

    @property
    def wants_pause(self) -> bool:
        """True when the line turned out to be slow, for this connection or for another one to the same
        server: it is compressed as soon as all is answered."""
        if self._line.slow:
            self._lines.is_slow(self.peer.endpoint)
        return self._line.watched and self._lines.compress_at_once(self.peer.endpoint)

    def call(self, command: bytes, *, max_line_bytes: int | None = None) -> Answer:
        """Runs one command to its end. Raises CommandRefused, ConnectionLost, ProtocolViolation."""
        return self.collect(self.start(command), max_line_bytes=max_line_bytes)

    def run(self, command: bytes) -> Generator[WireEvent, None, Reply]:
        """Runs one command and gives the untagged events as they come; raises as `call` does.

        Abandoned before its end it leaves the connection not idle: it is to be dropped.
        """
        return self.follow(self.start(command))

    def start(self, command: bytes) -> str:
        """Sends one command, whose answer is to be awaited with `collect` or `follow`; several may be
        started before that, in the order in which they are awaited. Raises ConnectionLost."""
        tag = self.new_tag()
        self.send((tag.encode() + b" " + line_safe(command) + b"\r\n",))
        return tag

    def collect(self, tag: str, *, max_line_bytes: int | None = None) -> Answer:
        """Waits for the end of a command; raises as `call` does."""
        usual = self._reader.max_line_bytes
        self._reader.max_line_bytes = max_line_bytes or usual
        events: list[WireEvent] = []
        running = self.follow(tag)
        try:
            while True:
                events.append(next(running))
        except StopIteration as ended:
            return Answer(tuple(events), ended.value)
        finally:
            self._reader.max_line_bytes = usual

    def follow(self, tag: str) -> Generator[WireEvent, None, Reply]:
        """What comes until the end of a command; as `run`."""
        while True:
            event = self.next_event()
            if isinstance(event, Tagged) and event.tag == tag:
                if event.reply.status != "OK":
                    raise CommandRefused(event.reply)
                return event.reply
            yield event

    def call_all(self, commands: Sequence[bytes]) -> list[Answer]:
        """Sends all the commands, then reads an answer for each, refusals included.

        Few and short enough that neither side waits for the other to read. The events of an answer are
        those that came since the tagged reply before it: whose they are, is for the caller to tell.
        Raises ConnectionLost, ProtocolViolation and Throttled.
        """
        tags = [self.new_tag() for _ in commands]
        self.send(b"%s %s\r\n" % (t.encode(), line_safe(c)) for t, c in zip(tags, commands, strict=True))
        answers: dict[str, Answer] = {}
        events: list[WireEvent] = []
        while len(answers) < len(tags):
            try:
                event = self.next_event()
            except ConnectionLost:
                self._raise_pause(answers.values())
                raise
            if isinstance(event, Tagged):
                answers[event.tag] = Answer(tuple(events), event.reply)
                events = []
            else:
                events.append(event)
        if answers.keys() != set(tags):
            self.drop()
            raise response_errors.violation(self.peer, "an answer to no command of ours")
        return [answers[tag] for tag in tags]

    def mention(self, command: bytes) -> None:
        """Sends a command along with the next one; nobody waits for its answer or cares about it."""
        tag = self.new_tag()
        self._unanswered -= 1
        self._mentioned.add(tag)
        self._ahead.append(tag.encode() + b" " + line_safe(command) + b"\r\n")

    def _raise_pause(self, answers: Iterable[Answer]) -> None:
        """Exchange asks for a pause, and then says BYE: it is the pause that counts."""
        for answer in answers:
            if answer.reply.status != "OK":
                trouble = response_errors.account_error(answer.reply, self.peer)
                if isinstance(trouble, Throttled):
                    raise trouble from None

    def new_tag(self) -> str:
        """The tag of a command that the caller is about to send, and whose answer it will await."""
        if not self._unanswered and self.wants_pause:
            self.compress()
        self._tags += 1
        self._unanswered += 1
        return f"M{self._tags}"

    def send(self, parts: Iterable[Body]) -> None:
        """Sends the parts in order; of a spooled one no more than a piece is in memory. Raises
        ConnectionLost."""
        line = self._line
        small, self._ahead = self._ahead, []
        small_bytes = sum(map(len, small))
        try:
            for part in parts:
                for piece in pieces(part):
                    if small and small_bytes + len(piece) > _SEND_BYTES:
                        line.sendall(b"".join(small))
                        small, small_bytes = [], 0
                    if len(piece) < _SEND_BYTES:
                        small.append(piece)
                        small_bytes += len(piece)
                    else:
                        line.sendall(piece)
            if small:
                line.sendall(b"".join(small))
        except OSError as error:
            raise self._broken(error) from error

    def next_event(self) -> WireEvent:
        """Waits for the next event. Raises ConnectionLost (BYE included) and ProtocolViolation."""
        while not self._events:
            self._receive()
        event = self._events.popleft()
        if isinstance(event, Tagged):
            self.refusals += event.reply.status != "OK"
            if event.tag in self._mentioned:
                self._mentioned.discard(event.tag)
                return self.next_event()
            self._unanswered -= 1
        elif isinstance(event, Untagged) and event.reply.status == "BYE":
            self.drop()
            raise response_errors.lost(self.peer, response_errors.server_words(event.reply))
        return event

    def compress(self) -> None:
        """Compresses all that follows (COMPRESS, RFC 4978) where the server will; nothing else may be under
        way. Raises ConnectionLost and ProtocolViolation."""
        self._line.plain()
        tag = self.start(b"COMPRESS DEFLATE")
        self._line.by_lines()
        try:
            self.collect(tag)
        except CommandRefused:
            self._line.plain()
        else:
            self._line.compress()

    def _receive(self) -> None:
        self.waiting = True
        try:
            data = b"" if self._reader.broken else self._line.read1(_READ_BYTES)
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
        except WireError as error:
            self.drop()
            raise response_errors.violation(self.peer, str(error)) from error

    def _broken(self, error: Exception | None) -> MailError:
        self.drop()
        if self._line.broken:
            self._lines.is_broken(self.peer.endpoint)
        if self._cut:
            return response_errors.too_slow(self.peer)
        return response_errors.lost(self.peer, str(error) if error else "")

    def cut(self) -> None:
        """Ends a connection that another thread waits for in vain: it gets ServerTooSlow."""
        self._cut = True
        self._client.cut()

    def drop(self) -> None:
        """Closes the socket without a word; done already is fine."""
        self.usable = False
        self._drips.remove(self)
        self._client.close_abruptly()

    def close(self) -> None:
        """Logs out, if the connection is in a state to; never raises. Nobody waits for the goodbye."""
        if self.idle:
            if self._line.watched:  # it is too late to compress anything
                self._line.plain()
            with contextlib.suppress(MailError):
                self.start(b"LOGOUT")
        self.drop()


def open_connection(
    peer: Peer,
    login: Login,
    credential: Credential,
    *,
    tls: Tls,
    timeouts: Timeouts,
    max_literal_bytes: int,
    lines: KnownLines,
    drips: StallWatchdog,
    spool_folder: Path | None = None,
) -> Connection:
    """Connects (a few tries within seconds), encrypts and logs in: with a password, a master user's too,
    one try, for lockouts are worse than errors; with an access token one more, on a new connection and with a
    new token.

    Raises any MailError of scope session or account.
    """

    def opened(log_in: Callable[[Client, Peer, Login], None]) -> Connection:
        with ConnectWatchdog(peer.dial, timeouts.opening_s) as watch:
            client = _connect_patiently(replace(peer, dial=watch.dial), tls, timeouts)
            try:
                log_in(client, peer, login)
                capabilities = _capabilities(client, peer)
            except BaseException:
                client.close_abruptly()
                raise
        connection = Connection(client, peer, capabilities, max_literal_bytes, lines, drips, spool_folder)
        if connection.has("ID"):  # RFC 2971: some hosts let nobody in who does not say
            connection.mention(b'ID ("name" "mailhaul")')
        if connection.has(deflate.CAPABILITY) and lines.compress_at_once(peer.endpoint):
            connection.compress()
        return connection

    if isinstance(credential, Secret):
        return opened(partial(with_password, password=credential))
    if isinstance(credential, MasterLogin):
        return opened(partial(with_master, master=credential))
    try:
        return opened(partial(with_token, token=token_for(peer, credential)))
    except LoginRejected as error:
        if not connect_errors.may_be_the_token(error):
            raise
    return opened(partial(with_token, token=token_for(peer, credential, refused=True)))


def probe(peer: Peer, tls: Tls, timeouts: Timeouts, *, tries: int = 3) -> None:
    """Connects and encrypts without logging in. Raises any MailError of scope session or account."""
    with ConnectWatchdog(peer.dial, timeouts.opening_s) as watch:
        _connect_patiently(replace(peer, dial=watch.dial), tls, timeouts, tries).close_abruptly()


def _connect_patiently(peer: Peer, tls: Tls, timeouts: Timeouts, tries: int = 3) -> Client:
    patience = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(ServerUnavailable),
        stop=tenacity.stop_after_attempt(tries) | tenacity.stop_after_delay(8),
        wait=tenacity.wait_exponential_jitter(multiplier=0.2, max=2, jitter=0.3),
        reraise=True,
    )
    return patience(_connect, peer, tls, timeouts)


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
        # Before TLS it is a way to strip STARTTLS, which is illegal from then on; after, it is whose mail?
        raise connect_errors.preauthenticated(peer)
    if security is Security.TLS:
        return
    if client.has_capability("STARTTLS"):
        client.starttls_verified(tls())
    elif security is Security.STARTTLS:
        raise connect_errors.no_encryption(peer)


def _capabilities(client: Client, peer: Peer) -> frozenset[str]:
    try:
        return client.fresh_capabilities()
    except (imaplib.IMAP4.abort, OSError) as error:
        raise response_errors.lost(peer, str(error)) from error
    except imaplib.IMAP4.error as error:
        raise response_errors.violation(peer, str(error)) from error
