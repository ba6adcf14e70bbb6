"""Sign in to the web pages with OpenID Connect: one authorization request per browser, used once.

The pending request is sealed and kept in the browser that started it; the server records only that its
`state` was used. The addresses that the issuer vouches for become the person's destination mailboxes.
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
from importer.service.access.client_networks import client_network
from importer.service.access.rate_limits import PER_CLIENT, consume
from importer.service.access.session_data import VerifiedMailbox
from importer.service.access.web_sessions import begin_session, web_session_id
from importer.service.deps import Deps
from providers.endpoint import Endpoint, Secret
from providers.errors import LoginRejected
from providers.mailbox_access import Question
from providers.text import Text

SIGN_IN_TIMEOUT: Final = timedelta(minutes=10)
MAX_ADDRESSES: Final = 100


class QuestionGone(Exception):
    """The sign-in was started in another browser, is already complete, or has timed out."""


class NoAddress(Exception):
    """The issuer vouches for no mail address of this person."""


def begin(deps: Deps, browser: str, *, client: str) -> tuple[str, bytes]:
    """Return the URL to redirect the browser to, and the sealed request to keep in the browser until it
    returns.

    `browser` is the browser's token. Raises RateLimited, LoginRejected if OpenID Connect is not set up,
    ServerUnavailable, Throttled.
    """
    if deps.identity_provider is None:
        raise LoginRejected(Text("login_rejected.openid_not_set_up"))
    consume(deps, {f"openid:client:{client_network(client)}": PER_CLIENT})
    question = deps.identity_provider.begin_sign_in()
    ends_at = deps.clock.now() + SIGN_IN_TIMEOUT
    pending = json.dumps([question.state, question.verifier.reveal(), question.nonce, ends_at.isoformat()])
    return question.url, deps.vault.seal(Secret(pending), _context(browser))


def complete(
    deps: Deps, browser: str, sealed: bytes, answer: dict[str, str], server: Endpoint, *, client: str = ""
) -> tuple[str, WebSession]:
    """Complete the sign-in: return the token of a new session, and the session. The mailboxes are at
    `server`.

    `answer` holds the parameters that the browser returned with. Raises QuestionGone, NoAddress,
    LoginRejected, ServerUnavailable, Throttled.
    """
    if deps.identity_provider is None:
        raise QuestionGone
    question = _open(deps, browser, sealed)
    if answer.get("state") != question.state or _mark_used(deps, question.state):
        raise QuestionGone
    person = deps.identity_provider.complete_sign_in(question, answer)
    unverified = {*_valid_addresses(tuple(person.unverified))}
    mailboxes = tuple(
        VerifiedMailbox(
            Account(mail_address, mail_address, server), None, gives_rights=mail_address not in unverified
        )
        for mail_address in _valid_addresses(person.addresses)[:MAX_ADDRESSES]
    )
    if not mailboxes:
        raise NoAddress
    return begin_session(
        deps,
        person_at(person.issuer, person.subject),
        mailboxes,
        person.domains,
        client=client,
        is_operator=person.is_operator,
    )


def _mark_used(deps: Deps, state: str) -> bool:
    """Mark the state as used; True if it was used before."""
    key = f"openid:state:{sha256(state.encode()).hexdigest()}"
    return deps.store.count(key, deps.clock.now(), SIGN_IN_TIMEOUT) > 1


def _open(deps: Deps, browser: str, sealed: bytes) -> Question:
    try:
        state, verifier, nonce, ends_at = json.loads(deps.vault.open(sealed, _context(browser)).reveal())
    except VaultError:
        raise QuestionGone from None
    if datetime.fromisoformat(ends_at) <= deps.clock.now():
        raise QuestionGone
    return Question("", state, Secret(verifier), nonce)


def _valid_addresses(candidates: tuple[str, ...]) -> tuple[str, ...]:
    """The valid mailbox addresses among the candidates, without duplicates."""
    valid = []
    for candidate in candidates:
        try:
            valid.append(address(candidate))
        except Refused:
            continue
    return tuple(dict.fromkeys(valid))


def _context(browser: str) -> str:
    return f"openid:{web_session_id(browser)}"
