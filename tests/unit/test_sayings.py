"""What hosts say word for word, and what Mailferry makes of it."""

from __future__ import annotations

import imaplib
from datetime import UTC, datetime, timedelta

import pytest

from importer.adapters.imap.errors import Peer, account_error, append_error
from importer.adapters.imap.opening_errors import login_error
from importer.adapters.imap.wire import parse_reply
from providers.catalog import Catalog
from providers.errors import LoginRejected, MailError, QuotaExceeded, ServerUnavailable, Side, Throttled
from providers.model import Endpoint
from providers.sayings import LOGIN_SENTENCES, SAYINGS, Saying, classify, pause_of

NOW = datetime(2026, 11, 23, 12, 0, 0, 250_000, tzinfo=UTC)
PEER = Peer(Endpoint("imap.old.example"), Side.SOURCE, lambda: NOW)


def said(saying: Saying) -> str:
    return saying.seen.split(" ", 1)[1]


@pytest.mark.parametrize("saying", SAYINGS, ids=[f"{s.host}: {s.meaning}" for s in SAYINGS])
def test_each_saying_is_understood_and_by_its_own_pattern(saying: Saying) -> None:
    assert classify(said(saying)) is saying.meaning
    assert saying.pattern.search(said(saying))
    assert saying.source


@pytest.mark.parametrize(
    "words",
    [
        "",
        "Invalid credentials (Failure)",
        "LOGIN failed.",
        "authentication failed",  # web.de and GMX, thunderbird-android#5780
        "Mailbox doesn't exist: Throttle records",
        "Message contains invalid header",
    ],
)
def test_what_means_nothing_of_the_kind_is_left_alone(words: str) -> None:
    assert classify(words) is None


@pytest.mark.parametrize("saying", [s for s in SAYINGS if s.meaning in LOGIN_SENTENCES], ids=lambda s: s.host)
def test_a_login_refused_in_those_words_says_what_to_do(saying: Saying) -> None:
    error = login_error(
        imaplib.IMAP4.error(said(saying)), "", PEER, explain=lambda _words: "Steps.", secrets=()
    )
    assert isinstance(error, LoginRejected)
    assert str(error) == f"{LOGIN_SENTENCES[saying.meaning].format(host='imap.old.example')} Steps."
    assert error.server_text == said(saying)


@pytest.mark.parametrize("provider", [p for p in Catalog.load() if p.endpoint], ids=lambda p: p.id)
def test_a_wrong_password_at_every_known_host_ends_in_what_to_do_there(provider) -> None:  # type: ignore[no-untyped-def]
    error = login_error(
        imaplib.IMAP4.error("[AUTHENTICATIONFAILED] Authentication failed."),
        "",
        Peer(provider.endpoint, Side.SOURCE, lambda: NOW),
        explain=lambda _words: provider.login_help,
        secrets=(),
    )
    assert provider.login_help
    assert str(error).endswith(provider.login_help)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("BAD Request is throttled. Suggested Backoff Time: 299961 milliseconds", Throttled),
        ("NO Request is throttled. Suggested Backoff Time: 299961 milliseconds", Throttled),
        ("NO [THROTTLED] slow down", Throttled),
        ("NO [ALERT] Too many simultaneous connections. (Failure)", ServerUnavailable),
        ("NO [UNAVAILABLE] UID FETCH Server error - Please try again later", ServerUnavailable),
        ("NO [SERVERBUG] UID FETCH Server error", ServerUnavailable),
        ("NO [INUSE] Mailbox in use", ServerUnavailable),
    ],
)
def test_what_concerns_the_whole_account(reply: str, kind: type[MailError]) -> None:
    status, _, rest = reply.partition(" ")
    assert type(account_error(parse_reply(status.encode(), rest.encode()), PEER)) is kind


def test_a_pause_is_kept_to_the_second() -> None:
    words = "Request is throttled. Suggested Backoff Time: 299961 milliseconds"
    assert pause_of(words) == timedelta(milliseconds=299_961)
    assert pause_of("Backoff Time: 90 seconds") == timedelta(seconds=90)
    assert pause_of("Request is throttled.") is None
    error = account_error(parse_reply(b"BAD", words.encode()), PEER)
    assert isinstance(error, Throttled)
    assert error.until == NOW + timedelta(milliseconds=299_961)


def test_gmails_cap_is_no_full_mailbox() -> None:
    cap = parse_reply(b"NO", b"[OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)")
    error = append_error(cap, PEER, "Box")
    assert isinstance(error, Throttled)
    assert str(error).startswith("imap.old.example has handed out as much as it does in a day.")
    full = parse_reply(b"NO", b"[OVERQUOTA] Quota exceeded (mailbox for user is full)")
    assert isinstance(append_error(full, PEER, "Box"), QuotaExceeded)
