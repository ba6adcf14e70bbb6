"""The audit trail. The database itself refuses to change an event, and to delete one of the last day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select

from importer.adapters.store.database import Database
from importer.adapters.store.tables import audit_events
from importer.domain.audit_event import AuditAction, AuditActor, AuditEvent, AuditOutcome


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
        for column, wanted in (("actor", actor), ("concerns", concerns), ("target", target)):
            if wanted is not None:
                statement = statement.where(audit_events.c[column] == wanted)
        if actions:
            statement = statement.where(audit_events.c.action.in_(actions))
        if since is not None:
            statement = statement.where(audit_events.c.at >= since)
        with self.reading() as connection:
            return [_event(row) for row in connection.execute(statement)]


def _event(row: Row[Any]) -> AuditEvent:
    return AuditEvent(
        row.at,
        AuditAction(row.action),
        AuditOutcome(row.outcome),
        AuditActor(row.actor, row.client),
        row.target,
        row.concerns,
        row.detail,
    )
