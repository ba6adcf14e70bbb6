"""What can go wrong until we are in: looking up the name, connecting, TLS, the greeting, the login."""

from __future__ import annotations

import imaplib
import re
import socket
import ssl
from collections.abc import Callable

from importer.adapters.egress_guard import AddressForbidden
from importer.adapters.imap.imapclient_adapter import EarlyBytes, SilentServer
from importer.adapters.imap.response_errors import (
    Peer,
    account_error,
    lost,
    printable,
    server_words,
    throttled,
)
from importer.adapters.imap.wire import Reply, parse_reply
from providers.endpoint import Security
from providers.errors import (
    CertificateRefused,
    EncryptionUnavailable,
    HostForbidden,
    HostUnknown,
    LoginRejected,
    MailError,
    NotAnImapServer,
    ServerUnavailable,
)
from providers.server_messages import LOGIN_SENTENCES, Meaning, classify


def opening_error(error: Exception, peer: Peer) -> MailError:
    """What went wrong between looking up the name and the end of STARTTLS."""
    host, port = peer.endpoint.host, peer.endpoint.port
    kind: type[MailError] = ServerUnavailable
    told = str(error)
    match error:
        case imaplib.IMAP4.error():
            return _greeting_error(error, peer)
        case AddressForbidden():
            kind = HostForbidden
            sentence = (
                f"{host} is not a mail server on the public internet. Check the server name; a server inside"
                " a private network can be reached only where the operator of Mailhaul allows it."
            )
            told = ""
        case socket.gaierror() if error.errno == socket.EAI_AGAIN:
            sentence = f"The name {host} could not be looked up just now. Mailhaul tries again later."
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
                f"{host} does not speak TLS on port {port} in a way that Mailhaul can use. Check the port,"
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
            sentence = f"{host} does not answer on port {port}. Mailhaul tries again later."
        case ConnectionRefusedError():
            sentence = (
                f"Nothing answers at {host} on port {port}. Check the server name and the port; if they are"
                " right, the server is down."
            )
        case ValueError():  # no host name at all, such as "a..b"
            kind = HostUnknown
            sentence = f"“{printable(host)}” is no server name. Check it."
        case _:
            sentence = f"{host} cannot be reached on port {port}. Mailhaul tries again later."
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


_TURNED_AWAY = re.compile(r"\* (BYE|NO|BAD)\b ?(.*)", re.I | re.S)


def _greeting_error(error: imaplib.IMAP4.error, peer: Peer) -> MailError:
    said = error.args[0] if error.args else ""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    host, port, side = peer.endpoint.host, peer.endpoint.port, peer.side
    if turned_away := _TURNED_AWAY.match(text):  # before anybody said who they are: it concerns everybody
        reply = parse_reply(turned_away[1].upper().encode(), turned_away[2].encode())
        return throttled(reply, peer, turned_away=True)
    if "establish TLS session" in text or "STARTTLS" in text:  # NO or BAD to STARTTLS
        return no_encryption(peer)
    if "socket error" in text:
        return ServerUnavailable(
            f"{host} closed the connection on port {port} at once. Mailhaul tries again later.", side=side
        )
    return NotAnImapServer(
        f"What answers at {host} on port {port} is not an IMAP server. Check the server name and the port.",
        side=side,
        server_text=printable(text),
    )


# --- The login ---------------------------------------------------------------------------------------

_OFF = frozenset({Meaning.IMAP_OFF, Meaning.IMAP_FORBIDDEN, Meaning.NO_MAILBOX})
_ABOUT_LOGIN = re.compile(r"auth|log-?in|password|credential|user", re.I)


def login_error(
    error: Exception,
    last_words: str,
    peer: Peer,
    *,
    explain: Callable[[str], str],
    secrets: tuple[str, ...],
) -> MailError:
    """Why a password did not let us in. `last_words` came with a BYE. `explain` says what to do at this
    provider, given the server's words; `secrets` are struck out of them."""
    found = _refusal(error, last_words, peer, secrets)
    return _login_rejected(found, peer, explain) if isinstance(found, Reply) else found


