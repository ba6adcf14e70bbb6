"""The server of the imitations: sockets, TLS, users and scripted responses."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from importer.domain.model import Account
from providers.endpoint import Endpoint, Security
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.imitations.mailbox import Mailbox
from tests.rehearsal.imitations.talk import Dialect, Talk
from tests.rehearsal.ports import HOST

TokenChecker = Callable[[str, str], bool]
"""Whether an access token (second argument) opens the mailbox of a user name (first argument)."""


@dataclass(slots=True)
class Line:
    """A scripted response: `text` follows the tag, and `closes`, if given, is sent with BYE after it."""

    command: str
    text: str
    times: int
    skips: int = 0
    closes: str = ""


class Imitation:
    """A running server on localhost, with the interface of `Dovecot`.

    `bodies` counts how often the content of each message was sent, by letter number. `commands` holds the
    names of all commands so far, prefixed with UID for UID commands.
    """

    def __init__(
        self,
        dialect: Dialect,
        ca: CertificateAuthority,
        accepts_token: TokenChecker | None = None,
        certificate_for: str = "",
    ) -> None:
        self.dialect = dialect
        self.ca_file = ca.ca_file
        self.accepts_token = accepts_token
        self.lock = threading.RLock()
        self.bodies: Counter[int] = Counter()
        self.commands: Counter[str] = Counter()
        self.talks: set[Talk] = set()
        self._passwords: dict[str, str] = {}
        self._mailboxes: dict[str, Mailbox] = {}
        self._lines: deque[Line] = deque()
        self._greetings: deque[str] = deque()
        self.connected_at: list[float] = []  # `time.monotonic`, including rejected connections
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(*ca.issue(*filter(None, [certificate_for])))
        self._listener = socket.create_server((HOST, 0), backlog=50)
        self.imaps = Endpoint("localhost", int(self._listener.getsockname()[1]), Security.TLS)
        self.starttls = self.imaps  # none of the three offers STARTTLS to clients that support implicit TLS
        threading.Thread(target=self._accept, daemon=True, name=f"{dialect.name}-accept").start()

    def add_user(self, name: str, password: str) -> None:
        """Add the user with an empty mailbox, or change the password."""
        self._passwords[name] = password
        if name not in self._mailboxes:
            self._mailboxes[name] = self.dialect.new_mailbox()

    def share_user(self, name: str, other: Imitation) -> None:
        """Add the user with the password and the mailbox of that user on `other`."""
        self._passwords[name] = other._passwords[name]
        self._mailboxes[name] = other._mailboxes[name]

    def account(self, name: str) -> Account:
        return Account(name if "@" in name else f"{name}@localhost", name, self.imaps)

    def mailbox(self, name: str) -> Mailbox:
        return self._mailboxes[name]

    def admits(self, name: str, password: str) -> bool:
        return self._passwords.get(name) == password

    def says(self, command: str, text: str, *, times: int = 1, skips: int = 0, closes: str = "") -> None:
        """Respond with `text` ("NO [OVERQUOTA] full") to the next `times` commands of that name, after
        `skips` of them. The commands are not executed, unless `text` is an OK, which then ends the normal
        response. If `closes` is given, the connection is closed with a BYE and that text."""
        with self.lock:
            self._lines.append(Line(command, text, times, skips, closes))

    def turns_away(self, text: str, *, times: int = 1) -> None:
        """Greet the next `times` connections with `text` ("BYE Too many connections") and close them."""
        with self.lock:
            self._greetings.extend([text] * times)

    def line_for(self, command: str) -> Line | None:
        for line in self._lines:
            if line.command == command and line.times:
                if line.skips:
                    line.skips -= 1
                    return None
                line.times -= 1
                return line
        return None

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for talk in list(self.talks):
            talk.close_abruptly()

    kill = stop

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            secure = self._tls.wrap_socket(client, server_side=True)
            with self.lock:
                self.connected_at.append(time.monotonic())
                refusal = self._greetings.popleft() if self._greetings else None
            if refusal is not None:
                secure.sendall(f"* {refusal}\r\n".encode())
                secure.close()
                return
            talk = Talk(self, secure)
            self.talks.add(talk)
            try:
                talk.run()
            finally:
                self.talks.discard(talk)
                talk.close_abruptly()


@contextmanager
def imitation(
    dialect: Dialect,
    root: Path,
    ca: CertificateAuthority | None = None,
    accepts_token: TokenChecker | None = None,
    certificate_for: str = "",
) -> Iterator[Imitation]:
    """Run a server. It is stopped at exit. Without `ca`, a new authority is created in `root`.
    `certificate_for` is the name in its certificate; "" for the names of this machine."""
    authority = ca or CertificateAuthority(root / "ca")
    server = Imitation(dialect, authority, accepts_token, certificate_for)
    try:
        yield server
    finally:
        server.stop()
