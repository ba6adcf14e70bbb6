"""The security events about the person who is signed in."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from importer.i18n.audit_texts import action_text, actor_text, detail_text, outcome_text
from importer.service.access.audit import events_about
from importer.service.access.web_sessions import end_sessions, sessions_of
from importer.web.rendering import page, redirect
from importer.web.request_context import Fields, SignedIn
from providers.text import Text

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
            detail_text(texts, event),
        )
        for event in events_about(visitor.site.deps, person, MAX_EVENTS)
    ]
    return page(guest, "activity.html", rows=rows, sessions=sessions_of(visitor.site.deps, person))


@router.post("/activity/end-others")
def end_other_sessions(guest: SignedIn, _fields: Fields) -> Response:
    """Sign out all other browsers of this person."""
    ended = end_sessions(guest.visitor.site.deps, guest.session.person, except_=guest.session)
    guest.visitor.audit.detail = Text("audit_sessions", number=len(ended))
    return redirect("/activity")
