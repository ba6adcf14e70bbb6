"""Verbatim responses of mail hosts, and their classification."""

from __future__ import annotations

import errno
import imaplib
import socket
import ssl
from datetime import UTC, datetime, timedelta

import pytest

from importer.adapters.imap.connect_errors import login_error, opening_error
from importer.adapters.imap.response_errors import Peer, account_error, append_error, folder_error
from importer.adapters.imap.wire_events import parse_reply
from importer.i18n.translations import texts
from importer.ports.mailbox_errors import FolderUnusable, QuotaExceeded
from providers.catalog import Catalog
from providers.endpoint import Endpoint
from providers.errors import LoginRejected, MailError, ServerUnavailable, Side, Throttled
from providers.server_messages import (
    LOGIN_CODES,
    PATTERNS,
    ServerMessage,
    affects_whole_host,
    classify,
    suggested_pause,
)
from providers.text import Text
from tests.english import said

NOW = datetime(2026, 11, 23, 12, 0, 0, 250_000, tzinfo=UTC)
PEER = Peer(Endpoint("imap.old.example"), Side.SOURCE, lambda: NOW)


def text_of(message: ServerMessage) -> str:
    return message.seen.split(" ", 1)[1]


@pytest.mark.parametrize("message", PATTERNS, ids=[f"{s.host}: {s.meaning}" for s in PATTERNS])
def test_each_recorded_message_matches_its_own_pattern(message: ServerMessage) -> None:
    assert classify(text_of(message)) is message.meaning
    assert affects_whole_host(text_of(message)) is message.whole_host
    assert message.pattern.search(text_of(message))
    assert message.source


@pytest.mark.parametrize(
    "words",
    [
        "",
        "Invalid credentials (Failure)",
        "LOGIN Invalid credentials",  # Yahoo and AOL, enough_mail#245
        "Incorrect username or password.",  # Fastmail, Mailspring#2217
        "LOGIN failed.",
        "authentication failed",  # web.de and GMX, thunderbird-android#5780
        "Mailbox doesn't exist: Throttle records",
        "Message contains invalid header",
    ],
)
def test_other_messages_are_not_classified(words: str) -> None:
    assert classify(words) is None


@pytest.mark.parametrize("message", [s for s in PATTERNS if s.meaning in LOGIN_CODES], ids=lambda s: s.host)
def test_a_login_rejected_with_a_known_message_has_a_fix(message: ServerMessage) -> None:
    error = login_error(
        imaplib.IMAP4.error(text_of(message)), "", PEER, explain=lambda _words: Text("steps"), secrets=()
    )
    assert isinstance(error, LoginRejected)
    assert error.text == Text(LOGIN_CODES[message.meaning], steps=Text("steps"), host="imap.old.example")
    assert error.server_text == text_of(message)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("[AUTHORIZATIONFAILED] LOGIN Invalid credentials", "did not accept the user name or the password."),
        ("[AUTHORIZATIONFAILED] not for ada", "accepts the password but does not let this user in."),
        # purelymail-issues#337
        ("Login failed – please create an app password.", "requires an app password"),
        ("Too many failed login attempts", "has refused too many logins"),
        ("Too many login attempts, please try again later", "has refused too many logins"),
    ],
)
def test_a_rejected_login_names_the_rejected_part(words: str, sentence: str) -> None:
    error = login_error(imaplib.IMAP4.error(words), "", PEER, explain=lambda _words: None, secrets=())
    assert isinstance(error, LoginRejected)
    assert said(error).startswith(f"imap.old.example {sentence}")


@pytest.mark.parametrize("provider", [p for p in Catalog.load() if p.endpoint], ids=lambda p: p.id)
def test_a_wrong_password_at_a_known_host_has_the_hosts_help(provider) -> None:  # type: ignore[no-untyped-def]
    error = login_error(
        imaplib.IMAP4.error("[AUTHENTICATIONFAILED] Authentication failed."),
        "",
        Peer(provider.endpoint, Side.SOURCE, lambda: NOW),
        explain=lambda _words: Text("host_steps", provider=provider.id),
        secrets=(),
    )
    assert provider.login_help
    assert said(error).endswith(texts("en").typeset(provider.login_help))


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("BAD Request is throttled. Suggested Backoff Time: 299961 milliseconds", Throttled),
        ("NO Request is throttled. Suggested Backoff Time: 299961 milliseconds", Throttled),
        ("NO [THROTTLED] slow down", Throttled),
        ("NO [ALERT] Too many simultaneous connections. (Failure)", Throttled),
        ("NO [LIMIT] STATUS Rate limit hit.", Throttled),  # Yahoo Japan
        ("NO [LIMIT] try later", Throttled),
        ("NO [UNAVAILABLE] UID FETCH Server error - Please try again later", ServerUnavailable),
        ("NO [SERVERBUG] UID FETCH Server error", ServerUnavailable),
        # Yahoo, in the workarounds of two public IMAP clients
        (
            "NO [UNAVAILABLE] LOGIN failure. Server error--please try again after some time.",
            ServerUnavailable,
        ),
        ("NO Temporary authentication failure (rate-limit)", Throttled),  # Mailu/Mailu#2283
        ("NO [INUSE] Mailbox in use", ServerUnavailable),
    ],
)
def test_errors_of_the_whole_account_are_classified(reply: str, kind: type[MailError]) -> None:
    status, _, rest = reply.partition(" ")
    assert type(account_error(parse_reply(status.encode(), rest.encode()), PEER)) is kind


