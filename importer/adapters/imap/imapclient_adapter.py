"""IMAPClient as we need it. Every touch of what imaplib and IMAPClient call private is in this module.

Read against IMAPClient 4.1.0 and the imaplib of CPython 3.11 to 3.14; a new version of either has to
pass tests/integration/test_imap_connect.py.
"""

from __future__ import annotations

import contextlib
import imaplib
import socket
import ssl
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from io import BufferedReader
from typing import cast

from imapclient import IMAPClient, SocketTimeout

from importer.adapters.imap.commands import quoted
from providers.endpoint import Endpoint

Dial = Callable[[tuple[str, int], float | None], socket.socket]
"""How a TCP connection to (host, port) is opened: `socket.create_connection`, or a guard's."""


class EarlyBytes(Exception):
    """The server sent something between its OK to STARTTLS and the handshake (CVE-2011-0411)."""


class SilentServer(Exception):
    """Something took the connection and did not greet in time."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """`connect_s` for name look-up to greeting, `io_s` for each later wait for bytes to come or go, `drip_s`
    for an answer that comes, but hardly (`drip_watch`)."""

    connect_s: float = 10.0
    io_s: float = 60.0
    drip_s: float = 300.0

    @property
    def opening_s(self) -> float:
        """From the first look-up until somebody is logged in, however many bytes come meanwhile."""
        return self.connect_s + 2 * self.io_s


class Client(IMAPClient):  # type: ignore[misc]  # IMAPClient has no type information
    """An IMAPClient on our own socket: SNI, TCP_NODELAY, no transcript, no debugging.

    Raises what socket, ssl and imaplib raise; `errors.py` translates.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        tls: ssl.SSLContext | None,
        timeouts: Timeouts,
        dial: Dial = socket.create_connection,
    ) -> None:
        """With `tls` the connection is encrypted from its first byte on."""
        self._endpoint = endpoint
        self._dial = dial
        timeout = SocketTimeout(timeouts.connect_s, timeouts.io_s)
        super().__init__(endpoint.host, endpoint.port, ssl=tls is not None, ssl_context=tls, timeout=timeout)
        # IMAPClient sets 5 and lets imaplib format every literal twice, logging or not: five times the
        # CPU for a message of 50 KB, three times the memory for one of 50 MB.
        self._imap.debug = 0
        # Answers are asked for in bytes and names are given in bytes: see names.py.
        self.folder_encode = False

    def _create_IMAP4(self) -> imaplib.IMAP4:  # noqa: N802  # IMAPClient's name
        return _Imap4(self._endpoint, self.ssl_context, self._timeout.connect, self._dial)

    def preauthenticated(self) -> bool:
        """True when the greeting was PREAUTH; imaplib takes that for a login."""
        return bool(self._imap.state == "AUTH")

    def starttls_verified(self, tls: ssl.SSLContext) -> None:
        """STARTTLS; raises EarlyBytes when anything came before the handshake, imaplib.IMAP4.error on NO."""
        # imaplib wraps the socket with whatever context it is given and drops its read buffer unseen.
        self.starttls(cast(ssl.SSLContext, _CheckedContext(tls, self._imap)))

    def login_plain(self, answer: bytes) -> None:
        """AUTHENTICATE PLAIN with what RFC 4616 puts together. Raises imaplib.IMAP4.error, its `abort` when
        cut off.

        IMAPClient's own `plain_login` makes a lost connection look like a wrong password.
        """
        answer = b64encode(answer)
        # Some servers that offer SASL-IR (RFC 4959: a round trip less) ask for the answer all the same.
        self._imap.literal = _OneAnswer(answer).process
        initial = (answer.decode("ascii"),) if self.has_capability("SASL-IR") else ()
        self._demand_ok("AUTHENTICATE", "PLAIN", *initial)

    def authenticate(self, mechanism: str, answer: Callable[[bytes], bytes | None]) -> None:
        """AUTHENTICATE (RFC 9051 section 6.2.2); raises as `login_plain` does.

        IMAPClient's own `oauth2_login` sends the token again when the server says why it does not take it.
        """
        self._imap.authenticate(mechanism, answer)

    def login_command(self, user: str, password: str) -> None:
        """LOGIN with both properly quoted; a password that is not ASCII goes as a literal, in UTF-8.

        IMAPClient's own `login` quotes only the password and fails on what is not ASCII.
        Raises imaplib.IMAP4.error.
        """
        arguments = [quoted(user.encode())]
        if password.isascii():
            arguments.append(quoted(password.encode()))
        else:
            self._imap.literal = password.encode()  # imaplib appends {n} and sends it after the "+"
        self._demand_ok("LOGIN", *arguments)

    def _demand_ok(self, command: str, *arguments: bytes | str) -> None:
        status, data = self._imap._simple_command(command, *arguments)
        if status != "OK":
            raise imaplib.IMAP4.error(data[-1].decode("utf-8", "replace"))
        self._imap.state = "AUTH"

    def has_capability(self, capability: str) -> bool:
        """Before login: by what the server said in its greeting or when asked, since TLS if there is TLS."""
        return capability in self._imap.capabilities

    def fresh_capabilities(self) -> frozenset[str]:
        """What the server offers after login, upper case: as it said along with its OK, else it is asked."""
        told = self._imap.untagged_responses.pop("CAPABILITY", None)
        words: bytes = told[-1] if told else b" ".join(self._do_capabilites())
        return frozenset(words.decode("latin-1").upper().split())

    def last_words(self) -> str:
        """What the server said with its BYE, "" if it said none; imaplib tells only of the dead line."""
        said: list[bytes | None] = self._imap.untagged_responses.get("BYE", [])
        return (said[-1] or b"").decode("utf-8", "replace") if said else ""

    def cut(self) -> None:
        """Ends the connection while another thread may be waiting for it; never raises."""
        with contextlib.suppress(OSError):
            # Not the method of an SSLSocket, which takes TLS away from under whoever reads.
            socket.socket.shutdown(self.socket(), socket.SHUT_RDWR)

    def close_abruptly(self) -> None:
        """Closes the socket without a word; never raises."""
        with contextlib.suppress(OSError, ValueError, imaplib.IMAP4.error):
            self.shutdown()

    @property
    def incoming(self) -> BufferedReader:
        """The stream that imaplib reads from. Whoever reads it leaves it at the start of a line."""
        # Only ever read from the attribute: it is a property without setter since CPython 3.14.
        return cast(BufferedReader, self._imap.file)


