"""Operators on the pages, by setting or claim, and the record of their use.

Invariants: an address makes an operator only if its mailbox is at the destination of the installation and was
opened in this session, or an OpenID issuer states that it verified it; each action of an operator is recorded
one by one, however many there are.
"""

from __future__ import annotations

from datetime import timedelta

from importer.domain.audit_event import OPERATOR, AuditAction, AuditActor, AuditOutcome
from importer.domain.people.identities import PersonId
from importer.service.access.audit import record_event
from importer.service.access.client_networks import client_network
from importer.service.access.session_data import SessionData
from importer.service.deps import Deps


def is_operator(deps: Deps, session_data: SessionData) -> bool:
    """Whether the person of this session is an operator under the current settings."""
    if session_data.is_operator:
        return True
    # The login, not the address: the host has authenticated the login.
    return any(
        mailbox.account.endpoint == deps.own_host
        and mailbox.gives_rights
        and mailbox.account.login.lower() in deps.operators
        for mailbox in session_data.mailboxes
    )


def operator_actor(session_data: SessionData, client: str) -> AuditActor:
    """The operator as an actor: named by the first mailbox of the session."""
    return AuditActor(f"{OPERATOR}{session_data.mailboxes[0].account.address}", client)


def record_operator_use(deps: Deps, actor: AuditActor, person: PersonId) -> None:
    """Add the event that an operator, that person, opened the operators' pages, once a day and network."""
    key = f"audit:{actor.name}:{client_network(actor.client)}"
    if deps.store.count(key, deps.clock.now(), timedelta(days=1)) == 1:
        record_event(deps, AuditAction.OPERATOR_USE, AuditOutcome.DONE, actor, concerns=person)
