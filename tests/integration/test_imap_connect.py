"""Connecting and logging in: each failure explains what happened and what to do, without secrets."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from importer.adapters.imap.factory import ImapSessions
from importer.adapters.imap.imapclient_adapter import Client, Timeouts
from importer.adapters.imap.open_connection import tls_context
from importer.domain.model import Account
from providers.endpoint import Endpoint, Secret, Security
from providers.errors import (
    CertificateRefused,
    ConnectionLost,
    EncryptionUnavailable,
    HostUnknown,
    LoginRejected,
    MailError,
    NotAnImapServer,
    ServerUnavailable,
    Side,
    Throttled,
)
from providers.text import Text
from tests.conftest import MakeUser
from tests.english import said
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.hosts import RehearsalHost, new_user
from tests.rehearsal.ports import free_ports
from tests.rehearsal.scripted import CAPABILITIES, scripted_server, usual_answer

NOW = datetime(2030, 1, 1, tzinfo=UTC)
PASSWORD = "k4n4r13nv0g3l"
QUICK = Timeouts(connect_s=5.0, io_s=5.0)


def app_password(account: Account, _words: str, *, by_token: bool) -> Text | None:
    return None if by_token else Text("app_password_google", address=account.address)


def sessions(ca_file: Path | None = None) -> ImapSessions:
    return ImapSessions(
        ca_file=ca_file,
        timeouts=QUICK,
        login_help=app_password,
        now=lambda: NOW,
    )


def account(endpoint: Endpoint) -> Account:
    return Account("ada@old.example", "ada@old.example", endpoint)


def failure(
    endpoint: Endpoint,
    ca_file: Path | None = None,
    *,
    login: str = "ada@old.example",
    password: str = PASSWORD,
) -> MailError:
    """Open a session that must fail. Returns the error after checking that it does not hold the password."""
    login_account = replace(account(endpoint), login=login)
    with pytest.raises(MailError) as caught:
        sessions(ca_file).open_source(login_account, Secret(password))
    error = caught.value
    assert error.side is Side.SOURCE
    assert said(error).endswith(".")
    assert "  " not in said(error)
    assert error.__traceback__ is not None
    without_frame = error.with_traceback(
        error.__traceback__.tb_next
    )  # without this frame, which holds the password
    report = "".join(traceback.TracebackException.from_exception(without_frame, capture_locals=True).format())
    assert "open_connection" in report
    texts = [report, repr(error), said(error), error.server_text, repr(vars(error))]
    chain: BaseException | None = error
    while chain is not None:
        texts += [repr(chain), repr(chain.args), repr(vars(chain))]
        chain = chain.__cause__ or chain.__context__
    for text in texts:
        assert password not in text
        assert password.replace("\\", "\\\\") not in text
    return error


# --- Successful logins ---------------------------------------------------------------------------------

ODD_PASSWORDS = [
    "pässwörd €",
    'quo"te',
    "back\\slash\\",
    "  blanks  inside ",
    "{5}",
    "NIL",
    "=?utf-8?q?x?=",
    "x" * 200,
]


@pytest.mark.parametrize("password", ODD_PASSWORDS)
def test_any_password_logs_in(new_host: Dovecot, make_user: MakeUser, password: str) -> None:
    user = make_user(new_host)
    new_host.add_user(user.account.login, password)
    session = sessions(user.ca_file).open_source(user.account, Secret(password))
    assert session.status("INBOX").messages == 0
    session.close()


@pytest.mark.parametrize("password", ODD_PASSWORDS)
def test_any_password_logs_in_with_the_login_command(
    new_host: Dovecot, make_user: MakeUser, password: str
) -> None:
    user = make_user(new_host)
    new_host.add_user(user.account.login, password)
    client = Client(new_host.imaps, tls_context(user.ca_file), QUICK)
    client.login_command(user.account.login, password)
    assert "UIDPLUS" in client.fresh_capabilities()
    client.logout()


@pytest.mark.parametrize("host_name", ["new_host", "small_host"])
def test_starttls_works_and_plaintext_uses_it_where_it_is_offered(
    request: pytest.FixtureRequest, make_user: MakeUser, host_name: str
) -> None:
    host: RehearsalHost = request.getfixturevalue(host_name)
    user = make_user(host)
    for security in (Security.STARTTLS, Security.PLAINTEXT):
        target = replace(user.account, endpoint=replace(host.starttls, security=security))
        session = sessions(user.ca_file).open_source(target, Secret(user.password))
        assert session.status("INBOX").messages == 0
        session.close()
        with pytest.raises(CertificateRefused):  # plaintext does not bypass the certificate check
            sessions().open_source(target, Secret(user.password))


def test_plaintext_continues_without_encryption_where_none_is_offered() -> None:
    with scripted_server() as server:
        session = sessions().open_source(account(server.endpoint), Secret(PASSWORD))
        assert session.status("INBOX").messages == 8
        session.close()
    assert server.commands[1:4] == ["AUTHENTICATE PLAIN", "CREDENTIALS", "CAPABILITY"]


@pytest.mark.parametrize("asks_first", [True, False])
def test_an_initial_sasl_response_is_repeated_where_the_server_requests_it(asks_first: bool) -> None:
    """The server offers SASL-IR and still sends `+`: imaplib alone would wait forever."""

    def answer(command: str) -> bytes | None:
        if command == "CAPABILITY":
            return usual_answer(command, CAPABILITIES + " SASL-IR")
        continues = command.startswith("AUTHENTICATE") and asks_first
        return b"+ idling\r\n" if continues else b"TAG OK done\r\n" if command.startswith("AUTH") else None

    with scripted_server(answer) as server:
        sessions().open_source(account(server.endpoint), Secret(PASSWORD)).close()
    [_, sent, *rest] = server.commands
    assert sent.startswith("AUTHENTICATE PLAIN ")
    assert rest[:2] == (["CREDENTIALS", "CAPABILITY"] if asks_first else ["CAPABILITY", "LOGOUT"])


def test_repeated_sasl_challenges_get_no_further_response() -> None:
    def answer(command: str) -> bytes | None:
        if command == "CAPABILITY":
            return usual_answer(command, CAPABILITIES + " SASL-IR")
        return b"+ \r\n" if server.commands.count("CREDENTIALS") < 2 else b"TAG BAD cancelled\r\n"

    with scripted_server(answer) as server:
        assert isinstance(failure(server.endpoint), LoginRejected)
    assert server.commands[-1] == "CREDENTIALS"  # the second is the `*` that cancels


@pytest.mark.parametrize(
    "told", [b"TAG OK [CAPABILITY %s] begin\r\n", b"* CAPABILITY %s\r\nTAG OK begin\r\n"]
)
def test_capabilities_before_tls_are_discarded(ca: CertificateAuthority, told: bytes) -> None:
    """RFC 9051 section 6.2.1: an attacker may have sent it."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*ca.issue("localhost"))
    received: list[str] = []

    def serve() -> None:
        client = listener.accept()[0]
        client.sendall(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n")
        tag = client.recv(1000).split()[0]
        client.sendall((told % b"IMAP4rev1 LOGINDISABLED").replace(b"TAG", tag))
        with tls.wrap_socket(client, server_side=True) as secured:
            for line in secured.makefile("rb"):
                tag, _, command = line.rstrip().partition(b" ")
                received.append(command.decode().split(" ")[0])
                secured.sendall(usual_answer(received[-1], "IMAP4rev1").replace(b"TAG", tag))

    with socket.create_server(("localhost", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        endpoint = Endpoint("localhost", int(listener.getsockname()[1]), Security.STARTTLS)
        sessions(ca.ca_file).open_source(account(endpoint), Secret(PASSWORD)).close()
    assert received[:3] == ["CAPABILITY", "LOGIN", "CAPABILITY"]


def test_capabilities_are_read_after_the_login() -> None:
    def answer(command: str) -> bytes | None:
        if command == "CAPABILITY":
            extra = " APPENDLIMIT=35651584 ID" if "CREDENTIALS" in server.commands else ""
            return usual_answer(command, CAPABILITIES + extra)
        return b"* ID NIL\r\nTAG OK done\r\n" if command.startswith("ID ") else None

    with scripted_server(answer) as server:
        session = sessions().open_destination(account(server.endpoint), Secret(PASSWORD))
        assert session.append_limit_bytes() == 35651584
        session.folders()
    assert 'ID ("name" "mailhaul")' in server.commands


def test_connections_use_tcp_nodelay_and_modern_tls(new_host: Dovecot) -> None:
    client = Client(new_host.imaps, tls_context(new_host.ca_file), QUICK)
    assert client.socket().getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert client.socket().version() >= "TLSv1.2"
    client.close_abruptly()


# --- Failures ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host_name", ["new_host", "small_host"])
@pytest.mark.parametrize(
    "password", [PASSWORD, "pässwörd €€", 'quo"te\\9', "two\nlines", "nul\0", "half\ud800pair"]
)
def test_a_wrong_password_is_reported(
    request: pytest.FixtureRequest, make_user: MakeUser, host_name: str, password: str
) -> None:
    if host_name == "small_host" and not password.isascii():
        pytest.skip("pymap closes the connection on such a password")
    host: RehearsalHost = request.getfixturevalue(host_name)
    user = make_user(host)
    error = failure(host.imaps, user.ca_file, login=user.account.login, password=password)
    assert isinstance(error, LoginRejected)
    assert "localhost" in said(error)
    assert "password" in said(error)
    if password == PASSWORD:
        assert said(error) == (
            "localhost did not accept the user name or the password. Google accepts app passwords only:"
            " create one at https://myaccount.google.com/apppasswords and use it instead of the account's"
            " password, or sign in with Google."
        )


def test_a_user_name_with_a_line_break_is_not_sent() -> None:
    with scripted_server() as server:
        error = failure(server.endpoint, login="ada\r\nX1 NOOP")
    assert isinstance(error, LoginRejected)
    assert server.commands == ["CAPABILITY"]


def test_an_unknown_host_is_reported() -> None:
    error = failure(Endpoint("imap.nowhere.invalid"))
    assert isinstance(error, HostUnknown)
    assert said(error) == (
        "There is no server called imap.nowhere.invalid. Check the address or the server name."
    )
    for odd in ("a..b", ".", "x" * 70 + ".example", "-"):
        assert isinstance(failure(Endpoint(odd)), HostUnknown)


def test_a_closed_port_is_reported_as_unavailable() -> None:
    (port,) = free_ports()
    error = failure(Endpoint("localhost", port))
    assert isinstance(error, ServerUnavailable)
    assert f"Nothing answers at localhost on port {port}." in said(error)


@pytest.mark.parametrize("said", ["BYE [UNAVAILABLE] starting up", "NO [LIMIT] Too many of you", "BAD no"])
def test_a_rejecting_greeting_is_throttling_and_not_retried(said: str) -> None:
    with scripted_server(greeting=b"* " + said.encode() + b"\r\n") as server:
        error = failure(server.endpoint)
    assert isinstance(error, Throttled)
    assert (error.whole_host, error.connecting) == (True, True)
    assert error.server_text == said.partition(" ")[2]
    assert server.connections == 1


def test_an_untrusted_authority_is_refused(new_host: Dovecot) -> None:
    error = failure(new_host.imaps)
    assert isinstance(error, CertificateRefused)
    assert said(error).startswith(
        "The certificate of localhost was not issued by a certificate authority that is trusted here."
    )
    assert not error.server_text  # OpenSSL's words are not the server's


@pytest.mark.parametrize(("names", "expired"), [(("wrong.example",), False), ((), True)])
def test_a_certificate_for_another_host_or_an_expired_one_is_refused(
    ca: CertificateAuthority, names: tuple[str, ...], expired: bool
) -> None:
    certificate = ca.issue(*names, expired=expired)
    with scripted_server(certificate=certificate, security=Security.TLS) as server:
        error = failure(server.endpoint, ca.ca_file)
    assert isinstance(error, CertificateRefused)
    assert server.commands == []
    assert ("is for another name" if names else "has expired") in said(error)


@pytest.mark.parametrize(
    "greeting",
    [
        b"220 mail.example ESMTP\r\n",
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\0\xff\xfe garbage",
        b"+OK POP3 ready\r\n",
    ],
)
@pytest.mark.parametrize("security", [Security.PLAINTEXT, Security.TLS])
def test_a_server_that_does_not_speak_imap_is_reported(greeting: bytes, security: Security) -> None:
    with scripted_server(greeting=greeting, security=security) as server:
        error = failure(server.endpoint)
    assert isinstance(error, NotAnImapServer)
    assert f"port {server.endpoint.port}" in said(error)
    assert server.connections == 1


def test_plaintext_to_a_tls_port_suggests_imaps(new_host: Dovecot) -> None:
    error = failure(replace(new_host.imaps, security=Security.PLAINTEXT))
    assert isinstance(error, NotAnImapServer)
    assert "imaps://" in said(error)


def test_tls_to_a_port_without_tls_suggests_starttls(new_host: Dovecot) -> None:
    error = failure(replace(new_host.starttls, security=Security.TLS), new_host.ca_file)
    assert isinstance(error, NotAnImapServer)
    assert "imap://" in said(error)


def test_no_password_is_sent_when_starttls_is_not_offered() -> None:
    with scripted_server(security=Security.STARTTLS) as server:
        error = failure(server.endpoint)
    assert isinstance(error, EncryptionUnavailable)
    assert server.commands == ["CAPABILITY"]


def starttls_offered(answer_to_starttls: bytes) -> Callable[[str], bytes | None]:
    def answer(command: str) -> bytes | None:
        if command == "CAPABILITY":
            return usual_answer(command, "IMAP4rev1 STARTTLS AUTH=PLAIN")
        return answer_to_starttls if command == "STARTTLS" else None

    return answer


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.PLAINTEXT])
@pytest.mark.parametrize(
    "answer",
    [
        b"TAG NO not today\r\n",
        b"TAG BAD what\r\n",
        b"TAG OK begin\r\n* PREAUTH welcome\r\n",
        b"TAG OK begin\r\nM1 OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] injected\r\n",
    ],
)
def test_no_password_is_sent_when_starttls_fails(security: Security, answer: bytes) -> None:
    with scripted_server(starttls_offered(answer), security=security) as server:
        error = failure(server.endpoint)
    assert isinstance(error, EncryptionUnavailable)
    assert server.commands == ["CAPABILITY", "STARTTLS"]


@pytest.mark.parametrize(
    ("security", "kind"),
    [(Security.STARTTLS, EncryptionUnavailable), (Security.PLAINTEXT, NotAnImapServer)],
)
def test_a_preauth_greeting_is_refused(security: Security, kind: type[MailError]) -> None:
    with scripted_server(greeting=b"* PREAUTH welcome\r\n", security=security) as server:
        assert isinstance(failure(server.endpoint), kind)
    assert server.commands == ["CAPABILITY"]


# --- Responses to a login ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (b"TAG NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)", LoginRejected, "did not accept"),
        (b"TAG NO LOGIN failed.", LoginRejected, "did not accept"),
        (b'TAG BAD [AUTHENTICATIONFAILED] it\'s "wrong"', LoginRejected, "did not accept"),
        (b"TAG NO [EXPIRED] old", LoginRejected, "expired"),
        (b"TAG NO [AUTHORIZATIONFAILED] not you", LoginRejected, "does not let this user in"),
        (b"TAG NO [PRIVACYREQUIRED] no", LoginRejected, "accepts no password over this kind"),
        (b"TAG NO Basic authentication is disabled.", LoginRejected, "accepts no password over this kind"),
        (
            b"TAG NO [ALERT] Application-specific password required: https://old.example/app (Failure)",
            LoginRejected,
            "app password",
        ),
        (b"TAG NO [ALERT] IMAP access is disabled for your domain", LoginRejected, "IMAP is switched off"),
        (b"* BYE wrong password too often\r\nTAG NO no", LoginRejected, "did not accept"),
        (
            b"TAG NO [ALERT] Too many simultaneous connections. (Failure)",
            Throttled,
            "no more connections",
        ),
        (
            b"TAG NO [UNAVAILABLE] Maximum number of connections from user+IP exceeded",
            Throttled,
            "no more connections",
        ),
        (b"TAG NO [INUSE] being moved", ServerUnavailable, "busy"),
        (b"* BYE [UNAVAILABLE] going down", ServerUnavailable, "busy"),
        (
            b"TAG NO [OVERQUOTA] Account exceeded command or bandwidth limits.",
            Throttled,
            "daily transfer limit",
        ),
        (b"* BYE Autologout", ConnectionLost, "was lost"),
    ],
)
def test_a_refused_login_is_distinguished_from_a_busy_server(
    answer: bytes, kind: type[MailError], words: str
) -> None:
    with scripted_server(lambda command: answer + b"\r\n" if command == "CREDENTIALS" else None) as server:
        error = failure(server.endpoint)
    assert type(error) is kind
    assert words in said(error)
    assert error.server_text
    assert server.connections == 1  # never twice: hosts lock accounts
    if kind is LoginRejected:
        assert said(error).endswith("or sign in with Google.")


