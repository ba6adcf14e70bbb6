"""Translates errors of name look-up, connecting, TLS, greeting and login into `providers.errors`."""

from __future__ import annotations

import imaplib
import re
import socket
import ssl
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

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
from importer.adapters.imap.wire_events import Reply, parse_reply
from importer.adapters.imap.wire_values import human_words
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
from providers.server_messages import LOGIN_CODES, Meaning, classify
from providers.text import Explain, Text


def opening_error(error: Exception, peer: Peer) -> MailError:  # noqa: PLR0912 - one for each error
    """Translate an error raised between the name look-up and the end of STARTTLS. Errors of the system and of
    TLS have texts of our own, since the server sent none."""
    host, port = peer.host, str(peer.endpoint.port)
    kind: type[MailError]
    match error:
        case imaplib.IMAP4.error():
            return _greeting_error(error, peer)
        case socket.gaierror() if error.errno == socket.EAI_AGAIN:
            kind, code = ServerUnavailable, "server_unavailable.name"
        case AddressForbidden() | socket.gaierror() if isinstance(error, AddressForbidden) or peer.is_guarded:
            # One answer for both: a user must not learn which names exist inside.
            kind, code = HostForbidden, "host_forbidden"
        case socket.gaierror():
            kind, code = HostUnknown, "host_unknown"
        case ssl.SSLCertVerificationError():
            return CertificateRefused(_certificate_text(error, host), side=peer.side)
        case ssl.SSLError() if "EOF" not in str(error):
            kind, code = NotAnImapServer, "not_an_imap_server.tls"
        case EarlyBytes():
            kind, code = EncryptionUnavailable, "encryption_unavailable.early_bytes"
        case SilentServer() if peer.endpoint.security is not Security.TLS:
            kind, code = NotAnImapServer, "not_an_imap_server.silent"
        case SilentServer() | TimeoutError():  # after a TLS handshake: the server is up but slow
            kind, code = ServerUnavailable, "server_unavailable.no_answer"
        case ConnectionRefusedError():
            kind, code = ServerUnavailable, "server_unavailable.refused"
        case ConnectionResetError() | BrokenPipeError() | ssl.SSLEOFError():
            kind, code = ServerUnavailable, "server_unavailable.closed"
        case ValueError():  # not a host name, such as "a..b"
            kind, code = HostUnknown, "host_unknown.not_a_name"
        case _:
            kind, code = ServerUnavailable, "server_unavailable.unreachable"
    return kind(Text(code, host=host, port=port), side=peer.side)


# https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/ (2026-11).
_CERTIFICATE_CODES: Final = {
    10: "expired",
    18: "not_trusted",  # self-signed
    19: "not_trusted",  # self-signed certificate in the chain
    20: "not_trusted",  # issuer not found here
    21: "not_trusted",  # issuer not sent
    62: "other_name",
    64: "other_name",  # for an IP address
}


def _certificate_text(error: ssl.SSLCertVerificationError, host: str) -> Text:
    """The fault of the certificate; in the words of OpenSSL if it is none of the above."""
    if code := _CERTIFICATE_CODES.get(error.verify_code):
        return Text(f"certificate_refused.{code}", host=host)
    return Text("certificate_refused.verify", host=host, error=error.verify_message)


def no_encryption(peer: Peer, server_text: str = "") -> EncryptionUnavailable:
    """The endpoint requires STARTTLS and the server does not offer it, or refuses it."""
    return EncryptionUnavailable(
        Text("encryption_unavailable.port", host=peer.host, port=str(peer.endpoint.port)),
        side=peer.side,
        server_text=server_text,
    )


def encryption_refused(peer: Peer, line: bytes) -> EncryptionUnavailable:
    """The server offered STARTTLS and answered it with the NO or BAD in `line`."""
    status, _, words = line.strip().partition(b" ")
    return EncryptionUnavailable(
        Text("encryption_unavailable.refused", host=peer.host, port=str(peer.endpoint.port)),
        side=peer.side,
        server_text=server_words(parse_reply(status, words)),
    )


