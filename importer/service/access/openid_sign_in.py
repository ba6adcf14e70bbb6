"""Signing in to the pages with OpenID Connect: one question per browser, for one use.

What is kept of a question is sealed for the browser that asked it and stays there; that its state was used
is remembered here. The addresses that the issuer vouches for are the person's own destinations.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from importer.domain.csv_import.csv_cells import Refused, address
from importer.domain.model import Account
from importer.domain.people.identities import WebSession, person_at
from importer.ports.vault import VaultError
from importer.service.access.rate_limits import PER_CLIENT, client_network, consume
from importer.service.access.web_sessions import VerifiedMailbox, begin_session, web_session_id
from importer.service.deps import Deps
from providers.endpoint import Endpoint, Secret
from providers.errors import LoginRejected
from providers.mailbox_access import Question

SIGN_IN_TIMEOUT: Final = timedelta(minutes=10)
MAX_ADDRESSES: Final = 100


class QuestionGone(Exception):
    """The question was asked by another browser, was answered already, or has run out."""


class NoAddress(Exception):
    """The issuer vouches for no mail address of this person."""


def begin(deps: Deps, browser: str, *, client: str) -> tuple[str, bytes]:
    """Where to send the browser with that token, and what it keeps until it comes back.

    Raises TooManyTries, LoginRejected where nobody can sign in like this, ServerUnavailable, Throttled."""
    if deps.identity_provider is None:
        raise LoginRejected("Signing in like this is not set up.")
    consume(deps, {f"openid:client:{client_network(client)}": PER_CLIENT})
    asked = deps.identity_provider.begin_sign_in()
    ends_at = deps.clock.now() + SIGN_IN_TIMEOUT
    kept = json.dumps([asked.state, asked.verifier.reveal(), asked.nonce, ends_at.isoformat()])
    return asked.url, deps.vault.seal(Secret(kept), _context(browser))


def complete(
    deps: Deps, browser: str, kept: bytes, answer: dict[str, str], server: Endpoint
) -> tuple[str, WebSession]:
    """A new visit of the person who signed in, and its token. Their mailboxes are at `server`.

    Raises QuestionGone, NoAddress, LoginRejected, ServerUnavailable, Throttled."""
    if deps.identity_provider is None:
        raise QuestionGone
    asked = _opened(deps, browser, kept)
    if answer.get("state") != asked.state or _used(deps, asked.state):
        raise QuestionGone
    person = deps.identity_provider.complete_sign_in(asked, answer)
    mailboxes = tuple(
        VerifiedMailbox(Account(one, one, server), None)
        for one in _addresses(person.addresses)[:MAX_ADDRESSES]
    )
    if not mailboxes:
        raise NoAddress
    return begin_session(deps, person_at(person.issuer, person.subject), mailboxes, person.domains)


def _used(deps: Deps, state: str) -> bool:
    """Whether it was used before; from now on it was."""
    key = f"openid:state:{sha256(state.encode()).hexdigest()}"
    return deps.store.count(key, deps.clock.now(), SIGN_IN_TIMEOUT) > 1


def _opened(deps: Deps, browser: str, kept: bytes) -> Question:
    try:
        state, verifier, nonce, ends_at = json.loads(deps.vault.open(kept, _context(browser)).reveal())
    except VaultError:
        raise QuestionGone from None
    if datetime.fromisoformat(ends_at) <= deps.clock.now():
        raise QuestionGone
    return Question("", state, Secret(verifier), nonce)


def _addresses(given: tuple[str, ...]) -> tuple[str, ...]:
    """Those that can be a mailbox's."""
    right = []
    for one in given:
        try:
            right.append(address(one))
        except Refused:
            continue
    return tuple(dict.fromkeys(right))


def _context(browser: str) -> str:
    return f"openid:{web_session_id(browser)}"
