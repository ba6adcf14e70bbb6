"""Pause, resume, retry or cancel all imports that the query parameters select."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Final

from fastapi import APIRouter, Query

from importer.domain.bulk_action import BulkAction
from importer.service.imports.bulk_control import MAX_CHANGED, carry_out, record_change, select
from importer.web.api.authentication import Writer
from importer.web.api.import_filters import Chosen
from importer.web.api.problem_details import ProblemAnswer
from importer.web.api.schemas import ActionOut, import_out
from providers.text import Text

router: Final = APIRouter(tags=["do"])


@router.post("/import-actions/{action}")
def act_on_imports(
    caller: Writer,
    action: BulkAction,
    chosen: Chosen,
    confirm: Annotated[
        int | None, Query(ge=1, description="The number of imports that the request without it named.")
    ] = None,
) -> ActionOut:
    """Change the imports that match and that the action can change.

    Without `confirm` nothing is changed, and the answer says how many there are. With that number the first
    250 are changed, newest first, unless the number is another one by now (409). `left` is what to confirm
    next.
    """
    selection = select(caller.deps, action, chosen.of(caller))
    number = len(selection.ids)
    now = caller.deps.clock.now()
    examples = [import_out(caller.texts, import_, now) for import_ in selection.examples]
    if confirm is None:
        return ActionOut(selected=number, changed=0, left=number, effects={}, examples=examples)
    if confirm != number:
        raise ProblemAnswer("not_possible", Text("api.not_possible.other_number", number=number))
    effects: Counter[str] = Counter()
    for changed in carry_out(caller.deps, action, selection.ids[:MAX_CHANGED]):
        record_change(caller.deps, caller.audit_actor, action, changed)
        effects[changed.effect.value] += 1
    left = number - min(number, MAX_CHANGED)
    return ActionOut(selected=number, changed=effects.total(), left=left, effects=effects, examples=[])
