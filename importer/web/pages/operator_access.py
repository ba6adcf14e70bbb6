"""Access control of the operators' pages: for all others these pages do not exist."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from importer.domain.audit_event import AuditAction, AuditActor
from importer.service.access.operators import operator_actor, record_operator_use
from importer.web.pages.own_imports import PageNotFound
from importer.web.request_context import Guest, SignedIn
from providers.text import Text


def current_operator(guest: SignedIn) -> Guest:
    """A guest who is an operator. Raises SignInNeeded and PageNotFound; the refusal is recorded."""
    note = guest.visitor.audit
    if not guest.is_operator:
        note.action, note.detail = AuditAction.OPERATOR_USE, Text("audit_no_operator")
        raise PageNotFound
    actor = actor_of(guest)
    note.actor = actor.name
    record_operator_use(guest.visitor.site.deps, actor, guest.session.person)
    return guest


def actor_of(operator: Guest) -> AuditActor:
    """The operator in the audit trail."""
    return operator_actor(operator.session_data, operator.visitor.client)


SignedInOperator = Annotated[Guest, Depends(current_operator)]