def test_the_backoff_time_of_exchange_is_applied() -> None:
    def answer(command: str) -> bytes | None:
        refusal = b"TAG NO Request is throttled. Suggested Backoff Time: 299961 milliseconds\r\n"
        return refusal if command == "CREDENTIALS" else None

    with scripted_server(answer) as server:
        error = failure(server.endpoint)
    assert isinstance(error, Throttled)
    assert error.until == NOW + timedelta(milliseconds=299961)


def test_a_password_repeated_by_the_server_is_masked() -> None:
    def answer(command: str) -> bytes | None:
        refusal = b"TAG NO no such pair: ada / " + PASSWORD.encode() + b"\r\n"
        return refusal if command == "CREDENTIALS" else None

    with scripted_server(answer) as server:
        assert "•••" in failure(server.endpoint).server_text


def test_a_server_without_a_login_method_is_reported() -> None:
    def answer(command: str) -> bytes | None:
        return usual_answer(command, "IMAP4rev1 LOGINDISABLED") if command == "CAPABILITY" else None

    with scripted_server(answer) as server:
        error = failure(server.endpoint)
    assert isinstance(error, LoginRejected)
    assert server.commands == ["CAPABILITY"]


def test_a_connection_lost_during_the_login_is_not_a_wrong_password() -> None:
    with scripted_server(lambda command: b"* BYE\r\n" if command == "CREDENTIALS" else None) as server:
        assert isinstance(failure(server.endpoint), ConnectionLost)


