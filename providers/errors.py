"""Errors of mail hosts, as one tree.

Two attributes alone decide what happens next: `scope` (the extent) and `remedy` (the way to fix it).

    MailError                 scope      remedy
    + ConnectionLost          session    reconnect    reset, timeout, BYE
    | + ServerTooSlow         account    wait         single bytes at long intervals; closed by us
    + ProtocolViolation       session    reconnect    the response violates the RFCs
    + ServerUnavailable       account    wait         refused connection, [UNAVAILABLE], [INUSE]
    + Throttled               account    wait         carries `until`
    + EndpointWrong           account    human        the configured server cannot be used
    | + HostUnknown                                   the name does not resolve
    | + HostForbidden                                 not a public server, and not allowed
    | + CertificateRefused                            TLS works, but the certificate is not for the host
    | + NotAnImapServer                               something else answers on that port
    | + EncryptionUnavailable                         the server offers no STARTTLS
    + LoginRejected           account    human        says what to do at this provider
    | + MasterRefused                                 the host's master user cannot open this mailbox
    + BeyondLimit             account    human        the server sends more than Mailhaul accepts
    + GrantExpired            account    human        consent revoked or expired: the owner signs in again
    + MailHidden              account    human        the host exposes only part of the mail over IMAP

The errors of folders and of a full mailbox are with the port: importer/ports/mailbox_errors.py.

`text` describes the error, as a code below that of the class; front ends render it. It never contains a
password or a token. The server's literal response is in `server_text`. A message that cannot be read or
stored is not an error of this tree but a value, and a line in the report.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from providers.text import Text


class ErrorScope(StrEnum):
    """The extent of an error."""

    SESSION = "session"
    ACCOUNT = "account"
    FOLDER = "folder"


class Remedy(StrEnum):
    """The way to fix an error."""

    RECONNECT = "reconnect"
    WAIT = "wait"
    HUMAN = "human"
    SKIP = "skip"
    REPLAN = "replan"


class Side(StrEnum):
    """The mailbox that is read, or the one that is written."""

    SOURCE = "source"
    DESTINATION = "destination"


class MailError(Exception):
    """Base class. `code` is stable; that of `text`, which has no parameters by default, is equal or below."""

    code: ClassVar[str] = "mail_error"
    scope: ClassVar[ErrorScope] = ErrorScope.SESSION
    remedy: ClassVar[Remedy] = Remedy.RECONNECT

    def __init__(self, text: Text | None = None, *, side: Side | None = None, server_text: str = "") -> None:
        super().__init__()
        self.text = text or Text(self.code)
        self.side = side
        self.server_text = server_text

    def __str__(self) -> str:
        return str(self.text)


class ConnectionLost(MailError):
    """Connection reset, timeout or BYE. The outcome of a pending APPEND is unknown.

    `announced`: the server said BYE with words of its own, which are in `server_text`.
    """

    code = "connection_lost"

    def __init__(
        self,
        text: Text | None = None,
        *,
        announced: bool = False,
        side: Side | None = None,
        server_text: str = "",
    ) -> None:
        super().__init__(text, side=side, server_text=server_text)
        self.announced = announced


class ServerTooSlow(ConnectionLost):
    """The server responded too slowly. An immediate retry would only block the worker again."""

    code = "server_too_slow"
    scope = ErrorScope.ACCOUNT
    remedy = Remedy.WAIT


class ProtocolViolation(MailError):
    """The server sent a response that violates the RFCs."""

    code = "protocol_violation"


class ServerUnavailable(MailError):
    """The connection is refused, or the server is temporarily unavailable (RFC 5530: UNAVAILABLE, INUSE)."""

    code = "server_unavailable"
    scope = ErrorScope.ACCOUNT
    remedy = Remedy.WAIT


class Throttled(MailError):
    """The server requests a pause; `until` is its end, if the server named one.

    The pause applies to the account, or with `whole_host` to all accounts of that host. With `connecting` the
    server only accepts no more connections: existing ones may continue.
    """

    code = "throttled"
    scope = ErrorScope.ACCOUNT
    remedy = Remedy.WAIT

    def __init__(
        self,
        text: Text | None = None,
        *,
        until: datetime | None = None,
        whole_host: bool = False,
        connecting: bool = False,
        side: Side | None = None,
        server_text: str = "",
    ) -> None:
        super().__init__(text, side=side, server_text=server_text)
        self.until = until
        self.whole_host = whole_host
        self.connecting = connecting


class EndpointWrong(MailError):
    """The server cannot be used as configured; a person has to correct it."""

    code = "endpoint_wrong"
    scope = ErrorScope.ACCOUNT
    remedy = Remedy.HUMAN


class HostUnknown(EndpointWrong):
    """The host name does not resolve."""

    code = "host_unknown"


class HostForbidden(EndpointWrong):
    """The host resolves to a private address that the operator has not allowed."""

    code = "host_forbidden"


class CertificateRefused(EndpointWrong):
    """The certificate is not valid for the requested host."""

    code = "certificate_refused"


class NotAnImapServer(EndpointWrong):
    """The server on that port does not speak IMAP, or not with this encryption."""

    code = "not_an_imap_server"


class EncryptionUnavailable(EndpointWrong):
    """The server offers no STARTTLS, and plaintext is not allowed."""

    code = "encryption_unavailable"


class LoginRejected(MailError):
    """The host rejects the credential; the steps of the text say what to do at this provider."""

    code = "login_rejected"
    scope = ErrorScope.ACCOUNT
    remedy = Remedy.HUMAN


class MasterRefused(LoginRejected):
    """The host's master user cannot open this mailbox, or no longer.

    Either the operator of Mailhaul corrects it, or the owner's password is used.
    """

    code = "master_refused"


class BeyondLimit(MailError):
    """The server sends more than Mailhaul accepts; the text names the limit. It would do so again."""

    code = "beyond_limit"
    scope = ErrorScope.ACCOUNT
    remedy = Remedy.HUMAN


class GrantExpired(MailError):
    """The consent is revoked or has expired (RFC 6749 section 5.2: invalid_grant)."""

    code = "grant_expired"
    scope = ErrorScope.ACCOUNT
    remedy = Remedy.HUMAN


class MailHidden(MailError):
    """The host exposes only part of the mail over IMAP, because of a setting that the owner can change."""

    code = "mail_hidden"
    scope = ErrorScope.ACCOUNT
    remedy = Remedy.HUMAN