def preauthenticated(peer: Peer) -> MailError:
    """The greeting was PREAUTH (RFC 9051 section 7.1.4)."""
    if peer.endpoint.security is Security.STARTTLS:
        return no_encryption(peer)
    return NotAnImapServer(Text("not_an_imap_server.no_password", host=peer.host), side=peer.side)


_REFUSED_GREETING = re.compile(r"\* (BYE|NO|BAD)\b ?(.*)", re.I | re.S)


def _greeting_error(error: imaplib.IMAP4.error, peer: Peer) -> MailError:
    if is_too_large(error):
        return login_too_large(peer)
    greeting = error.args[0] if error.args else ""
    text = human_words(greeting) if isinstance(greeting, bytes) else str(greeting)
    host, port, side = peer.host, str(peer.endpoint.port), peer.side
    if refusal := _REFUSED_GREETING.match(text):  # before the login: it concerns every client
        reply = parse_reply(refusal[1].upper().encode(), refusal[2].encode())
        return throttled(reply, peer, before_login=True)
    if "establish TLS session" in text or "STARTTLS" in text:  # NO or BAD to STARTTLS
        return no_encryption(peer)
    if "socket error" in text:
        return ServerUnavailable(Text("server_unavailable.closed", host=host, port=port), side=side)
    return NotAnImapServer(
        Text("not_an_imap_server.greeting", host=host, port=port),
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
    explain: Explain,
    secrets: tuple[str, ...],
    alerts: Sequence[str] = (),
) -> MailError:
    """Translate a failed login with a password.

    `alerts` are the server's ALERT texts. `bye_text` is the text of the server's BYE, "" if there was none.
    `explain` maps the server's words to the steps to take at this provider. `secrets` are redacted from the
    server's words.
    """
    refusal = _refusal(error, bye_text, peer, secrets, alerts)
    return _login_rejected(refusal, peer, explain) if isinstance(refusal, Reply) else refusal


def token_error(
    error: Exception,
    bye_text: str,
    peer: Peer,
    *,
    explain: Explain,
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
    code = "token_without_imap" if classify(words) in _NO_IMAP_ACCESS else "token"
    return LoginRejected(
        Text(f"login_rejected.{code}", steps=explain(words), host=peer.host),
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
        return lost(peer, reply.text if bye_text else "")
    return reply


def redact(alerts: list[str], secrets: tuple[str, ...]) -> None:
    """Redact the secrets in the server's ALERT texts."""
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


def _login_rejected(reply: Reply, peer: Peer, explain: Explain) -> LoginRejected:
    words = server_words(reply)
    meaning = Meaning.NO_PASSWORDS if reply.code == "PRIVACYREQUIRED" else classify(words)
    if meaning in LOGIN_CODES:
        code = LOGIN_CODES[meaning]
    elif reply.code == "EXPIRED":
        code = "login_rejected.expired"
    elif reply.code == "REFERRAL":  # RFC 2221: the words name the other server
        code = "login_rejected.other_server"
    elif reply.code in ("AUTHORIZATIONFAILED", "CONTACTADMIN", "NOPERM") and not _WRONG_PASSWORD.search(
        reply.text
    ):
        code = "login_rejected.not_allowed"
    else:
        code = "login_rejected.wrong_password"
    text = Text(code, steps=explain(words), host=peer.host)
    return LoginRejected(text, side=peer.side, server_text=words)


def logins_disabled(peer: Peer, steps: Text | None) -> LoginRejected:
    """The server offers no way to log in with a password (LOGINDISABLED)."""
    text = Text(LOGIN_CODES[Meaning.NO_PASSWORDS], steps=steps, host=peer.host)
    return LoginRejected(text, side=peer.side)


def no_token_logins(peer: Peer, steps: Text | None) -> LoginRejected:
    """The server announces neither XOAUTH2 nor OAUTHBEARER."""
    text = Text("login_rejected.no_token_logins", steps=steps, host=peer.host)
    return LoginRejected(text, side=peer.side)


def unusable_login(peer: Peer) -> LoginRejected:
    """The user name or the password contains characters that no IMAP command can carry."""
    return LoginRejected(Text("login_rejected.unsendable", host=peer.host), side=peer.side)