def token_error(
    error: Exception,
    last_words: str,
    peer: Peer,
    *,
    explain: Callable[[str], str],
    secrets: tuple[str, ...],
    challenge: str,
) -> MailError:
    """Why an access token did not let us in; as `login_error`. `challenge` is what the server said of it
    before its NO, mostly JSON (RFC 7628 section 3.2.2)."""
    found = _refusal(error, last_words, peer, secrets)
    if not isinstance(found, Reply):
        return found
    told = server_words(found)
    why = _struck_out(challenge, secrets)
    sentence = f"{peer.endpoint.host} does not let us in with the permission that it gave."
    if classify(told) in _OFF:
        sentence = (
            f"IMAP is switched off for this account at {peer.endpoint.host}, or it is not this mailbox."
        )
    return LoginRejected(
        f"{sentence} {explain(told)}".strip(), side=peer.side, server_text=printable(f"{told} {why}".strip())
    )


def may_be_the_token(refused: LoginRejected) -> bool:
    """Whether another token may help; False when the host took the token and has no mailbox for it."""
    return classify(refused.server_text) not in _OFF


def _refusal(error: Exception, last_words: str, peer: Peer, secrets: tuple[str, ...]) -> Reply | MailError:
    """The server's NO, or what it means when it is not about the login."""
    text = str(error) if isinstance(error, imaplib.IMAP4.error) else ""
    cut_off = isinstance(error, imaplib.IMAP4.abort | OSError)
    if cut_off and last_words:
        text = last_words
    reply = _login_reply(_struck_out(text, secrets))
    if reply.code == "OVERQUOTA" or classify(reply.text) is Meaning.TROUBLE:
        return throttled(reply, peer)
    known = account_error(reply, peer)
    if known is not None and not isinstance(known, LoginRejected):
        return known
    if cut_off and not (last_words and _ABOUT_LOGIN.search(reply.text)):
        return lost(peer, reply.text)
    return reply


def _struck_out(text: str, secrets: tuple[str, ...]) -> str:
    for secret in secrets:
        text = text.replace(secret, "•••") if secret else text
    return text


def _login_reply(text: str) -> Reply:
    """The server's words out of what imaplib makes of them."""
    bad = re.search(r"command error: BAD \[b?['\"](.*)['\"]\]\Z", text, re.DOTALL)
    return parse_reply(b"BAD", bad[1].encode()) if bad else parse_reply(b"NO", text.encode())


# Yahoo says [AUTHORIZATIONFAILED] LOGIN Invalid credentials of a wrong password (word for word in the public
# source of an importer, read 2026-11-23).
_WRONG = re.compile(r"invalid (?:credentials|password|user)", re.I)


def _login_rejected(reply: Reply, peer: Peer, explain: Callable[[str], str]) -> LoginRejected:
    host, told = peer.endpoint.host, server_words(reply)
    meaning = Meaning.NO_PASSWORDS if reply.code == "PRIVACYREQUIRED" else classify(told)
    if meaning in LOGIN_SENTENCES:
        sentence = LOGIN_SENTENCES[meaning].format(host=host)
    elif reply.code == "EXPIRED":
        sentence = f"The password for {host} has expired. Set a new one there and try again."
    elif reply.code in ("AUTHORIZATIONFAILED", "CONTACTADMIN", "NOPERM") and not _WRONG.search(reply.text):
        sentence = f"{host} knows the password but does not let this user in. Ask its operator."
    else:
        sentence = f"{host} did not accept the user name or the password. Check both and try again."
    return LoginRejected(f"{sentence} {explain(told)}".strip(), side=peer.side, server_text=told)


def logins_disabled(peer: Peer, help_text: str) -> LoginRejected:
    """The server offers no way to log in with a password (LOGINDISABLED)."""
    sentence = LOGIN_SENTENCES[Meaning.NO_PASSWORDS].format(host=peer.endpoint.host)
    return LoginRejected(f"{sentence} {help_text}".strip(), side=peer.side)


def no_token_logins(peer: Peer, help_text: str) -> LoginRejected:
    """The server announces neither XOAUTH2 nor OAUTHBEARER."""
    sentence = f"{peer.endpoint.host} takes passwords only, and there is none for it: enter one."
    return LoginRejected(f"{sentence} {help_text}".strip(), side=peer.side)


def unusable_login(peer: Peer) -> LoginRejected:
    """A user name or password that no IMAP command can carry."""
    return LoginRejected(
        f"The user name or the password for {peer.endpoint.host} holds a line break or another character that"
        " no password can have. Enter both again.",
        side=peer.side,
    )
