"""Translates errors of name look-up, connecting, TLS, greeting and login into `providers.errors`."""

from __future__ import annotations

import imaplib
import re
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import replace

from importer.adapters.egress_guard import AddressForbidden
from importer.adapters.imap.imapclient_adapter import EarlyBytes, SilentServer, is_too_large
from importer.adapters.imap.response_errors import (
    Peer,
    account_error,
    login_too_large,
    lost,
    printable,
    server_words,
    throttled,
    with_alerts,
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
    """Translate an error raised between the name look-up and the end of STARTTLS."""
    host, port = peer.endpoint.host, peer.endpoint.port
    kind: type[MailError] = ServerUnavailable
    server_text = str(error)
    match error:
        case imaplib.IMAP4.error():
            return _greeting_error(error, peer)
        case socket.gaierror() if error.errno == socket.EAI_AGAIN:
            sentence = f"The name {host} cannot be resolved at the moment. Mailhaul tries again later."
        case AddressForbidden() | socket.gaierror() if isinstance(error, AddressForbidden) or peer.is_guarded:
            # One answer for both: whether a name exists inside is nothing for the user who guesses it.
            kind = HostForbidden
            sentence = (
                f"{host} is not a mail server on the public internet. Check the server name; a server inside"
                " a private network can be reached only where the operator of Mailhaul allows it."
            )
            server_text = ""
        case socket.gaierror():
            kind = HostUnknown
            sentence = f"There is no server called {host}. Check the server name."
        case ssl.SSLCertVerificationError():
            kind = CertificateRefused
            sentence = (
                f"The certificate of {host} does not prove that it is {host} ({error.verify_message})."
                " Check the server name; if it is right, its operator has to fix the certificate. To trust a"
                " private certificate authority, set MAILHAUL_CA_FILE, or --ca-file where a command has it."
            )
        case ssl.SSLError() if "EOF" not in server_text:
            kind = NotAnImapServer
            sentence = (
                f"{host} does not speak TLS on port {port} in a way that Mailhaul can use. Check the port,"
                " and whether the server requires STARTTLS (imap://) instead of TLS (imaps://)."
            )
        case EarlyBytes():
            kind = EncryptionUnavailable
            sentence = (
                f"The connection to {host} may have been tampered with: data arrived before encryption began."
                " Use imaps:// with port 993 instead."
            )
        case SilentServer() if peer.endpoint.security is not Security.TLS:
            kind = NotAnImapServer
            sentence = (
                f"{host} accepts connections on port {port} but sends no IMAP greeting. Check the port; if it"
                " is a TLS port, use imaps://."
            )
        case SilentServer() | TimeoutError():  # after a TLS handshake: the server is up but slow
            sentence = f"{host} does not answer on port {port}. Mailhaul tries again later."
        case ConnectionRefusedError():
            sentence = (
                f"Nothing answers at {host} on port {port}. Check the server name and the port; if they are"
                " right, the server is down."
            )
        case ValueError():  # not a host name, such as "a..b"
            kind = HostUnknown
            sentence = f"“{printable(host)}” is no server name. Check it."
        case _:
            sentence = f"{host} cannot be reached on port {port}. Mailhaul tries again later."
    return kind(sentence, side=peer.side, server_text=printable(server_text))


def no_encryption(peer: Peer, server_text: str = "") -> EncryptionUnavailable:
    """The endpoint requires STARTTLS and the server does not offer it, or refuses it."""
    return EncryptionUnavailable(
        f"{peer.endpoint.host} offers no encryption on port {peer.endpoint.port}, and without it the password"
        " could be intercepted. Use imaps:// with port 993 instead.",
        side=peer.side,
        server_text=server_text,
    )


def preauthenticated(peer: Peer) -> MailError:
    """The greeting was PREAUTH (RFC 9051 section 7.1.4)."""
    if peer.endpoint.security is Security.STARTTLS:
        return no_encryption(peer)
    return NotAnImapServer(
        f"{peer.endpoint.host} grants access without a password, so it is unknown whose mailbox it shows."
        " Check the server name and the port.",
        side=peer.side,
    )


_REFUSED_GREETING = re.compile(r"\* (BYE|NO|BAD)\b ?(.*)", re.I | re.S)


def _greeting_error(error: imaplib.IMAP4.error, peer: Peer) -> MailError:
    if is_too_large(error):
        return login_too_large(peer)
    greeting = error.args[0] if error.args else ""
    text = greeting.decode("utf-8", "replace") if isinstance(greeting, bytes) else str(greeting)
    host, port, side = peer.endpoint.host, peer.endpoint.port, peer.side
    if refusal := _REFUSED_GREETING.match(text):  # before the login: it concerns every client
        reply = parse_reply(refusal[1].upper().encode(), refusal[2].encode())
        return throttled(reply, peer, before_login=True)
    if "establish TLS session" in text or "STARTTLS" in text:  # NO or BAD to STARTTLS
        return no_encryption(peer)
    if "socket error" in text:
        return ServerUnavailable(
            f"{host} closed the connection on port {port} immediately. Mailhaul tries again later.", side=side
        )
    return NotAnImapServer(
        f"The server at {host} on port {port} is not an IMAP server. Check the server name and the port.",
        side=side,
        server_text=printable(text),
    )


# --- The login ---------------------------------------------------------------------------------------

_NO_IMAP_ACCESS = frozenset({Meaning.IMAP_OFF, Meaning.IMAP_FORBIDDEN, Meaning.NO_MAILBOX})
_CONCERNS_LOGIN = re.compile(r"auth|log-?in|password|credential|user", re.I)


def login_error(
    error: Exception,
    bye_text: str,
    peer: Peer,
    *,
    explain: Callable[[str], str],
    secrets: tuple[str, ...],
    alerts: Sequence[str] = (),
) -> MailError:
    """Translate a failed login with a password.

    `alerts` is what the server wants its users to read. `bye_text` is the text of the server's BYE, "" if
    there was none. `explain` maps the server's words to the steps to take at this provider. `secrets` are
    redacted from the server's words.
    """
    refusal = _refusal(error, bye_text, peer, secrets, alerts)
    return _login_rejected(refusal, peer, explain) if isinstance(refusal, Reply) else refusal


def token_error(
    error: Exception,
    bye_text: str,
    peer: Peer,
    *,
    explain: Callable[[str], str],
    secrets: tuple[str, ...],
    challenge: str,
    alerts: Sequence[str] = (),
) -> MailError:
    """Translate a failed login with an access token; parameters as for `login_error`. `challenge` is the
    server's explanation before its NO, usually JSON (RFC 7628 section 3.2.2)."""
    refusal = _refusal(error, bye_text, peer, secrets, alerts)
    if not isinstance(refusal, Reply):
        return refusal
    words = server_words(refusal)
    details = _redacted(challenge, secrets)
    sentence = f"{peer.endpoint.host} rejects the access that it granted."
    if classify(words) in _NO_IMAP_ACCESS:
        sentence = (
            f"IMAP is switched off for this account at {peer.endpoint.host}, or the access is for another"
            " mailbox."
        )
    return LoginRejected(
        f"{sentence} {explain(words)}".strip(),
        side=peer.side,
        server_text=printable(f"{words} {details}".strip()),
    )


def may_be_the_token(refused: LoginRejected) -> bool:
    """Return whether another token may help: not if the host accepted this one but has no mailbox for it."""
    return classify(refused.server_text) not in _NO_IMAP_ACCESS


_ABOUT_PASSWORD = re.compile(
    r"AUTHENTICATIONFAILED|password|credential|invalid (?:login|user)|log-?in (?:failed|failure|incorrect)"
    r"|auth\w* fail",
    re.I,
)
_ABOUT_MECHANISM = re.compile(
    r"mechanism|unsupported|not (?:supported|implemented|enabled|available|recogni[sz]ed)"
    r"|unknown (?:auth|comm)|\[CANNOT\]",
    re.I,
)


def refuses_mechanism(error: imaplib.IMAP4.error) -> bool:
    """Return whether the server refused AUTHENTICATE as such: then the password was not judged, and LOGIN may
    be tried. False in doubt, since a second attempt with a wrong password may lock the account."""
    if isinstance(error, imaplib.IMAP4.abort):
        return False
    reply = _login_reply(str(error))
    words = server_words(reply)
    if _ABOUT_PASSWORD.search(words) or classify(words) is not None:
        return False
    return reply.status == "BAD" or _ABOUT_MECHANISM.search(words) is not None


def _refusal(
    error: Exception, bye_text: str, peer: Peer, secrets: tuple[str, ...], alerts: Sequence[str]
) -> Reply | MailError:
    """Return the server's NO, or the error it means if it does not concern the login."""
    if is_too_large(error):
        return login_too_large(peer)
    text = str(error) if isinstance(error, imaplib.IMAP4.error) else ""
    cut_off = isinstance(error, imaplib.IMAP4.abort | OSError)
    if cut_off and bye_text:
        text = bye_text
    reply = _login_reply(_redacted(text, secrets))
    said = with_alerts(reply.text, [_redacted(alert, secrets) for alert in alerts])
    if len(said) > len(reply.text) and reply.text:
        reply = replace(reply, text=said)
    if reply.code == "OVERQUOTA" or classify(reply.text) is Meaning.TROUBLE:
        return throttled(reply, peer)
    account_problem = account_error(reply, peer)
    if account_problem is not None and not isinstance(account_problem, LoginRejected):
        return account_problem
    if cut_off and not (bye_text and _CONCERNS_LOGIN.search(reply.text)):
        return lost(peer, reply.text)
    return reply


def redact(alerts: list[str], secrets: tuple[str, ...]) -> None:
    """Strike the secrets out of what the server wants its users to read."""
    alerts[:] = [_redacted(alert, secrets) for alert in alerts]


def _redacted(text: str, secrets: tuple[str, ...]) -> str:
    for secret in secrets:
        text = text.replace(secret, "•••") if secret else text
    return text


def _login_reply(text: str) -> Reply:
    """Extract the server's words from the text of an imaplib error."""
    bad = re.search(r"command error: BAD \[b?['\"](.*)['\"]\]\Z", text, re.DOTALL)
    return parse_reply(b"BAD", bad[1].encode()) if bad else parse_reply(b"NO", text.encode())


# Yahoo's reply to a wrong password is "[AUTHORIZATIONFAILED] LOGIN Invalid credentials" (verbatim in the
# public source of an importer, read 2026-11-23).
_WRONG_PASSWORD = re.compile(r"invalid (?:credentials|password|user)", re.I)


def _login_rejected(reply: Reply, peer: Peer, explain: Callable[[str], str]) -> LoginRejected:
    host, words = peer.endpoint.host, server_words(reply)
    meaning = Meaning.NO_PASSWORDS if reply.code == "PRIVACYREQUIRED" else classify(words)
    if meaning in LOGIN_SENTENCES:
        sentence = LOGIN_SENTENCES[meaning].format(host=host)
    elif reply.code == "EXPIRED":
        sentence = f"The password for {host} has expired. Set a new one there and try again."
    elif reply.code in ("AUTHORIZATIONFAILED", "CONTACTADMIN", "NOPERM") and not _WRONG_PASSWORD.search(
        reply.text
    ):
        sentence = f"{host} accepts the password but does not let this user in. Ask its operator."
    else:
        sentence = f"{host} did not accept the user name or the password. Check both and try again."
    return LoginRejected(f"{sentence} {explain(words)}".strip(), side=peer.side, server_text=words)


def logins_disabled(peer: Peer, help_text: str) -> LoginRejected:
    """The server offers no way to log in with a password (LOGINDISABLED)."""
    sentence = LOGIN_SENTENCES[Meaning.NO_PASSWORDS].format(host=peer.endpoint.host)
    return LoginRejected(f"{sentence} {help_text}".strip(), side=peer.side)


def no_token_logins(peer: Peer, help_text: str) -> LoginRejected:
    """The server announces neither XOAUTH2 nor OAUTHBEARER."""
    sentence = f"{peer.endpoint.host} accepts passwords only, and no password is set: enter one."
    return LoginRejected(f"{sentence} {help_text}".strip(), side=peer.side)


def unusable_login(peer: Peer) -> LoginRejected:
    """The user name or the password contains characters that no IMAP command can carry."""
    return LoginRejected(
        f"The user name or the password for {peer.endpoint.host} contains a line break or another character"
        " that is not allowed there. Enter both again.",
        side=peer.side,
    )
