"""Adapts IMAPClient for connecting, STARTTLS, login and CAPABILITY. Later commands use `connection.py`
directly.

This is the only module that uses private parts of imaplib and IMAPClient. Their public interfaces do not
offer what the invariants of `connection.py` and `login.py` require:

- `_create_IMAP4`, `_create_socket`: open the socket through a guard's `Dial`, with SNI and TCP_NODELAY.
- `_connect`, `_get_capabilities`: report a missing greeting as SilentServer, and read capabilities from the
  greeting, which saves a round trip.
- `_imap.debug`, `_log`: keep credentials out of imaplib's transcript, and large literals out of debug
  formatting.
- `_imap.literal`, `_simple_command`: AUTHENTICATE PLAIN with SASL-IR, and LOGIN with arguments quoted
  correctly or sent as a literal.
- `_imap.untagged_responses`: capabilities sent along with the login, the text of a BYE, and discarding
  responses from before TLS.
- `_get_line`, `_match`, `tagged_commands`, `welcome`: understand lines that imaplib rejects.
- `_imap.file`: detect data injected before the TLS handshake, and hand the stream to `connection.py` after
  login.
- `_imap.state`: detect PREAUTH, and mark the connection as logged in.

Verified against IMAPClient 4.1.0 and the imaplib of CPython 3.11 to 3.14. A new version of either has to pass
tests/integration/test_imap_connect.py.
"""

from __future__ import annotations

import contextlib
import imaplib
import re
import socket
import ssl
from base64 import b64encode
from collections.abc import Callable
from io import BufferedReader
from typing import Final, cast

from imapclient import IMAPClient, SocketTimeout

from importer.adapters.imap.commands import quoted
from importer.adapters.imap.wire_values import human_words
from importer.domain.planning.server_limits import MAX_LOGIN_BYTES, MAX_LOGIN_LINES, MAX_NAME_BYTES
from providers.endpoint import Endpoint
from providers.frozen import frozen

Dial = Callable[[tuple[str, int], float | None], socket.socket]
"""Opens a TCP connection to (host, port): `socket.create_connection`, or the method of a guard."""


MAX_ALERTS: Final = 5
"""Alerts of one connection that are kept."""

_MAX_STRAY_LINES: Final = 100
"""Lines of one connection, before the end of the login, that are no IMAP response and are ignored."""

_STATUS_LINE = re.compile(rb"\s*(OK|NO|BAD|BYE|PREAUTH)\b", re.IGNORECASE)
_UNTAGGED_LINE = re.compile(rb"\*\s*(?:([0-9]+)\s+)?([A-Za-z][A-Za-z-]*)(?:\s+(.*))?\Z", re.DOTALL)
_ALERT = re.compile(rb"\[ALERT\] *([^\r\n]+)", re.IGNORECASE)


class EarlyBytes(Exception):
    """The server sent data between its OK to STARTTLS and the TLS handshake (CVE-2011-0411)."""


class LoginTooLarge(imaplib.IMAP4.abort):
    """The server sent more than MAX_LOGIN_LINES or MAX_LOGIN_BYTES before the end of the login."""


def is_too_large(error: BaseException) -> bool:
    """Return whether the error is LoginTooLarge, perhaps wrapped by imaplib."""
    return isinstance(error, LoginTooLarge) or isinstance(error.__context__, LoginTooLarge)


class SilentServer(Exception):
    """The connection was accepted, but no greeting arrived in time."""


@frozen
class Timeouts:
    """`connect_s` covers name look-up to greeting, `io_s` each later wait for a read or write, `stall_s` a
    response that arrives too slowly (`stall_watchdog.py`)."""

    connect_s: float = 10.0
    io_s: float = 60.0
    stall_s: float = 300.0

    @property
    def login_deadline_s(self) -> float:
        """Time limit from the name look-up to the end of the login, however many bytes arrive."""
        return self.connect_s + 2 * self.io_s


