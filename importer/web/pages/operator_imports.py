"""The operators' list of imports, with conditions, sums and pages; and the explanation of one import."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import Response

from importer.domain.model import ImportId, State
from importer.domain.planning.pace import average_rate
from importer.i18n.audit_texts import action_text, detail_text, outcome_text
from importer.i18n.explanation_texts import explanation_texts
from importer.i18n.outcome_texts import outcome_text as verdict_text
from importer.i18n.state_texts import state_word
from importer.service.access.audit import search_events
from importer.service.access.visibility import is_id
from importer.service.import_batch import batch_of_import
from importer.service.imports.finish import report_of
from importer.service.queries import count_imports, explain, list_imports
from importer.web.live_progress import Snapshot
from importer.web.operator_filter import Wanted
from importer.web.operator_views import operator_rows, owner_text
from importer.web.pages.operator_access import SignedInOperator
from importer.web.pages.own_imports import PageNotFound
from importer.web.rendering import page
from importer.web.view_models import TONES, import_view, report_columns

router: Final = APIRouter()

LISTED: Final = 50
"""Imports on one page."""

_EVENTS: Final = 20


@router.get("/operator/imports")
def list_all_imports(operator: SignedInOperator, wanted: Wanted, after: str = "") -> Response:
    texts, deps = operator.visitor.texts, operator.visitor.site.deps
    if wanted.wrong:
        return page(operator, "operator_imports.html", 422, **_nothing(wanted))
    chosen = wanted.chosen(deps.clock.now(), texts)
    found = list_imports(deps, chosen, after=ImportId(after) if is_id(after) else None, limit=LISTED + 1)
    counts = count_imports(deps, replace(chosen, states=()))
    numbers: Counter[State] = Counter()
    for count in counts:
        numbers[count.state] += count.imports
    return page(
        operator,
        "operator_imports.html",
        **_nothing(wanted)
        | {
            "rows": operator_rows(deps, texts, found[:LISTED]),
            "numbers": [
                (state, state_word(texts, state), TONES[state], number)
                for state in State
                if (number := numbers[state]) or wanted.state == state
            ],
            "matching": numbers[State(wanted.state)] if wanted.state else sum(numbers.values()),
            "reasons": sorted(
                {count.problem for count in counts if count.problem} | {*wanted.reason.split()}
            ),
            "following": found[LISTED - 1].id if len(found) > LISTED else "",
            "is_first": not after,
        },
    )


def _nothing(wanted: Wanted) -> dict[str, Any]:
    """The context of a list without imports."""
    return {
        "tab": "imports",
        "wanted": wanted,
        "states": list(State),
        "rows": [],
        "numbers": [],
        "matching": 0,
        "reasons": sorted({*wanted.reason.split()}),
        "following": "",
        "is_first": True,
    }


@router.get("/operator/imports/{import_id}")
def explain_import(operator: SignedInOperator, import_id: str) -> Response:
    """The output of `mailhaul explain`, the numbers of the report, and the audit events. Shows no subject of
    a message."""
    texts, deps = operator.visitor.texts, operator.visitor.site.deps
    import_ = deps.store.import_(ImportId(import_id)) if is_id(import_id) else None
    if import_ is None:
        raise PageNotFound
    report, batch, now = report_of(deps, import_), batch_of_import(deps, import_), deps.clock.now()
    explanation = explain(deps, import_)
    events = search_events(deps, target=import_.id, limit=_EVENTS)
    return page(
        operator,
        "operator_import.html",
        tab="imports",
        one=import_view(texts, Snapshot(import_, average_rate(import_)), now),
        owner=owner_text(texts, batch),
        batch=batch,
        words=explanation_texts(texts, explanation),
        actions=[action.value for action in explanation.actions],
        report=report,
        verdict=verdict_text(texts, report.outcome) if report.tallies else "",
        columns=report_columns(texts, report.totals),
        events=[
            (event, action_text(texts, event), outcome_text(texts, event), detail_text(texts, event))
            for event in events
        ],
    )
