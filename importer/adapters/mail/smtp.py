"""Sends mails to an SMTP server (RFC 5321) and determines the exact outcome of each.

Invariants:
- Before the final dot the server has not accepted the mail: earlier failures are RETRY or REFUSED.
- Between the dot and the server's reply the outcome is unknown: a connection lost then is UNKNOWN, and the
  mail is never sent again. The timeout for that reply is therefore long (RFC 5321 section 4.5.3.2.6 asks for
  ten minutes).
- REFUSED is used only for problems of the recipient or the mail. Problems that an operator can fix (login,
  sender address, certificate, encryption) are RETRY, since the mail itself is valid.
"""

from __future__ import annotations

import base64
import re
import smtplib
import ssl
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from importer.adapters.certificate_end import certificate_end
from importer.adapters.mail.addresses import mailbox, sender_mailbox
from importer.adapters.mail.mime_message import Envelope, wire_message
from importer.adapters.mail.smtp_url import MailServer, Protection
from importer.domain.planning.retry_limits import SMTP_CONNECT_ATTEMPTS
from importer.domain.reporting.formatting import printable
from importer.i18n.code_texts import render_with_advice
from importer.i18n.translations import texts
from importer.ports.notices import MailOutcome, Notice
from providers.endpoint import Secret
from providers.frozen import frozen
from providers.text import Text

# At any step, these concern the client and not the mail (RFC 4954 section 6, RFC 3207 section 4).
_ABOUT_CLIENT: Final = frozenset({454, 530, 534, 535, 538})
_LOG_WORDS: Final = texts("en")
_LEADING_DOT: Final = re.compile(rb"^\.", re.MULTILINE)


