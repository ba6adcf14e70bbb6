"""Hands mails to an SMTP server (RFC 5321), and knows exactly what became of each.

Invariants:
- Up to the final dot the server has not got the mail: whatever fails before it is RETRY or REFUSED.
- From the dot to the server's answer nobody knows: a connection lost there is UNKNOWN, and such a mail
  is never sent again. So the wait for that answer is long (RFC 5321 section 4.5.3.2.6 asks for ten minutes).
- REFUSED is said only of the recipient and of the mail. What an operator can mend (login, sender address,
  certificate, encryption) is RETRY: the mail is still good.
"""

from __future__ import annotations

import base64
import re
import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from importer.adapters.mail.addresses import mailbox, sender_mailbox
from importer.adapters.mail.mime_message import Envelope, wire_message
from importer.adapters.mail.smtp_url import MailServer, Protection
from importer.domain.reporting.formatting import printable
from importer.ports.notices import MailOutcome, Notice
from providers.endpoint import Secret

_CONNECT_ATTEMPTS: Final = 3
# Said at any step, these speak of us and not of the mail (RFC 4954 section 6, RFC 3207 section 4).
_ABOUT_US: Final = frozenset({454, 530, 534, 535, 538})
_LEADING_DOT: Final = re.compile(rb"^\.", re.MULTILINE)


