"""Login with a password, with an access token, or as a master user.

Invariants
- One attempt per connection: a lockout is worse than an error. LOGIN follows AUTHENTICATE only if the server
  refused the mechanism or the command, and not the password.
- No exception raised here holds a password or a token, or leads to one by cause, context or frame.
"""

from __future__ import annotations

import imaplib
from base64 import b64encode

from importer.adapters.imap import connect_errors
from importer.adapters.imap.commands import line_safe, quoted
from importer.adapters.imap.imapclient_adapter import Client
from importer.adapters.imap.response_errors import Peer
from importer.adapters.imap.sasl import OAUTHBEARER, XOAUTH2, TokenExchange, mechanism_of
from providers.endpoint import Secret
from providers.errors import LoginRejected, MailError, MasterRefused
from providers.frozen import frozen
from providers.grants import AccessTokens, MasterLogin
from providers.text import Explain, Text


@frozen
class Login:
    """The user name that the host expects, and the advice for a refused login."""

    user: str
    explain: Explain


def with_password(client: Client, peer: Peer, login: Login, password: Secret) -> None:
    """Log in with a password. Raises any MailError of scope session or account."""
    error = _password_error(client, peer, login, password)
    if error is not None:
        raise error  # outside any `except`, so that no context leads to the failed command


def with_master(client: Client, peer: Peer, login: Login, master: MasterLogin) -> None:
    """Log in to the mailbox `login.user` as the host's master user. Raises MasterRefused instead of
    LoginRejected, and otherwise as `with_password` does."""
    error = _master_error(client, peer, login, master)
    if error is not None:
        raise error


def with_token(client: Client, peer: Peer, login: Login, token: Secret) -> None:
    """Log in with XOAUTH2 or OAUTHBEARER (RFC 7628), whichever is offered. Raises as `with_password` does."""
    error = _token_error(client, peer, login, token)
    if error is not None:
        raise error


def token_for(peer: Peer, tokens: AccessTokens, *, refused: bool = False) -> Secret:
    """Return a token for the next login; errors name the side. Raises GrantExpired and ServerUnavailable."""
    try:
        return tokens.access_token(refused=refused)
    except MailError as error:
        error.side = peer.side
        raise


def _password_error(
    client: Client, peer: Peer, login: Login, password: Secret, *, on_behalf_of: str = ""
) -> MailError | None:
    """Log in; return the error instead of raising it, since a UnicodeEncodeError and imaplib's frames hold
    the password. `on_behalf_of` another user requires AUTH=PLAIN."""
    answer = b""
    try:
        answer = plain_answer(login.user, password, on_behalf_of)
        if client.has_capability("AUTH=PLAIN"):
            _log_in_plain(client, login, password, answer, may_use_login=not on_behalf_of)
        elif client.has_capability("LOGINDISABLED"):
            return connect_errors.logins_disabled(peer, login.explain("LOGINDISABLED"))
        else:
            client.login_command(login.user, password.reveal())
    except ValueError:
        return connect_errors.unusable_login(peer)
    except (imaplib.IMAP4.error, OSError) as error:
        return connect_errors.login_error(
            error,
            client.bye_text(),
            peer,
            explain=login.explain,
            secrets=_sent_forms(password, answer),
            alerts=client.alerts,
        )
    connect_errors.redact(client.alerts, _sent_forms(password, answer))
    return None


def _log_in_plain(
    client: Client, login: Login, password: Secret, answer: bytes, *, may_use_login: bool
) -> None:
    """Log in with AUTHENTICATE PLAIN; if the server refuses the command and not the password, in the older
    forms. Raises what `Client.login_plain` raises."""
    may_use_login = may_use_login and not client.has_capability("LOGINDISABLED")
    try:
        client.login_plain(answer)
    except imaplib.IMAP4.error as error:
        if client.cancelled or not connect_errors.refuses_mechanism(error):
            raise
        if may_use_login:
            client.login_command(login.user, password.reveal())
        elif client.has_capability("SASL-IR"):
            client.login_plain(answer, wait=True)
        else:
            raise


def _master_error(client: Client, peer: Peer, login: Login, master: MasterLogin) -> MailError | None:
    if master.separator:
        combined = Login(f"{login.user}{master.separator}{master.name}", _no_advice)
        error = _password_error(client, peer, combined, master.password)
    elif client.has_capability("AUTH=PLAIN"):
        master_login = Login(master.name, _no_advice)
        error = _password_error(client, peer, master_login, master.password, on_behalf_of=login.user)
    else:
        return MasterRefused(Text("master_refused.no_plain", host=peer.host), side=peer.side)
    if not isinstance(error, LoginRejected):
        return error
    return MasterRefused(
        Text("master_refused.not_opened", host=peer.host),
        side=peer.side,
        server_text=error.server_text,
    )


def plain_answer(user: str, password: Secret, on_behalf_of: str = "") -> bytes:
    """Return the message of SASL PLAIN (RFC 4616 section 2): the authorisation identity ("" for the user's
    own mailbox), the user and the password. Raises ValueError for characters that it cannot carry."""
    parts = (on_behalf_of, user, password.reveal())
    return b"\0".join(line_safe(part.encode()) for part in parts)


def _no_advice(_words: str) -> None:
    return None


def _token_error(client: Client, peer: Peer, login: Login, token: Secret) -> MailError | None:
    mechanism = next((m for m in (XOAUTH2, OAUTHBEARER) if client.has_capability(f"AUTH={m}")), None)
    if mechanism is None:
        return connect_errors.no_token_logins(peer, login.explain(""))
    exchange: TokenExchange | None = None
    response = b""
    try:
        exchange = mechanism_of(mechanism, login.user, token, peer.endpoint)
        response = exchange.first
        client.authenticate(mechanism, exchange)
    except ValueError:
        return connect_errors.unusable_login(peer)
    except (imaplib.IMAP4.error, OSError) as error:
        return connect_errors.token_error(
            error,
            client.bye_text(),
            peer,
            explain=login.explain,
            secrets=_sent_forms(token, response),
            challenge=exchange.server_reason if exchange else "",
            alerts=client.alerts,
        )
    connect_errors.redact(client.alerts, _sent_forms(token, response))
    return None


def _sent_forms(secret: Secret, answer: bytes) -> tuple[str, ...]:
    """Return the secret in every form in which it is sent, for redaction: servers may repeat input that they
    do not understand. The forms are: plain, quoted for LOGIN, and in the answer to AUTHENTICATE. imaplib
    reports some replies as the repr of bytes, which doubles backslashes."""
    plain = secret.reveal()
    try:
        quoted_secret = quoted(plain.encode())
    except ValueError:  # no command can carry it, so it was not sent
        return (plain,)
    forms = (
        repr(quoted_secret)[3:-2],
        quoted_secret[1:-1].decode(),
        b64encode(answer).decode("ascii"),
        plain,
    )
    return tuple(dict.fromkeys(forms))