class _OneAnswer:
    """What imaplib asks for the answer to each `+`: the same whatever the challenge says, and only once."""

    def __init__(self, answer: bytes) -> None:
        self._answers = [answer]

    def process(self, _challenge: bytes) -> bytes:
        return self._answers.pop() if self._answers else b"*"  # gives up (RFC 9051 section 6.2.2)


class _Imap4(imaplib.IMAP4):
    def __init__(self, endpoint: Endpoint, tls: ssl.SSLContext | None, timeout_s: float, dial: Dial) -> None:
        self._tls = tls
        self._dial = dial
        super().__init__(endpoint.host, endpoint.port, timeout_s)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        plain = self._dial((self.host, self.port), timeout)
        # Without it Nagle's algorithm and delayed ACKs cost up to 40 ms per command with some servers.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is None:
            return plain
        try:
            return self._tls.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise

    def _connect(self) -> None:
        """Reads the greeting and the first capabilities."""
        try:
            super()._connect()  # type: ignore[misc]  # typeshed leaves it out
        except TimeoutError:
            raise SilentServer from None

    def _get_capabilities(self) -> None:
        """Those of the greeting, where it tells them; asked for after STARTTLS, when no greeting counts."""
        told = self.untagged_responses.pop("CAPABILITY", None)
        if told:
            words = cast(bytes, told[-1])
            self.capabilities = tuple(words.decode("latin-1").upper().split())
        else:
            super()._get_capabilities()  # type: ignore[misc]  # typeshed leaves it out

    def _log(self, line: str) -> None:
        """imaplib keeps its last ten commands for a transcript, the LOGIN line among them."""


class _CheckedContext:
    """Stands in for an SSLContext in imaplib's `starttls`."""

    def __init__(self, tls: ssl.SSLContext, imap: imaplib.IMAP4) -> None:
        self._tls = tls
        self._imap = imap

    def wrap_socket(self, plain: socket.socket, server_hostname: str) -> ssl.SSLSocket:
        timeout = plain.gettimeout()
        plain.settimeout(0)
        early = cast(BufferedReader, self._imap.file).peek(1)  # in the buffer, or in the kernel's
        plain.settimeout(timeout)
        if early:
            raise EarlyBytes
        self._imap.untagged_responses.clear()  # what was told before TLS, anybody may have told
        return self._tls.wrap_socket(plain, server_hostname=server_hostname)
