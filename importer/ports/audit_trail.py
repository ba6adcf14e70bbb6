"""The audit trail: security events, which are only ever added, and removed by age."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from importer.domain.audit_event import AuditAction, AuditEvent


class AuditTrail(Protocol):
    """Security events."""

    def add_audit_event(self, event: AuditEvent) -> None: ...

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
        """The newest events that match all conditions, newest first."""
        ...
