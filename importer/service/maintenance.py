"""Begin and end maintenance of the installation, and wait until no leg runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog

from importer.domain.audit_event import AuditAction, AuditActor, AuditOutcome
from importer.ports.monitoring import Maintenance
from importer.service.access.audit import record_event
from importer.service.deps import Deps
from providers.text import Text

MAX_NOTE_CHARS: Final = 300
DRAIN_POLL_S: Final = 0.5

log = structlog.get_logger()


def begin(deps: Deps, actor: AuditActor, note: str = "") -> Maintenance:
    """Accept and hold submissions from now on; running legs end after their batch. The time of an earlier
    beginning stays, its note does not."""
    earlier = deps.store.maintenance()
    since = deps.clock.now() if earlier is None else earlier.since
    maintenance = Maintenance(since, note.strip()[:MAX_NOTE_CHARS], actor.name)
    deps.store.set_maintenance(maintenance)
    _record(deps, actor, "on", maintenance.note)
    return maintenance


def end(deps: Deps, actor: AuditActor) -> bool:
    """End maintenance; workers notice within seconds. False if there was none."""
    if deps.store.maintenance() is None:
        return False
    deps.store.set_maintenance(None)
    _record(deps, actor, "off")
    return True


def wait_until_drained(deps: Deps, within: timedelta) -> int:
    """Wait until no leg runs; return the number of legs that still run after that time."""
    until = deps.clock.now() + within
    while (running := deps.store.running_legs()) and deps.clock.now() < until:
        deps.clock.sleep(DRAIN_POLL_S)
    return running


def _record(deps: Deps, actor: AuditActor, to: str, note: str = "") -> None:
    log.info("maintenance.changed", to=to, by=actor.name)
    detail = Text("audit_words", words=note) if note else None
    record_event(deps, AuditAction.MAINTENANCE, AuditOutcome.DONE, actor, target=to, detail=detail)
