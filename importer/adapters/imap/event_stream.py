"""One connection as bytes out and events in, until it breaks.

Invariant: a broken connection is never used again (`usable`).
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from importer.adapters.imap import response_errors
from importer.adapters.imap.commands import chunks
from importer.adapters.imap.deflate import KnownLines, LinkSpeed
from importer.adapters.imap.fallbacks import Fallbacks
from importer.adapters.imap.fenced_sender import FencedSender
from importer.adapters.imap.imapclient_adapter import MAX_ALERTS, Client
from importer.adapters.imap.incoming_literals import NameTooLarge
from importer.adapters.imap.outstanding_commands import OutstandingCommands
from importer.adapters.imap.response_errors import Peer
from importer.adapters.imap.response_reader import ResponseReader
from importer.adapters.imap.spool import Spool, SpoolFiles
from importer.adapters.imap.stall_watchdog import StallWatchdog
from importer.adapters.imap.wire_events import Fetched, Reply, Tagged, Untagged, WireEvent
from importer.adapters.imap.wire_values import WireError
from importer.domain.messages.message_body import Body
from importer.ports.process import OwnDiskFull
from importer.ports.work_limit import WorkLimit
from providers.errors import ConnectionLost, MailError
from providers.frozen import frozen

_READ_BYTES = 128 << 10
"""Maximum size of one read: some 30 small messages."""

_GOODBYE_TIMEOUT_S = 1.0
_GOODBYE_READS = 20
"""How long a connection is read after a BYE, or for one if it broke during a write, and how often then."""


@frozen
class ConnectionContext:
    """The context of a connection, beside its server and its login.

    `max_literal_bytes` is the size of the largest message. `spool_folder` is for large ones; None: the
    system's temporary folder. `known_lines`, `stall_watchdog` and `fallbacks` are shared with other
    connections, the last with those to the same account only. The connection ends with `limit`.
    """

    max_literal_bytes: int
    known_lines: KnownLines
    stall_watchdog: StallWatchdog
    spool_folder: Path | None
    fallbacks: Fallbacks
    limit: WorkLimit


class EventStream:
    """Sends pieces of commands and receives events. The commands are noted in `commands` by who sends them;
    the stream notes their replies."""

    def __init__(
        self,
        client: Client,
        peer: Peer,
        context: ConnectionContext,
        *,
        may_compress: bool,
    ) -> None:
        self.peer = peer
        self.limit = context.limit
        self.greeting = client.greeting
        self.alerts: list[str] = client.alerts  # the server's ALERT texts (RFC 9051)
        self.usable = True
        self.waiting = False  # for bytes from the server, at this moment
        self.sending = False  # at this moment
        self.received_bytes = 0
        self._client = client
        spool = partial(Spool, SpoolFiles(context.spool_folder))
        self._reader = ResponseReader(max_literal_bytes=context.max_literal_bytes, spool=spool)
        self._events: deque[WireEvent] = deque()
        self._commands = OutstandingCommands(context.fallbacks)
        self._queued: list[bytes] = []  # commands to send before the next one
        self._known_lines = context.known_lines
        self._sender = FencedSender(client.socket())
        self._stream = LinkSpeed(client.incoming, self._sender)
        if may_compress and self._known_lines.should_measure(peer.endpoint):
            self._stream.measure(self._known_lines.rates(peer.endpoint))
        self._bye: Reply | None = None
        self._ended = False  # after a BYE
        self._cut = False
        self._stall_watchdog = context.stall_watchdog
        self._stall_watchdog.add(self)

    @property
    def completed_commands(self) -> int:
        """A number that changes whenever a command completes."""
        return self._commands.completed

    @property
    def refusals(self) -> int:
        """NO and BAD so far."""
        return self._commands.refusals

    @property
    def sent_bytes(self) -> int:
        return self._sender.sent_bytes

    def send(self, parts: Iterable[Body]) -> None:
        """Send the parts in order, holding one piece of a spooled part at a time. Raises ConnectionLost."""
        if goodbye := self._after_goodbye():
            raise goodbye
        self.sending = True
        queued, self._queued = self._queued, []
        try:
            for chunk in chunks(queued, parts):
                self._stream.sendall(chunk)
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
        """Wait for the next event. Raises ConnectionLost, also after a BYE and what comes with it, and
        ProtocolViolation."""
        while True:
            while not self._events:
                self._receive()
            event = self._events.popleft()
            # First: nearly all events are messages.
            if isinstance(event, Fetched) or not self._is_unawaited(event):
                return event

    def _is_unawaited(self, event: WireEvent) -> bool:
        """Note the facts in an event about the connection. Return whether it is a reply that no caller waits
        for."""
        if isinstance(event, Tagged):
            self._note_alert(event.reply)
            return not self._commands.complete(event)
        if isinstance(event, Untagged):
            self._note_alert(event.reply)
            if event.reply.status == "BYE":
                self._note_goodbye(event.reply)
        return False

    def _await_discarded(self) -> Iterable[WireEvent]:
        """Read until all replies that no caller waits for have arrived; yield all events."""
        while self._commands.discarded:
            while not self._events:
                self._receive()
            event = self._events.popleft()
            self._is_unawaited(event)
            yield event

    def _note_alert(self, reply: Reply) -> None:
        if reply.code == "ALERT" and len(self.alerts) < MAX_ALERTS:
            self.alerts.append(response_errors.printable(reply.text))

    def _receive(self) -> None:
        self.waiting = True
        try:
            data = b"" if self._reader.broken else self._stream.read1(_READ_BYTES)
        except (OSError, ValueError) as error:  # ValueError: the stream was closed
            raise self._after_goodbye() or self._broken(error) from error
        self.waiting = False
        self.received_bytes += len(data)
        if not data and not self._reader.broken:
            raise self._after_goodbye() or self._broken(None)
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

    def _note_goodbye(self, reply: Reply) -> None:
        """Send nothing more, and read on for a moment: some servers say BYE in front of an answer."""
        self.usable = False
        self._bye = self._bye or reply
        with contextlib.suppress(OSError, ValueError):
            self._client.socket().settimeout(_GOODBYE_TIMEOUT_S)

    def _after_goodbye(self) -> ConnectionLost | None:
        """Return the error of a connection that ends after a BYE; None if there was none."""
        if self._bye is None:
            return None
        if not self._ended:
            self._ended = True
            self._commands.note_loss(silent=False)
            self.drop()
        return self._goodbye(self._bye)

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
                        self._commands.note_loss(silent=False)
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
            self._commands.note_loss(silent=silent)
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
