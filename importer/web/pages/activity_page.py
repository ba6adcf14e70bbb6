"""The security events about the person who is signed in."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from importer.i18n.audit_texts import action_text, actor_text, outcome_text
from importer.service.access.audit import events_about
from importer.web.rendering import page
from importer.web.request_context import SignedIn

MAX_EVENTS: Final = 200

router: Final = APIRouter()


@router.get("/activity")
def activity(guest: SignedIn) -> Response:
    visitor, person = guest.visitor, guest.session.person
    texts = visitor.texts
    rows = [
        (
            event,
            action_text(texts, event),
            outcome_text(texts, event),
            actor_text(texts, event, person),
        )
        for event in events_about(visitor.site.deps, person, MAX_EVENTS)
    ]
    return page(guest, "activity.html", rows=rows)
