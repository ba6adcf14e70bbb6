"""The one place that turns what sockets, TLS, imaplib and servers say into `providers.errors`.

The sentence is ours and for the reader; the server's own words go to `server_text`. What the server
means is read from response codes (RFC 5530, RFC 9051 section 7.1) first and from the words that hosts
are known to use second.
"""

from __future__ import annotations

import imaplib
import re
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from importer.adapters.imap.client import EarlyBytes, SilentServer
from importer.adapters.imap.wire import Reply, parse_reply
from providers.errors import (
    CertificateRefused,
    ConnectionLost,
    EncryptionUnavailable,
    FolderChanged,
    FolderUnusable,
    HostUnknown,
    LoginRejected,
    MailError,
    NotAnImapServer,
    ProtocolViolation,
    QuotaExceeded,
    ServerUnavailable,
    Side,
    Throttled,
)
from providers.model import Endpoint, Security

SERVER_TEXT_CHARS = 300


class CommandRefused(Exception):
    """NO or BAD to a command; never leaves the adapter."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom we talk to, for the sentences; `now` gives the instant that a pause counts from."""

    endpoint: Endpoint
    side: Side
    now: Callable[[], datetime]

    def __str__(self) -> str:
        return f"the {self.side} server {self.endpoint.host}"

    @property
    def sentence_start(self) -> str:
        return f"The {self.side} server {self.endpoint.host}"


_DOVECOT_TIMING = re.compile(r" ?\([0-9.]+ \+ [0-9.+ ]+secs\)\.?\Z")


def server_words(reply: Reply) -> str:
    """What the server said, printable, on one line, at most SERVER_TEXT_CHARS long."""
    text = _DOVECOT_TIMING.sub("", reply.text)
    code = f"[{reply.code}{' ' if reply.arguments else ''}{reply.arguments}] " if reply.code else ""
    return printable(code + text)


