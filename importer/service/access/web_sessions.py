"""Web sessions: sign-in with a mailbox login, and the data of a session.

Invariants: a password is sent only to the host it was entered for; session data is sealed for its session and
deleted with it; a token is never stored, only its digest.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from importer.domain.csv_import.corrections import NO_CORRECTIONS, Corrections
from importer.domain.import_options import OPTIONS, Choices, choices_from_json, json_of
from importer.domain.model import Account, Import, ImportId
from importer.domain.people.identities import PersonId, WebSession, WebSessionId, person_of
from importer.service.access.login_attempts import LoginOrigin, try_login
from importer.service.access.session_sign_ins import PendingSignIn, SessionGrant
from importer.service.deps import Deps
from providers.endpoint import Endpoint, Secret, Security
from providers.errors import Side
from providers.frozen import frozen

SESSION_LIFETIME: Final = timedelta(hours=12)
USE_RECORDED_EVERY: Final = timedelta(minutes=1)


class SessionEnded(Exception):
    """The session ended while the request was under way."""


@frozen
class VerifiedMailbox:
    """A mailbox whose login was verified.

    Without a password, it is one whose owner signed in at the provider `sign_in` (`signed_in`) or does so
    later, or a destination that an OpenID issuer attributes to this person. `facts` are the displayed results
    of a check. A mailbox whose verification the issuer does not state gives no batch right.
    """

    account: Account
    password: Secret | None
    facts: dict[str, Any] = field(default_factory=dict)
    sign_in: str = ""
    has_labels: bool = False
    gives_rights: bool = True
    signed_in: SessionGrant | None = None

    @property
    def is_open(self) -> bool:
        """Whether this session can log in to it."""
        return self.password is not None or self.signed_in is not None


@frozen
class Rerun:
    """The earlier import that the draft runs again, and its destination."""

    import_id: ImportId
    destination: Account


@frozen
class SessionData:
    """The data of a web session: the person's destination mailboxes, the draft of the next submission, and an
    uploaded file.

    `choices` are the options that were chosen so far; `sign_ins` the requests of owners who are at their
    provider. `corrections` belong to the file: cells written anew, and the rows that have been started.
    `file_batches` are the batches that were started from it.
    """

    mailboxes: tuple[VerifiedMailbox, ...] = ()
    sources: tuple[VerifiedMailbox, ...] = ()
    pending_source: Account | None = None  # the source whose password is entered next
    domains: tuple[str, ...] = ()  # that this person administers, according to an OpenID issuer
    file_name: str = ""
    file: bytes = field(default=b"", repr=False)
    choices: Choices = field(default_factory=dict)
    rerun: Rerun | None = None
    sign_ins: tuple[PendingSignIn, ...] = ()
    corrections: Corrections = NO_CORRECTIONS
    file_batches: tuple[str, ...] = ()
    is_operator: bool = False  # according to an OpenID issuer

    def mailbox(self, key: str) -> VerifiedMailbox | None:
        """The destination mailbox with that Account.key."""
        return next((m for m in self.mailboxes if m.account.key == key), None)

    @property
    def default_destination(self) -> Account:
        """The destination that is preselected: that of the import which is run again, and no other one."""
        if self.rerun is not None:
            return self.rerun.destination
        return next((m for m in self.mailboxes if m.is_open), self.mailboxes[0]).account

    @property
    def any_labels(self) -> bool:
        """Whether any of the sources has labels."""
        return any(source.has_labels for source in self.sources)

    def with_source(self, source: VerifiedMailbox, limit: int) -> SessionData:
        """A copy with this source added or replaced, reduced to the last `limit` sources."""
        others = tuple(s for s in self.sources if s.account.key != source.account.key)
        return replace(self, sources=(*others, source)[-limit:], pending_source=None)

    def with_destination(self, mailbox: VerifiedMailbox) -> SessionData:
        """A copy with this destination added or replaced."""
        mailboxes = {m.account.key: m for m in self.mailboxes} | {mailbox.account.key: mailbox}
        return replace(self, mailboxes=tuple(mailboxes.values()))

    def with_rerun(self, import_: Import) -> SessionData:
        """A copy whose draft runs that import again: its source, destination and choices."""
        return replace(
            self,
            sources=(),
            pending_source=import_.source,
            choices={name: getattr(import_.options, name) for name in OPTIONS},
            rerun=Rerun(import_.id, import_.destination),
        )

    def with_file(self, name: str, content: bytes, corrections: Corrections = NO_CORRECTIONS) -> SessionData:
        """A copy with that file in place of another one; without a file if there is no content."""
        return replace(self, file_name=name, file=content, corrections=corrections, file_batches=())

    def without_draft(self) -> SessionData:
        """A copy without the draft, but with the uploaded file."""
        return replace(self, sources=(), pending_source=None, choices={}, rerun=None)

    def without_grant(self, key: str) -> SessionData:
        """A copy without the grant of the destination with that Account.key: the imports that started with
        it own it now."""
        mailboxes = (replace(m, signed_in=None) if m.account.key == key else m for m in self.mailboxes)
        return replace(self, mailboxes=tuple(mailboxes))


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
    return _load(deps.vault.open(session.sealed, _context(session.id)).reveal())


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


# --- Serialisation for the vault ------------------------------------------------------------------


def _context(id_: WebSessionId) -> str:
    return f"visit:{id_}"


def _seal(deps: Deps, id_: WebSessionId, data: SessionData) -> bytes:
    return deps.vault.seal(Secret(_dump(data)), _context(id_))


def _dump(data: SessionData) -> str:
    return json.dumps(
        {
            "mailboxes": [_mailbox_json(m) for m in data.mailboxes],
            "sources": [_mailbox_json(m) for m in data.sources],
            "asked": _account_json(data.pending_source) if data.pending_source else None,
            "domains": data.domains,
            "file_name": data.file_name,
            "file": data.file.hex(),
            "options": {name: json_of(value) for name, value in data.choices.items()},
            "again": _account_json(data.rerun.destination) if data.rerun else None,
            "again_import": data.rerun.import_id if data.rerun else None,
            "sign_ins": [{**s.as_json(), "account": _account_json(s.account)} for s in data.sign_ins],
            "corrections": _corrections_json(data.corrections),
            "file_batches": data.file_batches,
            "operator": data.is_operator,
        }
    )


def _load(text: str) -> SessionData:
    facts = json.loads(text)
    return SessionData(
        tuple(map(_mailbox, facts["mailboxes"])),
        tuple(map(_mailbox, facts["sources"])),
        _account(facts["asked"]) if facts["asked"] else None,
        tuple(facts["domains"]),
        facts["file_name"],
        bytes.fromhex(facts["file"]),
        choices_from_json(facts.get("options", {})),  # none in a session of an earlier version
        _rerun(facts),
        # none in a session of an earlier version
        tuple(PendingSignIn.from_json(s, _account(s["account"])) for s in facts.get("sign_ins", ())),
        _corrections(facts.get("corrections")),
        tuple(facts.get("file_batches", ())),
        facts.get("operator") is True,
    )


def _corrections_json(corrections: Corrections) -> dict[str, Any]:
    return {
        "cells": [[line, dict(cells)] for line, cells in corrections.cells.items()],
        "left_out": sorted(corrections.left_out),
        "kept": sorted(corrections.kept),
    }


def _corrections(facts: dict[str, Any] | None) -> Corrections:
    if facts is None:  # a session of an earlier version
        return NO_CORRECTIONS
    cells = dict(facts["cells"])
    kept = frozenset((line, column) for line, column in facts["kept"])
    return Corrections(cells, frozenset(facts["left_out"]), kept)


def _rerun(facts: dict[str, Any]) -> Rerun | None:
    import_id = facts.get("again_import")  # a session of an earlier version has none
    return Rerun(ImportId(import_id), _account(facts["again"])) if import_id else None


def _account_json(account: Account) -> dict[str, Any]:
    endpoint = account.endpoint
    return {
        "address": account.address,
        "login": account.login,
        "endpoint": [endpoint.host, endpoint.port, endpoint.security.value],
        "guarded": account.public_only,
    }


def _account(facts: dict[str, Any]) -> Account:
    host, port, security = facts["endpoint"]
    return Account(
        facts["address"], facts["login"], Endpoint(host, port, Security(security)), facts["guarded"]
    )


def _mailbox_json(mailbox: VerifiedMailbox) -> dict[str, Any]:
    account = _account_json(mailbox.account)
    password = None if mailbox.password is None else mailbox.password.reveal()
    return {
        "account": account,
        "password": password,
        "facts": mailbox.facts,
        "sign_in": mailbox.sign_in,
        "has_labels": mailbox.has_labels,
        "gives_rights": mailbox.gives_rights,
        "signed_in": mailbox.signed_in.as_json() if mailbox.signed_in else None,
    }


def _mailbox(facts: dict[str, Any]) -> VerifiedMailbox:
    password = None if facts["password"] is None else Secret(facts["password"])
    signed_in = facts.get("signed_in")
    return VerifiedMailbox(
        _account(facts["account"]),
        password,
        facts["facts"],
        facts["sign_in"],
        facts["has_labels"],
        facts.get("gives_rights", True),  # a session of an earlier version
        SessionGrant.from_json(signed_in) if signed_in else None,
    )
