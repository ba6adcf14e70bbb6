"""What can go wrong between us and a mail host, as one tree.

Two attributes decide what happens next, and nothing else may: `scope` (what is affected) and
`remedy` (who or what mends it).

    MailError                 scope      remedy
    + ConnectionLost          session    reconnect    reset, timeout, BYE
    | + ServerTooSlow         account    wait         a byte now and then; cut by us
    + ProtocolViolation       session    reconnect    the server said what no RFC allows
    + ServerUnavailable       account    wait         refused connection, [UNAVAILABLE], [INUSE]
    + Throttled               account    wait         carries `until`
    + EndpointWrong           account    human        the server we were told to use cannot be used
    | + HostUnknown                                   the name does not resolve
    | + HostForbidden                                 not a public server, and nobody allowed it
    | + CertificateRefused                            TLS works, the certificate does not prove the host
    | + NotAnImapServer                               something else answers on that port
    | + EncryptionUnavailable                         the server offers no STARTTLS
    + LoginRejected           account    human        carries what to do at this provider
    | + MasterRefused                                 the host's master user does not open this mailbox
    + GrantExpired            account    human        consent withdrawn or run out: its owner signs in again
    + MailHidden              account    human        the host shows programs only a part of the mail
    + QuotaExceeded           account    human        [OVERQUOTA] at the destination
    + FolderUnusable          folder     skip         cannot be opened or created; reported
    | + FolderLeftOut                                 what it holds is no mail
    + FolderChanged           folder     replan       UIDVALIDITY differs

The text of an error is written for the person who reads the report: what happened and what to do
next. It never holds a password or a token. What the server literally said goes to `server_text`.
A message that cannot be read or stored is none of these: it is a value, and a line in the report.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar


class ErrorScope(StrEnum):
    """How much of the work an error affects."""

    SESSION = "session"
    ACCOUNT = "account"
    FOLDER = "folder"


class Remedy(StrEnum):
    """What mends an error."""

    RECONNECT = "reconnect"
    WAIT = "wait"
    HUMAN = "human"
    SKIP = "skip"
    REPLAN = "replan"


class Side(StrEnum):
    """The mailbox we read from, or the one we write to."""

    SOURCE = "source"
    DESTINATION = "destination"


class MailError(Exception):
    """Base of the tree. `str(error)` is a sentence for the reader; `code` is stable for machines."""

    code: ClassVar[str] = "mail_error"
    scope: ClassVar[ErrorScope] = ErrorScope.SESSION
    remedy: ClassVar[Remedy] = Remedy.RECONNECT

    def __init__(self, message: str, *, side: Side | None = None, server_text: str = "") -> None:
        super().__init__(message)
        self.side = side
        self.server_text = server_text


class ConnectionLost(MailError):
    """Reset, timeout or BYE. An APPEND that was under way may or may not have landed."""

    code = "connection_lost"


class ServerTooSlow(ConnectionLost):
    """The server answered, but so slowly that we gave up waiting. Trying again at once would only hold the
    worker again."""

    code = "server_too_slow"
    scope = ErrorScope.ACCOUNT
    remedy = Remedy.WAIT


class ProtocolViolation(MailError):
    """The server answered in a way that no RFC allows."""

    code = "protocol_violation"


class ServerUnavailable(MailError):
    """Nothing listens, or the server asks us to come back later (RFC 5530: UNAVAILABLE, INUSE)."""

    code = "server_unavailable"
    scope = ErrorScope.ACCOUNT
    remedy = Remedy.WAIT


class Throttled(MailError):
    """The server asks for a pause; `until` is when it may be asked again, if it said so. The pause is for
    the account, or for all that we have to do with that host (`whole_host`); and only for whoever wants to
    connect, when it is more connections that it does not take (`connecting`)."""

    code = "throttled"
    scope = ErrorScope.ACCOUNT
    remedy = Remedy.WAIT

    def __init__(
        self,
        message: str,
        *,
        until: datetime | None = None,
        whole_host: bool = False,
        connecting: bool = False,
        side: Side | None = None,
        server_text: str = "",
    ) -> None:
        super().__init__(message, side=side, server_text=server_text)
        self.until = until
        self.whole_host = whole_host
        self.connecting = connecting


class EndpointWrong(MailError):
    """The server that we were told to use cannot be used as told; a person has to correct it."""

    code = "endpoint_wrong"
    scope = ErrorScope.ACCOUNT
    remedy = Remedy.HUMAN


class HostUnknown(EndpointWrong):
    """The host name does not resolve."""

    code = "host_unknown"


class HostForbidden(EndpointWrong):
    """The name leads into a private network, and the operator did not allow it for whoever named it."""

    code = "host_forbidden"


class CertificateRefused(EndpointWrong):
    """The certificate does not prove that this is the host we asked for."""

    code = "certificate_refused"


class NotAnImapServer(EndpointWrong):
    """Something answers on that port, but it does not speak IMAP (or not with this encryption)."""

    code = "not_an_imap_server"


class EncryptionUnavailable(EndpointWrong):
    """The server offers no STARTTLS, and plaintext was not allowed."""

    code = "encryption_unavailable"


class LoginRejected(MailError):
    """The host does not let us in with what we have; carries what to do at this provider."""

    code = "login_rejected"
    scope = ErrorScope.ACCOUNT
    remedy = Remedy.HUMAN


class MasterRefused(LoginRejected):
    """The host's master user opens this mailbox no more, or was never to: whoever runs Mailhaul looks at
    it, or the owner's password is used."""

    code = "master_refused"


class GrantExpired(MailError):
    """The consent that let us in is withdrawn or has run out (RFC 6749 section 5.2: invalid_grant)."""

    code = "grant_expired"
    scope = ErrorScope.ACCOUNT
    remedy = Remedy.HUMAN


class MailHidden(MailError):
    """The host shows programs only a part of the mail, by a setting that its owner can change."""

    code = "mail_hidden"
    scope = ErrorScope.ACCOUNT
    remedy = Remedy.HUMAN


class QuotaExceeded(MailError):
    """The destination is full (RFC 5530: OVERQUOTA)."""

    code = "destination_full"
    scope = ErrorScope.ACCOUNT
    remedy = Remedy.HUMAN


class FolderUnusable(MailError):
    """A folder cannot be opened or created; it is reported and the import goes on."""

    code = "folder_unusable"
    scope = ErrorScope.FOLDER
    remedy = Remedy.SKIP


class FolderLeftOut(FolderUnusable):
    """A folder that holds no mail (calendars, contacts): reported, and no fault. `messages`: how many the
    server counts in it."""

    code = "folder_left_out"

    def __init__(self, message: str, *, messages: int, side: Side | None = None) -> None:
        super().__init__(message, side=side)
        self.messages = messages


class FolderChanged(MailError):
    """The folder's UIDVALIDITY is not the one we planned with (RFC 9051 section 2.3.1.1)."""

    code = "folder_changed"
    scope = ErrorScope.FOLDER
    remedy = Remedy.REPLAN
