"""The one place, with `opening_errors.py`, that turns what servers say into `providers.errors`.

The sentence is ours and for the reader; the server's own words go to `server_text`. What the server
means is read from response codes (RFC 5530, RFC 9051 section 7.1) first and from the words that hosts
are known to use second.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from importer.adapters.imap.imapclient_adapter import Dial
from importer.adapters.imap.wire import Reply
from providers.endpoint import Endpoint
from providers.errors import (
    ConnectionLost,
    FolderChanged,
    FolderUnusable,
    LoginRejected,
    MailError,
    ProtocolViolation,
    QuotaExceeded,
    ServerTooSlow,
    ServerUnavailable,
    Side,
    Throttled,
)
from providers.server_messages import Meaning, classify, concerns_host, pause_of

SERVER_TEXT_CHARS = 300

TROUBLES_IN_A_ROW = 5
"""[UNAVAILABLE], or the end of the connection, is what some servers have for one broken message, and others
when nothing works: so many messages that failed with it, not one in between that did not, and it is the
server."""


class CommandRefused(Exception):
    """NO or BAD to a command; never leaves the adapter."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom we talk to, also for the sentences, and how the connection is opened; `now` gives the instant
    that a pause counts from."""

    endpoint: Endpoint
    side: Side
    now: Callable[[], datetime]
    dial: Dial = socket.create_connection

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


def lost(peer: Peer, cause: str = "") -> ConnectionLost:
    """The connection broke; `cause` is the operating system's or the server's last word."""
    return ConnectionLost(
        f"The connection to {peer} was lost. Mailhaul connects again.",
        side=peer.side,
        server_text=printable(cause),
    )


def too_slow(peer: Peer) -> ServerTooSlow:
    """We cut the connection, because next to nothing came for long."""
    return ServerTooSlow(
        f"{peer.endpoint.host} answers, but so slowly that nothing comes of it. Mailhaul tries again later.",
        side=peer.side,
    )


def violation(peer: Peer, what: str) -> ProtocolViolation:
    """`what` the server said that it must not."""
    return ProtocolViolation(
        f"What {peer} answered makes no sense. Mailhaul connects again; if it happens again, tell the"
        " operator of that server.",
        side=peer.side,
        server_text=printable(what),
    )


# --- Accounts ------------------------------------------------------------------------------------------

_BUSY_CODES = frozenset({"UNAVAILABLE", "INUSE", "SERVERBUG"})
# Exchange's answer to every command after a login that worked (github.com/jstedfast/MailKit issue 1496,
# github.com/simonrob/email-oauth2-proxy issue 275), and for a while after many connections
# (github.com/mscdex/node-imap issue 523, github.com/Webklex/php-imap issue 464); all read 2026-11-23.
_NO_MAILBOX = re.compile(r"authenticated but not connected", re.I)
_LOGIN_ENDED_CODES = frozenset({"AUTHENTICATIONFAILED", "EXPIRED", "PRIVACYREQUIRED"})


# LIMIT (RFC 5530): who only asks runs up against a rate or a number of connections; see `beyond_a_limit`.
_PAUSE_CODES = frozenset({"THROTTLED", "LIMIT"})
_PAUSES = frozenset({Meaning.PAUSE, Meaning.DAILY_CAP, Meaning.CONNECTIONS})


def account_error(reply: Reply, peer: Peer) -> MailError | None:
    """What NO, BAD or BYE means for the whole account; None when it concerns only this command."""
    meaning = classify(reply.text)
    if reply.code in _PAUSE_CODES or meaning in _PAUSES:
        return throttled(reply, peer)
    if reply.code in _BUSY_CODES:
        return busy(reply, peer)
    if _NO_MAILBOX.search(reply.text):
        return LoginRejected(
            f"{peer.endpoint.host} takes the sign-in but opens no mailbox for it: it belongs to another"
            " mailbox, IMAP is switched off for this one, or the application was given no access to it. Mend"
            " that there, then start again. If it worked before, too many connections may be the reason: wait"
            " some minutes.",
            side=peer.side,
            server_text=server_words(reply),
        )
    if reply.code in _LOGIN_ENDED_CODES:
        return LoginRejected(
            f"{peer.endpoint.host} no longer accepts the login. Check the account there and try again.",
            side=peer.side,
            server_text=server_words(reply),
        )
    return None


def throttled(reply: Reply, peer: Peer, *, turned_away: bool = False) -> Throttled:
    """The server wants a pause, until then if it says how long. `turned_away`: before it knew who we are."""
    pause = pause_of(reply.text)
    meaning = classify(reply.text)
    whole_host = turned_away or concerns_host(reply.text)
    connecting = turned_away or meaning in (Meaning.CONNECTIONS, Meaning.TROUBLE)
    wants = "asks for a pause"
    if meaning is Meaning.DAILY_CAP:
        wants = "has handed out as much as it does in a day"
    elif meaning is Meaning.CONNECTIONS:
        wants = "takes no more connections" + (" from here" * whole_host) + " at the moment"
    elif connecting:
        wants = "lets nobody in at the moment"
    return Throttled(
        f"{peer.endpoint.host} {wants}. Mailhaul goes on by itself after it.",
        until=None if pause is None else peer.now() + pause,
        whole_host=whole_host,
        connecting=connecting,
        side=peer.side,
        server_text=server_words(reply),
    )


def busy(reply: Reply, peer: Peer) -> ServerUnavailable:
    """The server works on something else."""
    return ServerUnavailable(
        f"{peer.endpoint.host} is busy or in maintenance. Mailhaul tries again later.",
        side=peer.side,
        server_text=server_words(reply),
    )


# --- Folders and messages ------------------------------------------------------------------------------


def beyond_a_limit(reply: Reply) -> bool:
    """True when, of something that was to be created or stored, there is as much as the server takes (RFC
    5530: LIMIT)."""
    return reply.code == "LIMIT" and classify(reply.text) is None


def folder_error(reply: Reply, peer: Peer, folder: str, what: str) -> MailError:
    """Why `folder` could not be `what` ("opened", "created")."""
    if beyond_a_limit(reply) and what not in ("opened", "read"):
        return folder_unusable(peer, folder, what, server_words(reply))
    return account_error(reply, peer) or folder_unusable(peer, folder, what, server_words(reply))


def folder_unusable(peer: Peer, folder: str, what: str, server_text: str = "") -> FolderUnusable:
    return FolderUnusable(
        f"The folder “{printable(folder)}” cannot be {what} on {peer}.",
        side=peer.side,
        server_text=server_text,
    )


def folder_changed(peer: Peer, folder: str) -> FolderChanged:
    return FolderChanged(
        f"The folder “{printable(folder)}” on {peer} was made anew. Mailhaul looks at it again.",
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
    if classify(reply.text) in _PAUSES:
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