class Client(IMAPClient):  # type: ignore[misc]  # IMAPClient has no type information
    """An IMAPClient on a socket of its own making: SNI, TCP_NODELAY, no transcript, no debugging.

    Raises what socket, ssl and imaplib raise; `connect_errors.py` translates.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        tls: ssl.SSLContext | None,
        timeouts: Timeouts,
        dial: Dial = socket.create_connection,
    ) -> None:
        """With `tls`, the connection is encrypted from its first byte on."""
        self._endpoint = endpoint
        self._dial = dial
        self._single_answer = _SingleAnswer(b"")
        timeout = SocketTimeout(timeouts.connect_s, timeouts.io_s)
        super().__init__(endpoint.host, endpoint.port, ssl=tls is not None, ssl_context=tls, timeout=timeout)
        # IMAPClient sets 5, which makes imaplib format every literal twice, even without logging: five times
        # the CPU for a message of 50 KB, three times the memory for one of 50 MB.
        self._imap.debug = 0
        # Folder names are passed as bytes: see utf7_names.py.
        self.folder_encode = False

    def _create_IMAP4(self) -> imaplib.IMAP4:  # noqa: N802  # IMAPClient's name
        return _Imap4(self._endpoint, self.ssl_context, self._timeout.connect, self._dial)

    def preauthenticated(self) -> bool:
        """Return whether the greeting was PREAUTH, which imaplib treats as a login."""
        return bool(self._imap.state == "AUTH")

    def starttls_verified(self, tls: ssl.SSLContext) -> None:
        """Run STARTTLS. Raises EarlyBytes if data arrived before the handshake, imaplib.IMAP4.error on NO."""
        # imaplib discards its read buffer unchecked and wraps the socket with the given context.
        self.starttls(cast(ssl.SSLContext, _CheckedContext(tls, self._imap)))

    @property
    def refusal(self) -> bytes:
        """The last NO or BAD, with its text, b"" if there was none."""
        return cast(bytes, self._imap.refusal)

    def login_plain(self, answer: bytes, *, wait: bool = False) -> None:
        """Run AUTHENTICATE PLAIN with the message of RFC 4616; with `wait`, send the answer after a challenge
        only. Raises imaplib.IMAP4.error, its subclass `abort` if the connection is lost.

        IMAPClient's own `plain_login` reports a lost connection as a wrong password.
        """
        answer = b64encode(answer)
        # Some servers that offer SASL-IR (RFC 4959: saves a round trip) send a challenge anyway.
        self._single_answer = _SingleAnswer(answer)
        self._imap.literal = self._single_answer.process
        initial = (answer.decode("ascii"),) if self.has_capability("SASL-IR") and not wait else ()
        self._demand_ok("AUTHENTICATE", "PLAIN", *initial)

    @property
    def cancelled(self) -> bool:
        """True if the server asked again for what `login_plain` had answered, so that it was cancelled."""
        return self._single_answer.cancelled

    def authenticate(self, mechanism: str, answer: Callable[[bytes], bytes | None]) -> None:
        """Run AUTHENTICATE (RFC 9051 section 6.2.2); raises as `login_plain` does.

        IMAPClient's own `oauth2_login` sends the token again when the server explains why it rejects it.
        """
        self._imap.authenticate(mechanism, answer)

    def login_command(self, user: str, password: str) -> None:
        """Run LOGIN with both arguments quoted; a non-ASCII password is sent as a literal, in UTF-8.

        IMAPClient's own `login` quotes only the password and fails on non-ASCII input.
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
            raise imaplib.IMAP4.error(human_words(data[-1]))
        self._imap.state = "AUTH"

    def has_capability(self, capability: str) -> bool:
        """Return whether the server offers a capability before login; with STARTTLS, after the handshake."""
        return capability in self._imap.capabilities

    def fresh_capabilities(self) -> frozenset[str]:
        """Return the capabilities after login, in upper case: sent along with the OK, else by CAPABILITY. A
        server that refuses CAPABILITY has those of before the login. Raises imaplib.IMAP4.abort."""
        sent = self._imap.untagged_responses.pop("CAPABILITY", None) or self._imap.requested_capabilities()
        return frozenset(_capability_words(sent) if sent else self._imap.capabilities)

    @property
    def greeting(self) -> str:
        """The first line of the server."""
        return human_words(bytes(self._imap.welcome))

    @property
    def alerts(self) -> list[str]:
        """The server's ALERT texts (RFC 9051 section 7.1), at most MAX_ALERTS of them."""
        return cast(list[str], self._imap.alerts)

    def bye_text(self) -> str:
        """Return the text of the server's BYE, "" if there was none. imaplib's errors do not include it."""
        texts: list[bytes | None] = self._imap.untagged_responses.get("BYE", [])
        return human_words(texts[-1] or b"") if texts else ""

    def cut(self) -> None:
        """Shut down the socket while another thread may be reading from it; never raises."""
        with contextlib.suppress(OSError):
            # Not SSLSocket.shutdown, which removes the TLS layer that the reading thread uses.
            socket.socket.shutdown(self.socket(), socket.SHUT_RDWR)

    def close_abruptly(self) -> None:
        """Close the socket without LOGOUT; never raises."""
        with contextlib.suppress(OSError, ValueError, imaplib.IMAP4.error):
            self.shutdown()

    @property
    def incoming(self) -> BufferedReader:
        """The stream that imaplib reads from. A caller that reads it has to stop at the start of a line."""
        # Never assign to the attribute: it is a property without setter since CPython 3.14.
        return cast(BufferedReader, self._imap.file)


def _capability_words(lines: list[bytes]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(b" ".join(lines).decode("latin-1").upper().split()))


class _SingleAnswer:
    """Callback for imaplib that answers the first `+`, whatever the challenge, and then cancels."""

    def __init__(self, answer: bytes) -> None:
        self._answers = [answer]
        self.cancelled = False

    def process(self, _challenge: bytes) -> bytes:
        self.cancelled = not self._answers
        return self._answers.pop() if self._answers else b"*"  # cancels (RFC 9051 section 6.2.2)


