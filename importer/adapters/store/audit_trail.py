"""The audit trail. The database itself refuses to change an event, and to delete one of the last day.

Up to 0.2.0 the target of `pause.clear` was the name of a budget, such as `host imap.old.example`, and details
were English words. Such events read, and are found, as those of today.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select

from importer.adapters.store.database import Database
from importer.adapters.store.tables import audit_events
from importer.domain.audit_event import AuditAction, AuditActor, AuditEvent, AuditOutcome
from importer.domain.planning.host_allowance import budgets_named, named_budget
from providers.text import Text


class SqlAuditTrail(Database):
    """Implements `importer.ports.audit_trail.AuditTrail`."""

    def add_audit_event(self, event: AuditEvent) -> None:
        values = {
            "at": event.at,
            "action": event.action,
            "outcome": event.outcome,
            "actor": event.actor.name,
            "client": event.actor.client,
            "target": event.target,
            "concerns": event.concerns,
            "detail": event.detail,
        }
        with self.writing() as connection:
            connection.execute(insert(audit_events).values(values))

    def audit_events(
        self,
        *,
        actor: str | None = None,
        concerns: str | None = None,
        target: str | None = None,
        actions: Sequence[AuditAction] = (),
        since: datetime | None = None,
        limit: int = 100,
    ) -> Sequence[AuditEvent]:
        statement = select(audit_events).order_by(audit_events.c.seq.desc()).limit(limit)
        for column, wanted in (("actor", actor), ("concerns", concerns)):
            if wanted is not None:
                statement = statement.where(audit_events.c[column] == wanted)
        if target is not None:
            statement = statement.where(audit_events.c.target.in_((target, *budgets_named(target))))
        if actions:
            statement = statement.where(audit_events.c.action.in_(actions))
        if since is not None:
            statement = statement.where(audit_events.c.at >= since)
        with self.reading() as connection:
            return [_event(row) for row in connection.execute(statement)]


def _event(row: Row[Any]) -> AuditEvent:
    action = AuditAction(row.action)
    return AuditEvent(
        row.at,
        action,
        AuditOutcome(row.outcome),
        AuditActor(row.actor, row.client),
        named_budget(row.target) if action is AuditAction.PAUSE_CLEAR else row.target,
        row.concerns,
        _detail(action, row),
    )


def _detail(action: AuditAction, row: Row[Any]) -> Text | None:
    if isinstance(row.detail, Text):
        return row.detail
    from importer.adapters.store.former_details import former_detail  # noqa: PLC0415 - a copy reads no events

    return former_detail(action, row.target, row.detail)