def test_no_log_line_holds_the_password(new_host: Dovecot, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    name = "logged@mail.example"
    user = new_user(new_host, name, PASSWORD)
    sessions(user.ca_file).open_source(user.account, Secret(PASSWORD)).close()
    failure(new_host.imaps, user.ca_file, login=name, password=PASSWORD + "x")
    assert PASSWORD not in caplog.text


def test_an_open_connection_keeps_no_transcript_of_the_login(new_host: Dovecot, make_user: MakeUser) -> None:
    user = make_user(new_host)
    client = Client(new_host.imaps, tls_context(user.ca_file), QUICK)
    client.login_command(user.account.login, user.password)
    connection = vars(client)["_imap"]
    assert vars(connection)["_cmd_log"] == {}
    assert connection.debug == 0  # else imaplib formats every literal, twice
    client.logout()


@pytest.mark.parametrize("until", ["", "CAPABILITY", "AUTHENTICATE", "CREDENTIALS"])
def test_a_trickling_server_times_out(until: str) -> None:
    """Each byte arrives in time, but the response never ends."""
    quick = ImapSessions(timeouts=Timeouts(connect_s=0.4, io_s=0.4))
    stopped = threading.Event()

    def serve() -> None:
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as lines:
                if until:
                    connection.sendall(b"* OK ready\r\n")
                    while until not in (line := lines.readline().decode()):
                        tag, _, command = line.strip().partition(" ")
                        answer = usual_answer(command).replace(b"TAG", tag.encode())
                        connection.sendall(answer)
                        if command.startswith("AUTHENTICATE") and until == "CREDENTIALS":
                            break
                while not stopped.wait(0.05):
                    connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        endpoint = Endpoint("localhost", listener.getsockname()[1], Security.PLAINTEXT)
        began = time.monotonic()
        with pytest.raises(MailError):
            quick.open_source(account(endpoint), Secret(PASSWORD))
        assert time.monotonic() - began < 60  # the server would go on for ever
        stopped.set()
        thread.join(5)


@pytest.mark.parametrize("capabilities", ["IMAP4rev1", "IMAP4rev1 AUTH=PLAIN SASL-IR"])
@pytest.mark.parametrize("status", ["NO", "BAD"])
def test_a_command_echoed_by_the_server_does_not_reveal_the_password(capabilities: str, status: str) -> None:
    password = "k4n4r13\"'\\x"

    def repeats(command: str) -> bytes | None:
        if command.startswith(("LOGIN", "AUTHENTICATE")):
            return f"TAG {status} Error in command: {command}\r\n".encode()
        return usual_answer(command, capabilities)

    with scripted_server(repeats) as server:
        with pytest.raises(LoginRejected) as caught:
            sessions().open_source(account(server.endpoint), Secret(password))
        tried = [command for command in server.commands if command.startswith(("LOGIN", "AUTHENTICATE"))]
    error = caught.value
    assert "Error in command" in error.server_text
    shown = f"{error} {error.server_text}"
    assert "k4n4r13" not in shown
    assert tried
    for sent in tried:
        assert sent.rpartition(" ")[2].strip('"') not in shown
