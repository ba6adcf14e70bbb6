"""Translates server replies into `providers.errors`. Only this module and `connect_errors.py` do so.

The server's own words go to `server_text`. The meaning of a
reply is read from its response code first (RFC 5530, RFC 9051 section 7.1), and from the known wordings of
hosts second.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Sequence
from datetime import datetime

from importer.adapters.imap.imapclient_adapter import Dial
from importer.adapters.imap.wire_events import Reply
from importer.domain.planning.server_limits import (
    MAX_ANSWER_BYTES,
    MAX_FOLDER_MESSAGES,
    MAX_FOLDERS,
    MAX_LOGIN_LINES,
    MAX_NAME_BYTES,
)
from importer.ports.mailbox_errors import FolderChanged, FolderUnusable, QuotaExceeded
from providers.endpoint import Endpoint
from providers.errors import (
    BeyondLimit,
    ConnectionLost,
    LoginRejected,
    MailError,
    ProtocolViolation,
    ServerTooSlow,
    ServerUnavailable,
    Side,
    Throttled,
)
from providers.frozen import frozen
from providers.server_messages import LOGIN_CODES, Meaning, affects_whole_host, classify, suggested_pause
from providers.text import ByteSize, Text

SERVER_TEXT_CHARS = 300


class CommandRefused(Exception):
    """The server replied NO or BAD to a command; never leaves the adapter."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


@frozen
class Peer:
    """The server at the other end: its name and how to connect to it. `now` returns the
    instant from which a requested pause is counted. With `is_guarded`, `dial` reaches public servers only."""

    endpoint: Endpoint
    side: Side
    now: Callable[[], datetime]
    dial: Dial = socket.create_connection
    is_guarded: bool = False

    @property
    def host(self) -> str:
        return self.endpoint.host


_DOVECOT_TIMING = re.compile(r" ?\([0-9.]+ \+ [0-9.+ ]+secs\)\.?\Z")


def server_words(reply: Reply) -> str:
    """Return the server's words, printable, on one line, at most SERVER_TEXT_CHARS long."""
    text = _DOVECOT_TIMING.sub("", reply.text)
    code = f"[{reply.code}{' ' if reply.arguments else ''}{reply.arguments}] " if reply.code else ""
    return printable(code + text)


def printable(text: str) -> str:
    """Return `text` on one line, without control characters, at most SERVER_TEXT_CHARS long."""
    text = text[: 4 * SERVER_TEXT_CHARS]
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= SERVER_TEXT_CHARS else line[: SERVER_TEXT_CHARS - 1] + "…"


def lost(peer: Peer, said: str = "", *, announced: bool = False) -> ConnectionLost:
    """The connection broke; `said` are the server's words before that, those of its BYE if `announced`. The
    text of the operating system is not part of them."""
    return ConnectionLost(
        Text("connection_lost", host=peer.host),
        announced=announced and bool(printable(said)),
        side=peer.side,
        server_text=printable(said),
    )


def silent(peer: Peer) -> ConnectionLost:
    """The server accepted a command and did not answer it in time."""
    return ConnectionLost(Text("connection_lost.silent", host=peer.host), side=peer.side)


def too_slow(peer: Peer) -> ServerTooSlow:
    """The stall watchdog closed the connection: almost no data arrived for too long."""
    return ServerTooSlow(Text("server_too_slow", host=peer.host), side=peer.side)


def too_much(peer: Peer, limit_bytes: int = MAX_ANSWER_BYTES) -> BeyondLimit:
    """One answer is larger than `limit_bytes`."""
    return BeyondLimit(
        Text("beyond_limit.answer", host=peer.host, limit=ByteSize(limit_bytes)), side=peer.side
    )


def too_many_responses(peer: Peer, limit: int) -> BeyondLimit:
    """One command brought more responses than its answer can need."""
    return BeyondLimit(Text("beyond_limit.answer_lines", host=peer.host, limit=limit), side=peer.side)


