"""The page's control of how long an import fetches new mail; the console's command is `schedule`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from importer.domain.csv_import.csv_cells import Refused
from importer.domain.import_options import OPTIONS, SCHEDULE_OPTIONS, Choices
from importer.domain.planning.cutover_options import FollowUntil
from importer.i18n.code_texts import render_with_advice
from importer.i18n.row_problem_texts import refused_text
from importer.service.imports import following
from importer.service.imports.control import Effect
from importer.web.pages.import_pages import END_FOLLOWING, import_page
from importer.web.pages.own_imports import import_or_404, report_or_404
from importer.web.rendering import redirect
from importer.web.request_context import Fields, Guest, SignedIn, field_text

router: Final = APIRouter()


@router.post("/imports/{import_id}/schedule")
def schedule_import(guest: SignedIn, fields: Fields, import_id: str) -> Response:
    """With the wish END_FOLLOWING, the last pass starts now; otherwise the form gives the end."""
    import_, texts = import_or_404(guest, import_id), guest.visitor.texts
    try:
        choices = _last_pass(guest) if field_text(fields, "wish") == END_FOLLOWING else _choices(fields)
    except Refused as refused:
        return import_page(guest, report_or_404(guest, import_id), refused_text(texts, refused), 422)
    changed = following.schedule(guest.visitor.site.deps, import_.id, choices)
    if changed.effect in (Effect.NOT_POSSIBLE, Effect.TOO_LATE):
        problem = render_with_advice(changed.text, texts)
        return import_page(guest, report_or_404(guest, import_id), problem, 409)
    return redirect(f"/imports/{import_.id}")


def _choices(fields: FormData) -> Choices:
    """The options that the form selects; a cleared text selects the default. Raises Refused."""
    choices: dict[str, Any] = {}
    for name in SCHEDULE_OPTIONS:
        option = OPTIONS[name]
        if option.api_type is bool:
            choices[name] = bool(field_text(fields, name))
        else:
            value = option.parse(field_text(fields, name))
            choices[name] = option.default if value is None else value
    return choices


def _last_pass(guest: Guest) -> Choices:
    """A past date as the end, which makes the last pass start now."""
    yesterday = (guest.visitor.site.deps.clock.now() - timedelta(days=1)).date()
    return {"until_cutover": False, "follow_until": FollowUntil(yesterday)}
