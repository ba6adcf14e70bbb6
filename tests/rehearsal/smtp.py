"""A real SMTP server on loopback that stores received mails and injects faults on demand."""

from __future__ import annotations

import email.policy
import socket
import threading
from asyncio import BaseTransport, Server, Transport
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.rehearsal.ports import PATIENCE_S

HOST = "127.0.0.1"


@dataclass(frozen=True)
class CaughtMail:
    """One accepted mail with the recipients of its envelope."""

    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage


@dataclass
class SmtpFaults:
    """Faults to inject. Counters are decremented with each fault."""

    drop_connections: int = 0  # closed before the greeting
    defer_recipients: int = 0  # 451 to RCPT
    defer_data: int = 0  # 451 after the mail was sent; not stored
    drop_at_data: int = 0  # closed instead of 354: the client knows that the mail was not accepted
    drop_unaccepted: int = 0  # closed after the whole mail was sent; not stored, the client cannot know
    drop_accepted: int = 0  # closed after the whole mail was sent; stored, the client cannot know
    refuse_recipients: set[str] = field(default_factory=set)  # permanent 550 to RCPT

    def strikes(self, counter: str) -> bool:
        """Whether the fault applies now: decrement the counter if it is above zero."""
        remaining: int = getattr(self, counter)
        if remaining > 0:
            setattr(self, counter, remaining - 1)
        return remaining > 0


class SmtpCatcher:
    """A running server. Its thread appends to `messages` in the order of acceptance."""

    def __init__(self) -> None:
        self.messages: list[CaughtMail] = []
        self.faults = SmtpFaults()
        self.connections = 0
        self._arrived = threading.Condition()
        self._controller = _Controller(self)
        self._controller.start()
        self.connections = 0
        self.port = self._controller.port
        self.url = f"smtp://localhost:{self.port}"

    def wait_for(self, count: int, *, timeout_s: float = PATIENCE_S) -> list[CaughtMail]:
        """Wait for at least `count` messages. Raises TimeoutError with the actual number."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self.messages) >= count, timeout_s):
                raise TimeoutError(f"{len(self.messages)} of {count} mails arrived in {timeout_s} s")
            return list(self.messages)

    def to(self, recipient: str) -> list[CaughtMail]:
        """The mails with that recipient in the envelope."""
        return [mail for mail in list(self.messages) if recipient in mail.recipients]

    def clear(self) -> None:
        """Clear mails, faults and the count of connections."""
        self.messages.clear()
        self.faults = SmtpFaults()
        self.connections = 0

    def stop(self) -> None:
        """Stop the server, if running. Connections are refused from then on."""
        self._controller.stop(no_assert=True)

    def keep(self, envelope: Envelope) -> None:
        """Add an accepted mail."""
        content = envelope.content
        raw = content.encode() if isinstance(content, str) else content or b""
        message = message_from_bytes(raw, _class=EmailMessage, policy=email.policy.default)
        mail = CaughtMail(envelope.mail_from or "", tuple(envelope.rcpt_tos), message)
        with self._arrived:
            self.messages.append(mail)
            self._arrived.notify_all()


class _Handler:
    """aiosmtpd's hooks, called at RCPT and after the mail was sent."""

    def __init__(self, catcher: SmtpCatcher) -> None:
        self._catcher = catcher

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        faults = self._catcher.faults
        if address in faults.refuse_recipients:
            return "550 5.1.1 No such mailbox here"
        if faults.strikes("defer_recipients"):
            return "451 4.2.0 Mailbox busy, try again later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        faults = self._catcher.faults
        if faults.strikes("defer_data"):
            return "451 4.3.0 Try again later"
        if faults.strikes("drop_unaccepted"):
            _drop(server)
            return "451 4.3.0 Never heard"
        self._catcher.keep(envelope)
        if faults.strikes("drop_accepted"):
            _drop(server)
        return "250 2.0.0 Kept"


class _Smtp(SMTP):
    """Faults at the two events without a hook: the connection and the DATA command."""

    def __init__(self, handler: _Handler, catcher: SmtpCatcher, **parameters: Any) -> None:
        super().__init__(handler, **parameters)
        self._catcher = catcher

    def connection_made(self, transport: BaseTransport) -> None:
        self._catcher.connections += 1
        super().connection_made(transport)
        if self._catcher.faults.strikes("drop_connections"):
            _drop(self)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        if self._catcher.faults.strikes("drop_at_data"):
            _drop(self)
            return
        await super().smtp_DATA(arg)


def _drop(server: SMTP) -> None:
    if isinstance(server.transport, Transport):
        server.transport.abort()


class _Controller(Controller):
    """Binds port 0 and learns the port from the kernel."""

    def __init__(self, catcher: SmtpCatcher) -> None:
        self._catcher = catcher
        super().__init__(_Handler(catcher), hostname=HOST, port=0, ready_timeout=PATIENCE_S)

    def factory(self) -> SMTP:
        return _Smtp(self.handler, self._catcher, **self.SMTP_kwargs)

    def _trigger_server(self) -> None:
        """Read the greeting, so that the probe is no connection of the test. aiosmtpd waits for a second."""
        if isinstance(self.server, Server):
            self.port = self.server.sockets[0].getsockname()[1]
        with socket.create_connection((HOST, self.port), PATIENCE_S) as probe:
            probe.recv(1024)


@contextmanager
def smtp_catcher() -> Iterator[SmtpCatcher]:
    """Run an SMTP server on a free loopback port. It is stopped at exit."""
    catcher = SmtpCatcher()
    try:
        yield catcher
    finally:
        catcher.stop()
