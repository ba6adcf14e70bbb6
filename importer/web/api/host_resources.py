"""Hosts and budgets, for operators: tokens with the scope `admin`."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query

from importer.domain.audit_event import AuditActor
from importer.i18n.pause_texts import pause_json
from importer.service import host_overview
from importer.web.api.maintenance_resource import Operator
from importer.web.api.response_schemas import BudgetsOut, ClearedOut, HostOut, PauseOut

router: Final = APIRouter(tags=["look"])


@router.get("/hosts")
def list_hosts(caller: Operator) -> list[HostOut]:
    """The imports, connections and pauses of each host; the busiest first."""
    return [
        HostOut(
            host=load.host,
            own=load.is_own,
            imports={state.value: number for state, number in load.imports.items()},
            connections=load.connections,
            most_connections=load.most_connections,
            pauses=[PauseOut.model_validate(pause_json(caller.texts, pause)) for pause in load.pauses],
        )
        for load in host_overview.hosts(caller.deps)
    ]


@router.get("/budgets")
def show_budgets(caller: Operator) -> BudgetsOut:
    """Connections in use, bytes of the last 24 hours, and pauses, of accounts and hosts."""
    used = host_overview.budgets(caller.deps)
    return BudgetsOut(
        connections=dict(used.slots),
        bytes=dict(used.bytes_of_a_day),
        pauses=[PauseOut.model_validate(pause_json(caller.texts, pause)) for pause in used.pauses],
    )


@router.post("/pauses/clear")
def clear_pauses(
    caller: Operator,
    name: Annotated[str, Query(min_length=1, max_length=400, description="A host, or the name of a pause.")],
) -> ClearedOut:
    """End the pauses of a host and of the accounts there, or a single one."""
    actor = AuditActor(f"token:{caller.token.id}")
    return ClearedOut(cleared=host_overview.clear_pauses(caller.deps, actor, name))
