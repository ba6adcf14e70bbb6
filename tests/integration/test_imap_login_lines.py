"""Responses of servers between the greeting and the end of the login, and their interpretation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from importer.adapters.imap.factory import ImapSessions
from importer.adapters.imap.imapclient_adapter import Timeouts
from importer.domain.model import Account
from providers.endpoint import Endpoint, Secret
from providers.errors import LoginRejected, MailError, NotAnImapServer, Throttled
from tests.rehearsal.ports import PATIENCE_S
from tests.rehearsal.scripted import CAPABILITIES, Answer, scripted_server, usual_answer

PASSWORD = "k4n4r13"  # a scripted server's


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Ends the servers of a test."""
    with ExitStack() as entered:
        yield entered


def log_in(endpoint: Endpoint) -> None:
    """Log in, and read the status of INBOX."""
    sessions = ImapSessions(timeouts=Timeouts(connect_s=PATIENCE_S, io_s=5))
    opened = sessions.open_source(Account("ada@old.example", "ada", endpoint), Secret(PASSWORD))
    assert opened.status("INBOX").messages == 8
    opened.close()


def changed(change: Callable[[bytes], bytes]) -> Answer:
    """Until the login is complete, answers as usual, but changed."""
    complete = False

    def answer(command: str) -> bytes | None:
        nonlocal complete
        usual = usual_answer(command, "IMAP4rev1 NAMESPACE")
        given = usual if complete else change(usual)
        complete |= command.startswith("LOGIN")
        return given

    return answer


@pytest.mark.parametrize(
    "change",
    [
        lambda line: line.replace(b"\r\n", b"\n"),
        lambda line: line.replace(b"* ", b"*  "),
        lambda line: line.replace(b"* ", b"*"),
        lambda line: b"\r\n" + line + b"\r\n",
        lambda line: b"advertisement of the host\r\n" + line,
        lambda line: line.replace(b"OK done", b"OK"),
        lambda line: line.replace(b"OK done", b"ok done"),
        lambda line: line.replace(b"* CAPABILITY", b"* capability"),
        lambda line: line.replace(b"TAG OK", b"TAG  OK"),
        lambda line: line + line[line.rfind(b"TAG") :],  # a second reply to the same command
        lambda line: line.replace(b" NAMESPACE\r\n", b"\r\n* CAPABILITY NAMESPACE\r\n"),
    ],
)
def test_an_odd_line_before_the_end_of_the_login_is_understood(change: Callable[[bytes], bytes]) -> None:
    with scripted_server(changed(change)) as server:
        log_in(server.endpoint)


@pytest.mark.parametrize(
    "greeting",
    [
        b"* OK\r\n",
        b"*OK ready\r\n",
        b"*  ok ready\r\n",
        b"\r\n* OK ready\r\n",
        b"OK ready\r\n",
        b"* OK ready\n",
        b"* OK [CAPABILITIES IMAP4rev1] ready\r\n",
        b"* OK [CAPABILITY IMAP4rev2] ready\r\n",
        b"* OK [capability imap4rev1] ready\r\n",
    ],
)
def test_an_odd_greeting_is_a_greeting(greeting: bytes) -> None:
    with scripted_server(changed(lambda line: line), greeting=greeting) as server:
        log_in(server.endpoint)


@pytest.mark.parametrize("reply", [b"TAG NO later\r\n", b"TAG BAD unknown\r\n", b"TAG OK done\r\n"])
def test_a_server_without_capabilities_is_used_as_imap4rev1(reply: bytes) -> None:
    with scripted_server(lambda command: reply if command == "CAPABILITY" else None) as server:
        log_in(server.endpoint)
    assert server.commands[1].startswith("LOGIN")


@pytest.mark.parametrize(
    "greeting",
    [b" NO LOGOUT this address is shut out for a while\r\n", b"BYE this address is shut out for a while\r\n"],
)
def test_a_server_that_turns_this_address_away_is_quoted(stack: ExitStack, greeting: bytes) -> None:
    server = stack.enter_context(scripted_server(lambda _command: None, greeting=greeting))
    with pytest.raises(Throttled) as caught:
        log_in(server.endpoint)
    assert "this address is shut out for a while" in caught.value.server_text