def printable(text: str) -> str:
    """`text` on one line, without control characters, at most SERVER_TEXT_CHARS long."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= SERVER_TEXT_CHARS else line[: SERVER_TEXT_CHARS - 1] + "…"


# --- Connections ---------------------------------------------------------------------------------------


def opening_error(error: Exception, peer: Peer) -> MailError:
    """What went wrong between looking up the name and the end of STARTTLS."""
    host, port = peer.endpoint.host, peer.endpoint.port
    kind: type[MailError] = ServerUnavailable
    told = str(error)
    match error:
        case imaplib.IMAP4.error():
            return _greeting_error(error, peer)
        case socket.gaierror() if error.errno == socket.EAI_AGAIN:
            sentence = f"The name {host} could not be looked up just now. Mailferry tries again later."
        case socket.gaierror():
            kind = HostUnknown
            sentence = f"There is no server called {host}. Check the server name."
        case ssl.SSLCertVerificationError():
            kind = CertificateRefused
            sentence = (
                f"The certificate of {host} does not prove that it is {host} ({error.verify_message})."
                " Check the server name; if it is right, its operator has to mend the certificate."
            )
        case ssl.SSLError() if "EOF" not in told:
            kind = NotAnImapServer
            sentence = (
                f"{host} does not speak TLS on port {port} in a way that Mailferry can use. Check the port,"
                " and whether the server wants STARTTLS (imap://) in place of TLS (imaps://)."
            )
        case EarlyBytes():
            kind = EncryptionUnavailable
            sentence = (
                f"Somebody on the way to {host} interferes with the encryption: something was sent before it"
                " began. Use imaps:// with port 993 instead."
            )
        case SilentServer() if peer.endpoint.security is not Security.TLS:
            kind = NotAnImapServer
            sentence = (
                f"{host} accepts connections on port {port} but does not greet as an IMAP server does. Check"
                " the port; if it is a port for TLS, use imaps://."
            )
        case SilentServer() | TimeoutError():  # after a TLS handshake: it is there, and slow
            sentence = f"{host} does not answer on port {port}. Mailferry tries again later."
        case ConnectionRefusedError():
            sentence = (
                f"Nothing answers at {host} on port {port}. Check the server name and the port; if they are"
                " right, the server is down."
            )
        case ValueError():  # no host name at all, such as "a..b"
            kind = HostUnknown
            sentence = f"“{printable(host)}” is no server name. Check it."
        case _:
            sentence = f"{host} cannot be reached on port {port}. Mailferry tries again later."
    return kind(sentence, side=peer.side, server_text=printable(told))


def no_encryption(peer: Peer, server_text: str = "") -> EncryptionUnavailable:
    """STARTTLS is wanted and not to be had."""
    return EncryptionUnavailable(
        f"{peer.endpoint.host} offers no encryption on port {peer.endpoint.port}, and without it the password"
        " could be read on the way. Use imaps:// with port 993 instead.",
        side=peer.side,
        server_text=server_text,
    )


def preauthenticated(peer: Peer) -> MailError:
    """The greeting was PREAUTH (RFC 9051 section 7.1.4)."""
    if peer.endpoint.security is Security.STARTTLS:
        return no_encryption(peer)
    return NotAnImapServer(
        f"{peer.endpoint.host} lets everybody in without asking for a password, so nobody can tell whose"
        " mailbox it shows. Check the server name and the port.",
        side=peer.side,
    )


def _greeting_error(error: imaplib.IMAP4.error, peer: Peer) -> MailError:
    said = error.args[0] if error.args else ""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    host, port, side = peer.endpoint.host, peer.endpoint.port, peer.side
    if text.upper().startswith("* BYE"):
        reply = parse_reply(b"BYE", text[6:].encode())
        return account_error(reply, peer) or ServerUnavailable(
            f"{host} turns us away at the moment. Mailferry tries again later.",
            side=side,
            server_text=server_words(reply),
        )
    if "establish TLS session" in text or "STARTTLS" in text:  # NO or BAD to STARTTLS
        return no_encryption(peer)
    if "socket error" in text:
        return ServerUnavailable(
            f"{host} closed the connection on port {port} at once. Mailferry tries again later.", side=side
        )
    return NotAnImapServer(
        f"What answers at {host} on port {port} is not an IMAP server. Check the server name and the port.",
        side=side,
        server_text=printable(text),
    )


def lost(peer: Peer, cause: str = "") -> ConnectionLost:
    """The connection broke; `cause` is the operating system's or the server's last word."""
    return ConnectionLost(
        f"The connection to {peer} was lost. Mailferry connects again.",
        side=peer.side,
        server_text=printable(cause),
    )


def violation(peer: Peer, what: str) -> ProtocolViolation:
    """`what` the server said that it must not."""
    return ProtocolViolation(
        f"What {peer} answered makes no sense. Mailferry connects again; if it happens again, tell the"
        " operator of that server.",
        side=peer.side,
        server_text=printable(what),
    )


# --- Accounts ------------------------------------------------------------------------------------------

_BACKOFF = re.compile(r"backoff time:\s*([0-9]{1,12})\s*milliseconds", re.IGNORECASE)
_THROTTLED = re.compile(
    r"throttl|command or bandwidth limits|rate.?limit|too many (?:requests|commands)", re.I
)
_BUSY = re.compile(r"too many.*connections|maximum number of connections|connection limit", re.I)
_BUSY_CODES = frozenset({"UNAVAILABLE", "INUSE", "SERVERBUG"})
_LOGIN_ENDED_CODES = frozenset({"AUTHENTICATIONFAILED", "EXPIRED", "PRIVACYREQUIRED"})


def account_error(reply: Reply, peer: Peer) -> MailError | None:
    """What NO, BAD or BYE means for the whole account; None when it concerns only this command."""
    if reply.code == "THROTTLED" or _THROTTLED.search(reply.text):
        return throttled(reply, peer)
    if reply.code in _BUSY_CODES or _BUSY.search(reply.text):
        return busy(reply, peer)
    if reply.code in _LOGIN_ENDED_CODES:
        return LoginRejected(
            f"{peer.endpoint.host} no longer accepts the login. Check the account there and try again.",
            side=peer.side,
            server_text=server_words(reply),
        )
    return None


def throttled(reply: Reply, peer: Peer) -> Throttled:
    """The server wants a pause, of the length that Exchange gives in its words."""
    pause = _BACKOFF.search(reply.text)
    return Throttled(
        f"{peer.endpoint.host} asks for a pause. Mailferry goes on by itself after it.",
        until=peer.now() + timedelta(milliseconds=int(pause[1])) if pause else None,
        side=peer.side,
        server_text=server_words(reply),
    )


def busy(reply: Reply, peer: Peer) -> ServerUnavailable:
    """The server works on something else, or for too many of us at once."""
    return ServerUnavailable(
        f"{peer.endpoint.host} is busy or in maintenance. Mailferry tries again later.",
        side=peer.side,
        server_text=server_words(reply),
    )


_NO_PASSWORDS = re.compile(r"basic auth|logindisabled|oauth|plaintext authentication disallowed", re.I)
_APP_PASSWORD = re.compile(r"application-specific password|app(?:lication)? password|web browser", re.I)
_IMAP_OFF = re.compile(r"imap (?:access )?is disabled|not enabled for imap|not connected", re.I)


_ABOUT_LOGIN = re.compile(r"auth|log-?in|password|credential|user", re.I)


def login_error(
    error: Exception, last_words: str, peer: Peer, *, help_text: str, secrets: tuple[str, ...]
) -> MailError:
    """Why we were not let in. `last_words` came with a BYE. `help_text` says what to do at this provider;
    `secrets` are struck out of what the server said."""
    text = str(error) if isinstance(error, imaplib.IMAP4.error) else ""
    cut_off = isinstance(error, imaplib.IMAP4.abort | OSError)
    if cut_off and last_words:
        text = last_words
    for secret in secrets:
        text = text.replace(secret, "•••") if secret else text
    reply = _login_reply(text)
    known = throttled(reply, peer) if reply.code == "OVERQUOTA" else account_error(reply, peer)
    if known is not None and not isinstance(known, LoginRejected):
        return known
    if cut_off and not (last_words and _ABOUT_LOGIN.search(reply.text)):
        return lost(peer, text)
    return _login_rejected(reply, peer, help_text)


def _login_reply(text: str) -> Reply:
    """The server's words out of what imaplib makes of them."""
    bad = re.search(r"command error: BAD \[b?['\"](.*)['\"]\]\Z", text, re.DOTALL)
    return parse_reply(b"BAD", bad[1].encode()) if bad else parse_reply(b"NO", text.encode())