def login_too_large(peer: Peer) -> BeyondLimit:
    return BeyondLimit(
        Text("beyond_limit.login_lines", host=peer.host, limit=MAX_LOGIN_LINES), side=peer.side
    )


def too_many_folders(peer: Peer) -> BeyondLimit:
    return BeyondLimit(Text("beyond_limit.folders", host=peer.host, limit=MAX_FOLDERS), side=peer.side)


def name_too_large(peer: Peer) -> BeyondLimit:
    """A literal that is no part of a message is larger than MAX_NAME_BYTES."""
    return BeyondLimit(
        Text("beyond_limit.name", host=peer.host, limit=ByteSize(MAX_NAME_BYTES)), side=peer.side
    )


def folder_beyond_limit(error: BeyondLimit) -> FolderUnusable:
    """The answer about one folder is beyond a limit: the others can still be read."""
    return FolderUnusable(Text("folder_unusable.beyond_limit", reason=error.text), side=error.side)


def too_many_messages(peer: Peer, folder: str) -> FolderUnusable:
    return FolderUnusable(
        Text("folder_unusable.too_many_messages", folder=folder, host=peer.host, limit=MAX_FOLDER_MESSAGES),
        side=peer.side,
    )


def violation(peer: Peer, what: str) -> ProtocolViolation:
    """The server sent `what`, which the protocol does not allow."""
    return ProtocolViolation(
        Text("protocol_violation", host=peer.host), side=peer.side, server_text=printable(what)
    )


# --- Accounts ------------------------------------------------------------------------------------------

_BUSY_CODES = frozenset({"UNAVAILABLE", "INUSE", "SERVERBUG"})
# Exchange's reply to every command after a successful login (github.com/jstedfast/MailKit issue 1496,
# github.com/simonrob/email-oauth2-proxy issue 275), and for a while after many connections
# (github.com/mscdex/node-imap issue 523, github.com/Webklex/php-imap issue 464); all read 2026-11-23.
_NO_MAILBOX = re.compile(r"authenticated but not connected", re.I)
_LOGIN_ENDED_CODES = frozenset({"AUTHENTICATIONFAILED", "EXPIRED", "PRIVACYREQUIRED"})

# LIMIT (RFC 5530): for commands that only read, the limit is a rate or a number of connections; see
# `beyond_a_limit` for commands that create or store.
_PAUSE_CODES = frozenset({"THROTTLED", "LIMIT"})
_PAUSE_MEANINGS = frozenset({Meaning.PAUSE, Meaning.DAILY_CAP, Meaning.CONNECTIONS})


def account_error(reply: Reply, peer: Peer) -> MailError | None:
    """Return the error for the whole account that NO, BAD or BYE means; None if it concerns this command
    only."""
    meaning = classify(reply.text)
    if reply.code in _PAUSE_CODES or meaning in _PAUSE_MEANINGS:
        return throttled(reply, peer)
    if reply.code in _BUSY_CODES:
        return busy(reply, peer)
    if _NO_MAILBOX.search(reply.text):
        return LoginRejected(
            Text("login_rejected.opens_nothing", host=peer.host),
            side=peer.side,
            server_text=server_words(reply),
        )
    if reply.code in _LOGIN_ENDED_CODES:
        return LoginRejected(
            Text("login_rejected.no_longer", host=peer.host),
            side=peer.side,
            server_text=server_words(reply),
        )
    return None


def nothing_allowed(words: str, peer: Peer) -> MailError:
    """The server accepted the login and refuses the list of folders and INBOX with `words`."""
    meaning = classify(words)
    if meaning in LOGIN_CODES:
        return LoginRejected(Text(LOGIN_CODES[meaning], host=peer.host), side=peer.side, server_text=words)
    return ServerUnavailable(
        Text("server_unavailable.shows_nothing", host=peer.host), side=peer.side, server_text=words
    )


def with_alerts(words: str, alerts: Sequence[str]) -> str:
    """Return the server's words, and its alerts unless they are among them."""
    return printable("; ".join([words] * bool(words) + [alert for alert in alerts if alert not in words]))


