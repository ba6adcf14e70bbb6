"""Signing in by proving a mailbox, and what a visit remembers.

Invariants: a password is only ever sent to the host it was entered for; what a visit remembers is sealed
for that visit and gone with it; a token is never stored, only its digest.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final

from importer.domain.folder_mapping.label_rules import LabelRule
from importer.domain.model import Account
from importer.domain.people.identities import NOBODY, PersonId, WebSession, WebSessionId, person_of
from importer.service.access.rate_limits import consume, login_keys, refund
from importer.service.deps import Deps
from providers.endpoint import Endpoint, Secret, Security
from providers.errors import Side

SESSION_LIFETIME: Final = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class VerifiedMailbox:
    """A mailbox that we logged in to; without a password, one whose owner signs in at `sign_in` later, or
    a destination that an issuer says is this person's own.
    `facts` is what a check found there, for showing."""

    account: Account
    password: Secret | None
    facts: dict[str, Any] = field(default_factory=dict)
    sign_in: str = ""
    has_labels: bool = False


@dataclass(frozen=True, slots=True)
class SessionData:
    """What a visit remembers: this person's destination mailboxes, and what is being put together. `labels`
    and `sync_flags` are None until they are chosen; `again` is the destination of an earlier import
    that is run again."""

    mailboxes: tuple[VerifiedMailbox, ...] = ()
    sources: tuple[VerifiedMailbox, ...] = ()
    pending_source: Account | None = None  # the source whose password comes next
    domains: tuple[str, ...] = ()  # that an issuer says this person administers
    file_name: str = ""
    file: bytes = field(default=b"", repr=False)
    labels: LabelRule | None = None
    sync_flags: bool | None = None
    rerun_destination: Account | None = None

    def mailbox(self, key: str) -> VerifiedMailbox | None:
        """The attached destination with that Account.key."""
        return next((m for m in self.mailboxes if m.account.key == key), None)

    @property
    def default_mailbox(self) -> VerifiedMailbox:
        """The destination to offer first."""
        opened = next((m for m in self.mailboxes if m.password is not None), self.mailboxes[0])
        return (self.mailbox(self.rerun_destination.key) if self.rerun_destination else None) or opened

    @property
    def any_labels(self) -> bool:
        """Whether any of the sources does."""
        return any(source.has_labels for source in self.sources)

    def with_source(self, source: VerifiedMailbox, most: int) -> SessionData:
        """It with this source too, or in place of its earlier self; of more than `most` the last ones."""
        others = tuple(s for s in self.sources if s.account.key != source.account.key)
        return replace(self, sources=(*others, source)[-most:], pending_source=None)

    def without_draft(self) -> SessionData:
        """It without what was being put together, but for the file."""
        return replace(
            self, sources=(), pending_source=None, labels=None, sync_flags=None, rerun_destination=None
        )


def verify_login(
    deps: Deps, account: Account, password: Secret, side: Side, *, client: str, person: PersonId
) -> VerifiedMailbox:
    """Logs in to the mailbox and out again. Raises TooManyTries, or any MailError of scope session or
    account."""
    ours = side is Side.DESTINATION
    consume(deps, login_keys(account, client, person, ours=ours))
    reached = public_only_account(account) if side is Side.SOURCE else account
    session = deps.sessions.open(reached, password, side)
    try:
        has_labels = session.has_labels()
    finally:
        session.close()
    refund(deps, account, client, ours=ours)
    return VerifiedMailbox(account, password, has_labels=has_labels)


def public_only_account(account: Account) -> Account:
    """The same account, reached only where strangers may send us."""
    return replace(account, public_only=True)


def sign_in(deps: Deps, account: Account, password: Secret, *, client: str) -> tuple[str, WebSession]:
    """A new visit of the person whose mailbox this is, and its token. Raises as `verify_login` does."""
    verify_login(deps, account, password, Side.DESTINATION, client=client, person=NOBODY)
    return begin_session(deps, person_of(account), (VerifiedMailbox(account, password),))


def begin_session(
    deps: Deps, person: PersonId, mailboxes: tuple[VerifiedMailbox, ...], domains: tuple[str, ...] = ()
) -> tuple[str, WebSession]:
    """A new visit of a person who is known by now, and its token. There is at least one mailbox; `domains`
    are those that an issuer says this person administers."""
    token = secrets.token_urlsafe(32)
    id_, now = web_session_id(token), deps.clock.now()
    remembered = SessionData(mailboxes, domains=domains)
    visit = WebSession(id_, person, now, now + SESSION_LIFETIME, _seal(deps, id_, remembered))
    deps.store.add_web_session(visit)
    return token, visit


def attach_mailbox(
    deps: Deps, visit: WebSession, account: Account, password: Secret, *, client: str
) -> SessionData:
    """A further destination mailbox for this visit. Raises as `verify_login` does."""
    verify_login(deps, account, password, Side.DESTINATION, client=client, person=visit.person)

    def more(before: SessionData) -> SessionData:
        mailboxes = {m.account.key: m for m in before.mailboxes} | {
            account.key: VerifiedMailbox(account, password)
        }
        return replace(before, mailboxes=tuple(mailboxes.values()))

    return update_session_data(deps, visit, more)


def find_session(deps: Deps, token: str) -> WebSession | None:
    """The visit that this token opens; None when there is none, or no longer."""
    return deps.store.web_session(web_session_id(token), deps.clock.now()) if token else None


def web_session_id(token: str) -> WebSessionId:
    return WebSessionId(sha256(token.encode("utf-8", "surrogatepass")).hexdigest())


def read_session_data(deps: Deps, visit: WebSession) -> SessionData:
    """Raises VaultError when the key that sealed it is gone."""
    return _load(deps.vault.open(visit.sealed, _context(visit.id)).reveal())


def update_session_data(
    deps: Deps, visit: WebSession, change: Callable[[SessionData], SessionData]
) -> SessionData:
    """Changes what the visit remembers, from what it is at that moment: `change` may be called again when
    somebody else was faster. A visit that has ended remembers nothing more."""
    while True:
        current = deps.store.web_session(visit.id, deps.clock.now())
        after = change(read_session_data(deps, current or visit))
        if current is None or deps.store.save_web_session(
            visit.id, _seal(deps, visit.id, after), current.sealed
        ):
            return after


def sign_out(deps: Deps, visit: WebSession) -> None:
    """Ends the visit; its passwords are gone with it. Imports that were started go on."""
    deps.store.end_web_session(visit.id)


# --- As text, to be sealed ------------------------------------------------------------------------


def _context(id_: WebSessionId) -> str:
    return f"visit:{id_}"


def _seal(deps: Deps, id_: WebSessionId, remembered: SessionData) -> bytes:
    return deps.vault.seal(Secret(_dump(remembered)), _context(id_))


def _dump(remembered: SessionData) -> str:
    return json.dumps(
        {
            "mailboxes": [_proven_json(m) for m in remembered.mailboxes],
            "sources": [_proven_json(m) for m in remembered.sources],
            "asked": _account_json(remembered.pending_source) if remembered.pending_source else None,
            "domains": remembered.domains,
            "file_name": remembered.file_name,
            "file": remembered.file.hex(),
            "labels": remembered.labels,
            "sync_flags": remembered.sync_flags,
            "again": _account_json(remembered.rerun_destination) if remembered.rerun_destination else None,
        }
    )


def _load(text: str) -> SessionData:
    facts = json.loads(text)
    return SessionData(
        tuple(map(_proven, facts["mailboxes"])),
        tuple(map(_proven, facts["sources"])),
        _account(facts["asked"]) if facts["asked"] else None,
        tuple(facts["domains"]),
        facts["file_name"],
        bytes.fromhex(facts["file"]),
        LabelRule(facts["labels"]) if facts["labels"] else None,
        facts["sync_flags"],
        _account(facts["again"]) if facts["again"] else None,
    )


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


def _proven_json(proven: VerifiedMailbox) -> dict[str, Any]:
    account = _account_json(proven.account)
    password = None if proven.password is None else proven.password.reveal()
    return {
        "account": account,
        "password": password,
        "facts": proven.facts,
        "sign_in": proven.sign_in,
        "has_labels": proven.has_labels,
    }


def _proven(facts: dict[str, Any]) -> VerifiedMailbox:
    password = None if facts["password"] is None else Secret(facts["password"])
    return VerifiedMailbox(
        _account(facts["account"]), password, facts["facts"], facts["sign_in"], facts["has_labels"]
    )