def _login_rejected(reply: Reply, peer: Peer, help_text: str) -> LoginRejected:
    host, told = peer.endpoint.host, server_words(reply)
    if reply.code == "PRIVACYREQUIRED" or _NO_PASSWORDS.search(told):
        sentence = f"{host} accepts no password over this kind of connection."
    elif _APP_PASSWORD.search(told):
        sentence = f"{host} wants an app password or a confirmation in the web browser."
    elif _IMAP_OFF.search(told):
        sentence = f"IMAP is switched off for this account at {host}."
    elif reply.code == "EXPIRED":
        sentence = f"The password for {host} has expired. Set a new one there and try again."
    elif reply.code in ("AUTHORIZATIONFAILED", "CONTACTADMIN", "NOPERM"):
        sentence = f"{host} knows the password but does not let this user in. Ask its operator."
    else:
        sentence = f"{host} did not accept the user name or the password. Check both and try again."
    return LoginRejected(f"{sentence} {help_text}".strip(), side=peer.side, server_text=told)


def logins_disabled(peer: Peer, help_text: str) -> LoginRejected:
    """The server offers no way to log in with a password (LOGINDISABLED)."""
    sentence = f"{peer.endpoint.host} accepts no password over this kind of connection."
    return LoginRejected(f"{sentence} {help_text}".strip(), side=peer.side)


def unusable_login(peer: Peer) -> LoginRejected:
    """A user name or password that no IMAP command can carry."""
    return LoginRejected(
        f"The user name or the password for {peer.endpoint.host} holds a line break or another character that"
        " no password can have. Enter both again.",
        side=peer.side,
    )


# --- Folders and messages ------------------------------------------------------------------------------


def folder_error(reply: Reply, peer: Peer, folder: str, what: str) -> MailError:
    """Why `folder` could not be `what` ("opened", "created")."""
    return account_error(reply, peer) or folder_unusable(peer, folder, what, server_words(reply))


def folder_unusable(peer: Peer, folder: str, what: str, server_text: str = "") -> FolderUnusable:
    return FolderUnusable(
        f"The folder “{printable(folder)}” cannot be {what} on {peer}.",
        side=peer.side,
        server_text=server_text,
    )


def folder_changed(peer: Peer, folder: str) -> FolderChanged:
    return FolderChanged(
        f"The folder “{printable(folder)}” on {peer} was made anew. Mailferry looks at it again.",
        side=peer.side,
    )


_TOO_LARGE = re.compile(
    r"max(?:imum)?\W.*size|message size limit|too (?:large|big)|larger than the maximum", re.I
)
_FULL = re.compile(
    r"quota|mailbox.* full|mailbox size limit|out of (?:disk )?space|no space|bigger place|storage.*exceeded",
    re.I,
)


def append_error(reply: Reply, peer: Peer, folder: str) -> MailError | None:
    """What a refused APPEND means for more than its message; None when it is that one message."""
    if _THROTTLED.search(reply.text):
        return throttled(reply, peer)
    this_message = reply.code in ("TOOBIG", "LIMIT") or _TOO_LARGE.search(reply.text)
    if reply.code == "OVERQUOTA" or (_FULL.search(reply.text) and not this_message):
        return QuotaExceeded(
            f"The mailbox at {peer.endpoint.host} is full. Make room or have it enlarged, then start the"
            " import again: it goes on where it stopped.",
            side=peer.side,
            server_text=server_words(reply),
        )
    if this_message:
        return None
    if reply.code in ("TRYCREATE", "NONEXISTENT", "NOPERM"):
        return folder_unusable(peer, folder, "written to", server_words(reply))
    return account_error(reply, peer)
