"""The audit trail, for operators."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.responses import Response

from importer.domain.audit_event import AuditAction
from importer.i18n.audit_texts import action_text, action_words, detail_text, outcome_text
from importer.service.access.audit import search_events
from importer.web.pages.operator_access import SignedInOperator
from importer.web.rendering import page

router: Final = APIRouter()

SHOWN: Final = 200
_Text = Annotated[str, Query(max_length=320)]


@router.get("/operator/audit")
def show_audit(
    operator: SignedInOperator, action: _Text = "", actor: _Text = "", target: _Text = "", days: _Text = ""
) -> Response:
    """The newest events that match all conditions. An unknown action, or a number of days that is not a
    number, matches nothing."""
    texts, deps = operator.visitor.texts, operator.visitor.site.deps
    typed = {"action": action, "actor": actor.strip(), "target": target.strip(), "days": days.strip()}
    in_days = typed["days"].isascii() and typed["days"].isdecimal() and len(typed["days"]) < 5
    wrong = {
        name for name, right in (("days", in_days), ("action", action in list(AuditAction))) if not right
    }
    wrong = {name for name in wrong if typed[name]}
    events = (
        search_events(
            deps,
            actions=[AuditAction(action)] if action else (),
            actor=typed["actor"] or None,
            target=typed["target"] or None,
            since=deps.clock.now() - timedelta(days=int(days)) if typed["days"] else None,
            limit=SHOWN,
        )
        if not wrong
        else ()
    )
    return page(
        operator,
        "operator_audit.html",
        422 if wrong else 200,
        tab="audit",
        typed=typed,
        wrong=wrong,
        is_narrowed=any(typed.values()),
        actions=sorted(((each.value, action_words(texts, each)) for each in AuditAction), key=lambda a: a[1]),
        events=[
            (event, action_text(texts, event), outcome_text(texts, event), detail_text(texts, event))
            for event in events
        ],
        most=SHOWN,
    )
