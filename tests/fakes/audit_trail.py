"""The audit trail in a list."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from importer.domain.audit_event import AuditAction, AuditEvent
from tests.fakes.web_sessions import MemoryVisits


class MemoryAuditTrail(MemoryVisits):
    """`importer.ports.audit_trail.AuditTrail`, thread-safe."""

    def __init__(self) -> None:
        super().__init__()
        self._audit_events: list[AuditEvent] = []

    def add_audit_event(self, event: AuditEvent) -> None:
        with self._lock:
            self._audit_events.append(event)

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
        with self._lock:
            return [
                event
                for event in reversed(self._audit_events)
                if actor in (None, event.actor.name)
                and concerns in (None, event.concerns)
                and target in (None, event.target)
                and (not actions or event.action in actions)
                and (since is None or event.at >= since)
            ][:limit]
