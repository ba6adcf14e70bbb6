"""Records security events in the audit trail and in the log.

Invariants: an event holds no password, token or message content; neither a flood of refusals from one network
nor a person's loop of successes (pause and resume, sign-ins) fills the database or the log. Bulk changes are
recorded in full: each of their events stands for an import that was changed or refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from importer.domain.audit_event import (
    OPERATOR,
    AuditAction,
    AuditActor,
    AuditEvent,
    AuditOutcome,
    repeated_detail,
)
from importer.domain.model import ImportId
from importer.domain.people.api_tokens import ApiToken
from importer.domain.people.identities import RateLimit
from importer.service.access.client_networks import client_network
from importer.service.deps import Deps
from importer.service.import_batch import batch_of_import
from providers.text import Param, Text

REFUSALS_PER_NETWORK: Final = RateLimit(200, 60 * 60)
"""Refusals and failures of one network that are recorded one by one; a single event stands for all others."""

SUCCESSES_PER_PERSON: Final = RateLimit(200, 60 * 60)
"""Successes of one person (or network, of visitors) and kind that are recorded one by one. Of more, the 1st,
2nd, 4th, 8th and so on are, with their number. Operators and bulk changes are not limited."""

MAX_FIELD_CHARS: Final = 200
"""Longer targets, and parameters of details, are cut: they may come from strangers."""

log = structlog.get_logger()


def record_event(
    deps: Deps,
    action: AuditAction,
    outcome: AuditOutcome,
    actor: AuditActor,
    *,
    target: str = "",
    concerns: str = "",
    detail: Text | None = None,
    limited: bool = True,
) -> None:
    """Add one event; with `limited` within the limits of its network and person only. Raises what the
    database raises."""
    is_counted = limited and bool(actor.client)
    if outcome is not AuditOutcome.DONE and is_counted:
        number = deps.store.count(
            f"audit:{client_network(actor.client)}",
            deps.clock.now(),
            timedelta(seconds=REFUSALS_PER_NETWORK.seconds),
        )
        if number > REFUSALS_PER_NETWORK.tries + 1:
            return
        if number > REFUSALS_PER_NETWORK.tries:
            action, outcome, target, concerns = AuditAction.LIMIT_HIT, AuditOutcome.REFUSED, "audit", ""
            detail = Text("audit_limited")
    elif is_counted and not actor.name.startswith(OPERATOR):
        number = _count_success(deps, action, actor)
        beyond = number - SUCCESSES_PER_PERSON.tries
        if beyond > 0 and beyond & (beyond - 1):
            return
        if beyond > 0:
            detail = repeated_detail(number, detail)
    event = AuditEvent(
        deps.clock.now(),
        action,
        outcome,
        AuditActor(actor.name[:MAX_FIELD_CHARS], actor.client[:MAX_FIELD_CHARS]),
        target[:MAX_FIELD_CHARS],
        concerns,
        None if detail is None else _cut(detail),
    )
    deps.store.add_audit_event(event)
    log.info(
        "audit.recorded",
        action=event.action.value,
        outcome=event.outcome.value,
        actor=event.actor.name,
        client=event.actor.client,
        target=event.target,
        detail=str(event.detail or ""),
    )


def _cut(detail: Text) -> Text:
    """The detail with short parameters and without steps: an event gives a reason, no advice."""
    params = {name: _cut_param(value) for name, value in detail.items}
    return Text(detail.code, steps=None, **params)


def _cut_param(value: Param) -> Param:
    match value:
        case str():
            return value[:MAX_FIELD_CHARS]
        case Text():
            return _cut(value)
    return value


def _count_success(deps: Deps, action: AuditAction, actor: AuditActor) -> int:
    """Count a success; the number of the current hour."""
    key = f"audit:{action}:{actor.name or client_network(actor.client)}"
    return deps.store.count(key, deps.clock.now(), timedelta(seconds=SUCCESSES_PER_PERSON.seconds))


def record_import_event(
    deps: Deps,
    action: AuditAction,
    outcome: AuditOutcome,
    actor: AuditActor,
    import_id: str,
    *,
    detail: Text | None = None,
    limited: bool = True,
) -> None:
    """Add an event about an import: it concerns the owner of the import. `limited` as in `record_event`."""
    import_ = deps.store.import_(ImportId(import_id))
    batch = batch_of_import(deps, import_) if import_ is not None else None
    concerns = batch.owner if batch is not None else actor.name
    record_event(
        deps, action, outcome, actor, target=import_id, concerns=concerns, detail=detail, limited=limited
    )


def record_token_use(deps: Deps, token: ApiToken, client: str) -> None:
    """Add the event that a token is used, once a day for each network from which it is used."""
    key = f"audit:token:{token.id}:{client_network(client)}"
    if deps.store.count(key, deps.clock.now(), timedelta(days=1)) == 1:
        actor = AuditActor(f"token:{token.id}", client)
        record_event(
            deps, AuditAction.TOKEN_USE, AuditOutcome.DONE, actor, target=token.id, concerns=token.client
        )


def record_limit(deps: Deps, key: str) -> None:
    """Add the event that the counter `key` has reached its limit."""
    record_event(deps, AuditAction.LIMIT_HIT, AuditOutcome.REFUSED, AuditActor(""), target=key)


def events_about(deps: Deps, person: str, limit: int = 100) -> Sequence[AuditEvent]:
    """The newest events about one person, newest first: that person may see them."""
    return deps.store.audit_events(concerns=person, limit=limit)


def search_events(
    deps: Deps,
    *,
    actor: str | None = None,
    concerns: str | None = None,
    target: str | None = None,
    actions: Sequence[AuditAction] = (),
    since: datetime | None = None,
    limit: int = 100,
) -> Sequence[AuditEvent]:
    """The newest events that match all conditions, newest first: for operators of the installation."""
    return deps.store.audit_events(
        actor=actor, concerns=concerns, target=target, actions=actions, since=since, limit=limit
    )
