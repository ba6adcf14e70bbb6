"""Web sessions: begin, find, renew and end them, and read and update their data.

Invariants: a password is sent only to the host it was entered for; session data is sealed for its session and
deleted with it; a token is never stored, only its digest.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from importer.domain.model import Account
from importer.domain.people.identities import PersonId, WebSession, WebSessionId, person_of
from importer.service.access.login_attempts import LoginOrigin, try_login
from importer.service.access.session_data import (
    SessionData,
    VerifiedMailbox,
    dump_session_data,
    load_session_data,
)
from importer.service.deps import Deps
from providers.endpoint import Secret
from providers.errors import Side

SESSION_LIFETIME: Final = timedelta(hours=12)
USE_RECORDED_EVERY: Final = timedelta(minutes=1)


class SessionEnded(Exception):
    """The session ended while the request was under way."""


def verify_login(
    deps: Deps, account: Account, password: Secret, side: Side, origin: LoginOrigin
) -> VerifiedMailbox:
    """Log in to the mailbox and out again. Raises RateLimited, or any MailError of scope session or
    account."""
    has_labels = try_login(deps, account, password, side, origin)
    return VerifiedMailbox(account, password, has_labels=has_labels)


def sign_in(deps: Deps, account: Account, password: Secret, origin: LoginOrigin) -> tuple[str, WebSession]:
    """Verify the mailbox login and begin a session; return its token and the session.

    Raises what `verify_login` raises.
    """
    verify_login(deps, account, password, Side.DESTINATION, origin)
    return begin_session(
        deps, person_of(account), (VerifiedMailbox(account, password),), client=origin.client
    )


def begin_session(
    deps: Deps,
    person: PersonId,
    mailboxes: tuple[VerifiedMailbox, ...],
    domains: tuple[str, ...] = (),
    *,
    client: str = "",
    is_operator: bool = False,
) -> tuple[str, WebSession]:
    """Begin a session of an authenticated person; return its token and the session.

    There is at least one mailbox; `domains` are those the person administers, and `is_operator` whether the
    person is an operator, according to an OpenID issuer.
    """
    now = deps.clock.now()
    data = SessionData(mailboxes, domains=domains, is_operator=is_operator)
    token, session = _new_session(deps, person, now, now + SESSION_LIFETIME, data, client)
    deps.store.add_web_session(session)
    return token, session


def _new_session(
    deps: Deps, person: PersonId, began_at: datetime, until: datetime, data: SessionData, client: str
) -> tuple[str, WebSession]:
    token = secrets.token_urlsafe(32)
    id_ = web_session_id(token)
    return token, WebSession(id_, person, began_at, until, _seal(deps, id_, data), client, deps.clock.now())


def attach_mailbox(
    deps: Deps, session: WebSession, account: Account, password: Secret, origin: LoginOrigin
) -> str:
    """Add a destination mailbox to the session, and renew the session's token; return the new token.

    A renewed session keeps its end. Raises SessionEnded, and what `verify_login` raises.
    """
    verify_login(deps, account, password, Side.DESTINATION, origin)
    mailbox = VerifiedMailbox(account, password)
    data = update_session_data(deps, session, lambda before: before.with_destination(mailbox))
    return renew_session(deps, session, data)


def renew_session(deps: Deps, session: WebSession, data: SessionData) -> str:
    """Give the session a new token, with `data`, and return it. The old token becomes invalid.

    Raises SessionEnded.
    """
    token, renewed = _new_session(
        deps, session.person, session.created_at, session.expires_at, data, session.client
    )
    if not deps.store.replace_web_session(session.id, renewed):
        raise SessionEnded
    return token


def find_session(deps: Deps, token: str, *, is_use: bool = True) -> WebSession | None:
    """The session with this token; None if there is none, or it has ended or was not used for too long.

    With `is_use`, its use is recorded, at most once a minute.
    """
    if not token:
        return None
    now = deps.clock.now()
    session = deps.store.web_session(web_session_id(token), now, now - deps.deadlines.session_idle)
    if session is not None and is_use and now - session.used_at >= USE_RECORDED_EVERY:
        deps.store.touch_web_session(session.id, now)
    return session


def is_open(deps: Deps, session: WebSession) -> bool:
    """Whether the session has not ended since it was found."""
    now = deps.clock.now()
    return deps.store.web_session(session.id, now, now - deps.deadlines.session_idle) is not None


def sessions_of(deps: Deps, person: PersonId | None = None) -> Sequence[WebSession]:
    """The open sessions of one person, or of all people, the last used first."""
    now = deps.clock.now()
    used_since = now - deps.deadlines.session_idle
    return [found for found in deps.store.web_sessions(now, person) if found.used_at >= used_since]


def end_sessions(
    deps: Deps, person: PersonId | None = None, *, except_: WebSession | None = None
) -> list[WebSession]:
    """End the open sessions of one person, or of all people, but for `except_`; return the ended ones."""
    ended = [found for found in sessions_of(deps, person) if except_ is None or found.id != except_.id]
    for session in ended:
        deps.store.end_web_session(session.id)
    return ended


def web_session_id(token: str) -> WebSessionId:
    return WebSessionId(sha256(token.encode("utf-8", "surrogatepass")).hexdigest())


def read_session_data(deps: Deps, session: WebSession) -> SessionData:
    """Decrypt the session data. Raises VaultError if the key that sealed it is missing."""
    return load_session_data(deps.vault.open(session.sealed, _context(session.id)).reveal())


def update_session_data(
    deps: Deps, session: WebSession, change: Callable[[SessionData], SessionData]
) -> SessionData:
    """Apply `change` to the current session data and store the result.

    `change` is called again after a concurrent update. For a session that has ended, nothing is stored.
    """
    while True:
        current = deps.store.web_session(session.id, deps.clock.now())
        changed = change(read_session_data(deps, current or session))
        if current is None or deps.store.save_web_session(
            session.id, _seal(deps, session.id, changed), current.sealed
        ):
            return changed


def sign_out(deps: Deps, session: WebSession) -> None:
    """End the session and delete its passwords. Imports that were started continue."""
    deps.store.end_web_session(session.id)


def _context(id_: WebSessionId) -> str:
    return f"visit:{id_}"


def _seal(deps: Deps, id_: WebSessionId, data: SessionData) -> bytes:
    return deps.vault.seal(Secret(dump_session_data(data)), _context(id_))
