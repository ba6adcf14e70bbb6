"""The operators' view of hosts and budgets, with the end of a pause; and maintenance."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import Response

from importer.domain.planning.host_allowance import Backoff, named_budget, without_connecting
from importer.domain.planning.host_load import BudgetsInUse
from importer.i18n.pause_texts import pause_json
from importer.i18n.state_texts import state_word
from importer.i18n.translations import CatalogTranslator
from importer.service import host_overview, maintenance
from importer.web.pages.operator_access import SignedInOperator, actor_of
from importer.web.rendering import page, redirect
from importer.web.request_context import Fields, field_text

router: Final = APIRouter()

SHOWN: Final = 200
"""Hosts, and budgets of accounts, on the page: those with pauses first."""


@router.get("/operator/hosts")
def show_hosts(operator: SignedInOperator) -> Response:
    texts, deps = operator.visitor.texts, operator.visitor.site.deps
    loads = sorted(host_overview.hosts(deps), key=lambda load: not load.pauses)  # stable: the busiest first
    budgets = _budget_rows(texts, host_overview.budgets(deps))
    return page(
        operator,
        "operator_hosts.html",
        tab="hosts",
        hosts=[
            (
                load,
                [(state_word(texts, state), number) for state, number in load.imports.items()],
                [pause_json(texts, pause) for pause in load.pauses],
            )
            for load in loads[:SHOWN]
        ],
        budgets=budgets[:SHOWN],
        left_out=max(0, len(loads) - SHOWN) + max(0, len(budgets) - SHOWN),
    )


@router.post("/operator/pauses/clear")
def clear_pauses(operator: SignedInOperator, fields: Fields) -> Response:
    """End the pauses of a host and of the accounts there, or a single one."""
    if name := field_text(fields, "name").strip():
        host_overview.clear_pauses(operator.visitor.site.deps, actor_of(operator), name)
    return redirect("/operator/hosts")


@router.post("/operator/maintenance")
def change_maintenance(operator: SignedInOperator, fields: Fields) -> Response:
    """Hold all imports, or release them."""
    deps, actor = operator.visitor.site.deps, actor_of(operator)
    if field_text(fields, "to") == "on":
        maintenance.begin(deps, actor, field_text(fields, "note"))
    elif field_text(fields, "to") == "off":
        maintenance.end(deps, actor)
    return redirect("/operator")


def _budget_rows(texts: CatalogTranslator, used: BudgetsInUse) -> list[dict[str, Any]]:
    """Each budget that is in use or paused: its name, connections, bytes of a day, and its pauses."""
    paused: dict[str, list[Backoff]] = {}
    for pause in used.pauses:
        paused.setdefault(without_connecting(pause.name), []).append(pause)
    names = sorted({*used.slots, *used.bytes_of_a_day, *paused}, key=lambda name: (name not in paused, name))
    return [
        {
            "name": name,
            "shown": named_budget(name),
            "connections": used.slots.get(name, 0),
            "bytes": used.bytes_of_a_day.get(name, 0),
            "pauses": [pause_json(texts, pause) for pause in paused.get(name, ())],
        }
        for name in names
    ]