class SmtpMailer:
    """Sends one notice per connection through the server that `url` names (see `MailServer.parse`).

    `sender` is an address, with or without a name before it; it stands in From and in the envelope.
    `ca_file` is trusted besides the system's authorities. `timeout_s` bounds each step, and
    `answer_timeout_s` the wait for the answer to a whole mail. Connect, EHLO, STARTTLS and AUTH are tried
    three times, with random waits of up to `connect_wait_s`, twice that, and so on. Raises ValueError for
    a bad URL or sender, OSError for an unreadable `ca_file`.
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
            # Whoever can answer on loopback is this machine already; local servers often carry a
            # certificate for another name, and stopping would only push people to plaintext.
            self._tls.check_hostname = False
            self._tls.verify_mode = ssl.CERT_NONE
        self._connecting = Retrying(
            retry=retry_if_exception_type(_TryAgain),
            stop=stop_after_attempt(_CONNECT_ATTEMPTS),
            wait=wait_random_exponential(multiplier=connect_wait_s, max=8 * connect_wait_s),
            reraise=True,
        )

    def __repr__(self) -> str:
        return f"SmtpMailer({self._server})"

    def send(self, notice: Notice) -> tuple[MailOutcome, str]:
        """One attempt; the outcome and a line about it, never with a password in it. Never raises."""
        try:
            envelope = Envelope(self._sender, mailbox(notice.recipient))
            data = wire_message(notice, envelope, self._key)
        except ValueError as error:
            return MailOutcome.REFUSED, f"The mail cannot be written: {printable(str(error))}."
        try:
            connection = self._connecting(self._connect)
        except _CannotStart as error:
            return MailOutcome.RETRY, str(error)
        try:
            answer = self._converse(connection, envelope, data)
        except (OSError, smtplib.SMTPException):
            return (
                MailOutcome.RETRY,
                f"The connection to {self._server} was lost before the mail was handed over.",
            )
        finally:
            _leave(connection)
        return answer.outcome, answer.text

    def check(self) -> str:
        """Connects, encrypts and logs in as for a mail, and says "" or what is wrong. Never raises."""
        try:
            _leave(self._connecting(self._connect))
        except _CannotStart as error:
            return str(error)
        return ""

    def _connect(self) -> smtplib.SMTP:
        """A connection ready for MAIL. Raises _TryAgain or _CannotStart."""
        server = self._server
        connection: smtplib.SMTP | None = None
        try:
            if server.protection is Protection.TLS:
                connection = smtplib.SMTP_SSL(
                    server.host, server.port, timeout=self._timeout_s, context=self._tls
                )
            else:
                connection = smtplib.SMTP(server.host, server.port, timeout=self._timeout_s)
            self._introduce(connection)
        except ssl.SSLCertVerificationError as error:
            _leave(connection)
            raise _CannotStart(
                f"The certificate of {server} is refused: {printable(error.verify_message)}."
                " Check the host name, or set the CA file that signed it."
            ) from None
        except _CannotStart:
            _leave(connection)
            raise
        except (OSError, smtplib.SMTPException, UnicodeError) as error:
            # UnicodeError: host names that no DNS query can hold.
            _leave(connection)
            raise _TryAgain(f"{server} cannot be reached: {_why(error)}.") from None
        return connection

    def _introduce(self, connection: smtplib.SMTP) -> None:
        server = self._server
        connection.ehlo_or_helo_if_needed()
        if server.protection is Protection.STARTTLS:
            if connection.has_extn("starttls"):
                code, said = connection.starttls(context=self._tls)
                _expect(code == 220, server, "answers STARTTLS with", code, said)
                connection.ehlo_or_helo_if_needed()
            elif not server.opportunistic:
                raise _CannotStart(f"{server} offers no STARTTLS, and encryption is required.")
            elif server.password is not None and not server.is_loopback:
                raise _CannotStart(
                    f"{server} offers no encryption, and a password is not sent without it."
                    " Use smtps:// or leave user and password out."
                )
        if server.password is not None:
            _log_in(connection, server, server.user, server.password)

    def _converse(self, connection: smtplib.SMTP, envelope: Envelope, data: bytes) -> _Answer:
        """MAIL, RCPT, DATA. Raises OSError or SMTPException only when the mail was certainly not sent."""
        options = [f"SIZE={len(data)}"] if connection.has_extn("size") else []
        if envelope.needs_utf8:
            if not connection.has_extn("smtputf8"):
                return _Answer(
                    MailOutcome.REFUSED,
                    f"{self._server} takes no address with characters like those of this one (SMTPUTF8).",
                )
            options += ["SMTPUTF8", "BODY=8BITMIME"]
        code, said = connection.mail(envelope.sender.addr_spec, options)
        if code != 250:
            # 552: too large for this server (RFC 1870). Other refusals here are about the sender address.
            return _judged(MailOutcome.REFUSED if code == 552 else MailOutcome.RETRY, code, said)
        code, said = connection.rcpt(envelope.recipient.addr_spec)
        if code not in (250, 251):
            return _judged(_before_the_dot(code), code, said)
        code, said = connection.docmd("DATA")
        if code != 354:
            return _judged(_before_the_dot(code), code, said)
        connection.send(_LEADING_DOT.sub(b"..", data))
        if connection.sock is not None:
            connection.sock.settimeout(self._answer_timeout_s)
        # Raises only when the dot or its line end stayed here, so that the server has no whole mail.
        connection.send(b".\r\n")
        try:
            code, said = connection.getreply()
        except (OSError, smtplib.SMTPException):
            return _Answer(
                MailOutcome.UNKNOWN,
                f"The connection to {self._server} was lost while it was taking the mail.",
            )
        return _judged(_after_the_dot(code), code, said)


class _CannotStart(Exception):
    """No connection is ready for a mail, and trying again at once is of no use. The text is for the log."""


class _TryAgain(_CannotStart):
    """No connection, but the next attempt may have one."""


@dataclass(frozen=True, slots=True)
class _Answer:
    outcome: MailOutcome
    text: str


def _judged(outcome: MailOutcome, code: int, said: bytes) -> _Answer:
    return _Answer(outcome, f"{code} {_readable(said)}")


def _before_the_dot(code: int) -> MailOutcome:
    return MailOutcome.REFUSED if 500 <= code <= 599 and code not in _ABOUT_US else MailOutcome.RETRY


def _after_the_dot(code: int) -> MailOutcome:
    if 200 <= code <= 299:
        return MailOutcome.SENT
    # An answer that is none (-1, or 1xx to 3xx) leaves open what became of the mail.
    return _before_the_dot(code) if 400 <= code <= 599 else MailOutcome.UNKNOWN


def _expect(good: bool, server: MailServer, does: str, code: int, said: bytes) -> None:
    if not good:
        kind = _TryAgain if 400 <= code <= 499 else _CannotStart
        raise kind(f"{server} {does} {code} {_readable(said)}")


def _log_in(connection: smtplib.SMTP, server: MailServer, user: str, password: Secret) -> None:
    """AUTH PLAIN (RFC 4616), else LOGIN, in UTF-8, which smtplib's own `login` does not do.

    What the server says is not repeated: some quote the command, and the command holds the password.
    """
    offered = str(connection.esmtp_features.get("auth", "")).upper().split()
    name, word = user.encode(), password.reveal().encode()
    if "PLAIN" in offered:
        code, _ = connection.docmd("AUTH", "PLAIN " + _base64(b"\0" + name + b"\0" + word))
    elif "LOGIN" in offered:
        code, _ = connection.docmd("AUTH", "LOGIN")
        for part in (name, word):
            if code == 334:
                code, _ = connection.docmd(_base64(part))
    else:
        raise _CannotStart(f"{server} offers no way to log in that we know (PLAIN, LOGIN).")
    if code != 235:
        kind = _TryAgain if 400 <= code <= 499 else _CannotStart
        raise kind(f"{server} does not accept user name and password ({code}). Check them in the settings.")


def _why(error: Exception) -> str:
    match error:
        case smtplib.SMTPResponseException():
            said = error.smtp_error
            return f"{error.smtp_code} {printable(said) if isinstance(said, str) else _readable(said)}"
        case TimeoutError():
            return "no answer in time"
        case OSError(strerror=str(reason)):
            return printable(reason)
    return "the connection was lost"


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _readable(said: bytes) -> str:
    return printable(said.decode("utf-8", "replace"))


def _leave(connection: smtplib.SMTP | None) -> None:
    """QUIT where there is still a connection. What was sent stays sent, whatever comes of it."""
    if connection is None:
        return
    with suppress(OSError, smtplib.SMTPException):
        if connection.sock is not None:
            connection.sock.settimeout(2)
            connection.quit()
    connection.close()