@pytest.mark.parametrize(
    "greeting", [b"220 mail.example ESMTP\r\n", b"+OK POP3 ready\r\n", b"HTTP/1.1 400 Bad\r\n"]
)
def test_what_is_no_imap_server_is_quoted(stack: ExitStack, greeting: bytes) -> None:
    server = stack.enter_context(scripted_server(lambda _command: None, greeting=greeting))
    with pytest.raises(NotAnImapServer) as caught:
        log_in(server.endpoint)
    assert caught.value.server_text == greeting.decode().strip()


# --- Two ways to log in ----------------------------------------------------------------------------------


@pytest.mark.parametrize("capabilities", [CAPABILITIES, CAPABILITIES + " SASL-IR"])
@pytest.mark.parametrize(
    "refusal",
    [
        b"TAG BAD unknown command\r\n",
        b"TAG NO [CANNOT] no\r\n",
        b"TAG NO mechanism not supported\r\n",
        b"TAG NO Unsupported authentication method\r\n",
    ],
)
def test_login_is_tried_where_authenticate_is_refused(capabilities: str, refusal: bytes) -> None:
    def answer(command: str) -> bytes | None:
        if command == "CAPABILITY":
            return usual_answer(command, capabilities)
        return refusal if command.startswith("AUTHENTICATE") else None

    with scripted_server(answer) as server:
        log_in(server.endpoint)


def test_an_initial_response_that_is_refused_is_sent_on_request() -> None:
    def answer(command: str) -> bytes | None:
        if command == "CAPABILITY":
            return usual_answer(command, CAPABILITIES + " SASL-IR LOGINDISABLED")
        return b"TAG BAD too many arguments\r\n" if command.startswith("AUTHENTICATE PLAIN ") else None

    with scripted_server(answer) as server:
        log_in(server.endpoint)
    assert "CREDENTIALS" in server.commands


@pytest.mark.parametrize(
    "refusal",
    [
        b"TAG NO [AUTHENTICATIONFAILED] no\r\n",
        b"TAG NO Login failed.\r\n",
        b"TAG NO no\r\n",
        b"TAG BAD Authentication failed\r\n",
        b"TAG BAD invalid credentials\r\n",
    ],
)
def test_a_wrong_password_is_sent_once(stack: ExitStack, refusal: bytes) -> None:
    def answer(command: str) -> bytes | None:
        return refusal if command.startswith(("AUTHENTICATE", "LOGIN")) else None

    with scripted_server(answer) as server, pytest.raises(LoginRejected):
        log_in(server.endpoint)
    assert sum(command.startswith(("AUTHENTICATE", "LOGIN ")) for command in server.commands) == 1


def test_no_password_is_sent_where_login_is_disabled(stack: ExitStack) -> None:
    def answer(command: str) -> bytes | None:
        if command == "CAPABILITY":
            return usual_answer(command, CAPABILITIES + " LOGINDISABLED")
        return b"TAG BAD unknown\r\n" if command.startswith("AUTHENTICATE") else None

    with scripted_server(answer) as server, pytest.raises(MailError):
        log_in(server.endpoint)
    assert not any(command.startswith("LOGIN ") for command in server.commands)


def test_an_alert_before_a_refusal_is_shown_without_the_password(stack: ExitStack) -> None:
    def answer(command: str) -> bytes | None:
        if command.startswith(("AUTHENTICATE", "CREDENTIALS")):
            alert = f"* NO [ALERT] Open https://old.example/allow first, {PASSWORD}\r\n"
            return alert.encode() + b"TAG NO [AUTHENTICATIONFAILED] no\r\n"
        return None

    with scripted_server(answer) as server, pytest.raises(LoginRejected) as caught:
        log_in(server.endpoint)
    assert "Open https://old.example/allow first" in caught.value.server_text
    assert PASSWORD not in caught.value.server_text
