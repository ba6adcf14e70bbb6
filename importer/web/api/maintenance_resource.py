"""Whether the installation is under maintenance."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends

from importer.domain.audit_event import AuditActor
from importer.domain.people.api_tokens import TokenScope
from importer.i18n.wait_texts import maintenance_text
from importer.ports.monitoring import Maintenance
from importer.service import maintenance as mode
from importer.web.api.authentication import ApiCaller, Reader, caller_with
from importer.web.api.request_schemas import MaintenanceIn
from importer.web.api.response_schemas import MaintenanceOut

router: Final = APIRouter(tags=["look"])

Operator = Annotated[ApiCaller, Depends(caller_with(TokenScope.ADMIN))]


@router.get("/maintenance")
def show_maintenance(caller: Reader) -> MaintenanceOut:
    """Under maintenance, submissions are accepted and held until it is over."""
    return _out(caller, caller.deps.store.maintenance())


@router.post("/maintenance")
def change_maintenance(caller: Operator, body: MaintenanceIn) -> MaintenanceOut:
    """Hold all imports, or let them go on. Needs the scope `admin`."""
    actor = AuditActor(f"token:{caller.token.id}")
    if body.on:
        return _out(caller, mode.begin(caller.deps, actor, body.note))
    mode.end(caller.deps, actor)
    return _out(caller, None)


def _out(caller: ApiCaller, current: Maintenance | None) -> MaintenanceOut:
    if current is None:
        return MaintenanceOut(on=False, since=None, note="", message="")
    message = maintenance_text(caller.texts, current.since, current.note)
    return MaintenanceOut(on=True, since=current.since, note=current.note, message=message)