def throttled(reply: Reply, peer: Peer, *, before_login: bool = False) -> Throttled:
    """The server requests a pause, of a given length if it says so. `before_login`: the reply came before the
    login, so it concerns the whole host."""
    pause = suggested_pause(reply.text)
    meaning = classify(reply.text)
    whole_host = before_login or affects_whole_host(reply.text)
    connecting = before_login or meaning in (Meaning.CONNECTIONS, Meaning.TROUBLE)
    code = "throttled"
    if meaning is Meaning.DAILY_CAP:
        code = "throttled.daily_cap"
    elif meaning is Meaning.CONNECTIONS:
        code = "throttled.connections_from_here" if whole_host else "throttled.connections"
    elif connecting:
        code = "throttled.logins"
    return Throttled(
        Text(code, host=peer.host),
        until=None if pause is None else peer.now() + pause,
        whole_host=whole_host,
        connecting=connecting,
        side=peer.side,
        server_text=server_words(reply),
    )


def busy(reply: Reply, peer: Peer) -> ServerUnavailable:
    """The server is temporarily unavailable."""
    return ServerUnavailable(
        Text("server_unavailable.busy", host=peer.host),
        side=peer.side,
        server_text=server_words(reply),
    )


# --- Folders and messages ------------------------------------------------------------------------------


def beyond_a_limit(reply: Reply) -> bool:
    """Return whether the server refuses to create, store or fetch more of something than its limit (RFC 5530:
    LIMIT)."""
    return reply.code == "LIMIT" and classify(reply.text) is None


def folder_error(reply: Reply, peer: Peer, folder: str, what: str) -> MailError:
    """Return why `folder` could not be `what`: the last part of a code below `folder_unusable`."""
    if beyond_a_limit(reply) and what != "opened":
        return folder_unusable(peer, folder, what, server_words(reply))
    return account_error(reply, peer) or folder_unusable(peer, folder, what, server_words(reply))


def folder_unusable(peer: Peer, folder: str, what: str, server_text: str = "") -> FolderUnusable:
    text = Text(f"folder_unusable.{what}", folder=folder, host=peer.host)
    return FolderUnusable(text, side=peer.side, server_text=server_text)


def list_unreadable(peer: Peer, line: str, *, refused: bool) -> FolderUnusable:
    """A line of the folder list names no folder, or the server refuses the list as a whole."""
    text = Text(f"folder_unusable.{'list_refused' if refused else 'list_unreadable'}", host=peer.host)
    return FolderUnusable(text, side=peer.side, server_text=printable(line))


def folder_changed(peer: Peer, folder: str) -> FolderChanged:
    return FolderChanged(Text("folder_changed.recreated", folder=folder, host=peer.host), side=peer.side)


_TOO_LARGE = re.compile(
    r"max(?:imum)?\W.*size|message size limit|too (?:large|big)|larger than the maximum", re.I
)
_FULL = re.compile(
    r"quota|mailbox.* full|mailbox size limit|out of (?:disk )?space|no space|bigger place|storage.*exceeded",
    re.I,
)


def too_large(reply: Reply) -> bool:
    """Return whether an APPEND is refused because of the size of the message."""
    return reply.code == "TOOBIG" or bool(_TOO_LARGE.search(reply.text))


def append_error(reply: Reply, peer: Peer, folder: str) -> MailError | None:
    """Return the error that a refused APPEND means beyond its message; None if it concerns the message
    only."""
    if classify(reply.text) in _PAUSE_MEANINGS:
        return throttled(reply, peer)
    this_message = reply.code == "LIMIT" or too_large(reply)
    if reply.code == "OVERQUOTA" or (_FULL.search(reply.text) and not this_message):
        return QuotaExceeded(
            Text("destination_full", host=peer.host), side=peer.side, server_text=server_words(reply)
        )
    if this_message:
        return None
    if reply.code in ("TRYCREATE", "NONEXISTENT", "NOPERM"):
        return folder_unusable(peer, folder, "written", server_words(reply))
    return account_error(reply, peer)
