"""Logging in with a password, with an access token, or as a master user.

Invariants
- One try per connection: lockouts are worse than errors.
- No exception of ours holds a password or a token, nor leads to one that does (by cause, context or frame).
"""

from __future__ import annotations

import imaplib
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass

from importer.adapters.imap import connect_errors
from importer.adapters.imap.commands import line_safe, quoted
from importer.adapters.imap.imapclient_adapter import Client
from importer.adapters.imap.response_errors import Peer
from importer.adapters.imap.sasl import OAUTHBEARER, XOAUTH2, TokenExchange, mechanism_of
from providers.endpoint import Secret
from providers.errors import LoginRejected, MailError, MasterRefused
from providers.grants import AccessTokens, MasterLogin

Explain = Callable[[str], str]
"""What the host's words in a refusal mean there, and what its owner has to do."""


@dataclass(frozen=True, slots=True)
class Login:
    """The user name that the host takes, and how to help who is refused."""

    user: str
    explain: Explain


def with_password(client: Client, peer: Peer, login: Login, password: Secret) -> None:
    """Raises any MailError of scope session or account."""
    problem = _password_problem(client, peer, login, password)
    if problem is not None:
        raise problem  # outside any `except`: no context leads to the command that failed


def with_master(client: Client, peer: Peer, login: Login, master: MasterLogin) -> None:
    """Into the mailbox `login.user` as the host's master user. Raises MasterRefused in place of
    LoginRejected, and otherwise as `with_password` does."""
    problem = _master_problem(client, peer, login, master)
    if problem is not None:
        raise problem


def with_token(client: Client, peer: Peer, login: Login, token: Secret) -> None:
    """XOAUTH2 or OAUTHBEARER (RFC 7628), whichever is offered. Raises as `with_password` does."""
    problem = _token_problem(client, peer, login, token)
    if problem is not None:
        raise problem


def token_for(peer: Peer, tokens: AccessTokens, *, refused: bool = False) -> Secret:
    """A token for the next login; errors name the side. Raises GrantExpired and ServerUnavailable."""
    try:
        return tokens.access_token(refused=refused)
    except MailError as error:
        error.side = peer.side
        raise


def _password_problem(
    client: Client, peer: Peer, login: Login, password: Secret, *, on_behalf_of: str = ""
) -> MailError | None:
    """Logs in; what went wrong, as a value. A UnicodeEncodeError and imaplib's frames hold the password.
    `on_behalf_of` somebody else only where AUTH=PLAIN is offered."""
    answer = b""
    try:
        answer = plain_answer(login.user, password, on_behalf_of)
        if client.has_capability("AUTH=PLAIN"):
            client.login_plain(answer)
        elif client.has_capability("LOGINDISABLED"):
            return connect_errors.logins_disabled(peer, login.explain("LOGINDISABLED"))
        else:
            client.login_command(login.user, password.reveal())
    except ValueError:
        return connect_errors.unusable_login(peer)
    except (imaplib.IMAP4.error, OSError) as error:
        return connect_errors.login_error(
            error,
            client.last_words(),
            peer,
            explain=login.explain,
            secrets=_as_sent(password, answer),
        )
    return None


def _master_problem(client: Client, peer: Peer, login: Login, master: MasterLogin) -> MailError | None:
    host = peer.endpoint.host
    if master.separator:
        both = Login(f"{login.user}{master.separator}{master.name}", _nothing_more)
        problem = _password_problem(client, peer, both, master.password)
    elif client.has_capability("AUTH=PLAIN"):
        itself = Login(master.name, _nothing_more)
        problem = _password_problem(client, peer, itself, master.password, on_behalf_of=login.user)
    else:
        return MasterRefused(
            f"{host} does not offer AUTHENTICATE PLAIN, with which a master user names a mailbox. Whoever"
            " runs Mailhaul has to set MAILHAUL_DESTINATION_MASTER_SEPARATOR.",
            side=peer.side,
        )
    if not isinstance(problem, LoginRejected):
        return problem
    return MasterRefused(
        f"{host} does not open this mailbox for the master user: there is no such mailbox, or whoever runs"
        " Mailhaul has to look at MAILHAUL_DESTINATION_MASTER_USER and its password.",
        side=peer.side,
        server_text=problem.server_text,
    )


def plain_answer(user: str, password: Secret, on_behalf_of: str = "") -> bytes:
    """The one message of SASL PLAIN (RFC 4616 section 2): the authorisation identity, which is "" for the
    user's own mailbox, the user and the password. Raises ValueError for what it cannot carry."""
    parts = (on_behalf_of, user, password.reveal())
    return b"\0".join(line_safe(part.encode()) for part in parts)


def _nothing_more(_words: str) -> str:
    return ""


def _token_problem(client: Client, peer: Peer, login: Login, token: Secret) -> MailError | None:
    mechanism = next((m for m in (XOAUTH2, OAUTHBEARER) if client.has_capability(f"AUTH={m}")), None)
    if mechanism is None:
        return connect_errors.no_token_logins(peer, login.explain(""))
    exchange: TokenExchange | None = None
    sent = b""
    try:
        exchange = mechanism_of(mechanism, login.user, token, peer.endpoint)
        sent = exchange.first
        client.authenticate(mechanism, exchange)
    except ValueError:
        return connect_errors.unusable_login(peer)
    except (imaplib.IMAP4.error, OSError) as error:
        return connect_errors.token_error(
            error,
            client.last_words(),
            peer,
            explain=login.explain,
            secrets=_as_sent(token, sent),
            challenge=exchange.told if exchange else "",
        )
    return None


def _as_sent(secret: Secret, answer: bytes) -> tuple[str, ...]:
    """The secret in every form in which it goes over the wire, for servers that repeat what they do not
    understand: as it is, quoted for LOGIN, and in the answer to AUTHENTICATE. imaplib tells of some answers
    as Python writes bytes, which doubles backslashes."""
    plain = secret.reveal()
    try:
        in_quotes = quoted(plain.encode())
    except ValueError:  # no command can carry it: it was not sent
        return (plain,)
    forms = (repr(in_quotes)[3:-2], in_quotes[1:-1].decode(), b64encode(answer).decode("ascii"), plain)
    return tuple(dict.fromkeys(forms))
