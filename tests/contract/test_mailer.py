"""The contract of the Mailer port on real SMTP servers on loopback: each outcome reports what happened."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from asyncio import Server
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from importer.adapters.mail.smtp import SmtpMailer
from importer.adapters.mail.smtp_url import MailServer, Protection
from importer.domain.messages.message_identity import is_notice
from importer.i18n.code_texts import render, render_with_advice
from importer.i18n.translations import texts
from importer.ports.notices import Mailer, MailOutcome, Notice
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.ports import PATIENCE_S, free_ports
from tests.rehearsal.smtp import SmtpCatcher, smtp_catcher

KEY = b"k" * 32
SENDER = "Mailhaul <mailhaul@new.example>"
PASSWORD = "pä:ss/wörd@#1"
NOTICE = Notice(
    key="import:i1:ada@new.example",
    recipient="ada@new.example",
    subject="Your mail has been copied: 4,211 messages ✓",
    text="All of it.\n.\n.hidden dot\nZürich\n",
    html="<p>All of it: Zürich</p>\n",
    message_id="<0123456789abcdef0123456789abcdef@new.example>",
    created_at=datetime(2026, 3, 1, 14, 30, tzinfo=UTC),
)


SLOW_S = 3.0
"""How long the scripted server waits before an answer that is slow."""


def mailer(url: str, **parameters: Any) -> SmtpMailer:
    parameters = {"connect_wait_s": 0.0, "timeout_s": 60.0, "answer_timeout_s": 60.0} | parameters
    return SmtpMailer(url, SENDER, KEY, **parameters)


@pytest.fixture(name="catcher")
def _catcher() -> Iterator[SmtpCatcher]:
    with smtp_catcher() as catcher:
        yield catcher


class Box(Controller):
    """An SMTP server with TLS and logins. Keeps each envelope with its encryption and login status."""

    def __init__(self, **parameters: Any) -> None:
        self.accepted: list[tuple[Envelope, bool, bool]] = []
        self.logins = 0
        super().__init__(self, hostname="127.0.0.1", port=0, authenticator=self._authenticate, **parameters)

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        self.logins += 1
        good = data == LoginPassword(b"ada", PASSWORD.encode())
        return AuthResult(success=good, handled=False)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        encrypted = session.ssl is not None or self.ssl_context is not None
        self.accepted.append((envelope, encrypted, bool(session.authenticated)))
        return "250 2.0.0 Kept"

    def _trigger_server(self) -> None:
        if isinstance(self.server, Server):
            self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextmanager
def box(**parameters: Any) -> Iterator[Box]:
    running = Box(**parameters)
    running.start()
    try:
        yield running
    finally:
        running.stop()


# --- The delivered mail --------------------------------------------------------------------------------


def test_a_mail_arrives_complete_and_is_marked_as_a_notice(catcher: SmtpCatcher) -> None:
    port: Mailer = mailer(catcher.url)
    outcome, detail = port.send(NOTICE)
    assert (outcome, detail) == (MailOutcome.SENT, "250 2.0.0 Kept")

    (mail,) = catcher.messages
    assert (mail.sender, mail.recipients) == ("mailhaul@new.example", ("ada@new.example",))
    message = mail.message
    assert message["From"] == SENDER
    assert message["To"] == NOTICE.recipient
    assert message["Subject"] == NOTICE.subject
    assert message["Date"].datetime == NOTICE.created_at
    assert message["Message-ID"] == NOTICE.message_id
    assert message["Auto-Submitted"] == "auto-generated"
    assert is_notice(KEY, message.as_bytes())
    assert not is_notice(b"another installation", message.as_bytes())

    assert message.get_content_type() == "multipart/alternative"
    text, html = message.iter_parts()
    assert isinstance(text, EmailMessage)
    assert isinstance(html, EmailMessage)
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert text.get_content().replace("\r\n", "\n") == NOTICE.text
    assert html.get_content().replace("\r\n", "\n") == NOTICE.html


def test_the_mail_is_seven_bit_so_that_no_relay_has_to_change_it() -> None:
    with box() as server:
        assert mailer(f"smtp://127.0.0.1:{server.port}").send(NOTICE)[0] is MailOutcome.SENT
        content = server.accepted[0][0].content
    assert isinstance(content, bytes)
    assert content.isascii()
    assert all(len(line) <= 998 for line in content.split(b"\r\n"))


@pytest.mark.parametrize(
    "broken",
    [
        {"subject": "Hi\r\nBcc: eve@evil.example"},
        {"recipient": "ada@new.example\r\nBcc: eve@evil.example"},
        {"recipient": "ada@new.example, eve@evil.example"},
        {"recipient": "ada"},
        {"message_id": "<x@y>\nBcc: eve@evil.example"},
        {"text": "half \ud83d"},
    ],
)
def test_an_invalid_notice_is_refused_and_nothing_is_sent(
    catcher: SmtpCatcher, broken: dict[str, str]
) -> None:
    outcome, detail = mailer(catcher.url).send(replace(NOTICE, **broken))  # type: ignore[arg-type]
    assert outcome is MailOutcome.REFUSED
    assert detail.startswith("The mail cannot be written:")
    assert catcher.connections == 0


def test_a_domain_with_an_umlaut_is_reached_under_its_ascii_name(catcher: SmtpCatcher) -> None:
    assert mailer(catcher.url).send(replace(NOTICE, recipient="ada@bücher.example"))[0] is MailOutcome.SENT
    (mail,) = catcher.messages
    assert mail.recipients == ("ada@xn--bcher-kva.example",)
    assert mail.message["To"] == "ada@xn--bcher-kva.example"


def test_an_address_with_an_umlaut_needs_a_server_with_smtputf8() -> None:
    notice = replace(NOTICE, recipient="jürg@new.example")
    with box(enable_SMTPUTF8=True) as server:
        assert mailer(f"smtp://127.0.0.1:{server.port}").send(notice)[0] is MailOutcome.SENT
        envelope = server.accepted[0][0]
        assert envelope.rcpt_tos == ["jürg@new.example"]
        content = envelope.content
        assert isinstance(content, bytes)
        assert message_from_bytes(content, policy=policy.SMTPUTF8)["To"] == "jürg@new.example"
    with box(enable_SMTPUTF8=False) as server:
        outcome, detail = mailer(f"smtp://127.0.0.1:{server.port}").send(notice)
        assert (outcome, server.accepted) == (MailOutcome.REFUSED, [])
        assert "SMTPUTF8" in detail


# --- Faults ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "outcome", "kept"),
    [
        ({"drop_connections": 2}, MailOutcome.SENT, 1),
        ({"drop_connections": 99}, MailOutcome.RETRY, 0),
        ({"defer_recipients": 1}, MailOutcome.RETRY, 0),
        ({"refuse_recipients": {"ada@new.example"}}, MailOutcome.REFUSED, 0),
        ({"drop_at_data": 1}, MailOutcome.RETRY, 0),
        ({"defer_data": 1}, MailOutcome.RETRY, 0),
        ({"drop_unaccepted": 1}, MailOutcome.UNKNOWN, 0),
        ({"drop_accepted": 1}, MailOutcome.UNKNOWN, 1),
    ],
)
def test_each_fault_has_its_outcome(
    catcher: SmtpCatcher, fault: dict[str, Any], outcome: MailOutcome, kept: int
) -> None:
    for name, value in fault.items():
        setattr(catcher.faults, name, value)
    result, detail = mailer(catcher.url).send(NOTICE)
    assert result is outcome
    assert detail
    assert len(catcher.messages) == kept


def test_only_connecting_is_retried(catcher: SmtpCatcher) -> None:
    catcher.faults.drop_connections = 99
    mailer(catcher.url).send(NOTICE)
    assert catcher.connections == 3
    catcher.clear()
    catcher.faults.drop_accepted = 1
    mailer(catcher.url).send(NOTICE)
    assert (catcher.connections, len(catcher.messages)) == (1, 1)


def test_an_unreachable_server_is_reported_by_name() -> None:
    (port,) = free_ports()
    outcome, detail = mailer(f"smtp://127.0.0.1:{port}").send(NOTICE)
    assert outcome is MailOutcome.RETRY
    assert detail.startswith(f"127.0.0.1:{port} cannot be reached: Connection refused.")
    problem = mailer(f"smtp://127.0.0.1:{port}").check()
    assert problem is not None
    assert render_with_advice(problem, texts("en")) == detail
    assert "ist nicht erreichbar: Connection refused" in render(problem, texts("de"))


def test_a_server_that_is_up_passes_the_check(catcher: SmtpCatcher) -> None:
    assert mailer(catcher.url).check() is None
    assert catcher.messages == []


Step = tuple[str, str | None]


@contextmanager
def scripted(answers: Sequence[Step]) -> Iterator[tuple[str, list[bytes]]]:
    """A server that answers commands by their first word from a script; None closes the connection."""
    received: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))
    script = dict(answers)

    def serve() -> None:
        client, _ = listener.accept()
        with client, client.makefile("rb") as lines:
            client.sendall(b"220 here\r\n")
            client.settimeout(PATIENCE_S)
            in_data = False
            for line in lines:
                if in_data and line != b".\r\n":
                    if script.get("body", "") is None:
                        return
                    continue
                word = "dot" if in_data else line.split()[0].decode().lower()
                in_data = False
                received.append(line)
                answer = script.get(word, "354 go" if word == "data" else "250 fine")
                if answer is None:
                    return
                if answer.startswith("slow "):
                    time.sleep(SLOW_S)
                    answer = answer.removeprefix("slow ")
                with suppress(OSError):  # the client may have stopped waiting
                    client.sendall(answer.encode() + b"\r\n")
                in_data = answer.startswith("354")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"smtp://127.0.0.1:{listener.getsockname()[1]}", received
    finally:
        listener.close()
        thread.join(PATIENCE_S)


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ([("mail", "550 5.7.1 who are you")], MailOutcome.RETRY),
        ([("mail", "552 5.3.4 too large")], MailOutcome.REFUSED),
        ([("mail", None)], MailOutcome.RETRY),
        ([("rcpt", "251 forwarded")], MailOutcome.SENT),
        ([("rcpt", "530 5.7.0 log in first")], MailOutcome.RETRY),
        ([("rcpt", None)], MailOutcome.RETRY),
        ([("data", "554 no")], MailOutcome.REFUSED),
        ([("data", "421 closing")], MailOutcome.RETRY),
        ([("data", "250 what")], MailOutcome.RETRY),
        ([("body", None)], MailOutcome.RETRY),
        ([("dot", "554 5.6.0 spam")], MailOutcome.REFUSED),
        ([("dot", "421 4.3.2 closing")], MailOutcome.RETRY),
        ([("dot", "hello?")], MailOutcome.UNKNOWN),
        ([("dot", "354 again")], MailOutcome.UNKNOWN),
        ([("dot", "slow 250 kept")], MailOutcome.UNKNOWN),
        ([("dot", "250 " + "x" * 9000)], MailOutcome.UNKNOWN),
        ([("quit", None)], MailOutcome.SENT),
    ],
)
def test_each_server_reply_has_its_outcome(answers: Sequence[Step], outcome: MailOutcome) -> None:
    # Larger than any socket buffer, so that the client notices a close in the middle of the body.
    notice = replace(NOTICE, text="x" * 60 + "\n") if ("body", None) not in answers else _long_notice()
    with scripted(answers) as (url, _):
        is_late = any((answer or "").startswith("slow ") for _, answer in answers)
        patience_s = SLOW_S / 10 if is_late else 60.0
        assert mailer(url, answer_timeout_s=patience_s).send(notice)[0] is outcome


def test_a_slow_final_reply_is_awaited() -> None:
    with scripted([("dot", "slow 250 kept")]) as (url, _):
        assert mailer(url, timeout_s=SLOW_S / 2).send(NOTICE) == (MailOutcome.SENT, "250 kept")


def _long_notice() -> Notice:
    return replace(NOTICE, text=("x" * 70 + "\n") * 150_000)


def test_a_permanent_refusal_quotes_the_server() -> None:
    with scripted([("rcpt", "550 5.1.1 No such\x1b[2J user\u202e")]) as (url, received):
        detail = mailer(url).send(NOTICE)[1]
    assert detail == "550 5.1.1 No such[2J user"
    assert b"DATA\r\n" not in received


# --- Encryption and logins -------------------------------------------------------------------------------


@pytest.fixture(name="authority", scope="module")
def _authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(name="tls")
def _tls(authority: CertificateAuthority) -> Callable[..., ssl.SSLContext]:
    def context(*names: str) -> ssl.SSLContext:
        certificate, key = authority.issue(*names)
        made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        made.load_cert_chain(certificate, key)
        return made

    return context


def test_starttls_is_used_when_offered(tls: Callable[..., ssl.SSLContext]) -> None:
    with box(tls_context=tls("wrong.example")) as server:
        # On loopback a certificate for another name is accepted.
        assert mailer(f"smtp://localhost:{server.port}").send(NOTICE)[0] is MailOutcome.SENT
        assert [encrypted for _, encrypted, _ in server.accepted] == [True]


def test_required_encryption_is_verified_against_the_configured_authority(
    tls: Callable[..., ssl.SSLContext], authority: CertificateAuthority
) -> None:
    with box(tls_context=tls("localhost")) as server:
        url = f"smtp+starttls://localhost:{server.port}"
        assert mailer(url, ca_file=authority.ca_file).send(NOTICE)[0] is MailOutcome.SENT
        assert [encrypted for _, encrypted, _ in server.accepted] == [True]
        outcome, detail = mailer(url).send(NOTICE)
        assert outcome is MailOutcome.RETRY
        assert f"The certificate of localhost:{server.port} is refused" in detail
        assert len(server.accepted) == 1
    with box(ssl_context=tls("localhost")) as server:
        url = f"smtps://localhost:{server.port}"
        assert mailer(url, ca_file=authority.ca_file).send(NOTICE)[0] is MailOutcome.SENT


def test_the_configured_authority_is_trusted_in_addition_to_the_systems(
    tls: Callable[..., ssl.SSLContext],
    authority: CertificateAuthority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(
        "SSL_CERT_FILE", str(authority.ca_file)
    )  # OpenSSL reads the system's authorities from here
    own = CertificateAuthority(tmp_path)
    with box(ssl_context=tls("localhost")) as server:
        url = f"smtps://localhost:{server.port}"
        assert mailer(url, ca_file=own.ca_file).send(NOTICE)[0] is MailOutcome.SENT


@pytest.mark.parametrize("scheme", ["smtp+starttls", "smtps"])
def test_required_encryption_refuses_a_certificate_for_another_name(
    scheme: str, tls: Callable[..., ssl.SSLContext], authority: CertificateAuthority
) -> None:
    kind = {"smtps": "ssl_context", "smtp+starttls": "tls_context"}[scheme]
    with box(**{kind: tls("wrong.example")}) as server:
        outcome, detail = mailer(f"{scheme}://localhost:{server.port}", ca_file=authority.ca_file).send(
            NOTICE
        )
        assert (outcome, server.accepted) == (MailOutcome.RETRY, [])
        assert "is refused" in detail


def test_without_the_required_encryption_nothing_is_sent(catcher: SmtpCatcher) -> None:
    outcome, detail = mailer(f"smtp+starttls://localhost:{catcher.port}").send(NOTICE)
    assert (outcome, catcher.messages) == (MailOutcome.RETRY, [])
    assert "offers no STARTTLS" in detail
    assert catcher.connections == 1


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_a_password_in_any_alphabet_logs_in(mechanism: str, tls: Callable[..., ssl.SSLContext]) -> None:
    other = {"PLAIN": "LOGIN", "LOGIN": "PLAIN"}[mechanism]
    with box(tls_context=tls("localhost"), auth_required=True, auth_exclude_mechanism=[other]) as server:
        url = f"smtp://ada:p%C3%A4%3Ass%2Fw%C3%B6rd%40%231@localhost:{server.port}"
        assert mailer(url).send(NOTICE) == (MailOutcome.SENT, "250 2.0.0 Kept")
        assert server.accepted[0][1:] == (True, True)


def test_a_wrong_password_is_tried_once_and_never_shown(tls: Callable[..., ssl.SSLContext]) -> None:
    with box(tls_context=tls("localhost"), auth_required=True) as server:
        client = mailer(f"smtp://ada:hunter2-secret@localhost:{server.port}")
        outcome, detail = client.send(NOTICE)
        assert outcome is MailOutcome.RETRY
        assert "does not accept user name and password (535)" in detail
        assert server.logins == 1
        assert "hunter2" not in detail + repr(client) + str(vars(client))


def test_a_login_quoted_by_the_server_is_not_repeated() -> None:
    with scripted([("ehlo", "250 AUTH PLAIN"), ("auth", "500 unknown: AUTH PLAIN AGFkYQBodW50ZXIy")]) as (
        url,
        _,
    ):
        outcome, detail = mailer(url.replace("//", "//ada:hunter2@")).send(NOTICE)
    assert outcome is MailOutcome.RETRY
    assert "AGFkYQ" not in detail


# --- The URL ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "host", "port", "protection", "opportunistic"),
    [
        ("smtp://localhost", "localhost", 25, Protection.STARTTLS, True),
        ("smtp://mail.example:2525/", "mail.example", 2525, Protection.STARTTLS, True),
        ("smtp+starttls://mail.example", "mail.example", 587, Protection.STARTTLS, False),
        ("smtps://ada:x@[::1]", "::1", 465, Protection.TLS, False),
    ],
)
def test_a_url_sets_host_port_and_encryption(
    url: str, host: str, port: int, protection: Protection, opportunistic: bool
) -> None:
    server = MailServer.parse(url)
    assert (server.host, server.port) == (host, port)
    assert (server.protection, server.opportunistic) == (protection, opportunistic)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mail.example",
        "http://mail.example",
        "smtp://",
        "smtp://ada:hunter2@",
        "smtp://ada:hunter2@mail.example:99999",
        "smtp://ada:hunter2/x@mail.example",
        "smtp://ada:hunter2#x@mail.example",
        "smtp://ada:hunter2@[mail.example",
        "smtp://ada:hunter2@mail.example?x=1",
        "smtp://:hunter2@mail.example",
        "smtp://ada:hunter2℀@mail.example",
    ],
)
def test_a_bad_url_is_explained_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match="URL") as raised:
        MailServer.parse(url)
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("mail.localhost", True),
        ("127.8.9.1", True),
        ("[::1]", True),
        ("localhost.example", False),
        ("192.0.2.1", False),
    ],
)
def test_only_this_machine_counts_as_loopback(host: str, loopback: bool) -> None:
    assert MailServer.parse(f"smtp://{host}").is_loopback is loopback


def test_a_password_does_not_leave_this_machine_unencrypted(
    catcher: SmtpCatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All test servers run on this machine, so `is_loopback` is overridden.
    monkeypatch.setattr(MailServer, "is_loopback", property(lambda _: False))
    outcome, detail = mailer(catcher.url.replace("//", "//ada:hunter2@")).send(NOTICE)
    assert (outcome, catcher.messages) == (MailOutcome.RETRY, [])
    assert "offers no encryption" in detail