class SmtpMailer:
    """Implements `Mailer`: sends one notice per connection through the server of `url` (`MailServer.parse`).

    `sender` is an address, optionally with a display name; it is used in From and in the envelope. `ca_file`
    is trusted in addition to the system's authorities. `timeout_s` bounds each step, `answer_timeout_s` the
    wait for the reply to a complete mail. Connect, EHLO, STARTTLS and AUTH are attempted three times, with
    random waits of up to `connect_wait_s`, twice that, and so on. Raises ValueError for an invalid URL or
    sender, OSError for an unreadable `ca_file`.
    """

    def __init__(
        self,
        url: str,
        sender: str,
        notice_key: bytes,
        ca_file: Path | None = None,
        timeout_s: float = 30.0,
        *,
        answer_timeout_s: float = 300.0,
        connect_wait_s: float = 1.0,
    ) -> None:
        self._server = MailServer.parse(url)
        self._sender = sender_mailbox(sender)
        self._key = notice_key
        self._timeout_s = timeout_s
        self._answer_timeout_s = answer_timeout_s
        self._tls = ssl.create_default_context()
        if ca_file is not None:
            self._tls.load_verify_locations(ca_file)
        if self._server.opportunistic and self._server.is_loopback:
            # Only this machine can answer on loopback. Local servers often have a certificate for another
            # name, and refusing it would only make operators switch encryption off.
            self._tls.check_hostname = False
            self._tls.verify_mode = ssl.CERT_NONE
        self._connecting = Retrying(
            retry=retry_if_exception_type(_TryAgain),
            stop=stop_after_attempt(SMTP_CONNECT_ATTEMPTS),
            wait=wait_random_exponential(multiplier=connect_wait_s, max=8 * connect_wait_s),
            reraise=True,
        )

    def __repr__(self) -> str:
        return f"SmtpMailer({self._server})"

    @property
    def address(self) -> str:
        """HOST:PORT of the server."""
        return str(self._server)

    def send(self, notice: Notice) -> tuple[MailOutcome, str]:
        """One attempt. Returns the outcome and a line about it without passwords. Never raises."""
        try:
            envelope = Envelope(self._sender, mailbox(notice.recipient))
            data = wire_message(notice, envelope, self._key)
        except ValueError as error:
            return MailOutcome.REFUSED, f"The mail cannot be written: {printable(str(error))}."
        try:
            connection = self._connecting(self._connect)
        except _CannotStart as error:
            return MailOutcome.RETRY, render_with_advice(error.text, _LOG_WORDS)
        try:
            result = self._transmit(connection, envelope, data)
        except (OSError, smtplib.SMTPException):
            return (
                MailOutcome.RETRY,
                f"The connection to {self._server} was lost before the mail was transmitted.",
            )
        finally:
            _quit(connection)
        return result.outcome, result.text

    def check(self) -> Text | None:
        """Connects, encrypts and logs in as for a mail. Returns the problem, if any. Never raises."""
        try:
            _quit(self._connecting(self._connect))
        except _CannotStart as error:
            return error.text
        return None

    def certificate_end(self) -> datetime | None:
        """Connects and encrypts as for a mail. Returns when the server's certificate expires, None if it is
        not verified. Raises ConnectionError."""
        try:
            connection = self._connecting(self._connect)
        except _CannotStart as error:
            raise ConnectionError(str(error)) from None
        try:
            return certificate_end(connection.sock)
        finally:
            _quit(connection)

    def _connect(self) -> smtplib.SMTP:
        """A connection that is ready for MAIL. Raises _TryAgain or _CannotStart."""
        server = self._server
        connection: smtplib.SMTP | None = None
        try:
            if server.protection is Protection.TLS:
                connection = smtplib.SMTP_SSL(
                    server.host, server.port, timeout=self._timeout_s, context=self._tls
                )
            else:
                connection = smtplib.SMTP(server.host, server.port, timeout=self._timeout_s)
            self._handshake(connection)
        except ssl.SSLCertVerificationError as error:
            _quit(connection)
            raise _CannotStart(
                Text("doctor.mail_unusable.certificate", server=str(server), reason=error.verify_message)
            ) from None
        except _CannotStart:
            _quit(connection)
            raise
        except (OSError, smtplib.SMTPException, UnicodeError) as error:
            # UnicodeError: host names that cannot be encoded in a DNS query.
            _quit(connection)
            raise _unreachable(server, error) from None
        return connection

    def _handshake(self, connection: smtplib.SMTP) -> None:
        """EHLO, STARTTLS and AUTH."""
        server = self._server
        connection.ehlo_or_helo_if_needed()
        if server.protection is Protection.STARTTLS:
            if connection.has_extn("starttls"):
                code, reply = connection.starttls(context=self._tls)
                if code != 220:
                    kind = _TryAgain if 400 <= code <= 499 else _CannotStart
                    raise kind(
                        Text(
                            "doctor.mail_unusable.starttls_refused",
                            server=str(server),
                            reply=f"{code} {_readable(reply)}",
                        )
                    )
                connection.ehlo_or_helo_if_needed()
            elif not server.opportunistic:
                raise _CannotStart(Text("doctor.mail_unusable.starttls_missing", server=str(server)))
            elif server.password is not None and not server.is_loopback:
                raise _CannotStart(Text("doctor.mail_unusable.no_encryption", server=str(server)))
        if server.password is not None:
            _log_in(connection, server, server.user, server.password)

    def _transmit(self, connection: smtplib.SMTP, envelope: Envelope, data: bytes) -> _Result:
        """MAIL, RCPT, DATA. Raises OSError or SMTPException only if the mail was certainly not sent."""
        options = [f"SIZE={len(data)}"] if connection.has_extn("size") else []
        if envelope.needs_utf8:
            if not connection.has_extn("smtputf8"):
                return _Result(
                    MailOutcome.REFUSED,
                    f"{self._server} does not support the characters of this address (SMTPUTF8).",
                )
            options += ["SMTPUTF8", "BODY=8BITMIME"]
        code, reply = connection.mail(envelope.sender.addr_spec, options)
        if code != 250:
            # 552: too large for this server (RFC 1870). Other refusals here are about the sender address.
            return _result(MailOutcome.REFUSED if code == 552 else MailOutcome.RETRY, code, reply)
        code, reply = connection.rcpt(envelope.recipient.addr_spec)
        if code not in (250, 251):
            return _result(_before_the_dot(code), code, reply)
        code, reply = connection.docmd("DATA")
        if code != 354:
            return _result(_before_the_dot(code), code, reply)
        connection.send(_LEADING_DOT.sub(b"..", data))
        if connection.sock is not None:
            connection.sock.settimeout(self._answer_timeout_s)
        # Raises only if the dot or its line end was not sent, so the server has no complete mail.
        connection.send(b".\r\n")
        try:
            code, reply = connection.getreply()
        except (OSError, smtplib.SMTPException):
            return _Result(
                MailOutcome.UNKNOWN,
                f"The connection to {self._server} was lost while it was accepting the mail.",
            )
        return _result(_after_the_dot(code), code, reply)