class _Imap4(imaplib.IMAP4):
    def __init__(self, endpoint: Endpoint, tls: ssl.SSLContext | None, timeout_s: float, dial: Dial) -> None:
        self._tls = tls
        self._dial = dial
        self.alerts: list[str] = []
        self.refusal = b""  # the last NO or BAD, with its text
        self._stray_lines = 0
        self._login_lines = 0
        self._login_bytes = 0
        self._in_literal = False
        self.welcome = b""  # until the greeting
        super().__init__(endpoint.host, endpoint.port, timeout_s)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        plain = self._dial((self.host, self.port), timeout)
        # Otherwise Nagle's algorithm and delayed ACKs cost up to 40 ms per command with some servers.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is None:
            return plain
        try:
            return self._tls.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise

    def _connect(self) -> None:
        """Read the greeting and the first capabilities."""
        try:
            super()._connect()  # type: ignore[misc]  # typeshed leaves it out
        except TimeoutError:
            raise SilentServer from None

    def _get_capabilities(self) -> None:
        """Use the capabilities of the greeting, if it has any. After STARTTLS they are requested again.

        A server that refuses the command, or that names no version that imaplib knows, counts as IMAP4rev1,
        which IMAP4rev2 includes as far as it is used here.
        """
        sent = self.untagged_responses.pop("CAPABILITY", None) or self.requested_capabilities()
        words = _capability_words(cast(list[bytes], sent))
        self.capabilities = words if "IMAP4REV1" in words else (*words, "IMAP4REV1")

    def requested_capabilities(self) -> list[bytes]:
        """Return the responses to CAPABILITY, none if the server refuses it. Raises imaplib.IMAP4.abort."""
        self.untagged_responses.pop("CAPABILITY", None)
        try:
            _, lines = self.capability()
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error:
            return []
        return [line for line in lines if isinstance(line, bytes)]

    def read(self, size: int) -> bytes:
        """Read a literal; the rest of its line follows."""
        if size > MAX_NAME_BYTES:
            raise LoginTooLarge
        self._in_literal = True
        return super().read(size)

    def _get_line(self) -> bytes:
        """Return the next line in the form that imaplib requires. Lines that are no response are skipped."""
        while True:
            line = self.readline()
            self._login_lines += 1
            self._login_bytes += len(line)
            if self._login_lines > MAX_LOGIN_LINES or self._login_bytes > MAX_LOGIN_BYTES:
                raise LoginTooLarge
            if not line:
                raise self.abort("socket error: EOF")
            if not line.endswith(b"\n"):
                raise self.abort(f"socket error: unterminated line: {line[:60]!r}")
            line = line.rstrip(b"\r\n")
            if self._in_literal:
                self._in_literal = False
                return line
            alert = _ALERT.search(line)
            if alert and len(self.alerts) < MAX_ALERTS:
                self.alerts.append(human_words(alert[1])[:1000])
            if understood := self._understood(line):
                return understood
            self._stray_lines += 1
            if self._stray_lines > _MAX_STRAY_LINES:
                raise self.abort(f"unexpected response: {line[:60]!r}")

    def _understood(self, line: bytes) -> bytes:
        """Return the line as RFC 9051 would have it, b"" if it is no response.

        Tolerated: missing or several blanks after `*`, lower-case tags and status words, a reply without
        text. Before the greeting, only empty lines are skipped, and a status word may lack its `*`.
        """
        if line.startswith(b"+") and self.welcome:
            return line
        if untagged := _UNTAGGED_LINE.match(line):
            number, name, rest = untagged.groups()
            parts = (b"*", number, name.upper(), rest)
            return b" ".join(part for part in parts if part is not None)
        if not self.welcome:
            if line.strip() and not _STATUS_LINE.match(line):
                raise self.error(line)
            return b"* " + line.lstrip() if line.strip() else b""
        tag, _, rest = line.partition(b" ")
        tag = tag if tag in self.tagged_commands else tag.upper()
        if self.tagged_commands.get(tag, b"") is not None or not (status := _STATUS_LINE.match(rest)):
            return b""  # also a second reply to the same command
        if status[1].upper() != b"OK":
            self.refusal = rest
        return b" ".join((tag, status[1].upper(), rest[status.end() :].lstrip()))

    def _log(self, line: str) -> None:
        """Discard the line: imaplib keeps its last ten commands for a transcript, including LOGIN."""


class _CheckedContext:
    """Replaces the SSLContext in imaplib's `starttls` and checks for early data."""

    def __init__(self, tls: ssl.SSLContext, imap: imaplib.IMAP4) -> None:
        self._tls = tls
        self._imap = imap

    def wrap_socket(self, plain: socket.socket, server_hostname: str) -> ssl.SSLSocket:
        timeout = plain.gettimeout()
        plain.settimeout(0)
        early = cast(BufferedReader, self._imap.file).peek(1)  # in the stream's buffer or in the kernel's
        plain.settimeout(timeout)
        if early:
            raise EarlyBytes
        self._imap.untagged_responses.clear()  # responses from before TLS may be forged
        return self._tls.wrap_socket(plain, server_hostname=server_hostname)