@pytest.mark.parametrize(
    ("response", "whole_host", "connecting"),
    [
        # Dovecot counts by user and address (src/login-common/sasl-server.c): other users are not affected.
        ("NO [UNAVAILABLE] Maximum number of connections from user+IP exceeded", False, True),
        ("NO [ALERT] Too many simultaneous connections. (Failure)", False, True),
        ("NO Too many open connections (21 of 20 for ada)", False, True),
        ("NO Too many open connections (11 of 10 from client.old.example, 3 of 20 for ada)", True, True),
        ("BYE Too many connections from your IP", True, True),
        ("NO Too many connections from 192.0.2.7", True, True),
        ("NO Authentication rate limit from one source exceeded", True, False),
        ("NO [LIMIT] LOGIN Rate limit hit.", False, False),
        ("BYE Temporary problem, please try again later", True, True),
        ("NO [UNAVAILABLE] Temporary authentication failure. [host:2026-11-23 12:00:00]", True, True),
        ("NO Request is throttled. Suggested Backoff Time: 299961 milliseconds", False, False),
    ],
)
def test_a_refused_login_determines_the_scope_of_the_pause(
    response: str, whole_host: bool, connecting: bool
) -> None:
    status, _, rest = response.partition(" ")
    cut_off = imaplib.IMAP4.abort("socket error: EOF") if status == "BYE" else imaplib.IMAP4.error(rest)
    last_words = rest if status == "BYE" else ""
    error = login_error(cut_off, last_words, PEER, explain=lambda _words: None, secrets=())
    assert isinstance(error, Throttled)
    assert (error.whole_host, error.connecting) == (whole_host, connecting)
    assert error.server_text == rest


@pytest.mark.parametrize(
    ("greeting", "why"),
    [
        ("* BYE Too many connections from your IP", "accepts no more connections from here at the moment"),
        # MailKit's ImapClientTests, TestByeGreetingWithRespText
        ("* BYE Too many connections.", "accepts no more connections from here at the moment"),
        ("* BYE [UNAVAILABLE] Service temporarily unavailable", "accepts no logins at the moment"),
        ("* NO [LIMIT] come back later", "accepts no logins at the moment"),
        ("* BAD not now", "accepts no logins at the moment"),
        ("* bye", "accepts no logins at the moment"),
        ("* BYE Request is throttled. Suggested Backoff Time: 90 seconds", "accepts no logins at the moment"),
    ],
)
def test_a_rejecting_greeting_postpones_all_connections_to_the_host(greeting: str, why: str) -> None:
    error = opening_error(imaplib.IMAP4.error(greeting.encode()), PEER)
    assert isinstance(error, Throttled)
    assert (error.whole_host, error.connecting) == (True, True)
    assert said(error) == f"imap.old.example {why}."
    assert error.server_text in greeting
    assert error.until == (NOW + timedelta(seconds=90) if "90 seconds" in greeting else None)


@pytest.mark.parametrize(
    ("response", "what", "kind"),
    [
        ("[LIMIT] Too many mailboxes", "created", FolderUnusable),
        ("[LIMIT] Rate limit hit", "created", Throttled),
        ("[LIMIT] Too many flags", "cleared", FolderUnusable),
        ("[LIMIT] come back later", "opened", Throttled),
    ],
)
def test_a_limit_of_objects_is_not_throttling(response: str, what: str, kind: type[MailError]) -> None:
    assert type(folder_error(parse_reply(b"NO", response.encode()), PEER, "Box", what)) is kind


def test_a_suggested_pause_is_parsed_exactly() -> None:
    words = "Request is throttled. Suggested Backoff Time: 299961 milliseconds"
    assert suggested_pause(words) == timedelta(milliseconds=299_961)
    assert suggested_pause("Backoff Time: 90 seconds") == timedelta(seconds=90)
    assert suggested_pause("Request is throttled.") is None
    error = account_error(parse_reply(b"BAD", words.encode()), PEER)
    assert isinstance(error, Throttled)
    assert error.until == NOW + timedelta(milliseconds=299_961)


def test_gmails_daily_cap_is_not_a_full_mailbox() -> None:
    cap = parse_reply(b"NO", b"[OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)")
    error = append_error(cap, PEER, "Box")
    assert isinstance(error, Throttled)
    assert said(error).startswith("imap.old.example has reached its daily transfer limit.")
    full = parse_reply(b"NO", b"[OVERQUOTA] Quota exceeded (mailbox for user is full)")
    assert isinstance(append_error(full, PEER, "Box"), QuotaExceeded)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "closed the connection"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), "closed the connection"),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), "closed the connection"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "Nothing answers"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "cannot be reached"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "cannot be reached"),
        (TimeoutError(errno.ETIMEDOUT, "Connection timed out"), "does not answer"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "no server called"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), "does not speak TLS"),
    ],
)
def test_what_the_system_calls_an_error_is_not_put_into_the_servers_mouth(error: OSError, words: str) -> None:
    opening = opening_error(error, PEER)
    assert words in said(opening)
    assert opening.server_text == ""
    if not isinstance(error, socket.gaierror | ssl.SSLError):
        during = login_error(error, "", PEER, explain=lambda _: None, secrets=())
        assert "was lost" in said(during)
        assert during.server_text == ""
    cut = imaplib.IMAP4.abort("command: LOGIN => socket error: EOF")
    assert login_error(cut, "", PEER, explain=lambda _: None, secrets=()).server_text == ""