class _CannotStart(Exception):
    """No connection is available, and an immediate retry is pointless."""

    def __init__(self, text: Text) -> None:
        super().__init__(str(text))
        self.text = text


class _TryAgain(_CannotStart):
    """No connection is available, but an immediate retry may succeed."""


@frozen
class _Result:
    outcome: MailOutcome
    text: str


def _result(outcome: MailOutcome, code: int, reply: bytes) -> _Result:
    return _Result(outcome, f"{code} {_readable(reply)}")


def _before_the_dot(code: int) -> MailOutcome:
    return MailOutcome.REFUSED if 500 <= code <= 599 and code not in _ABOUT_CLIENT else MailOutcome.RETRY


def _after_the_dot(code: int) -> MailOutcome:
    if 200 <= code <= 299:
        return MailOutcome.SENT
    # After an invalid reply (-1, or 1xx to 3xx) the outcome is unknown.
    return _before_the_dot(code) if 400 <= code <= 599 else MailOutcome.UNKNOWN


def _log_in(connection: smtplib.SMTP, server: MailServer, user: str, password: Secret) -> None:
    """AUTH PLAIN (RFC 4616), else LOGIN, in UTF-8, which smtplib's `login` does not support."""
    offered = str(connection.esmtp_features.get("auth", "")).upper().split()
    user_bytes, password_bytes = user.encode(), password.reveal().encode()
    if "PLAIN" in offered:
        response = _base64(b"\0" + user_bytes + b"\0" + password_bytes)
        code = _reply_code(connection, "AUTH", f"PLAIN {response}")
    elif "LOGIN" in offered:
        code = _reply_code(connection, "AUTH", "LOGIN")
        for part in (user_bytes, password_bytes):
            if code == 334:
                code = _reply_code(connection, _base64(part))
    else:
        raise _CannotStart(Text("doctor.mail_unusable.login_mechanism", server=str(server)))
    if code != 235:
        kind = _TryAgain if 400 <= code <= 499 else _CannotStart
        raise kind(Text("doctor.mail_unusable.login_refused", server=str(server), reply=str(code)))


def _reply_code(connection: smtplib.SMTP, command: str, argument: str = "") -> int:
    """The reply's text is dropped: some servers echo the command, which contains the password."""
    return connection.docmd(command, argument)[0]


def _unreachable(server: MailServer, error: Exception) -> _TryAgain:
    match error:
        case smtplib.SMTPResponseException(smtp_code=code, smtp_error=reply):
            reason = f"{code} {printable(reply) if isinstance(reply, str) else _readable(reply)}"
        case TimeoutError():
            return _TryAgain(Text("doctor.mail_unusable.unreachable.silent", server=str(server)))
        case OSError(strerror=str(reason)):
            pass
        case _:
            return _TryAgain(Text("doctor.mail_unusable.unreachable.closed", server=str(server)))
    return _TryAgain(Text("doctor.mail_unusable.unreachable", server=str(server), reason=reason))


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _readable(reply: bytes) -> str:
    return printable(reply.decode("utf-8", "replace"))


def _quit(connection: smtplib.SMTP | None) -> None:
    """Sends QUIT if still connected and closes the connection. Errors are ignored: the outcome of the mail is
    already known."""
    if connection is None:
        return
    with suppress(OSError, smtplib.SMTPException):
        if connection.sock is not None:
            connection.sock.settimeout(2)
            connection.quit()
    connection.close()
